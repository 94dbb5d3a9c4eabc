"""Which layers of a network can be computed in windows around the peaks, and how wide the windows are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from spectra_lib.networks.description import multiply_adds_of, sources_of
from spectra_lib.networks.quiet_keras import keras, layers
from spectra_lib.training.sparse_index import Field, count_windows

WIDTHS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Outputs in a window, from which the cheapest number is chosen for each layer; all of them at once is another."""

MOVED = 40
"""What it costs to move one number into or out of a window, in multiply-adds."""

SPREAD = 5.0
"""Room for windows: those of a mean batch and so many standard deviations more."""


@dataclass(frozen=True)
class Stage:
    """A convolution or a pool, or a convolution with the pool that follows it, computed in windows.

    Attributes
    ----------
    layers : tuple of str
        The layers in order; the first is the convolution or the pool.
    source : str
        Layer whose rows it reads.
    field : Field
        What its outputs see of them.
    pool : (int, int)
        Window and step of the pool that follows the first layer; (1, 1) if none does.
    width, n_windows : int
        Outputs in a window; windows of a batch, with room for a full one.
    averages : bool
        Whether it is an average whose padding does not count.
    covers : tuple of str
        Nodes whose rows are to stand beside those of this stage: its windows cover what is active there.
    """

    layers: tuple[str, ...]
    source: str
    field: Field
    pool: tuple[int, int] = (1, 1)
    width: int = 0
    n_windows: int = 0
    averages: bool = False
    covers: tuple[str, ...] = ()

    @property
    def n_first(self) -> int:
        """Outputs of the first layer in a window; a pool of one position needs no others than its own."""
        size, step = self.pool
        return self.width if size == 1 else (self.width - 1) * step + size


@dataclass(frozen=True)
class Plan:
    """How a network is computed on sparse spectra.

    Attributes
    ----------
    input : str
        Name of the input layer.
    stages : mapping of str to Stage
        By their last layer, in order.
    joins : mapping of str to tuple of str
        Layers that add or concatenate rows, with their sources.
    nodes : mapping of str to str
        For each layer that has rows: the stage, join or input whose positions are active where its own are.
    layouts : mapping of str to str
        For each layer that has rows: the stage or input whose windows they stand in.
    normalized : tuple of str
        Layers of batch normalisation on rows.
    expanded : tuple of str
        Layers whose rows are put together to whole features.
    saving : float
        Multiply-adds of the network by those that are left.
    """

    input: str
    stages: Mapping[str, Stage]
    joins: Mapping[str, tuple[str, ...]]
    nodes: Mapping[str, str]
    layouts: Mapping[str, str]
    normalized: tuple[str, ...]
    expanded: tuple[str, ...]
    saving: float


def plan_sparse(
    network: keras.Model, sample: NDArray[np.floating], batch_size: int = 128, *, training: bool = True
) -> Plan | None:
    """Decide for each layer of a network how it is computed.

    Parameters
    ----------
    network : keras.Model
        From spectra (batch, n_points, 1).
    sample : ndarray, shape (n_spectra, n_points)
        Spectra of the kind that will be seen.
    batch_size : int
        Spectra in a batch.
    training : bool
        Whether dropout is on.

    Returns
    -------
    Plan or None
        None if no layer can be computed in windows.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.networks import build_model
    >>> plan = plan_sparse(build_model("cnn2"), make_dataset("challenge").train.spectra(slice(0, None, 10)))
    >>> [(stage.field.size, stage.field.step, stage.pool) for stage in plan.stages.values()]
    [(54, 4, (3, 2)), (28, 9, (2, 3))]
    >>> plan.saving > 2
    True
    """
    used_once = all(len(layer._inbound_nodes) == 1 for layer in network.layers)
    if len(network.inputs) != 1 or not used_once or len(network.operations) > len(network.layers):
        return None  # layers that are shared, and operations that are no layers
    planner = _Planner(network, training)
    planner.look_at(sample != 0)
    return planner.plan(batch_size) if planner.stages else None


@dataclass
class _Planner:
    """Goes through the layers of a network, and notes for each of them what `Plan` says."""

    network: keras.Model
    training: bool
    active: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    joins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    nodes: dict[str, str] = field(default_factory=dict)
    layouts: dict[str, str] = field(default_factory=dict)
    normalized: list[str] = field(default_factory=list)
    expanded: dict[str, None] = field(default_factory=dict)

    def look_at(self, active: NDArray[np.bool_]) -> None:
        followers: dict[str, list[str]] = {}
        for layer in self.network.layers:
            for source in sources_of(layer):
                followers.setdefault(source, []).append(layer.name)
        absorbed: set[str] = set()
        for layer in self.network.layers:
            sources = sources_of(layer)
            if not sources:
                self._add_node(layer.name, layer.name, active)
            elif layer.name not in absorbed and all(source in self.nodes for source in sources):
                chain = self._plan_layer(layer, sources, followers)
                absorbed.update(chain)
            elif layer.name not in absorbed:
                self._expand(sources)
        self._expand([tensor._keras_history.operation.name for tensor in self.network.outputs])

    def _plan_layer(
        self, layer: keras.Layer, sources: list[str], followers: Mapping[str, Sequence[str]]
    ) -> Sequence[str]:
        """Decide on a layer all of whose sources have rows; give the layers of its stage, if it begins one."""
        on_input = self.layouts[sources[0]] not in self.stages  # which has no row for an empty spectrum
        if _is_windowed(layer) and (on_input or not _is_pointwise(layer)):
            chain = _chain(self.network, layer, followers)
            self._add_stage(chain, sources[0])
            return [one.name for one in chain]
        if _joins_rows(layer):
            self._join(layer.name, sources)
        elif not on_input and self._acts_on_rows(layer):
            self.nodes[layer.name], self.layouts[layer.name] = self.nodes[sources[0]], self.layouts[sources[0]]
            if isinstance(layer, layers.BatchNormalization):
                self.normalized.append(layer.name)
        else:
            self._expand(sources)
        return ()

    def _acts_on_rows(self, layer: keras.Layer) -> bool:
        if isinstance(layer, layers.Dropout):
            return not self.training or layer.rate == 0
        return _is_rowwise(layer) or (_is_pointwise(layer) and _is_windowed(layer))

    def _add_node(self, name: str, layout: str, active: NDArray[np.bool_]) -> None:
        self.nodes[name], self.layouts[name], self.active[name] = name, layout, active

    def _expand(self, sources: Sequence[str]) -> None:
        self.expanded |= dict.fromkeys(source for source in sources if source in self.nodes)

    def _add_stage(self, chain: Sequence[keras.Layer], source: str) -> None:
        name, seen = chain[-1].name, _field_of(chain)
        pool = _window(chain[-1]) if len(chain) > 1 else (1, 1)
        self._add_node(name, name, seen.spread(self.active[self.nodes[source]]))
        averages = isinstance(chain[0], layers.AveragePooling1D) and seen.pads
        self.stages[name] = Stage(tuple(layer.name for layer in chain), source, seen, pool, averages=averages)

    def _join(self, name: str, sources: Sequence[str]) -> None:
        """Let the rows stand where those of the source are that is active at most positions."""
        hosts = [source for source in sources if self.layouts[source] in self.stages]
        if not hosts:
            self._expand(sources)
            return
        host = self.layouts[max(hosts, key=lambda source: int(self.active[self.nodes[source]].sum()))]
        others = [self.nodes[source] for source in sources if self.nodes[source] != host]
        stage = self.stages[host]
        self.stages[host] = replace(stage, covers=tuple(dict.fromkeys((*stage.covers, *others))))
        self._add_node(name, host, np.logical_or.reduce([self.active[self.nodes[source]] for source in sources]))
        self.joins[name] = tuple(sources)

    def plan(self, batch_size: int) -> Plan:
        costs = {layer.name: float(multiply_adds_of(layer)) for layer in self.network.layers}
        total = sum(costs.values())
        stages = {}
        for name, stage in self.stages.items():
            first = self.network.get_layer(stage.layers[0])
            stages[name] = sized = self._with_width(stage, name, first, batch_size)
            costs[first.name] *= sized.n_windows * sized.n_first / batch_size / first.output.shape[1]
        for name, layout in self.layouts.items():
            if layout in stages and name not in stages:  # pointwise convolutions
                rows = stages[layout].n_windows * stages[layout].width
                costs[name] *= rows / batch_size / self.network.get_layer(name).output.shape[1]
        return Plan(
            input=self.network.layers[0].name,
            stages=stages,
            joins=self.joins,
            nodes=self.nodes,
            layouts=self.layouts,
            normalized=tuple(self.normalized),
            expanded=tuple(self.expanded),
            saving=total / sum(costs.values()),
        )

    def _with_width(self, stage: Stage, name: str, first: keras.Layer, batch_size: int) -> Stage:
        active = np.logical_or.reduce([self.active[node] for node in (name, *stage.covers)])
        n, n_in, n_out = stage.field.n_out, first.input.shape[-1], first.output.shape[-1]
        products = n_in * n_out * first.kernel_size[0] if isinstance(first, layers.Conv1D) else 0
        choices = []
        for width in sorted({n, *(width for width in WIDTHS if width < n)}):
            found = count_windows(active, width)
            room = batch_size * found.mean() + SPREAD * math.sqrt(batch_size) * found.std()
            sized = replace(stage, width=width, n_windows=8 * math.ceil((math.ceil(n / width) + room) / 8))
            moved = stage.field.n_window(width) * n_in + sized.n_first * n_out
            choices.append((sized.n_windows * (sized.n_first * products + MOVED * moved), sized))
        return min(choices, key=lambda choice: choice[0])[1]


def _is_pointwise(layer: keras.Layer) -> bool:
    """Whether a layer is a convolution that sees one position and gives one."""
    return isinstance(layer, layers.Conv1D) and (layer.kernel_size[0], layer.strides[0]) == (1, 1)


def _is_windowed(layer: keras.Layer) -> bool:
    """Whether a layer is a convolution or pool that can be computed in windows."""
    if isinstance(layer, layers.Conv1D):
        plain = layer.dilation_rate == (1,) and layer.groups == 1 and layer.padding in ("same", "valid")
    elif isinstance(layer, layers.MaxPooling1D | layers.AveragePooling1D):
        # The windows are padded with zeros, which a maximum must not see.
        plain = layer.padding == "valid" or isinstance(layer, layers.AveragePooling1D)
    else:
        return False
    return plain and layer.data_format == "channels_last"


def _is_rowwise(layer: keras.Layer) -> bool:
    """Whether a layer acts on each position alone, but for means over all of them."""
    if isinstance(layer, layers.BatchNormalization):
        return layer.axis in (-1, 2)
    return isinstance(layer, layers.ReLU | layers.LeakyReLU | layers.Activation)


def _joins_rows(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.Add) or (isinstance(layer, layers.Concatenate) and layer.axis in (-1, 2))


def _chain(network: keras.Model, first: keras.Layer, followers: Mapping[str, Sequence[str]]) -> Sequence[keras.Layer]:
    """A convolution with the pool that follows it, and what acts on each position between; else the layer alone."""
    chain = [first]
    while isinstance(first, layers.Conv1D) and len(after := followers.get(chain[-1].name, ())) == 1:
        layer = network.get_layer(after[0])
        if isinstance(layer, layers.MaxPooling1D | layers.AveragePooling1D):
            return [*chain, layer] if layer.padding == "valid" and _is_windowed(layer) else [first]
        if not _is_rowwise(layer) or isinstance(layer, layers.BatchNormalization):
            break
        chain.append(layer)
    return [first]


def _field_of(chain: Sequence[keras.Layer]) -> Field:
    """Which positions of the source each output of the last layer sees."""
    first = chain[0]
    size, step = _window(first)
    n_in, n_first = first.input.shape[1], first.output.shape[1]
    left = max((n_first - 1) * step + size - n_in, 0) // 2 if first.padding == "same" else 0
    if len(chain) == 1:
        return Field(size, step, left, n_in, n_first)
    window, stride = _window(chain[-1])
    return Field((window - 1) * step + size, stride * step, left, n_in, chain[-1].output.shape[1])


def _window(layer: keras.Layer) -> tuple[int, int]:
    """Size and step of a convolution or a pool."""
    size, step = (
        (layer.kernel_size, layer.strides) if isinstance(layer, layers.Conv1D) else (layer.pool_size, layer.strides)
    )
    return size if isinstance(size, int) else size[0], step if isinstance(step, int) else step[0]
