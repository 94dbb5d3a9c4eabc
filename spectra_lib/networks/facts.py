"""What is known of a network without building it, and the rules for its options."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from spectra_lib._base.errors import SpecificationError, UnknownNameError
from spectra_lib.networks.layers import Layers

HiddenActivation = Literal["linear", "relu"]

RATES = frozenset({"dropout", "conv_dropout", "bn_momentum"})
"""Options that mean a rate, from 0 to below 1, in every network that has them."""

POSITIVE = frozenset({"pool_scale", "kernel", "max_peaks", "peaks_per_class"})
"""Options that mean a size or a factor, above 0, in every network that has them."""


@dataclass(frozen=True)
class Network:
    """A network as it is registered.

    Attributes
    ----------
    name : str
        Name in the registry.
    reference : str
        Where the network was published.
    doi : str
        Its DOI.
    hidden_units : tuple of int
        Widths of the hidden fully-connected layers.
    hidden_activation : {"linear", "relu"} or None
        Their activation as published; None where there are no hidden layers.
    dropout : float
        Dropout rate in the fully-connected stack.
    options : mapping
        Further options with their values.
    display_name : str
        Name in texts, tables and figures; empty for the registered one.
    variant_of : str or None
        The published network that this one modifies.
    own_head : bool
        Whether something else stands in the place of the fully-connected stack.
    layers : callable or None
        From options to the layers before the fully-connected stack.
    features, head : callable or None
        The same as functions on Keras tensors, for a network from outside the package: what comes before the
        fully-connected stack, and what stands in its place, whose layers compute in float32 whatever the precision of
        those before them (in float64 where all do).
    """

    name: str
    reference: str
    doi: str = ""
    hidden_units: tuple[int, ...] = ()
    hidden_activation: HiddenActivation | None = None
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    display_name: str = ""
    variant_of: str | None = None
    own_head: bool = False
    layers: Callable[..., Layers] | None = None
    features: Callable[..., Any] | None = None
    head: Callable[..., Any] | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """Every option that the network takes, with its default."""
        if self.own_head:
            return dict(self.options)
        return {"hidden_units": self.hidden_units, "dropout": self.dropout, **self.options}

    def varied(self, name: str, *, reference: str, doi: str, display_name: str = "", **changes: Any) -> Network:
        """Give a network that differs from this one in some options.

        Parameters
        ----------
        name, reference, doi, display_name : str
            Those of the new network.
        **changes
            Options with their new defaults; `hidden_activation` may be among them.

        Returns
        -------
        Network

        Raises
        ------
        UnknownNameError
            If there is no such option.
        SpecificationError
            If a value has the wrong type or range.
        """
        activation = changes.pop("hidden_activation", self.hidden_activation)
        values = self.defaults | check_options(self, changes)
        return replace(
            self,
            name=name,
            reference=reference,
            doi=doi,
            display_name=display_name,
            hidden_units=tuple(values.pop("hidden_units")),
            hidden_activation=activation,
            dropout=values.pop("dropout"),
            options=values,
            variant_of=self.name,
        )


def keyword_options(function: Callable[..., Any]) -> dict[str, Any]:
    """Keyword-only arguments of a function, which are the options of a network, with their defaults.

    Parameters
    ----------
    function : callable
        Builds layers.

    Returns
    -------
    dict of str to object
        Defaults by name.

    Examples
    --------
    >>> def layers(*, kernel: int = 5): ...
    >>> keyword_options(layers)
    {'kernel': 5}
    """
    return {p.name: p.default for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}


def check_options(entry: Network, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check options against names and types of a network's defaults; lists become tuples.

    Parameters
    ----------
    entry : Network
        The network.
    options : mapping of str to object
        Values by name.

    Returns
    -------
    dict of str to object
        Checked values, with lists as tuples, and as float where the default is one.

    Raises
    ------
    UnknownNameError
        If there is no such option.
    SpecificationError
        If a value has the wrong type or range.
    """
    checked = {}
    for key, value in options.items():
        if key not in entry.defaults:
            raise UnknownNameError(f"option of network {entry.name!r}:", key, entry.defaults)
        default = entry.defaults[key]
        if isinstance(default, tuple):
            if not isinstance(value, list | tuple) or not all(type(v) is int and v > 0 for v in value):
                raise SpecificationError(
                    f"network {entry.name!r}: {key} must be a list of positive whole numbers such as "
                    f"{list(default) or [500]}, received {value!r}"
                )
            value = tuple(value)
        elif isinstance(default, float) and type(value) in (int, float):
            value = float(value)
            if not math.isfinite(value):
                raise SpecificationError(f"network {entry.name!r}: {key} must be a finite number, received {value!r}")
        elif type(value) is not type(default):
            raise SpecificationError(
                f"network {entry.name!r}: {key} must be of type {type(default).__name__} such as {default!r}, "
                f"received {value!r}"
            )
        if key in RATES and not 0 <= value < 1:
            raise SpecificationError(f"network {entry.name!r}: {key} must lie in [0, 1), received {value!r}")
        if key in POSITIVE and value <= 0:
            raise SpecificationError(f"network {entry.name!r}: {key} must be above 0, received {value!r}")
        checked[key] = value
    return checked


def resolve(
    entry: Network, hidden_activation: str | None, options: Mapping[str, Any]
) -> tuple[HiddenActivation | None, dict[str, Any]]:
    """Check the options of a network; give its activation and those options that differ from the defaults.

    Parameters
    ----------
    entry : Network
        The network.
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
        If an option does not exist.
    SpecificationError
        If an option has the wrong type, or an activation is asked of a network without hidden layers.
    """
    checked = check_options(entry, options)
    has_hidden = not entry.own_head and bool(checked.get("hidden_units", entry.hidden_units))
    activation: HiddenActivation | None
    if hidden_activation is None:
        activation = (entry.hidden_activation or "linear") if has_hidden else None
    elif not has_hidden:
        raise SpecificationError(
            f"network {entry.name!r} has no hidden fully-connected layers, so hidden_activation={hidden_activation!r} "
            "means nothing; leave it out, or give hidden_units"
        )
    elif hidden_activation not in ("linear", "relu"):
        raise SpecificationError(f"hidden_activation must be 'linear' or 'relu', received {hidden_activation!r}")
    else:
        activation = cast(HiddenActivation, hidden_activation)
    return activation, {key: value for key, value in checked.items() if value != entry.defaults[key]}
