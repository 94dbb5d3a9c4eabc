"""From peak tables to spectra: Gaussian or pseudo-Voigt broadening and normalisation.

The result is that of ``scipy.ndimage.gaussian_filter1d(..., mode="constant", truncate=4.0)`` on a
line of single points, but only the points that a peak reaches are written: everything else
stays exactly zero and, in a fresh array, is never touched.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib._base.machine import usable_cores
from spectra_lib.datasets.peaks import PeakTable

TRUNCATE = 4.0
"""A peak ends at this many standard deviations."""

ROWS_WORTH_A_THREAD = 2048
"""Spectra below which a further thread costs more than it saves."""


def render(
    peaks: PeakTable,
    n_points: int,
    *,
    normalize: bool = True,
    dtype: type[np.float32] | type[np.float64] = np.float32,
    lorentzian: NDArray[np.float64] | None = None,
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
    lorentzian : ndarray of float64, shape (n_spectra,), optional
        Share of a Lorentzian of the same height and full width at half height in the peaks of each
        spectrum (pseudo-Voigt); its tails reach everywhere.

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
    if lorentzian is not None:
        mixed = render(peaks, n_points, normalize=False, dtype=np.float64)
        _mix_lorentzian(peaks.offsets, peaks.positions, peaks.heights, peaks.widths, lorentzian, mixed)
        highest = mixed.max(axis=1, keepdims=True, initial=0.0)
        return (mixed / np.where(highest > 0, highest, 1.0) if normalize else mixed).astype(dtype, copy=False)
    out = np.zeros((len(peaks), n_points), dtype=dtype)
    n_parts = min(usable_cores(), max(1, len(peaks) // ROWS_WORTH_A_THREAD))
    edges = np.linspace(0, len(peaks), n_parts + 1).astype(int).tolist()

    def render_part(first: int, last: int) -> None:
        offsets, widths = peaks.offsets[first : last + 1], peaks.widths[first:last]
        _render(offsets, peaks.positions, peaks.heights, widths, normalize, out[first:last])

    if n_parts == 1:
        render_part(0, len(peaks))
    else:
        with ThreadPoolExecutor(n_parts) as threads:
            list(threads.map(render_part, edges[:-1], edges[1:]))
    return out


@numba.njit(cache=True, nogil=True)
def _render(offsets, positions, heights, widths, normalize, out):  # type: ignore[no-untyped-def]
    n_points = out.shape[1]
    line = np.zeros(n_points)  # the spectrum at hand, unscaled; zero again after each row
    for row in range(len(widths)):
        first, last, width = offsets[row], offsets[row + 1], widths[row]
        radius = int(TRUNCATE * width + 0.5)
        kernel = np.empty(2 * radius + 1)
        for k in range(radius + 1):
            kernel[radius - k] = kernel[radius + k] = math.exp(-0.5 * (k / width) ** 2)
        kernel /= kernel.sum()
        highest = 0.0
        for peak in range(first, last):
            position = positions[peak]
            if np.any(positions[peak + 1 : last] == position):
                continue  # a later peak on the same point replaces this one
            start = position - radius
            for x in range(max(0, start), min(n_points, position + radius + 1)):
                line[x] += heights[peak] * kernel[x - start]
                highest = max(highest, line[x])  # values only grow, so the highest on the way is the maximum
        scale = 1.0 / highest if normalize and highest > 0.0 else 1.0
        for peak in range(first, last):  # where windows overlap, a point is written twice, with the same value
            for x in range(max(0, positions[peak] - radius), min(n_points, positions[peak] + radius + 1)):
                out[row, x] = line[x] * scale
        for peak in range(first, last):
            for x in range(max(0, positions[peak] - radius), min(n_points, positions[peak] + radius + 1)):
                line[x] = 0.0


@numba.njit(cache=True, nogil=True)
def _mix_lorentzian(offsets, positions, heights, widths, shares, out):  # type: ignore[no-untyped-def]
    """Replace a share of each Gaussian in unscaled spectra by a Lorentzian."""
    for row in range(len(widths)):
        first, last, width = offsets[row], offsets[row + 1], widths[row]
        radius = int(TRUNCATE * width + 0.5)
        half = width * math.sqrt(2.0 * math.log(2.0))
        total = 1.0
        for k in range(1, radius + 1):
            total += 2.0 * math.exp(-0.5 * (k / width) ** 2)
        for peak in range(first, last):
            position = positions[peak]
            if np.any(positions[peak + 1 : last] == position):
                continue
            height = shares[row] * heights[peak] / total
            for x in range(out.shape[1]):
                distance = abs(x - position)
                gaussian = math.exp(-0.5 * (distance / width) ** 2) if distance <= radius else 0.0
                out[row, x] += height * (1.0 / (1.0 + (distance / half) ** 2) - gaussian)


def gaussian_maximum(width: float) -> float:
    """Height of a unit peak after broadening with a Gaussian of this width in points.

    Parameters
    ----------
    width : float
        Gaussian standard deviation, in points.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> round(gaussian_maximum(2.0), 8)
    0.19947465
    """
    radius = int(TRUNCATE * width + 0.5)
    return 1.0 / math.fsum(math.exp(-0.5 * (x / width) ** 2) for x in range(-radius, radius + 1))
