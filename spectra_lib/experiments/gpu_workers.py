"""Processes that share one GPU: each measures steps of a network, or does a run.

Every one is started afresh, so that its memory is given back at its end and nothing of it can reach another.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from spectra_lib._base.errors import BudgetError, SpectraError
from spectra_lib.experiments.execution import end_with_parent
from spectra_lib.runs.specification import TRUSTED, RunSpec

WHOLE_FLOAT32 = 1e-5
"""Largest relative error of float32 products: whole ones have less than 1e-6, those of 10 bits (TF32) 3e-4."""

MEASURED_STEPS = 8
Report = Callable[[str, Any], None]
Work = Callable[..., Any]


@dataclass(frozen=True)
class Measurement:
    """What a few steps of a run tell.

    Attributes
    ----------
    device : str
        What computed.
    on_cpu : bool
        Whether that was a CPU.
    memory : int
        All memory of the device, in bytes.
    run_memory, host_memory : int
        The most that the process used on the device, and of the machine.
    parameters : int
        Number of weights.
    start_seconds : float
        From the start of the process to the end of the first steps: imports, data and compilation.
    step_seconds : float
        Of a step, rendering included.
    product_error : float
        Relative error of a float32 product, see `float32_error`.
    """

    device: str
    on_cpu: bool
    memory: int
    run_memory: int
    host_memory: int
    parameters: int
    start_seconds: float
    step_seconds: float
    product_error: float


def measure_run(report: Report, _should_stop: Callable[[], bool], spec_json: str, turn: Path) -> Measurement:
    """Take a few steps of a run, exactly as it would take them, and forget them.

    Parameters
    ----------
    report : callable
        Is told at once ("cpu", None) if this is no GPU.
    _should_stop : callable
        Not asked: measuring is short.
    spec_json : str
        The run.
    turn : Path
        File that is locked while steps are timed, so that one network at a time is; the system unlocks it if the
        process dies.

    Returns
    -------
    Measurement
    """
    start = time.monotonic()
    import numpy as np
    from filelock import FileLock

    from spectra_lib.datasets.dataset import make_dataset
    from spectra_lib.training import backend
    from spectra_lib.training.execution import SpectraBatches
    from spectra_lib.training.trainer import _Trainer

    if backend.computes_on_cpu():
        report("cpu", None)
    spec = RunSpec.model_validate_json(spec_json, context=TRUSTED)
    trainer = _Trainer(spec, make_dataset(spec.dataset_spec), None)
    split, size = trainer.dataset.train, spec.batch_size

    def take(n: int) -> None:
        batches = SpectraBatches(split, np.arange(n) % len(split), size, trainer.executed.plan)
        trainer.trained.fit(backend.feed(batches), epochs=1, verbose=0, shuffle=False)

    # Batches of other sizes are compiled apart, and so are windows of other sizes: the same steps again are timed.
    take(len(split) % size or size)
    steps = max(1, min(MEASURED_STEPS, len(split) // size))
    take(min(steps * size, len(split)))
    started = time.monotonic() - start
    turn.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(turn):
        error = float32_error()
        before = time.monotonic()
        take(min(steps * size, len(split)))
        step_seconds = (time.monotonic() - before) / steps
    used, memory = backend.device_memory()
    return Measurement(
        device=backend.device_name(),
        on_cpu=backend.computes_on_cpu(),
        memory=memory,
        run_memory=used,
        host_memory=backend.peak_memory(),
        parameters=trainer.model.count_params(),
        start_seconds=started,
        step_seconds=step_seconds,
        product_error=error,
    )


def float32_error() -> float:
    """Relative error of a float32 matrix product and of a convolution on this device, the larger of the two.

    Measured against float64 on the CPU: whether the hardware really multiplies whole numbers.

    Returns
    -------
    float
        Ratio of Euclidean norms.
    """
    import numpy as np

    from spectra_lib.networks.quiet_keras import keras

    rng = np.random.default_rng(0)
    left, right = rng.standard_normal((2, 512, 512)).astype(np.float32)
    series, kernel = (rng.standard_normal(s).astype(np.float32) for s in ((4, 200, 32), (9, 32, 32)))
    windows = np.lib.stride_tricks.sliding_window_view(series.astype(np.float64), 9, axis=1)
    pairs = (
        (keras.ops.matmul(left, right), left.astype(np.float64) @ right),
        (keras.ops.conv(series, kernel, padding="valid"), np.einsum("btcw,wcf->btf", windows, kernel, optimize=True)),
    )
    errors = (np.linalg.norm(keras.ops.convert_to_numpy(x) - exact) / np.linalg.norm(exact) for x, exact in pairs)
    return float(max(errors))


def do_run(
    report: Report, should_stop: Callable[[], bool], spec_json: str, store: Path, seconds: float, on_cpu: bool
) -> str:
    """Do a run, or as much of it as the time allows; give what became of it.

    Parameters
    ----------
    report : Report
        Is told "epoch" and the epochs done, after each.
    should_stop : callable
        Asked after each epoch; if it says so, the run stops.
    spec_json : str
        The run.
    store : Path
        Folder of records and checkpoints.
    seconds : float
        Time that it may take.
    on_cpu : bool
        Whether a CPU will do.

    Returns
    -------
    {"finished", "stopped", "busy"}
        Stopped: time was up; busy: another process works on it.

    Raises
    ------
    SpectraError
        If the GPU is gone.
    """
    start = time.monotonic()
    from spectra_lib.runs.store import BusyError
    from spectra_lib.training import backend
    from spectra_lib.training.trainer import train

    if backend.computes_on_cpu() and not on_cpu:
        raise SpectraError("this process sees no GPU")
    spec = RunSpec.model_validate_json(spec_json, context=TRUSTED)
    try:
        train(
            spec,
            store,
            deadline=start + seconds,
            quiet=True,
            on_epoch=lambda progress: report("epoch", progress.epoch),
            should_stop=should_stop,
        )
    except BudgetError:
        return "stopped"
    except BusyError:
        return "busy"
    return "finished"


def _child(work: Work, given: Sequence[Any], environment: Mapping[str, str], sender: Any) -> None:
    os.environ.update(environment)  # before the backend is imported
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    end_with_parent()
    try:
        found = work(lambda kind, value: sender.send((kind, value)), stop.is_set, *given)
    except SpectraError as error:
        sender.send(("failed", str(error)))
    except Exception as error:
        sender.send(("failed", f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"))
        raise
    else:
        sender.send(("done", found))


@dataclass
class Workers:
    """Processes under way, by a key that the caller chooses."""

    _processes: dict[str, BaseProcess] = field(default_factory=dict)
    _receivers: dict[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Keys of the processes under way, the oldest first."""
        return list(self._processes)

    def start(self, key: str, work: Work, given: Sequence[Any], environment: Mapping[str, str]) -> None:
        """Start ``work(report, should_stop, *given)`` in a process of its own.

        Parameters
        ----------
        key : str
            Name of the process.
        work : Work
            Function of a module, called in the process.
        given : sequence of object
            Further arguments; they are pickled.
        environment : mapping of str to str
            Variables to set before.
        """
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(work, given, environment, sender), name=key)
        in_main = threading.current_thread() is threading.main_thread()
        # Ctrl-C reaches all processes of a terminal: this one alone shall act on it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
        try:
            process.start()
        finally:
            if in_main:
                signal.signal(signal.SIGINT, before)
        sender.close()
        self._processes[key], self._receivers[key] = process, receiver

    def wait(self, timeout: float) -> list[tuple[str, str, Any]]:
        """Wait for messages, at most so many seconds: (key, kind, value).

        The last of each process is "done" with the result of its work, or "failed" with the reason.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        list of (str, str, object)
        """
        ready = connection.wait(list(self._receivers.values()), max(0.0, timeout))
        found: list[tuple[str, str, Any]] = []
        for key, receiver in [pair for pair in self._receivers.items() if pair[1] in ready]:
            try:
                kind, value = receiver.recv()
            except EOFError:
                self._processes[key].join()
                kind, value = "failed", f"the process ended with exit code {self._processes[key].exitcode}"
            if kind in ("done", "failed"):
                self._end(key)
            found.append((key, kind, value))
        return found

    def _end(self, key: str) -> None:
        self._processes.pop(key).join()
        self._receivers.pop(key).close()

    def stop(self) -> None:
        """Ask all to stop after the epoch that is under way."""
        for process in self._processes.values():
            process.terminate()

    def kill(self) -> list[str]:
        """End all at once, and give their keys; their last checkpoints stay.

        Returns
        -------
        list of str
        """
        ended = self.keys
        for key in ended:
            self._processes[key].kill()
            self._end(key)
        return ended


def gpu_environment(store: Path, share: float, threads: int) -> dict[str, str]:
    """Environment of a process that has a share of a GPU.

    Parameters
    ----------
    store : Path
        Compiled programs are kept there: another seed of the same network finds them.
    share : float
        Part of the GPU's memory that it may take, as it needs it.
    threads : int
        For rendering spectra.

    Returns
    -------
    dict of str to str
        Values by variable.

    Examples
    --------
    >>> gpu_environment(Path("results"), 0.25, 4)["XLA_PYTHON_CLIENT_MEM_FRACTION"]
    '0.250'
    """
    return {
        "KERAS_BACKEND": "jax",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "XLA_PYTHON_CLIENT_MEM_FRACTION": f"{math.ceil(1000 * min(share, 0.95)) / 1000:.3f}",
        "JAX_COMPILATION_CACHE_DIR": str(store.resolve() / ".work" / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "NUMBA_NUM_THREADS": str(max(1, threads)),
        "NVIDIA_TF32_OVERRIDE": "0",  # beside jax_default_matmul_precision, for the libraries below JAX
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
