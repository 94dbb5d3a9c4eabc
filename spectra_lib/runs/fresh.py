"""Predictions on fresh spectra of the training distribution, as a run record keeps them.

A fixed test set of a few thousand spectra ranks nobody once the best networks err on a handful of them. Fresh spectra
are as many as one likes; what a network makes of them is held against the exact posterior in
`spectra_lib.analysis.excess_error`.
"""

from __future__ import annotations

import base64
import math
import zlib
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from spectra_lib._base.values import Value

DECIMALS = 4
"""Decimals to which confidences are kept."""


class FreshPredictions(Value):
    """What the best checkpoint makes of fresh spectra, which are grouped by class, equally many of each.

    Attributes
    ----------
    per_class : int
        Spectra of each class.
    seed : tuple of int
        Seed of the generator that drew them (`spectra_lib.datasets.dataset.fresh_seed`).
    n : int
        Number of spectra.
    errors : int
        How many of them got a wrong class or none.
    loss : float or None
        Mean categorical cross-entropy in nats; None if it is not finite.
    loss_standard_error : float or None
        Its standard error, the spectra being drawn class by class.
    packed_labels, packed_confidences : str
        Predicted class less true class, and probability in units of 1e-4, compressed (see `labels`).

    Examples
    --------
    >>> fresh = FreshPredictions.pack((1,), 2, np.array([0, 1, 1, 1]), np.array([0.9, 0.5, 1.0, 0.99996]), np.zeros(4))
    >>> fresh.errors, fresh.labels, fresh.confidences
    (1, array([0, 1, 1, 1]), array([0.9, 0.5, 1. , 1. ]))
    """

    per_class: Annotated[int, Field(ge=2)]
    seed: tuple[int, ...]
    n: Annotated[int, Field(gt=0)]
    errors: Annotated[int, Field(ge=0)]
    loss: float | None
    loss_standard_error: float | None
    packed_labels: str
    packed_confidences: str

    @classmethod
    def pack(
        cls,
        seed: tuple[int, ...],
        per_class: int,
        labels: NDArray[np.integer],
        confidences: NDArray[np.floating],
        losses: NDArray[np.floating],
    ) -> Self:
        """Compress predictions.

        Parameters
        ----------
        seed : tuple of int
            Seed of the spectra.
        per_class : int
            Spectra of each class.
        labels : ndarray of int, shape (n_spectra,)
            Predicted classes, -1 for no answer.
        confidences : ndarray of float, shape (n_spectra,)
            Their probabilities.
        losses : ndarray of float, shape (n_spectra,)
            Cross-entropy of each spectrum in nats.

        Returns
        -------
        FreshPredictions
        """
        truth = true_labels(len(labels), per_class)
        loss = float(losses.mean())
        error = standard_error(losses, per_class) if math.isfinite(loss) else math.nan
        return cls(
            per_class=per_class,
            seed=seed,
            n=len(labels),
            errors=int(np.count_nonzero(labels != truth)),
            loss=loss if math.isfinite(loss) else None,
            loss_standard_error=error if math.isfinite(error) else None,
            packed_labels=_pack(labels - truth, "<i4"),
            packed_confidences=_pack(np.rint(confidences * 10**DECIMALS), "<u2"),
        )

    @property
    def labels(self) -> NDArray[np.int64]:
        """Predicted class of each spectrum, -1 for no answer; shape (n,)."""
        return _unpack(self.packed_labels, "<i4", self.n).astype(np.int64) + true_labels(self.n, self.per_class)

    @property
    def confidences(self) -> NDArray[np.float64]:
        """Probability of the predicted class, to 4 decimals, 0 for no answer; shape (n,)."""
        return _unpack(self.packed_confidences, "<u2", self.n) / 10**DECIMALS

    @property
    def accuracy(self) -> float:
        """Fraction of spectra classified right."""
        return 1.0 - self.errors / self.n

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.n % self.per_class:
            raise ValueError(f"n={self.n} is not a multiple of per_class={self.per_class}")
        try:
            _unpack(self.packed_labels, "<i4", self.n), _unpack(self.packed_confidences, "<u2", self.n)
        except (ValueError, zlib.error) as error:
            raise ValueError(f"the compressed predictions cannot be read: {error}") from None
        return self

    def faults(self, n_classes: int) -> list[str]:
        """What does not hold together; empty if all does.

        Parameters
        ----------
        n_classes : int
            Classes of the dataset.

        Returns
        -------
        list of str
            One sentence for each fault.

        Examples
        --------
        >>> fresh = FreshPredictions.pack((1,), 2, np.array([0, 1, 5, 1]), np.ones(4), np.zeros(4))
        >>> fresh.faults(2)
        ['fresh: a predicted class is not one of the 2 classes']
        """
        found, labels, confidences = [], self.labels, self.confidences
        if self.n != n_classes * self.per_class:
            found.append(f"fresh: {self.n} spectra, but {n_classes} classes of {self.per_class}")
        wrong = int(np.count_nonzero(labels != true_labels(self.n, self.per_class)))
        if wrong != self.errors:
            found.append(f"fresh: errors by the predictions: {wrong}, by the record: {self.errors}")
        if labels.min() < -1 or labels.max() >= n_classes:
            found.append(f"fresh: a predicted class is not one of the {n_classes} classes")
        if confidences.max() > 1:
            found.append("fresh: a confidence is above 1")
        return found


def true_labels(n: int, per_class: int) -> NDArray[np.int64]:
    """Classes of `n` spectra that are grouped by class.

    Parameters
    ----------
    n : int
        Number of spectra.
    per_class : int
        Spectra of each class.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> true_labels(4, 2)
    array([0, 0, 1, 1])
    """
    return np.arange(n) // per_class


def standard_error(values: NDArray[np.floating], per_class: int) -> float:
    """Standard error of the mean of values whose spectra were drawn class by class, equally many of each.

    Parameters
    ----------
    values : ndarray of float, shape (n_spectra,)
        One value for each spectrum, grouped by class.
    per_class : int
        Spectra of each class, at least 2.

    Returns
    -------
    float
        In the unit of the values.

    Examples
    --------
    >>> standard_error(np.array([0.0, 0.0, 1.0, 1.0]), 2)
    0.0
    """
    by_class = values.reshape(-1, per_class)
    return math.sqrt(float(by_class.var(axis=1, ddof=1).mean()) / values.size)


def _pack(values: NDArray, dtype: str) -> str:
    # High bytes first, which hardly differ. Base 85 needs no escapes in JSON and is shorter than base 64.
    planes = values.astype(dtype).view(np.uint8).reshape(len(values), -1).T[::-1]
    return base64.b85encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")


def _unpack(text: str, dtype: str, n: int) -> NDArray:
    itemsize = np.dtype(dtype).itemsize
    unpacker = zlib.decompressobj()
    # No more than there should be: a few bytes can unpack to any number.
    content = unpacker.decompress(base64.b85decode(text), n * itemsize + 1)
    if not unpacker.eof or len(content) != n * itemsize:
        raise ValueError(f"expected {n} values of {itemsize} bytes, received more, fewer, or an incomplete stream")
    planes = np.frombuffer(content, np.uint8).reshape(itemsize, -1)
    return np.ascontiguousarray(planes[::-1].T).view(dtype).reshape(-1)
