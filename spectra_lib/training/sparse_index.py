"""Where the outputs of a layer differ from those of an empty spectrum, and which of its inputs they need.

The features of a layer on a batch of spectra are kept as a table of rows, one vector of channels each, and a
lookup from (spectrum, position) to row. The rows are short windows of positions next to one another: first those
of an empty spectrum, at all its positions, then those around the peaks of each spectrum. A position that no peak
reaches has the row of the empty spectrum at that position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Field:
    """Which positions of its source each output of a layer sees.

    Output j sees the source's positions from ``j * step - left`` to ``j * step - left + size - 1``; those outside
    the source are zeros.

    Attributes
    ----------
    size, step, left : int
        Positions seen; distance of the fields of two neighbouring outputs; positions before the first.
    n_in, n_out : int
        Positions of the source and of the layer.
    """

    size: int
    step: int
    left: int
    n_in: int
    n_out: int

    @property
    def pads(self) -> bool:
        """Whether any output sees zeros outside the source."""
        return self.left > 0 or (self.n_out - 1) * self.step - self.left + self.size > self.n_in

    @property
    def stride(self) -> int:
        """Distance of the source's positions that are gathered: outputs that see one position each need no others."""
        return self.step if self.size == 1 else 1

    def n_window(self, width: int) -> int:
        """Positions of the source that are gathered for `width` neighbouring outputs.

        Parameters
        ----------
        width : int
            Neighbouring outputs.

        Returns
        -------
        int
        """
        return width if self.size == 1 else (width - 1) * self.step + self.size

    def spread(self, active: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which outputs see an active position of the source.

        Parameters
        ----------
        active : ndarray of bool, shape (n_spectra, n_in)

        Returns
        -------
        ndarray of bool, shape (n_spectra, n_out)

        Examples
        --------
        >>> Field(size=3, step=2, left=1, n_in=6, n_out=3).spread(np.eye(1, 6, 3, dtype=bool)).tolist()
        [[False, True, True]]
        """
        count = np.zeros((len(active), self.n_in + 1), np.int32)
        np.cumsum(active, axis=1, out=count[:, 1:])
        first = np.arange(self.n_out) * self.step - self.left
        low, high = (np.clip(edge, 0, self.n_in) for edge in (first, first + self.size))
        return count[:, high] > count[:, low]


@dataclass(frozen=True)
class Table:
    """Rows of a layer for one batch.

    Attributes
    ----------
    lookup : ndarray of int32, shape (n_spectra + 1, n)
        Row of each position; those of the empty spectrum come last.
    owners, starts : ndarray of int32, shape (n_windows,)
        Spectrum and first position of each window; the owner is -1 for windows that are not in use.
    width : int
        Positions in a window.
    """

    lookup: NDArray[np.int32]
    owners: NDArray[np.int32]
    starts: NDArray[np.int32]
    width: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.owners) * self.width

    @property
    def positions(self) -> NDArray[np.int32]:
        """Position of each row, shape (n_windows, width)."""
        return np.add.outer(self.starts, np.arange(self.width, dtype=np.int32), dtype=np.int32)

    def counts(self) -> NDArray[np.float32]:
        """How many positions of all spectra have each row, shape (n_windows, width).

        Returns
        -------
        ndarray of float32, shape (n_windows, width)
        """
        found = np.bincount(self.lookup[:-1].ravel(), minlength=self.n_rows)
        return found.astype(np.float32).reshape(-1, self.width)


def input_table(spectra: NDArray[np.floating]) -> Table:
    """Rows of the spectra themselves: point after point; the empty spectrum has the row of zeros that follows them.

    Parameters
    ----------
    spectra : ndarray, shape (n_spectra, n_points)

    Returns
    -------
    Table
    """
    n_spectra, n_points = spectra.shape
    lookup = np.arange((n_spectra + 1) * n_points, dtype=np.int32).reshape(n_spectra + 1, n_points)
    lookup[-1] = n_spectra * n_points
    whole = np.arange(n_spectra, dtype=np.int32)
    return Table(lookup, whole, np.zeros_like(whole), n_points)


def count_windows(active: NDArray[np.bool_], width: int) -> NDArray[np.int64]:
    """Windows of `width` positions that cover the active positions of each spectrum, shape (n_spectra,).

    Parameters
    ----------
    active : ndarray of bool, shape (n_spectra, n_positions)
        Where a spectrum is not as the empty one.
    width : int
        Positions in a window.

    Returns
    -------
    ndarray of int64, shape (n_spectra,)

    Examples
    --------
    >>> count_windows(np.array([[True, False, True, True, True, False], [False] * 6]), 2).tolist()
    [3, 0]
    """
    found = np.zeros(len(active), np.int64)
    _count(active, width, found)
    return found


@numba.njit(cache=True, nogil=True)
def _count(active, width, found):  # type: ignore[no-untyped-def]
    n = active.shape[1]
    for row in range(len(active)):
        j = 0
        while j < n:
            if active[row, j]:
                found[row] += 1
                j = min(j, n - width) + width
            else:
                j += 1


def lay_windows(
    source: Table, active: NDArray[np.bool_], field: Field, width: int, capacity: int
) -> tuple[Table, NDArray[np.int32]] | None:
    """Lay windows over the active outputs of a layer, and tell which rows of its source they need.

    Parameters
    ----------
    source : Table
        Rows of the source.
    active : ndarray of bool, shape (n_spectra, n_out)
        Outputs that the windows must cover.
    field : Field
        What each output sees of the source.
    width : int
        Outputs in a window, at most ``field.n_out``.
    capacity : int
        Number of windows; those left over belong to no spectrum.

    Returns
    -------
    Table
        Rows of the layer, window after window.
    ndarray of int32, shape (capacity, field.n_window(width))
        For each window the rows of the source; ``source.n_rows`` stands for zeros.
    None
        If the windows are more than the capacity.
    """
    n_spectra = len(active)
    lookup = np.empty((n_spectra + 1, field.n_out), np.int32)
    needed = np.zeros((capacity, field.n_window(width)), np.int32)
    owners, starts = np.full(capacity, -1, np.int32), np.zeros(capacity, np.int32)
    shape = field.step, field.stride, field.left, field.n_in, width
    if not _lay(active, source.lookup, source.n_rows, *shape, lookup, needed, owners, starts):
        return None
    return Table(lookup, owners, starts, width), needed


@numba.njit(cache=True, nogil=True)
def _lay(  # type: ignore[no-untyped-def]
    active, source_lookup, zeros, step, stride, left, n_in, width, lookup, needed, owners, starts
):
    n_spectra, n = active.shape
    number = 0
    for owner in range(-1, n_spectra):  # the empty spectrum, the last of the lookups, comes first
        if owner >= 0:
            lookup[owner] = lookup[n_spectra]
        j = 0
        while j < n:
            if owner >= 0 and not active[owner, j]:
                j += 1
                continue
            if number == len(owners):
                return False
            start = min(j, n - width)
            owners[number], starts[number] = owner if owner >= 0 else n_spectra, start
            for k in range(width):
                lookup[owner, start + k] = number * width + k
            for k in range(needed.shape[1]):
                seen = start * step - left + k * stride
                needed[number, k] = source_lookup[owner, seen] if 0 <= seen < n_in else zeros
            number += 1
            j = start + width
    return True


def align(source: Table, target: Table) -> NDArray[np.int32]:
    """Rows of a table that stand at the positions of another table's rows.

    Parameters
    ----------
    source, target : Table
        Of two layers with equally many positions.

    Returns
    -------
    ndarray of int32, shape (n_windows, width)
        For each row of the target; 0 in windows that are not in use.
    """
    rows = source.lookup[target.owners[:, None], target.positions]
    rows[target.owners < 0] = 0
    return rows


def n_valid(table: Table, field: Field) -> NDArray[np.float32]:
    """How many positions inside the source each row sees: what an average with "same" padding divides by.

    Parameters
    ----------
    table : Table
        Rows of the layer's output.
    field : Field
        Receptive field of the layer.

    Returns
    -------
    ndarray of float32, shape (n_windows, width)
    """
    first = table.positions * field.step - field.left
    inside = np.minimum(first + field.size, field.n_in) - np.maximum(first, 0)
    return np.maximum(inside, 1).astype(np.float32)
