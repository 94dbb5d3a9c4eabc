"""Runs that fail: seen wherever they show up, and recorded even if no loss was ever a number."""

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from spectra_lib.cli.app import app
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.runs.judgement import Failure, failure_text, failures, has_failed
from spectra_lib.runs.protocol import Progress, protocol
from spectra_lib.runs.record import Metrics, Predictions, RunRecord
from spectra_lib.runs.records import RunRecords, converged_runs, failed_runs, load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore, read_record
from spectra_lib.training import backend
from spectra_lib.training import trainer as training
from spectra_lib.training.prediction import load_model
from spectra_lib.training.trainer import train

# Weights of this size overflow in the first steps.
HOPELESS = {"dataset": "smoke", "model": "vgg", "batch_size": 8, "learning_rate": 1e30, "max_epochs": 40}
GOOD = {"dataset": "smoke", "model": "vgg", "max_epochs": 30, "learning_rate": 3e-3, "options": {"hidden_units": [16]}}


@pytest.fixture(scope="module")
def hopeless(tmp_path_factory):
    """A store with a run whose loss is not a number from the first epoch on."""
    store = RunStore(tmp_path_factory.mktemp("hopeless"))
    train(RunSpec(**HOPELESS), store, quiet=True)
    return store


@pytest.fixture(scope="module")
def committed(project) -> RunRecords:
    return load_records(project / "results")


@pytest.fixture(scope="module")
def good(committed) -> RunRecord:
    """A run that learned."""
    return next(r for r in committed if r.spec.model == "cnn2" and r.spec.dataset == "challenge" and r.kept_epoch > 5)


# A loss that is not a number


def test_a_run_without_one_finite_epoch_has_a_sound_record_that_says_so(hopeless):
    spec = RunSpec(**HOPELESS)
    record = read_record(hopeless.record_path(spec))
    json.loads(hopeless.record_path(spec).read_text(), parse_constant=pytest.fail)  # no NaN in the JSON
    assert (record.ended, record.kept_epoch, len(record.history)) == ("not_finite", 0, 1)
    assert record.history.loss == (None,) and record.validation.loss is None and record.reevaluation_gap is None
    data = make_dataset("smoke")
    assert record.faults(data) == []
    assert set(record.test_predictions.labels) == {-1} and set(record.test_predictions.probabilities) == {0.0}
    assert record.test.errors == record.test.n and record.fresh.errors == record.fresh.n
    assert set(record.fresh.labels) == {-1} and set(record.fresh.confidences) == {0.0} and record.fresh.loss is None
    assert Failure.NOT_FINITE in failures(record)
    assert hopeless.load(spec) == record and train(spec, hopeless, quiet=True) == record


def test_the_command_line_says_so(hopeless):
    def command(*arguments, code=0):
        result = CliRunner().invoke(app, [*arguments, "--store", str(hopeless.path)], terminal_width=250)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result.output

    arguments = ("train", "--dataset", "smoke", "--model", "vgg", "--batch-size", "8", "--learning-rate", "1e30")
    printed = command(*arguments, "--max-epochs", "40", code=1)
    assert "failed to converge: loss not finite" in printed
    assert "loss not finite" in command("records", "list")
    printed = command("records", "check")
    assert "sound, but the run failed to converge: loss not finite" in printed
    assert "1 records checked, 0 with faults; 1 runs failed to converge" in printed
    assert "exactly as recorded" in command("records", "verify", "smoke-vgg")
    (row,) = load_records(hopeless.path).table().itertuples()
    assert row.failure.startswith("loss not finite") and np.isnan(row.fresh_loss) and row.fresh_errors == 800


def test_its_weights_open_and_answer_nothing(hopeless):
    network = load_model("smoke-vgg", hopeless.path)
    assert np.isnan(network.predict(make_dataset("smoke").test.spectra([0, 1]))).all()


@pytest.mark.parametrize("interrupted", [False, True])
def test_weights_lost_on_the_way_leave_the_best_checkpoint(interrupted, tmp_path, monkeypatch):
    run_epoch = training._Trainer.run_epoch

    def poisoned(self):
        if self.progress.epoch == 3:
            lost = [np.full(variable.shape, np.nan, np.float32) for variable in self.model.weights]
            backend.set_state(self.model.weights, lost)
        run_epoch(self)

    def stop(progress):
        if interrupted and progress.epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(training._Trainer, "run_epoch", poisoned)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            train(RunSpec(**GOOD), tmp_path, quiet=True, on_epoch=stop)
    record = train(RunSpec(**GOOD), tmp_path, quiet=True)
    assert record.ended == "not_finite" and len(record.history) == 4 and record.kept_epoch < 3
    assert record.history.loss[3] is None and record.history.val_accuracy[3] == 0.0
    assert record.validation.loss is not None and -1 not in record.test_predictions.labels
    assert record.faults(make_dataset("smoke")) == []
    assert Failure.NOT_FINITE in failures(record)
    other = record.model_copy(update={"ended": "max_epochs"})
    assert other.faults() == ["ended by max_epochs, but the protocol says not_finite"]


def test_an_epoch_without_a_number_is_never_the_best_one():
    for name in ("paper", "code"):
        state = Progress(learning_rate=1e-3).after_epoch(protocol(name), float("nan"), 0.9)
        assert state.kept_epoch == 0 and state.kept_score == float("-inf") and not state.stopped
        state = state.after_epoch(protocol(name), 5.0, 0.1)
        assert state.kept_epoch == 1
        state = state.after_epoch(protocol(name), float("nan"), 1.0)
        assert state.kept_epoch == 1 and not state.diverged
        state = state.after_epoch(protocol(name), 0.1, 1.0, loss=float("nan"))
        assert state.stopped and state.diverged and state.ended == "not_finite"


def test_records_of_schema_1_went_on_whatever_their_loss(good):
    history = good.history.model_copy(update={"loss": (None, *good.history.loss[1:])})
    old = good.model_copy(update={"history": history, "schema_version": 1, "fresh": None})
    assert old.faults() == [] and failures(old) == (Failure.NOT_FINITE,)
    assert old.model_copy(update={"schema_version": 2}).replay().epoch == 1


# Judgement


def judged(record: RunRecord, **changes) -> set[Failure]:
    return set(failures(record.model_copy(update=changes)))


def test_a_run_that_learned_is_not_marked(good):
    assert failures(good) == () and not has_failed(good) and failure_text(good) == ""


def test_one_class_for_everything(good):
    same = Predictions(labels=(7,) * good.test.n, probabilities=(1.0,) * good.test.n)
    assert judged(good, test_predictions=same) == {Failure.CONSTANT}
    assert judged(good, validation_predictions=same) == {Failure.CONSTANT}


def test_chance_level_is_a_matter_of_probability(good):
    def with_right(right: int) -> set[Failure]:
        return judged(good, validation=Metrics(n=270, errors=270 - right, loss=3.0))

    # 10 of 270 are expected of a guess among 27 classes, and more than 15 in fewer than 5 of 100 cases.
    assert with_right(0) == with_right(10) == with_right(15) == {Failure.CHANCE}
    assert with_right(16) == with_right(270) == set()


def test_a_first_epoch_that_stays_the_best_is_a_failure_only_if_validation_never_followed(good):
    assert judged(good, kept_epoch=0) == set()
    far = Metrics(n=270, errors=235, loss=3.0)
    assert judged(good, kept_epoch=0, validation=far) == {Failure.FIRST_EPOCH}
    assert judged(good, kept_epoch=1, validation=far) == set()
    short = {name: column[:1] for name, column in good.history.model_dump().items()}
    assert judged(good, kept_epoch=0, validation=far, history=good.history.model_copy(update=short)) == set()


def test_spectra_without_an_answer(good):
    labels = (-1, *good.test_predictions.labels[1:])
    one = good.test_predictions.model_copy(update={"labels": labels})
    assert judged(good, test_predictions=one) == {Failure.NOT_FINITE}


def test_runs_are_sorted_into_failed_and_converged(good):
    bad = good.model_copy(update={"ended": "not_finite"})
    assert list(failed_runs([good, bad])) == [bad] and list(converged_runs([good, bad])) == [good]


def test_committed_runs_that_failed(committed):
    """Those of the first campaign; new ones may join them."""
    found = {record.spec.run_id: failures(record) for record in failed_runs(committed)}
    first = {
        "challenge-cnn_bn-linear-paper-s0-ed6b8992": (Failure.FIRST_EPOCH,),
        "challenge-cnn_bn-linear-paper-s1-27f1ae4f": (Failure.FIRST_EPOCH,),
        "challenge-resnet-none-paper-s0-c7723cb2": (Failure.CONSTANT, Failure.CHANCE, Failure.FIRST_EPOCH),
    }
    assert {run: found.get(run) for run in first} == first
    right_at_once = [r for r in committed if r.spec.model == "peaknet" and r.kept_epoch == 0 and len(r.history) > 1]
    assert right_at_once and not any(map(has_failed, right_at_once))
    assert Counter(record.ended for record in committed).keys() <= {"early_stopping", "max_epochs", "not_finite"}
