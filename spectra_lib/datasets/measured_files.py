"""Reading the measured spectra that installed packages carry: diffraction, Raman and NMR."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectra_lib.datasets.measured import MeasuredSpectrum
from spectra_lib.datasets.measured_packages import MissingPackageError, folder_of, is_installed, require

LASER_EDGE = 125.0
"""Raman shifts below this, in cm⁻¹, are left out: there the filter against the laser line shapes the spectrum."""


def diffraction_patterns() -> Iterator[MeasuredSpectrum]:
    """Powder patterns in rietx: one from a synchrotron, one from a laboratory.

    Yields
    ------
    MeasuredSpectrum
        Axis 2θ in degrees, intensity in counts or arbitrary units.

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

    Yields
    ------
    RamanMeasurement
        Axis in cm⁻¹, from `LASER_EDGE` on.

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

    Returns
    -------
    iterator of MeasuredSpectrum
        In the order of `SUBSTANCES`, axis in cm⁻¹.

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

    Yields
    ------
    MeasuredSpectrum
        Axis: chemical shift in ppm, descending.

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
    """Give the spectra of all techniques whose packages are installed, as they were measured.

    Returns
    -------
    tuple of MeasuredSpectrum
        In the order of `READERS`; a technique whose packages are missing is left out.
    """
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
    >>> from spectra_lib.datasets.measured import CROP
    >>> all(len(spectrum) == CROP for spectra in cropped_spectra().values() for spectrum in spectra)
    True
    """
    found: dict[str, list[NDArray[np.float64]]] = {}
    if is_installed("pybaselines"):
        for spectrum in example_spectra():
            found.setdefault(spectrum.technique, []).append(spectrum.without_baseline().crop().intensity)
    return found
