"""The distribution of the training peaks of all classes, and what a normalised spectrum shows of its peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import MAX_HEIGHT, DatasetSpec, Fingerprint

MAX_OVERLAP = 16
"""Most peaks of one class whose position ranges may share a point; the work doubles with each."""


@dataclass(frozen=True)
class TrainingDistribution:
    """The law of the training peaks of all classes, in flat arrays.

    Class c owns the peaks ``offsets[c]:offsets[c + 1]`` and the points
    ``cuts[cut_offsets[c]:cut_offsets[c + 1]]`` at which the set of its peaks that can be met changes.

    Attributes
    ----------
    n_points : int
        Points of a spectrum.
    offsets : ndarray of int64, shape (n_classes + 1,)
        Where each class begins.
    first, last : ndarray of int64, shape (n_peaks_total,)
        A peak falls on each point first..last with equal probability, before the position is
        clipped to the spectrum.
    low, high : ndarray of float64, shape (n_peaks_total,)
        Range of the continuous part of the height law.
    density : ndarray of float64, shape (n_peaks_total,)
        Probability density in that range; 0 if the height does not vary.
    vanishing : ndarray of float64, shape (n_peaks_total,)
        Probability of height zero.
    atom, atom_mass : ndarray of float64, shape (n_peaks_total,)
        The one height above zero that has a probability of its own, and that probability.
    cut_offsets, cuts : ndarray of int64
        See above.
    """

    n_points: int
    offsets: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    density: NDArray[np.float64]
    vanishing: NDArray[np.float64]
    atom: NDArray[np.float64]
    atom_mass: NDArray[np.float64]
    cut_offsets: NDArray[np.int64]
    cuts: NDArray[np.int64]

    @classmethod
    def from_spec(cls, spec: DatasetSpec, fingerprints: Sequence[Fingerprint]) -> TrainingDistribution:
        """Write down the law by which `spec` varies the given fingerprints.

        Source: Schuetzke et al. 2023, Methods, doi:10.1038/s41524-023-01055-y.

        Parameters
        ----------
        spec : DatasetSpec
            Gives the variation, the number of points and the realism.
        fingerprints : sequence of Fingerprint
            Classes in the order of the labels.

        Returns
        -------
        TrainingDistribution

        Raises
        ------
        SpectraError
            If more than `MAX_OVERLAP` peaks of one class can fall on the same point, or if the dataset has
            strain or preferred orientation, which this law does not know.

        Examples
        --------
        >>> from spectra_lib.datasets.named import dataset_spec
        >>> spec = dataset_spec("challenge")
        >>> law = TrainingDistribution.from_spec(spec, spec.fingerprints)
        >>> law.first[:2], law.last[:2]
        (array([ 650, 2950]), array([ 749, 3049]))
        """
        if spec.realism.changes_peaks:
            raise SpectraError(
                f"dataset {spec.name!r} has realism.strain={spec.realism.strain} and realism.texture="
                f"{spec.realism.texture}, which couple its peaks; this law needs independent ones, set both to 0"
            )
        variation = spec.variation
        counts = [fingerprint.n_peaks for fingerprint in fingerprints]
        positions = np.concatenate([np.array(f.positions, dtype=np.int64) for f in fingerprints])
        heights = np.concatenate([np.array(f.heights, dtype=float) for f in fingerprints])
        shift, change = variation.position_shift, variation.height_change
        first, last = positions - shift, positions + max(shift - 1, 0)

        varied = np.full(len(heights), change > 0)
        if variation.keep_unit_heights:
            varied &= heights != 1.0
        density = np.where(varied, 0.5 / change if change else 0.0, 0.0)
        low, high = heights - change, heights + change
        above = np.where(varied, np.maximum(high - MAX_HEIGHT, 0.0) * density, 0.0)  # clipped to MAX_HEIGHT
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        cuts = [_cuts(first[begin:end], last[begin:end], spec.n_points) for begin, end in pairwise(offsets)]
        law = cls(
            n_points=spec.n_points,
            offsets=offsets,
            first=first,
            last=last,
            low=np.maximum(low, 0.0),
            high=np.minimum(high, MAX_HEIGHT),
            density=density,
            vanishing=np.maximum(-low, 0.0) * density,
            atom=np.where(varied, MAX_HEIGHT, heights),
            atom_mass=np.where(varied, above, 1.0),
            cut_offsets=np.concatenate(([0], np.cumsum([len(c) for c in cuts]))).astype(np.int64),
            cuts=np.concatenate(cuts),
        )
        if law.overlap > MAX_OVERLAP:
            raise SpectraError(
                f"dataset {spec.name!r}: {law.overlap} peaks of one class can fall on the same point, and the exact "
                f"sum over their assignments takes at most {MAX_OVERLAP}; lower position_shift={shift} or max_peaks"
            )
        return law

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.offsets) - 1

    @property
    def overlap(self) -> int:
        """Most peaks of one class that can fall on the same point."""
        most = 1
        for begin, end in pairwise(self.offsets):
            first = np.clip(self.first[begin:end], 0, self.n_points - 1)
            last = np.clip(self.last[begin:end], 0, self.n_points - 1)
            # Both ascend with the peak, so that the peaks which reach point first[i] are a run that ends at i.
            most = max(most, int((np.searchsorted(first, first, "right") - np.searchsorted(last, first)).max()))
        return most


def _cuts(first: NDArray[np.int64], last: NDArray[np.int64], n_points: int) -> NDArray[np.int64]:
    inside = np.clip(np.concatenate((first, last + 1)), 0, n_points)
    # The outermost points gather what was clipped, and are therefore segments of their own.
    ends = [point for point in (1, n_points - 1) if inside.min() <= point <= inside.max()]
    return np.unique(np.concatenate((inside, np.array(ends, dtype=np.int64))))


def observe(peaks: PeakTable) -> PeakTable:
    """Reduce peaks to what a spectrum divided by its maximum shows of them.

    Peaks of height zero and peaks overwritten by a later one on the same point are dropped, heights
    divided by the largest, and peaks sorted by position. Broadened peaks are taken as resolved
    exactly: with a known width the Gaussian filter can be inverted. A spectrum whose peaks have all
    vanished has none.

    Parameters
    ----------
    peaks : PeakTable
        Peaks of n_spectra spectra, in order of placement.

    Returns
    -------
    PeakTable
        Peaks that can be seen; at most as many.

    Examples
    --------
    >>> seen = observe(PeakTable.from_lists([[9, 4, 4, 7]], [[0.5, 0.3, 0.4, 0.0]], [2.0]))
    >>> seen.positions, seen.heights
    (array([4, 9], dtype=int32), array([0.8, 1. ]))
    """
    rows = np.repeat(np.arange(len(peaks)), peaks.counts)
    order = np.lexsort((peaks.positions, rows))  # stable: later peaks stay behind earlier ones
    positions, heights, rows = peaks.positions[order], peaks.heights[order], rows[order]
    final = np.ones(len(rows), dtype=bool)
    final[:-1] = (rows[1:] != rows[:-1]) | (positions[1:] != positions[:-1])
    seen = final & (heights > 0)
    positions, heights, rows = positions[seen], heights[seen], rows[seen]
    highest = np.zeros(len(peaks))
    np.maximum.at(highest, rows, heights)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(peaks))))).astype(np.int64)
    return PeakTable(offsets, positions, heights / highest[rows], peaks.widths)
