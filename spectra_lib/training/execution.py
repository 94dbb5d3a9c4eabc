"""How the steps of a network are computed: on whole spectra, or only where a spectrum can change a layer's output.

Results differ by rounding alone, times by factors. Which mode is fastest depends on network, spectra and machine, so
that it is measured on the machine at hand, once, and kept in the user's cache.
"""

from __future__ import annotations

import json
import math
import statistics
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

from spectra_lib._base.atomic_file import write_whole
from spectra_lib._base.values import canonical_digest
from spectra_lib.datasets.dataset import Dataset, Split, make_dataset
from spectra_lib.networks import build_logits
from spectra_lib.networks.description import multiply_adds_of
from spectra_lib.networks.plugins import load_plugins, loaded_plugins
from spectra_lib.networks.quiet_keras import keras
from spectra_lib.runs.specification import RunSpec
from spectra_lib.training import backend
from spectra_lib.training.sparse_convolution import SparseNetwork, index_tables
from spectra_lib.training.sparse_plan import Plan, plan_sparse

SAMPLE = 512
"""Training spectra on which windows are planned."""

WORTH_MEASURING = 5e12
"""Multiply-adds of a run's forward passes below which the first mode is as good as any: some minutes."""

TYPICAL_EPOCHS = 80

MEASURED_STEPS = 3
"""Steps that are timed after the first, which compiles."""

MEASURING_LIMIT = 300.0
"""Seconds after which a mode counts as too slow."""


class SpectraBatches(keras.utils.PyDataset):
    """Batches of (spectra, labels) in a given order, rendered when they are needed.

    With a plan, the spectra come with their index tables (`spectra_lib.training.sparse_convolution`).

    Parameters
    ----------
    split : Split
        Where the spectra come from.
    order : ndarray of int, shape (n_rows,)
        Rows of the split, in the order of training.
    batch_size : int
        Spectra in a batch; the last one may have fewer.
    plan : Plan, optional
        Sparse convolution; none for whole spectra, float32, shape (batch, n_points, 1).
    """

    def __init__(self, split: Split, order: NDArray[np.integer], batch_size: int, plan: Plan | None = None) -> None:
        super().__init__()
        self._split, self._order, self._batch_size, self._plan = split, order, batch_size, plan

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, NDArray[np.integer]]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        spectra = self._split.spectra(rows)
        inputs = spectra[..., None] if self._plan is None else index_tables(self._plan, spectra)
        return inputs, self._split.labels[rows]


@dataclass(frozen=True)
class Executed:
    """A network, as it is trained and as it is evaluated.

    Attributes
    ----------
    network : keras.Model
        From spectra (batch, n_points, 1) to logits; it holds the weights.
    plan, evaluation_plan : Plan or None
        How it is computed on sparse spectra with dropout on, and off.
    """

    network: keras.Model
    plan: Plan | None = None
    evaluation_plan: Plan | None = None

    @cached_property
    def trained(self) -> keras.Model:
        """The network that `fit` is called on."""
        return self.network if self.plan is None else SparseNetwork(self.network, self.plan)

    @cached_property
    def evaluated(self) -> keras.Model:
        """The network that predicts on sparse spectra."""
        if self.evaluation_plan is None or self.evaluation_plan == self.plan:
            return self.trained
        return SparseNetwork(self.network, self.evaluation_plan)

    def predict(self, split: Split, rows: NDArray[np.integer], batch_size: int) -> NDArray[np.float64]:
        """Give the logits of some spectra, shape (n_rows, n_classes); those with noise are computed whole.

        Parameters
        ----------
        split : Split
            Where the spectra come from.
        rows : ndarray of int, shape (n_rows,)
            Rows of the split.
        batch_size : int
            Spectra in a batch.

        Returns
        -------
        ndarray of float64, shape (n_rows, n_classes)
            Logits.
        """
        sparse = split.is_sparse and self.evaluation_plan is not None
        batches = SpectraBatches(split, rows, batch_size, self.evaluation_plan if sparse else None)
        network = self.evaluated if sparse else self.network
        return np.asarray(network.predict(backend.feed(batches), verbose=0), dtype=np.float64)


def execute(network: keras.Model, split: Split, batch_size: int, mode: backend.Execution) -> Executed:
    """Prepare a network for a mode of execution.

    Parameters
    ----------
    network : keras.Model
        From spectra (batch, n_points, 1).
    split : Split
        The training spectra.
    batch_size : int
        Spectra in a step.
    mode : str
        One of `spectra_lib.training.backend.EXECUTIONS`. "sparse" computes whole spectra where it must.

    Returns
    -------
    Executed
    """
    if mode != "sparse" or not split.is_sparse:
        return Executed(network)
    sample = split.spectra(np.unique(np.linspace(0, len(split) - 1, SAMPLE).astype(np.int64)))
    evaluation = plan_sparse(network, sample, batch_size, training=False)
    return Executed(network, plan_sparse(network, sample, batch_size, training=True), evaluation)


def spec_network(spec: RunSpec) -> keras.Model:
    """Build the network of a run, from spectra (batch, n_points, 1) to logits (batch, n_classes).

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    keras.Model
        With first weights; not compiled.
    """
    data = spec.dataset_spec
    return build_logits(
        spec.model, data.n_points, data.n_classes, spec.hidden_activation, spec.precision, **spec.options
    )


def choose_execution(spec: RunSpec, dataset: Dataset) -> backend.Execution:
    """Choose the fastest mode for a run on this machine.

    Parameters
    ----------
    spec : RunSpec
        The run.
    dataset : Dataset
        Its data.

    Returns
    -------
    str
        The backend's first mode for spectra that are not sparse and for runs of a few minutes; else the one that
        took least time, by a measurement of today or by one kept in the user's cache.
    """
    modes = backend.EXECUTIONS[backend.backend_name()]
    network = spec_network(spec)
    cost = sum(multiply_adds_of(layer) for layer in network.layers)
    if cost * len(dataset.train) * min(spec.max_epochs, TYPICAL_EPOCHS) < WORTH_MEASURING:
        return modes[0]
    prepared = execute(network, dataset.train, spec.batch_size, "sparse")
    wanted = [mode for mode in modes if mode != ("sparse" if prepared.plan is None else "xla") or mode == modes[0]]
    del network, prepared
    if len(wanted) == 1:
        return modes[0]
    key = _measurement_key(spec, dataset)
    path = Path(platformdirs.user_cache_dir("spectra_lib")) / "step_times" / f"{canonical_digest(key)[:16]}.json"
    seconds = _kept(path, wanted)
    if seconds is None:
        seconds = measure_steps(spec, wanted)
        try:
            write_whole(path, json.dumps({"measured": key, "seconds": seconds}, indent=1) + "\n")
        except OSError as error:
            warnings.warn(f"step times cannot be kept in {path}: {error.strerror}", stacklevel=2)
    return min(wanted, key=lambda mode: seconds.get(mode) or math.inf)


def _measurement_key(spec: RunSpec, dataset: Dataset) -> dict[str, Any]:
    """Everything that step times depend on."""
    fields = spec.model_dump(mode="json", exclude={"seed", "max_epochs", "learning_rate", "protocol", "dataset"})
    active = float(np.mean(dataset.train.spectra(slice(0, None, max(1, len(dataset.train) // SAMPLE))) != 0))
    return {
        **fields,
        "n_points": dataset.spec.n_points,
        "n_classes": dataset.spec.n_classes,
        "active_percent": round(100 * active),
        "backend": backend.backend_name(),
        "device": backend.device_name(),
        "versions": backend.versions(),
    }


def _kept(path: Path, modes: Sequence[str]) -> dict[str, float | None] | None:
    try:
        seconds = json.loads(path.read_text(encoding="utf-8"))["seconds"]
        return seconds if set(seconds) == set(modes) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def measure_steps(spec: RunSpec, modes: Sequence[backend.Execution]) -> dict[str, float | None]:
    """Time training steps of a run, each mode in a process of its own.

    Parameters
    ----------
    spec : RunSpec
        The run.
    modes : sequence of backend.Execution
        Modes of execution, each measured in turn.

    Returns
    -------
    dict of str to float or None
        Median seconds of a step; None where a mode failed or took too long.
    """
    plugins = [str(plugin.file) for plugin in loaded_plugins()]
    found: dict[str, float | None] = {}
    for mode in modes:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            measured = pool.submit(measure_step, spec.model_dump_json(), mode, plugins)
            try:
                found[mode] = measured.result(MEASURING_LIMIT)["seconds"]
            except (BrokenProcessPool, TimeoutError) as error:
                found[mode] = None
                warnings.warn(f"{mode}: no step time ({type(error).__name__})", stacklevel=2)
                for process in (pool._processes or {}).values():
                    process.kill()
    return found


def measure_step(spec: str, mode: backend.Execution, plugins: Sequence[str] = (), steps: int = 3) -> Mapping[str, Any]:
    """Train a few steps in this process.

    Parameters
    ----------
    spec : str
        The run, as JSON.
    mode : str
        Mode of execution.
    plugins : sequence of str
        Files to load first.
    steps : int
        How many steps are timed, after two that compile.

    Returns
    -------
    mapping
        ``seconds``, the median of the steps, ``first_seconds``, ``saving`` and ``peak_memory_bytes``.
    """
    load_plugins(plugins)
    run = RunSpec.model_validate_json(spec)
    train = make_dataset(run.dataset_spec).train
    backend.seed_everything(0)
    prepared = execute(spec_network(run), train, run.batch_size, mode)
    backend.compile_for_training(prepared.trained, run.learning_rate, mode)
    order = np.random.default_rng(0).permutation(len(train))
    batches = SpectraBatches(train, np.resize(order, run.batch_size * (steps + 2)), run.batch_size, prepared.plan)
    times = []
    for step in range(steps + 2):
        inputs, labels = batches[step]
        start = time.perf_counter()
        prepared.trained.train_on_batch(inputs, labels)
        times.append(time.perf_counter() - start)
    return {
        "seconds": statistics.median(times[2:]),
        "first_seconds": times[0],
        "saving": None if prepared.plan is None else prepared.plan.saving,
        "peak_memory_bytes": backend.peak_memory(),
    }
