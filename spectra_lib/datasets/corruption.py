"""What the dials of `spectra_lib.datasets.specification.Realism` do to peaks and to spectra.

Every draw comes from a generator whose seed holds what is drawn, for which split and, for spectra, for
which row. Peaks and patterns are therefore the same at every setting of the other dials, and a spectrum
does not depend on which others are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import MAX_HEIGHT, DatasetSpec, Fingerprint, Realism

STRAIN, TEXTURE, ANGLES, LEVELS = 1, 2, 3, 4
"""Last numbers of the seeds, one for each thing that is drawn; none may be 0, which seeds ignore at their end."""

Seed = tuple[int, ...]


def change_peaks(
    peaks: PeakTable, labels: NDArray[np.int64], spec: DatasetSpec, fingerprints: Sequence[Fingerprint], split: int
) -> PeakTable:
    """Apply strain and preferred orientation to the peaks of a split.

    Preferred orientation: March-Dollase factors, doi:10.1107/S0021889886089458.

    Parameters
    ----------
    peaks : PeakTable
        Peaks of `n_spectra` spectra, each with all the peaks of its class.
    labels : ndarray of int64, shape (n_spectra,)
        Classes of the spectra.
    spec : DatasetSpec
        The dataset.
    fingerprints : sequence of Fingerprint
        Its classes.
    split : int
        Number of the split, which enters the seeds.

    Returns
    -------
    PeakTable
        The same object if neither dial is turned.

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> spec = dataset_spec("challenge").with_realism("strained", strain=0.3)
    >>> table = PeakTable.from_lists([[0, 1000, 4000]], [[0.5, 1.0, 0.5]], [2.0])
    >>> moved = change_peaks(table, np.array([1]), spec, spec.fingerprints, 0).positions - table.positions
    >>> bool(moved[0] == 0 and abs(moved[2] - 4 * moved[1]) <= 2)
    True
    """
    dials, positions, heights = spec.realism, peaks.positions, peaks.heights
    if not dials.changes_peaks:
        return peaks
    if dials.strain:
        draws = np.random.default_rng((spec.seed, split, STRAIN)).uniform(-1.0, 1.0, len(peaks))
        stretch = np.repeat(1.0 + dials.strain * draws, peaks.counts)
        positions = np.clip(np.rint(positions * stretch), 0, spec.n_points - 1).astype(np.int32)
    if dials.texture:
        draws = np.random.default_rng((spec.seed, split, TEXTURE)).uniform(-1.0, 1.0, len(peaks))
        parameters = np.exp(np.log1p(dials.texture) * draws)
        factors = [
            _march_dollase(spec.seed, label, fingerprints[label], r)
            for label, r in zip(labels.tolist(), parameters, strict=True)
        ]
        heights = np.clip(heights * np.concatenate(factors), 0.0, MAX_HEIGHT)
    return PeakTable(peaks.offsets, positions, heights, peaks.widths)


def _march_dollase(seed: int, label: int, fingerprint: Fingerprint, r: float) -> NDArray[np.float64]:
    """Factors of a class's peaks, that of its highest peak being 1."""
    cosines = np.random.default_rng((seed, label, ANGLES)).uniform(0.0, 1.0, fingerprint.n_peaks)
    factors = (r**2 * cosines**2 + (1.0 - cosines**2) / r) ** -1.5
    return factors / factors[int(np.argmax(fingerprint.heights))]


def draw_levels(realism: Realism, seed: Seed, rows: NDArray[np.integer]) -> NDArray[np.float64]:
    """Draw the levels of noise, background and Lorentzian share of some spectra.

    Parameters
    ----------
    realism : Realism
        Ranges of the levels.
    seed : tuple of int
        Seed of the split.
    rows : ndarray of int, shape (n_rows,)
        Rows of the spectra in the split.

    Returns
    -------
    ndarray of float64, shape (n_rows, 3)
        Columns: noise, background (fractions of the highest peak), Lorentzian share (0 to 1).

    Examples
    --------
    >>> draw_levels(Realism(noise=(0.02, 0.02)), (), np.array([0, 7])).tolist()
    [[0.02, 0.0, 0.0], [0.02, 0.0, 0.0]]
    """
    low, high = np.array([realism.noise, realism.background, realism.lorentzian]).T
    draws = [np.random.default_rng((*seed, int(row), LEVELS)).random(3) for row in rows]
    return low + np.array(draws).reshape(-1, 3) * (high - low)


def add_noise_and_background(
    spectrum: NDArray[np.float64], noise: float, background: float, seed: Seed, row: int
) -> None:
    """Add white noise and half a period of a cosine to one spectrum, in place.

    Parameters
    ----------
    spectrum : ndarray of float64, shape (n_points,)
        The spectrum, its maximum 1.
    noise, background : float
        Standard deviation of the noise and height of the background.
    seed : tuple of int
        Seed of the split.
    row : int
        Number of the spectrum in it.
    """
    rng = np.random.default_rng((*seed, row))
    start = rng.uniform(0.0, np.pi)
    if background:
        spectrum += background * 0.5 * (1.0 + np.cos(np.linspace(0.0, np.pi, len(spectrum)) + start))
    if noise:
        spectrum += noise * rng.standard_normal(len(spectrum))
