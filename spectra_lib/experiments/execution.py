"""Doing the runs of the campaign, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import connection
from pathlib import Path
from typing import Any

from spectra_lib._base.errors import BudgetError, SpectraError
from spectra_lib.experiments.campaign import Task
from spectra_lib.experiments.progress import State, plan
from spectra_lib.networks.plugins import load_plugins, loaded_plugins
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore


def run_campaign(
    store: RunStore,
    tasks: Sequence[Task],
    *,
    budget_minutes: float | None = None,
    execution: str = "auto",
    workers: int = 1,
    quiet: bool = False,
    keep_weights: bool = True,
    report: Callable[[str], None] = print,
    do_run: DoRun | None = None,
) -> int:
    """Work through runs until all are done or the time is up.

    Each run has a process of its own; runs that another process works on are passed over. A run
    that fails is reported and passed over, so that one fault does not cost the night.

    Parameters
    ----------
    store : RunStore
        Where records and checkpoints are.
    tasks : sequence of Task
        The runs.
    budget_minutes : float, optional
        Time; at its end the run under way stops after its epoch and can be resumed.
    execution : str
        See `spectra_lib.train`.
    workers : int
        Runs at a time: more than one where a single run leaves the machine idle, as on a GPU, which a small
        network never fills.
    quiet : bool
        Show no progress bars.
    keep_weights : bool
        Keep the weights of each best checkpoint, up to 750 MB a run.
    report : callable
        Gets a line for each run.
    do_run : callable, optional
        Does one run and says how it ended; `train_in_own_process` if absent.

    Returns
    -------
    int
        Number of runs that failed.
    """
    deadline = None if budget_minutes is None else time.monotonic() + 60 * budget_minutes
    failed: set[str] = set()
    in_hand: set[str] = set()
    choosing = threading.Lock()

    def choose() -> RunSpec | None:
        with choosing:
            passed_over = failed | in_hand
            open_ = (State.STARTED, State.MISSING)
            rows = [r for r in plan(store, tasks) if r.state in open_ and r.task.spec.run_id not in passed_over]
            if not rows:
                return None
            # what is begun is finished first
            spec = min(rows, key=lambda row: (row.task.stage[0], row.state != State.STARTED)).task.spec
            in_hand.add(spec.run_id)
            return spec

    def work() -> None:
        while (deadline is None or time.monotonic() < deadline) and (spec := choose()) is not None:
            left = None if deadline is None else deadline - time.monotonic()
            outcome = (do_run or train_in_own_process)(spec, store.path, execution, left, quiet, keep_weights)
            report(f"{spec.run_id}: {outcome}")
            if outcome == OUT_OF_TIME:
                break
            if outcome not in (FINISHED, BUSY):
                failed.add(spec.run_id)
            if outcome != BUSY:  # what is in other hands is not asked for again and again
                in_hand.discard(spec.run_id)

    if workers == 1:
        work()
    else:
        with ThreadPoolExecutor(workers) as pool:
            for worker in [pool.submit(work) for _ in range(workers)]:
                worker.result()
    return len(failed)


FINISHED, OUT_OF_TIME, BUSY = "finished", "out of time, to be resumed", "in the hands of another process"
"""Outcomes of a run that are no failure."""


DIVERGED = "failed: its loss is not a number any more; the record says so"


DoRun = Callable[[RunSpec, Path, str, float | None, bool, bool], str]
"""Does a run, given its store, its execution, the seconds left, whether to be quiet and whether to keep the weights;
gives the outcome."""


def train_in_own_process(
    spec: RunSpec, store: Path, execution: str, seconds: float | None, quiet: bool, keep_weights: bool
) -> str:
    """Train in a fresh process: memory is given back, and nothing of one run can reach another.

    Parameters
    ----------
    spec : RunSpec
        The run.
    store : Path
        Folder of records and checkpoints.
    execution : str
        Mode of execution; see `spectra_lib.training.trainer.train`.
    seconds : float or None
        Time that the run may take; None for no limit.
    quiet : bool
        Show no progress.
    keep_weights : bool
        Keep the weights of the best checkpoint.

    Returns
    -------
    str
        What became of the run; begins with "failed" if the process ended early.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    plugins = [plugin.file for plugin in loaded_plugins()]
    arguments = (spec.model_dump_json(), store, execution, seconds, quiet, keep_weights, sender, plugins)
    process = context.Process(target=_train_one, args=arguments)
    process.start()
    sender.close()
    try:
        return str(receiver.recv())
    except EOFError:
        process.join()
        return f"failed: the process ended with exit code {process.exitcode}"
    finally:
        process.join()
        receiver.close()


def _train_one(
    spec_json: str,
    store: Path,
    execution: str,
    seconds: float | None,
    quiet: bool,
    keep_weights: bool,
    sender: Any,
    plugins: Sequence[Path] = (),
) -> None:
    deadline = None if seconds is None else time.monotonic() + seconds
    end_with_parent()
    from spectra_lib.runs.store import BusyError
    from spectra_lib.training.trainer import train

    try:
        load_plugins(plugins)
        spec = RunSpec.model_validate_json(spec_json)
        record = train(spec, store, execution=execution, deadline=deadline, quiet=quiet, keep_weights=keep_weights)
    except BudgetError:
        sender.send(OUT_OF_TIME)
    except BusyError:
        sender.send(BUSY)
    except SpectraError as error:
        sender.send(f"failed: {error}")
    else:
        sender.send(DIVERGED if record.ended == "not_finite" else FINISHED)


def end_with_parent() -> None:
    """Let this process end when the one that started it is gone, as after a SIGKILL.

    A run may be stopped at any moment, so nothing is lost; without this it would go on unseen.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
