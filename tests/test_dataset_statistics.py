"""Statistics of datasets, against the published dataset and against cases made by hand."""

import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.dataset import Dataset, Split, make_dataset
from spectra_lib.datasets.fingerprints import make_fingerprints
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint
from spectra_lib.datasets.statistics import (
    coverage_of_test_peaks,
    expected_peak_counts,
    lost_peaks,
    peak_counts,
    peaks_of,
    time_generation,
)


@pytest.fixture(scope="module")
def benchmark():
    return make_dataset("benchmark")


def test_peak_counts_of_the_benchmark(benchmark):
    assert np.bincount(peak_counts(benchmark))[2:].tolist() == [126, 183, 100, 50, 19, 7, 6, 3, 6]


def test_lost_peaks_of_the_benchmark(benchmark):
    lost = lost_peaks(benchmark)
    varied = lost.loc[["train", "validation"]].sum()
    assert varied.to_dict() == {"spectra": 30_000, "vanished": 742, "overwritten": 39, "close": 945}
    assert lost.vanished["test"] == 126


def test_lost_peaks_of_spectra_made_by_hand():
    spec = DatasetSpec(
        name="two",
        n_points=100,
        n_classes=2,
        boundary=10,
        fingerprints=(
            Fingerprint(positions=(20, 50), heights=(1.0, 0.5)),
            Fingerprint(positions=(30,), heights=(1.0,)),
        ),
    )
    positions = [[20, 50], [50, 50], [20, 32], [45, 33], [20, 40]]
    heights = [[1.0, 0.0], [1.0, 0.5], [1.0, 0.5], [1.0, 0.5], [0.0, 0.0]]
    split = Split(np.zeros(5, dtype=np.int64), PeakTable.from_lists(positions, heights, [2.0] * 5), 100)
    lost = lost_peaks(Dataset(spec, spec.fingerprints, split, split, split))
    assert lost.loc["train"].to_dict() == {"spectra": 5, "vanished": 2, "overwritten": 1, "close": 3}


def test_expected_counts_add_up_to_the_classes():
    for changes in ({}, {"peak_count_law": "uniform"}, {"max_peaks": 4}):
        spec = dataset_spec("benchmark").model_copy(update=changes)
        assert expected_peak_counts(spec).sum() == pytest.approx(spec.n_classes)


def test_expected_counts_are_those_of_many_draws():
    spec = dataset_spec("benchmark").model_copy(update={"n_classes": 20_000, "name": "many"})
    found = np.bincount([f.n_peaks for f in make_fingerprints(spec)], minlength=11)[2:]
    expected = expected_peak_counts(spec)
    assert np.abs(found - expected).max() < 5 * np.sqrt(expected.max())


def test_peaks_of_a_class(benchmark):
    positions, heights = peaks_of(benchmark.test, label=5, peak=0)
    fingerprint = benchmark.fingerprints[5]
    assert positions[0] == fingerprint.positions[0] and heights[0] == fingerprint.heights[0]
    assert len(positions) == len(heights) == 9


@pytest.mark.parametrize(("label", "peak", "message"), [(500, 0, "no class 500"), (5, 2, "class 5 has no peak 2")])
def test_peaks_that_do_not_exist(benchmark, label, peak, message):
    with pytest.raises(SpectraError, match=message):
        peaks_of(benchmark.test, label, peak)


def test_test_peaks_lie_among_training_peaks(benchmark):
    coverage = coverage_of_test_peaks(benchmark)
    assert len(coverage) == benchmark.test.peaks.counts.sum()
    assert coverage.position_inside.all()
    assert coverage.height_inside.mean() > 0.998


def test_generation_is_timed():
    timing = time_generation(dataset_spec("challenge"))
    assert timing.spectra == 1620
    assert timing.seconds == timing.peaks_seconds + timing.rendering_seconds > 0
