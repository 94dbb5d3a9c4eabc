"""From spectra back to peak lists.

SciPy finds the maxima. Peaks that merge into one maximum, or ride as a shoulder on a larger one, are
told apart by non-negative least squares, which is possible because all peaks of a spectrum are
Gaussians of one width at whole points, and because there is no noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar, nnls
from scipy.signal import find_peaks

from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.rendering import TRUNCATE

RESIDUAL = 2e-6
"""Largest misfit that single-precision spectra leave, relative to their maximum."""

SMALLEST = 1e-5
"""Smallest height that is taken for a peak, relative to the highest peak."""

MERGED = 1e-4
"""Smallest height of a peak without a maximum of its own, relative to the highest it merges with."""


def find_peak_lists(spectra: NDArray[np.floating]) -> PeakTable:
    """Find the peaks of spectra.

    Each stretch of non-zero points is treated by itself: SciPy's maxima are fitted by Gaussians of the
    spectrum's width; if a misfit above `RESIDUAL` is left, non-negative least squares finds the
    positions among all points of the stretch.

    Parameters
    ----------
    spectra : ndarray, shape (n_spectra, n_points)
        Noise-free spectra, zero outside their peaks, as `Split.spectra` renders them.

    Returns
    -------
    PeakTable
        Peaks by ascending position, heights relative to the highest peak, widths in points (NaN
        for an empty spectrum).

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> found = find_peak_lists(data.test.spectra([0]))
    >>> found.positions, found.heights.round(4), found.widths.round(4)
    (array([ 700, 3000], dtype=int32), array([0.7, 1. ]), array([2.]))
    """
    rows = [_find(np.asarray(spectrum, dtype=float)) for spectrum in spectra]
    counts = [len(positions) for positions, _, _ in rows]
    return PeakTable(
        offsets=np.concatenate(([0], np.cumsum(counts, dtype=np.int64))),
        positions=np.concatenate([positions for positions, _, _ in rows]).astype(np.int32),
        heights=np.concatenate([heights for _, heights, _ in rows]),
        widths=np.array([width for _, _, width in rows]),
    )


Peaks = tuple[NDArray[np.int64], NDArray[np.float64]]


def _find(spectrum: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    edges = np.flatnonzero(np.diff(spectrum > 0, prepend=False, append=False))
    stretches = edges.reshape(-1, 2)
    if not len(stretches):
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.nan
    spectrum = spectrum / spectrum.max()
    best: tuple[float, float, list[Peaks]] = (np.inf, np.nan, [])
    for width in _candidate_widths(spectrum, stretches):
        found, misfit = _explain(spectrum, stretches, width)
        if misfit < best[0]:
            best = (misfit, width, found)
        if misfit <= RESIDUAL:
            break
    _, width, found = best
    positions = np.concatenate([p for p, _ in found])
    heights = np.concatenate([h for _, h in found])
    keep = heights > SMALLEST * heights.max()
    positions, heights = positions[keep], heights[keep]
    # With a width not quite right, a weak peak that merges with strong ones can make up for it: try without.
    while len(positions) > 1:
        weakest = heights.argmin()
        fewer = np.delete(positions, weakest)
        if np.abs(fewer - positions[weakest]).min() > 2 * _radius(width):
            break
        trial = _search(partial(_misfit, spectrum, fewer), 0.9995 * width, 1.0005 * width)
        trial_heights, misfit = _fit(spectrum, fewer, trial)
        if misfit > RESIDUAL:
            break
        positions, heights, width = fewer, trial_heights, trial
    return positions, heights / heights.max(), width


def _candidate_widths(spectrum: NDArray[np.float64], stretches: NDArray[np.int64]) -> Iterator[float]:
    """Estimate the width from the highest peak that stands alone, then from the ends of stretches, then by search."""
    single, ends = [], []
    most = len(spectrum)
    for begin, end in stretches:
        part = spectrum[begin:end]
        ends += [part[:3], part[-3:]] if len(part) >= 3 else []
        if begin == 0 or end == len(spectrum):  # perhaps cut short
            most = min(most, len(part) - 1)
            continue
        radius = (len(part) - 1) // 2
        most = min(most, radius)
        if len(part) % 2 and radius and part[radius] > part[[0, -1]].max():
            sides = radius / np.sqrt(2 * np.log(part[radius] / part[[0, -1]]))
            if abs(sides[0] - sides[1]) < 1e-5 * sides[0] and _radius(sides[0]) == radius:
                single.append((part[radius], float(sides.mean())))
    if single:
        yield max(single)[1]

    def misfit(width: float) -> float:
        return _explain(spectrum, stretches, width)[1]

    # The logarithm of a Gaussian has the second difference -1 / width^2 everywhere, and the outermost three points
    # of a stretch often belong to one peak.
    curvature = np.array([2 * np.log(part[1]) - np.log(part[0]) - np.log(part[2]) for part in ends])
    widths = curvature[curvature > 0] ** -0.5
    tried: list[float] = []
    for width in sorted(widths, key=lambda width: abs(width - np.median(widths))):
        if _radius(width) <= most and not any(abs(width - other) < 1e-3 * other for other in tried):
            tried.append(width)
            yield _search(misfit, 0.9995 * width, 1.0005 * width)
    # The wider the peaks, the fewer points can be their centres: the largest radius that fits takes fewest peaks.
    for radius in range(most, 0, -1):
        yield _search(misfit, (radius - 0.5) / TRUNCATE, (radius + 0.5) / TRUNCATE)


def _search(misfit: Callable[[float], float], low: float, high: float) -> float:
    return float(minimize_scalar(misfit, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x)


def _explain(spectrum: NDArray[np.float64], stretches: NDArray[np.int64], width: float) -> tuple[list[Peaks], float]:
    """Fit every stretch with peaks of one width; also gives the largest misfit."""
    found, worst = [], 0.0
    for begin, end in stretches:
        part = spectrum[begin:end]
        # Zeros on both sides let SciPy see a maximum on the spectrum's first or last point.
        maxima, _ = find_peaks(np.concatenate(([0.0], part, [0.0])))
        positions = maxima - 1
        heights, misfit = _fit(part, positions, width)
        if misfit > RESIDUAL:
            # A stretch begins and ends one radius away from a peak, unless the spectrum cuts it short.
            radius = _radius(width)
            first = 0 if begin == 0 else radius
            last = end - begin if end == len(spectrum) else end - begin - radius
            points = np.arange(first, max(last, first + 1))
            heights, _ = _fit(part, points, width)
            positions = points[heights > MERGED * heights.max()]
            heights, misfit = _fit(part, positions, width)
        found.append((begin + positions, heights))
        worst = max(worst, misfit)
    return found, worst


def _misfit(part: NDArray[np.float64], positions: NDArray[np.int64], width: float) -> float:
    return _fit(part, positions, width)[1]


def _radius(width: float) -> int:
    return int(TRUNCATE * width + 0.5)


def _fit(part: NDArray[np.float64], positions: NDArray[np.int64], width: float) -> tuple[NDArray[np.float64], float]:
    """Heights of Gaussians at given points of a stretch, and the largest misfit."""
    distance = np.arange(len(part))[:, None] - positions
    gaussians = np.exp(-0.5 * (distance / width) ** 2) * (np.abs(distance) <= _radius(width))
    try:
        heights, _ = nnls(gaussians, part, maxiter=20 * len(part))
    except RuntimeError:  # no convergence, which happens when the width is wrong
        return np.zeros(len(positions)), np.inf
    return heights, float(np.abs(gaussians @ heights - part).max())
