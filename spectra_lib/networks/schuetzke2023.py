"""The modified networks of the ablation study.

Schuetzke, Szymanski & Reischl, npj Comput. Mater. 9, 100 (2023), doi:10.1038/s41524-023-01055-y, Table 2.
Each changes more than the one thing that the paper names it after; the options of the base
networks (`bn_momentum`, `conv_dropout`, `hidden_units` ...) change one thing at a time.
"""

from __future__ import annotations

from typing import Any

from spectra_lib.networks import ho2019, liu2017, szymanski2021, wang2020
from spectra_lib.networks.facts import Network

(_CNN6,), (_VGG,), (_RESNET,), (_CNN_BN,) = (m.NETWORKS for m in (szymanski2021, wang2020, ho2019, liu2017))


def _modified(base: Network, name: str, display_name: str, **changes: Any) -> Network:
    source = {"reference": "Schuetzke et al. 2023", "doi": "10.1038/s41524-023-01055-y"}
    return base.varied(name, display_name=display_name, **source, **changes)


NETWORKS = (
    _modified(_CNN6, "cnn6_bn", "CNN6 BN", batch_normalization=True),
    _modified(_CNN6, "cnn6_convdo", "CNN6 ConvDO", conv_dropout=0.2, dropout=0.0),
    _modified(_CNN_BN, "cnnbn_mod", "CNN BN modified", batch_normalization=False, hidden_activation="relu"),
    _modified(
        _VGG,
        "vgg_mod",
        "VGG modified",
        kernel=20,
        conv_dropout=0.0,
        hidden_units=(2000, 500),
        hidden_activation="relu",
        dropout=0.3,
    ),
    _modified(
        _RESNET,
        "resnet_mod",
        "Resnet modified",
        batch_normalization=False,
        stem_relu=True,
        hidden_units=(3100, 1200),
        hidden_activation="relu",
    ),
)
