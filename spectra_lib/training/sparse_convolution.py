"""Compute each layer of a network only where a spectrum can change its output, with exactly the same result.

A clean spectrum is exactly zero but for its peaks, so most outputs of a convolution are those of an empty
spectrum. Each layer is computed for one empty spectrum and in short windows around the peaks; everything else is
looked up (`spectra_lib.training.sparse_index`). The network's mathematics is unchanged, gradients included; only
the order of sums differs.

- Convolutions and pools gather their windows of the source and compute them without padding.
- Layers that act on each position alone work on the rows as they are.
- Batch normalisation counts each row as often as positions have it.
- Dropout draws anew at each position of each spectrum, so that behind it no two positions are alike: in training,
  what follows a dropout between convolutions is computed on whole spectra. In evaluation it stays sparse.
- Any other layer gets whole features, put together from the rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectra_lib.networks.description import sources_of
from spectra_lib.networks.quiet_keras import keras, layers, ops
from spectra_lib.training.sparse_index import Table, align, input_table, lay_windows, n_valid
from spectra_lib.training.sparse_plan import Plan, Stage

GROWTH = 1.5
"""Factor by which the room of all stages grows until a batch fits: few shapes, each of which is compiled once."""

Inputs = dict[str, NDArray[Any]]
"""What a sparse network takes, by name: the spectra of a batch, and their index tables. The spectra come first in the
order of names: Keras weighs the loss of a batch by the length of the first input."""


def index_tables(plan: Plan, spectra: NDArray[np.floating]) -> Inputs:
    """Make the index tables of one batch.

    Parameters
    ----------
    plan : Plan
        How the network is computed.
    spectra : ndarray, shape (n_spectra, n_points)

    Returns
    -------
    dict of str to ndarray
        ``spectra`` itself, shape (n_spectra, n_points, 1); ``take:LAYER``, int32, the rows of its source that each
        window of a stage needs, shape (n_windows, n); ``take:JOIN:SOURCE``, int32, the rows of a source that stands
        elsewhere, shape (n_windows, width); ``times:STAGE``, float32, how many positions have each row, shape
        (n_windows, width); ``valid:STAGE``, float32, what a padded average divides by, of the same shape;
        ``where:STAGE``, int32, the row of each position of whole features, shape (n_spectra, n).

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.networks import build_model
    >>> from spectra_lib.training.sparse_plan import plan_sparse
    >>> spectra = make_dataset("challenge").train.spectra(slice(0, None, 10))
    >>> tables = index_tables(plan_sparse(build_model("cnn2"), spectra), spectra)
    >>> [name.partition(":")[0] for name in sorted(tables)]
    ['spectra', 'take', 'take', 'where']
    """
    active = {plan.input: spectra != 0}
    for name in [name for name, node in plan.nodes.items() if name == node != plan.input]:
        if name in plan.stages:
            stage = plan.stages[name]
            active[name] = stage.field.spread(active[plan.nodes[stage.source]])
        else:
            active[name] = np.logical_or.reduce([active[plan.nodes[source]] for source in plan.joins[name]])
    room = 1.0
    while (found := _lay_all(plan, spectra, active, room)) is None:
        room *= GROWTH
    tables, inputs = found
    for name, sources in plan.joins.items():
        host = plan.layouts[name]
        for source in sources:
            if plan.layouts[source] != host:
                inputs[f"take:{name}:{source}"] = align(tables[plan.layouts[source]], tables[host])
    for layout in {plan.layouts[name] for name in plan.normalized}:
        inputs[f"times:{layout}"] = tables[layout].counts()
    for layout in {plan.layouts[name] for name in plan.expanded} - {plan.input}:
        inputs[f"where:{layout}"] = tables[layout].lookup[:-1]
    return inputs


def _lay_all(
    plan: Plan, spectra: NDArray[np.floating], active: Mapping[str, NDArray[np.bool_]], room: float
) -> tuple[dict[str, Table], Inputs] | None:
    """Lay the windows of all stages; None if those of one are more than there is room for."""
    tables = {plan.input: input_table(spectra)}
    inputs: Inputs = {"spectra": spectra[..., None]}
    for name, stage in plan.stages.items():
        covered = np.logical_or.reduce([active[node] for node in (name, *stage.covers)])
        n_windows = math.ceil(stage.n_windows * room)
        found = lay_windows(tables[plan.layouts[stage.source]], covered, stage.field, stage.width, n_windows)
        if found is None:
            return None
        tables[name], inputs[f"take:{name}"] = found
        if stage.averages:
            inputs[f"valid:{name}"] = n_valid(tables[name], stage.field)
    return tables, inputs


class SparseNetwork(keras.Model):
    """A network that takes what `index_tables` gives, with the weights of the network that it is made from.

    Parameters
    ----------
    network : keras.Model
        From spectra (batch, n_points, 1).
    plan : Plan
        How it is computed.
    """

    def __init__(self, network: keras.Model, plan: Plan) -> None:
        super().__init__(name=f"{network.name}_sparse", autocast=False)
        self.network, self.plan = network, plan
        self.built = True

    @property
    def output(self) -> Any:
        """Output of the network, as a symbol."""
        return self.network.output

    def call(self, inputs: Inputs, training: bool | None = None) -> Any:
        """Compute what the network gives for whole spectra.

        Parameters
        ----------
        inputs : Inputs
            Spectra and their index tables, by name.
        training : bool, optional
            Whether dropout and batch normalisation act as in training.

        Returns
        -------
        tensor or list of tensor
            Outputs of the network, a list if there are several.
        """
        plan = self.plan
        absorbed = {name for stage in plan.stages.values() for name in stage.layers[:-1]}
        rows: dict[str, Any] = {plan.input: inputs["spectra"]}  # (n_windows, width, channels)
        whole: dict[str, Any] = {plan.input: inputs["spectra"]}  # (batch, ...)
        for layer in self.network.layers:
            name, sources = layer.name, sources_of(layer)
            if name in absorbed or name == plan.input:
                continue
            if name in plan.stages:
                rows[name] = self._stage(name, rows, inputs)
            elif name in plan.joins:
                rows[name] = layer([self._aligned(name, source, rows, inputs) for source in sources])
            elif name in plan.normalized:
                counts = inputs[f"times:{plan.layouts[name]}"]
                rows[name] = _normalized(layer, rows[sources[0]], counts, bool(training))
            elif name in plan.nodes:
                rows[name] = _pointwise(layer, rows[sources[0]])
            else:
                given = [whole[source] for source in sources]
                whole[name] = _whole(layer, given)
            if name in plan.expanded:
                whole[name] = _take(rows[name], inputs[f"where:{plan.layouts[name]}"])
        outputs = [whole[tensor._keras_history.operation.name] for tensor in self.network.outputs]
        return outputs if len(outputs) > 1 else outputs[0]

    def _stage(self, name: str, rows: Mapping[str, Any], inputs: Inputs) -> Any:
        """Gather the windows of a stage and compute its layers on them."""
        stage = self.plan.stages[name]
        first, *rest = (self.network.get_layer(layer) for layer in stage.layers)
        zeros = stage.field.pads or self.plan.layouts[stage.source] == self.plan.input
        windows = _take(rows[stage.source], inputs[f"take:{name}"], zeros=zeros)
        if isinstance(first, layers.Conv1D):
            computed = _convolved(first, windows, _stride(stage, first))
        else:
            computed = _pooled(first, windows, stage.field.size, stage.field.step)
            if stage.averages:
                valid = ops.cast(inputs[f"valid:{name}"], computed.dtype)
                computed = computed * (stage.field.size / ops.expand_dims(valid, -1))
        for layer in rest[:-1]:
            computed = layer(computed)
        return _pooled(rest[-1], computed, *stage.pool) if rest else computed

    def _aligned(self, name: str, source: str, rows: Mapping[str, Any], inputs: Inputs) -> Any:
        """Rows of a source, moved to where those of the layer that joins them are."""
        layout = self.plan.layouts[source]
        if layout == self.plan.layouts[name]:
            return rows[source]
        return _take(rows[source], inputs[f"take:{name}:{source}"], zeros=layout == self.plan.input)


def _whole(layer: keras.Layer, given: list[Any]) -> Any:
    """Compute a layer on whole features."""
    if isinstance(layer, layers.Dense) and len(given[0].shape) == 2:
        values, kernel = (ops.cast(each, layer.compute_dtype) for each in (given[0], layer.kernel))
        computed = _product(values, kernel)
        if layer.use_bias:
            computed = computed + ops.cast(layer.bias, computed.dtype)
        return computed if layer.activation is None else layer.activation(computed)
    return layer(given if len(given) > 1 else given[0])


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _product(values: Any, kernel: Any) -> Any:
    """Matrix product whose gradient reads a large kernel in the order in which it is stored."""

    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        upstream = arguments[0] if upstream is None else upstream
        of_values = ops.transpose(ops.matmul(kernel, ops.transpose(upstream)))
        return of_values, ops.matmul(ops.transpose(values), upstream)

    return ops.matmul(values, kernel), gradient


def _take(rows: Any, chosen: Any, *, zeros: bool = False) -> Any:
    """Give the chosen rows, shape (*chosen.shape, channels); `zeros` puts a row of zeros behind the last."""
    flat = ops.reshape(rows, (-1, rows.shape[-1]))
    if zeros:
        flat = ops.concatenate([flat, ops.zeros_like(flat[:1])])
    return ops.take(flat, chosen, axis=0)


def _stride(stage: Stage, convolution: layers.Conv1D) -> int:
    """Distance of the outputs of a convolution in its windows; what a pool of one position drops is not computed."""
    if stage.field.size == 1:
        return 1
    return stage.field.step if stage.pool[0] == 1 else convolution.strides[0]


def _convolved(layer: layers.Conv1D, windows: Any, stride: int) -> Any:
    windows, kernel = (ops.cast(values, layer.compute_dtype) for values in (windows, layer.kernel))
    if kernel.shape[0] == 1:
        computed = ops.matmul(windows, kernel[0])
    else:
        computed = ops.conv(windows, kernel, strides=stride, padding="valid", data_format="channels_last")
    if layer.use_bias:
        computed = _plus_bias(computed, ops.cast(layer.bias, computed.dtype))
    return computed if layer.activation is None else layer.activation(computed)


def _pooled(layer: keras.Layer, windows: Any, size: int, step: int) -> Any:
    if size == 1:  # the windows hold only what is wanted
        return windows
    pool = ops.max_pool if isinstance(layer, layers.MaxPooling1D) else ops.average_pool
    return pool(windows, size, step, padding="valid", data_format="channels_last")


def _pointwise(layer: keras.Layer, rows: Any) -> Any:
    return _convolved(layer, rows, 1) if isinstance(layer, layers.Conv1D) else layer(rows)


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _plus_bias(rows: Any, bias: Any) -> Any:
    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        upstream = arguments[0] if upstream is None else upstream
        return upstream, _sum(upstream)

    return rows + bias, gradient


def _normalized(layer: layers.BatchNormalization, rows: Any, counts: Any, training: bool) -> Any:
    """Batch normalisation of rows, each of which counts as often as positions have it."""
    rows = ops.cast(rows, keras.backend.result_type(rows.dtype, "float32"))
    scale, offset = (ops.cast(value, rows.dtype) for value in (layer.gamma, layer.beta))
    if training and layer.trainable:
        counts = ops.cast(counts, rows.dtype)
        shares = ops.expand_dims(counts / ops.sum(counts), -1)
        still = ops.stop_gradient(rows)
        mean = _sum(still, shares)
        variance = _sum(ops.square(still - mean), shares)
        for running, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            running.assign(running * layer.momentum + now * (1.0 - layer.momentum))
        spread = ops.sqrt(variance + layer.epsilon)
        normal = _normalized_by_own(rows, scale, offset, mean, spread, shares)
    else:
        factor = scale / ops.sqrt(ops.cast(layer.moving_variance, rows.dtype) + layer.epsilon)
        normal = (rows - ops.cast(layer.moving_mean, rows.dtype)) * factor + offset
    return ops.cast(normal, layer.compute_dtype)


@ops.custom_gradient  # type: ignore[untyped-decorator]
def _normalized_by_own(rows: Any, scale: Any, offset: Any, mean: Any, spread: Any, shares: Any) -> Any:
    """Normalise rows by their own mean and standard deviation, which the gradient takes into account."""

    def gradient(*arguments: Any, upstream: Any = None) -> Any:
        upstream = arguments[0] if upstream is None else upstream
        along = (rows - mean) / spread
        of_offset, of_scale = _sum(upstream), _sum(upstream * along)
        of_rows = (upstream - shares * (of_offset + along * of_scale)) * (scale / spread)
        return of_rows, of_scale, of_offset, ops.zeros_like(mean), ops.zeros_like(spread), ops.zeros_like(shares)

    return (rows - mean) * (scale / spread) + offset, gradient


def _sum(rows: Any, shares: Any = 1.0) -> Any:
    """Sum of rows times their shares, shape (channels,): a product of matrices keeps more digits than sums do."""
    flat = ops.reshape(rows, (-1, rows.shape[-1]))
    weights = ops.ones_like(flat[:, 0]) if isinstance(shares, float) else ops.reshape(shares, (-1,))
    return ops.matmul(ops.expand_dims(weights, 0), flat)[0]
