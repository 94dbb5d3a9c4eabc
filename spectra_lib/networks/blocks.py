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


def max_pool(x: KerasTensor, size: int, stride: int, scale: float = 1.0) -> KerasTensor:
    """Maximum over windows of `size` points, `stride` apart; refuses to pool a spectrum to nothing.

    With a scale, both numbers become those of `scaled_pool`.
    """
    size, stride = scaled_pool(size, stride, scale)
    if x.shape[1] < size:
        raise SpecificationError(
            f"the network pools the spectrum to nothing: {x.shape[1]} points are left before a pool of size "
            f"{size}; raise n_points"
        )
    return layers.MaxPooling1D(size, strides=stride)(x)


def scaled_pool(size: int, stride: int, scale: float) -> tuple[int, int]:
    """Window and stride of a pool, both multiplied by `scale` and rounded (half up) to 1 or more.

    This is what the option `pool_scale` of a network does to each of its pools. Kernels, channels and
    strides of the convolutions stay as they are. At 1 the network is the published one. Below 1 there
    is less pooling: features lie closer together, so that there are more of them, and the first dense
    layer, whose width stays the same, has more weights in proportion; above 1 all this is the other
    way round. The factors of successive pools multiply: half the scale makes a network with three
    pools of stride 2 keep eight times as many features. A pool of window 1 and stride 1 does nothing.

    Examples
    --------
    >>> scaled_pool(3, 2, 1.0), scaled_pool(3, 2, 0.5), scaled_pool(3, 2, 2.0), scaled_pool(1, 2, 0.5)
    ((3, 2), (2, 1), (6, 4), (1, 1))
    """
    return max(1, int(scale * size + 0.5)), max(1, int(scale * stride + 0.5))


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

    The last layer and the softmax compute as `output_dtype` says, whatever the precision of the layers before them.
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
    """
    return "float64" if keras.config.dtype_policy().name == "float64" else "float32"


def probabilities(logits: KerasTensor) -> KerasTensor:
    """Softmax, in the number format of outputs."""
    return layers.Activation("softmax", dtype=output_dtype(), name="probabilities")(logits)
