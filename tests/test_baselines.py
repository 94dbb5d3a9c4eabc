"""Classical baselines: peak finding, the registry, what each method answers, and the result value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from spectra_lib._base.errors import SpecificationError, SpectraError, StoreError, UnknownNameError
from spectra_lib.baselines import (
    BaselineResult,
    baseline_table,
    fit_baseline,
    list_baselines,
    load_results,
    measure_baseline,
    measure_in_fresh_process,
    register_baseline,
    registry,
    save_result,
)
from spectra_lib.baselines.features import Features, choose_width, most_similar, sparse_spectra
from spectra_lib.baselines.forest import Forest
from spectra_lib.baselines.store import find_result_faults
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.bayes.peak_finding import find_peak_lists
from spectra_lib.bayes.training_distribution import observe
from spectra_lib.datasets.dataset import Dataset, Split, make_dataset
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.rendering import render
from spectra_lib.datasets.specification import DatasetSpec

NAMES = [
    "cosine",
    "cosine_broadened",
    "linear",
    "linear_broadened",
    "mid_range_matcher",
    "nearest_neighbour",
    "nearest_neighbour_broadened",
    "peak_matcher",
    "random_forest",
    "random_forest_broadened",
]


@pytest.fixture(scope="module")
def smoke() -> Dataset:
    return make_dataset("smoke")


@pytest.fixture(scope="module")
def challenge() -> Dataset:
    return make_dataset("challenge")


def assert_found(found: PeakTable, expected: PeakTable, row: int = 0) -> None:
    positions, heights = found.peaks(row)
    assert positions.tolist() == expected.peaks(row)[0].tolist()
    np.testing.assert_allclose(heights, expected.peaks(row)[1], atol=2e-5)


@pytest.mark.parametrize("name", ["smoke", "laptop", "challenge"])
def test_every_peak_is_found_again(name: str) -> None:
    data = make_dataset(name)
    for split in (data.validation, data.test):
        found, expected = find_peak_lists(split.spectra()), observe(split.peaks)
        for row in range(len(split)):
            assert_found(found, expected, row)
        np.testing.assert_allclose(found.widths, split.peaks.widths, rtol=2e-6)


@pytest.mark.parametrize("distance", [2, 3, 4, 6, 9, 13, 20, 40])
@pytest.mark.parametrize("height", [1.0, 0.3, 0.01])
def test_merged_peaks_are_told_apart(distance: int, height: float) -> None:
    table = PeakTable.from_lists([[300, 300 + distance, 700]], [[1.0, height, 0.5]], [3.7])
    assert_found(find_peak_lists(render(table, 1000)), table)


def test_merged_pair_without_any_single_peak() -> None:
    table = PeakTable.from_lists([[300, 305]], [[1.0, 0.6]], [4.2])
    found = find_peak_lists(render(table, 1000))
    assert_found(found, table)
    assert found.widths[0] == pytest.approx(4.2, rel=1e-5)


def test_peaks_at_both_ends_and_no_peaks() -> None:
    table = PeakTable.from_lists(
        [[0, 200, 499], [3, 490], [250]], [[0.5, 1.0, 0.2], [1.0, 0.4], [0.0]], [2.5, 4.0, 3.0]
    )
    found = find_peak_lists(render(table, 500))
    for row in (0, 1):
        assert_found(found, table, row)
    assert len(found.peaks(2)[0]) == 0
    assert np.isnan(found.widths[2])


def test_registry() -> None:
    assert list_baselines() == NAMES
    with pytest.raises(UnknownNameError, match="Did you mean 'cosine'"):
        fit_baseline("cosin", make_dataset("smoke"))
    with pytest.raises(SpecificationError, match="registered already"):
        register_baseline("linear")(fit_baseline)  # type: ignore[arg-type]


def test_own_baseline_is_measured_like_the_others(smoke: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    class AlwaysTwo:
        settings = {"answer": 2}  # noqa: RUF012

        def predict(self, split: Split) -> np.ndarray:
            return np.full(len(split), 2)

        def probabilities(self, split: Split) -> None:
            return None

    register_baseline("always_two")(lambda dataset: AlwaysTwo())
    result = measure_baseline("always_two", smoke)
    assert (result.test_errors, result.validation_errors) == (27, 12)
    assert result.settings == {"answer": 2}


@pytest.mark.parametrize("name", NAMES)
def test_each_baseline_classifies_spectra(name: str, smoke: Dataset) -> None:
    baseline = fit_baseline(name, replace(smoke, test=None))  # fitting cannot have seen the test set
    labels = baseline.predict(smoke.test)
    assert labels.shape == (36,)
    assert np.count_nonzero(labels != smoke.test.labels) <= 1
    # Only spectra are looked at: neither wrong labels nor the order of the peak table matters.
    flipped = PeakTable.from_lists(
        [x[::-1] for x, _ in smoke.test.peaks], [h[::-1] for _, h in smoke.test.peaks], smoke.test.peaks.widths
    )
    blind = replace(smoke.test, labels=np.zeros(36, dtype=np.int64), peaks=flipped)
    assert np.array_equal(baseline.predict(blind), labels)
    probability = baseline.probabilities(smoke.test)
    if probability is not None:
        assert probability.shape == (36, 4)
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
        assert np.array_equal(probability.argmax(axis=1), labels)
    assert all(isinstance(value, float | int | str) for value in baseline.settings.values())


@pytest.mark.parametrize(
    ("name", "validation", "test"),
    [("peak_matcher", 41, 0), ("mid_range_matcher", 43, 0), ("cosine", 188, 108), ("nearest_neighbour", 177, 104)],
)
def test_errors_on_the_challenging_set(name: str, validation: int, test: int, challenge: Dataset) -> None:
    result = measure_baseline(name, challenge)
    assert (result.validation_errors, result.test_errors) == (validation, test)


def test_peak_matcher_has_the_ideal_observers_posterior(challenge: Dataset) -> None:
    exact = bayes_classifier(challenge).posterior(challenge.validation)
    found = fit_baseline("peak_matcher", challenge).probabilities(challenge.validation)
    np.testing.assert_allclose(found, exact, atol=1e-4)


def test_peak_matcher_on_the_general_benchmark() -> None:
    # The test set does not depend on how many training spectra there are.
    data = make_dataset(dataset_spec("benchmark").model_copy(update={"n_train": 1, "n_validation": 1}))
    predicted = fit_baseline("peak_matcher", data).predict(data.test)
    assert int((predicted != data.test.labels).sum()) == 6


def test_broadening_makes_neighbours() -> None:
    ideal = make_dataset("laptop").ideal
    features = Features.broadened(1000, choose_width(make_dataset("laptop")))
    rows = features(ideal)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    shifted = replace(ideal, peaks=replace(ideal.peaks, positions=ideal.peaks.positions + 8))
    plain = sparse_spectra(ideal) @ sparse_spectra(shifted).T
    assert plain.toarray().diagonal().max() < 0.02  # exp(-8^2 / (2 * 2)^2)
    assert (rows * features(shifted)).sum(axis=1).min() > 0.9


def test_blocks_average_neighbouring_points() -> None:
    assert Features.blocks(256).weights.shape == (256, 256)
    weights = Features.blocks(5001).weights
    assert weights.shape == (5001, 455)
    np.testing.assert_allclose(weights.sum(axis=0)[:-1], 1, rtol=1e-6)


def test_most_similar_handles_blocks_and_sparse_rows() -> None:
    rng = np.random.default_rng(0)
    references, queries = rng.random((50, 8)), rng.random((600, 8))
    assert np.array_equal(most_similar(references, queries), (queries @ references.T).argmax(axis=1))


def test_compact_tree_answers_like_scikit_learns(challenge: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spectra_lib.baselines.forest.TREES", 1)
    features = Features.broadened(5000, 40)
    own = Forest.fit(challenge, features, {})
    theirs = RandomForestClassifier(n_estimators=1, random_state=0)
    theirs.fit(features(challenge.train), challenge.train.labels)
    assert np.array_equal(own.predict(challenge.test), theirs.predict(features(challenge.test)))


def test_vanished_spectrum_is_classified_by_all(smoke: Dataset) -> None:
    empty = Split(np.array([0]), PeakTable.from_lists([[9]], [[0.0]], [2.0]), 256)
    for name in ("cosine_broadened", "nearest_neighbour", "peak_matcher", "mid_range_matcher", "random_forest"):
        assert 0 <= fit_baseline(name, smoke).predict(empty)[0] < 4


def test_result_round_trip_and_table(smoke: Dataset) -> None:
    result = measure_baseline("cosine_broadened", smoke)
    assert BaselineResult.from_json(result.to_json()) == result
    assert result.dataset == "smoke"
    assert result.dataset_spec == smoke.spec
    assert result.fit_seconds > 0
    assert result.predict_seconds > 0
    assert 10**7 < result.peak_memory_bytes < 10**11
    table = baseline_table([result])
    assert table.loc[0, "model"] == "cosine_broadened"
    assert table.loc[0, "test_n"] == 36
    assert table.loc[0, "test_accuracy"] == 1 - result.test_errors / 36
    for text, message in (
        (result.to_json()[:-5], "not a complete JSON text"),
        (result.to_json().replace('"test_errors":', '"test_errors":4'), "test_errors=40 for 36 predictions"),
        (result.to_json().replace('"name"', '"nam"'), "name: Field required"),
        (result.to_json().replace('"cosine_broadened"', '"../cosine"'), "name: String should match pattern"),
        (result.to_json().replace('"smoke"', '"smok"'), "unknown dataset 'smok'"),
    ):
        with pytest.raises(SpecificationError, match=message):
            BaselineResult.from_json(text)


def test_result_on_a_dataset_of_ones_own_names_its_law(smoke: Dataset) -> None:
    own = make_dataset(smoke.spec.model_copy(update={"name": "mine", "n_train": 3}))
    result = BaselineResult.from_json(measure_baseline("cosine", own).to_json())
    assert result.dataset == own.spec
    assert result.faults(own) == []
    assert result.faults(smoke) == ["the data are not those that the specification gives now"]
    assert result.row()["dataset"] == "mine"


def test_table_of_no_results() -> None:
    assert baseline_table([]).test_errors.tolist() == []


# The store


def test_each_baseline_is_measured_in_a_process_of_its_own(smoke: Dataset, tmp_path: Path) -> None:
    ballast = np.ones(60_000_000)  # 480 MB that a fresh process does not see
    result = measure_in_fresh_process("nearest_neighbour", smoke.spec)
    assert result.peak_memory_bytes < ballast.nbytes
    assert result.test_predictions == measure_baseline("nearest_neighbour", smoke).test_predictions
    path = save_result(tmp_path, result)
    assert path == tmp_path / "baselines" / "smoke" / "nearest_neighbour.json"
    assert load_results(tmp_path) == (result,)
    save_result(tmp_path, result)  # a later measurement replaces an earlier one
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with pytest.raises(UnknownNameError, match="unknown baseline 'nearest'"):
        measure_in_fresh_process("nearest", smoke.spec)


def test_a_process_that_fails_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    class Broken:
        name = "broken"
        text: str | None = "{"

        def to_json(self) -> str | None:
            return self.text

    broken = Broken()
    with pytest.raises(SpectraError, match="baseline 'cosine': .*not a complete JSON text"):
        measure_in_fresh_process("cosine", broken)  # type: ignore[arg-type]
    broken.text = None
    with pytest.raises(SpectraError, match="baseline 'cosine' on 'broken': the process ended with exit code 1"):
        measure_in_fresh_process("cosine", broken)  # type: ignore[arg-type]
    assert "TypeError" in capfd.readouterr().err


def test_faults_of_stored_results_are_found(smoke: Dataset, tmp_path: Path) -> None:
    result = measure_baseline("cosine_broadened", smoke)
    path = save_result(tmp_path, result)
    assert list(find_result_faults(tmp_path)) == [(path, [])]
    altered = (*result.test_predictions[:-1], (result.test_predictions[-1] + 1) % 4)
    save_result(tmp_path, result.model_copy(update={"test_predictions": altered}))
    ((_, (fault,)),) = find_result_faults(tmp_path)
    assert fault == f"test: predictions make {result.test_errors + 1} errors, the result says {result.test_errors}"
    save_result(tmp_path, result.model_copy(update={"data_digests": {}, "validation_predictions": (0, 0)}))
    ((_, faults),) = find_result_faults(tmp_path)
    assert faults == [
        "validation: 2 predictions for 16 spectra",
        "the data are not those that the specification gives now",
    ]
    path.write_text(result.to_json()[:-9])
    other = path.with_name("other.json")
    other.write_text(result.to_json())
    (_, (damaged,)), (_, (misnamed,)) = find_result_faults(tmp_path)
    assert "not a complete JSON text" in damaged
    assert "delete cosine_broadened.json and run the baseline again" in damaged
    assert misnamed == "the file should be called baselines/smoke/cosine_broadened.json"
    with pytest.raises(StoreError, match="not a complete JSON text"):
        load_results(tmp_path)


def test_a_store_that_cannot_be_written_is_told(smoke: Dataset, tmp_path: Path) -> None:
    (tmp_path / "baselines").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="cannot write the result .*choose another store"):
        save_result(tmp_path, measure_baseline("cosine", smoke))


def test_committed_results_are_sound(project: Path) -> None:
    for path, faults in find_result_faults(project / "results"):
        assert faults == [], path


def test_matchers_handle_a_law_that_moves_nothing() -> None:
    variation = {"position_shift": 0, "height_change": 0.0}
    data = make_dataset(
        DatasetSpec(
            name="still",
            n_points=400,
            n_classes=5,
            n_train=3,
            variation=variation,
            test={"shift": 0, "height_change": 0.0},
        )
    )
    for name in ("peak_matcher", "mid_range_matcher", "cosine_broadened"):
        assert np.array_equal(fit_baseline(name, data).predict(data.test), data.test.labels)
