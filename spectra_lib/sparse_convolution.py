"""Convolve a spectrum only where it is not zero, with exactly the same result.

Far from any peak a spectrum is zero, and there every convolution and pool of a network gives the
same vector of features, whatever the spectrum. It is enough to compute

- windows of the spectrum around its peaks, wide enough that the features asked of them see
  nothing that was cut off, and
- one empty window at each end, which give the features at the edges and the common vector,

and to put the features of all positions together by looking them up in the windows. The
network's mathematics is unchanged, gradients included; only the order of the sums differs. What
comes before the layer called the *cut* is computed on windows, what comes after it as usual.

This needs layers that act on each spectrum and each neighbourhood alone: networks with batch
normalisation or dropout before the cut do not qualify.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import keras
import numba
import numpy as np
from keras import layers
from numpy.typing import NDArray

from spectra_lib.dataset import Split
from spectra_lib.networks.description import multiply_adds_of, sources_of
from spectra_lib.peaks import Rows
from spectra_lib.spectra import TRUNCATE

LOCAL_LAYERS = (
    layers.InputLayer,
    layers.Conv1D,
    layers.MaxPooling1D,
    layers.AveragePooling1D,
    layers.Concatenate,
    layers.Add,
    layers.ReLU,
    layers.LeakyReLU,
)
"""Layers whose output at a position depends only on a neighbourhood of it."""

ROW_MULTIPLE = 64
"""The number of windows in a batch is rounded up to a multiple, so that shapes repeat."""


@dataclass(frozen=True)
class Reach:
    """How the features of a layer look at the spectrum.

    Feature j sees the points from ``j * step - left`` to ``j * step + right``.
    """

    left: int
    right: int
    step: int


@dataclass(frozen=True)
class Plan:
    """Where to cut a network and how wide to make the windows.

    Attributes
    ----------
    cut : str
        Name of the last layer computed on windows.
    reach : Reach
        Reach of its features.
    n_points, n_features : int
        Points of a spectrum, and positions of the cut layer.
    width, width_features : int
        The same of a window.
    saving : float
        Estimated multiply-adds of the whole network divided by those with windows.
    """

    cut: str
    reach: Reach
    n_points: int
    n_features: int
    width: int
    width_features: int
    saving: float


def layer_reach(model: keras.Model) -> dict[str, Reach]:
    """Reach of each layer of a network, as far as all layers before it are local.

    Examples
    --------
    >>> from spectra_lib.networks import build_model
    >>> list(layer_reach(build_model("cnn2")).values())[2]  # after the first pool
    Reach(left=24, right=29, step=4)
    """
    found: dict[str, Reach] = {}
    for layer in model.layers:
        sources = sources_of(layer)
        if not isinstance(layer, LOCAL_LAYERS) or any(source not in found for source in sources):
            continue
        reaches = [found[source] for source in sources]
        left = max((r.left for r in reaches), default=0)
        right = max((r.right for r in reaches), default=0)
        step = max((r.step for r in reaches), default=1)
        if isinstance(layer, layers.Conv1D):
            size, stride = layer.kernel_size[0], layer.strides[0]
        elif isinstance(layer, layers.MaxPooling1D | layers.AveragePooling1D):
            size, stride = _only(layer.pool_size), _only(layer.strides)
        else:
            size, stride = 1, 1
        before = 0
        if getattr(layer, "padding", "valid") == "same":
            points = layer.input.shape[1]
            before = max((math.ceil(points / stride) - 1) * stride + size - points, 0) // 2
        found[layer.name] = Reach(left + before * step, right + (size - 1 - before) * step, step * stride)
    return found


def plan_windows(model: keras.Model, split: Split, sample: int = 256) -> Plan | None:
    """Choose cut and window width for a network, by multiply-adds on a sample of a split.

    Parameters
    ----------
    model : keras.Model
        From spectra (batch, n_points, 1).
    split : Split
        Spectra of the kind that will be seen.
    sample : int
        Number of spectra, spread over the split, on which windows are counted.

    Returns
    -------
    Plan or None
        None if windows save nothing, or if spectra differ from zero far from their peaks.
    """
    if not split.is_sparse:
        return None
    reaches = layer_reach(model)
    costs = {layer.name: multiply_adds_of(layer) for layer in model.layers}
    total = sum(costs.values())
    rows = np.unique(np.linspace(0, len(split) - 1, sample).astype(np.int64))
    n_points = model.input_shape[1]
    best: Plan | None = None
    for name in _cuts(model, reaches):
        reach = reaches[name]
        inside = sum(costs[layer] for layer in _ancestors(model, name))
        for extra in (0, 1, 2, 4, 8, 16):
            plan = _with_width(model, name, reach, n_points, extra)
            if plan is None:
                break
            windows = _count_windows(split, rows, plan) / len(rows)
            cost = total - inside + inside * windows * plan.width / n_points
            saving = total / cost
            if saving > (best.saving if best else 1.0):
                best = Plan(name, reach, n_points, plan.n_features, plan.width, plan.width_features, saving)
    return best


def _with_width(model: keras.Model, cut: str, reach: Reach, n_points: int, extra: int) -> Plan | None:
    """Plan with room for a lone peak and `extra` further features; None if wider than the spectrum.

    Window and spectrum have lengths that differ by a multiple of the step, so that every layer
    pads both in the same way.
    """
    n_features = model.get_layer(cut).output.shape[1]
    wanted = 2 * (reach.left + reach.right) + 20 + extra * reach.step
    steps = (n_points - wanted) // reach.step
    if steps < 1 or steps >= n_features:
        return None
    return Plan(cut, reach, n_points, n_features, n_points - steps * reach.step, n_features - steps, 1.0)


def with_windows(model: keras.Model, plan: Plan) -> keras.Model:
    """Build the network that takes windows, sharing all weights with `model`.

    Returns
    -------
    keras.Model
        From [lookup (batch, n_features) int32, windows (n_windows, width, 1) float32] to the output of
        `model`.
    """
    cut = model.get_layer(plan.cut).output
    windows = layers.Input((plan.width, 1), name="windows")
    lookup = layers.Input((plan.n_features,), dtype="int32", name="lookup")
    head = keras.models.clone_model(
        keras.Model(model.inputs, cut), input_tensors=[windows], clone_function=lambda layer: layer
    )
    flat = keras.ops.reshape(head.output, (-1, cut.shape[2]))
    features = keras.ops.take(flat, lookup, axis=0)
    tail = keras.Model(cut, model.output)
    return keras.Model([lookup, windows], tail(features), name=f"{model.name}_windows")


def cut_windows(split: Split, rows: Rows, plan: Plan) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Cut the chosen spectra into windows.

    Returns
    -------
    lookup : ndarray of int32, shape (n_rows, n_features)
        For each spectrum and feature position, which feature of which window it is.
    windows : ndarray of float32, shape (n_windows, width, 1)
        The first two are empty: the left and the right end of a spectrum without peaks.
    """
    peaks = split.peaks.take(rows)
    spectra = split.spectra(rows)
    radii = (TRUNCATE * peaks.widths + 0.5).astype(np.int64)
    arguments = (peaks.offsets, peaks.positions, radii, *_numbers(plan))
    number = _walk(*arguments, np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32), np.zeros((0, 0), np.float32))  # type: ignore[call-arg]
    lookup = np.empty((len(peaks), plan.n_features), np.int32)
    windows = np.zeros((math.ceil(number / ROW_MULTIPLE) * ROW_MULTIPLE, plan.width), np.float32)
    _walk(*arguments, lookup, windows, spectra)  # type: ignore[call-arg]
    return lookup, windows[..., None]


def _count_windows(split: Split, rows: NDArray[np.int64], plan: Plan) -> int:
    return len(cut_windows(split, rows, plan)[1])


def _numbers(plan: Plan) -> tuple[int, ...]:
    reach = plan.reach
    return reach.left, reach.right, reach.step, plan.n_points, plan.n_features, plan.width, plan.width_features


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    offsets, positions, radii, left, right, step, n_points, n_features, width, width_features, lookup, windows, spectra
):
    """Go along the features of each spectrum; fill lookup and windows if they have room. Count windows."""
    fill = lookup.shape[0] > 0
    last_offset = n_features - width_features  # in features: the window that ends with the spectrum
    first_right = (n_points - 1 - right) // step + 1  # features from here on see the right edge
    first_inner = -(-left // step)  # features before see the left edge
    if fill:
        for row in range(len(offsets) - 1):
            for j in range(n_features):
                if j < first_inner:
                    lookup[row, j] = j
                elif j >= first_right:
                    lookup[row, j] = width_features + j - last_offset
                else:
                    lookup[row, j] = first_inner
    number = 2
    for row in range(len(offsets) - 1):
        own = np.sort(positions[offsets[row] : offsets[row + 1]])
        done = 0  # features before this one are settled
        for position in own:
            # features whose field meets the peak
            first = max(done, max(0, -(-(position - radii[row] - right) // step)))
            last = min(n_features - 1, (position + radii[row] + left) // step)
            while first <= last:
                # Features whose field starts inside the window are right, unless it begins at the edge.
                offset = min(max(first - first_inner, 0), last_offset)
                end = n_features if offset == last_offset else offset + (width - 1 - right) // step + 1
                end = min(end, last + 1)
                if fill:
                    start = offset * step
                    for x in range(width):
                        windows[number, x] = spectra[row, start + x]
                    for j in range(first, end):
                        lookup[row, j] = number * width_features + j - offset
                number += 1
                first = end
            done = max(done, last + 1)
    return number


def _ancestors(model: keras.Model, name: str) -> set[str]:
    """The layer itself and all before it."""
    seen, open_ = set(), [name]
    while open_:
        current = open_.pop()
        if current not in seen:
            seen.add(current)
            open_ += sources_of(model.get_layer(current))
    return seen


def _cuts(model: keras.Model, reaches: dict[str, Reach]) -> list[str]:
    """Local layers through which everything passes that comes before them."""
    cuts = []
    for name in reaches:
        before = _ancestors(model, name) - {name}
        leaks = any(
            source in before
            for layer in model.layers
            if layer.name not in before and layer.name != name
            for source in sources_of(layer)
        )
        if before and not leaks:
            cuts.append(name)
    return cuts


def _only(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]
