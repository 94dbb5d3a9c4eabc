"""Probabilities of the classes, from what each of them gives a spectrum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectra_lib.bayes.likelihood import ROUNDING, Evidence


def posterior(found: Evidence, n_classes: int) -> NDArray[np.float64]:
    """Turn evidence into probabilities; see `BayesClassifier.posterior`.

    Parameters
    ----------
    found : Evidence
    n_classes : int

    Returns
    -------
    ndarray of float64, shape (n_spectra, n_classes)
    """
    out = np.zeros((len(found), n_classes))
    out[found.rows, found.labels] = relative_probabilities(found)
    out[np.diff(found.offsets) == 0] = 1.0
    out /= out.sum(axis=1, keepdims=True)
    return out


def relative_probabilities(found: Evidence) -> NDArray[np.float64]:
    """Give each entry's probability as a fraction of the largest of its spectrum.

    Parameters
    ----------
    found : Evidence

    Returns
    -------
    ndarray of float64, shape (n_entries,)
        1 for the most probable class; 0 where another class is infinitely more likely.
    """
    rows = found.rows
    order = np.zeros(len(found), dtype=np.int64)
    np.maximum.at(order, rows, found.orders)
    likelihoods = np.where(found.orders == order[rows], found.likelihoods, 0.0)
    highest = np.zeros(len(found))
    np.maximum.at(highest, rows, likelihoods)
    return likelihoods / highest[rows]


def most_probable(found: Evidence, tie: float = ROUNDING) -> NDArray[np.bool_]:
    """Tell which entries share the largest probability of their spectrum.

    Parameters
    ----------
    found : Evidence
    tie : float
        Probabilities that differ by no more than this fraction are equal.

    Returns
    -------
    ndarray of bool, shape (n_entries,)
    """
    share = relative_probabilities(found)
    return (share >= 1 - tie) & (share > 0)


def n_shared(found: Evidence) -> int:
    """Count the spectra that more than one class can have made.

    Parameters
    ----------
    found : Evidence

    Returns
    -------
    int
    """
    return int((np.diff(found.offsets) > 1).sum())
