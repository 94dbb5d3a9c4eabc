"""A deeper plain network for multi-phase powder X-ray diffraction.

Szymanski, Bartel, Zeng, Tu & Ceder, Chem. Mater. 33, 4204 (2021), doi:10.1021/acs.chemmater.1c01071.
"""

from __future__ import annotations

from keras import KerasTensor, layers

from spectra_lib.networks.blocks import batch_norm, conv, dropout, max_pool
from spectra_lib.networks.registry import register_model

# kernel, pool size, pool stride
STAGES = ((35, 3, 2), (30, 3, 2), (25, 2, 2), (20, 1, 2), (15, 1, 2), (10, 1, 2))


@register_model(
    "cnn6",
    reference="Szymanski et al. 2021",
    doi="10.1021/acs.chemmater.1c01071",
    hidden_units=(3100, 1200),
    hidden_activation="relu",
    dropout=0.7,
)
def cnn6(
    x: KerasTensor,
    *,
    batch_normalization: bool = False,
    bn_momentum: float = 0.99,
    conv_dropout: float = 0.0,
    pool_scale: float = 1.0,
) -> KerasTensor:
    """Six convolutions with shrinking kernels, each with a pool.

    Batch normalisation stands between a convolution and its ReLU, convolutional dropout after
    the pool. For `pool_scale` see `blocks.scaled_pool`.
    """
    for kernel, size, stride in STAGES:
        if batch_normalization:
            x = layers.ReLU()(batch_norm(conv(x, 64, kernel, activation=None), bn_momentum))
        else:
            x = conv(x, 64, kernel)
        x = dropout(max_pool(x, size, stride, pool_scale), conv_dropout)
    return x
