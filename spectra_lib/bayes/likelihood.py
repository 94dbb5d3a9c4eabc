"""How likely a peak list is under the law of each class: exact, up to the scale nobody knows.

A spectrum divided by its own maximum tells where its peaks are and how high they are *relative to
the highest*. For each class this module computes the density of that observation under the law of
the training spectra, summed over everything that stays hidden: which peak of the class made which
observed peak, which peaks vanished because their height was clipped at zero, which were
overwritten by a later peak on the same point, and the common scale of the heights.

How it is done. Let peak i of a class fall on point x with probability q_i(x), and have a height
with density f_i, vanishing with probability a_i. Given the scale m (the true height of the highest
peak), points are independent but for one condition: every peak of the class falls on exactly one
point. A set S of peaks falls on a point with probability prod q_i(x), and only its last member is
seen. The likelihood is therefore the coefficient of "every peak used once" in

    prod over observed x_j of sum_S q_S(x_j) m r_j f_last(S)(m r_j)
    prod over all other x  of (1 + sum_S q_S(x) a_last(S)),

found by a sweep over the points from left to right, which remembers only which of the peaks whose
ranges are still open have been used. As a function of m it is m^k (k observed peaks) times a step
function, so the integral over d(log m) is a finite sum. Heights that are not varied are atoms of
the height law: each fixes m. Densities are those of the logarithms of the relative heights, in
which all classes are measured alike: with A atoms seen the density lives on k - max(A, 1)
dimensions, and the class with the higher `order` max(A, 1) is infinitely more likely where its
atoms match.

The law: Schuetzke et al. 2023, Methods, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectra_lib.bayes.likelihood_sums import weigh_all
from spectra_lib.bayes.training_distribution import TrainingDistribution
from spectra_lib.datasets.peaks import PeakTable

ROUNDING = 1e-9
"""Heights that differ by less than this fraction of themselves are the same height."""


@dataclass(frozen=True)
class Evidence:
    """The classes that can have made each spectrum, and how likely each was to make it.

    Spectrum i owns the entries ``offsets[i]:offsets[i + 1]``, one for each class whose law allows
    it, in the order of the labels.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_spectra + 1,)
        Where each spectrum begins.
    labels : ndarray of int64, shape (n_entries,)
        Classes.
    orders : ndarray of int64, shape (n_entries,)
        Number of heights that match an atom of the class's law, at least 1; of two classes the one
        of higher order is infinitely more likely.
    likelihoods : ndarray of float64, shape (n_entries,)
        Density of the observation, comparable between classes of one order.
    """

    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    orders: NDArray[np.int64]
    likelihoods: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """Spectrum of each entry, shape (n_entries,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


def evidence(law: TrainingDistribution, observed: PeakTable, tolerance: float = ROUNDING) -> Evidence:
    """Weigh every class for every observed peak list.

    Parameters
    ----------
    law : TrainingDistribution
        Law of the classes.
    observed : PeakTable
        Peaks as `observe` returns them.
    tolerance : float
        Relative error of the heights: an observed height matches an atom, or the end of a range, to
        within this fraction of itself.

    Returns
    -------
    Evidence

    Examples
    --------
    >>> from spectra_lib.bayes.training_distribution import observe
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> found = evidence(TrainingDistribution.from_spec(data.spec, data.fingerprints), observe(data.test.peaks))
    >>> found.labels[found.offsets[0] : found.offsets[1]]
    array([0, 1, 2])
    """
    overlap = law.overlap
    most_atoms = int(np.add.reduceat(law.atom_mass > 0, law.offsets[:-1], dtype=np.int64).max())
    state = np.empty((most_atoms + 1, overlap + 2, 1 << overlap))
    offsets, labels, orders, likelihoods = weigh_all(
        observed.offsets,
        observed.positions.astype(np.int64),
        observed.heights,
        law.n_points,
        law.offsets,
        law.first,
        law.last,
        law.low,
        law.high,
        law.density,
        law.vanishing,
        law.atom,
        law.atom_mass,
        law.cut_offsets,
        law.cuts,
        tolerance,
        state,
    )
    return Evidence(offsets, labels, orders, likelihoods)
