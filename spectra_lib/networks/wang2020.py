"""A VGG-like network for metal-organic frameworks in powder X-ray diffraction.

Wang, Xie, Li, Deng, Zhao, Xin & Lin, J. Chem. Inf. Model. 60, 2004 (2020), doi:10.1021/acs.jcim.0c00020.
"""

from __future__ import annotations

from spectra_lib.networks.facts import Network, keyword_options
from spectra_lib.networks.layers import Conv, Dropout, Layer, Layers, MaxPool

STAGES = ((6,), (16, 16), (32, 32), (64, 64))


def vgg(*, kernel: int = 5, conv_dropout: float = 0.2, pool_scale: float = 1.0) -> Layers:
    """Seven convolutions in four stages; a pool and dropout close each stage.

    Parameters
    ----------
    kernel : int
        Kernel size, in points.
    conv_dropout : float
        Rate of the convolutional dropout, in [0, 1).
    pool_scale : float
        Factor on the pools (see `scaled_pool`).

    Returns
    -------
    tuple of Layer
    """
    found: list[Layer] = []
    for stage in STAGES:
        found += [Conv(filters, kernel) for filters in stage]
        found += [MaxPool(2, 2, pool_scale), Dropout(conv_dropout)]
    return tuple(found)


NETWORKS = (
    Network(
        "vgg",
        "Wang et al. 2020",
        "10.1021/acs.jcim.0c00020",
        hidden_units=(120, 84, 186),
        hidden_activation="linear",
        options=keyword_options(vgg),
        display_name="VGG",
        layers=vgg,
    ),
)
