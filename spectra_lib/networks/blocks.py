"""Layers of the published networks as Keras builds them.

Shapes are (batch, points, channels).
"""

from __future__ import annotations

from collections.abc import Sequence

from spectra_lib.networks.layers import AveragePool, BatchNorm, Conv, Dropout, Layers, MaxPool, Parallel, ReLU, Residual
from spectra_lib.networks.quiet_keras import KerasTensor, keras, layers


def build_layers(x: KerasTensor, described: Layers) -> KerasTensor:
    """Put described layers on a tensor (batch, points, channels), in their order.

    Parameters
    ----------
    x : KerasTensor, shape (batch, points, channels)
        What the first layer gets.
    described : tuple of Layer
        The layers.

    Returns
    -------
    KerasTensor, shape (batch, points, channels)

    Raises
    ------
    SpecificationError
        If a pool finds fewer points than its window has.
    """
    for layer in described:
        if isinstance(layer, Conv):
            x = layers.Conv1D(
                layer.filters, layer.kernel, strides=layer.stride, padding="same", activation=layer.activation
            )(x)
        elif isinstance(layer, BatchNorm):
            x = layers.BatchNormalization(momentum=layer.momentum)(x)
        elif isinstance(layer, ReLU):
            x = (layers.LeakyReLU(negative_slope=layer.negative_slope) if layer.negative_slope else layers.ReLU())(x)
        elif isinstance(layer, MaxPool):
            size, stride = layer.numbers(x.shape[1])
            x = layers.MaxPooling1D(size, strides=stride)(x)
        elif isinstance(layer, AveragePool):
            x = layers.AveragePooling1D(layer.size, strides=1, padding="same")(x)
        elif isinstance(layer, Dropout):
            x = dropout(x, layer.rate)
        elif isinstance(layer, Parallel):
            x = layers.Concatenate()([build_layers(x, branch) for branch in layer.branches])
        elif isinstance(layer, Residual):
            both = [build_layers(x, layer.layers), build_layers(x, layer.shortcut)]
            x = layers.ReLU()(layers.Add()(both))
    return x


def dropout(x: KerasTensor, rate: float) -> KerasTensor:
    """Dropout; a rate of 0 adds no layer.

    Parameters
    ----------
    x : KerasTensor
        Any shape.
    rate : float
        Fraction that is dropped, in [0, 1).

    Returns
    -------
    KerasTensor
        Of the same shape.
    """
    return layers.Dropout(rate)(x) if rate > 0 else x


def classifier(
    x: KerasTensor, n_classes: int, units: Sequence[int], activation: str, dropout_rate: float
) -> KerasTensor:
    """Put the fully-connected stack on flattened features: dropout before each dense layer, softmax last.

    The last layer and the softmax compute as `output_dtype` says, whatever the precision of the layers before them.

    Parameters
    ----------
    x : KerasTensor, shape (batch, points, channels)
        Features.
    n_classes : int
        Number of classes.
    units : sequence of int
        Widths of the hidden layers.
    activation : {"linear", "relu"}
        Activation of the hidden layers.
    dropout_rate : float
        In [0, 1).

    Returns
    -------
    KerasTensor, shape (batch, n_classes)
        Class probabilities.
    """
    x = layers.Flatten(name="flatten")(x)
    for number, width in enumerate(units, start=1):
        x = dropout(x, dropout_rate)
        x = layers.Dense(width, activation=activation, name=f"hidden_{number}")(x)
    x = dropout(x, dropout_rate)
    return probabilities(layers.Dense(n_classes, dtype=output_dtype(), name="logits")(x))


def output_dtype() -> str:
    """Number format of a network's outputs under the policy of the moment: float32, or float64 where all else is.

    In bfloat16, logits near 10 come in steps of 1/16, and so would the loss.

    Returns
    -------
    {"float32", "float64"}
    """
    return "float64" if keras.config.dtype_policy().name == "float64" else "float32"


def probabilities(logits: KerasTensor) -> KerasTensor:
    """Softmax, in the number format of outputs.

    Parameters
    ----------
    logits : KerasTensor, shape (batch, n_classes)
        Outputs before the softmax.

    Returns
    -------
    KerasTensor, shape (batch, n_classes)
        Rows sum to 1.
    """
    return layers.Activation("softmax", dtype=output_dtype(), name="probabilities")(logits)
