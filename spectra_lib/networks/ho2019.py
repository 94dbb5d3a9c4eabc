"""A residual network for bacteria in Raman spectroscopy.

Ho, Jean, Hogan, Blackmon, Jeffrey, Holodniy, Banaei, Saleh, Ermon & Dionne, Nat. Commun. 10, 4927
(2019), doi:10.1038/s41467-019-12898-9; built as in the published code of Schuetzke et al. 2023.
"""

from __future__ import annotations

from spectra_lib.networks.facts import Network, keyword_options
from spectra_lib.networks.layers import BatchNorm, Conv, Layer, Layers, ReLU, Residual

STAGES = 6
CHANNELS = 100
KERNEL = 5


def resnet(*, batch_normalization: bool = True, bn_momentum: float = 0.99, stem_relu: bool = False) -> Layers:
    """A stem and six stages of two residual blocks; each stage halves the number of points.

    Parameters
    ----------
    batch_normalization : bool
        Whether batch normalisation follows each convolution.
    bn_momentum : float
        Momentum of its running statistics, in [0, 1).
    stem_relu : bool
        Whether a ReLU follows the stem, as in Ho et al.

    Returns
    -------
    tuple of Layer
    """
    norm = (BatchNorm(bn_momentum),) if batch_normalization else ()
    found: list[Layer] = [Conv(64, KERNEL, activation=None), *norm, *((ReLU(),) if stem_relu else ())]
    second = Conv(CHANNELS, KERNEL, activation=None)
    for _ in range(STAGES):
        first, shortcut = (Conv(CHANNELS, kernel, 2, activation=None) for kernel in (KERNEL, 1))
        found.append(Residual((first, *norm, ReLU(), second, *norm), (shortcut, *norm)))
        found.append(Residual((second, *norm, ReLU(), second, *norm)))
    return tuple(found)


NETWORKS = (
    Network(
        "resnet",
        "Ho et al. 2019",
        "10.1038/s41467-019-12898-9",
        dropout=0.5,
        options=keyword_options(resnet),
        display_name="Resnet",
        layers=resnet,
    ),
)
