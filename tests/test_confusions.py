"""Pairs of classes: which are alike, which errors fall between them, and how near spectra lie to one another."""

import itertools

import numpy as np
import pandas as pd
import pytest

import spectra_lib as sl
from spectra_lib._base.errors import SpectraError
from spectra_lib.analysis import confusable, confusions, decisive_peaks, overlap
from spectra_lib.analysis.confusable import Cause
from spectra_lib.datasets.specification import Fingerprint, Variation
from spectra_lib.datasets.statistics import peaks_of
from spectra_lib.paper.published import published_confusions
from spectra_lib.runs.record import History, Metrics, Predictions, RunRecord
from spectra_lib.runs.specification import TRUSTED, RunSpec


def run_with(dataset, wrong, model="cnn2", seed=0, activation="linear") -> RunRecord:
    """A record whose answers to the test spectra are right but for the rows given."""
    name = dataset.spec.name
    spec = RunSpec.model_validate(
        {"dataset": name, "model": model, "seed": seed, "hidden_activation": activation}, context=TRUSTED
    )
    answers = dataset.test.labels.copy()
    for row, answer in wrong.items():
        answers[row] = answer
    none = {"n": 1, "errors": 0, "loss": 0.0}
    return RunRecord.model_validate(
        {
            "spec": spec, "digest": spec.digest, "data_digests": {}, "sessions": (), "history": History(),
            "kept_epoch": 0, "ended": "max_epochs", "train": none, "validation": none,
            "test": Metrics(n=len(answers), errors=len(wrong), loss=0.0), "reevaluation_gap": 0.0,
            "validation_predictions": Predictions(labels=(), probabilities=()),
            "test_predictions": Predictions(labels=tuple(answers.tolist()), probabilities=(1.0,) * len(answers)),
            "probes": {}, "weights_sha256": "", "wall_seconds": 1.0, "peak_memory_bytes": 1,
        },
        context=TRUSTED,
    )  # fmt: skip


def test_every_published_confusion_is_between_alike_classes(benchmark):
    alike = confusable.alike_pairs(benchmark)
    published = set(published_confusions()[["class_a", "class_b"]].itertuples(index=False, name=None))
    assert published <= set(alike)
    assert 0 < len(alike) < 0.01 * 500 * 499 / 2


def test_alike_pairs_are_those_with_a_cause(challenge):
    expected = {}
    for pair in itertools.combinations(range(challenge.spec.n_classes), 2):
        cause = confusable.cause_of_pair(challenge, pair)
        if cause is not None:
            expected[pair] = cause
    assert confusable.alike_pairs(challenge) == expected
    for first in range(9, 27, 3):
        assert expected[first, first + 1] is (Cause.POSITION if first < 18 else Cause.INTENSITY)


def test_a_class_shares_all_its_peaks_with_itself(benchmark):
    shared = confusable.shared_peaks(benchmark)
    assert np.diag(shared).tolist() == [f.n_peaks for f in benchmark.fingerprints]
    for a, b in ((164, 281), (198, 278), (0, 1)):
        one, two = benchmark.fingerprints[a], benchmark.fingerprints[b]
        assert shared[a, b] == len(confusable.shared_positions(one, two, 100))
    assert shared[198, 278] == 2 < benchmark.fingerprints[198].n_peaks


@pytest.mark.parametrize("pair", [[], [1], [1, 1], [0, 500], [-1, 3], [1, 2, 3]])
def test_a_pair_that_does_not_exist_is_refused(benchmark, pair):
    with pytest.raises(SpectraError, match=r"expected two different classes of 0 to 499, received \["):
        confusable.check_pair(benchmark, pair)


def test_errors_are_listed_and_counted(challenge):
    first = int(np.flatnonzero(challenge.test.labels == 9)[0])
    runs = [
        run_with(challenge, {first: 10, first + 1: 10, 0: 26}),
        run_with(challenge, {first: 10}, seed=1),
        run_with(challenge, {first: 10}, activation="relu"),
        run_with(challenge, {}, model="vgg"),
    ]
    errors = confusions.misclassified(challenge, runs)
    assert len(errors) == 5
    assert (errors.class_a < errors.class_b).all()
    counts = confusions.count_pairs(errors).set_index(["model", "class_a", "class_b"])
    assert counts.loc[("cnn2", 9, 10)].tolist() == [4, 3]
    assert counts.loc[("cnn2", 0, 26)].tolist() == [1, 1]
    assert len(counts) == 2


def test_the_table_of_pairs_holds_published_and_our_errors(benchmark):
    row = int(np.flatnonzero(benchmark.test.labels == 8)[0])
    errors = confusions.misclassified(benchmark, [run_with(benchmark, {row: 318, 0: 499})])
    counts = confusions.count_pairs(errors)
    table = confusions.pair_table(benchmark, published_confusions(), counts, {(8, 318): 12}).set_index("pair")
    assert table.loc[
        [(8, 318)], ["published", "published_runs", "errors", "runs", "ambiguous"]
    ].to_numpy().tolist() == [[19, 7, 1, 1, 12]]
    assert table.needed[(8, 318)] == 0.45 and table.needed[(0, 499)] > 1
    assert table.cause[(0, 499)] is None and table.published[(0, 499)] == 0
    assert table.published.sum() == published_confusions().errors.sum() and table.errors.sum() == 2


def test_published_pairs_are_shown_whatever_ours_are():
    table = pd.DataFrame({"pair": [(k, k + 1) for k in range(40)], "published_runs": [0] * 37 + [1] * 3})
    chosen = confusions.most_confused(table, 10)
    assert len(chosen) == 10 and set(chosen.index) >= {37, 38, 39}
    assert chosen.index.is_monotonic_increasing


def test_spectra_that_two_classes_can_have_made(benchmark):
    counts = confusions.ambiguous_spectra(sl.bayes_classifier(benchmark))
    assert sum(counts.values()) == 32  # known: 32 of 4500
    assert set(counts) == {(8, 318), (164, 281), (219, 347), (15, 482), (206, 403)}


def test_no_height_separates_164_and_281_and_one_position_does_8_and_318(benchmark):
    def decisive(pair, what):
        peaks = zip(pair, decisive_peaks.decisive_peak(benchmark, pair), strict=True)
        return [peaks_of(benchmark.test, label, peak)[what] for label, peak in peaks]

    low, high = decisive((164, 281), 1)
    assert (low > 0.26).sum() + (high < 0.26).sum() == 6
    assert decisive_peaks.best_threshold(low, high)[1] == 3
    boundary, wrong = decisive_peaks.best_threshold(*decisive((8, 318), 0))
    assert wrong == 0 and 3330 < boundary < 3341


def test_a_threshold_may_have_either_group_above():
    assert decisive_peaks.best_threshold([5, 6], [1, 2, 3]) == (4.0, 0)
    assert decisive_peaks.fewest_on_the_wrong_side([1, 1], [1, 1]) == 2


def test_distances_to_training_spectra(challenge):
    near = decisive_peaks.nearest_training_spectra(challenge, 9, 10)
    law = challenge.spec.variation
    tested = peaks_of(challenge.test, 9, 1)
    trained = peaks_of(challenge.train, 10, 1)
    for row in range(len(near)):
        steps = [(trained[0] - tested[0][row]) / law.position_shift, (trained[1] - tested[1][row]) / law.height_change]
        assert near.other[row] == pytest.approx(np.hypot(*steps).min())
    assert (challenge.test.labels[near.row] == 9).all()


def test_right_answers_stand_beside_wrong_ones(challenge):
    row = int(np.flatnonzero(challenge.test.labels == 18)[0])
    runs = [run_with(challenge, {row: 19}, seed=seed) for seed in range(3)]
    distances = decisive_peaks.distances_of_alike_spectra(challenge, confusions.misclassified(challenge, runs))
    hit = distances[distances.wrong > 0]
    assert hit[["true", "answered", "row", "wrong"]].to_numpy().tolist() == [[18, 19, row, 3]]
    pairs = set(zip(distances.true, distances.answered, strict=True))
    alike = {p for p, cause in confusable.alike_pairs(challenge).items() if cause is not Cause.MINOR}
    assert pairs == alike | {p[::-1] for p in alike}


def test_the_most_alike_pair_of_each_cause(benchmark):
    alike = confusable.alike_pairs(benchmark)
    needed = overlap.needed_by_pair(benchmark, alike)
    chosen = overlap.most_alike(benchmark, alike)
    assert list(chosen) == list(Cause)
    for cause, pair in chosen.items():
        assert alike[pair] is cause
        assert needed[pair] == min(needed[other] for other, own in alike.items() if own is cause)
    left = {pair: cause for pair, cause in alike.items() if cause is not Cause.MINOR and pair != chosen[Cause.POSITION]}
    again = overlap.most_alike(benchmark, left)
    assert list(again) == [Cause.POSITION, Cause.INTENSITY]
    assert again[Cause.POSITION] == (164, 281) and again[Cause.INTENSITY] == chosen[Cause.INTENSITY]


# Needed variation


@pytest.mark.parametrize("name", ["benchmark", "challenge"])
def test_pairs_that_need_less_than_the_variation_are_those_with_spectra_of_both_classes(request, name):
    """The observer knows nothing of fingerprints held against each other: it asks what law made each spectrum."""
    dataset = request.getfixturevalue(name)
    observer = sl.bayes_classifier(dataset)
    both = set()
    for split in (dataset.train, dataset.validation, dataset.test):
        for row in observer.in_support(split):
            both.update(itertools.combinations(np.flatnonzero(row).tolist(), 2))
    needed = overlap.needed_by_pair(dataset, confusable.alike_pairs(dataset))
    assert {pair for pair, factor in needed.items() if factor < 1} == both
    assert len(both) == {"benchmark": 10, "challenge": 21}[name]


ONE = Fingerprint(positions=(700, 3000), heights=(0.5, 1.0))
LAW = Variation()


@pytest.mark.parametrize(
    ("positions", "heights", "expected"),
    [
        ((700, 3000), (0.5, 1.0), 0.0),
        ((725, 3060), (0.5, 1.0), 0.6),
        ((700, 3000), (0.8, 1.0), 0.3 / 3.3 / 0.05),  # 0.5 + x to 1 - x is as 0.8 - x to 1 + x
        ((700, 1500, 3000), (0.5, 0.04, 1.0), 0.8),
        ((700, 2960, 3000), (0.5, 0.9, 1.0), 0.4),  # the second peak falls under the third
        ((700, 2960, 3000), (0.5, 1.0, 0.9), 0.4),  # and the last one is seen
        ((900, 3000), (0.5, 1.0), 10.0),
        ((100, 2000), (0.5, 1.0), np.inf),
    ],
)
def test_variation_needed_by_two_classes(positions, heights, expected):
    other = Fingerprint(positions=positions, heights=heights)
    if heights == (0.5, 1.0, 0.9):
        expected = max(expected, (1.0 * 0.5 - 0.9 * 0.5) / (0.5 + 1.0 + 0.5 + 0.9) / 0.05)
    assert overlap.needed_variation(ONE, other, LAW) == pytest.approx(expected)
    assert overlap.needed_variation(other, ONE, LAW) == pytest.approx(expected)


def test_heights_that_are_not_varied_need_more():
    kept = Variation(keep_unit_heights=True)
    other = Fingerprint(positions=(700, 3000), heights=(0.56, 1.0))
    assert overlap.needed_variation(ONE, other, kept) == pytest.approx(0.06 / 0.1)
    assert overlap.needed_variation(ONE, other, LAW) < 0.6
    still = Variation(position_shift=0, height_change=0.0)
    assert overlap.needed_variation(ONE, other, still) == np.inf
    assert overlap.needed_variation(ONE, ONE, still) == 0


def test_published_pairs_with_a_minor_peak_differ_in_height_as_well(benchmark):
    """As many as the paper counts, and most of them far from overlapping in their heights."""
    pairs = set(published_confusions()[["class_a", "class_b"]].itertuples(index=False, name=None))
    minor = {pair for pair in pairs if confusable.cause_of_pair(benchmark, pair) is Cause.MINOR} - {(246, 382)}
    assert len(minor) == 6
    gaps = {(a, b): confusable.find_gaps(benchmark.fingerprints[a], benchmark.fingerprints[b], 100) for a, b in minor}
    assert {pair for pair, gap in gaps.items() if not gap.lonely} == {(133, 358)}
    assert round(gaps[336, 421].height, 2) == 0.57 and all(gap.height > 0.1 for gap in gaps.values())
    assert min(overlap.needed_by_pair(benchmark, minor).values()) > 1
    shared = {
        (a, b) for a, b in minor
        if confusable.peaks_share_a_partner(benchmark.fingerprints[a], benchmark.fingerprints[b], 100)
    }  # fmt: skip
    assert shared == {(123, 247)}


def test_errors_that_the_spectra_excuse(benchmark):
    observer = sl.bayes_classifier(benchmark)
    possible = observer.in_support(benchmark.test)
    row = int(np.flatnonzero(possible[:, [8, 318]].all(axis=1))[0])
    true = int(benchmark.test.labels[row])
    answers = {row: 326 - true, row + 9: 499}
    errors = confusions.misclassified(benchmark, [run_with(benchmark, answers)])
    assert confusions.errors_on_ambiguous_spectra(observer, errors).tolist() == [True, False]
    assert confusions.errors_on_ambiguous_spectra(observer, errors[:0]).tolist() == []
