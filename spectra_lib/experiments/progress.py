"""How far the campaign is: runs with their states, figures with the runs behind them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.experiments.campaign import Task
from spectra_lib.experiments.cost import CostModel, Estimate
from spectra_lib.experiments.filters import parse_filter
from spectra_lib.networks.catalogue import MODIFIED, OWN, PUBLISHED
from spectra_lib.runs.records import load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore


class State(StrEnum):
    """How far a run is."""

    DONE = "done"
    RUNNING = "running"
    STARTED = "started"
    MISSING = "missing"


@dataclass(frozen=True)
class Planned:
    """A task with its state, its expected cost and the epochs done so far.

    Attributes
    ----------
    task : Task
        The task.
    state : State
        How far it is.
    estimate : Estimate
        Expected epochs and seconds.
    epochs_done : int
        Epochs done so far.
    """

    task: Task
    state: State
    estimate: Estimate
    epochs_done: int


def plan(store: RunStore, tasks: Sequence[Task]) -> list[Planned]:
    """Give runs with state and cost: stage by stage, in each the cheapest first.

    Parameters
    ----------
    store : RunStore
        Where records and checkpoints are.
    tasks : sequence of Task
        The runs.

    Returns
    -------
    list of Planned
    """
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

    Parameters
    ----------
    figure : str
        A name of `FIGURES`.
    rows : iterable of Planned
        Runs with their state.

    Returns
    -------
    list of Planned

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
    """For each figure: its name, the runs done, and the runs it rests on.

    Parameters
    ----------
    rows : sequence of Planned
        Runs with their state.

    Returns
    -------
    list of (str, int, int)
    """
    progress = []
    for name in FIGURES:
        own = runs_behind(name, rows)
        progress.append((name, sum(row.state == State.DONE for row in own), len(own)))
    return progress


def options_text(spec: RunSpec) -> str:
    """Write the changed options of a network.

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    str
        Empty if none is changed.

    Examples
    --------
    >>> from spectra_lib.experiments.single_changes import Variant
    >>> from spectra_lib.experiments.campaign import variant_run
    >>> options_text(variant_run("challenge", Variant("vgg", options={"kernel": 20}), 0))
    'kernel=20'
    """
    return " ".join(f"{key}={value}" for key, value in spec.options.items())


def lacking_networks(rows: Iterable[Planned]) -> dict[str, int]:
    """Count the missing runs of each network, with its changed options; complete networks are left out.

    Parameters
    ----------
    rows : iterable of Planned
        Runs with their state.

    Returns
    -------
    dict of str to int
        Missing runs, by network.
    """
    lacking: dict[str, int] = {}
    for row in rows:
        if row.state != State.DONE:
            name = f"{row.task.spec.model} {options_text(row.task.spec)}".rstrip()
            lacking[name] = lacking.get(name, 0) + 1
    return lacking
