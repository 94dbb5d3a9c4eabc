"""A network with batch normalisation for minerals in Raman spectroscopy.

Liu, Osadchy, Ashton, Foster, Solomon & Gibson, Analyst 142, 4067 (2017), doi:10.1039/C7AN01371J.
"""

from __future__ import annotations

from spectra_lib.networks.facts import Network, keyword_options
from spectra_lib.networks.layers import BatchNorm, Conv, Layer, Layers, MaxPool, ReLU


def cnn_bn(*, batch_normalization: bool = True, bn_momentum: float = 0.99, pool_scale: float = 1.0) -> Layers:
    """Three convolutions with batch normalisation and leaky ReLU, each with a pool.

    Parameters
    ----------
    batch_normalization : bool
        Whether batch normalisation follows each convolution.
    bn_momentum : float
        Momentum of its running statistics, in [0, 1).
    pool_scale : float
        Factor on the pools (see `scaled_pool`).

    Returns
    -------
    tuple of Layer
    """
    norm = (BatchNorm(bn_momentum),) if batch_normalization else ()
    found: list[Layer] = []
    for filters, kernel in ((16, 21), (32, 11), (64, 5)):
        found += [Conv(filters, kernel, activation=None), *norm, ReLU(0.1), MaxPool(2, 2, pool_scale)]
    return tuple(found)


NETWORKS = (
    Network(
        "cnn_bn",
        "Liu et al. 2017",
        "10.1039/C7AN01371J",
        hidden_units=(2048,),
        hidden_activation="linear",
        dropout=0.5,
        options=keyword_options(cnn_bn),
        display_name="CNN BN",
        layers=cnn_bn,
    ),
)
