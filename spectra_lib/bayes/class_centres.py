"""How far a peak list lies from the centre of each class.

The law of the training spectra is flat: inside a class's range no place is likelier than another,
and where two ranges meet a posterior may tie exactly. The distance to the middle of the range then
decides. The middle is either the class's fingerprint or what training peaks tell of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from spectra_lib.bayes.training_distribution import observe
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import Fingerprint

UNEXPLAINED = 1e4
"""Squared distance of an observed peak that the class does not have: more than any peak it has."""


@dataclass(frozen=True)
class ClassCentres:
    """The middle of each class's peaks, and the units in which distances from it are counted.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_classes + 1,)
        Class c owns the peaks ``offsets[c]:offsets[c + 1]``.
    positions : ndarray of float64, shape (n_peaks_total,)
        Central positions in points.
    heights : ndarray of float64, shape (n_peaks_total,)
        Central heights relative to the highest peak of the spectrum.
    position_unit, height_unit : float
        Largest change of a position (points) and of a height by the variation law.
    """

    offsets: NDArray[np.int64]
    positions: NDArray[np.float64]
    heights: NDArray[np.float64]
    position_unit: float
    height_unit: float

    @classmethod
    def ideal(cls, dataset: Dataset) -> ClassCentres:
        """Take the fingerprints, whose highest peak is 1, as the centres.

        Parameters
        ----------
        dataset : Dataset
            Gives the fingerprints and the variation.

        Returns
        -------
        ClassCentres
        """
        fingerprints: Sequence[Fingerprint] = dataset.fingerprints
        return cls._build(
            dataset,
            [np.array(f.positions, dtype=float) for f in fingerprints],
            [np.array(f.heights) / max(f.heights) for f in fingerprints],
        )

    @classmethod
    def mid_range(cls, dataset: Dataset, observed: PeakTable | None = None) -> ClassCentres:
        """Half-way between the smallest and the largest value that the training peaks of a class take.

        For a uniform law the mid-range is the best estimate of the centre. Observed peaks are told apart
        by assigning them to the fingerprint; one that has vanished counts with height 0.

        Parameters
        ----------
        dataset : Dataset
            Gives the fingerprints and the training spectra's labels.
        observed : PeakTable, optional
            Peaks of the training spectra, heights relative to the highest; by default the exact ones.

        Returns
        -------
        ClassCentres
        """
        ideal = cls.ideal(dataset)
        observed = observe(dataset.train.peaks) if observed is None else observed
        n_peaks = len(ideal.positions)
        low, high = np.full((2, n_peaks), np.inf), np.full((2, n_peaks), -np.inf)
        for (positions, heights), label in zip(observed, dataset.train.labels, strict=True):
            begin = ideal.offsets[label]
            _, match, hidden = ideal.assign(positions, heights, int(label))
            for i, j in enumerate(match):
                if j >= 0:
                    seen = np.array([positions[j], heights[j]], dtype=float)
                elif hidden[i]:
                    continue
                else:
                    seen = np.array([np.nan, 0.0])
                low[:, begin + i] = np.fmin(low[:, begin + i], seen)
                high[:, begin + i] = np.fmax(high[:, begin + i], seen)
        # A peak that no training spectrum shows keeps its ideal position.
        positions, heights = np.where(
            np.isfinite(low), (low + np.where(np.isfinite(high), high, 0.0)) / 2, [ideal.positions, ideal.heights]
        )
        return cls(ideal.offsets, positions, heights, ideal.position_unit, ideal.height_unit)

    @classmethod
    def _build(cls, dataset: Dataset, positions: list, heights: list) -> ClassCentres:
        variation = dataset.spec.variation
        return cls(
            offsets=np.concatenate(([0], np.cumsum([len(p) for p in positions]))).astype(np.int64),
            positions=np.concatenate(positions),
            heights=np.concatenate(heights),
            # A law that moves nothing still needs a unit: one point, one per cent of the highest peak.
            position_unit=float(max(variation.position_shift, 1)),
            height_unit=variation.height_change or 0.01,
        )

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.offsets) - 1

    def distance(self, positions: NDArray, heights: NDArray, label: int) -> float:
        """Squared distance of one observed peak list from one class.

        The sum over the best assignment of observed peaks to peaks of the class of
        ``(position change / position_unit)^2 + (height change / height_unit)^2``. A peak of the class
        that is not seen has height 0 and, at an unknown position, 1/3 (the mean of the first term
        under the law); or it hides under an observed peak, which costs 2 log(2 position_unit) more,
        the price of falling on just this point. An observed peak that the class lacks costs
        `UNEXPLAINED`.

        Parameters
        ----------
        positions : ndarray, shape (n_peaks,)
            Observed positions, in points.
        heights : ndarray, shape (n_peaks,)
            Observed heights, relative to the highest.
        label : int
            The class.

        Returns
        -------
        float
            Without unit.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> centres = ClassCentres.ideal(make_dataset("challenge"))
        >>> round(centres.distance(np.array([725, 3000]), np.array([0.7, 1.0]), 0), 3)
        0.25
        """
        return self.assign(positions, heights, label)[0]

    def assign(
        self, positions: NDArray, heights: NDArray, label: int
    ) -> tuple[float, NDArray[np.int64], NDArray[np.bool_]]:
        """Assign observed peaks to the peaks of a class at the least cost; see `distance`.

        Parameters
        ----------
        positions : ndarray, shape (n_observed,)
            Observed positions, in points.
        heights : ndarray, shape (n_observed,)
            Observed heights, relative to the highest.
        label : int
            The class.

        Returns
        -------
        float
            The cost.
        ndarray of int64, shape (n_peaks,)
            The observed peak that each peak of the class made, -1 for none.
        ndarray of bool, shape (n_peaks,)
            Of a peak that made none: whether it hides under another rather than having vanished.
        """
        own = slice(self.offsets[label], self.offsets[label + 1])
        shift = ((positions[:, None] - self.positions[own]) / self.position_unit) ** 2
        match = shift + ((heights[:, None] - self.heights[own]) / self.height_unit) ** 2
        k, n = match.shape
        vanished = (self.heights[own] / self.height_unit) ** 2 + 1 / 3
        hidden = shift.min(axis=0, initial=np.inf) + 2 * np.log(2 * self.position_unit)
        # Observed peaks may go unexplained, and peaks of the class unseen: a square problem of k + n.
        cost = np.zeros((k + n, k + n))
        cost[:k, :n] = match
        cost[:k, n:] = UNEXPLAINED
        cost[k:, :n] = np.minimum(vanished, hidden)
        chosen = linear_sum_assignment(cost)
        partner = np.empty(k + n, dtype=np.int64)
        partner[chosen[1]] = chosen[0]
        return float(cost[chosen].sum()), np.where(partner[:n] < k, partner[:n], -1), hidden < vanished

    def nearest(self, observed: PeakTable) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the nearest class of every peak list.

        Classes are tried in the order of a lower bound of their distance, until no class left can
        be nearer.

        Parameters
        ----------
        observed : PeakTable
            Peaks as `spectra_lib.bayes.training_distribution.observe` returns them.

        Returns
        -------
        labels : ndarray of int64, shape (n_spectra,)
        distances : ndarray of float64, shape (n_spectra,)
            Squared distances.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> from spectra_lib.bayes.training_distribution import observe
        >>> data = make_dataset("challenge")
        >>> labels, _ = ClassCentres.ideal(data).nearest(observe(data.test.peaks))
        >>> int((labels != data.test.labels).sum())
        0
        """
        labels = np.zeros(len(observed), dtype=np.int64)
        distances = np.full(len(observed), np.inf)
        bounds = np.empty(self.n_classes)
        units = (self.position_unit, self.height_unit, UNEXPLAINED)
        for row, (positions, heights) in enumerate(observed):
            _bounds(positions, heights, self.offsets, self.positions, self.heights, *units, bounds)
            for label in np.argsort(bounds, kind="stable"):
                if bounds[label] >= distances[row]:
                    break
                distance = self.distance(positions, heights, int(label))
                if distance < distances[row]:
                    labels[row], distances[row] = label, distance
        return labels, distances


@numba.njit(cache=True, nogil=True)
def _bounds(x, r, offsets, positions, heights, position_unit, height_unit, unexplained, bounds):  # type: ignore[no-untyped-def]
    """Lower bound of the distance to each class: every observed peak takes the peak that it likes best."""
    for label in range(len(bounds)):
        total = 0.0
        for j in range(len(x)):
            best = unexplained
            for i in range(offsets[label], offsets[label + 1]):
                shift = ((x[j] - positions[i]) / position_unit) ** 2
                best = min(best, shift + ((r[j] - heights[i]) / height_unit) ** 2)
            total += best
        surplus = len(x) - (offsets[label + 1] - offsets[label])
        bounds[label] = max(total, surplus * unexplained)
