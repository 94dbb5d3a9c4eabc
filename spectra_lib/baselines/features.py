"""Spectra as the classical methods see them: sparse, or broadened and thinned out.

Two spectra of a class whose peaks have moved by more than a peak's width have no point in common.
Broadening by about as much as peaks move makes neighbours of them, and leaves few numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from spectra_lib.datasets.dataset import Dataset, Split

SpectraRows: TypeAlias = "NDArray[np.float32] | scipy.sparse.csr_array"
"""Spectra or features of them, shape (n_spectra, n), each row of unit length."""

CHUNK = 256
"""Spectra rendered at a time; also rows of a block of distances."""

MOST_BLOCKS = 500
"""Numbers that remain of a spectrum averaged in blocks."""


def sparse_spectra(split: Split) -> scipy.sparse.csr_array:
    """Give the non-zero points of all spectra, each scaled to unit Euclidean length.

    Parameters
    ----------
    split : Split
        Spectra to render; one without peaks stays zero.

    Returns
    -------
    csr_array of float32, shape (n_spectra, n_points)

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> sparse_spectra(make_dataset("smoke").test).shape
    (36, 256)
    """
    return scipy.sparse.vstack(
        [scipy.sparse.csr_array(_unit(spectra)) for _, spectra in split.batches(CHUNK)], format="csr"
    )


@dataclass(frozen=True)
class Features:
    """Some weighted sums over the points of a spectrum.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_points, n_features)
        The sums.
    """

    weights: NDArray[np.float32]

    @classmethod
    def blocks(cls, n_points: int) -> Features:
        """Averages over blocks of neighbouring points, at most `MOST_BLOCKS`.

        Parameters
        ----------
        n_points : int
            Points of a spectrum.

        Returns
        -------
        Features
            As many as there are blocks, the last of which may be shorter.
        """
        size = -(-n_points // MOST_BLOCKS)
        block = np.arange(n_points) // size
        return cls((block[:, None] == np.arange(block[-1] + 1)).astype(np.float32) / size)

    @classmethod
    def broadened(cls, n_points: int, width: float) -> Features:
        """The spectrum broadened by a Gaussian of this width in points, at every half width.

        Parameters
        ----------
        n_points : int
            Points of a spectrum.
        width : float
            Gaussian standard deviation, in points.

        Returns
        -------
        Features
            About 2 n_points / width of them.
        """
        centres = np.arange(width / 4, n_points, width / 2)
        distance = (np.arange(n_points)[:, None] - centres) / width
        return cls(np.exp(-0.5 * distance**2).astype(np.float32))

    def __call__(self, split: Split) -> NDArray[np.float32]:
        """Compute them for all spectra, each row scaled to unit length; shape (n_spectra, n_features)."""
        parts = [scipy.sparse.csr_array(spectra) @ self.weights for _, spectra in split.batches(CHUNK)]
        return _unit(np.concatenate(parts))


WIDTHS = (0.4, 0.8, 1.6, 3.2, 6.4)
"""Widths to choose from, in units of the largest position shift of the variation law."""


def choose_width(dataset: Dataset) -> float:
    """Choose how much to broaden: the width at which nearest neighbours err least on the validation set.

    Of equally good widths the smallest is taken. All broadened baselines share the choice.

    Parameters
    ----------
    dataset : Dataset
        Gives the training and validation spectra and the position shift.

    Returns
    -------
    float
        Gaussian standard deviation in points.
    """
    shift = max(dataset.spec.variation.position_shift, 1)
    labels, truth = dataset.train.labels, dataset.validation.labels
    errors = []
    for factor in WIDTHS:
        features = Features.broadened(dataset.spec.n_points, factor * shift)
        nearest = most_similar(features(dataset.train), features(dataset.validation))
        errors.append(int(np.count_nonzero(labels[nearest] != truth)))
    return WIDTHS[int(np.argmin(errors))] * shift


def most_similar(references: SpectraRows, queries: SpectraRows) -> NDArray[np.int64]:
    """Find the reference with the largest scalar product for each query, block by block.

    Parameters
    ----------
    references, queries : ndarray or csr_array of float32, shapes (n_references, n), (n_queries, n)
        Rows of unit length.

    Returns
    -------
    ndarray of int64, shape (n_queries,)
        The first of equally similar references.

    Examples
    --------
    >>> most_similar(np.eye(3), np.array([[0.6, 0.0, 0.8]]))
    array([2])
    """
    transposed = references.T
    found = []
    for start in range(0, queries.shape[0], CHUNK):
        products = queries[start : start + CHUNK] @ transposed
        dense = products.toarray() if isinstance(products, scipy.sparse.csr_array) else products
        found.append(dense.argmax(axis=1))
    return np.concatenate(found)


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, np.where(length > 0, length, 1), dtype=np.float32)  # a spectrum without peaks stays zero
