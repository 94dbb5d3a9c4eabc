"""PeakNet, a network of our own: it reads a spectrum as a list of peaks and compares it with prototypes.

The published networks turn a spectrum into pooled feature maps, where positions blur and a peak of 3 % of the
highest one hardly counts. PeakNet keeps both. Its first layer lists the maxima of the spectrum with
position and height; its second holds for each class a prototype, that is a list of peaks, and gives as
logit minus the distance of the two lists. What one peak adds to the distance follows a tolerance that
is flat inside and steep outside, with learned edges: the shape suits a law of variation that is flat.
What was tried before, and discarded, can still be chosen (`spectra_lib.experiments.peaknet_variants`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from spectra_lib._base.errors import SpecificationError
from spectra_lib.networks.adaptation import AdaptiveLayer
from spectra_lib.networks.blocks import output_dtype
from spectra_lib.networks.quiet_keras import KerasTensor, keras, layers, ops

SMALLEST = 1e-4
"""Smallest height of a maximum that is taken for a peak, relative to the highest."""

FAR = 1e6
"""Distance that no peak has."""

POSITION_TOLERANCE, HEIGHT_TOLERANCE = 50.0, 0.05
"""First values of the tolerances, points and heights; training moves them."""

TOLERANCES = ("flat", "quadratic")
"""Shapes of the tolerance: nearly flat inside and steep outside, or the square of the deviation."""

ONE_SPECTRUM = "one_spectrum"
"""Start of the prototypes at the first training spectrum of the class that shows most peaks."""

CENTRES: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "mid_range": lambda peaks: (peaks.min(axis=0) + peaks.max(axis=0)) / 2,
    "mean": lambda peaks: peaks.mean(axis=0),
}
"""Other starts: what is taken for the centre of peaks, shape (n, 2), that belong together."""


class PeakFinder(layers.Layer):
    """Lists the highest maxima of each spectrum.

    Input (batch, n_points, 1), output (batch, n_peaks, 2): position in points and height, by falling
    height, zero where there are fewer. Between the points a parabola through the logarithms of three
    of them finds the maximum, which is exact for a Gaussian.

    Parameters
    ----------
    n_peaks : int
        Length of the lists.
    **options
        Those of a Keras layer.
    """

    def __init__(self, n_peaks: int, **options: object) -> None:
        super().__init__(**options)
        self.n_peaks = n_peaks

    def call(self, spectrum: KerasTensor) -> KerasTensor:
        """Find the peaks.

        Parameters
        ----------
        spectrum : KerasTensor, shape (batch, n_points, 1)
            Intensities.

        Returns
        -------
        KerasTensor, shape (batch, n_peaks, 2)
        """
        values = ops.cast(ops.squeeze(spectrum, -1), self.compute_dtype)
        left, middle, right = values[:, :-2], values[:, 1:-1], values[:, 2:]
        maximum = ops.logical_and(ops.logical_and(middle > left, middle >= right), middle > SMALLEST)
        heights, places = ops.top_k(ops.where(maximum, middle, 0.0), self.n_peaks)
        before, at, after = (
            ops.log(ops.maximum(ops.take_along_axis(side, places, axis=1), 1e-30)) for side in (left, middle, right)
        )
        curvature = ops.minimum(before - 2 * at + after, -1e-6)
        offset = ops.clip((before - after) / (2 * curvature), -0.5, 0.5)
        there = heights > 0
        refined = ops.exp(at - (before - after) * offset / 4)
        positions = ops.cast(places, self.compute_dtype) + 1 + offset
        return ops.stack([ops.where(there, positions, 0.0), ops.where(there, refined, 0.0)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give (batch, n_peaks, 2).

        Parameters
        ----------
        input_shape : tuple of int or None
            (batch, n_points, 1).

        Returns
        -------
        tuple of int or None
        """
        return input_shape[0], self.n_peaks, 2


class PeakPrototypes(AdaptiveLayer):
    """Minus the distance between a list of peaks and the prototype of each class.

    Input (batch, n_peaks, 2) as `PeakFinder` gives it, output (batch, n_classes).

    Each peak of a prototype takes the observed peak nearest to it, in units of the tolerances, or counts as
    vanished at the cost of its height; each observed peak that no prototype peak took costs something too.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    peaks_per_class : int
        Room for so many prototype peaks a class, on average.
    train_centres : bool
        Whether training moves the prototypes, or only tolerances and costs.
    start : str
        Where prototypes start: `ONE_SPECTRUM`, or one of `CENTRES` of all training spectra of the class.
    tolerance : str
        One of `TOLERANCES`.
    count_surplus : bool
        Whether observed peaks that no prototype peak took cost something.
    **options
        Those of a Keras layer.

    Raises
    ------
    SpecificationError
        If there is no such start or tolerance.
    """

    def __init__(
        self,
        n_classes: int,
        peaks_per_class: int,
        *,
        train_centres: bool = True,
        start: str = "mid_range",
        tolerance: str = "flat",
        count_surplus: bool = True,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.n_classes, self.n_prototypes = n_classes, peaks_per_class * n_classes
        self.train_centres, self.count_surplus = train_centres, count_surplus
        self.start = _one_of("start", start, (*CENTRES, ONE_SPECTRUM))
        self.tolerance = _one_of("tolerance", tolerance, TOLERANCES)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights; `adapt` gives the prototypes their values.

        Parameters
        ----------
        input_shape : tuple of int or None
            (batch, n_peaks, 2).
        """
        shape = (self.n_prototypes,)
        # In units of the tolerances, so that one learning rate suits positions, heights and all else.
        self.positions = self._weight("positions", shape, 0.0, self.train_centres)
        self.heights = self._weight("heights", shape, 0.0, self.train_centres)
        # A prototype peak that is not in use belongs to a class beyond the last.
        self.owners = self.add_weight(
            name="owners",
            shape=shape,
            dtype="int32",
            initializer=keras.initializers.Constant(self.n_classes),
            trainable=False,
        )
        # Logarithms, so that what must be positive stays so.
        self.position_tolerance = self._weight("position_tolerance", (), 1.0)
        self.height_tolerance = self._weight("height_tolerance", (), 1.0)
        self.relative_tolerance = self._weight("relative_tolerance", (), 1.0)
        if self.tolerance == "flat":
            self.steepness = self._weight("steepness", (), 10.0)
        self.roundness = self._weight("roundness", (), 0.1 if self.tolerance == "flat" else 1.0)
        self.vanishing = self._weight("vanishing", (), 1.0)
        if self.count_surplus:
            self.unexplained = self._weight("unexplained", (), 20.0)
            self.taken = self._weight("taken", (), 8.0)

    @property
    def multiply_adds(self) -> int:
        """Multiplications for one spectrum: 4 to find how far an observed peak is, 12 to weigh the nearest."""
        return (4 * int(self.input.shape[1]) + 12) * self.n_prototypes

    def _weight(self, name: str, shape: tuple[int, ...], first: float, trainable: bool = True) -> keras.Variable:
        value = np.log(first) if shape == () else first
        return self.add_weight(
            name=name, shape=shape, initializer=keras.initializers.Constant(value), trainable=trainable
        )

    def _excess(self, deviation: KerasTensor) -> KerasTensor:
        """Cost of a deviation in units of its tolerance: its square, small up to 1 if a steep flank follows there."""
        round_part = ops.exp(self.roundness) * ops.square(deviation)
        if self.tolerance == "quadratic":
            return round_part
        return round_part + ops.softplus(ops.exp(self.steepness) * (deviation - 1))

    def call(self, peaks: KerasTensor) -> KerasTensor:
        """Compare with every class.

        Parameters
        ----------
        peaks : KerasTensor, shape (batch, n_peaks, 2)
            Positions in points and heights.

        Returns
        -------
        KerasTensor, shape (batch, n_classes)
            Logits.
        """
        there = peaks[..., 1] > 0
        positions, heights = peaks[..., 0] / POSITION_TOLERANCE, peaks[..., 1] / HEIGHT_TOLERANCE
        # The division by the highest peak, which varies too, moves high peaks further than low ones.
        position_tolerance = ops.exp(self.position_tolerance)
        height_tolerance = ops.exp(self.height_tolerance) + ops.exp(self.relative_tolerance) * (
            HEIGHT_TOLERANCE * ops.abs(self.heights)
        )
        along = (positions[:, :, None] - self.positions) / position_tolerance
        upward = (heights[:, :, None] - self.heights) / height_tolerance
        distance = ops.square(along) + ops.square(upward) + ops.where(there, 0.0, FAR)[:, :, None]
        nearest = ops.argmin(ops.stop_gradient(distance), axis=1)  # (batch, n_prototypes)
        along = ops.abs(ops.take_along_axis(positions, nearest, axis=1) - self.positions) / position_tolerance
        upward = ops.abs(ops.take_along_axis(heights, nearest, axis=1) - self.heights) / height_tolerance
        none_there = ops.logical_not(ops.any(there, axis=1, keepdims=True))
        best = self._excess(along) + self._excess(upward) + ops.where(none_there, FAR, 0.0)
        vanished = self._excess(ops.abs(self.heights) / height_tolerance) + ops.exp(self.vanishing)
        cost = self._by_class(ops.minimum(best, vanished))
        if not self.count_surplus:
            return -cost
        taken = self._by_class(ops.sigmoid(ops.exp(self.taken) - best))
        surplus = ops.relu(ops.sum(ops.cast(there, self.compute_dtype), axis=1, keepdims=True) - taken)
        return -(cost + ops.exp(self.unexplained) * surplus)

    def _by_class(self, values: KerasTensor) -> KerasTensor:
        """Add up over the prototype peaks of each class: (batch, n_prototypes) to (batch, n_classes)."""
        total = ops.segment_sum(ops.transpose(values), self.owners, num_segments=self.n_classes + 1)
        return ops.transpose(total[: self.n_classes])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Give (batch, n_classes).

        Parameters
        ----------
        input_shape : tuple of int or None
            (batch, n_peaks, 2).

        Returns
        -------
        tuple of int or None
        """
        return input_shape[0], self.n_classes

    def adapt(self, features: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Put the prototype of each class where its training peaks are.

        Parameters
        ----------
        features : ndarray, shape (n_spectra, n_peaks, 2)
            Peaks of the training spectra.
        labels : ndarray of int, shape (n_spectra,)
            Their classes.

        Raises
        ------
        SpecificationError
            If the classes show more peaks than there is room for.
        """
        prototypes = [prototype(features[labels == label], self.start) for label in range(self.n_classes)]
        counts = [len(peaks) for peaks in prototypes]
        if sum(counts) > self.n_prototypes:
            needed = -(-sum(counts) // self.n_classes)
            raise SpecificationError(
                f"the training spectra of {self.n_classes} classes show {sum(counts)} peaks, but there is room for "
                f"{self.n_prototypes}; set peaks_per_class to {needed} or more"
            )
        owners = np.full(self.n_prototypes, self.n_classes)
        values = np.zeros((self.n_prototypes, 2))
        owners[: sum(counts)] = np.repeat(np.arange(self.n_classes), counts)
        values[: sum(counts)] = np.concatenate(prototypes)
        self.owners.assign(owners.astype(np.int32))
        self.positions.assign((values[:, 0] / POSITION_TOLERANCE).astype(self.positions.dtype))
        self.heights.assign((values[:, 1] / HEIGHT_TOLERANCE).astype(self.heights.dtype))


def _one_of(option: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise SpecificationError(f"PeakNet: {option} must be one of {', '.join(allowed)}, received {value!r}")
    return value


def prototype(spectra: NDArray[np.floating], start: str = "mid_range") -> NDArray[np.float64]:
    """Find the peaks of one class.

    Starts from the spectrum with most peaks, assigns the peaks of all spectra to it, moves each of its peaks
    half-way between the smallest and the largest that were assigned, and again, trusting nearer peaks
    only. For a flat law the middle of the range is the best estimate of the centre.

    Parameters
    ----------
    spectra : ndarray, shape (n_spectra, n_peaks, 2)
        Positions in points and heights, zero rows where there are fewer peaks.
    start : str
        `ONE_SPECTRUM` stops at the spectrum with most peaks; one of `CENTRES` is where peaks move to.

    Returns
    -------
    ndarray of float64, shape (n_peaks of the prototype, 2)

    Examples
    --------
    >>> prototype(np.array([[[100.0, 1.0], [0.0, 0.0]], [[120.0, 1.0], [300.0, 0.5]], [[110.0, 1.0], [310.0, 0.4]]]))
    array([[110.  ,   1.  ],
           [305.  ,   0.45]])
    """
    lists = [peaks[peaks[:, 1] > 0] for peaks in spectra]
    centre = max(lists, key=len).astype(np.float64)
    unit = np.array([POSITION_TOLERANCE, 2 * HEIGHT_TOLERANCE])
    # Two spectra differ by up to two tolerances, and by more where the highest peak differs.
    for reach in () if start == ONE_SPECTRUM else (4.0, 2.0, 1.3):
        assigned: list[list[NDArray[np.float64]]] = [[] for _ in centre]
        for peaks in lists:
            deviation = np.abs(peaks[:, None] - centre) / unit
            far = (deviation > reach).any(axis=-1)
            cost = np.where(far, FAR, np.square(deviation).sum(axis=-1))
            rows, columns = linear_sum_assignment(cost)
            for row, column in zip(rows, columns, strict=True):
                if not far[row, column]:
                    assigned[column].append(peaks[row])
        centre = np.array(
            [CENTRES[start](np.array(own)) if own else old for own, old in zip(assigned, centre, strict=True)]
        )
    return centre


def prototypes(
    peaks: KerasTensor,
    n_classes: int,
    *,
    peaks_per_class: int = 4,
    train_centres: bool = True,
    start: str = "mid_range",
    tolerance: str = "flat",
    count_surplus: bool = True,
) -> KerasTensor:
    """Logits from the distances to the prototypes.

    Parameters
    ----------
    peaks : KerasTensor, shape (batch, n_peaks, 2)
        Positions in points and heights.
    n_classes : int
        Number of classes.
    peaks_per_class, train_centres, start, tolerance, count_surplus : int, bool, str, str, bool
        As in `PeakPrototypes`.

    Returns
    -------
    KerasTensor, shape (batch, n_classes)

    Raises
    ------
    SpecificationError
        If there is no such start or tolerance.
    """
    return PeakPrototypes(
        n_classes,
        peaks_per_class,
        train_centres=train_centres,
        start=start,
        tolerance=tolerance,
        count_surplus=count_surplus,
        name="logits",
    )(peaks)


def peaknet(x: KerasTensor, *, max_peaks: int = 12) -> KerasTensor:
    """The list of the highest peaks.

    Parameters
    ----------
    x : KerasTensor, shape (batch, n_points, 1)
        Spectra.
    max_peaks : int
        Length of the lists.

    Returns
    -------
    KerasTensor, shape (batch, max_peaks, 2)
    """
    # Whatever the precision of the run: a position needs more than the 8 bits of bfloat16.
    return PeakFinder(max_peaks, dtype=output_dtype(), name="peaks")(x)


def list_peaks(spectra: NDArray[np.floating], max_peaks: int = 12) -> NDArray[np.float64]:
    """Give what PeakNet's first layer lists.

    Parameters
    ----------
    spectra : ndarray, shape (n_spectra, n_points)
        Intensities.
    max_peaks : int
        Length of the lists.

    Returns
    -------
    ndarray of float64, shape (n_spectra, max_peaks, 2)
        Positions in points and heights, the highest peak first, zero rows where there are fewer.

    Examples
    --------
    >>> list_peaks(np.exp(-((np.arange(50) - 20.25) ** 2) / 8)[None], max_peaks=2).round(3)
    array([[[20.25,  1.  ],
            [ 0.  ,  0.  ]]])
    """
    return np.asarray(ops.convert_to_numpy(PeakFinder(max_peaks)(spectra[..., None])), dtype=np.float64)


def shift_costs(shifts: NDArray[np.floating], tolerance: str) -> NDArray[np.float64]:
    """Give what one peak costs that is off by so many points, before training.

    Parameters
    ----------
    shifts : ndarray, shape (n,)
        Deviations in points.
    tolerance : str
        One of `TOLERANCES`.

    Returns
    -------
    ndarray of float64, shape (n,)
        Costs in units of the logits, zero for no shift.

    Examples
    --------
    >>> shift_costs(np.array([0.0, 25.0, 100.0]), "quadratic").round(2)
    array([0.  , 0.25, 4.  ])
    """
    layer = PeakPrototypes(1, 1, tolerance=tolerance, count_surplus=False)
    layer.build((None, 1, 2))
    layer.adapt(np.array([[[1000.0, 1.0]]]), np.array([0]))
    shifts = np.concatenate(([0.0], shifts))
    peaks = np.stack([1000.0 + shifts, np.ones(len(shifts))], axis=-1)[:, None]
    logits = np.asarray(ops.convert_to_numpy(layer(peaks.astype(np.float32)))[:, 0], dtype=np.float64)
    return logits[0] - logits[1:]
