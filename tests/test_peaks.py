"""Varied and test peaks: golden numbers, and the rules they follow."""

import numpy as np
import pytest

from spectra_lib.datasets.dataset import SPLITS, make_dataset
from spectra_lib.datasets.named import list_datasets
from spectra_lib.datasets.peaks import PeakTable

DIGESTS = {
    ("benchmark", "train"): "ac344988b9393fd9a070c79e55cbf6fbc42cacd7c4e0e8ff6b62dca4b37ccc0e",
    ("benchmark", "validation"): "caad8d296cdfe980ee3703415ed463bf3642a7875d6eb8706835d0a4e49b578f",
    ("benchmark", "test"): "77c92067e04d2364112813d28ad39f0cf388b72d63ea1407dbb7ed061705cb23",
    ("challenge", "train"): "8b9ea97f155083a36f649068827b261f71c310b8e67b5b840ad6dd867370f9da",
    ("challenge", "validation"): "a3c8dda2e1d600fca8dbd4cdb963af10320dff0ff8e1a9b6896f19948705624c",
    ("challenge", "test"): "bf047b6eaf9c23e3479053f69e37cfb23455cc35a75554e5b71591bd84359741",
    ("challenge_noisy", "train"): "8c019f260e5cd1f395e64df79c755010ca617d4ebfb6b1bab7700d181746be8e",
    ("challenge_noisy", "validation"): "4c3cbb589d027b7c15b658de715a9c68b22103c2d5b2fb296e4f1dea7c80764a",
    ("challenge_noisy", "test"): "5442f6921913c92007f67031e805403e2dd3baf396f54db5be7e1911191c601e",
    ("laptop_noisy", "train"): "ecf4b5981b317312aba744ac5317501b70ab13e9b3f2c70670df7e14ba6c617f",
    ("laptop_noisy", "validation"): "818917bd00c6d5e49db5da1c1c07e533b87966e288c51d4ce066d483affa31eb",
    ("laptop_noisy", "test"): "ce24d7300681635109117d7664b5e73ef1171a4e4738ff3c9d0025e3e262e4c0",
    ("laptop", "train"): "3831dc8549a995ccd4faf2f6b920062bf9ea28b04b91ef1e831648d3abfa93ba",
    ("laptop", "validation"): "3b2b1de73fcb52cd1dc69f07cf0b557443fed3626e3a1bba38f3ee0f027b39ab",
    ("laptop", "test"): "e00f75fb4c2ba1c0c5cfee2c547f9b810e709aff8d1386337181f23062364149",
    ("smoke", "train"): "5bac750d2c2c1fd3a206c00b04e93053cb995c9f7b95e786d9b062c6fa72a4bd",
    ("smoke", "validation"): "6e2ea12f7c15dd415db3ecbb4eba7999e8f4594729be8744fe35dc9d48543a90",
    ("smoke", "test"): "d914e3741a1cdda93df979cde526b7934ec7a116e157f4e53ab768e1aa8ff49c",
}


@pytest.mark.parametrize("name", list_datasets())
def test_digests(name):
    dataset = make_dataset(name)
    for split in SPLITS:
        assert dataset.split(split).digest == DIGESTS[name, split]


@pytest.mark.parametrize(
    ("split", "row", "positions", "heights", "width"),
    [
        ("train", 12500, [768, 955, 1087, 3142], [0.0, 1.000158, 0.737277, 0.143861], 2.865936),
        ("train", 24999, [1327, 1489, 1532, 2531], [0.683149, 0.999573, 0.958438, 0.0], 2.940671),
        ("validation", 2500, [696, 992, 1141, 3177], [0.013655, 1.048226, 0.657332, 0.191955], 4.99237),
        ("test", 2250, [739, 993, 1096, 3192], [0.01, 1.0, 0.7, 0.15], 2.0),
        ("test", 4499, [1404, 1503, 1567, 2603], [0.668, 1.0, 0.949, 0.0], 2.0),
    ],
)
def test_benchmark_peaks(benchmark, split, row, positions, heights, width):
    table = benchmark.split(split).peaks
    ours = table.peaks(row)
    assert ours[0].tolist() == positions
    assert ours[1] == pytest.approx(heights, abs=1e-6)
    assert table.widths[row] == pytest.approx(width, abs=1e-6)


def test_peaks_lost_in_the_benchmark(benchmark):
    """Spectra in which clipping at height 0, or a later peak on the same point, takes a peak away."""

    def vanished(table):
        return sum(bool((heights == 0).any()) for _, heights in table)

    def replaced(table):
        return sum(len(set(positions.tolist())) < len(positions) for positions, _ in table)

    splits = benchmark.train.peaks, benchmark.validation.peaks
    assert sum(map(vanished, splits)) == 742
    assert vanished(benchmark.test.peaks) == 126
    assert sum(map(replaced, splits)) == 39


def test_unit_heights_of_the_challenging_set_are_not_varied(challenge):
    for label, fingerprint in enumerate(challenge.fingerprints):
        highest = np.array(fingerprint.heights) == 1.0
        for row in np.flatnonzero(challenge.train.labels == label)[:5]:
            assert (challenge.train.peaks.peaks(row)[1][highest] == 1.0).all()


# P: unshifted, L: left, R: right; then the sign of the height change.
PATTERNS = {
    "P0 L0 R0 P- L- R-": (*range(9), 20, 23, 26),
    "P0 R0 P+ R+ P- R-": (9, 12, 15),
    "L0 R0 L+ R+ L- R-": (10, 13, 16),
    "P0 L0 P+ L+ P- L-": (11, 14, 17),
    "P0 L0 R0 P+ L+ R+": (18, 21, 24),
    "P- L- R- P+ L+ R+": (19, 22, 25),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_test_rule_of_the_challenging_set(challenge, pattern):
    for label in PATTERNS[pattern]:
        fingerprint = challenge.fingerprints[label]
        rows = np.flatnonzero(challenge.test.labels == label)
        assert len(rows) == 6
        for row, (shift, change) in zip(rows, pattern.split(), strict=True):
            positions, heights = challenge.test.peaks.peaks(row)
            assert (positions - fingerprint.positions == {"P": 0, "L": -30, "R": 30}[shift]).all()
            varied = np.array(fingerprint.heights) != 1.0
            expected = np.array(fingerprint.heights) + varied * {"0": 0.0, "+": 0.03, "-": -0.03}[change]
            assert heights == pytest.approx(expected)
    assert (challenge.test.peaks.widths == 2.0).all()


@pytest.mark.parametrize(
    ("label", "shift", "change"), [(0, 30, 0.04), (8, 17, 0.04), (318, 17, 0.04), (164, 30, 0.025)]
)
def test_test_rule_of_the_benchmark(benchmark, label, shift, change):
    fingerprint = benchmark.fingerprints[label]
    signs = [(0, 0), (-1, 0), (1, 0), (0, 1), (-1, 1), (1, 1), (0, -1), (-1, -1), (1, -1)]
    rows = np.flatnonzero(benchmark.test.labels == label)
    for row, (left_right, up_down) in zip(rows, signs, strict=True):
        positions, heights = benchmark.test.peaks.peaks(row)
        assert (positions - fingerprint.positions == left_right * shift).all()
        ideal = np.array(fingerprint.heights)
        assert heights == pytest.approx(np.where(ideal == 1.0, 1.0, np.clip(ideal + up_down * change, 0, 2)))


def test_take_keeps_the_order_asked_for():
    table = PeakTable.from_lists([[1], [2, 3], [4, 5, 6]], [[1.0], [0.2, 0.3], [0.4, 0.5, 0.6]], [1.0, 2.0, 3.0])
    chosen = table.take([2, 0, 2])
    assert [positions.tolist() for positions, _ in chosen] == [[4, 5, 6], [1], [4, 5, 6]]
    assert chosen.widths.tolist() == [3.0, 1.0, 3.0]
    assert len(table.take(slice(1, None))) == 2
    assert len(table.take([])) == 0
    assert table.take(None) is table


def test_the_whole_benchmark_is_small(benchmark):
    assert sum(benchmark.split(name).peaks.nbytes for name in ("train", "validation", "test")) < 20e6
