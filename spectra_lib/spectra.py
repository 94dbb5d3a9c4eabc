"""From peak tables to spectra: Gaussian broadening and normalisation.

The result is that of ``scipy.ndimage.gaussian_filter1d(..., mode="constant", truncate=4.0)`` on a
line of single points, but only the points that a peak reaches are written: everything else
stays exactly zero and, in a fresh array, is never touched.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from spectra_lib.errors import SpectraError
from spectra_lib.peaks import PeakTable

TRUNCATE = 4.0
"""A peak ends at this many standard deviations."""


def render(
    peaks: PeakTable,
    n_points: int,
    *,
    normalize: bool = True,
    dtype: type[np.float32] | type[np.float64] = np.float32,
) -> NDArray[np.floating]:
    """Render the spectra of a peak table.

    Peaks are single points of their height, a later peak on the same point replacing an earlier
    one, filtered with the spectrum's Gaussian, whose samples sum to 1.

    Parameters
    ----------
    peaks : PeakTable
        Peaks of `n_spectra` spectra.
    n_points : int
        Points of each spectrum.
    normalize : bool
        Divide each spectrum by its own maximum, as the networks see it.
    dtype : float32 or float64
        Type of the result.

    Returns
    -------
    ndarray, shape (n_spectra, n_points)

    Raises
    ------
    SpectraError
        If a peak lies outside the spectrum.

    Examples
    --------
    >>> table = PeakTable.from_lists([[5]], [[1.0]], [1.0])
    >>> render(table, 11)[0, 3:8].round(3).tolist()
    [0.13500000536441803, 0.6069999933242798, 1.0, 0.6069999933242798, 0.13500000536441803]
    """
    if len(peaks.positions) and int(peaks.positions.max()) >= n_points:
        raise SpectraError(
            f"a peak at position {peaks.positions.max()} lies outside the {n_points} points of the spectrum; "
            f"positions go from 0 to {n_points - 1}"
        )
    out = np.zeros((len(peaks), n_points), dtype=dtype)
    _render(peaks.offsets, peaks.positions, peaks.heights, peaks.widths, normalize, out)
    return out


@numba.njit(cache=True, nogil=True)
def _render(offsets, positions, heights, widths, normalize, out):  # type: ignore[no-untyped-def]
    n_points = out.shape[1]
    for row in range(len(widths)):
        first, last = offsets[row], offsets[row + 1]
        width = widths[row]
        radius = int(TRUNCATE * width + 0.5)
        kernel = np.exp(-0.5 * (np.arange(radius + 1) / width) ** 2)
        kernel /= kernel[0] + 2.0 * kernel[1:].sum()
        order = first + np.argsort(positions[first:last], kind="mergesort")
        highest = 0.0
        for k in range(len(order)):
            peak = order[k]
            position = positions[peak]
            if k + 1 < len(order) and positions[order[k + 1]] == position:
                continue  # a later peak overwrites this point
            for x in range(max(0, position - radius), min(n_points, position + radius + 1)):
                out[row, x] += heights[peak] * kernel[abs(x - position)]
        if not normalize:
            continue
        end = 0  # peaks are visited in ascending order, so that overlapping windows are scaled once
        for k in range(len(order)):
            position = positions[order[k]]
            for x in range(max(end, position - radius), min(n_points, position + radius + 1)):
                highest = max(highest, out[row, x])
            end = max(end, min(n_points, position + radius + 1))
        if highest == 0.0:
            continue  # every peak has vanished: the spectrum stays zero
        end = 0
        for k in range(len(order)):
            position = positions[order[k]]
            for x in range(max(end, position - radius), min(n_points, position + radius + 1)):
                out[row, x] /= highest
            end = max(end, min(n_points, position + radius + 1))


def gaussian_maximum(width: float) -> float:
    """Height of a unit peak after broadening with a Gaussian of this width in points.

    Examples
    --------
    >>> round(gaussian_maximum(2.0), 8)
    0.19947465
    """
    radius = int(TRUNCATE * width + 0.5)
    return 1.0 / math.fsum(math.exp(-0.5 * (x / width) ** 2) for x in range(-radius, radius + 1))
