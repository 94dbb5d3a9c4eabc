"""The networks of this package by name, with all that is known of them without building one; needs no Keras."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.networks import ho2019, lee2020, liu2017, schuetzke2023, szymanski2021, wang2020
from spectra_lib.networks.facts import HiddenActivation, Network

PUBLISHED = ("cnn2", "cnn3", "cnn6", "vgg", "resnet", "cnn_bn", "inc3", "inc6")
"""Published networks, in the order of the paper."""

MODIFIED = tuple(entry.name for entry in schuetzke2023.NETWORKS)
"""Networks that the paper made of them for its ablation."""

OWN = "peaknet"
"""The network of this project."""

_PEAKNET = Network(
    OWN,
    "this work",
    options={
        "max_peaks": 12,
        "peaks_per_class": 4,
        "train_centres": True,
        "start": "mid_range",
        "tolerance": "flat",
        "count_surplus": True,
    },
    display_name="PeakNet",
    own_head=True,
)

CATALOGUE: Mapping[str, Network] = MappingProxyType(
    {
        entry.name: entry
        for module in (lee2020, szymanski2021, wang2020, ho2019, liu2017, schuetzke2023)
        for entry in module.NETWORKS
    }
    | {OWN: _PEAKNET}
)
"""All networks of this package by name."""


def facts(name: str) -> Network:
    """Look up a network of this package.

    Parameters
    ----------
    name : str
        A name of `CATALOGUE`.

    Returns
    -------
    Network

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> facts("cnn6").hidden_units
    (3100, 1200)
    """
    if name not in CATALOGUE:
        raise UnknownNameError("network", name, CATALOGUE)
    return CATALOGUE[name]


def published_activation(name: str) -> HiddenActivation | None:
    """Activation of a network's hidden layers as published; None without hidden layers.

    Parameters
    ----------
    name : str
        A name of `CATALOGUE`.

    Returns
    -------
    {"linear", "relu"} or None

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> published_activation("vgg"), published_activation("cnn6"), published_activation("resnet")
    ('linear', 'relu', None)
    """
    return facts(name).hidden_activation


def has_hidden_layers(name: str) -> bool:
    """Tell whether a network of this package has hidden layers, and so an activation to vary.

    Parameters
    ----------
    name : str
        A name of `CATALOGUE`.

    Returns
    -------
    bool

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> has_hidden_layers("cnn2"), has_hidden_layers("resnet"), has_hidden_layers("peaknet")
    (True, False, False)
    """
    return bool(facts(name).hidden_units)


def activations(name: str) -> tuple[HiddenActivation | None, ...]:
    """Activations that the hidden layers of a network of this package can have; None alone without hidden layers.

    Parameters
    ----------
    name : str
        A name of `CATALOGUE`.

    Returns
    -------
    tuple of {"linear", "relu"} or None

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> activations("vgg"), activations("resnet")
    (('linear', 'relu'), (None,))
    """
    return ("linear", "relu") if has_hidden_layers(name) else (None,)


def relu_activation(name: str) -> HiddenActivation | None:
    """Activation of a network's hidden layers if they have a rectifier; None without hidden layers.

    Parameters
    ----------
    name : str
        A name of `CATALOGUE`.

    Returns
    -------
    "relu" or None

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> relu_activation("vgg"), relu_activation("resnet")
    ('relu', None)
    """
    return activations(name)[-1]
