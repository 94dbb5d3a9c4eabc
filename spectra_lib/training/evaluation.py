"""What a network makes of a set of spectra, in the figures that a record holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from spectra_lib.runs.record import Metrics, Predictions


@dataclass(frozen=True)
class Evaluation:
    """What a network makes of a split.

    Attributes
    ----------
    truth, labels : ndarray of int64, shape (n_spectra,)
        Class of each spectrum, and the one predicted (-1: none).
    confidences, losses : ndarray of float64, shape (n_spectra,)
        Probability of the predicted class; cross-entropy in nats.
    """

    truth: NDArray[np.int64]
    labels: NDArray[np.int64]
    confidences: NDArray[np.float64]
    losses: NDArray[np.float64]

    @property
    def errors(self) -> int:
        """Number of spectra that got a wrong class."""
        return int(np.count_nonzero(self.labels != self.truth))

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return float(self.losses.mean())

    @property
    def accuracy(self) -> float:
        """Fraction of spectra that got their class."""
        return 1.0 - self.errors / len(self.truth)

    @property
    def metrics(self) -> Metrics:
        """Figures for the record."""
        return Metrics(n=len(self.truth), errors=self.errors, loss=finite_or_none(self.loss))

    @property
    def predictions(self) -> Predictions:
        """Predictions for the record."""
        return Predictions.of(self.labels, self.confidences)


def log_probabilities_of(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of the class probabilities, shape (n_spectra, n_classes); NaN where the network gives no number.

    Parameters
    ----------
    logits : ndarray of float64, shape (n_spectra, n_classes)
        Outputs of a network before the softmax.

    Returns
    -------
    ndarray of float64, shape (n_spectra, n_classes)
        Natural logarithms.
    """
    with np.errstate(invalid="ignore"):  # a network whose weights are lost gives no numbers, and says so by that
        return log_softmax(logits, axis=1)


def finite_or_none(value: float) -> float | None:
    """Give a number as records hold it: None if it is not finite.

    Parameters
    ----------
    value : float
        Any number.

    Returns
    -------
    float or None

    Examples
    --------
    >>> finite_or_none(0.5), finite_or_none(float("nan"))
    (0.5, None)
    """
    return float(value) if math.isfinite(value) else None
