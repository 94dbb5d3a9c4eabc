"""PeakNet: finding peaks, prototypes, and that it learns."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from spectra_lib._base.errors import SpecificationError
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.experiments.peaknet_variants import GRID, VARIANTS, variant_table
from spectra_lib.experiments.single_changes import Variant
from spectra_lib.networks import build_model, describe_model, list_models
from spectra_lib.networks.adaptation import adapt_model
from spectra_lib.networks.peaknet import PeakPrototypes, list_peaks, prototype, shift_costs
from spectra_lib.runs.record import Metrics, RunRecord
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import TRUSTED, RunSpec
from spectra_lib.training.execution import SpectraBatches
from spectra_lib.training.trainer import train


def test_peaks_are_found_between_the_points() -> None:
    points = np.arange(400)
    spectrum = np.exp(-(((points - 120.3) / 3.0) ** 2) / 2) + 0.05 * np.exp(-(((points - 300.75) / 3.0) ** 2) / 2)
    peaks = list_peaks(spectrum[None].astype(np.float32))
    assert peaks[0, :2] == pytest.approx(np.array([[120.3, 1.0], [300.75, 0.05]]), abs=2e-3)
    assert not peaks[0, 2:].any()


def test_peaks_of_the_test_spectra_are_those_of_the_table() -> None:
    split = make_dataset("challenge").test
    peaks = list_peaks(split.spectra())
    for row, (positions, heights) in zip(peaks, split.peaks, strict=True):
        listed = row[row[:, 1] > 0]
        listed = listed[np.argsort(listed[:, 0])]
        seen = heights > 0
        assert listed[:, 0] == pytest.approx(positions[seen], abs=0.02)
        assert listed[:, 1] == pytest.approx(heights[seen] / heights.max(), rel=1e-3, abs=1e-5)


def test_only_the_highest_peaks_are_kept() -> None:
    spectra = make_dataset("benchmark").test.spectra([0])
    assert list_peaks(spectra, 3).shape == (1, 3, 2)
    assert list_peaks(spectra, 3) == pytest.approx(list_peaks(spectra)[:, :3])


def test_prototypes_come_near_the_fingerprints() -> None:
    data = make_dataset("challenge")
    peaks = list_peaks(data.train.spectra()).astype(float)
    gaps = []
    for label, fingerprint in enumerate(data.fingerprints):
        centre = prototype(peaks[data.train.labels == label])
        centre = centre[np.argsort(centre[:, 0])]
        assert len(centre) == fingerprint.n_peaks
        gaps.append(np.abs(centre - np.column_stack([fingerprint.positions, fingerprint.heights])).max(axis=0))
    # the middle of 50 draws from a range of 100 points has a standard deviation of 1.4 points
    assert np.max(gaps, axis=0) == pytest.approx([0.0, 0.0], abs=10.0)
    assert np.median(gaps, axis=0)[0] < 3.0
    assert np.median(gaps, axis=0)[1] < 0.006


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("one_spectrum", [[100.0, 1.0], [300.0, 0.2]]),
        ("mean", [[110.0, 1.0], [310.0, 0.21]]),
        ("mid_range", [[115.0, 1.0], [310.0, 0.21]]),
    ],
)
def test_prototypes_start_where_they_are_told(start, expected) -> None:
    spectra = [[[100, 1], [300, 0.2]], [[100, 1], [0, 0]], [[130, 1], [320, 0.22]]]
    assert prototype(np.array(spectra, dtype=float), start) == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    ("tolerance", "inside", "outside"),
    [("flat", 0.1 * 0.5**2 + np.log1p(np.exp(-5)), 0.1 * 2**2 + 10), ("quadratic", 0.25, 4.0)],
)
def test_a_deviation_costs_what_the_tolerance_says(tolerance, inside, outside) -> None:
    costs = shift_costs(np.array([0.0, 25.0, -25.0, 100.0]), tolerance)
    assert costs == pytest.approx([0.0, inside, inside, outside], abs=1e-3)


@pytest.mark.parametrize(("count_surplus", "cost"), [(True, 20.0), (False, 0.0)])
def test_a_peak_too_many_costs_something_if_asked(count_surplus, cost) -> None:
    layer = PeakPrototypes(2, 1, count_surplus=count_surplus)
    layer.build((None, 2, 2))
    layer.adapt(np.array([[[500.0, 1.0]], [[900.0, 1.0]]]), np.array([0, 1]))
    seen = np.array([[[500.0, 1.0], [0.0, 0.0]], [[500.0, 1.0], [4000.0, 0.5]]], dtype=np.float32)
    alone, with_another = -keras.ops.convert_to_numpy(layer(seen))[:, 0]
    assert with_another - alone == pytest.approx(cost, abs=1e-3)


@pytest.mark.parametrize("option", ["start", "tolerance"])
def test_an_unknown_form_is_refused(option) -> None:
    with pytest.raises(SpecificationError, match=f"{option} must be one of .*, received 'other'"):
        build_model("peaknet", 256, 4, **{option: "other"})


@pytest.mark.parametrize("variant", [GRID[0], *VARIANTS[-2:]], ids=lambda variant: "+".join(variant.options))
def test_what_was_tried_trains(variant, tmp_path) -> None:
    spec = RunSpec(dataset="smoke", max_epochs=1, **variant.fields())
    record = train(spec, tmp_path, execution="graph", quiet=True)
    assert record.faults() == []
    assert record.spec.options == dict(variant.options)  # none is at its default


def made_up(variant: Variant, max_epochs: int, seed: int, errors: int) -> RunRecord:
    """Make up so much of a record as the table of variants reads."""
    fields = {"dataset": "challenge", "seed": seed, "max_epochs": max_epochs, **variant.fields()}
    spec = RunSpec.model_validate(fields, context=TRUSTED)
    parts = {"test": Metrics(n=162, errors=errors, loss=None), "validation": Metrics(n=270, errors=40, loss=None)}
    return RunRecord.model_construct(spec=spec, ended="early_stopping", **parts)


def test_variants_are_gathered_from_records() -> None:
    other = Variant("peaknet", None, {"max_peaks": 5})
    runs = [made_up(v, e, s, 3) for v in (*VARIANTS, other) for e in (1, 2, 500) for s in (0, 1)]
    table = variant_table(RunRecords(tuple(runs)), dataset_spec("challenge"))
    assert len(table) == 4 * len(VARIANTS)
    assert table.groupby("variant").trained.sum().tolist() == [2] * len(VARIANTS)
    assert variant_table(RunRecords(tuple(runs)), dataset_spec("laptop")).empty


def test_adapted_it_knows_most_test_spectra_before_training() -> None:
    data = make_dataset("smoke")
    model = build_model("peaknet", data.spec.n_points, data.spec.n_classes)
    order = np.arange(len(data.train))
    adapt_model(model, SpectraBatches(data.train, order, 32), data.train.labels)
    answers = model.predict(data.test.spectra()[..., None], verbose=0).argmax(axis=1)
    assert np.mean(answers == data.test.labels) > 0.9


def test_too_little_room_is_told() -> None:
    data = make_dataset("smoke")
    model = build_model("peaknet", data.spec.n_points, data.spec.n_classes, peaks_per_class=1)
    with pytest.raises(SpecificationError, match="set peaks_per_class to"):
        adapt_model(model, SpectraBatches(data.train, np.arange(len(data.train)), 32), data.train.labels)


def test_it_trains_and_describes_itself(tmp_path) -> None:
    assert "peaknet" in list_models()
    about = describe_model("peaknet", n_classes=500)
    assert about.parameters == 3 * 2000 + 8
    assert about.parameters < 2_000_000
    assert about.multiply_adds == (4 * 12 + 12) * 2000
    record = train(RunSpec(dataset="smoke", model="peaknet", max_epochs=2), tmp_path, quiet=True)
    assert record.reevaluation_gap == pytest.approx(0.0, abs=1e-6)
    assert record.test.accuracy > 0.9
