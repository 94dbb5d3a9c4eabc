"""Sparse execution gives the outputs, gradients, weights and running statistics of whole spectra."""

import warnings

import keras
import numpy as np
import pytest

from spectra_lib.datasets.dataset import Split, make_dataset
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import Realism
from spectra_lib.networks import build_logits
from spectra_lib.runs.specification import RunSpec
from spectra_lib.training import backend
from spectra_lib.training.execution import SpectraBatches, execute
from spectra_lib.training.sparse_convolution import SparseNetwork, index_tables
from spectra_lib.training.sparse_plan import plan_sparse
from spectra_lib.training.trainer import train

N_POINTS, N_CLASSES = 1000, 7
PUBLISHED = ("cnn2", "cnn3", "cnn6", "vgg", "resnet", "cnn_bn", "inc3", "inc6")
MODIFIED = ("cnn6_bn", "cnn6_convdo", "cnnbn_mod", "vgg_mod", "resnet_mod")
WITH_CONVOLUTIONAL_DROPOUT = ("vgg", "cnn6_convdo")


def awkward_spectra() -> Split:
    """Peaks at both edges, close together and merged, vanished ones, and no peak at all."""
    lists = [
        ([0, 700], [1.0, 0.5]),
        ([3, N_POINTS - 1], [0.3, 1.0]),
        ([N_POINTS - 60, N_POINTS - 2], [1.0, 0.9]),
        ([500, 500, 501, 520], [0.4, 0.2, 1.0, 0.7]),  # one point twice, and merged
        ([200, 900], [1.0, 0.0]),  # the second has vanished
        ([400], [0.0]),  # an empty spectrum
        ([100 * k + 50 for k in range(9)], [0.1 * (k % 5) + 0.1 for k in range(9)]),
        ([749, 750, 751], [1.0, 1.0, 1.0]),
    ]
    positions, heights = zip(*lists, strict=True)
    table = PeakTable.from_lists(positions, heights, np.linspace(2, 5, len(lists)))
    return Split(np.arange(len(lists)) % N_CLASSES, table, N_POINTS)


SPLIT = awkward_spectra()


def network(name: str, precision: str = "float64", **options) -> keras.Model:
    """A network whose biases are not zero, so that an empty spectrum has features, with small dense layers."""
    backend.seed_everything(1)
    if name not in ("resnet", "resnet_mod"):
        options |= {"hidden_units": [16]}
    if name == "resnet_mod":
        options |= {"hidden_units": [16]}
    model = build_logits(name, N_POINTS, N_CLASSES, precision=precision, **options)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if variable.name in ("bias", "beta"):
            variable.assign(rng.normal(scale=0.05, size=variable.shape))
    return model


def trained_steps(model: keras.Model, prepared: keras.Model, inputs, steps: int = 2):
    """Weights and statistics after steps of plain gradient descent, and the loss of each; the model is put back."""
    start = backend.get_state(model.variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")
    prepared.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss, run_eagerly=True)
    losses = [float(prepared.train_on_batch(inputs, SPLIT.labels)) for _ in range(steps)]
    end = backend.get_state(model.variables)
    backend.set_state(model.variables, start)
    return start, end, losses


@pytest.mark.parametrize("name", [*PUBLISHED, *MODIFIED])
def test_training_is_that_on_whole_spectra(name):
    """In float64 gradients, weights and running statistics differ by rounding; dropout is off for the comparison."""
    rates = {"dropout": 0.0} | ({"conv_dropout": 0.0} if name in WITH_CONVOLUTIONAL_DROPOUT else {})
    model = network(name, **rates)
    spectra = SPLIT.spectra()
    plan = plan_sparse(model, spectra, len(SPLIT))
    sparse = SparseNetwork(model, plan)
    assert [v.path for v in sparse.trainable_variables] == [v.path for v in model.trainable_variables]
    normalized = [layer.name for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert list(plan.normalized) == normalized
    start, whole, losses = trained_steps(model, model, [spectra[..., None]])
    _, packed, same = trained_steps(model, sparse, index_tables(plan, spectra))
    np.testing.assert_allclose(same, losses, rtol=1e-6)  # Keras reports them in float32
    for variable, before, dense, found in zip(model.variables, start, whole, packed, strict=True):
        if variable.trainable or "moving" in variable.name:
            moved = np.abs(dense - before).max()
            assert moved > 0, variable.path
            np.testing.assert_allclose(found, dense, rtol=0, atol=1e-9 * moved + 1e-12, err_msg=variable.path)


@pytest.mark.parametrize("name", [*PUBLISHED, *MODIFIED])
def test_evaluation_is_that_on_whole_spectra(name):
    """With dropout off all convolutions are sparse, those behind a dropout too."""
    model = network(name)
    spectra = SPLIT.spectra()
    plan = plan_sparse(model, spectra, len(SPLIT), training=False)
    convolutions = {layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv1D)}
    assert convolutions <= set(plan.nodes) | {layer for stage in plan.stages.values() for layer in stage.layers}
    whole = np.asarray(model([spectra[..., None]], training=False))
    sparse = SparseNetwork(model, plan)
    for rows in (np.arange(len(SPLIT)), [3, 5, 0]):
        found = sparse(index_tables(plan, SPLIT.spectra(rows)), training=False)
        np.testing.assert_allclose(np.asarray(found), whole[rows], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", WITH_CONVOLUTIONAL_DROPOUT)
def test_dropout_between_convolutions_stays_independent(name):
    """Behind it two equal spectra of a batch differ at every position, also where no peak reaches."""
    model = network(name, "float32")
    plan = plan_sparse(model, SPLIT.spectra(), 2)
    dropout = next(layer for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    assert dropout.name not in plan.nodes and plan.stages  # sparse before it, whole behind it
    head = keras.Model(model.inputs, dropout.output)
    assert isinstance(dropout, keras.layers.Dropout) and dropout.rate == 0.2
    spectra = np.zeros((2, N_POINTS), np.float32)
    plan = plan_sparse(head, SPLIT.spectra(), 2)
    features = np.asarray(SparseNetwork(head, plan)(index_tables(plan, spectra), training=True))
    still = np.asarray(SparseNetwork(head, plan)(index_tables(plan, spectra), training=False))
    on = still[0] != 0
    dropped = features == 0
    assert dropped[:, on].mean() == pytest.approx(0.2, abs=0.02)
    both = (dropped[0] & dropped[1])[on].mean()
    assert both == pytest.approx(0.04, abs=0.01)  # 0.2 if the two shared their draws
    np.testing.assert_allclose(features[~dropped], np.broadcast_to(still, features.shape)[~dropped] / 0.8, rtol=1e-5)


def test_the_loss_of_an_epoch_weighs_batches_by_their_spectra():
    """Keras takes the length of the first input for it."""
    model = network("cnn_bn", "float32", dropout=0.0)
    plan = plan_sparse(model, SPLIT.spectra(), 5)
    prepared = SparseNetwork(model, plan)
    losses = {}
    for size in (8, 5):  # one batch, and two of which the second is smaller
        prepared.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        batches = SpectraBatches(SPLIT, np.arange(8), size, plan)
        losses[size] = prepared.evaluate(backend.feed(batches), verbose=0)
    assert losses[5] == pytest.approx(losses[8], rel=1e-5)


def test_a_batch_with_more_windows_than_planned_for_gets_room():
    model = network("cnn3")
    few = np.zeros((8, N_POINTS))
    few[:, 700] = 1.0
    plan = plan_sparse(model, few, 8)
    spectra = SPLIT.spectra()
    tables = index_tables(plan, spectra)
    first = next(iter(plan.stages))
    assert len(tables[f"take:{first}"]) > plan.stages[first].n_windows
    found = np.asarray(SparseNetwork(model, plan)(tables, training=False))
    np.testing.assert_allclose(found, model.predict(spectra[..., None], verbose=0), rtol=0, atol=1e-12)


def test_counts_stay_exact_under_mixed_precision():
    """In bfloat16 a count above 256 would be rounded, and the mean over positions with it."""
    model = network("cnn_bn", "mixed_bfloat16")
    plan = plan_sparse(model, SPLIT.spectra(), len(SPLIT))
    name = plan.normalized[0]
    means = []
    for prepared, inputs in (
        (model, SPLIT.spectra()[..., None]),
        (SparseNetwork(model, plan), index_tables(plan, SPLIT.spectra())),
    ):
        start = backend.get_state(model.variables)
        backend.compile_for_training(prepared, 0.0, "graph")
        prepared.train_on_batch(inputs, SPLIT.labels)
        means.append(model.get_layer(name).moving_mean.numpy())
        backend.set_state(model.variables, start)
    assert np.abs(means[0]).max() > 0
    np.testing.assert_allclose(means[1], means[0], rtol=0, atol=1e-2 * np.abs(means[0]).max())


def branched_network() -> keras.Model:
    """Valid padding, even kernels, an average pool with a rest, the input twice: not so in the published networks."""
    layers = keras.layers
    start = keras.Input((N_POINTS, 1), dtype="float64")
    options = {"dtype": "float64", "bias_initializer": keras.initializers.RandomNormal(seed=3)}
    x = layers.Conv1D(4, 6, padding="valid", activation="gelu", **options)(start)
    x = layers.AveragePooling1D(4, 3, dtype="float64")(x)
    y = layers.Conv1D(4, 4, strides=2, padding="same", **options)(x)
    y = layers.BatchNormalization(dtype="float64")(y)
    z = layers.Conv1D(4, 1, strides=2, padding="same", **options)(x)
    x = layers.LeakyReLU(dtype="float64")(layers.Add(dtype="float64")([z, y]))
    w = layers.MaxPooling1D(6, 6, dtype="float64")(layers.Conv1D(3, 8, padding="same", **options)(start))
    w = layers.Conv1D(3, 2, padding="same", **options)(
        layers.Concatenate(dtype="float64")([w, layers.Cropping1D((0, 0), dtype="float64")(x)])
    )
    return keras.Model([start], layers.Dense(N_CLASSES, dtype="float64")(layers.Flatten(dtype="float64")(w)))


def test_any_graph_is_computed_whatever_its_layers():
    """What cannot be sparse, here what comes behind a crop, gets whole features."""
    model = branched_network()
    spectra = SPLIT.spectra()
    plan = plan_sparse(model, spectra, len(SPLIT))
    assert plan.expanded and plan.joins
    _, whole, losses = trained_steps(model, model, [spectra[..., None]])
    _, packed, same = trained_steps(model, SparseNetwork(model, plan), index_tables(plan, spectra))
    np.testing.assert_allclose(same, losses, rtol=1e-6)  # Keras reports them in float32
    for dense, found in zip(whole, packed, strict=True):
        np.testing.assert_allclose(found, dense, rtol=0, atol=1e-11)


@pytest.mark.parametrize("model", ["cnn3", "cnn_bn"])
def test_a_run_follows_the_one_on_whole_spectra(model, tmp_path):
    spec = RunSpec(dataset="laptop", model=model, max_epochs=1, options={"hidden_units": [32]})
    whole = train(spec, tmp_path / "whole", execution="graph", quiet=True)
    sparse = train(spec, tmp_path / "sparse", execution="sparse", quiet=True)
    assert sparse.sessions[-1].execution == "sparse"
    assert sparse.history.loss[0] == pytest.approx(whole.history.loss[0], abs=1e-4)
    # In float32 TensorFlow's long sums over positions of batch normalisation are wrong in the fourth digit.
    near = 1e-3 if model == "cnn_bn" else 1e-4
    assert sparse.history.val_loss[0] == pytest.approx(whole.history.val_loss[0], abs=near)
    assert sparse.faults(make_dataset("laptop")) == []


def test_noise_falls_back_to_whole_spectra_and_says_so(tmp_path):
    noisy = dataset_spec("smoke").with_realism("noisy", noise=(0.0, 0.02))
    spec = RunSpec(dataset=noisy, model="cnn2", max_epochs=1, options={"hidden_units": [8]})
    with pytest.warns(UserWarning, match="computed on whole spectra \\(graph\\)"):
        record = train(spec, tmp_path / "asked", execution="sparse", quiet=True)
    assert record.sessions[-1].execution == "graph"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing to say where nobody asked
        assert train(spec, tmp_path / "auto", quiet=True).sessions[-1].execution == "graph"


def test_probes_with_noise_are_computed_whole_by_a_sparse_network():
    data = make_dataset("smoke")
    model = build_logits("cnn2", data.spec.n_points, data.spec.n_classes, hidden_units=[8])
    prepared = execute(model, data.train, 12, "sparse")
    noisy = make_dataset(data.spec.with_realism("noisy", noise=(0.01, 0.02))).test
    rows = np.arange(len(noisy))
    assert prepared.plan is not None and Realism(noise=(0.01, 0.02)).fills_spectrum
    np.testing.assert_allclose(
        prepared.predict(noisy, rows, 12), model.predict(noisy.spectra()[..., None], verbose=0), atol=1e-6
    )
