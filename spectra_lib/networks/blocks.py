"""Layers that several published networks share, as plain functions on Keras tensors.

Shapes are (batch, points, channels). Convolutions pad with zeros ("same"), pools do not ("valid").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras
from keras import KerasTensor, layers

from spectra_lib.errors import SpecificationError

Activation = Literal["relu"] | None


def conv(x: KerasTensor, filters: int, kernel: int, stride: int = 1, activation: Activation = "relu") -> KerasTensor:
    """Convolution with zero padding."""
    return layers.Conv1D(filters, kernel, strides=stride, padding="same", activation=activation)(x)


def max_pool(x: KerasTensor, size: int, stride: int) -> KerasTensor:
    """Maximum over windows of `size` points, `stride` apart; refuses to pool a spectrum to nothing."""
    if x.shape[1] < size:
        raise SpecificationError(
            f"the network pools the spectrum to nothing: {x.shape[1]} points are left before a pool of size "
            f"{size}; raise n_points"
        )
    return layers.MaxPooling1D(size, strides=stride)(x)


def batch_norm(x: KerasTensor, momentum: float) -> KerasTensor:
    """Batch normalisation with a given momentum of the running statistics."""
    return layers.BatchNormalization(momentum=momentum)(x)


def dropout(x: KerasTensor, rate: float) -> KerasTensor:
    """Dropout; a rate of 0 adds no layer."""
    return layers.Dropout(rate)(x) if rate > 0 else x


def classifier(
    x: KerasTensor, n_classes: int, units: Sequence[int], activation: str, dropout_rate: float
) -> KerasTensor:
    """Put the fully-connected stack on flattened features: dropout before each dense layer, softmax last.

    The softmax is computed in float32 whatever the precision of the layers before it.
    """
    x = layers.Flatten(name="flatten")(x)
    for number, width in enumerate(units, start=1):
        x = dropout(x, dropout_rate)
        x = layers.Dense(width, activation=activation, name=f"hidden_{number}")(x)
    x = dropout(x, dropout_rate)
    x = layers.Dense(n_classes, name="logits")(x)
    return layers.Activation("softmax", dtype=keras.DTypePolicy("float32"), name="probabilities")(x)
