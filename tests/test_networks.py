"""The networks: sizes as published, every option, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers

from spectra_lib._base.errors import SpecificationError, UnknownNameError
from spectra_lib.networks import (
    build_model,
    describe_model,
    list_models,
    network,
    register_model,
    register_variant,
    resolve_options,
)

# name: features at Flatten, parameters with 500 and with 27 classes, multiply-adds of a spectrum in millions
SIZES = {
    "cnn2": (8896, 19_150_728, 18_913_755, 69.7),
    "cnn3": (8896, 25_347_872, 24_874_399, 145.4),
    "cnn6": (4992, 20_212_224, 19_644_151, 542.6),
    "vgg": (19968, 2_556_174, 2_467_723, 35.9),
    "resnet": (7900, 5_204_540, 1_467_367, 985.6),
    "cnn_bn": (40000, 82_963_316, 81_994_139, 111.5),
    "inc3": (20433, 78_870_534, 78_520_041, 206.0),
    "inc6": (46148, 186_817_238, 186_627_565, 350.3),
    "cnn6_bn": (4992, None, 19_645_687, 542.6),
    "cnn6_convdo": (4992, None, 19_644_151, 542.6),
    "cnnbn_mod": (40000, None, 81_993_691, 111.5),
    "vgg_mod": (19968, None, 41_113_017, None),
    "resnet_mod": (7900, None, 29_488_511, None),
}

# name: hidden layers, their activation, dropout there, dropout between convolutions, kernel sizes of the convolutions
STRUCTURE = {
    "cnn2": ((2000, 500), "linear", 0.3, 0.0, (50, 25)),
    "cnn3": ((2500, 1000), "linear", 0.3, 0.0, (20, 15, 10)),
    "cnn6": ((3100, 1200), "relu", 0.7, 0.0, (35, 30, 25, 20, 15, 10)),
    "vgg": ((120, 84, 186), "linear", 0.0, 0.2, (5,) * 7),
    "resnet": ((), None, 0.5, 0.0, (5, *(5, 5, 1, 5, 5) * 6)),
    "cnn_bn": ((2048,), "linear", 0.5, 0.0, (21, 11, 5)),
    "inc3": ((3700, 740), "linear", 0.3, 0.0, (20, 15, 10, *(1, 1, 1, 1, 3, 5) * 3)),
    "inc6": ((4000, 400), "linear", 0.3, 0.0, (20, 15, 10, *(1, 1, 1, 1, 3, 5) * 6)),
    "cnn6_bn": ((3100, 1200), "relu", 0.7, 0.0, (35, 30, 25, 20, 15, 10)),
    "cnn6_convdo": ((3100, 1200), "relu", 0.0, 0.2, (35, 30, 25, 20, 15, 10)),
    "cnnbn_mod": ((2048,), "relu", 0.5, 0.0, (21, 11, 5)),
    "vgg_mod": ((2000, 500), "relu", 0.3, 0.0, (20,) * 7),
    "resnet_mod": ((3100, 1200), "relu", 0.5, 0.0, (5, *(5, 5, 1, 5, 5) * 6)),
}


def small(name: str, **options) -> keras.Model:
    return build_model(name, n_points=400, n_classes=7, **{"hidden_units": [11], **options})


def layers_of(model: keras.Model, kind: type) -> list[keras.Layer]:
    return [layer for layer in model.layers if isinstance(layer, kind)]


def test_the_tables_cover_every_network():
    assert set(SIZES) == set(STRUCTURE) == set(list_models()) - {"peaknet"}  # ours: test_peaknet.py
    assert list_models()[:8] == sorted(list(SIZES)[:8])


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_the_published_ones(name):
    flat, with_500, with_27, million_multiply_adds = SIZES[name]
    general, challenging = describe_model(name, n_classes=500), describe_model(name, n_classes=27)
    assert general.flat_size == challenging.flat_size == flat
    assert challenging.parameters == with_27
    if with_500 is not None:
        assert general.parameters == with_500
    if million_multiply_adds is not None:
        assert general.multiply_adds / 1e6 == pytest.approx(million_multiply_adds, abs=0.05)


def test_running_statistics_are_not_trained():
    assert describe_model("resnet").trainable_parameters == 5_198_412
    assert describe_model("vgg").trainable_parameters == describe_model("vgg").parameters


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure_is_the_published_one(name):
    found = describe_model(name)
    hidden, activation, dropout, conv_dropout, kernels = STRUCTURE[name]
    assert found.hidden_units == hidden
    assert found.hidden_activation == activation
    assert (found.dropout, found.conv_dropout) == (dropout, conv_dropout)
    assert sorted(found.kernel_sizes) == sorted(kernels)
    assert found.convolutions == len(kernels)
    assert network(name).doi.startswith("10.")


def test_kernels_and_strides_in_order():
    assert describe_model("cnn6").kernel_sizes == (35, 30, 25, 20, 15, 10)
    strides = [layer.strides[0] for layer in layers_of(small("cnn2"), layers.Conv1D)]
    assert strides == [2, 3]


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("cnn2", 49 + 1 + 2 * 2 + 24 * 4 + 1 * 12),
        ("cnn_bn", 1 + 20 + 1 + 10 * 2 + 2 + 4 * 4 + 4),
        ("vgg", 1 + 4 + 1 + 2 * 4 * 2 + 2 + 2 * 4 * 4 + 4 + 2 * 4 * 8 + 8),
    ],
)
def test_receptive_field(name, field):
    assert describe_model(name).receptive_field == field


def test_receptive_field_is_what_a_feature_can_see():
    """Change one point of the spectrum: exactly the features that can see it change."""
    rng = np.random.default_rng(0)
    model = build_model("cnn2", n_points=1000, n_classes=3, hidden_units=[4])
    features = keras.Model(model.input, model.get_layer("flatten").input)
    quiet = rng.uniform(0.5, 1.0, (1, 1000, 1)).astype(np.float32)
    unchanged = np.repeat(quiet, 100, axis=0)
    base = keras.ops.convert_to_numpy(features(unchanged))  # in batches of the same size: others round differently
    middle = base.shape[1] // 2
    seen = []
    for start in range(0, 1000, 100):
        changed = unchanged.copy()
        changed[np.arange(100), start + np.arange(100), 0] += 50.0
        moved = keras.ops.convert_to_numpy(features(changed))[:, middle]
        seen += (start + np.flatnonzero((moved != base[:, middle]).any(axis=1))).tolist()
    assert max(seen) - min(seen) + 1 == describe_model("cnn2").receptive_field


@pytest.mark.parametrize("name", SIZES)
def test_forward(name):
    model = build_model(name, n_points=1000, n_classes=27)
    assert model.input_shape == (None, 1000, 1)
    assert model.output_shape == (None, 27)
    spectra = np.random.default_rng(0).uniform(size=(3, 1000, 1)).astype(np.float32)
    for training in (False, True):
        output = keras.ops.convert_to_numpy(model(spectra, training=training))
        assert output.shape == (3, 27)
        assert output.dtype == np.float32
        assert np.isfinite(output).all()
        assert output.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    initial = [layer for layer in model.layers if isinstance(layer, layers.Conv1D | layers.Dense)]
    assert all(type(layer.kernel_initializer).__name__ == "GlorotUniform" for layer in initial)
    assert all(not layer.bias.numpy().any() for layer in initial)


@pytest.mark.parametrize("name", SIZES)
def test_output_follows_points_and_classes(name):
    with keras.StatelessScope(initialize_variables=False):
        models = [build_model(name, n_classes=n) for n in (500, 27)]
    keras.utils.clear_session(free_memory=False)
    assert [model.output_shape for model in models] == [(None, 500), (None, 27)]
    assert {model.input_shape for model in models} == {(None, 5000, 1)}


# Options


def test_hidden_layers():
    model = small("cnn2", hidden_units=[20, 10, 5], hidden_activation="relu")
    hidden = [model.get_layer(f"hidden_{number}") for number in (1, 2, 3)]
    assert [layer.units for layer in hidden] == [20, 10, 5]
    assert {layer.activation.__name__ for layer in hidden} == {"relu"}
    assert small("cnn2", hidden_activation="linear").get_layer("hidden_1").activation.__name__ == "linear"
    assert [layer.name for layer in layers_of(small("cnn2", hidden_units=[]), layers.Dense)] == ["logits"]


def test_dropout_before_every_dense_layer():
    model = small("cnn3", hidden_units=[20, 10], dropout=0.25)
    assert [layer.rate for layer in layers_of(model, layers.Dropout)] == [0.25] * 3
    assert layers_of(small("cnn3", dropout=0.0), layers.Dropout) == []


def test_conv_dropout():
    assert [layer.rate for layer in layers_of(small("vgg"), layers.Dropout)] == [0.2] * 4
    assert [layer.rate for layer in layers_of(small("vgg", conv_dropout=0.1), layers.Dropout)] == [0.1] * 4
    rates = [layer.rate for layer in layers_of(small("cnn6", conv_dropout=0.2, dropout=0.0), layers.Dropout)]
    assert rates == [0.2] * 6


@pytest.mark.parametrize(("name", "count"), [("cnn_bn", 3), ("cnn6_bn", 6), ("resnet", 31)])
def test_batch_normalization(name, count):
    normal = layers_of(small(name), layers.BatchNormalization)
    assert len(normal) == count
    assert {(layer.momentum, layer.epsilon) for layer in normal} == {(0.99, 1e-3)}
    faster = layers_of(small(name, bn_momentum=0.9), layers.BatchNormalization)
    assert {layer.momentum for layer in faster} == {0.9}
    assert layers_of(small(name, batch_normalization=False), layers.BatchNormalization) == []


def test_batch_normalization_stands_between_convolution_and_relu():
    names = [type(layer).__name__ for layer in small("cnn6_bn").layers][1:4]
    assert names == ["Conv1D", "BatchNormalization", "ReLU"]
    names = [type(layer).__name__ for layer in small("cnn_bn").layers][1:5]
    assert names == ["Conv1D", "BatchNormalization", "LeakyReLU", "MaxPooling1D"]


def test_kernel_and_stem():
    assert {layer.kernel_size for layer in layers_of(small("vgg", kernel=9), layers.Conv1D)} == {(9,)}
    assert len(layers_of(small("resnet", stem_relu=True), layers.ReLU)) == 25
    assert len(layers_of(small("resnet", stem_relu=False), layers.ReLU)) == 24


def pools(name: str, scale: float) -> list[tuple[int, int]]:
    model = build_model(name, n_points=2000, n_classes=3, hidden_units=[2], pool_scale=scale)
    return [(layer.pool_size[0], layer.strides[0]) for layer in layers_of(model, layers.MaxPooling1D)]


@pytest.mark.parametrize(
    ("name", "at_half", "at_1", "at_double"),
    [
        ("cnn2", [(2, 1), (1, 2)], [(3, 2), (2, 3)], [(6, 4), (4, 6)]),
        ("cnn3", [(2, 2), (1, 2), (1, 1)], [(3, 3), (2, 3), (1, 2)], [(6, 6), (4, 6), (2, 4)]),
        ("vgg", [(1, 1)] * 4, [(2, 2)] * 4, [(4, 4)] * 4),
        ("cnn_bn", [(1, 1)] * 3, [(2, 2)] * 3, [(4, 4)] * 3),
        ("cnn6", [(2, 1), (2, 1), *[(1, 1)] * 4], [(3, 2), (3, 2), (2, 2), *[(1, 2)] * 3], None),
    ],
)
def test_pools_are_scaled_and_nothing_else(name, at_half, at_1, at_double):
    assert pools(name, 0.5) == at_half
    assert pools(name, 1.0) == at_1
    assert at_double is None or pools(name, 2.0) == at_double
    convolutions = [
        [
            (layer.kernel_size, layer.strides, layer.filters)
            for layer in layers_of(small(name, **options), layers.Conv1D)
        ]
        for options in ({}, {"pool_scale": 0.5})
    ]
    assert convolutions[0] == convolutions[1]
    as_published, less = (describe_model(name, n_classes=27, **options) for options in ({}, {"pool_scale": 0.5}))
    dense = (less.flat_size - as_published.flat_size) * (as_published.hidden_units[0])
    assert less.flat_size > 2 * as_published.flat_size
    assert less.parameters - as_published.parameters == dense


def test_mixed_precision_keeps_weights_and_probabilities_in_float32():
    model = small("cnn2", precision="mixed_bfloat16")
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.get_layer("hidden_1").compute_dtype == "bfloat16"
    assert model.output.dtype == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("name", [*SIZES, "peaknet"])
def test_the_last_layer_computes_in_float32_or_in_float64_where_all_do(name):
    options = {} if network(name).head or not network(name).hidden_units else {"hidden_units": [5]}
    for precision, outputs, hidden in (("mixed_bfloat16", "float32", "bfloat16"), ("float64", "float64", "float64")):
        model = build_model(name, 1000, 7, precision=precision, **options)
        assert model.get_layer("logits").compute_dtype == outputs
        assert {model.get_layer("logits").output.dtype, model.output.dtype} == {outputs}
        assert {layer.compute_dtype for layer in layers_of(model, layers.Conv1D)} <= {hidden}
        if precision == "float64":
            assert {layer.compute_dtype for layer in model.layers[1:]} == {"float64"}
            assert {weight.dtype for weight in model.weights} <= {"float64", "int32", "uint32"}


def test_logits_of_mixed_precision_have_all_digits():
    model = small("cnn2", precision="mixed_bfloat16")
    logits = keras.Model(model.inputs, model.get_layer("logits").output)
    found = logits.predict(np.random.default_rng(0).random((32, 400, 1), dtype=np.float32), verbose=0)
    assert found.dtype == np.float32
    rounded = keras.ops.convert_to_numpy(keras.ops.cast(keras.ops.cast(found, "bfloat16"), "float32"))
    assert (found != rounded).mean() > 0.9


def test_float64_has_its_digits():
    """The same weights and spectra: outputs are those of float32, to the digits of float32, and not the same."""
    outputs, weights = [], None
    for precision in ("float32", "float64"):
        model = small("cnn_bn", precision=precision)
        weights = weights or model.get_weights()
        model.set_weights(weights)
        outputs.append(model.predict(np.random.default_rng(0).random((8, 400, 1), dtype=np.float32), verbose=0))
    single, double = outputs
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert 0 < np.abs(single - double).max() < 1e-5
    assert (double != double.astype(np.float32)).mean() > 0.9


def test_options_at_their_defaults_are_dropped():
    assert resolve_options("vgg", None, {"kernel": 5, "conv_dropout": 0.1}) == ("linear", {"conv_dropout": 0.1})
    assert resolve_options("resnet", None, {}) == (None, {})
    assert resolve_options("resnet", None, {"hidden_units": [5]}) == ("linear", {"hidden_units": (5,)})


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cnn7", {}, "unknown network 'cnn7'; known: cnn2, .*Did you mean"),
        ("cnn2", {"kernel": 3}, "unknown option of network 'cnn2': 'kernel'; known: hidden_units, dropout"),
        ("vgg", {"kernal": 3}, "Did you mean 'kernel'"),
        ("vgg", {"kernel": "3"}, "kernel must be of type int such as 5, received '3'"),
        ("vgg", {"kernel": 0}, "kernel must be above 0, received 0"),
        ("vgg", {"dropout": 1.0}, r"dropout must lie in \[0, 1\), received 1.0"),
        ("vgg", {"dropout": "a"}, "dropout must be of type float"),
        ("vgg", {"pool_scale": 0.0}, "pool_scale must be above 0, received 0.0"),
        ("vgg", {"pool_scale": float("inf")}, "pool_scale must be a finite number, received inf"),
        ("inc3", {"pool_scale": 0.5}, "unknown option of network 'inc3': 'pool_scale'"),
        ("vgg", {"n_points": 100, "pool_scale": 4.0}, "the network pools the spectrum to nothing"),
        ("cnn_bn", {"batch_normalization": 1}, "batch_normalization must be of type bool such as True, received 1"),
        ("cnn2", {"hidden_units": 5}, "hidden_units must be a list of positive whole numbers"),
        ("cnn2", {"hidden_units": [5, 0]}, r"received \[5, 0\]"),
        ("cnn2", {"hidden_activation": "tanh"}, "hidden_activation must be 'linear' or 'relu', received 'tanh'"),
        ("resnet", {"hidden_activation": "relu"}, "no hidden fully-connected layers, .* leave it out, or give hidden"),
        ("cnn2", {"precision": "float16"}, "must be one of float32, mixed_bfloat16, float64, received 'float16'"),
        ("cnn2", {"n_classes": 1}, "n_classes=1: expected at least 1 point and 2 classes"),
        ("cnn2", {"n_points": 0}, "n_points=0"),
    ],
)
def test_what_is_refused(name, arguments, message):
    with pytest.raises((UnknownNameError, SpecificationError), match=message):
        build_model(name, **{"n_points": 400, "n_classes": 7, **arguments})


@pytest.mark.parametrize("name", [name for name in SIZES if "resnet" not in name])
def test_too_few_points(name):
    with pytest.raises(
        SpecificationError,
        match=f"network '{name}' does not fit n_points=2: .*pools the spectrum to nothing.*raise n_poi",
    ):
        build_model(name, n_points=2, n_classes=3)


def test_float64_must_be_switched_on_in_jax(monkeypatch):
    """Without, JAX computes in float32 and says so in a mere warning."""
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    zeros = keras.ops.zeros
    monkeypatch.setattr(keras.ops, "zeros", lambda shape, dtype: zeros(shape, "float32"))
    with pytest.raises(SpecificationError, match="'float64' is switched off in JAX; set JAX_ENABLE_X64=1"):
        small("cnn2", precision="float64")


# Registration


def test_a_name_is_given_once():
    with pytest.raises(SpecificationError, match="a network named 'cnn2' is registered already; choose another name"):
        register_model("cnn2", reference="", hidden_units=(), hidden_activation=None, dropout=0.0)(lambda x: x)


def test_an_option_needs_a_default():
    with pytest.raises(SpecificationError, match="network 'fresh': option 'depth' needs a default"):

        @register_model("fresh", reference="", hidden_units=(), hidden_activation=None, dropout=0.0)
        def fresh(x, *, depth):  # noqa: ARG001
            return x

    assert "fresh" not in list_models()


def test_an_option_stands_behind_a_star():
    with pytest.raises(SpecificationError, match=r"'kernel' has a default and so looks like an option.*behind a \*"):

        @register_model("fresh", reference="")
        def fresh(x, kernel=15):  # noqa: ARG001
            return x

    assert "fresh" not in list_models()


def test_the_default_of_an_option_says_its_type():
    with pytest.raises(SpecificationError, match="the default of option 'act' must be a bool, int, .* received None"):

        @register_model("fresh", reference="")
        def fresh(x, *, act=None):  # noqa: ARG001
            return x

    assert "fresh" not in list_models()


def test_a_variant_needs_a_known_network():
    with pytest.raises(UnknownNameError, match="unknown network 'nowhere'"):
        register_variant("fresh", of="nowhere", reference="", doi="")
