"""Excess error over the Bayes classifier: zero for it, exact given the spectrum, honest where errors are rare."""

import numpy as np
import pytest
from typer.testing import CliRunner

from spectra_lib._base.errors import StoreError
from spectra_lib.analysis.excess_error import MANY, excess_interval, excess_of, fresh_posterior
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.cli.app import app
from spectra_lib.datasets.dataset import fresh_seed, make_dataset
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.runs.fresh import FreshPredictions
from spectra_lib.runs.store import RunStore, read_record

SPEC = dataset_spec("challenge").model_copy(update={"n_fresh": 40})


@pytest.fixture(scope="module")
def data():
    return make_dataset(SPEC)


@pytest.fixture(scope="module")
def posterior(data):
    return bayes_classifier(data).posterior(data.fresh)


@pytest.fixture(scope="module")
def record(project):
    """A committed run on the challenging set as schema 1 had it, to be given predictions on fresh spectra."""
    found = read_record(next((project / "results" / "challenge").glob("challenge-cnn2-relu-paper-s0-*.json")))
    return found.model_copy(update={"fresh": None, "schema_version": 1})


def with_predictions(record, data, labels, losses=None):
    zeros = np.zeros(len(labels))
    fresh = FreshPredictions.pack(
        fresh_seed(data.spec), data.spec.n_fresh, labels, zeros, zeros if losses is None else losses
    )
    digests = record.data_digests | {"fresh": data.fresh.digest}
    return record.model_copy(update={"fresh": fresh, "data_digests": digests, "schema_version": 2})


def test_the_bayes_classifier_has_no_excess(record, data, posterior):
    truth, rows = data.fresh.labels, np.arange(len(data.fresh))
    losses = -np.log(posterior[rows, truth])
    found = excess_of(with_predictions(record, data, posterior.argmax(axis=1), losses))
    assert (found.mean, found.standard_error, found.low) == (0.0, 0.0, 0.0)
    assert found.high == pytest.approx(3.69 / found.n, rel=1e-3)
    assert found.loss == pytest.approx(0, abs=1e-12)
    assert found.bayes_errors == pytest.approx((1 - posterior.max(axis=1)).sum())
    assert found.bayes_errors > 20 and not found.is_bound


def test_the_excess_is_that_of_the_dense_posterior(record, data, posterior):
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(len(data.fresh)) < 0.3, rng.integers(0, 27, len(data.fresh)), posterior.argmax(axis=1))
    labels[:5] = -1  # no answer is never right
    own = np.where(labels < 0, 0.0, posterior[np.arange(len(labels)), labels])
    excess = posterior.max(axis=1) - own
    found = excess_of(with_predictions(record, data, labels))
    assert found.mean == pytest.approx(excess.mean()) and found.errors == (labels != data.fresh.labels).sum()
    assert found.low < found.mean < found.high
    by_class = excess.reshape(27, 40)
    assert found.standard_error == pytest.approx(np.sqrt(by_class.var(axis=1, ddof=1).mean() / excess.size))


def test_given_the_spectra_it_varies_less_than_a_count(posterior):
    """Classes drawn from the posterior of each spectrum: the same mean, the counted difference scattered about it."""
    rng = np.random.default_rng(1)
    best, second = posterior.argmax(axis=1), posterior.argsort(axis=1)[:, -2]
    rows = np.arange(len(posterior))
    excess = (posterior[rows, best] - posterior[rows, second]).mean()
    cumulated = posterior.cumsum(axis=1)
    counts = []
    for _ in range(300):
        truth = (cumulated < rng.random((len(rows), 1))).sum(axis=1)
        counts.append((second != truth).mean() - (best != truth).mean())
    assert np.mean(counts) == pytest.approx(excess, abs=4 * np.std(counts) / np.sqrt(300))
    assert np.std(counts) > 0.003


@pytest.mark.parametrize(("share", "n"), [(0.0005, 4000), (0.003, 4000), (0.05, 4000)])
def test_intervals_cover(share, n):
    """Rare and frequent excesses of random size; the nominal coverage is 95 %."""
    rng = np.random.default_rng(0)
    truth, covered, trials = share * 0.6, 0, 400
    for _ in range(trials):
        excess = np.where(rng.random(n) < share, rng.uniform(0.2, 1.0, n), 0.0)
        low, high = excess_interval(excess, float(excess.std(ddof=1)) / np.sqrt(n))
        assert 0 <= low <= excess.mean() <= high <= 1
        covered += low <= truth <= high
    assert covered / trials > 0.92
    assert (share * n > MANY) == (share == 0.05)


def test_no_predictions_or_other_spectra_are_refused(record, data):
    with pytest.raises(StoreError, match="schema 1 lacks fresh spectra"):
        excess_of(record)
    other = with_predictions(record, data, data.fresh.labels)
    with pytest.raises(StoreError, match="not those that this version of the library draws"):
        excess_of(other.model_copy(update={"data_digests": {"fresh": "0" * 64}}))


def test_noise_makes_it_a_bound():
    assert fresh_posterior(dataset_spec("laptop_noisy"), 2).is_bound
    assert not fresh_posterior(dataset_spec("laptop"), 2).is_bound


def test_command(record, data, posterior, tmp_path):
    store = RunStore(tmp_path)
    store.save(with_predictions(record, data, posterior.argmax(axis=1)))
    old = record.model_copy(update={"spec": record.spec.model_copy(update={"seed": 9})})
    path = tmp_path / "challenge" / "old.json"
    path.write_text(old.model_dump_json())
    strained = with_predictions(record, data, data.fresh.labels).spec.model_copy(
        update={"dataset": dataset_spec("challenge").with_realism("strained", strain=0.01)}
    )
    other = with_predictions(record, data, data.fresh.labels).model_copy(update={"spec": strained})
    (tmp_path / "challenge" / "strained.json").write_text(other.model_dump_json())
    result = CliRunner().invoke(app, ["records", "excess", "--store", str(tmp_path)], terminal_width=200)
    assert result.exit_code == 0, result.output
    row = next(line for line in result.stdout.splitlines() if line.startswith(record.spec.run_id))
    assert "1080" in row and "0.000 to 0.342" in row
    assert "1 records lack fresh spectra (schema 1): 1 of challenge" in result.stdout
    assert f"Passed over: dataset 'strained' has realism.strain={strained.dataset_spec.realism.strain}" in result.stdout
    listed = CliRunner().invoke(app, ["records", "list", "--store", str(tmp_path)], terminal_width=200).stdout
    assert "fresh errors" in listed and " of 1080" in listed
