"""Fingerprints: golden numbers of the published classes, and the laws they follow."""

from collections import Counter

import pytest

from spectra_lib._base.errors import SpecificationError
from spectra_lib.datasets.fingerprints import make_fingerprints
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.specification import DatasetSpec


def test_benchmark_peak_counts(benchmark):
    counts = Counter(fingerprint.n_peaks for fingerprint in benchmark.fingerprints)
    assert [counts[n] for n in range(2, 11)] == [126, 183, 100, 50, 19, 7, 6, 3, 6]
    assert sum(counts.values()) == 500


@pytest.mark.parametrize(
    ("label", "positions", "heights"),
    [
        (8, (177, 3358), (1.0, 0.857)),
        (318, (139, 3313), (1.0, 0.864)),
        (164, (2774, 3876), (0.24, 1.0)),
        (281, (2780, 3924), (0.273, 1.0)),
        (246, (1684, 4311, 4637), (0.042, 0.716, 1.0)),
        (382, (4290, 4700), (0.744, 1.0)),
        (
            0,
            (391, 413, 632, 1004, 3036, 3272, 3724, 4040, 4272, 4595),
            (0.424, 0.889, 0.263, 0.576, 0.051, 1.0, 0.98, 0.01, 0.394, 0.101),
        ),
        (499, (1374, 1473, 1537, 2573), (0.708, 1.0, 0.989, 0.011)),
    ],
)
def test_benchmark_classes(benchmark, label, positions, heights):
    fingerprint = benchmark.fingerprints[label]
    assert (fingerprint.positions, fingerprint.heights) == (positions, heights)


@pytest.mark.parametrize("name", ["benchmark", "challenge"])
def test_all_published_classes(reference, name):
    assert (
        make_fingerprints(dataset_spec(name)) == DatasetSpec.from_file(reference / f"{name}_classes.json").fingerprints
    )


def test_uniform_law_reaches_every_count():
    spec = DatasetSpec(name="even", n_classes=600, min_peaks=2, max_peaks=5, peak_count_law="uniform")
    counts = Counter(fingerprint.n_peaks for fingerprint in make_fingerprints(spec))
    assert sorted(counts) == [2, 3, 4, 5]
    assert min(counts.values()) > 110  # 150 expected, standard deviation 11


def test_gamma_law_starts_at_min_peaks():
    spec = DatasetSpec(name="many", n_classes=300, min_peaks=5, max_peaks=7)
    counts = Counter(fingerprint.n_peaks for fingerprint in make_fingerprints(spec))
    assert sorted(counts) == [5, 6, 7]


def test_classes_that_must_coincide_are_refused():
    spec = DatasetSpec(name="tight", n_points=4, boundary=1, n_classes=9, min_peaks=1, max_peaks=1, max_height=1)
    with pytest.raises(SpecificationError, match=r"'tight': classes \d and \d .*same fingerprint .*raise n_points"):
        make_fingerprints(spec)
