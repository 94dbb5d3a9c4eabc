"""Windows give the same features, gradients and training as whole spectra."""

import keras
import numpy as np
import pytest

from spectra_lib import backend
from spectra_lib.dataset import make_dataset
from spectra_lib.networks import build_model, list_models
from spectra_lib.runs import RunSpec
from spectra_lib.sparse_convolution import cut_windows, layer_reach, plan_windows, with_windows
from spectra_lib.training import train


@pytest.fixture(scope="module")
def challenge():
    return make_dataset("challenge")


def logits_model(name, dataset, **options):
    model = build_model(name, dataset.spec.n_points, dataset.spec.n_classes, **options)
    model = keras.Model(model.inputs, model.get_layer("logits").output)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:  # with zero biases an empty spectrum would give zeros
        if variable.name == "bias":
            variable.assign(rng.normal(scale=0.05, size=variable.shape))
    return model


@pytest.mark.parametrize("name", ["cnn2", "cnn3"])
def test_outputs_and_gradients_are_those_of_whole_spectra(name, challenge):
    backend.seed_everything(1)
    model = logits_model(name, challenge, dropout=0.0)
    plan = plan_windows(model, challenge.train)
    sparse = with_windows(model, plan)
    rows = np.random.default_rng(2).permutation(len(challenge.train))[:16]
    whole, labels = challenge.train.spectra(rows)[..., None], challenge.train.labels[rows]
    windows = list(cut_windows(challenge.train, rows, plan))
    np.testing.assert_allclose(model.predict(whole, verbose=0), sparse(windows), rtol=0, atol=2e-5)

    start = backend.get_state(model.trainable_variables)
    ends = []
    for network, inputs in ((model, whole), (sparse, windows)):
        backend.set_state(model.trainable_variables, start)
        network.compile(
            optimizer=keras.optimizers.SGD(1.0), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        network.train_on_batch(inputs, labels)
        ends.append(backend.get_state(model.trainable_variables))
    for before, dense, packed in zip(start, *ends, strict=True):
        step = np.abs(dense - before).max()
        assert step > 0
        np.testing.assert_allclose(packed, dense, rtol=0, atol=1e-3 * step)


def test_test_spectra_at_the_edges_are_covered(challenge):
    """Peaks close to both ends, where convolutions pad with zeros."""
    from spectra_lib.dataset import Split
    from spectra_lib.peaks import PeakTable

    model = logits_model("cnn2", challenge)
    plan = plan_windows(model, challenge.train)
    positions = [[0], [3, 4999], [70, 90], [4930], [160, 2500, 4840], [2499, 2500, 2501]]
    table = PeakTable.from_lists(positions, [np.ones(len(p)) for p in positions], np.linspace(2, 5, len(positions)))
    split = Split(np.zeros(len(positions), dtype=np.int64), table, 5000)
    whole = model.predict(split.spectra()[..., None], verbose=0)
    np.testing.assert_allclose(with_windows(model, plan)(list(cut_windows(split, None, plan))), whole, atol=2e-5)


def test_reach_is_what_a_changed_point_changes(challenge):
    model = logits_model("cnn3", challenge)
    name = "max_pooling1d"
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.MaxPooling1D))
    reach = layer_reach(model)[layer.name]
    features = keras.Model(model.inputs, layer.output)
    flat = np.zeros((2, 5000, 1), np.float32)
    flat[1, 2000] = 1.0
    still, moved = features.predict(flat, verbose=0)
    changed = np.flatnonzero(np.abs(still - moved).max(axis=1) > 0)
    seeing = [j for j in range(still.shape[0]) if j * reach.step - reach.left <= 2000 <= j * reach.step + reach.right]
    assert set(changed) <= set(seeing), name
    assert len(changed) >= 1


def test_no_windows_behind_batch_normalisation_or_dropout(challenge):
    for name in ("cnn_bn", "vgg", "resnet"):
        model = logits_model(name, challenge)
        plan = plan_windows(model, challenge.train)
        if plan is not None:
            before = model.layers[: model.layers.index(model.get_layer(plan.cut)) + 1]
            assert not any(isinstance(x, keras.layers.BatchNormalization | keras.layers.Dropout) for x in before)
            assert plan.saving < 1.3


def test_every_plan_names_a_layer_that_all_paths_cross(challenge):
    for name in list_models():
        model = logits_model(name, challenge)
        plan = plan_windows(model, challenge.train, sample=32)
        if plan is not None:
            assert with_windows(model, plan).output_shape == model.output_shape


def test_training_on_windows_follows_training_on_whole_spectra(tmp_path):
    spec = RunSpec(dataset="laptop", model="cnn3", max_epochs=1, options={"hidden_units": [32]})
    whole = train(spec, tmp_path / "whole", execution="graph", quiet=True)
    windows = train(spec, tmp_path / "windows", execution="windows", quiet=True)
    assert windows.sessions[-1].execution == "windows"
    assert windows.history.loss[0] == pytest.approx(whole.history.loss[0], abs=1e-4)
    assert windows.history.val_loss[0] == pytest.approx(whole.history.val_loss[0], abs=1e-4)
    assert windows.faults(make_dataset("laptop")) == []
