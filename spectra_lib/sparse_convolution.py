"""Convolve a spectrum only where it is not zero, with exactly the same result.

Far from any peak a spectrum is zero, and there every convolution and pool of a network gives the
same vector of features, whatever the spectrum. It is enough to compute

- windows of the spectrum around its peaks, wide enough that the features asked of them see
  nothing that was cut off, and
- one empty window at each end, which give the features at the edges and the common vector,

and to put the features of all positions together by looking them up in the windows. The
network's mathematics is unchanged, gradients included; only the order of the sums differs. What
comes before the layer called the *cut* is computed on windows, what comes after it as usual.

This needs layers that act on each neighbourhood alone, and a common vector that stays one: dropout
before the cut rules it out. Batch normalisation, whose mean and variance go over all positions of
all spectra, counts each feature as often as there are positions that have it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from spectra_lib.dataset import Split
from spectra_lib.networks.description import multiply_adds_of, sources_of
from spectra_lib.peaks import Rows
from spectra_lib.quiet_import import without_notes
from spectra_lib.spectra import TRUNCATE

with without_notes():
    import keras
    from keras import layers

LOCAL_LAYERS = (
    layers.InputLayer,
    layers.Conv1D,
    layers.MaxPooling1D,
    layers.AveragePooling1D,
    layers.Concatenate,
    layers.Add,
    layers.ReLU,
    layers.LeakyReLU,
    layers.BatchNormalization,
)
"""Layers whose output at a position depends only on a neighbourhood of it, and on means over all positions."""

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
class Features:
    """Features of a layer on spectra and on windows.

    Attributes
    ----------
    reach : Reach
        How they look at the spectrum.
    n, n_window : int
        Their positions along a spectrum and along a window.
    """

    reach: Reach
    n: int
    n_window: int


@dataclass(frozen=True)
class Plan:
    """Where to cut a network and how wide to make the windows.

    Attributes
    ----------
    cut : str
        Name of the last layer computed on windows.
    features : Features
        Those of the cut.
    normalized : tuple of (str, Features)
        Layers of batch normalisation before the cut, with the features that they normalise.
    n_points, width : int
        Points of a spectrum and of a window.
    saving : float
        Estimated multiply-adds of the whole network divided by those with windows.
    """

    cut: str
    features: Features
    normalized: tuple[tuple[str, Features], ...]
    n_points: int
    width: int
    saving: float

    @property
    def counted(self) -> tuple[Features, ...]:
        """Features that batch normalisation needs to be counted, each kind once."""
        return tuple(dict.fromkeys(features for _, features in self.normalized))


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
        inside = sum(costs[layer] for layer in _ancestors(model, name))
        for extra in (0, 1, 2, 4, 8, 16):
            plan = _with_width(model, name, reaches, extra)
            if plan is None:
                break
            windows = _count_windows(split, rows, plan) / len(rows)
            cost = total - inside + inside * windows * plan.width / n_points
            saving = total / cost
            if saving > (best.saving if best else 1.0):
                best = replace(plan, saving=saving)
    return best


def _with_width(model: keras.Model, cut: str, reaches: dict[str, Reach], extra: int) -> Plan | None:
    """Plan with room for a lone peak and `extra` further features; None if wider than the spectrum.

    Window and spectrum have lengths that differ by a multiple of the step, so that every layer
    pads both in the same way.
    """
    n_points, reach = model.input_shape[1], reaches[cut]
    sum_of_both = reach.left + reach.right
    # At least so wide that a window has a feature that is right wherever it begins.
    wanted = max(2 * sum_of_both + 20, sum_of_both + 2 * reach.step) + extra * reach.step
    steps = (n_points - wanted) // reach.step
    if steps < 1 or steps >= model.get_layer(cut).output.shape[1]:
        return None

    def features(layer: str) -> Features:
        n = model.get_layer(layer).output.shape[1]
        return Features(reaches[layer], n, n - steps * reach.step // reaches[layer].step)

    before = _ancestors(model, cut)
    normalized = tuple(
        (layer.name, features(layer.name))
        for layer in model.layers
        if layer.name in before and isinstance(layer, layers.BatchNormalization)
    )
    return Plan(cut, features(cut), normalized, n_points, n_points - steps * reach.step, 1.0)


def with_windows(model: keras.Model, plan: Plan) -> keras.Model:
    """Build the network that takes windows, sharing all weights with `model`.

    Returns
    -------
    keras.Model
        From what `cut_windows` gives to the output of `model`.
    """
    cut = model.get_layer(plan.cut).output
    windows = layers.Input((plan.width, 1), name="windows")
    lookup = layers.Input((plan.features.n,), dtype="int32", name="lookup")
    counts = {
        features: layers.Input((features.n_window,), name=f"counts_{number}")
        for number, features in enumerate(plan.counted)
    }
    normalized, before = dict(plan.normalized), _ancestors(model, plan.cut)
    found: dict[str, Any] = {}
    for layer in model.layers:  # in the order in which they follow one another
        if layer.name not in before:
            continue
        sources = [found[source] for source in sources_of(layer)]
        if layer.name in normalized:
            found[layer.name] = _CountedNormalization(layer)(*sources, counts[normalized[layer.name]])
        else:
            found[layer.name] = layer(sources if len(sources) > 1 else sources[0]) if sources else windows
    flat = keras.ops.reshape(found[plan.cut], (-1, cut.shape[2]))
    features = keras.ops.take(flat, lookup, axis=0)
    tail = keras.Model(cut, model.output)
    return keras.Model([lookup, windows, *counts.values()], tail(features), name=f"{model.name}_windows")


class _CountedNormalization(layers.Layer):
    """Batch normalisation of features of windows, each of which counts as often as spectra have it."""

    def __init__(self, normalization: layers.BatchNormalization) -> None:
        # Counts are exact in float32 alone, so that nothing is to be cast on the way in.
        super().__init__(name=f"{normalization.name}_counted", dtype=normalization.dtype_policy, autocast=False)
        self.normalization = normalization

    def call(self, features: Any, counts: Any, training: bool | None = None) -> Any:
        layer, ops = self.normalization, keras.ops
        if not training:
            return layer(features, training=False)
        features = ops.cast(features, keras.backend.result_type(features.dtype, "float32"))
        counts = ops.cast(counts, features.dtype)
        shares = ops.expand_dims(counts / ops.sum(counts), -1)
        mean = ops.sum(shares * features, axis=(0, 1))
        variance = ops.sum(shares * ops.square(features - mean), axis=(0, 1))
        for running, now in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            running.assign(running * layer.momentum + now * (1.0 - layer.momentum))
        normal = ops.batch_normalization(
            features, mean, variance, axis=-1, offset=layer.beta, scale=layer.gamma, epsilon=layer.epsilon
        )
        return ops.cast(normal, self.compute_dtype)


def cut_windows(split: Split, rows: Rows, plan: Plan) -> tuple[NDArray[Any], ...]:
    """Cut the chosen spectra into windows.

    Returns
    -------
    lookup : ndarray of int32, shape (n_rows, n_features)
        For each spectrum and feature position of the cut, which feature of which window it is.
    windows : ndarray of float32, shape (n_windows, width, 1)
        The first two are empty: the left and the right end of a spectrum without peaks.
    *counts : ndarray of float32, shape (n_windows, n_window)
        For each kind of features that are normalised (`Plan.counted`), how many positions of all
        spectra have the feature of that window; 0 for those that stand for none.
    """
    peaks = split.peaks.take(rows)
    radii = (TRUNCATE * peaks.widths + 0.5).astype(np.int64)
    arguments = (peaks.offsets, peaks.positions, radii, plan.n_points, plan.width, *_table(plan))
    empty = np.zeros((0, 0), np.float32)
    number = _walk(*arguments, np.zeros((0, 0), np.int32), empty, empty, empty)  # type: ignore[call-arg]
    n_windows = math.ceil(number / ROW_MULTIPLE) * ROW_MULTIPLE
    lookup = np.empty((len(peaks), plan.features.n), np.int32)
    windows = np.zeros((n_windows, plan.width), np.float32)
    ends = np.cumsum([features.n_window for features in plan.counted])
    counts = np.zeros((n_windows, ends[-1] if len(ends) else 0), np.float32)
    _walk(*arguments, lookup, windows, counts, split.spectra(rows))  # type: ignore[call-arg]
    return lookup, windows[..., None], *np.split(counts, ends[:-1], axis=1)[: len(ends)]


def _count_windows(split: Split, rows: NDArray[np.int64], plan: Plan) -> int:
    return len(cut_windows(split, rows, plan)[1])


def _table(plan: Plan) -> tuple[NDArray[np.int64], ...]:
    """Left and right reach, step, positions along spectrum and window of all features: first the cut, then the rest."""
    kinds = [plan.features, *plan.counted]
    columns = ([f.reach.left, f.reach.right, f.reach.step, f.n, f.n_window] for f in kinds)
    return tuple(np.array(column, np.int64) for column in zip(*columns, strict=True))


@numba.njit(cache=True, nogil=True)
def _seeing(position, radius, left, right, step, n):  # type: ignore[no-untyped-def]
    """First and last feature whose field meets a peak."""
    return max(0, -(-(position - radius - right) // step)), min(n - 1, (position + radius + left) // step)


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    offsets, positions, radii, n_points, width, left, right, step, n, n_window, lookup, windows, counts, spectra
):
    """Go along the features of each spectrum; fill lookup, windows and counts if they have room. Count windows."""
    fill = lookup.shape[0] > 0
    n_rows, n_kinds = len(offsets) - 1, len(step)
    last_offset = (n_points - width) // step[0]  # in features of the cut: the window that ends with the spectrum
    inner = -(-left // step)  # features before see the left edge
    outer = np.minimum(n, (n_points - 1 - right) // step + 1)  # features from here on see the right edge
    column = np.cumsum(n_window) - n_window - n_window[0]  # where the counts of each kind begin
    shift = last_offset * step[0] // step  # of the window that ends with the spectrum
    if fill:  # at first all spectra are empty
        for row in range(n_rows):
            for j in range(n[0]):
                if j < inner[0]:
                    lookup[row, j] = j
                elif j >= outer[0]:
                    lookup[row, j] = n_window[0] + j - shift[0]
                else:
                    lookup[row, j] = inner[0]
        for kind in range(1, n_kinds):
            for j in range(inner[kind]):
                counts[0, column[kind] + j] = n_rows
            counts[0, column[kind] + inner[kind]] = n_rows * (outer[kind] - inner[kind])
            for j in range(outer[kind], n[kind]):
                counts[1, column[kind] + j - shift[kind]] = n_rows
    number = 2
    done = np.zeros(n_kinds, np.int64)  # features before this one are settled
    peak = np.zeros(n_kinds, np.int64)  # the peak that the next one sees
    for row in range(n_rows):
        own, radius = np.sort(positions[offsets[row] : offsets[row + 1]]), radii[row]
        done[:] = 0
        peak[:] = 0
        while True:
            # The window begins as far to the right as the features that come next allow.
            offset = last_offset + 1
            for kind in range(n_kinds):
                while peak[kind] < len(own):
                    first, last = _seeing(own[peak[kind]], radius, left[kind], right[kind], step[kind], n[kind])
                    done[kind] = max(done[kind], first)
                    if done[kind] <= last:
                        latest = (done[kind] - inner[kind]) * step[kind] // step[0]
                        offset = min(offset, max(0, min(latest, last_offset)))
                        break
                    peak[kind] += 1
            if offset > last_offset:
                break
            start = offset * step[0]
            if fill:
                for x in range(width):
                    windows[number, x] = spectra[row, start + x]
            for kind in range(n_kinds):
                # Features whose field ends inside the window are right, unless it ends with the spectrum.
                end = n[kind] if offset == last_offset else (start + width - 1 - right[kind]) // step[kind] + 1
                while peak[kind] < len(own):
                    first, last = _seeing(own[peak[kind]], radius, left[kind], right[kind], step[kind], n[kind])
                    done[kind] = max(done[kind], first)
                    if fill:
                        for j in range(done[kind], min(last + 1, end)):
                            k = j - start // step[kind]
                            if kind == 0:
                                lookup[row, j] = number * n_window[0] + k
                                continue
                            counts[number, column[kind] + k] += 1
                            if j < inner[kind]:
                                counts[0, column[kind] + j] -= 1
                            elif j >= outer[kind]:
                                counts[1, column[kind] + j - shift[kind]] -= 1
                            else:
                                counts[0, column[kind] + inner[kind]] -= 1
                    done[kind] = max(done[kind], min(last + 1, end))
                    if last >= end:
                        break
                    peak[kind] += 1
            number += 1
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
