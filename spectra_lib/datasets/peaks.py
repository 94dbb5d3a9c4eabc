"""Peak tables: the positions, heights and width behind each spectrum of a split.

A peak table is the dataset: spectra are rendered from it when they are needed
(`spectra_lib.datasets.rendering`). Source: Schuetzke et al. 2023, Methods, and the published code for the
order of the random draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.specification import MAX_HEIGHT, DatasetSpec, Fingerprint, TestPoint

Rows = NDArray[np.integer] | NDArray[np.bool_] | Sequence[int] | slice | None
"""Which spectra: row numbers, one truth value for each row, a slice, or None for all (`chosen_rows`)."""


@dataclass(frozen=True)
class PeakTable:
    """Peaks of many spectra, held in flat arrays.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_spectra + 1,)
        Spectrum i owns the peaks ``offsets[i]:offsets[i + 1]``.
    positions : ndarray of int32, shape (n_peaks_total,)
        Peak positions in points.
    heights : ndarray of float64, shape (n_peaks_total,)
        Peak heights before broadening, in units of the highest ideal peak of a class.
    widths : ndarray of float64, shape (n_spectra,)
        Gaussian standard deviation of all peaks of a spectrum, in points.

    Examples
    --------
    >>> table = PeakTable.from_lists([[10, 20], [15]], [[1.0, 0.5], [1.0]], [2.0, 3.0])
    >>> len(table), table.counts
    (2, array([2, 1]))
    """

    offsets: NDArray[np.int64]
    positions: NDArray[np.int32]
    heights: NDArray[np.float64]
    widths: NDArray[np.float64]

    @classmethod
    def from_lists(
        cls,
        positions: Sequence[Sequence[int] | NDArray[np.integer]],
        heights: Sequence[Sequence[float] | NDArray[np.floating]],
        widths: Sequence[float] | NDArray[np.floating],
    ) -> PeakTable:
        """Build a table from one list of positions and heights for each spectrum.

        Raises
        ------
        SpectraError
            If the lists do not match, a peak list is empty, a position is negative, a height is
            negative or not finite, or a width is not a positive number.
        """
        if not len(positions) == len(heights) == len(widths):
            raise SpectraError(
                f"{len(positions)} position lists, {len(heights)} height lists and {len(widths)} widths; "
                "give one of each for every spectrum"
            )
        counts = np.array([len(p) for p in positions], dtype=np.int64)
        for row, (count, own_heights) in enumerate(zip(counts, heights, strict=True)):
            if count == 0 or count != len(own_heights):
                raise SpectraError(
                    f"spectrum {row}: {count} positions and {len(own_heights)} heights; "
                    "give at least one peak, and one height for each position"
                )
        flat_positions = np.concatenate([np.asarray(p) for p in positions]) if len(counts) else np.zeros(0)
        flat_heights = np.concatenate([np.asarray(h, dtype=float) for h in heights]) if len(counts) else np.zeros(0)
        table_widths = np.asarray(widths, dtype=float)
        for name, values, valid in (
            ("positions", flat_positions, flat_positions >= 0),
            ("heights", flat_heights, np.isfinite(flat_heights) & (flat_heights >= 0)),
            ("widths", table_widths, np.isfinite(table_widths) & (table_widths > 0)),
        ):
            if not valid.all():
                raise SpectraError(
                    f"{name}: received {values[~valid][0]}; positions and heights must be 0 or more, "
                    "widths above 0, and all of them finite"
                )
        return cls(
            offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            positions=flat_positions.astype(np.int32),
            heights=flat_heights,
            widths=table_widths,
        )

    def __len__(self) -> int:
        return len(self.widths)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of peaks of each spectrum, shape (n_spectra,)."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """Memory held by the arrays, in bytes."""
        return self.offsets.nbytes + self.positions.nbytes + self.heights.nbytes + self.widths.nbytes

    def peaks(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Positions and heights of one spectrum."""
        own = slice(self.offsets[row], self.offsets[row + 1])
        return self.positions[own], self.heights[own]

    def __repr__(self) -> str:
        return f"PeakTable of {len(self)} spectra with {len(self.positions)} peaks"

    def __iter__(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float64]]]:
        return (self.peaks(row) for row in range(len(self)))

    def take(self, rows: Rows) -> PeakTable:
        """Give a table of the chosen spectra, in the order asked for."""
        if rows is None:
            return self
        chosen = chosen_rows(rows, len(self))
        counts = self.counts[chosen]
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        source = np.repeat(self.offsets[chosen] - offsets[:-1], counts) + np.arange(offsets[-1])
        return PeakTable(offsets, self.positions[source], self.heights[source], self.widths[chosen])


def chosen_rows(rows: Rows, n: int) -> NDArray[np.int64]:
    """Give the numbers of the chosen rows, by NumPy's rules.

    Parameters
    ----------
    rows : sequence of int, sequence of bool, slice or None
        Numbers from -n to n - 1, negative ones counted from the end; or one truth value for each row; None for all.
    n : int
        How many rows there are.

    Returns
    -------
    ndarray of int64, shape (n_chosen,)
        From 0 to n - 1, in the order asked for.

    Raises
    ------
    SpectraError
        If `rows` has other than one dimension, is neither whole numbers nor truth values, is out of range, or has
        another number of truth values than there are rows.

    Examples
    --------
    >>> chosen_rows([0, -1], 5).tolist(), chosen_rows([True, False, True], 3).tolist(), chosen_rows([], 3).size
    ([0, 4], [0, 2], 0)
    """
    if rows is None or isinstance(rows, slice):
        return np.arange(n)[slice(None) if rows is None else rows]
    chosen = np.asarray(rows)
    if chosen.ndim != 1:
        raise SpectraError(
            f"rows: expected a list of row numbers, received {chosen.ndim} dimensions ({rows!r:.60}); "
            "give [3] for a single row"
        )
    if not chosen.size:
        return np.zeros(0, dtype=np.int64)
    if chosen.dtype == bool:
        if len(chosen) != n:
            raise SpectraError(f"rows: expected one truth value for each of {n} rows, received {len(chosen)}")
        return np.flatnonzero(chosen)
    if chosen.dtype.kind not in "iu":
        raise SpectraError(f"rows: expected whole numbers or truth values, received {chosen.dtype} ({chosen[0]})")
    outside = (chosen < -n) | (chosen >= n)
    if outside.any():
        raise SpectraError(f"rows: expected numbers from {-n} to {n - 1}, received {chosen[outside][0]}")
    return np.where(chosen < 0, chosen + n, chosen).astype(np.int64)


def vary_peaks(spec: DatasetSpec, fingerprints: Sequence[Fingerprint]) -> tuple[PeakTable, PeakTable]:
    """Draw the training and validation peaks of all classes.

    One generator, seeded with `spec.seed`, serves the classes in order, each its training spectra
    first. For each spectrum: all positions, then all heights, then one width.

    Returns
    -------
    tuple of PeakTable
        Training and validation peaks, grouped by class.

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> spec = dataset_spec("challenge")
    >>> train, validation = vary_peaks(spec, spec.fingerprints)
    >>> len(train), len(validation)
    (1350, 270)
    """
    train, validation = draw_peaks(spec, fingerprints, (spec.n_train, spec.n_validation), spec.seed)
    return train, validation


def draw_peaks(
    spec: DatasetSpec, fingerprints: Sequence[Fingerprint], numbers: Sequence[int], seed: int | Sequence[int]
) -> list[PeakTable]:
    """Draw peaks of all classes from the training distribution, as `vary_peaks` does.

    Parameters
    ----------
    spec : DatasetSpec
        The distribution; its seed and its numbers of spectra are not used.
    fingerprints : sequence of Fingerprint
        The classes.
    numbers : sequence of int
        Spectra of each class in each table.
    seed : int or sequence of int
        Seed of the one generator.

    Returns
    -------
    list of PeakTable
        One table for each of `numbers`, grouped by class.

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> spec = dataset_spec("challenge")
    >>> [len(table) for table in draw_peaks(spec, spec.fingerprints, (2, 1), seed=7)]
    [54, 27]
    """
    rng = np.random.default_rng(seed)
    rows: list[list[tuple]] = [[] for _ in numbers]
    for fingerprint in fingerprints:
        for own, number in zip(rows, numbers, strict=True):
            own.extend(_vary(spec, fingerprint, rng) for _ in range(number))
    return [PeakTable.from_lists(*zip(*own, strict=True)) for own in rows]


def _vary(spec: DatasetSpec, fingerprint: Fingerprint, rng: np.random.Generator) -> tuple:
    law = spec.variation
    positions = np.array(fingerprint.positions)
    if law.position_shift:
        positions = rng.integers(positions - law.position_shift, positions + law.position_shift)
    heights = np.array(fingerprint.heights)
    varied = heights != 1.0 if law.keep_unit_heights else np.ones(len(heights), dtype=bool)
    heights[varied] = rng.uniform(heights[varied] - law.height_change, heights[varied] + law.height_change)
    width = rng.uniform(*law.width_range)
    return np.clip(positions, 0, spec.n_points - 1), np.clip(heights, 0.0, MAX_HEIGHT), width


def place_test_peaks(spec: DatasetSpec, fingerprints: Sequence[Fingerprint]) -> tuple[PeakTable, NDArray[np.int64]]:
    """Place the test peaks of all classes by the specification's test rule.

    Returns
    -------
    PeakTable
        Test peaks, grouped by class.
    ndarray of int64, shape (n_spectra,)
        Their labels (the number of test spectra may differ from class to class).

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> spec = dataset_spec("challenge")
    >>> peaks, labels = place_test_peaks(spec, spec.fingerprints)
    >>> peaks.peaks(1)[0], peaks.peaks(3)[1]
    (array([ 670, 2970], dtype=int32), array([0.67, 1.  ]))
    """
    rows: list[tuple] = []
    labels: list[int] = []
    for label, fingerprint in enumerate(fingerprints):
        shift, change, points = spec.test.for_class(label)
        rows.extend(_shifted(spec, fingerprint, point, shift, change) for point in points)
        labels += [label] * len(points)
    return PeakTable.from_lists(*zip(*rows, strict=True)), np.array(labels, dtype=np.int64)


def _shifted(spec: DatasetSpec, fingerprint: Fingerprint, point: TestPoint, shift: int, change: float) -> tuple:
    positions = np.clip(np.array(fingerprint.positions) + point[0] * shift, 0, spec.n_points - 1)
    heights = np.array(fingerprint.heights)
    varied = heights != 1.0
    heights[varied] = np.clip(heights[varied] + point[1] * change, 0.0, MAX_HEIGHT)
    return positions, heights, spec.test.width
