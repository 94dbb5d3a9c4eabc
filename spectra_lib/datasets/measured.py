"""Measured spectra that installed packages carry: X-ray diffraction, Raman and NMR.

Nothing is downloaded and nothing is copied into the project: files are read where pip put them. The
packages are data carriers here and are never imported, so they can be installed without what they
themselves depend on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, peak_widths

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.fingerprints import make_fingerprints
from spectra_lib.datasets.measured_packages import require
from spectra_lib.datasets.specification import DatasetSpec

CROP = 1000
"""Points to which Fig. 8 of the paper cuts measured spectra."""


PROMINENCE = 0.05
"""A peak stands out by this fraction of the highest point of its spectrum, or it does not count."""


FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half height of a Gaussian, in standard deviations."""


STIFFNESS = 1e7
"""How stiff a baseline is (lambda of arPLS): it follows what is a few hundred points wide or more."""


@dataclass(frozen=True)
class MeasuredSpectrum:
    """A measured spectrum.

    Attributes
    ----------
    technique : str
        "XRD", "Raman" or "NMR".
    sample : str
        What was measured.
    instrument : str
        What it was measured with.
    package : str
        The package that carries it.
    abscissa : str
        Name and unit of the axis.
    axis : ndarray of float64, shape (n_points,)
        Position of each point, in the abscissa's unit.
    intensity : ndarray of float64, shape (n_points,)
        What was measured, in arbitrary units.
    """

    technique: str
    sample: str
    instrument: str
    package: str
    abscissa: str
    axis: NDArray[np.float64]
    intensity: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.intensity)

    def without_baseline(self, stiffness: float = STIFFNESS) -> MeasuredSpectrum:
        """Subtract a baseline (see `subtract_baseline`).

        Parameters
        ----------
        stiffness : float
            Lambda of arPLS.

        Returns
        -------
        MeasuredSpectrum
            On the same axis, with the intensity changed.

        Raises
        ------
        MissingPackageError
            If pybaselines is not installed.
        """
        return replace(self, intensity=subtract_baseline(self.intensity, stiffness))

    def crop(self, n_points: int = CROP) -> MeasuredSpectrum:
        """Cut out neighbouring points with the highest peak in their middle, as near as the ends allow.

        Parameters
        ----------
        n_points : int
            Points to keep.

        Returns
        -------
        MeasuredSpectrum
            With `n_points` points.

        Raises
        ------
        SpectraError
            If the spectrum has fewer points.

        Examples
        --------
        >>> points = np.arange(50.0)
        >>> whole = MeasuredSpectrum("XRD", "", "", "", "", points, np.exp(-((points - 40) ** 2)))
        >>> whole.crop(20).axis[[0, -1]].tolist()
        [30.0, 49.0]
        """
        if len(self) < n_points:
            raise SpectraError(f"{self.sample}: has {len(self)} points; ask for at most as many, not {n_points}")
        first = min(max(int(np.argmax(self.intensity)) - n_points // 2, 0), len(self) - n_points)
        own = slice(first, first + n_points)
        return replace(self, axis=self.axis[own], intensity=self.intensity[own])

    def peaks(self, prominence: float = PROMINENCE) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Find the peaks that stand out of the spectrum.

        Parameters
        ----------
        prominence : float
            How far a peak must stand out, as a fraction of the spectrum's range.

        Returns
        -------
        positions : ndarray of int64, shape (n_peaks,)
            In points.
        widths : ndarray of float64, shape (n_peaks,)
            Full widths at half of the prominence, in points.
        """
        positions, _ = find_peaks(self.intensity, prominence=prominence * float(np.ptp(self.intensity)))
        return positions, peak_widths(self.intensity, positions)[0]


@dataclass(frozen=True)
class PeakStatistics:
    """How many peaks a spectrum shows and how wide they are.

    Attributes
    ----------
    n_points : int
        Points of the spectrum.
    n_peaks : int
        Peaks that stand out.
    width : float
        Their median full width at half height, in points; NaN without a peak.
    """

    n_points: int
    n_peaks: int
    width: float

    @property
    def density(self) -> float:
        """Peaks in 1000 points.

        Examples
        --------
        >>> PeakStatistics(5000, 10, 8.0).density
        2.0
        """
        return 1000 * self.n_peaks / self.n_points

    @property
    def occupied(self) -> float:
        """Fraction of the axis that peaks cover, which does not depend on how finely it is divided.

        Examples
        --------
        >>> PeakStatistics(5000, 10, 8.0).occupied == PeakStatistics(50_000, 10, 80.0).occupied == 0.016
        True
        """
        return self.n_peaks * self.width / self.n_points


def peak_statistics(spectrum: MeasuredSpectrum, prominence: float = PROMINENCE) -> PeakStatistics:
    """Count and measure the peaks of a spectrum without baseline.

    Parameters
    ----------
    spectrum : MeasuredSpectrum
        Its baseline subtracted.
    prominence : float
        How far a peak must stand out, as a fraction of the spectrum's range.

    Returns
    -------
    PeakStatistics
    """
    positions, widths = spectrum.peaks(prominence)
    return PeakStatistics(len(spectrum), len(positions), float(np.median(widths)) if len(widths) else np.nan)


def law_statistics(spec: DatasetSpec) -> list[PeakStatistics]:
    """Peak statistics of the classes of a synthetic dataset, their peaks as wide as the law has them on average.

    Parameters
    ----------
    spec : DatasetSpec
        Gives the classes and the range of widths.

    Returns
    -------
    list of PeakStatistics
        One for each class, in the order of the labels.
    """
    width = FWHM * float(np.mean(spec.variation.width_range))
    return [PeakStatistics(spec.n_points, fingerprint.n_peaks, width) for fingerprint in make_fingerprints(spec)]


def subtract_baseline(intensity: NDArray[np.floating], stiffness: float = STIFFNESS) -> NDArray[np.float64]:
    """Subtract a smooth curve that runs below the peaks.

    The curve is that of asymmetrically reweighted penalised least squares: stiff, and pulled down by
    points that lie above it (Baek et al. 2015, doi:10.1039/c4an01061b), as computed by pybaselines.

    Parameters
    ----------
    intensity : ndarray, shape (n_points,)
        A spectrum, in any unit.
    stiffness : float
        Lambda of arPLS: the larger, the smoother the baseline.

    Returns
    -------
    ndarray of float64, shape (n_points,)
        The spectrum less its baseline, in the same unit.

    Raises
    ------
    MissingPackageError
        If pybaselines is not installed.
    """
    require("pybaselines")
    from pybaselines.whittaker import arpls

    intensity = np.asarray(intensity, dtype=float)
    scale = float(np.ptp(intensity)) or 1.0
    baseline, _ = arpls(intensity / scale, lam=stiffness)
    return intensity - scale * baseline
