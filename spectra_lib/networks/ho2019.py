"""A residual network for bacteria in Raman spectroscopy.

Ho, Jean, Hogan, Blackmon, Jeffrey, Holodniy, Banaei, Saleh, Ermon & Dionne, Nat. Commun. 10, 4927
(2019), doi:10.1038/s41467-019-12898-9; built as in the published code of Schuetzke et al. 2023.
"""

from __future__ import annotations

from keras import KerasTensor, layers

from spectra_lib.networks.blocks import batch_norm, conv
from spectra_lib.networks.registry import register_model

STAGES = 6
CHANNELS = 100
KERNEL = 5


@register_model(
    "resnet",
    reference="Ho et al. 2019",
    doi="10.1038/s41467-019-12898-9",
    hidden_units=(),
    hidden_activation=None,
    dropout=0.5,
)
def resnet(
    x: KerasTensor, *, batch_normalization: bool = True, bn_momentum: float = 0.99, stem_relu: bool = False
) -> KerasTensor:
    """A stem and six stages of two residual blocks; each stage halves the number of points."""

    def norm(y: KerasTensor) -> KerasTensor:
        return batch_norm(y, bn_momentum) if batch_normalization else y

    x = norm(conv(x, 64, KERNEL, activation=None))
    if stem_relu:
        x = layers.ReLU()(x)
    for _ in range(STAGES):
        for stride in (2, 1):
            y = layers.ReLU()(norm(conv(x, CHANNELS, KERNEL, stride, activation=None)))
            y = norm(conv(y, CHANNELS, KERNEL, activation=None))
            shortcut = norm(conv(x, CHANNELS, 1, stride, activation=None)) if stride > 1 else x
            x = layers.ReLU()(layers.Add()([y, shortcut]))
    return x
