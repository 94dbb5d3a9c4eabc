"""Numbers and sentences of the chapters say what their data say."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import spectra_lib as sl
from spectra_lib.analysis import confusable, confusions, overlap
from spectra_lib.analysis.confusable import Cause
from spectra_lib.analysis.probe_answers import Sides
from spectra_lib.book.values import confusion_study as study_values
from spectra_lib.book.values import decision_regions, misclassifications
from spectra_lib.experiments.profiles import choose_profile
from spectra_lib.paper import published


@pytest.fixture(scope="module")
def study():
    """The challenging set in the place of the general one, without runs and without published pairs."""
    data = sl.make_dataset("challenge")
    observer = sl.bayes_classifier(data)
    errors = confusions.misclassified(data, [])
    theirs = published.published_confusions().iloc[:0]
    ambiguous, alike = confusions.ambiguous_spectra(observer), confusable.alike_pairs(data)
    table = confusions.pair_table(data, theirs, confusions.count_pairs(errors), ambiguous)
    needed = overlap.needed_by_pair(data, alike)
    profile = choose_profile("paper")
    return study_values.ConfusionStudy(profile, data, (), errors, theirs, observer, ambiguous, alike, needed, table)


def with_errors(study, pair, times):
    """The same with one run that takes the first test spectra of a class for another."""
    answers = study.data.test.labels.copy()
    answers[np.flatnonzero(answers == pair[0])[:times]] = pair[1]
    spec = SimpleNamespace(model="cnn2", hidden_activation="relu", seed=0)
    run = SimpleNamespace(spec=spec, test_predictions=SimpleNamespace(labels=tuple(answers.tolist())))
    errors = confusions.misclassified(study.data, [run])
    table = confusions.pair_table(study.data, study.published, confusions.count_pairs(errors), study.ambiguous)
    return replace(study, runs=(run,), errors=errors, table=table)


def test_without_runs_nothing_is_said_of_them(study):
    texts = misclassifications.likeness_texts(study, 0)
    assert texts["our_pairs"] == "None of our runs on this dataset is here yet."
    assert texts["n_runs"] == "0 runs" and texts["n_planned"] == "40"
    assert study.errors_between((9, 10)) == "no run is here yet"
    assert misclassifications.minor_texts(study, (0, 1))["minor_ours"] == "None of our runs can tell yet."


def test_errors_are_counted_for_each_class_of_a_pair(study):
    wrong = with_errors(study, (9, 10), 2)
    n = (study.data.test.labels == 9).sum()
    assert [times.tolist() for times in wrong.times_wrong((10, 9))] == [[0] * n, [1, 1] + [0] * (n - 2)]
    assert wrong.errors_between((9, 10)) == "our 1 run makes 2 errors between them"
    texts = misclassifications.likeness_texts(wrong, 1)
    assert texts["our_pairs"] == "Our 1 run confuses 1 pair; 0 of these are among the published ones."
    assert texts["n_odd"] == "none of the confused pairs is without one of the three causes"
    assert "of the 2 errors of our 1 run" in texts["excused_short"]
    assert misclassifications.minor_texts(wrong, (9, 10))["minor_ours"].endswith(
        f"in {100 * 2 / n:.0f} % of its test spectra."
    )


def test_a_boundary_has_the_spectra_on_its_sides_that_it_says(study):
    for axis, pair in ((0, (9, 10)), (1, (18, 19))):
        found = study_values.best_boundary(study, pair, study.data.train, axis)
        low, high = sorted((peaks[axis] for peaks in study.decisive(pair, study.data.train)), key=np.mean)
        assert found.beyond == (low > found.at).sum() + (high <= found.at).sum() and found.n == len(low) + len(high)


def test_the_paper_s_line_is_drawn_at_its_height_and_another_one_half_way(study):
    assert study_values.height_split(study, (18, 19)).line == study_values.PAPER_SPLIT
    half = study_values.height_split(replace(study, profile=choose_profile("laptop")), (18, 19))
    assert half.low_reaches - 1 < half.line < half.high_falls + 1 and half.line != study_values.PAPER_SPLIT
    assert (
        f"beyond the threshold at {half.line:.2f}"
        in misclassifications.height_texts(replace(study, profile=choose_profile("laptop")), (18, 19))["take_height"]
    )


def test_examples_of_spared_pairs_were_never_confused(study):
    first = study_values.spared_examples(study)
    assert set(first) <= set(Cause) and all(study.alike[pair] is cause for cause, pair in first.items())
    pair = next(iter(first.values()))
    assert pair not in study_values.spared_examples(with_errors(study, pair, 1)).values()
    assert misclassifications.spared_texts(with_errors(study, pair, 1))["spared_said"].startswith(
        f"Of the {len(study.alike)} confusable pairs {len(study.alike) - 1} are not confused in our runs"
    )


def test_a_pair_is_described_in_the_order_asked_for(study):
    texts = misclassifications.pair_texts(study, (10, 9))
    assert (texts["own_a"], texts["own_b"]) == ("10", "9")
    assert texts["own_cause"] == "confusable: overlapping positions"
    assert texts["own_ambiguous"] == str(study.ambiguous.get((9, 10), 0))


FOUND = decision_regions.LargestPeak("x", 60, 0.5, {"cnn2": 0.9}, ("cnn2",), {}, True)


@pytest.mark.parametrize(
    ("sides", "overrating", "said", "short"),
    [
        (Sides(30, 2, 1e-6, 0.8, 0.99), ("cnn2",), "holds by both measures for CNN2.", "costs CNN2 more"),
        (Sides(30, 2, 1e-6, 0.8, 0.99), (), "by one measure only: CNN2 against a second peak", "costs CNN2 more"),
        (Sides(9, 6, 0.6, 0.3, 0.8), (), "finds no support", "costs no network here more"),
        (Sides(9, 6, 0.6, 0.3, 0.8), ("cnn2",), "only: CNN2 against peak matching. A surplus is not", "no network"),
    ],
)
def test_the_weight_of_the_largest_peak_is_judged(sides, overrating, said, short):
    found = replace(FOUND, losses={"cnn2": sides}, overrating=overrating)
    texts = decision_regions.largest_peak_texts(found, replace(found, n_classes=3))
    assert said in texts["weight_said"] and short in texts["weight_short"]
    assert "too few to tell" in texts["occlusion_said"]


def test_networks_that_answer_the_same_everywhere_are_named():
    table = pd.DataFrame(
        {
            "model": ["mlp", "cnn2"], "hidden_activation": ["relu", "relu"], "dataset": ["x", "x"],
            "height": [0.001, 0.7], "position": [0.0, 0.1], "same": [0.987, 0.6], "runs": [5, 5],
        }
    )  # fmt: skip
    said = decision_regions.flat_sentence(table)
    assert "gives one and the same answer on 98 % of the map" in said and "CNN2" not in said
    assert decision_regions.variance_rows(table)["Same answer"].tolist() == ["99 %", "60 %"]
