"""Answers on the probes: read as they are, and summed up rightly."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import spectra_lib as sl
from spectra_lib.analysis import probe_answers
from spectra_lib.datasets.probes import GRID_SIZE, PAIRS, decision_map, occlusion
from spectra_lib.runs.record import Predictions
from spectra_lib.runs.records import load_records


@pytest.fixture(scope="module")
def record(project):
    """A committed run on the challenging set."""
    return load_records(project / "results").select(dataset="challenge")[0]


def test_a_map_is_read_height_by_height(challenge, record):
    grid = decision_map(challenge, (18, 19))
    labels = np.full((GRID_SIZE, GRID_SIZE), grid.pair[1])
    labels[:5] = grid.pair[0]
    labels[-1, -1] = 3
    probes = {"map-18-19": Predictions(labels=tuple(labels.ravel().tolist()), probabilities=(1.0,) * labels.size)}
    answers = probe_answers.map_answers(record.model_copy(update={"probes": probes}), grid)
    assert (answers[:5] == 1).all() and np.isnan(answers[-1, -1]) and np.nansum(answers[5:]) == 0
    assert probe_answers.map_answers(record.model_copy(update={"probes": {}}), grid) is None


@pytest.mark.parametrize("pair", PAIRS["challenge"])
def test_committed_runs_have_their_maps(challenge, record, pair):
    answers = probe_answers.map_answers(record, decision_map(challenge, pair))
    assert answers.shape == (GRID_SIZE, GRID_SIZE)
    assert np.isin(answers[np.isfinite(answers)], [0, 1]).all()


def test_the_axes_share_the_variance(challenge, record):
    grid = decision_map(challenge, (18, 19))
    table = probe_answers.variance_by_axes([record, record], grid)
    assert table.runs.tolist() == [2]
    assert 1 / 3 <= table.same[0] <= 1
    assert 0 <= table.height[0] <= 1 and 0 <= table.position[0] <= 1
    assert probe_answers.explained_by_axes(np.ones(GRID_SIZE**2, dtype=bool)) == (0.0, 0.0)
    stripes = np.tile(np.arange(GRID_SIZE) % 2 == 0, GRID_SIZE)
    assert probe_answers.explained_by_axes(stripes) == pytest.approx((0.0, 1.0))


def test_the_ideal_observer_ties_where_both_classes_reach(challenge):
    grid = decision_map(challenge, (9, 10))
    share = probe_answers.ideal_map_answers(sl.bayes_classifier(challenge), grid)
    inside = share[np.isfinite(share)]
    assert {0.0, 1.0} <= set(inside) and np.isclose(inside, 0.5).any()
    assert np.isnan(share).any()  # beyond the variation


def test_spectra_are_placed_on_a_map(challenge):
    grid = decision_map(challenge, (9, 10))
    (x, y), (others, _) = probe_answers.peaks_on_map(challenge, grid, challenge.test)
    peaks = [challenge.test.peaks.peaks(row) for row in np.flatnonzero(challenge.test.labels == grid.pair[0])]
    assert x.tolist() == [positions[grid.moved] for positions, _ in peaks]
    assert y.tolist() == [heights[grid.scaled] for _, heights in peaks]
    assert len(others) == 6


def test_each_missing_peak_is_described(benchmark):
    split, missing = occlusion(benchmark)
    answers = split.labels.copy()
    answers[7] += 1
    table = probe_answers.occlusion_answers(benchmark, answers)
    for _, each in table.sample(50, random_state=0).iterrows():
        heights = np.array(benchmark.fingerprints[each.label].heights)
        assert missing[each.row] == each.peak and split.labels[each.row] == each.label
        assert each.height == pytest.approx(heights[each.peak] / heights.max())
        assert (each["rank"] == 0) == (each.peak == np.argmax(heights))
        assert each.next_height == pytest.approx(np.sort(heights)[-2] / heights.max())
    assert table.changed.sum() == (table.row == 7).sum()
    assert set(table.label) == {k for k, f in enumerate(benchmark.fingerprints) if f.n_peaks >= 3}


def test_runs_of_a_network_are_pooled(challenge, record):
    found = probe_answers.occlusion_by_network(challenge, [record, record])
    assert list(found) == ["matching", record.spec.model]
    own = probe_answers.occlusion_answers(challenge, np.array(record.probes["occlusion"].labels))
    assert found[record.spec.model].changed.tolist() == 2 * own.changed.tolist()


def test_peak_matching_minds_high_peaks_more(benchmark):
    table = probe_answers.occlusion_answers(benchmark, probe_answers.match_occluded(benchmark))
    shares = probe_answers.changed_by_height(table)
    assert shares["0–0.2"] < 0.1 < shares["0.2–0.4"] < shares["0.6–0.8"]
    first, second, n = probe_answers.largest_against_second(table)
    assert n > 100 and abs(first - second) < 0.1  # nearly equal heights: nearly equal losses
    sides = probe_answers.compare_losses(table)
    assert sides.p > 0.5 and sides.low < 0.5 < sides.high
    assert (sides.largest - sides.second) / n == pytest.approx(first - second)


def test_losses_are_compared_class_by_class():
    """As in McNemar's test, classes in which both losses cost the same say nothing."""
    rows = [
        {"label": label, "next_height": 0.9, "rank": rank, "changed": changed}
        for label in range(30)
        for rank, changed in ((0, label < 20), (1, label % 3 == 0))
    ]
    sides = probe_answers.compare_losses(pd.DataFrame(rows))
    assert (sides.largest, sides.second) == (13, 3)  # 1, 2, 4 … 19 against 21, 24, 27
    assert sides.p == pytest.approx(stats.binomtest(13, 16).pvalue)
    twice = pd.DataFrame(rows + rows)
    assert probe_answers.compare_losses(twice) == sides  # a second run with the same answers is no further evidence
    none = probe_answers.compare_losses(pd.DataFrame(rows).assign(changed=True))
    assert (none.largest, none.second, none.p, none.low, none.high) == (0, 0, 1.0, 0.0, 1.0)


def test_a_network_overrates_the_largest_peak_if_it_alone_stands_out():
    matched = pd.Series([0.1, 0.4, 0.6], index=["0–0.2", "0.8–1", "largest"])
    assert probe_answers.overrates_largest(matched + np.array([0.0, -0.1, 0.2]), matched)
    assert not probe_answers.overrates_largest(matched + 0.2, matched)
    assert not probe_answers.overrates_largest(matched - np.array([0.3, 0.3, 0.1]), matched)
    assert probe_answers.overrates_largest((matched + np.array([0.0, 0.0, 0.2])).mask([False, True, False]), matched)


def test_too_few_spectra_give_no_share(challenge):
    table = probe_answers.occlusion_answers(challenge, occlusion(challenge)[0].labels)
    shares = probe_answers.changed_by_height(table)
    assert np.isnan(shares["0.4–0.6"]) and shares["largest"] == 0
