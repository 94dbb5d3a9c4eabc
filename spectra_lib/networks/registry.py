"""Networks from outside the package, registered as functions on Keras tensors.

Such a network is a function from an input tensor (batch, n_points, 1) to the features before the
fully-connected stack. Its keyword arguments are the options it allows; the stack itself
(`hidden_units`, `hidden_activation`, `dropout`) is an option of every network.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any

from spectra_lib._base.errors import SpecificationError, UnknownNameError
from spectra_lib._base.names import check_name
from spectra_lib.networks.catalogue import CATALOGUE
from spectra_lib.networks.facts import HiddenActivation, Network, keyword_options

Features = Callable[..., Any]
Head = Callable[..., Any]

_REGISTRY: dict[str, Network] = {}


def register_model(
    name: str,
    *,
    reference: str,
    doi: str = "",
    hidden_units: tuple[int, ...] = (),
    hidden_activation: HiddenActivation | None = None,
    dropout: float = 0.0,
    head: Head | None = None,
) -> Callable[[Features], Features]:
    """Register a function that builds the layers before the fully-connected stack.

    The function takes the input tensor (batch, n_points, 1); its keyword-only arguments (behind a ``*``) become
    options. Their defaults, which they must have, are bool, int, float, str or tuples of int, and say of what type
    values are. A `head` takes the place of the stack: it gets the features and the number of
    classes, and gives the logits (batch, n_classes); its keyword-only arguments become options too.

    Parameters
    ----------
    name : str
        Name of the network; becomes a part of paths.
    reference, doi : str
        Where it was published.
    hidden_units : tuple of int
        Widths of the hidden layers.
    hidden_activation : {"linear", "relu"}, optional
        Their activation.
    dropout : float
        Dropout rate in the fully-connected stack, in [0, 1).
    head : callable, optional
        See above.

    Returns
    -------
    callable
        Decorator that gives the function back unchanged.

    Raises
    ------
    SpecificationError
        If the name is taken or not allowed (see `check_name`), or an argument cannot be an option: it has no default,
        one of another type, or does not stand behind a ``*``.
    """

    def decorate(features: Features) -> Features:
        options = keyword_options(features) | (keyword_options(head) if head else {})
        for parameter in inspect.signature(features).parameters.values():
            if parameter.name not in options and parameter.default is not parameter.empty:
                raise SpecificationError(
                    f"network {name!r}: {parameter.name!r} has a default and so looks like an option; "
                    "options stand behind a *, as in my_net(x, *, kernel=15)"
                )
        for option, default in options.items():
            if default is inspect.Parameter.empty:
                raise SpecificationError(f"network {name!r}: option {option!r} needs a default")
            if not isinstance(default, bool | int | float | str | tuple):
                raise SpecificationError(
                    f"network {name!r}: the default of option {option!r} must be a bool, int, float, str "
                    f"or tuple of int, since it says of what type values are; received {default!r}"
                )
        _add(
            Network(
                name,
                reference,
                doi,
                hidden_units,
                hidden_activation,
                dropout,
                options,
                own_head=head is not None,
                features=features,
                head=head,
            )
        )
        return features

    return decorate


def register_variant(name: str, *, of: str, reference: str, doi: str, **changes: Any) -> None:
    """Register a network that differs from another one in the given options.

    Parameters
    ----------
    name : str
        Name of the new network.
    of : str
        Name of the network that it modifies.
    reference, doi : str
        Where it was published.
    **changes
        Options with their new defaults; `hidden_activation` may be among them.

    Raises
    ------
    UnknownNameError
        If there is no network of the name `of`, or no such option.
    SpecificationError
        If the name is taken or not allowed (see `check_name`), or a value has the wrong type or range.
    """
    base = registered().get(of)
    if base is None:
        raise UnknownNameError("network", of, registered())
    _add(base.varied(name, reference=reference, doi=doi, **changes))


def _add(entry: Network) -> None:
    if check_name(entry.name, "network") in registered():
        raise SpecificationError(f"a network named {entry.name!r} is registered already; choose another name")
    _REGISTRY[entry.name] = entry


def registered() -> dict[str, Network]:
    """All networks that there are so far by name, those of this package first.

    Returns
    -------
    dict of str to Network

    Examples
    --------
    >>> registered()["cnn6"].hidden_units
    (3100, 1200)
    """
    return {**CATALOGUE, **_REGISTRY}


def forget(names: Collection[str]) -> None:
    """Remove networks from outside, so that a plugin that fails half-way leaves nothing behind.

    Parameters
    ----------
    names : collection of str
        Names of networks that were registered.

    Raises
    ------
    KeyError
        If there is no such network from outside.
    """
    for name in names:
        del _REGISTRY[name]
