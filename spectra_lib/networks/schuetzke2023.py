"""The modified networks of the ablation study.

Schuetzke, Szymanski & Reischl, npj Comput. Mater. 9, 100 (2023), doi:10.1038/s41524-023-01055-y, Table 2.
Each changes more than the one thing that the paper names it after; the options of the base
networks (`bn_momentum`, `conv_dropout`, `hidden_units` ...) change one thing at a time.
"""

from __future__ import annotations

from spectra_lib.networks import ho2019, liu2017, szymanski2021, wang2020  # noqa: F401  (the networks varied here)
from spectra_lib.networks.registry import register_variant

SOURCE = {"reference": "Schuetzke et al. 2023", "doi": "10.1038/s41524-023-01055-y"}

register_variant("cnn6_bn", of="cnn6", batch_normalization=True, **SOURCE)
register_variant("cnn6_convdo", of="cnn6", conv_dropout=0.2, dropout=0.0, **SOURCE)
register_variant("cnnbn_mod", of="cnn_bn", batch_normalization=False, hidden_activation="relu", **SOURCE)
register_variant(
    "vgg_mod",
    of="vgg",
    kernel=20,
    conv_dropout=0.0,
    hidden_units=(2000, 500),
    hidden_activation="relu",
    dropout=0.3,
    **SOURCE,
)
register_variant(
    "resnet_mod",
    of="resnet",
    batch_normalization=False,
    stem_relu=True,
    hidden_units=(3100, 1200),
    hidden_activation="relu",
    dropout=0.5,
    **SOURCE,
)
