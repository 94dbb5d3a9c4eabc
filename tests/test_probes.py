"""Probes are the spectra that they claim to be."""

import numpy as np
import pytest

from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.datasets.probes import GRID_SIZE, PAIRS, decision_map, degrade, occlusion, probe_splits


@pytest.mark.parametrize("name", list(PAIRS))
def test_a_map_runs_from_one_class_to_the_other(name):
    dataset = make_dataset(name)
    for pair in PAIRS[name]:
        grid = decision_map(dataset, pair)
        assert sorted(grid.pair) == sorted(pair)
        assert len(grid.split) == GRID_SIZE**2
        first = dataset.fingerprints[grid.pair[0]]
        assert grid.positions[0] <= first.positions[grid.moved] <= grid.positions[-1]
        assert grid.heights[0] <= first.heights[grid.scaled] <= grid.heights[-1]
        row = 3 * GRID_SIZE + 7  # height 3, position 7
        positions, heights = grid.split.peaks.peaks(row)
        assert positions[grid.moved] == grid.positions[7]
        assert heights[grid.scaled] == grid.heights[3]


def test_the_papers_maps_vary_the_decisive_peaks():
    dataset = make_dataset("benchmark")
    minor, position, height = (decision_map(dataset, pair) for pair in PAIRS["benchmark"])
    # 246 has a small third peak at 1684 that 382 lacks; the highest one, at 4637, is moved
    assert (dataset.fingerprints[246].positions[minor.scaled], minor.pair) == (1684, (246, 382))
    assert dataset.fingerprints[246].positions[minor.moved] == 4637
    assert position.moved == position.scaled
    assert dataset.fingerprints[164].heights[height.scaled] == 0.24 and height.moved == height.scaled


def test_occlusion_takes_each_peak_once():
    dataset = make_dataset("challenge")
    split, missing = occlusion(dataset)
    assert len(split) == sum(f.n_peaks for f in dataset.fingerprints)
    for row in (0, 5, len(split) - 1):
        whole = dataset.fingerprints[split.labels[row]]
        positions, heights = split.peaks.peaks(row)
        assert list(positions) == [p for k, p in enumerate(whole.positions) if k != missing[row]]
        assert list(heights) == [h for k, h in enumerate(whole.heights) if k != missing[row]]


def test_degraded_spectra_depend_on_their_row_only_and_stay_normalised():
    test = make_dataset("smoke").test
    noisy = degrade(test, noise=0.02)
    np.testing.assert_array_equal(noisy.spectra([3, 1])[1], noisy.spectra()[1])
    assert noisy.spectra().max(axis=1) == pytest.approx(1.0)
    scale = noisy.spectra(dtype=np.float64) - test.spectra(dtype=np.float64)
    assert 0.015 < scale.std() < 0.025


def test_a_background_is_smooth_and_as_high_as_asked():
    test = make_dataset("challenge").test
    raised = degrade(test, background=0.2).spectra(slice(0, 20), dtype=np.float64)
    assert np.median(raised) > 0.02 and raised.min() >= 0
    empty = np.median(raised, axis=0)
    assert np.abs(np.diff(empty)).max() < 0.05


@pytest.mark.parametrize(
    ("name", "probe", "first", "total"),
    [
        ("smoke", "noise", 0.005982870236039162, 8.580306047071645),
        ("smoke", "background", 0.06095714494585991, 19.786322810397678),
        ("challenge", "noise", 0.005862272810190916, 6.681219514767918),
        ("challenge", "background", 0.06032895669341087, 209.9286203646554),
    ],
)
def test_noise_and_background_are_those_of_the_committed_records(name, probe, first, total):
    (spectrum,) = probe_splits(make_dataset(name))[probe].spectra([7])
    assert spectrum[0] == np.float32(first)
    assert spectrum.sum(dtype=np.float64) == pytest.approx(total, rel=1e-12)


def test_networks_trained_with_noise_are_asked_about_clean_spectra():
    noisy, clean = make_dataset("laptop_noisy"), make_dataset("laptop")
    probes = probe_splits(noisy)
    np.testing.assert_array_equal(probes["clean"].spectra(), clean.test.spectra())
    np.testing.assert_array_equal(probes["noise"].spectra([3]), probe_splits(clean)["noise"].spectra([3]))


def test_every_dataset_has_its_probes():
    assert list(probe_splits(make_dataset("challenge"))) == [
        "map-1-0",
        "map-9-10",
        "map-18-19",
        "occlusion",
        "noise",
        "background",
    ]
