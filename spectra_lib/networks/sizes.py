"""How large a network is: parameters, multiply-adds and receptive field from its layers alone; needs no Keras."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from spectra_lib._base.errors import SpecificationError
from spectra_lib.networks.catalogue import facts
from spectra_lib.networks.facts import resolve
from spectra_lib.networks.layers import AveragePool, BatchNorm, Conv, Layer, MaxPool, Parallel, Residual


@dataclass(frozen=True)
class Size:
    """How large a network is for some number of points and classes.

    Attributes
    ----------
    kernel_sizes : tuple of int
        Kernel sizes of the convolutions, those of parallel branches and shortcuts included.
    flat_size : int
        Number of features before the fully-connected stack; 0 for a network with a head of its own.
    parameters, trainable_parameters : int
        Number of parameters.
    multiply_adds : int
        Multiplications with addition for one spectrum, convolutions and dense layers.
    receptive_field : int
        Points of the spectrum that one feature can see; with a head of its own, all of them.
    blocks : tuple of str
        Kinds of blocks beside plain convolution and pooling.
    """

    kernel_sizes: tuple[int, ...]
    flat_size: int
    parameters: int
    trainable_parameters: int
    multiply_adds: int
    receptive_field: int
    blocks: tuple[str, ...]

    @property
    def convolutions(self) -> int:
        """Number of convolutions."""
        return len(self.kernel_sizes)


@dataclass
class _Sum:
    """What layers have added up to."""

    kernels: list[int] = field(default_factory=list)
    parameters: int = 0
    fixed: int = 0
    multiply_adds: int = 0
    blocks: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Features:
    """Features at some place of a network: their shape, how far one sees, and how far apart neighbours are."""

    points: int
    channels: int
    field: int = 1
    step: int = 1

    def seen_through(self, points: int, channels: int, window: int, stride: int) -> _Features:
        return _Features(points, channels, self.field + (window - 1) * self.step, self.step * stride)


def _walk(layers: Iterable[Layer], x: _Features, total: _Sum) -> _Features:
    for layer in layers:
        if isinstance(layer, Conv):
            parameters = layer.kernel * x.channels * layer.filters
            x = x.seen_through(math.ceil(x.points / layer.stride), layer.filters, layer.kernel, layer.stride)
            total.kernels.append(layer.kernel)
            total.multiply_adds += x.points * parameters
            total.parameters += parameters + layer.filters
        elif isinstance(layer, BatchNorm):
            total.blocks.add("batch normalisation")
            total.parameters += 4 * x.channels
            total.fixed += 2 * x.channels  # running mean and variance
        elif isinstance(layer, MaxPool):
            size, stride = layer.numbers(x.points)
            x = x.seen_through((x.points - size) // stride + 1, x.channels, size, stride)
        elif isinstance(layer, AveragePool):
            x = x.seen_through(x.points, x.channels, layer.size, 1)
        elif isinstance(layer, Parallel):
            total.blocks.add("inception")
            ends = [_walk(branch, x, total) for branch in layer.branches]
            x = _Features(ends[0].points, sum(end.channels for end in ends), max(end.field for end in ends), x.step)
        elif isinstance(layer, Residual):
            total.blocks.add("residual")
            ends = [_walk(branch, x, total) for branch in (layer.layers, layer.shortcut)]
            x = _Features(ends[0].points, ends[0].channels, max(end.field for end in ends), ends[0].step)
    return x


def size_of(
    name: str, n_points: int = 5000, n_classes: int = 500, hidden_activation: str | None = None, **options: Any
) -> Size:
    """Tell how large a network of this package is.

    Parameters
    ----------
    name : str
        A name of `catalogue.CATALOGUE`.
    n_points, n_classes : int
        Points of a spectrum; number of classes.
    hidden_activation : {"linear", "relu"}, optional
        Activation of the hidden layers, which makes no difference.
    **options
        Options of the network that differ from its defaults.

    Returns
    -------
    Size

    Raises
    ------
    UnknownNameError
        If the network or an option does not exist.
    SpecificationError
        If an option has the wrong type, or the network does not fit the number of points.

    Examples
    --------
    >>> size = size_of("cnn2")
    >>> size.parameters, size.flat_size, size.kernel_sizes, size.multiply_adds
    (19150728, 8896, (50, 25), 69742800)
    """
    entry = facts(name)
    _, changed = resolve(entry, hidden_activation, options)
    values = entry.defaults | changed
    if entry.layers is None:
        return _size_of_peaknet(n_points, n_classes, values)
    total = _Sum()
    try:
        x = _walk(entry.layers(**{key: values[key] for key in entry.options}), _Features(n_points, 1), total)
    except SpecificationError as error:
        raise SpecificationError(f"network {name!r} does not fit n_points={n_points}: {error}") from None
    widths = (x.points * x.channels, *values["hidden_units"], n_classes)
    for before, after in pairwise(widths):
        total.multiply_adds += before * after
        total.parameters += before * after + after
    kinds = ("inception", "residual", "batch normalisation")
    return Size(
        kernel_sizes=tuple(total.kernels),
        flat_size=widths[0],
        parameters=total.parameters,
        trainable_parameters=total.parameters - total.fixed,
        multiply_adds=total.multiply_adds,
        receptive_field=x.field,
        blocks=tuple(kind for kind in kinds if kind in total.blocks),
    )


def _size_of_peaknet(n_points: int, n_classes: int, values: dict[str, Any]) -> Size:
    peaks = values["peaks_per_class"] * n_classes
    flat, surplus = values["tolerance"] == "flat", values["count_surplus"]
    scalars = 3 + flat + 1 + 1 + 2 * surplus  # tolerances, steepness, roundness, vanishing, unexplained and taken
    return Size(
        kernel_sizes=(),
        flat_size=0,
        parameters=3 * peaks + scalars,  # position, height and class of each prototype peak
        trainable_parameters=2 * peaks * values["train_centres"] + scalars,
        multiply_adds=(4 * values["max_peaks"] + 12) * peaks,
        receptive_field=n_points,
        blocks=(),
    )
