"""Commands of the campaign: plan, run, status, pack, unpack."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from spectra_lib.experiments.campaign import Task, campaign, task_by_id
from spectra_lib.experiments.execution import DIVERGED, run_campaign
from spectra_lib.experiments.filters import parse_filter
from spectra_lib.experiments.progress import (
    Planned,
    State,
    figure_progress,
    lacking_networks,
    options_text,
    plan,
    runs_behind,
)
from spectra_lib.networks.plugins import load_plugins
from spectra_lib.runs.archive import pack_records, unpack_archive
from spectra_lib.runs.store import RunStore

app = typer.Typer(no_args_is_help=True, help="All training runs that the book rests on.")

Store = Annotated[Path, typer.Option(help="Folder of the run records.")]
Only = Annotated[
    str | None, typer.Option(help="Filter such as 'dataset=challenge,model=cnn2|vgg,seed=0' or 'stage=a1'.")
]
Runs = Annotated[
    Path | None, typer.Option(help="JSON file with a list of run specifications, instead of the book's campaign.")
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python file that registers networks; it is executed. May be repeated."),
]
Execution = Annotated[str, typer.Option(help="How steps run: auto, graph, xla, sparse, eager.")]

Weights = Annotated[
    bool,
    typer.Option(
        help="Keep the weights of the best checkpoint in the folder .weights of the store, up to 750 MB a run."
    ),
]


@app.command("plan")
def plan_command(
    store: Store = Path("results"), only: Only = None, runs: Runs = None, ids: bool = False, plugin: Plugins = None
) -> None:
    """List the runs with their state and their expected cost on this machine.

    Costs come from the runs done on this machine; a figure marked ~ is scaled from other networks.

    Examples:

        spectra-lib campaign plan --only stage=a1

        spectra-lib campaign plan --only 'model=vgg,seed=0'
    """
    load_plugins(plugin or ())
    rows = plan(RunStore(store), _chosen(runs, only))
    for row in rows:
        spec, cost = row.task.spec, row.estimate
        if ids:
            typer.echo(spec.run_id)
            continue
        mark = " " if cost.measured else "~"
        done = f"{row.epochs_done} epochs" if row.epochs_done else options_text(spec)
        typer.echo(f"{row.task.stage}  {row.state:8} {spec.run_id:52} {mark}{cost.seconds / 60:8.1f} min  {done}")
    if not ids:
        typer.echo(_summary(rows))


@app.command("status")
def status_command(
    store: Store = Path("results"),
    lacking: Annotated[bool, typer.Option("--lacking", help="Name the networks whose runs are missing.")] = False,
) -> None:
    """Show how far the campaign is, and what each figure of the book still lacks.

    Examples:

        spectra-lib campaign status

        spectra-lib campaign status --lacking
    """
    rows = plan(RunStore(store), campaign())
    typer.echo(_summary(rows))
    for name, done, wanted in figure_progress(rows):
        typer.echo(f"{done:4} of {wanted:3}  {name}")
        if lacking:
            missing = ", ".join(f"{network} {n}" for network, n in lacking_networks(runs_behind(name, rows)).items())
            typer.echo(f"{'':13}lacks {missing}" if missing else f"{'':13}lacks nothing")


@app.command("run")
def run_command(
    store: Store = Path("results"),
    only: Only = None,
    runs: Runs = None,
    budget_minutes: Annotated[float | None, typer.Option(min=0, help="Stop cleanly after this time.")] = None,
    execution: Execution = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time; a GPU has room for several.")] = 1,
    weights: Weights = True,
    quiet: bool = False,
    plugin: Plugins = None,
) -> None:
    """Work through the runs, the cheapest information first; what is begun is resumed.

    Examples:

        spectra-lib campaign run --plugin my_net.py --runs my_runs.json

        spectra-lib campaign run --budget-minutes 60

        spectra-lib campaign run --only 'stage=a1|a2' --quiet

        spectra-lib campaign run --workers 8
    """
    load_plugins(plugin or ())
    failed = run_campaign(
        RunStore(store),
        _chosen(runs, only),
        budget_minutes=budget_minutes,
        execution=execution,
        workers=workers,
        quiet=quiet,
        keep_weights=weights,
        report=typer.echo,
    )
    if failed:
        raise typer.Exit(1)


@app.command("train")
def train_command(
    run_id: Annotated[str, typer.Argument(help="Id as 'campaign plan --ids' lists it.")],
    store: Store = Path("results"),
    runs: Runs = None,
    execution: Execution = "auto",
    weights: Weights = True,
    quiet: bool = False,
    plugin: Plugins = None,
) -> None:
    """Do one run of the campaign, as a cluster job does.

    Example:

        spectra-lib campaign train challenge-cnn2-relu-paper-s0-1a2b3c4d
    """
    from spectra_lib.training.trainer import train

    load_plugins(plugin or ())
    spec = task_by_id(run_id, campaign(runs)).spec
    record = train(spec, store, execution=execution, quiet=quiet, keep_weights=weights)
    if record.ended == "not_finite":  # no exit code: Snakemake would delete the record of a job that failed
        typer.echo(f"{run_id}: {DIVERGED}", err=True)


@app.command("pack")
def pack_command(
    target: Path,
    store: Store = Path("results"),
    weights: Annotated[
        bool, typer.Option("--weights", help="Add the weights of the best checkpoint of these runs.")
    ] = False,
) -> None:
    """Put all records into one .tar.gz.

    Examples:

        spectra-lib campaign pack records.tar.gz --store results

        spectra-lib campaign pack release.tar.gz --weights
    """
    n_records, n_weights = pack_records(RunStore(store), target, weights=weights)
    typer.echo(f"{n_records} records{f' and the weights of {n_weights} runs' if weights else ''} in {target}")


@app.command("unpack")
def unpack_command(
    archive: Path,
    store: Store = Path("results"),
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Take checkpoints, too, to go on with runs that are not finished.")
    ] = False,
) -> None:
    """Check the records of an archive, and weights if it has any, and take them into the store; none is replaced.

    Examples:

        spectra-lib campaign unpack records.tar.gz

        spectra-lib campaign unpack gpu-records.tar.gz --checkpoints --store gpu-records
    """
    taken = unpack_archive(archive, RunStore(store), checkpoints=checkpoints)
    weights = f"; weights of {taken.weights} runs added" if taken.weights else ""
    further = f"; checkpoints of {taken.checkpoints} runs added" if taken.checkpoints else ""
    typer.echo(f"{taken.records} records added, {taken.known} were there already{weights}{further}")


def _chosen(runs: Path | None, only: str | None) -> list[Task]:
    return list(filter(parse_filter(only), campaign(runs)))


def _summary(rows: list[Planned]) -> str:
    counts = Counter(row.state for row in rows)
    costs = [(row.estimate, row.epochs_done) for row in rows if row.state != State.DONE]
    left = sum(max(cost.epochs - done, 0) * cost.seconds_per_epoch for cost, done in costs) / 3600
    states = ", ".join(f"{counts[state]} {state}" for state in State)
    return f"{len(rows)} runs: {states}; about {left:.1f} hours left on this machine"
