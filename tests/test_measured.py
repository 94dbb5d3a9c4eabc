"""Measured spectra: read as they are written, found where they are installed, and missed politely where not."""

import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError
from spectra_lib.claims import Outcome, gather_evidence, judge
from spectra_lib.datasets import measured, measured_files, measured_packages
from spectra_lib.datasets.measured import MeasuredSpectrum, PeakStatistics
from spectra_lib.datasets.measured_packages import MissingPackageError
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.figures import real_spectra as figures
from spectra_lib.figures.style import new_figure
from spectra_lib.runs.records import RunRecords

PROJECT = Path(__file__).parents[1]
INSTALLED = not measured_packages.missing_packages()
needs_packages = pytest.mark.skipif(not INSTALLED, reason="packages with measured spectra are not installed")


def carry(folder, package, files):
    """Make up an installed package that holds these files."""
    info = folder / f"{package}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0\n")
    for name, text in files.items():
        path = folder / package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="latin1")


@pytest.fixture
def nothing_installed(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)


def lines(*centres, n=3000, width=4.0, heights=None):
    x = np.arange(float(n))
    heights = heights or [1.0] * len(centres)
    intensity = sum(h * np.exp(-0.5 * ((x - c) / width) ** 2) for c, h in zip(centres, heights, strict=True))
    return MeasuredSpectrum("XRD", "sample", "instrument", "rietx", "2θ (°)", x / 100, intensity)


def test_the_project_pins_the_versions_named_in_errors():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = dict(pin.split("==") for pin in project["dependency-groups"]["measured"])
    assert pins == {name: package.version for name, package in measured_packages.PACKAGES.items()}


@pytest.mark.usefixtures("nothing_installed")
def test_without_packages_there_is_nothing_and_no_fault():
    assert set(measured_packages.missing_packages()) == set(measured_packages.PACKAGES)
    assert measured_files.example_spectra() == () and measured_files.cropped_spectra() == {}
    for read in measured_files.READERS.values():
        with pytest.raises(
            MissingPackageError, match=r"not installed: .*; install them with: pip install --no-deps \w"
        ):
            list(read())
    with pytest.raises(MissingPackageError, match="pip install --no-deps pybaselines=="):
        measured.subtract_baseline(np.ones(50))
    evidence = gather_evidence(RunRecords(()), "smoke", "smoke")
    assert evidence.measured == {}
    (finding,) = judge(evidence, [4])
    assert finding.verdict.outcome is Outcome.UNDECIDED
    assert "Insufficient data: no measured spectra of XRD, Raman, NMR" in finding.verdict.sentence


def test_diffraction_files(tmp_path, monkeypatch):
    fxye = "A title\n# a comment\nBANK  1 3 3 CONS 50.00 0.10 0 0 FXYE\n"
    fxye += "  50 239.9 16.1\n  50.1 244.1 16.2\n  50.2 20.0 4\n"
    std = "A title of eighty characters\nBANK 1 12 2 CONST 1500 2 0 0 STD\n"
    std += "".join(f"{k + 100:8d}" for k in range(10)) + "\n" + f"{1234567:8d}{'':2}{42:6d}" + "\n"
    carry(tmp_path, "rietx", {"data/examples/11BM_NAC.fxye": fxye, "data/examples/FAP.XRA": std})
    monkeypatch.syspath_prepend(tmp_path)
    first, second = measured_files.diffraction_patterns()
    assert first.axis == pytest.approx([0.5, 0.501, 0.502]) and first.intensity.tolist() == [239.9, 244.1, 20.0]
    assert second.axis[[0, 1, -1]] == pytest.approx([15.0, 15.02, 15.22])
    # the first two characters of eight number the detectors and are no counts
    assert second.intensity.tolist() == [*range(100, 110), 234567.0, 42.0]


def test_raman_files(tmp_path, monkeypatch):
    plain = "120.5\t3\n125.5\t4\n2000\t5.25\n"
    head = "File Version;BWRam\nDate;today\n"
    table = (
        "Pixel;Wavelength;Raman Shift;Dark;Dark Subtracted #1;\n"
        "0;   ;   ;10,0;1,0;\n1;600;-20,5;10,0;2,0;\n2;601;130,25;10,0;-3,5;\n3;602;140;10;4.5;\n"
    )
    folder = "auxiliary/spectra/datasets2"
    carry(
        tmp_path,
        "ramanchada2",
        {
            f"{folder}/TOP_Ho633/Si_HLR633_Z010_100_40sx5.txt": plain,
            f"{folder}/TOP_Ho633/neon_new2_Z010.txt": plain,
            f"{folder}/ICV_BW785/S0B02_iRPlus785_Z020_100_12000ms.txt": head + table,
            f"{folder}/ICV_BW785/S0B02_iRPlus785_Z020_100_full.txt": head + table,
            f"{folder}/ICV_BW785/twinning/0_5A_P_iRaman785_20X_100(285mW)_7000msx5ac_1.txt": head + table,
            f"{folder}/ICV_BW785/twinning/0_5A_P_iRaman785_20X_100(285mW)_7000msx5ac_2.txt": head + table,
        },
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = {m.name.split("_")[0] + "/" + m.spectrum.sample: m.spectrum for m in measured_files.raman_measurements()}
    assert list(found) == ["ICV/silicon", "ICV/TiO₂", "TOP/silicon"]
    assert found["TOP/silicon"].axis.tolist() == [125.5, 2000.0]  # nearer to the laser the filter shapes everything
    assert found["ICV/silicon"].axis.tolist() == [130.25, 140.0]
    assert found["ICV/silicon"].intensity.tolist() == [-3.5, 4.5]


def test_peaks_and_their_statistics():
    spectrum = lines(200, 900, 2500, heights=[1.0, 0.5, 0.03])
    statistics = measured.peak_statistics(spectrum)
    assert (statistics.n_peaks, statistics.n_points) == (2, 3000)
    assert statistics.width == pytest.approx(measured.FWHM * 4.0, abs=0.05)
    assert statistics.density == pytest.approx(2 / 3)
    assert measured.peak_statistics(spectrum, 0.02).n_peaks == 3
    flat = MeasuredSpectrum("NMR", "", "", "", "", np.arange(9.0), np.zeros(9))
    assert measured.peak_statistics(flat).n_peaks == 0 and np.isnan(measured.peak_statistics(flat).width)


@pytest.mark.parametrize(("centre", "first"), [(1500, 1000), (100, 0), (2950, 2000)])
def test_a_crop_holds_the_highest_peak(centre, first):
    crop = lines(centre, 700, heights=[1.0, 0.5]).crop()
    assert len(crop) == 1000 and crop.axis[0] == first / 100
    assert first + crop.intensity.argmax() == centre
    with pytest.raises(SpectraError, match="has 3000 points; ask for at most as many, not 3001"):
        lines(centre).crop(3001)


def test_the_synthetic_law_beside_them():
    law = measured.law_statistics(dataset_spec("benchmark"))
    assert len(law) == 500 and law[0].width == pytest.approx(2.3548 * 3.5, abs=1e-3)
    assert np.mean([s.n_peaks for s in law]) == pytest.approx(3.37, abs=0.2)


@needs_packages
def test_a_baseline_is_removed_and_peaks_stay():
    spectrum = lines(600, 1500, heights=[1.0, 0.4])
    slope = 3.0 - np.linspace(0, 1, 3000) ** 2
    corrected = measured.subtract_baseline(spectrum.intensity + slope)
    np.testing.assert_allclose(corrected, spectrum.intensity, atol=0.02)


@needs_packages
def test_what_the_packages_hold():
    spectra = measured_files.example_spectra()
    assert [s.technique for s in spectra] == ["XRD"] * 2 + ["Raman"] * 4 + ["NMR"] * 2
    assert [len(s) for s in spectra] == [59498, 5753, 1673, 1673, 1893, 1893, 32768, 65536]
    crops = measured_files.cropped_spectra()
    assert {name: len(found) for name, found in crops.items()} == {"XRD": 2, "Raman": 4, "NMR": 2}
    counts = [measured.peak_statistics(s.without_baseline().crop()).n_peaks for s in spectra]
    assert counts == [1, 10, 7, 4, 1, 9, 8, 2]
    (finding,) = judge(gather_evidence(RunRecords(()), "smoke", "smoke"), [4])
    assert finding.verdict.outcome is Outcome.CONTRADICTED and finding.verdict.n == 8
    assert finding.verdict.sentence.startswith("2 of 8 spectra show 2 to 6 peaks")


@needs_packages
def test_substances_have_their_lines_on_every_instrument_with_a_strong_signal():
    known = {"polystyrene": 1001.4, "calcite": 1086, "silicon": 520.5}
    found = list(measured_files.raman_measurements())
    assert len(found) == 85 and len({m.spectrum.instrument for m in found}) == 6
    for measurement in found:
        spectrum = measurement.spectrum
        if spectrum.sample in known and "FNMT Horiba" not in spectrum.instrument:
            near = np.abs(spectrum.axis - known[spectrum.sample]) < 40
            highest = spectrum.axis[near][spectrum.intensity[near].argmax()]
            assert abs(highest - known[spectrum.sample]) < 12, measurement.name


def test_figures_of_made_up_spectra():
    spectrum = lines(200, 900)
    figure, (left, right, density, stack) = new_figure(6.0, rows=2, columns=2)
    figures.draw_whole(left, spectrum, spectrum.crop())
    figures.draw_crop(right, spectrum.crop(), 0.05)
    assert right.get_title() == "1000 points, 2 peaks"
    law = measured.law_statistics(dataset_spec("smoke"))
    figures.draw_density(density, {"XRD": [measured.peak_statistics(spectrum)]}, law, (2, 6))
    figures.draw_density(density, {}, [PeakStatistics(100, 1, 5.0)], (2, 6))
    figures.draw_instruments(stack, {"one": (spectrum.axis, spectrum.intensity)})
    figure.canvas.draw()
