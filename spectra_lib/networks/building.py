"""Building networks in Keras."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import getfile
from typing import Any, Literal

import numpy as np

from spectra_lib._base.errors import SpecificationError
from spectra_lib.networks.blocks import build_layers, classifier, output_dtype, probabilities
from spectra_lib.networks.catalogue import OWN
from spectra_lib.networks.facts import Network, keyword_options, resolve
from spectra_lib.networks.models import network
from spectra_lib.networks.peaknet import peaknet, prototypes
from spectra_lib.networks.quiet_keras import KerasTensor, keras, layers

Precision = Literal["float32", "mixed_bfloat16", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16", "float64")


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
    entry = network(name)
    activation, changed = resolve(entry, hidden_activation, options)
    if n_points < 1 or n_classes < 2:
        raise SpecificationError(f"n_points={n_points}, n_classes={n_classes}: expected at least 1 point and 2 classes")
    _check_precision(precision)
    with _precision_policy(precision):
        inputs = layers.Input((n_points, 1), name="spectrum")
        try:
            outputs = _outputs(entry, inputs, n_classes, activation or "linear", entry.defaults | changed)
        except SpecificationError as error:
            raise SpecificationError(f"network {name!r} does not fit n_points={n_points}: {error}") from None
        except Exception as error:  # what a network from outside does is not ours to foresee
            if entry.features is None:
                raise
            raise SpecificationError(
                f"network {name!r} of {getfile(entry.features)} cannot be built for n_points={n_points}, "
                f"n_classes={n_classes}: {type(error).__name__}: {error}"
            ) from error
    return keras.Model(inputs, outputs, name=name)


def _outputs(
    entry: Network, inputs: KerasTensor, n_classes: int, activation: str, values: Mapping[str, Any]
) -> KerasTensor:
    features: Callable[..., KerasTensor] = entry.features or peaknet
    head = prototypes if entry.name == OWN else entry.head
    if entry.layers is not None:
        x = build_layers(inputs, entry.layers(**{key: values[key] for key in entry.options}))
    else:
        x = features(inputs, **{key: values[key] for key in keyword_options(features)})
    if head is not None:
        with _precision_policy(output_dtype()):
            return probabilities(head(x, n_classes, **{key: values[key] for key in keyword_options(head)}))
    return classifier(x, n_classes, values["hidden_units"], activation, values["dropout"])


def build_logits(name: str, *arguments: Any, **options: Any) -> keras.Model:
    """Build a network without its softmax; arguments as for `build_model`.

    Parameters
    ----------
    name : str
        A name of `list_models`.
    *arguments, **options
        Those of `build_model`.

    Returns
    -------
    keras.Model
        From (batch, n_points, 1) to logits (batch, n_classes).

    Raises
    ------
    UnknownNameError, SpecificationError
        As `build_model`.

    Examples
    --------
    >>> build_logits("vgg", n_points=1000, n_classes=27).layers[-1].name
    'logits'
    """
    built = build_model(name, *arguments, **options)
    return keras.Model(built.inputs, built.get_layer("logits").output, name=name)
