"""A deeper plain network for multi-phase powder X-ray diffraction.

Szymanski, Bartel, Zeng, Tu & Ceder, Chem. Mater. 33, 4204 (2021), doi:10.1021/acs.chemmater.1c01071.
"""

from __future__ import annotations

from spectra_lib.networks.facts import Network, keyword_options
from spectra_lib.networks.layers import BatchNorm, Conv, Dropout, Layer, Layers, MaxPool, ReLU

# kernel, pool size, pool stride
STAGES = ((35, 3, 2), (30, 3, 2), (25, 2, 2), (20, 1, 2), (15, 1, 2), (10, 1, 2))


def cnn6(
    *,
    batch_normalization: bool = False,
    bn_momentum: float = 0.99,
    conv_dropout: float = 0.0,
    pool_scale: float = 1.0,
) -> Layers:
    """Six convolutions with shrinking kernels, each with a pool.

    Batch normalisation stands between a convolution and its ReLU, convolutional dropout after the pool.

    Parameters
    ----------
    batch_normalization : bool
        Whether there is batch normalisation.
    bn_momentum : float
        Momentum of its running statistics, in [0, 1).
    conv_dropout : float
        Rate of the convolutional dropout, in [0, 1).
    pool_scale : float
        Factor on the pools (see `scaled_pool`).

    Returns
    -------
    tuple of Layer
    """
    found: list[Layer] = []
    for kernel, size, stride in STAGES:
        if batch_normalization:
            found += [Conv(64, kernel, activation=None), BatchNorm(bn_momentum), ReLU()]
        else:
            found += [Conv(64, kernel)]
        found += [MaxPool(size, stride, pool_scale), Dropout(conv_dropout)]
    return tuple(found)


NETWORKS = (
    Network(
        "cnn6",
        "Szymanski et al. 2021",
        "10.1021/acs.chemmater.1c01071",
        hidden_units=(3100, 1200),
        hidden_activation="relu",
        dropout=0.7,
        options=keyword_options(cnn6),
        display_name="CNN6",
        layers=cnn6,
    ),
)
