"""Run specifications: what they refuse, and what makes two of them the same run."""

import pytest

from spectra_lib._base.errors import SpecificationError
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.runs.specification import TRUSTED, RunSpec

MINE = DatasetSpec(name="mine", n_points=300, n_classes=3)


def test_left_out_and_given_defaults_are_the_same_run():
    short = RunSpec(dataset="challenge", model="cnn6", seed=2)
    full = RunSpec(
        dataset="challenge",
        model="cnn6",
        seed=2,
        hidden_activation="relu",
        options={"dropout": 0.7, "hidden_units": [3100, 1200]},
        protocol="paper",
        precision="float32",
        max_epochs=500,
        batch_size=128,
        learning_rate=3e-4,
    )
    assert short == full
    assert short.digest == full.digest
    assert short.hidden_activation == "relu"


def test_identities_do_not_change():
    """Records are found by these; a change here would orphan every record there is."""
    specs = (
        RunSpec(dataset="challenge", model="vgg"),
        RunSpec(dataset="benchmark", model="resnet", seed=4),
        RunSpec(dataset="benchmark", model="cnn6", seed=1),
    )
    assert [spec.run_id for spec in specs] == [
        "challenge-vgg-linear-paper-s0-26439114",
        "benchmark-resnet-none-paper-s4-fbfe2c2c",
        "benchmark-cnn6-relu-paper-s1-2b25d188",
    ]


def test_every_field_enters_the_identity():
    base = {"dataset": "smoke", "model": "vgg"}
    changes = {
        "dataset": "laptop",
        "model": "cnn2",
        "seed": 1,
        "hidden_activation": "relu",
        "options": {"kernel": 7},
        "protocol": "code",
        "precision": "mixed_bfloat16",
        "max_epochs": 499,
        "batch_size": 64,
        "learning_rate": 1e-3,
    }
    # `source` is that of the network's file, and enters with plugins: test_plugins.py
    assert changes.keys() == RunSpec.model_fields.keys() - {"source"}
    digests = {RunSpec(**base | {key: value}).digest for key, value in changes.items()} | {RunSpec(**base).digest}
    assert len(digests) == len(changes) + 1


def test_a_specification_equal_to_a_built_in_one_becomes_its_name():
    assert RunSpec(dataset=dataset_spec("smoke"), model="vgg") == RunSpec(dataset="smoke", model="vgg")
    own = RunSpec(dataset=MINE, model="vgg")
    assert own.dataset_spec == MINE
    assert own.run_id.startswith("mine-vgg-linear-paper-s0-")
    altered = dataset_spec("smoke").model_copy(update={"seed": 1})
    assert RunSpec(dataset=altered, model="vgg").digest != RunSpec(dataset="smoke", model="vgg").digest


@pytest.mark.parametrize("dataset", ["smoke", MINE])
@pytest.mark.parametrize("more", [{}, {"model": "vgg", "options": {"hidden_units": [9, 8], "kernel": 7}}])
def test_json_round_trip(dataset, more):
    spec = RunSpec(**{"dataset": dataset, "model": "resnet", **more})
    text = spec.model_dump_json()
    assert RunSpec.model_validate_json(text) == spec
    trusted = RunSpec.model_validate_json(text, context=TRUSTED)
    assert trusted.digest == spec.digest


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dataset": "smok"}, "unknown dataset 'smok'; .*Did you mean 'smoke'"),
        ({"model": "vgh"}, "unknown network 'vgh'; .*Did you mean 'vgg'"),
        ({"protocol": "text"}, "unknown protocol 'text'; known: paper, code"),
        ({"options": {"kernal": 3}}, "Did you mean 'kernel'"),
        ({"options": {"kernel": 0}}, "kernel must be above 0"),
        ({"seed": -1}, "seed: .*greater than or equal to 0 .received -1"),
        ({"max_epochs": 0}, "max_epochs: .*received 0"),
        ({"learning_rate": float("nan")}, "learning_rate: .*received nan"),
        ({"precision": "float16"}, "precision: .*'float32' or 'mixed_bfloat16'"),
        ({"precision": "float64"}, "precision: .*'float32' or 'mixed_bfloat16'"),  # for measurements, not for runs
        ({"hidden_activation": "tanh"}, "hidden_activation: .*'linear' or 'relu'"),
        ({"epochs": 3}, "epochs: Extra inputs are not permitted"),
        ({"model": "resnet", "hidden_activation": "relu"}, "no hidden fully-connected layers"),
    ],
)
def test_what_is_refused(fields, message):
    with pytest.raises(SpecificationError, match=message):
        RunSpec.read({"dataset": "smoke", "model": "vgg", **fields}, "run")
