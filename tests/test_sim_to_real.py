"""From simulation to measurement: preparation, peak lists, simple classifiers, and answers in a record."""

from types import SimpleNamespace

import numpy as np
import pytest

from spectra_lib.datasets import measured_packages as measured
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.datasets.measured import MeasuredSpectrum
from spectra_lib.datasets.measured_files import SUBSTANCES, RamanMeasurement
from spectra_lib.datasets.specification import Fingerprint
from spectra_lib.experiments import sim_to_real
from spectra_lib.experiments.sim_to_real import GRID, MeasuredSplit
from spectra_lib.figures import real_spectra as figures
from spectra_lib.figures.style import new_figure
from spectra_lib.runs.specification import RunSpec
from spectra_lib.training.trainer import train

LISTS = (
    Fingerprint(positions=(60, 300, 520), heights=(0.3, 0.2, 1.0)),
    Fingerprint(positions=(15, 90, 340, 560), heights=(0.3, 0.7, 0.1, 1.0)),
    Fingerprint(positions=(230,), heights=(1.0,)),
    Fingerprint(positions=(10, 150, 300, 700), heights=(1.0, 0.2, 0.4, 0.3)),
)
needs_packages = pytest.mark.skipif(bool(measured.missing_packages()), reason="packages are not installed")


def measurement(label, step=0.7, noise=0.0, slope=0.0):
    """A made-up measurement of a substance, on an axis of its own."""
    axis = np.arange(100.0, 2100.0, step)
    points = (axis - GRID[0]) / (GRID[1] - GRID[0])
    values = sum(
        h * np.exp(-0.5 * ((points - p) / 3) ** 2)
        for p, h in zip(LISTS[label].positions, LISTS[label].heights, strict=True)
    )
    values = values + noise * np.random.default_rng(label).standard_normal(len(axis)) + slope * (axis / 1000) ** 2
    spectrum = MeasuredSpectrum("Raman", SUBSTANCES[label], "a made-up one", "", "", axis, 1000 * values)
    return RamanMeasurement(f"made-up-{label}", spectrum)


@pytest.fixture(scope="module")
def clean():
    return make_dataset(sim_to_real.training_spec(LISTS, realistic=False))


@pytest.mark.parametrize("step", [0.23, 0.7, 2.9])
def test_every_axis_is_brought_to_the_same_grid(step):
    for label, expected in enumerate(LISTS):
        values = sim_to_real.prepare(measurement(label, step).spectrum, baseline=False)
        assert values.shape == GRID.shape and values.max() == 1 and values.min() == 0
        found = sim_to_real.read_fingerprint(values)
        assert np.abs(np.array(found.positions) - expected.positions).max() <= 1
        assert found.heights == pytest.approx(expected.heights, abs=0.05)


def test_a_fine_axis_is_averaged_not_sampled():
    rough = [sim_to_real.prepare(measurement(2, step, noise=0.05).spectrum, baseline=False) for step in (0.1, 1.7)]
    spread = [values[400:].std() for values in rough]
    assert spread[0] < 0.5 * spread[1]


def test_training_sets(clean):
    realistic = sim_to_real.training_spec(LISTS, realistic=True)
    assert clean.spec.n_classes == realistic.n_classes == len(LISTS) + sim_to_real.DECOYS
    assert clean.fingerprints == realistic.fingerprints and clean.fingerprints[:4] == LISTS
    assert not clean.spec.realism.fills_spectrum and realistic.realism.fills_spectrum
    assert clean.spec.digest != realistic.digest


def test_runs_are_planned_in_pairs():
    runs = sim_to_real.planned_runs(LISTS)
    assert len(runs) == 2 * len(sim_to_real.RUNS) == len({run.digest for run in runs})
    assert [run.dataset_spec.name for run in runs] == ["raman_clean"] * (len(runs) // 2) + ["raman_realistic"] * (
        len(runs) // 2
    )


def test_simple_classifiers_know_ideal_and_varied_spectra(clean):
    for classify in (sim_to_real.classify_by_cosine, sim_to_real.classify_by_peaks):
        assert (classify(clean, clean.ideal) == np.arange(30)).all()
        assert (classify(clean, clean.test) == clean.test.labels).mean() > 0.97


def test_simple_classifiers_know_made_up_measurements(clean):
    split = sim_to_real.measured_split([measurement(k, noise=0.01) for k in range(4)], baseline=False)
    assert split.labels.tolist() == [0, 1, 2, 3] and not split.is_sparse
    assert split.spectra([2]).dtype == np.float32 and split.spectra(slice(1, 3)).shape == (2, 1000)
    for classify in (sim_to_real.classify_by_cosine, sim_to_real.classify_by_peaks):
        assert classify(clean, split).tolist() == [0, 1, 2, 3]


def test_answers_to_measured_spectra_enter_the_record(tmp_path):
    smoke = make_dataset("smoke")
    values = smoke.test.spectra(dtype=np.float64)
    probe = MeasuredSplit(smoke.test.labels, smoke.test.peaks.take([]), 256, values)
    spec = RunSpec(dataset="smoke", model="vgg", max_epochs=1)
    record = train(spec, tmp_path, execution="sparse", quiet=True, probes={"measured": probe})
    assert "occlusion" in record.probes
    assert record.probes["measured"].labels == record.test_predictions.labels
    assert not record.faults(smoke)


@needs_packages
def test_peak_lists_hold_the_known_lines():
    lists = {
        name: [GRID[p] for p in f.positions]
        for name, f in zip(SUBSTANCES, sim_to_real.substance_fingerprints(), strict=True)
    }
    for name, known in {
        "polystyrene": (620.9, 795.8, 1001.4, 1031.8, 1602.3),
        "calcite": (156, 282, 712, 1086),
        "silicon": (520.5,),
        "TiO₂": (144, 396, 639),
    }.items():
        for line in known:
            assert min(abs(line - found) for found in lists[name]) < 4, (name, line)


@needs_packages
def test_answers_of_all_classifiers():
    lists, measurements = sim_to_real.substance_fingerprints(), sim_to_real.measurements_to_classify()
    assert len(measurements) == 81
    right = tuple(SUBSTANCES.index(m.spectrum.sample) for m in measurements)
    made_up = SimpleNamespace(
        spec=RunSpec(dataset=sim_to_real.training_spec(lists, realistic=True), model="cnn2", seed=1),
        probes={name: SimpleNamespace(labels=right) for name in sim_to_real.PROBES},
    )
    short = SimpleNamespace(spec=made_up.spec, probes={n: SimpleNamespace(labels=(0,)) for n in sim_to_real.PROBES})
    table = sim_to_real.answer_table(lists, measurements, [made_up, short])
    assert len(table) == 2 * 3 * 81
    hits = table.groupby(["classifier", "training", "baseline"]).right.mean()
    assert hits["cnn2", "realistic", True] == 1
    assert hits["peaks", "none", True] == pytest.approx(75 / 81)
    assert hits["cosine", "none", True] == pytest.approx(68 / 81) and hits["cosine", "none", False] < 0.6
    figure, (axes,) = new_figure(3.0)
    figures.draw_hits(axes, table)
    figure.canvas.draw()
    by_instrument = figures.hits_by_instrument(table)
    assert by_instrument["CNN2, realistic"].tolist() == by_instrument["Spectra"].map(str).tolist()
