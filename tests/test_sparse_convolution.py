"""Windows give the same features, gradients and training as whole spectra."""

import keras
import numpy as np
import pytest

from spectra_lib import backend
from spectra_lib.dataset import Split, make_dataset
from spectra_lib.networks import build_model, list_models
from spectra_lib.peaks import PeakTable
from spectra_lib.runs import RunSpec
from spectra_lib.sparse_convolution import cut_windows, layer_reach, plan_windows, with_windows
from spectra_lib.training import WORTHWHILE_SAVING, train


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


def spectra_at_the_edges():
    """Peaks close to both ends, where convolutions pad with zeros, and close to one another."""
    positions = [[0], [3, 4999], [70, 90], [4930], [160, 2500, 4840], [2499, 2500, 2501], [1000, 1100, 1200, 1300]]
    table = PeakTable.from_lists(positions, [np.ones(len(p)) for p in positions], np.linspace(2, 5, len(positions)))
    return Split(np.zeros(len(positions), dtype=np.int64), table, 5000)


@pytest.mark.parametrize("name", ["cnn2", "cnn6_bn", "resnet"])
def test_test_spectra_at_the_edges_are_covered(name, challenge):
    model = logits_model(name, challenge)
    plan = plan_windows(model, challenge.train, sample=32)
    split = spectra_at_the_edges()
    whole = model.predict(split.spectra()[..., None], verbose=0)
    np.testing.assert_allclose(with_windows(model, plan)(list(cut_windows(split, None, plan))), whole, atol=2e-5)


@pytest.mark.parametrize("name", ["cnn_bn", "cnn6_bn", "resnet"])
def test_batch_normalisation_sees_every_position_of_all_spectra_once(name, challenge):
    """What is normalised, each feature of the windows as often as it counts, are the features of whole spectra."""
    model = logits_model(name, challenge)
    plan = plan_windows(model, challenge.train, sample=32)
    assert len(plan.normalized) >= 2
    for split, rows in ((spectra_at_the_edges(), None), (challenge.test, np.arange(0, 162, 40))):
        whole = split.spectra(rows)[..., None]
        _, windows, *counts = cut_windows(split, rows, plan)
        for layer, features in plan.normalized:
            seen = model.get_layer(layer).input
            count = counts[plan.counted.index(features)]
            assert count.min() == 0 and count.sum() == len(whole) * features.n
            # One channel is enough: where a feature belongs does not depend on it.
            channel = keras.Model(model.inputs, seen[..., 0])
            dense = channel.predict(whole, verbose=0)
            packed = keras.Model(*rebuilt(model, seen, plan.width)).predict(windows, verbose=0)[..., 0]
            expected = np.sort(np.repeat(packed.ravel(), count.ravel().astype(int)))
            np.testing.assert_allclose(expected, np.sort(dense.ravel()), rtol=0, atol=1e-5)


def rebuilt(model, output, width):
    """The layers up to an output on a spectrum of another length."""
    start = keras.Input((width, 1))
    head = keras.Model(model.inputs, output)
    return start, keras.models.clone_model(head, input_tensors=[start], clone_function=lambda layer: layer).output


def normalised_network(n_points=1500):
    """A residual network with batch normalisation at three resolutions, in double precision."""
    start = keras.Input((n_points, 1), dtype="float64")
    options = {"padding": "same", "dtype": "float64", "bias_initializer": keras.initializers.RandomNormal(seed=3)}

    def normal(x, name):
        return keras.layers.ReLU(dtype="float64")(keras.layers.BatchNormalization(dtype="float64", name=name)(x))

    x = normal(keras.layers.Conv1D(4, 7, **options)(start), "first")
    x = keras.layers.MaxPooling1D(3, 2, dtype="float64")(x)  # leaves a remainder at the end
    y = normal(keras.layers.Conv1D(6, 5, strides=2, **options)(x), "second")
    y = keras.layers.BatchNormalization(dtype="float64", name="third")(keras.layers.Conv1D(6, 3, **options)(y))
    x = keras.layers.Conv1D(6, 1, strides=2, **options)(x)
    x = normal(keras.layers.Add(dtype="float64")([x, y]), "fourth")
    x = keras.layers.Flatten(dtype="float64")(keras.layers.AveragePooling1D(10, dtype="float64")(x))
    return keras.Model(start, keras.layers.Dense(3, dtype="float64")(x))


def test_training_with_batch_normalisation_is_that_on_whole_spectra():
    """Gradients, weights and running statistics, in double precision: the sums over positions are long."""
    rng = np.random.default_rng(0)
    keras.utils.set_random_seed(0)
    model = normalised_network()
    positions = [rng.choice(1500, rng.integers(1, 6), replace=False) for _ in range(24)]
    table = PeakTable.from_lists(positions, [rng.random(len(p)) + 0.5 for p in positions], rng.uniform(2, 5, 24))
    split = Split(rng.integers(0, 3, 24), table, 1500)
    plan = plan_windows(model, split)
    assert [name for name, _ in plan.normalized] == ["first", "second", "third", "fourth"][: len(plan.normalized)]
    assert len(plan.normalized) >= 3
    sparse = with_windows(model, plan)
    assert [v.path for v in sparse.trainable_variables] == [v.path for v in model.trainable_variables]
    start = backend.get_state(model.variables)
    ends = []
    for network, inputs in ((model, split.spectra()[..., None]), (sparse, list(cut_windows(split, None, plan)))):
        backend.set_state(model.variables, start)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        network.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
        for _ in range(3):
            network.train_on_batch(inputs, split.labels)
        ends.append(backend.get_state(model.variables))
    for before, dense, packed in zip(start, *ends, strict=True):
        assert np.abs(dense - before).max() > 0
        np.testing.assert_allclose(packed, dense, rtol=1e-5, atol=1e-7)


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


def test_counts_stay_exact_under_mixed_precision(challenge):
    """In bfloat16 a count above 256 would be rounded, and the mean over positions with it."""
    whole = build_model("cnn_bn", 5000, 27, precision="mixed_bfloat16", hidden_units=[8])
    model = keras.Model(whole.inputs, whole.get_layer("logits").output)
    plan = plan_windows(model, challenge.train, sample=32)
    rows = np.arange(0, len(challenge.train), 100)
    sparse = with_windows(model, plan)
    start = backend.get_state(model.variables)
    means = []
    for network, inputs in (
        (model, challenge.train.spectra(rows)[..., None]),
        (sparse, list(cut_windows(challenge.train, rows, plan))),
    ):
        backend.set_state(model.variables, start)
        backend.compile_for_training(network, 0.0, "graph")
        network.train_on_batch(inputs, challenge.train.labels[rows])
        means += backend.get_state([model.get_layer(plan.normalized[0][0]).moving_mean])
    assert np.abs(means[0]).max() > 0
    np.testing.assert_allclose(means[1], means[0], rtol=0, atol=1e-2 * np.abs(means[0]).max())


@pytest.mark.parametrize("name", ["cnn6_convdo", "vgg"])
def test_no_windows_behind_dropout(name, challenge):
    model = logits_model(name, challenge)
    plan = plan_windows(model, challenge.train)
    if plan is not None:
        before = model.layers[: model.layers.index(model.get_layer(plan.cut)) + 1]
        assert not any(isinstance(layer, keras.layers.Dropout) for layer in before)
        assert plan.saving < WORTHWHILE_SAVING["float32"]["tensorflow"]


@pytest.mark.parametrize("name", ["cnn3", "cnn_bn", "cnn6_bn", "resnet"])
def test_weights_have_one_order_so_that_a_run_can_go_on_in_another_way(name, challenge):
    model = logits_model(name, challenge)
    sparse = with_windows(model, plan_windows(model, challenge.train, sample=32))
    assert [v.path for v in sparse.trainable_variables] == [v.path for v in model.trainable_variables]


def test_every_plan_names_a_layer_that_all_paths_cross(challenge):
    for name in list_models():
        model = logits_model(name, challenge)
        plan = plan_windows(model, challenge.train, sample=32)
        if plan is not None:
            assert with_windows(model, plan).output_shape == model.output_shape


@pytest.mark.parametrize("model", ["cnn3", "cnn_bn"])
def test_training_on_windows_follows_training_on_whole_spectra(model, tmp_path):
    spec = RunSpec(dataset="laptop", model=model, max_epochs=1, options={"hidden_units": [32]})
    whole = train(spec, tmp_path / "whole", execution="graph", quiet=True)
    windows = train(spec, tmp_path / "windows", execution="windows", quiet=True)
    assert windows.sessions[-1].execution == "windows"
    assert windows.history.loss[0] == pytest.approx(whole.history.loss[0], abs=1e-4)
    # In float32 the long sums over positions of batch normalisation differ in the fourth digit.
    near = 1e-3 if model == "cnn_bn" else 1e-4
    assert windows.history.val_loss[0] == pytest.approx(whole.history.val_loss[0], abs=near)
    assert windows.faults(make_dataset("laptop")) == []
