"""Plain and inception networks for phases in powder X-ray diffraction.

Lee, Park, Lee, Singh & Sohn, Nat. Commun. 11, 86 (2020), doi:10.1038/s41467-019-13749-3.
"""

from __future__ import annotations

from spectra_lib.networks.facts import Network, keyword_options
from spectra_lib.networks.layers import AveragePool, Conv, Layers, MaxPool, Parallel

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


def cnn2(*, pool_scale: float = 1.0) -> Layers:
    """Two convolutions, both with a stride, each with a pool.

    Parameters
    ----------
    pool_scale : float
        Factor on the pools (see `scaled_pool`).

    Returns
    -------
    tuple of Layer
    """
    return Conv(64, 50, stride=2), MaxPool(3, 2, pool_scale), Conv(64, 25, stride=3), MaxPool(2, 3, pool_scale)


def cnn3(*, pool_scale: float = 1.0) -> Layers:
    """Three convolutions, each with a pool.

    Parameters
    ----------
    pool_scale : float
        Factor on the pools (see `scaled_pool`).

    Returns
    -------
    tuple of Layer
    """
    return (
        *(Conv(64, 20), MaxPool(3, 3, pool_scale)),
        *(Conv(64, 15), MaxPool(2, 3, pool_scale)),
        *(Conv(64, 10, stride=2), MaxPool(1, 2, pool_scale)),
    )


def _inception(a: int, b: int, c: int, d: int, e: int, f: int) -> Parallel:
    return Parallel(((Conv(a, 1),), (Conv(b, 1), Conv(c, 3)), (Conv(d, 1), Conv(e, 5)), (AveragePool(3), Conv(f, 1))))


def inc3() -> Layers:
    """The three convolutions of cnn3, then three inception blocks.

    Returns
    -------
    tuple of Layer
    """
    return *cnn3(), *(_inception(*filters) for filters in INCEPTION_FILTERS[:3])


def inc6() -> Layers:
    """The three convolutions of cnn3, then six inception blocks.

    Returns
    -------
    tuple of Layer
    """
    return *cnn3(), *(_inception(*filters) for filters in INCEPTION_FILTERS)


NETWORKS = tuple(
    Network(
        layers.__name__,
        REFERENCE,
        DOI,
        hidden_units=hidden_units,
        hidden_activation="linear",
        dropout=0.3,
        options=keyword_options(layers),
        display_name=layers.__name__.upper(),
        layers=layers,
    )
    for layers, hidden_units in ((cnn2, (2000, 500)), (cnn3, (2500, 1000)), (inc3, (3700, 740)), (inc6, (4000, 400)))
)
