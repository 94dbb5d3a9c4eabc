"""Fresh spectra: independent of all others, the same every time, and no part of what identifies a run."""

import json

import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError
from spectra_lib._base.values import canonical_digest
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.datasets.harder import with_training_size
from spectra_lib.datasets.named import dataset_spec, list_datasets
from spectra_lib.datasets.specification import FRESH_PER_CLASS, DatasetSpec
from spectra_lib.runs.fresh import FreshPredictions, standard_error, true_labels
from spectra_lib.runs.specification import TRUSTED, RunSpec


def test_the_specification_says_how_many():
    wanted = {"benchmark": 100, "challenge": 2000}
    for name in list_datasets():
        assert dataset_spec(name).n_fresh == wanted.get(name, FRESH_PER_CLASS)
    assert with_training_size(dataset_spec("challenge"), 5).n_fresh == FRESH_PER_CLASS
    assert DatasetSpec(name="mine", n_fresh=2).n_fresh == 2


def test_they_are_no_part_of_the_identity_of_a_dataset_or_a_run():
    one, other = (DatasetSpec(name="mine", n_fresh=n) for n in (50, 51))
    assert one.digest == other.digest == DatasetSpec(name="mine").digest
    assert RunSpec(dataset=one, model="vgg").digest == RunSpec(dataset=other, model="vgg").digest
    assert DatasetSpec.from_json(one.to_json()) == one


def test_digests_of_all_committed_results_are_what_they_were(project):
    checked = 0
    for path in (project / "results").rglob("*.json"):
        data = json.loads(path.read_text())
        spec = data.get("spec")
        if not isinstance(spec, dict) or "digest" not in data or "history" not in data:
            continue
        assert RunSpec.model_validate(spec, context=TRUSTED).digest == data["digest"], path
        checked += 1
    assert checked > 100
    named = {name: dataset_spec(name) for name in list_datasets()}
    for spec in named.values():
        plain = {key: value for key, value in json.loads(spec.to_json()).items() if key != "n_fresh"}
        assert spec.digest == canonical_digest(plain)


@pytest.mark.parametrize("name", ["smoke", "laptop_noisy"])
def test_they_are_the_same_every_time_and_apart_from_all_others(name):
    spec = dataset_spec(name).model_copy(update={"n_fresh": 3})
    data, again = make_dataset(spec), make_dataset(spec)
    assert data.fresh is data.split("fresh") and len(data.fresh) == 3 * spec.n_classes
    assert data.fresh.labels.tolist() == np.repeat(np.arange(spec.n_classes), 3).tolist()
    assert data.fresh.digest == again.fresh.digest
    np.testing.assert_array_equal(data.fresh.spectra([0, 5]), again.fresh.spectra([5, 0])[::-1])
    seen = {
        tuple(peaks.tobytes() for peaks in data.split(k).peaks.peaks(row))
        for k in ("train", "validation")
        for row in range(12)
    }
    assert not any(tuple(peaks.tobytes() for peaks in data.fresh.peaks.peaks(row)) in seen for row in range(9))
    assert data.fresh.is_sparse == data.train.is_sparse


def test_noise_strain_and_texture_are_as_in_training():
    dials = {"noise": (0.02, 0.02), "strain": 0.01, "texture": 0.5}
    data = make_dataset(dataset_spec("laptop").with_realism("rough", **dials))
    calm = make_dataset(dataset_spec("laptop").with_realism("calm", noise=(0.02, 0.02)))
    assert data.fresh.seed != data.train.seed and data.fresh.seed not in (data.validation.seed, data.test.seed)
    assert not np.array_equal(data.fresh.peaks.positions, calm.fresh.peaks.positions)
    far = calm.fresh.spectra([0], dtype=np.float64)[0] - calm.train.spectra([0], dtype=np.float64)[0]
    assert 0.02 < far[-100:].std() < 0.04  # two independent noises of .02, before the second normalisation


def test_they_follow_the_training_distribution():
    data = make_dataset(dataset_spec("challenge").model_copy(update={"n_fresh": 60}))
    assert bayes_classifier(data).in_support(data.fresh)[np.arange(len(data.fresh)), data.fresh.labels].all()
    offsets = data.fresh.peaks.positions[:120] - np.tile(data.fingerprints[0].positions, 60)
    assert offsets.min() >= -50 and offsets.max() < 50 and offsets.std() > 20


def test_an_unknown_split_is_named():
    with pytest.raises(SpectraError, match="train, validation, test, fresh"):
        make_dataset("smoke").split("old")


# Predictions


def made_up(n_classes: int, per_class: int, share: float) -> FreshPredictions:
    rng = np.random.default_rng(0)
    labels = true_labels(n_classes * per_class, per_class)
    wrong = rng.random(len(labels)) < share
    labels[wrong] = rng.integers(0, n_classes, wrong.sum())
    return FreshPredictions.pack(
        (1, 2), per_class, labels, rng.uniform(0.3, 1.0, len(labels)), rng.exponential(size=len(labels))
    )


def test_fifty_thousand_predictions_are_small():
    """11 % errors, and confidences that compress no better than noise."""
    assert len(made_up(27, 2000, 0.11).model_dump_json()) < 140_000  # bytes
    assert len(made_up(500, 100, 0.01).model_dump_json()) < 120_000


def test_predictions_come_back():
    labels, confidences = np.array([0, -1, 1, 0]), np.array([0.25, 0.0, 1.0, 0.123456])
    fresh = FreshPredictions.pack((1, 2), 2, labels, confidences, np.array([0.0, 1.0, 2.0, 3.0]))
    again = FreshPredictions.model_validate_json(fresh.model_dump_json())
    assert again == fresh and again.labels.tolist() == [0, -1, 1, 0]
    assert again.confidences.tolist() == [0.25, 0.0, 1.0, 0.1235]
    assert (again.n, again.errors, again.loss, again.accuracy) == (4, 2, 1.5, 0.5)
    assert again.loss_standard_error == pytest.approx(np.sqrt(0.5 / 4))
    assert again.faults(2) == []


def test_a_loss_that_is_not_finite_is_none():
    fresh = FreshPredictions.pack((1,), 2, np.full(4, -1), np.zeros(4), np.full(4, np.nan))
    assert fresh.loss is None and fresh.loss_standard_error is None and fresh.errors == 4
    assert fresh.faults(2) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"packed_labels": "0"}, "cannot be read"),
        ({"n": 6}, "expected 6 values of 4 bytes"),
        ({"n": 5}, "not a multiple"),
    ],
)
def test_damaged_predictions_are_refused(changes, message):
    fresh = FreshPredictions.pack((1,), 2, np.array([0, 0, 1, 1]), np.ones(4), np.zeros(4))
    with pytest.raises(ValueError, match=message):
        FreshPredictions.model_validate(fresh.model_dump() | changes)


def test_faults_of_predictions_are_found():
    fresh = made_up(4, 5, 0.2)
    assert fresh.faults(4) == []
    assert fresh.faults(3)[0] == "fresh: 20 spectra, but 3 classes of 5"
    wrong = fresh.model_copy(update={"errors": 0})
    assert wrong.faults(4) == [f"fresh: errors by the predictions: {fresh.errors}, by the record: 0"]


def test_standard_error_of_spectra_drawn_class_by_class():
    rng = np.random.default_rng(0)
    means = [(rng.normal(size=(5, 40)) + 10 * np.arange(5)[:, None]).mean() for _ in range(400)]
    one = rng.normal(size=(5, 40)) + 10 * np.arange(5)[:, None]
    assert standard_error(one.reshape(-1), 40) == pytest.approx(np.std(means), rel=0.15)
