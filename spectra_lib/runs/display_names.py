"""Networks, hidden layers, options and runs by the names under which texts, tables and figures show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from spectra_lib.networks.catalogue import CATALOGUE, activations
from spectra_lib.runs.record import RunRecord

ACTIVATION_NAMES: Mapping[str, str] = MappingProxyType({"linear": "linear", "relu": "ReLU", "none": "no hidden layers"})
"""Activations of the hidden layers; "none" without hidden layers."""

OPTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "batch_normalization": "batch normalisation",
        "bn_momentum": "momentum of batch normalisation",
        "conv_dropout": "convolutional dropout",
        "dropout": "dense dropout",
        "hidden_activation": "activation of hidden layers",
        "hidden_units": "hidden layers",
        "kernel": "kernel size",
        "stem_relu": "ReLU after the first convolution",
        "pool_scale": "pools",
    }
)
"""Options of networks."""


def network_name(model: str, activation: str | None = None) -> str:
    """Name a network, with the activation of its hidden layers if one is given; one without a name keeps its own.

    Parameters
    ----------
    model : str
        Name of a network, registered or not.
    activation : str, optional
        A key of `ACTIVATION_NAMES`.

    Returns
    -------
    str

    Examples
    --------
    >>> network_name("cnn6_bn"), network_name("vgg", "relu"), network_name("my_net", "linear")
    ('CNN6 BN', 'VGG (ReLU)', 'my_net (linear)')
    """
    name = CATALOGUE[model].display_name if model in CATALOGUE else model
    return f"{name} ({ACTIVATION_NAMES.get(activation, activation)})" if activation else name


def activation_keys(model: str) -> tuple[str, ...]:
    """Keys of `ACTIVATION_NAMES` for the activations that a network's hidden layers can have.

    Parameters
    ----------
    model : str
        A network of this package.

    Returns
    -------
    tuple of str

    Raises
    ------
    UnknownNameError
        If there is no such network.

    Examples
    --------
    >>> activation_keys("vgg"), activation_keys("resnet")
    (('linear', 'relu'), ('none',))
    """
    return tuple(activation or "none" for activation in activations(model))


def name_runs(records: Iterable[RunRecord]) -> str:
    """Name runs by network, hidden layers and seeds; "none" without any.

    Parameters
    ----------
    records : iterable of RunRecord
        Runs; only their specifications are looked at.

    Returns
    -------
    str
        Networks in the order in which they come, separated by semicolons.

    Examples
    --------
    >>> from spectra_lib.runs.specification import RunSpec
    >>> specs = [RunSpec(dataset="smoke", model="cnn2", hidden_activation="relu", seed=seed) for seed in (3, 0)]
    >>> name_runs(RunRecord.model_construct(spec=spec) for spec in specs), name_runs([])
    ('CNN2 (ReLU), seeds 0 and 3', 'none')
    """
    seeds: dict[str, list[int]] = {}
    for record in records:
        seeds.setdefault(network_name(record.spec.model, record.spec.hidden_activation), []).append(record.spec.seed)
    return "; ".join(f"{name}, {_seeds(sorted(own))}" for name, own in seeds.items()) or "none"


def _seeds(seeds: Sequence[int]) -> str:
    *first, last = map(str, seeds)
    return f"seeds {', '.join(first)} and {last}" if first else f"seed {last}"
