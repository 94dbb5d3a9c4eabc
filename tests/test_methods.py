"""Methods chapter: replayed protocols, runs repeated and tampered with, differences between text and code."""

import re
from pathlib import Path

import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError
from spectra_lib.analysis import replay
from spectra_lib.analysis.table_2 import changes_several, table_2
from spectra_lib.claims import differences
from spectra_lib.claims.differences import State
from spectra_lib.claims.evidence import gather_evidence
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.experiments import reproducibility
from spectra_lib.figures import methods as figures
from spectra_lib.figures import provenance
from spectra_lib.paper.published import published_validation_loss
from spectra_lib.runs.protocol import protocol
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords, load_records
from spectra_lib.runs.specification import TRUSTED, RunSpec

RESULTS = Path(__file__).parents[1] / "results"


@pytest.fixture(scope="module")
def run():
    """A small run of our own."""
    return reproducibility.train_anew(RunSpec(dataset="smoke", model="vgg", max_epochs=2))


def test_published_runs_ended_by_the_rules_of_the_code():
    table = replay.replay_published().set_index("protocol")
    assert table.loc["code"].agrees.all() and not table.loc["paper"].agrees.any()
    assert table.loc["code"].learning_rate.max() < 1e-6 < 1e-5 < table.loc["paper"].learning_rate.min()


def test_a_replay_goes_as_far_as_the_curve():
    losses = published_validation_loss("cnn2", 0)
    states = replay.replay(protocol("paper"), losses[:5])
    assert [state.epoch for state in states] == [1, 2, 3, 4, 5] and not states[-1].stopped


def test_the_record_of_a_run_is_followed_to_the_epoch_it_kept():
    for record in load_records(RESULTS).select(protocol="paper"):
        assert replay.kept_by_either(record)[0] == record.kept_epoch


def test_a_run_is_the_same_twice(run):
    again = reproducibility.train_anew(run.spec)
    assert again.result() == run.result()
    assert reproducibility.loss_differences(run, again).tolist() == [0.0, 0.0]


def test_ways_are_kept_whole_and_apart_from_the_records_that_count(run, tmp_path):
    again = run.model_copy()
    other = reproducibility.train_anew(RunSpec(**run.spec.model_dump() | {"seed": run.spec.seed + 1}))
    ways = {"tensorflow": run, "the same again": again, "another seed": other, "jax": run}
    reproducibility.save_ways(tmp_path, {way: ways[way] for way in ("tensorflow", "the same again", "another seed")})
    assert len(load_records(tmp_path)) == 0
    assert reproducibility.load_ways(tmp_path, run.spec, ["jax"]) == {}  # not all are there
    reproducibility.save_ways(tmp_path, {"jax": ways["jax"]})
    assert reproducibility.load_ways(tmp_path, run.spec, ["jax"]) == ways
    assert reproducibility.load_ways(tmp_path, other.spec) == {}


def test_the_book_trains_nothing_to_show_that_runs_repeat():
    """The default parameters of the chapter find all of their runs, and these are sound."""
    ways = reproducibility.load_ways(RESULTS, RunSpec(dataset="smoke", model="cnn2", max_epochs=6), ["jax"])
    assert list(ways) == ["tensorflow", "the same again", "another seed", "jax"]
    dataset = make_dataset("smoke")
    assert all(record.faults(dataset) == [] for record in ways.values())
    assert ways["the same again"].weights_sha256 == ways["tensorflow"].weights_sha256
    assert ways["jax"].sessions[-1].backend == "jax"


def test_every_change_of_a_record_is_noticed(run):
    dataset = make_dataset("smoke")
    assert run.faults(dataset) == []
    for text, changed in reproducibility.tampered(run).items():
        assert changed.faults(dataset), text


def test_ways_to_compute_a_network_differ_by_rounding_alone():
    ways = reproducibility.logits_in_ways(make_dataset("challenge"), "cnn2", 5)
    assert len(ways) == 4
    for logits in ways.values():
        assert logits.shape == (5, 27)
        np.testing.assert_allclose(logits, ways["all at once"], atol=1e-5)


def test_a_backend_that_cannot_be_used_is_named():
    with pytest.raises(SpectraError, match="training on the theano backend failed: .*"):
        reproducibility.train_elsewhere(RunSpec(dataset="smoke", model="vgg", max_epochs=1), "theano")
    assert "theano" not in reproducibility.other_backends()


def variant(record, accuracy, **fields):
    """The same record as if it came from another run."""
    spec = RunSpec.model_validate(record.spec.model_dump() | fields, context=TRUSTED)
    test = record.test.model_copy(update={"errors": round((1 - accuracy) * record.test.n)})
    return record.model_copy(update={"spec": spec, "digest": spec.digest, "test": test})


@pytest.fixture(scope="module")
def evidence():
    return gather_evidence(RunRecords(()), "smoke", "challenge", measured={})


def base_record():
    """One of our runs on the challenging set."""
    runs = load_records(RESULTS).select(dataset="challenge", model="cnn2", hidden_activation="relu", protocol="paper")
    return next(run for run in runs if run.spec.seed == 0 and run.spec.precision == "float32")


def effects(evidence, records):
    return {each.topic: each for each in differences.list_differences(evidence, RunRecords(tuple(records)))}


def test_without_records_what_needs_runs_waits_for_them(evidence):
    found = effects(evidence, [])
    for topic in ("Best checkpoint", "Training accuracy", "Resnet"):
        assert found[topic].state == State.WAITING and found[topic].effect.startswith("Not measured yet: ")
    assert "72 of 162 test spectra are exact ties" in found["Challenging test set"].effect
    assert "no runs of CNN2 and VGG" in found["Learning rate on a plateau"].effect
    assert found["Learning rate on a plateau"].state == State.PARTLY
    assert found["Peaks of a class"].state == State.MEASURED and not found["Peaks of a class"].argument
    assert found["Resnet"].argument


def test_with_records_effects_are_computed(evidence):
    base = base_record()
    records = [variant(base, 0.5, seed=seed) for seed in range(3)]
    records += [variant(base, 1 / 3, seed=seed, protocol="code") for seed in range(3)]
    records += [variant(base, 2 / 3, model="resnet", hidden_activation=None, options={"dropout": 0.0})]
    records += [variant(base, 0.5, model="cnn_bn", seed=1), variant(base, 2 / 3, model="cnnbn_mod", seed=1)]
    found = effects(evidence, records)
    assert (
        "+16.7 (+16.7 to +16.7) points in 3 pairs of CNN2, by the text's rules"
        in found["Learning rate on a plateau"].effect
    )
    assert found["Resnet"].effect.startswith("1 run without dropout: 66.7 % of test spectra right")
    assert "CNN BN, batch normalisation removed, ReLU: +16.7 points in 1 pair." in (
        found["Modified networks (Table 2)"].effect
    )
    for topic in ("Best checkpoint", "Training accuracy"):
        assert found[topic].state == State.MEASURED and "On the challenging set" in found[topic].effect


def test_runs_on_different_backends_make_no_pair(evidence):
    base = base_record()
    elsewhere = base.model_copy(
        update={"sessions": tuple(s.model_copy(update={"backend": "jax"}) for s in base.sessions)}
    )
    records = [variant(base, 0.5), variant(elsewhere, 0.4, protocol="code")]
    records += [variant(base, 0.5, model="cnn_bn"), variant(elsewhere, 0.4, model="cnnbn_mod")]
    found = effects(evidence, records)
    assert found["Learning rate on a plateau"].state == State.PARTLY
    assert "not measured yet" in found["Modified networks (Table 2)"].effect


def test_effects_on_training_rest_on_the_papers_networks_by_the_text(evidence):
    base = base_record()
    wanted = [variant(base, 0.5), variant(base, 0.5, seed=1, hidden_activation="linear")]
    others = [
        variant(base, 0.5, protocol="code"),
        variant(base, 0.5, precision="mixed_bfloat16"),
        variant(base, 0.5, model="peaknet", hidden_activation=None),
        variant(base, 0.5, model="cnn6_bn"),
        variant(base, 0.5, options={"dropout": 0.0}),
        variant(base, 0.5, dataset="laptop"),
    ]
    chosen = differences.paper_networks(evidence, RunRecords((*wanted, *others)))
    assert list(chosen) == wanted
    assert "our 2 runs of CNN2" in effects(evidence, [*wanted, *others])["Training accuracy"].effect


def test_runs_that_failed_to_converge_are_left_out_by_name(evidence):
    base = base_record()
    stuck = variant(base, 0.1, model="cnn_bn", hidden_activation="linear")
    stuck = stuck.model_copy(update={"validation": base.validation.model_copy(update={"errors": 260})})
    effect = effects(evidence, [base, stuck])["Training accuracy"].effect
    assert "over our 1 run of CNN2" in effect
    assert effect.endswith("Left out, as they failed to converge: CNN BN (linear), seed 0.")


def test_one_count_of_modified_networks_that_change_several_things(evidence):
    several = sum(map(changes_several, table_2()))
    found = effects(evidence, [])["Modified networks (Table 2)"].found
    assert found.startswith(f"{several} of 5 differ") and "CNN6 ConvDO (dense dropout, convolutional dropout)" in found


def test_differences_unfold_and_use_the_names_of_the_book(evidence):
    found = differences.list_differences(evidence, RunRecords(()))
    shown = figures.DifferencesList(found)
    assert shown.markdown().count(":::{dropdown}") == len(found)
    bundle = shown._repr_mimebundle_()
    assert bundle["text/html"].count("<details>") == len(found)
    for text in bundle.values():
        assert not re.search(r"cnnbn_mod|conv_dropout|e-0\d|-\d+\.\d", text)


def test_number_formats_are_compared_over_the_seeds_that_both_have():
    runs = load_records(RESULTS).select(
        dataset="challenge", protocol="paper", model="cnn2", hidden_activation="relu", options={}, precision="float32"
    )
    assert len(runs) >= 3 and figures.precision_rows(runs).empty

    def in_half(run: RunRecord) -> RunRecord:
        spec = run.spec.model_copy(update={"precision": "mixed_bfloat16"})
        return run.model_copy(update={"spec": spec, "test": run.test.model_copy(update={"errors": 1})})

    (row,) = figures.precision_rows(RunRecords((*runs, *map(in_half, runs[:2])))).itertuples()
    assert row.Network == "CNN2 (ReLU)"
    assert row.float32 == ", ".join(str(run.test.n - run.test.errors) for run in runs[:2])
    assert row.bfloat16 == ", ".join(str(run.test.n - 1) for run in runs[:2])


def test_every_run_is_counted_on_one_machine():
    records = load_records(RESULTS)
    machines = provenance.machine_rows(records)
    assert machines.Runs.sum() == len(records)
    epochs = sum(int(text.replace(",", "")) for text in machines.Epochs)
    assert epochs == sum(len(record.history) for record in records)
