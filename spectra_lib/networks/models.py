"""Networks by name: those of this package, and those that installed packages and plugins bring; needs no Keras."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.networks.catalogue import CATALOGUE
from spectra_lib.networks.facts import HiddenActivation, Network, resolve
from spectra_lib.networks.plugins import load_installed_plugins
from spectra_lib.networks.registry import registered


@cache
def _load_installed_plugins_once() -> None:
    load_installed_plugins()


def _all() -> dict[str, Network]:
    _load_installed_plugins_once()
    return registered()


def list_models() -> list[str]:
    """Names of all registered networks: the published ones first, then the modified ones, then those without a DOI.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_models()[:4]
    ['cnn2', 'cnn3', 'cnn6', 'cnn_bn']
    """
    known = _all()
    return sorted(known, key=lambda name: (not known[name].doi, known[name].variant_of is not None, name))


def network(name: str) -> Network:
    """Look up a registered network.

    Parameters
    ----------
    name : str
        A name of `list_models`.

    Returns
    -------
    Network

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> network("cnn6").hidden_units
    (3100, 1200)
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    known = _all()
    if name not in known:
        raise UnknownNameError("network", name, list_models())
    return known[name]


def resolve_options(
    name: str, hidden_activation: str | None, options: Mapping[str, Any]
) -> tuple[HiddenActivation | None, dict[str, Any]]:
    """Check the options of a network; give its activation and those options that differ from the defaults.

    Parameters
    ----------
    name : str
        A name of `list_models`.
    hidden_activation : str or None
        None for the published one, or linear if none is published.
    options : mapping of str to object
        Values by name.

    Returns
    -------
    activation : {"linear", "relu"} or None
        None without hidden layers.
    options : dict of str to object
        Those that differ from the defaults.

    Raises
    ------
    UnknownNameError
        If the network or an option does not exist.
    SpecificationError
        If an option has the wrong type, or an activation is asked of a network without hidden layers.

    Examples
    --------
    >>> resolve_options("vgg", None, {"kernel": 5, "conv_dropout": 0.1})
    ('linear', {'conv_dropout': 0.1})
    """
    return resolve(network(name), hidden_activation, options)
