"""The networks by name: registration, options, building.

A network is a function from an input tensor (batch, n_points, 1) to the features before the
fully-connected stack. Its keyword arguments are the options it allows; the stack itself
(`hidden_units`, `hidden_activation`, `dropout`) is an option of every network.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import keras
import numpy as np
from keras import KerasTensor, layers

from spectra_lib.errors import SpecificationError, UnknownNameError
from spectra_lib.names import check_name
from spectra_lib.networks.blocks import classifier, output_dtype, probabilities

HiddenActivation = Literal["linear", "relu"]
Precision = Literal["float32", "mixed_bfloat16", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16", "float64")

RATES = frozenset({"dropout", "conv_dropout", "bn_momentum"})
"""Options that mean a rate, from 0 to below 1, in every network that has them."""

POSITIVE = frozenset({"pool_scale", "kernel", "max_peaks", "peaks_per_class"})
"""Options that mean a size or a factor, above 0, in every network that has them."""

Features = Callable[..., KerasTensor]
Head = Callable[..., KerasTensor]


@dataclass(frozen=True)
class Network:
    """A registered network.

    Attributes
    ----------
    name : str
        Name in the registry.
    features : callable
        Builds the layers before the fully-connected stack.
    reference : str
        Where the network was published.
    doi : str
        Its DOI.
    hidden_units : tuple of int
        Widths of the hidden fully-connected layers.
    hidden_activation : {"linear", "relu"} or None
        Their activation; None where there are no hidden layers.
    dropout : float
        Dropout rate in the fully-connected stack.
    options : mapping
        Further options with their values.
    variant_of : str or None
        The published network that this one modifies.
    head : callable or None
        Builds the logits from the features and the number of classes, where it is not the fully-connected stack; its
        layers compute in float32 whatever the precision of those before them (in float64 where all do).
    """

    name: str
    features: Features
    reference: str
    doi: str
    hidden_units: tuple[int, ...]
    hidden_activation: HiddenActivation | None
    dropout: float
    options: Mapping[str, Any]
    variant_of: str | None = None
    head: Head | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """Every option that the network takes, with its default."""
        if self.head is not None:
            return dict(self.options)
        return {"hidden_units": self.hidden_units, "dropout": self.dropout, **self.options}


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

    Raises
    ------
    SpecificationError
        If the name is taken, or an argument cannot be an option: it has no default, one of another type, or
        does not stand behind a ``*``.
    """

    def decorate(features: Features) -> Features:
        keywords = [*_keywords(features), *(_keywords(head) if head else ())]
        for parameter in inspect.signature(features).parameters.values():
            if parameter not in keywords and parameter.default is not parameter.empty:
                raise SpecificationError(
                    f"network {name!r}: {parameter.name!r} has a default and so looks like an option; "
                    "options stand behind a *, as in my_net(x, *, kernel=15)"
                )
        for parameter in keywords:
            if parameter.default is parameter.empty:
                raise SpecificationError(f"network {name!r}: option {parameter.name!r} needs a default")
            if not isinstance(parameter.default, bool | int | float | str | tuple):
                raise SpecificationError(
                    f"network {name!r}: the default of option {parameter.name!r} must be a bool, int, float, str "
                    f"or tuple of int, since it says of what type values are; received {parameter.default!r}"
                )
        options = {p.name: p.default for p in keywords}
        _add(Network(name, features, reference, doi, hidden_units, hidden_activation, dropout, options, None, head))
        return features

    return decorate


def _keywords(function: Callable[..., Any]) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]


def register_variant(name: str, *, of: str, reference: str, doi: str, **changes: Any) -> None:
    """Register a network that differs from another one in the given options."""
    base = network(of)
    activation = changes.pop("hidden_activation", base.hidden_activation)
    values = base.defaults | _checked_options(base, changes)
    _add(
        replace(
            base,
            name=name,
            reference=reference,
            doi=doi,
            hidden_units=tuple(values.pop("hidden_units")),
            hidden_activation=activation,
            dropout=values.pop("dropout"),
            options=values,
            variant_of=of,
        )
    )


def _add(entry: Network) -> None:
    if check_name(entry.name, "network") in _REGISTRY:
        raise SpecificationError(f"a network named {entry.name!r} is registered already; choose another name")
    _REGISTRY[entry.name] = entry


def forget(names: Collection[str]) -> None:
    """Remove networks, so that a plugin that fails half-way leaves nothing behind."""
    for name in names:
        del _REGISTRY[name]


def list_models() -> list[str]:
    """Names of all registered networks: the published ones first, then the modified ones, then those without a DOI.

    Examples
    --------
    >>> list_models()[:4]
    ['cnn2', 'cnn3', 'cnn6', 'cnn_bn']
    """
    return sorted(_REGISTRY, key=lambda name: (not _REGISTRY[name].doi, _REGISTRY[name].variant_of is not None, name))


def network(name: str) -> Network:
    """Look up a registered network.

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> network("cnn6").hidden_units
    (3100, 1200)
    """
    if name not in _REGISTRY:
        raise UnknownNameError("network", name, list_models())
    return _REGISTRY[name]


def _checked_options(entry: Network, options: Mapping[str, Any]) -> dict[str, Any]:
    """Check options against the defaults' names and types; lists become tuples."""
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


def resolve_options(
    name: str, hidden_activation: str | None, options: Mapping[str, Any]
) -> tuple[HiddenActivation | None, dict[str, Any]]:
    """Check the options of a network; give its activation and those options that differ from the defaults.

    Raises
    ------
    UnknownNameError
        If the network or an option does not exist.
    SpecificationError
        If an option has the wrong type, or an activation is asked of a network without hidden layers.
    """
    entry = network(name)
    checked = _checked_options(entry, options)
    has_hidden = entry.head is None and bool(checked.get("hidden_units", entry.hidden_units))
    activation: HiddenActivation | None
    if hidden_activation is None:
        activation = (entry.hidden_activation or "linear") if has_hidden else None
    elif not has_hidden:
        raise SpecificationError(
            f"network {name!r} has no hidden fully-connected layers, so hidden_activation={hidden_activation!r} "
            "means nothing; leave it out, or give hidden_units"
        )
    elif hidden_activation not in ("linear", "relu"):
        raise SpecificationError(f"hidden_activation must be 'linear' or 'relu', received {hidden_activation!r}")
    else:
        activation = cast(HiddenActivation, hidden_activation)
    return activation, {key: value for key, value in checked.items() if value != entry.defaults[key]}


def _check_precision(precision: str) -> None:
    if precision not in PRECISIONS:
        raise SpecificationError(f"precision must be one of {', '.join(PRECISIONS)}, received {precision!r}")
    if precision == "float64" and keras.backend.backend() == "jax":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it will be float32 instead
            found = keras.ops.convert_to_numpy(keras.ops.zeros(1, dtype="float64")).dtype
        if found != np.float64:
            raise SpecificationError("precision 'float64' is switched off in JAX; set JAX_ENABLE_X64=1")


@contextmanager
def _precision_policy(precision: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_model(
    name: str,
    n_points: int = 5000,
    n_classes: int = 500,
    hidden_activation: str | None = None,
    precision: Precision = "float32",
    **options: Any,
) -> keras.Model:
    """Build a network.

    Parameters
    ----------
    name : str
        A name of `list_models`.
    n_points, n_classes : int
        Points of a spectrum; number of classes.
    hidden_activation : {"linear", "relu"}, optional
        Activation of the hidden fully-connected layers; the published one if absent.
    precision : {"float32", "mixed_bfloat16", "float64"}
        Number format of the layers; weights, logits and softmax are float32 in the first two. The third, of weights and
        layers alike, is for measurements, not for runs; on JAX it needs JAX_ENABLE_X64=1.
    **options
        `hidden_units`, `dropout` and what the network's own function allows (see `network`).

    Returns
    -------
    keras.Model
        From (batch, n_points, 1) float32 to class probabilities (batch, n_classes) float32 or float64.

    Raises
    ------
    UnknownNameError
        If the network or an option does not exist.
    SpecificationError
        If an option has the wrong type, the network does not fit the number of points, or the backend has no float64.

    Examples
    --------
    >>> build_model("vgg", n_points=1000, n_classes=27).output_shape
    (None, 27)
    """
    from spectra_lib.plugins import plugin_of

    entry = network(name)
    activation, changed = resolve_options(name, hidden_activation, options)
    values = entry.defaults | changed
    if n_points < 1 or n_classes < 2:
        raise SpecificationError(f"n_points={n_points}, n_classes={n_classes}: expected at least 1 point and 2 classes")
    _check_precision(precision)
    with _precision_policy(precision):
        inputs = layers.Input((n_points, 1), name="spectrum")
        try:
            features = entry.features(inputs, **{p.name: values.pop(p.name) for p in _keywords(entry.features)})
            if entry.head is not None:
                with _precision_policy(output_dtype()):
                    outputs = probabilities(entry.head(features, n_classes, **values))
            else:
                units, rate = values["hidden_units"], values["dropout"]
                outputs = classifier(features, n_classes, units, activation or "linear", rate)
        except SpecificationError as error:
            raise SpecificationError(f"network {name!r} does not fit n_points={n_points}: {error}") from None
        except Exception as error:  # what a network from outside does is not ours to foresee
            plugin = plugin_of(name)
            if plugin is None:
                raise
            raise SpecificationError(
                f"network {name!r} of {plugin.file} cannot be built for n_points={n_points}, n_classes={n_classes}: "
                f"{type(error).__name__}: {error}"
            ) from error
    return keras.Model(inputs, outputs, name=name)


def build_logits(name: str, *arguments: Any, **options: Any) -> keras.Model:
    """Build a network without its softmax; arguments as for `build_model`.

    Returns
    -------
    keras.Model
        From (batch, n_points, 1) to logits (batch, n_classes).

    Examples
    --------
    >>> build_logits("vgg", n_points=1000, n_classes=27).layers[-1].name
    'logits'
    """
    built = build_model(name, *arguments, **options)
    return keras.Model(built.inputs, built.get_layer("logits").output, name=name)
