"""The campaign: which runs the book wants, in which order, what they cost, and doing them.

The paper rests on 40 runs on the general benchmark, 80 on the challenging set and 25 of modified
networks. A residual network without hidden layers has no activation to vary, so that the 80 are 75
different ones here. To these come comparisons of our own: the published code's protocol, mixed
precision, networks that differ from a published one in a single part, a network of our own with what was
tried on the way to it, other numbers of training spectra, and harder datasets.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import connection
from pathlib import Path
from typing import Any

from spectra_lib.errors import BudgetError, SpectraError, UnknownNameError
from spectra_lib.harder_datasets import HARDER, TRAINING_SIZES, with_training_size
from spectra_lib.machine import processor_name
from spectra_lib.networks.catalogue import (
    CATALOGUE,
    MODIFIED,
    OWN,
    PUBLISHED,
    activations,
    published_activation,
    relu_activation,
)
from spectra_lib.networks.sizes import size_of
from spectra_lib.peaknet_variants import GRID, HARDLY_TRAINED, VARIANTS
from spectra_lib.plugins import load_plugins, loaded_plugins
from spectra_lib.records import RunRecords, RunStore, load_records
from spectra_lib.runs import RunSpec
from spectra_lib.single_changes import SINGLE_CHANGES, Variant, variants
from spectra_lib.specification import DatasetSpec, dataset_spec

SEEDS = range(5)
SINGLE_CHANGE_STAGES = {1: ("vgg", "cnn2"), 2: ("cnn_bn", "cnn3"), 3: ("cnn6", "cnn6_bn"), 4: ("resnet",)}
"""Networks of which one part is changed, the cheap ones first; three seeds each in stages h, the others in i."""
COMPARED = (Variant("cnn2"), Variant("vgg"), Variant(OWN, None))
"""Networks of the comparisons of training data and of harder datasets."""

TYPICAL_RATE = 5e9
TYPICAL_EPOCHS = 80
TYPICAL_MULTIPLY_ADDS = 1e8
"""Forward multiply-adds a second in training, epochs, and multiply-adds, where nothing is known yet."""


@dataclass(frozen=True)
class Task:
    """A run of the campaign.

    Attributes
    ----------
    stage : str
        Stage it belongs to; stages are worked through in the order of their names.
    spec : RunSpec
        The run.
    """

    stage: str
    spec: RunSpec


class State(StrEnum):
    """How far a run is."""

    DONE = "done"
    RUNNING = "running"
    STARTED = "started"
    MISSING = "missing"


def _spec(dataset: str | DatasetSpec, model: str, activation: str | None, seed: int, **more: Any) -> RunSpec:
    return RunSpec(dataset=dataset, model=model, hidden_activation=activation, seed=seed, **more)  # type: ignore[arg-type]


def campaign(runs: Path | None = None) -> list[Task]:
    """All runs of the campaign, in order of stage.

    Parameters
    ----------
    runs : Path, optional
        JSON file with a list of run specifications, for a campaign of one's own; its only stage is
        called "own".

    Raises
    ------
    SpectraError
        If the file is not such a list.

    Examples
    --------
    >>> tasks = campaign()
    >>> tasks[0].stage, tasks[0].spec.model
    ('a0', 'peaknet')
    >>> len({task.spec.digest for task in tasks}) == len(tasks)
    True
    """
    if runs is None:
        return list(_tasks())
    try:
        listed = json.loads(runs.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpectraError(f"cannot read the list of runs {runs}: {error}") from None
    if not isinstance(listed, list):
        raise SpectraError(f"{runs}: expected a JSON list of run specifications, received {type(listed).__name__}")
    return [Task("own", RunSpec.read(item, f"{runs}, run {number}")) for number, item in enumerate(listed)]


def _tasks() -> Iterator[Task]:
    quick, slow = ("cnn2", "vgg", "cnn_bn", "cnn3", "inc3"), ("cnn6", "inc6", "resnet")

    def challenge(stage: str, models: Iterable[str], seeds: Iterable[int]) -> Iterator[Task]:
        for seed in seeds:
            for model in models:
                for activation in reversed(activations(model)):
                    yield Task(stage, _spec("challenge", model, activation, seed))

    def modified(stage: str, seeds: Iterable[int]) -> Iterator[Task]:
        for seed in seeds:
            for model in MODIFIED:
                yield Task(stage, _spec("challenge", model, relu_activation(model), seed))

    def general(stage: str, models: Iterable[str], seeds: Iterable[int]) -> Iterator[Task]:
        for seed in seeds:
            for model in models:
                yield Task(stage, _spec("benchmark", model, published_activation(model), seed))

    for dataset in ("challenge", "benchmark"):
        for seed in SEEDS:
            yield Task("a0", _spec(dataset, OWN, None, seed))
    for variant in GRID:
        yield Task("a0b", variant_run("challenge", variant, SEEDS[0], max_epochs=HARDLY_TRAINED))
    for seed in SEEDS[:3]:
        for variant in VARIANTS:
            if variant.options:
                yield Task("a0b", variant_run("challenge", variant, seed))
    yield from challenge("a1", quick, SEEDS[:1])
    yield from challenge("a2", quick, SEEDS[1:3])
    yield from challenge("b1", slow, SEEDS[:1])
    yield from modified("c1", SEEDS[:1])
    yield from general("d1", ("vgg", "cnn2"), SEEDS[:1])
    yield from general("d2", ("cnn3", "inc3", "cnn_bn"), SEEDS[:1])
    for seed in SEEDS[:3]:
        for model in ("cnn2", "vgg"):
            yield Task("e1", _spec("challenge", model, "relu", seed, protocol="code"))
            yield Task("e2", _spec("challenge", model, "relu", seed, precision="mixed_bfloat16"))
    yield from challenge("f1", quick, SEEDS[3:])
    yield from challenge("f2", slow, SEEDS[1:])
    yield from modified("f3", SEEDS[1:])
    yield from general("g1", ("cnn6", "inc6", "resnet"), SEEDS[:1])
    yield from general("g2", PUBLISHED, SEEDS[1:])

    changed = [variant for variant in variants(SINGLE_CHANGES) if variant.options]
    for stage, models in SINGLE_CHANGE_STAGES.items():
        for seeds, letter in ((SEEDS[:3], "h"), (SEEDS[3:], "i")):
            for seed in seeds:
                for variant in changed:
                    if variant.model in models:
                        yield Task(f"{letter}{stage}", variant_run("challenge", variant, seed))

    for n_train in TRAINING_SIZES:
        data = with_training_size(dataset_spec("challenge"), n_train)
        if data != dataset_spec("challenge"):
            yield from (Task("j1", variant_run(data, variant, SEEDS[0])) for variant in COMPARED)
    for data in HARDER.values():
        yield from (Task("j2", variant_run(data, variant, SEEDS[0])) for variant in COMPARED)


def variant_run(dataset: str | DatasetSpec, variant: Variant, seed: int, **more: Any) -> RunSpec:
    """Give the run of a network on a dataset; `more` are further fields of `RunSpec`.

    Examples
    --------
    >>> variant_run("challenge", Variant("cnn2"), 0).run_id
    'challenge-cnn2-relu-paper-s0-e7bd8db6'
    """
    fields = variant.fields()
    return _spec(dataset, fields.pop("model"), fields.pop("hidden_activation"), seed, **fields, **more)


Filter = Callable[[Task], bool]


def parse_filter(text: str | None) -> Filter:
    """Read a filter such as ``dataset=challenge,model=cnn2|vgg,seed=0``.

    Conditions are joined by commas, all of them must hold; alternatives are separated by ``|``.
    Besides the fields of a run specification there are ``stage`` and ``changes``, the names of the
    network's changed options joined by ``+``, or none; a network without hidden layers has
    ``hidden_activation=none``.

    Raises
    ------
    SpectraError
        If a condition has no value or names no field.

    Examples
    --------
    >>> only = parse_filter("model=vgg,seed=0|1")
    >>> sum(map(only, campaign())) > 0
    True
    """
    conditions: list[tuple[str, set[str]]] = []
    for part in (text or "").split(","):
        if not part.strip():
            continue
        key, equals, values = part.partition("=")
        key = key.strip()
        if not equals or not values.strip():
            raise SpectraError(f"cannot read the filter {part!r}; expected field=value or field=value|value")
        if key not in ("stage", "changes", *RunSpec.model_fields):
            raise UnknownNameError("field in a filter", key, ["stage", "changes", *RunSpec.model_fields])
        conditions.append((key, {value.strip() for value in values.split("|")}))

    def holds(task: Task) -> bool:
        return all(_value(task, key) in values for key, values in conditions)

    return holds


def _value(task: Task, key: str) -> str:
    if key == "stage":
        return task.stage
    if key == "changes":
        return "+".join(sorted(task.spec.options)) or "none"
    value = getattr(task.spec, key)
    if key == "dataset":
        return task.spec.dataset_spec.name
    return "none" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)


@dataclass(frozen=True)
class Estimate:
    """Expected cost of a run.

    Attributes
    ----------
    epochs, seconds_per_epoch : float
        Expected number of epochs and time of each.
    measured : bool
        Whether the time was measured on this dataset and network, or only scaled by multiply-adds.
    """

    epochs: float
    seconds_per_epoch: float
    measured: bool

    @property
    def seconds(self) -> float:
        """Expected time of the whole run."""
        return self.epochs * self.seconds_per_epoch


class CostModel:
    """Cost of runs on one device, from the runs done there.

    Parameters
    ----------
    records : RunRecords
        Records of all devices; epochs are taken from all, times from `device` alone.
    device : str, optional
        Device as in the records' sessions; if absent, this machine's processor, or the device of the newest
        session where no run was done on that.
    """

    def __init__(self, records: RunRecords, device: str | None = None) -> None:
        sessions = [record.sessions[-1] for record in records]
        if device is None and sessions:
            newest = max(sessions, key=lambda session: session.started).device
            own = processor_name()
            device = own if any(session.device == own for session in sessions) else newest
        self._epochs: dict[tuple[str, str], list[int]] = {}
        self._times: dict[tuple[str, str, float], list[float]] = {}
        rates: dict[str, list[float]] = {}
        for record in records:
            key = record.spec.dataset_spec.name, record.spec.model
            self._epochs.setdefault(key, []).append(len(record.history))
            if record.sessions[-1].device == device:
                seconds = statistics.median(record.history.seconds)
                self._times.setdefault((*key, work_of(record.spec)), []).append(seconds)
                rates.setdefault(record.spec.model, []).append(work_of(record.spec) / seconds)
        self._rates = {model: statistics.median(found) for model, found in rates.items()}
        # For networks that never ran here; one that does not convolve says nothing about those that do.
        convolving = [rate for model, rate in self._rates.items() if model in (*PUBLISHED, *MODIFIED)]
        self._rate = statistics.median(convolving) if convolving else TYPICAL_RATE

    def estimate(self, spec: RunSpec) -> Estimate:
        """Estimate the cost of a run."""
        key = spec.dataset_spec.name, spec.model
        every = [count for counts in self._epochs.values() for count in counts]
        epochs = self._epochs.get(key) or every or [TYPICAL_EPOCHS]
        times = self._times.get((*key, work_of(spec)))
        seconds = statistics.median(times) if times else work_of(spec) / self._rates.get(spec.model, self._rate)
        return Estimate(min(statistics.median(epochs), spec.max_epochs), seconds, times is not None)


def work_of(spec: RunSpec) -> float:
    """Multiply-adds of the forward passes of an epoch, training spectra alone.

    Examples
    --------
    >>> work_of(variant_run("benchmark", Variant("cnn2"), 0))
    1743570000000
    """
    data = spec.dataset_spec
    if spec.model in CATALOGUE:
        multiply_adds: float = size_of(spec.model, data.n_points, data.n_classes, **spec.options).multiply_adds
    else:
        multiply_adds = TYPICAL_MULTIPLY_ADDS * data.n_points / 5000
    return multiply_adds * data.n_classes * data.n_train


@dataclass(frozen=True)
class Planned:
    """A task with its state, its expected cost and the epochs done so far."""

    task: Task
    state: State
    estimate: Estimate
    epochs_done: int


def plan(store: RunStore, tasks: Sequence[Task]) -> list[Planned]:
    """Give runs with state and cost: stage by stage, in each the cheapest first."""
    costs = CostModel(load_records(store.path))
    rows = []
    for task in tasks:
        state, epochs = _state(store, task.spec)
        rows.append(Planned(task, state, costs.estimate(task.spec), epochs))
    return sorted(rows, key=lambda row: (row.task.stage, row.task.spec.seed, row.estimate.seconds))


def _state(store: RunStore, spec: RunSpec) -> tuple[State, int]:
    if store.record_path(spec).exists():
        return State.DONE, 0
    states = sorted(store.work_path(spec).glob("state-*.npz"))
    epochs = int(states[-1].stem.removeprefix("state-")) if states else 0
    if store.is_busy(spec):
        return State.RUNNING, epochs
    return (State.STARTED if states else State.MISSING), epochs


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
    """Train in a fresh process: memory is given back, and nothing of one run can reach another."""
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
    from spectra_lib.records import BusyError
    from spectra_lib.training import train

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


def task_by_id(run_id: str, tasks: Sequence[Task]) -> Task:
    """Look up a run by its id.

    Raises
    ------
    UnknownNameError
        If there is none of that id.
    """
    by_id = {task.spec.run_id: task for task in tasks}
    if run_id not in by_id:
        raise UnknownNameError("run of the campaign", run_id, by_id)
    return by_id[run_id]


FIGURES: dict[str, str] = {
    "errors of eight networks on the general benchmark (Fig. 2)": "dataset=benchmark",
    "validation loss with and without batch normalisation (Fig. 3)": "dataset=benchmark,model=cnn2|cnn_bn|resnet",
    "decision regions (Fig. 6)": "dataset=benchmark,model=cnn2|cnn6|inc6",
    "linear against ReLU on the challenging set (Fig. 7)": (
        f"dataset=challenge,protocol=paper,precision=float32,changes=none,model={'|'.join(PUBLISHED)}"
    ),
    "modified networks (Table 2)": (
        f"dataset=challenge,hidden_activation=relu|none,protocol=paper,precision=float32,changes=none,"
        f"model={'|'.join((*MODIFIED, 'cnn6', 'cnn_bn', 'vgg', 'resnet'))}"
    ),
    "validation loss with and without batch normalisation (Supplementary Fig. 3)": (
        "dataset=challenge,hidden_activation=relu|none,protocol=paper,precision=float32,changes=none,"
        "model=cnn6|cnn6_bn|cnn_bn|cnnbn_mod|resnet|resnet_mod"
    ),
    "one part of a network changed, all else equal": (
        "changes=batch_normalization|bn_momentum|conv_dropout|conv_dropout+dropout|dropout|hidden_units|kernel"
    ),
    "size of the pools changed, all else equal": "changes=pool_scale",
    "what was tried for PeakNet": f"dataset=challenge,model={OWN}",
    "number of training spectra": "stage=j1",
    "harder datasets": "stage=j2",
    "protocol of the published code": "dataset=challenge,protocol=code",
    "mixed precision": "dataset=challenge,precision=mixed_bfloat16",
}
"""What the book shows, and the filter that gives the runs behind it."""


def runs_behind(figure: str, rows: Iterable[Planned]) -> list[Planned]:
    """Runs that a figure rests on.

    Raises
    ------
    UnknownNameError
        If there is no such figure.
    """
    if figure not in FIGURES:
        raise UnknownNameError("figure", figure, FIGURES)
    wanted = parse_filter(FIGURES[figure])
    return [row for row in rows if wanted(row.task)]


def figure_progress(rows: Sequence[Planned]) -> list[tuple[str, int, int]]:
    """For each figure: its name, the runs done, and the runs it rests on."""
    progress = []
    for name in FIGURES:
        own = runs_behind(name, rows)
        progress.append((name, sum(row.state == State.DONE for row in own), len(own)))
    return progress


def options_text(spec: RunSpec) -> str:
    """Write the changed options of a network.

    Examples
    --------
    >>> options_text(variant_run("challenge", Variant("vgg", options={"kernel": 20}), 0))
    'kernel=20'
    """
    return " ".join(f"{key}={value}" for key, value in spec.options.items())


def lacking_networks(rows: Iterable[Planned]) -> dict[str, int]:
    """Count the missing runs of each network, with its changed options; complete networks are left out."""
    lacking: dict[str, int] = {}
    for row in rows:
        if row.state != State.DONE:
            name = f"{row.task.spec.model} {options_text(row.task.spec)}".rstrip()
            lacking[name] = lacking.get(name, 0) + 1
    return lacking
