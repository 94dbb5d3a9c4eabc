"""A VGG-like network for metal-organic frameworks in powder X-ray diffraction.

Wang, Xie, Li, Deng, Zhao, Xin & Lin, J. Chem. Inf. Model. 60, 2004 (2020), doi:10.1021/acs.jcim.0c00020.
"""

from __future__ import annotations

from keras import KerasTensor

from spectra_lib.networks.blocks import conv, dropout, max_pool
from spectra_lib.networks.registry import register_model

STAGES = ((6,), (16, 16), (32, 32), (64, 64))


@register_model(
    "vgg",
    reference="Wang et al. 2020",
    doi="10.1021/acs.jcim.0c00020",
    hidden_units=(120, 84, 186),
    hidden_activation="linear",
    dropout=0.0,
)
def vgg(x: KerasTensor, *, kernel: int = 5, conv_dropout: float = 0.2, pool_scale: float = 1.0) -> KerasTensor:
    """Seven convolutions in four stages; a pool and dropout close each stage.

    For `pool_scale` see `blocks.scaled_pool`.
    """
    for stage in STAGES:
        for filters in stage:
            x = conv(x, filters, kernel)
        x = dropout(max_pool(x, 2, 2, pool_scale), conv_dropout)
    return x
