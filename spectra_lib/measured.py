"""Measured spectra that installed packages carry: X-ray diffraction, Raman and NMR.

Nothing is downloaded and nothing is copied into the project: files are read where pip put them. The
packages are data carriers here and are never imported, so they can be installed without what they
themselves depend on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, peak_widths

from spectra_lib.errors import SpectraError
from spectra_lib.fingerprints import make_fingerprints
from spectra_lib.specification import DatasetSpec

CROP = 1000
"""Points to which Fig. 8 of the paper cuts measured spectra."""

PROMINENCE = 0.05
"""A peak stands out by this fraction of the highest point of its spectrum, or it does not count."""

FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half height of a Gaussian, in standard deviations."""

STIFFNESS = 1e7
"""How stiff a baseline is (lambda of arPLS): it follows what is a few hundred points wide or more."""

LASER_EDGE = 125.0
"""Raman shifts below this, in cm⁻¹, are left out: there the filter against the laser line shapes the spectrum."""


class MissingPackageError(SpectraError):
    """A package that carries or reads measured spectra is not installed."""

    def __init__(self, missing: Mapping[str, str]) -> None:
        super().__init__(
            f"measured spectra need packages that are not installed: {', '.join(missing)}; "
            f"install them with: {install_command(missing)}"
        )


@dataclass(frozen=True)
class Package:
    """A package on PyPI that carries measured spectra, or reads or corrects them.

    Attributes
    ----------
    version : str
        The version that this module was written for.
    licence : str
        Its licence, which is also that of the data.
    gives : str
        What is used of it.
    """

    version: str
    licence: str
    gives: str


PACKAGES: Mapping[str, Package] = {
    "rietx": Package("1.10.0", "MIT", "X-ray powder diffraction of two substances"),
    "ramanchada2": Package("1.5.0", "MIT", "Raman spectra of four substances on six instruments"),
    "nmrpy": Package("0.2.8", "BSD", "NMR spectra of an aqueous sample"),
    "nmrglue": Package("0.12", "BSD", "reads NMR files"),
    "pybaselines": Package("1.2.1", "BSD", "finds baselines"),
}
"""The packages by name; `pyproject.toml` pins the same versions in its group ``measured``."""


def missing_packages() -> dict[str, str]:
    """Packages of `PACKAGES` that are not installed, with the version to install.

    Examples
    --------
    >>> set(missing_packages()) <= set(PACKAGES)
    True
    """
    return {name: package.version for name, package in PACKAGES.items() if not is_installed(name)}


def install_command(versions: Mapping[str, str]) -> str:
    """Command that installs packages without what they depend on, which reading their files does not need.

    Examples
    --------
    >>> install_command({"nmrglue": "0.12"})
    'pip install --no-deps nmrglue==0.12'
    """
    return " ".join(["pip install --no-deps", *(f"{name}=={version}" for name, version in versions.items())])


def is_installed(name: str) -> bool:
    """Whether a package is installed, whatever its version.

    Examples
    --------
    >>> is_installed("numpy"), is_installed("no-such-package")
    (True, False)
    """
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def require(*names: str) -> None:
    """Refuse to go on without packages of `PACKAGES`.

    Raises
    ------
    MissingPackageError
        If one of them is not installed.

    Examples
    --------
    >>> require()
    """
    missing = {name: PACKAGES[name].version for name in names if not is_installed(name)}
    if missing:
        raise MissingPackageError(missing)


def folder_of(package: str, path: str) -> Path:
    """Folder or file of an installed package of `PACKAGES`, by its path in the package's files.

    Raises
    ------
    MissingPackageError
        If the package is not installed.
    """
    require(package)
    return Path(str(metadata.distribution(package).locate_file(path)))


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
        """Subtract a baseline (see `subtract_baseline`)."""
        return replace(self, intensity=subtract_baseline(self.intensity, stiffness))

    def crop(self, n_points: int = CROP) -> MeasuredSpectrum:
        """Cut out neighbouring points with the highest peak in their middle, as near as the ends allow.

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
    """Count and measure the peaks of a spectrum without baseline."""
    positions, widths = spectrum.peaks(prominence)
    return PeakStatistics(len(spectrum), len(positions), float(np.median(widths)) if len(widths) else np.nan)


def law_statistics(spec: DatasetSpec) -> list[PeakStatistics]:
    """Peak statistics of the classes of a synthetic dataset, their peaks as wide as the law has them on average."""
    width = FWHM * float(np.mean(spec.variation.width_range))
    return [PeakStatistics(spec.n_points, fingerprint.n_peaks, width) for fingerprint in make_fingerprints(spec)]


def subtract_baseline(intensity: NDArray[np.floating], stiffness: float = STIFFNESS) -> NDArray[np.float64]:
    """Subtract a smooth curve that runs below the peaks.

    The curve is that of asymmetrically reweighted penalised least squares: stiff, and pulled down by
    points that lie above it (Baek et al. 2015, doi:10.1039/c4an01061b), as computed by pybaselines.

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


def diffraction_patterns() -> Iterator[MeasuredSpectrum]:
    """Powder patterns in rietx: one from a synchrotron, one from a laboratory.

    Raises
    ------
    MissingPackageError
        If rietx is not installed.
    """
    folder = folder_of("rietx", "rietx/data/examples")

    def pattern(
        sample: str, instrument: str, axis: NDArray[np.float64], counts: NDArray[np.float64]
    ) -> MeasuredSpectrum:
        return MeasuredSpectrum("XRD", sample, instrument, "rietx", "2θ (°)", axis, counts)

    # GSAS "FXYE": angle in hundredths of a degree, intensity and its error, one point a line
    lines = (folder / "11BM_NAC.fxye").read_text(encoding="latin1").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("BANK"))
    table = np.array([line.split()[:2] for line in lines[start + 1 :]], dtype=float)
    yield pattern("Na₂Ca₃Al₂F₁₄", "synchrotron (APS 11-BM)", table[:, 0] / 100, table[:, 1])

    # GSAS "STD": ten points a line, each two characters of detector number and six of counts
    _, bank, *records = (folder / "FAP.XRA").read_text(encoding="latin1").splitlines()
    words = bank.split()
    n, first, step = int(words[2]), float(words[5]), float(words[6])
    counts = [float(line[k + 2 : k + 8]) for line in records for k in range(0, len(line.rstrip()), 8)][:n]
    yield pattern("fluorapatite", "laboratory", (first + step * np.arange(n)) / 100, np.array(counts))


_RAMAN = "ramanchada2/auxiliary/spectra/datasets2"
_RAMAN_INSTRUMENTS = {
    "FMNT-M_BW532": "FNMT B&W Tek 532 nm",
    "FMNT-M_Ho785": "FNMT Horiba 785 nm",
    "FNMT-B_BW785": "FNMT-B B&W Tek 785 nm",
    "ICV_BW532": "ICV B&W Tek 532 nm",
    "ICV_BW785": "ICV B&W Tek 785 nm",
    "TOP_Ho633": "TOP Horiba 633 nm",
}
_RAMAN_SUBSTANCES = {
    "polystyrene": r"(PST\d\d|Pol)_.*",
    "calcite": r"[ns]CAL\d*_.*",
    "silicon": r"(S0B|S0N|S0P|S1N|Sil|Si)\d*_(?!.*_full).*",  # one file is there twice, once with more of the axis
    "TiO₂": r"0_5A_P_.*_1",  # the first of five repetitions at each laser power
}
SUBSTANCES = tuple(_RAMAN_SUBSTANCES)
"""Substances whose Raman spectra were taken on several instruments."""


@dataclass(frozen=True)
class RamanMeasurement:
    """One Raman measurement.

    Attributes
    ----------
    name : str
        Folder and name of its file.
    spectrum : MeasuredSpectrum
        Substance, instrument and data.
    """

    name: str
    spectrum: MeasuredSpectrum


def raman_measurements() -> Iterator[RamanMeasurement]:
    """Raman spectra in ramanchada2, of `SUBSTANCES`, by instrument.

    Raises
    ------
    MissingPackageError
        If ramanchada2 is not installed.
    """
    folder = folder_of("ramanchada2", _RAMAN)
    for place, instrument in _RAMAN_INSTRUMENTS.items():
        for path in sorted((folder / place).rglob("*.txt")):
            for substance, pattern in _RAMAN_SUBSTANCES.items():
                if re.fullmatch(pattern, path.stem):
                    axis, intensity = _read_raman(path)
                    axis, intensity = axis[axis >= LASER_EDGE], intensity[axis >= LASER_EDGE]
                    yield RamanMeasurement(
                        f"{place}/{path.stem}",
                        MeasuredSpectrum(
                            "Raman", substance, instrument, "ramanchada2", "Raman shift (cm⁻¹)", axis, intensity
                        ),
                    )


def _read_raman(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lines = path.read_text(encoding="latin1").splitlines()
    if not lines[0].startswith("File Version"):
        axis, intensity = np.array([line.split() for line in lines if line.strip()], dtype=float).T
        return axis, intensity
    # B&W Tek: a head, then columns separated by semicolons, some pixels without a place on the axis
    start = next(number for number, line in enumerate(lines) if line.startswith("Pixel;"))
    names = lines[start].split(";")
    shift, signal = names.index("Raman Shift"), next(k for k, n in enumerate(names) if n.startswith("Dark Subtracted"))
    cells = (line.replace(",", ".").split(";") for line in lines[start + 1 :])
    rows = [(row[shift], row[signal]) for row in cells if len(row) > signal and row[shift].strip()]
    axis, intensity = np.array(rows, dtype=float).T
    return axis, intensity


RAMAN_EXAMPLES = (
    "ICV_BW785/PST02_iRPlus785_Z050_100_3200ms",
    "ICV_BW785/sCAL02_iRPlus785_Z050_100_3800ms",
    "ICV_BW785/S0N02_iRPlus785_Z050_100_3200ms",
    "ICV_BW785/0_5A_P_iRaman785_20X_100(285mW)_7000msx5ac_1",
)
"""One measurement of each of `SUBSTANCES`, all from one instrument."""

REFERENCE_INSTRUMENT = _RAMAN_INSTRUMENTS["ICV_BW785"]
"""The instrument of the examples, which measured all substances well."""


def raman_spectra() -> Iterator[MeasuredSpectrum]:
    """One Raman spectrum of each substance, all from the same instrument.

    Raises
    ------
    MissingPackageError
        If ramanchada2 is not installed.
    """
    found = {measurement.name: measurement.spectrum for measurement in raman_measurements()}
    return (found[name] for name in RAMAN_EXAMPLES)


def nmr_spectra() -> Iterator[MeasuredSpectrum]:
    """A carbon and a phosphorus spectrum in nmrpy, as the spectrometer's software processed them.

    The proton spectra of the same sample are left out: suppressing the water has bent their baseline beyond use.

    Raises
    ------
    MissingPackageError
        If nmrpy or nmrglue is not installed.
    """
    require("nmrpy", "nmrglue")
    from nmrglue import bruker

    for number, nucleus in (("1", "¹³C"), ("2", "³¹P")):
        settings, intensity = bruker.read_pdata(
            str(folder_of("nmrpy", f"nmrpy/tests/test_data/bruker2/{number}/pdata/1"))
        )
        scale = settings["procs"]
        step = scale["SW_p"] / scale["SF"] / len(intensity)
        axis = scale["OFFSET"] - step * np.arange(len(intensity))
        yield MeasuredSpectrum(
            "NMR",
            f"aqueous sample, {nucleus}",
            f"{scale['SF']:.0f} MHz",
            "nmrpy",
            "Chemical shift (ppm)",
            axis,
            np.asarray(intensity, dtype=float),
        )


READERS: Mapping[str, Callable[[], Iterator[MeasuredSpectrum]]] = {
    "XRD": diffraction_patterns,
    "Raman": raman_spectra,
    "NMR": nmr_spectra,
}
"""For each technique what reads its spectra."""


def example_spectra() -> tuple[MeasuredSpectrum, ...]:
    """Give the spectra of all techniques whose packages are installed, as they were measured."""
    found: list[MeasuredSpectrum] = []
    for read in READERS.values():
        try:
            found += read()
        except MissingPackageError:
            continue
    return tuple(found)


def cropped_spectra() -> dict[str, list[NDArray[np.float64]]]:
    """Give the evidence for the paper's Fig. 8: example spectra without baseline, 1000 points around the highest peak.

    Returns
    -------
    dict of str to list of ndarray
        By technique; one whose packages are missing is left out, all if there is nothing to find baselines with.

    Examples
    --------
    >>> all(len(spectrum) == CROP for spectra in cropped_spectra().values() for spectrum in spectra)
    True
    """
    found: dict[str, list[NDArray[np.float64]]] = {}
    if is_installed("pybaselines"):
        for spectrum in example_spectra():
            found.setdefault(spectrum.technique, []).append(spectrum.without_baseline().crop().intensity)
    return found
