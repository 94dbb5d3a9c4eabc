"""A network's architecture as data: the paper's Table 1, computed from its layers, or from what Keras builds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spectra_lib.networks.building import build_model
from spectra_lib.networks.catalogue import CATALOGUE
from spectra_lib.networks.facts import Network, resolve
from spectra_lib.networks.models import network
from spectra_lib.networks.quiet_keras import keras, layers
from spectra_lib.networks.sizes import Size, size_of


@dataclass(frozen=True)
class ModelDescription:
    """What a network consists of.

    Attributes
    ----------
    name, reference, doi : str
        Name in the registry, and where the network was published.
    convolutions : int
        Number of convolutions, those of parallel branches and shortcuts included.
    kernel_sizes : tuple of int
        Their kernel sizes in the order of the layers.
    blocks : tuple of str
        Kinds of blocks beside plain convolution and pooling.
    flat_size : int
        Number of features at the Flatten layer; 0 for a network with a head of its own.
    hidden_units : tuple of int
        Widths of the hidden fully-connected layers.
    hidden_activation : str or None
        Their activation.
    dropout : float
        Dropout rate in the fully-connected stack.
    conv_dropout : float
        Dropout rate between the convolutions.
    parameters, trainable_parameters : int
        Number of weights.
    multiply_adds : int
        Multiplications with addition for one spectrum, convolutions and dense layers.
    receptive_field : int
        Points of the spectrum that one feature before Flatten can see; with a head of its own, all of them.
    """

    name: str
    reference: str
    doi: str
    convolutions: int
    kernel_sizes: tuple[int, ...]
    blocks: tuple[str, ...]
    flat_size: int
    hidden_units: tuple[int, ...]
    hidden_activation: str | None
    dropout: float
    conv_dropout: float
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    receptive_field: int


def describe_model(
    name: str,
    n_points: int = 5000,
    n_classes: int = 500,
    hidden_activation: str | None = None,
    **options: Any,
) -> ModelDescription:
    """Describe a network with these options (those of `build_model`).

    Parameters
    ----------
    name : str
        A name of `list_models`.
    n_points, n_classes : int
        Points of a spectrum; number of classes.
    hidden_activation : {"linear", "relu"}, optional
        Activation of the hidden layers; the published one if absent.
    **options
        Options of the network that differ from its defaults.

    Returns
    -------
    ModelDescription

    Raises
    ------
    UnknownNameError
        If the network or an option does not exist.
    SpecificationError
        If an option has the wrong type, or the network does not fit the number of points.

    Examples
    --------
    >>> d = describe_model("cnn2")
    >>> d.parameters, d.flat_size, d.kernel_sizes
    (19150728, 8896, (50, 25))
    """
    entry = network(name)
    activation, changed = resolve(entry, hidden_activation, options)
    values = entry.defaults | changed
    known = name in CATALOGUE
    size = (
        size_of(name, n_points, n_classes, activation, **changed)
        if known
        else _size_as_built(entry, n_points, n_classes, activation, changed)
    )
    return ModelDescription(
        name=name,
        reference=entry.reference,
        doi=entry.doi,
        convolutions=size.convolutions,
        kernel_sizes=size.kernel_sizes,
        blocks=size.blocks,
        flat_size=size.flat_size,
        hidden_units=tuple(values.get("hidden_units", ())),
        hidden_activation=activation,
        dropout=values.get("dropout", 0.0),
        conv_dropout=values.get("conv_dropout", 0.0),
        parameters=size.parameters,
        trainable_parameters=size.trainable_parameters,
        multiply_adds=size.multiply_adds,
        receptive_field=size.receptive_field,
    )


def _size_as_built(
    entry: Network, n_points: int, n_classes: int, activation: str | None, options: Mapping[str, Any]
) -> Size:
    # Shapes are all that is needed: without values, the weights of the eight networks do not take 3 GB.
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(entry.name, n_points, n_classes, activation, **options)
    keras.utils.clear_session(free_memory=False)  # or Keras would give the weights values at the next occasion
    return measure_model(model)


def measure_model(model: keras.Model) -> Size:
    """Measure a network as Keras has built it.

    Parameters
    ----------
    model : keras.Model
        A network of `build_model`.

    Returns
    -------
    Size

    Examples
    --------
    >>> measure_model(build_model("cnn2", 1000, 27)) == size_of("cnn2", 1000, 27)
    True
    """
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv1D)]
    kinds = {
        "inception": layers.Concatenate,
        "residual": layers.Add,
        "batch normalisation": layers.BatchNormalization,
    }
    has_stack = any(layer.name == "flatten" for layer in model.layers)
    return Size(
        kernel_sizes=tuple(layer.kernel_size[0] for layer in convolutions),
        flat_size=model.get_layer("flatten").output.shape[1] if has_stack else 0,
        parameters=model.count_params(),
        trainable_parameters=sum(math.prod(w.shape) for w in model.trainable_weights),
        multiply_adds=sum(multiply_adds_of(layer) for layer in model.layers),
        receptive_field=_receptive_field(model) if has_stack else model.input_shape[1],
        blocks=tuple(kind for kind, cls in kinds.items() if any(isinstance(layer, cls) for layer in model.layers)),
    )


def multiply_adds_of(layer: keras.Layer) -> int:
    """Multiplications with addition of a layer for one spectrum.

    Parameters
    ----------
    layer : keras.Layer
        A layer that has been built.

    Returns
    -------
    int
        0 for layers other than convolutions and dense ones, unless they have an attribute of
        this kind.
    """
    if isinstance(layer, layers.Conv1D):
        return layer.output.shape[1] * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape)
    return getattr(layer, "multiply_adds", 0)  # layers of a network's own may tell


def _receptive_field(model: keras.Model) -> int:
    """Largest field over all paths: (field, distance of neighbouring features) for each layer."""
    reach: dict[str, tuple[int, int]] = {}
    for layer in model.layers:
        if layer.name == "flatten":
            return reach[sources_of(layer)[0]][0]
        sources = [reach[source] for source in sources_of(layer)]
        field, step = max(sources, default=(1, 1))
        if isinstance(layer, layers.Conv1D):
            field, step = field + (layer.kernel_size[0] - 1) * step, step * layer.strides[0]
        elif isinstance(layer, layers.MaxPooling1D | layers.AveragePooling1D):
            size = layer.pool_size if isinstance(layer.pool_size, int) else layer.pool_size[0]
            stride = layer.strides if isinstance(layer.strides, int) else layer.strides[0]
            field, step = field + (size - 1) * step, step * stride
        reach[layer.name] = field, step
    raise AssertionError("unreachable: every network ends in a flatten layer")  # pragma: no cover


def sources_of(layer: keras.Layer) -> list[str]:
    """Names of the layers that a layer gets its input from.

    Parameters
    ----------
    layer : keras.Layer
        A layer of a functional model.

    Returns
    -------
    list of str
        Empty for an input layer.
    """
    inputs = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in inputs if tensor._keras_history.operation is not layer]
