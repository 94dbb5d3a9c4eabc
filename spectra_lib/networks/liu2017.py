"""A network with batch normalisation for minerals in Raman spectroscopy.

Liu, Osadchy, Ashton, Foster, Solomon & Gibson, Analyst 142, 4067 (2017), doi:10.1039/C7AN01371J.
"""

from __future__ import annotations

from keras import KerasTensor, layers

from spectra_lib.networks.blocks import batch_norm, conv, max_pool
from spectra_lib.networks.registry import register_model


@register_model(
    "cnn_bn",
    reference="Liu et al. 2017",
    doi="10.1039/C7AN01371J",
    hidden_units=(2048,),
    hidden_activation="linear",
    dropout=0.5,
)
def cnn_bn(
    x: KerasTensor, *, batch_normalization: bool = True, bn_momentum: float = 0.99, pool_scale: float = 1.0
) -> KerasTensor:
    """Three convolutions with batch normalisation and leaky ReLU, each with a pool.

    For `pool_scale` see `blocks.scaled_pool`.
    """
    for filters, kernel in ((16, 21), (32, 11), (64, 5)):
        x = conv(x, filters, kernel, activation=None)
        if batch_normalization:
            x = batch_norm(x, bn_momentum)
        x = max_pool(layers.LeakyReLU(negative_slope=0.1)(x), 2, 2, pool_scale)
    return x
