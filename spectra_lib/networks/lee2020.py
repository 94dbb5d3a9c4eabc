"""Plain and inception networks for phases in powder X-ray diffraction.

Lee, Park, Lee, Singh & Sohn, Nat. Commun. 11, 86 (2020), doi:10.1038/s41467-019-13749-3.
"""

from __future__ import annotations

from keras import KerasTensor, layers

from spectra_lib.networks.blocks import conv, max_pool
from spectra_lib.networks.registry import register_model

REFERENCE = "Lee et al. 2020"
DOI = "10.1038/s41467-019-13749-3"

# Filters of each inception block: 1x1 | 1x1 then 3 | 1x1 then 5 | average pool then 1x1.
INCEPTION_FILTERS = (
    (22, 32, 42, 6, 12, 10),
    (28, 43, 56, 7, 14, 14),
    (37, 56, 73, 9, 18, 19),
    (49, 74, 96, 12, 24, 25),
    (65, 97, 126, 16, 32, 32),
    (85, 128, 166, 19, 38, 43),
)


@register_model("cnn2", reference=REFERENCE, doi=DOI, hidden_units=(2000, 500), hidden_activation="linear", dropout=0.3)
def cnn2(x: KerasTensor, *, pool_scale: float = 1.0) -> KerasTensor:
    """Two convolutions, both with a stride, each with a pool; for `pool_scale` see `blocks.scaled_pool`."""
    x = max_pool(conv(x, 64, 50, stride=2), 3, 2, pool_scale)
    return max_pool(conv(x, 64, 25, stride=3), 2, 3, pool_scale)


def _stem(x: KerasTensor, pool_scale: float = 1.0) -> KerasTensor:
    x = max_pool(conv(x, 64, 20), 3, 3, pool_scale)
    x = max_pool(conv(x, 64, 15), 2, 3, pool_scale)
    return max_pool(conv(x, 64, 10, stride=2), 1, 2, pool_scale)


@register_model(
    "cnn3", reference=REFERENCE, doi=DOI, hidden_units=(2500, 1000), hidden_activation="linear", dropout=0.3
)
def cnn3(x: KerasTensor, *, pool_scale: float = 1.0) -> KerasTensor:
    """Three convolutions, each with a pool; for `pool_scale` see `blocks.scaled_pool`."""
    return _stem(x, pool_scale)


def _inception(x: KerasTensor, filters: tuple[int, ...]) -> KerasTensor:
    a, b, c, d, e, f = filters
    pooled = layers.AveragePooling1D(3, strides=1, padding="same")(x)
    branches = [conv(x, a, 1), conv(conv(x, b, 1), c, 3), conv(conv(x, d, 1), e, 5), conv(pooled, f, 1)]
    return layers.Concatenate()(branches)


@register_model("inc3", reference=REFERENCE, doi=DOI, hidden_units=(3700, 740), hidden_activation="linear", dropout=0.3)
def inc3(x: KerasTensor) -> KerasTensor:
    """The three convolutions of cnn3, then three inception blocks."""
    x = _stem(x)
    for filters in INCEPTION_FILTERS[:3]:
        x = _inception(x, filters)
    return x


@register_model("inc6", reference=REFERENCE, doi=DOI, hidden_units=(4000, 400), hidden_activation="linear", dropout=0.3)
def inc6(x: KerasTensor) -> KerasTensor:
    """The three convolutions of cnn3, then six inception blocks."""
    x = _stem(x)
    for filters in INCEPTION_FILTERS:
        x = _inception(x, filters)
    return x
