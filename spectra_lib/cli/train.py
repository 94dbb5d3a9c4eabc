"""The command that trains a network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from spectra_lib.cli.options import Activation, Options, Plugins, Store, read_options
from spectra_lib.datasets.named import find_dataset
from spectra_lib.networks.plugins import load_plugins


def train_command(
    dataset: Annotated[str, typer.Option(help="A name of 'datasets list', or a specification file (.json).")],
    model: Annotated[str, typer.Option(help="A name of 'models list'.")],
    seed: Annotated[int, typer.Option(help="Seed of initial weights, dropout and the order of the spectra.")] = 0,
    hidden_activation: Activation = None,
    option: Options = None,
    protocol: Annotated[str, typer.Option(help="Training rules: paper or code.")] = "paper",
    precision: Annotated[str, typer.Option(help="Number format: float32 or mixed_bfloat16.")] = "float32",
    max_epochs: Annotated[int, typer.Option(help="At most so many epochs.")] = 500,
    batch_size: Annotated[int, typer.Option(help="Spectra in a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Initial rate of Adam.")] = 3e-4,
    store: Store = Path("results"),
    execution: Annotated[str, typer.Option(help="Execution mode: auto, or a mode of this backend.")] = "auto",
    budget_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop after this time; the same command goes on later (exit code 3).")
    ] = None,
    plugin: Plugins = None,
    weights: Annotated[
        bool, typer.Option(help="Keep the weights of the best checkpoint, in the folder .weights of the store.")
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Train a network and write the record of the run; a run that the store has is not done again.

    A run that was interrupted, even killed, goes on after its last finished epoch. One whose loss is not a number any
    more ends there, with a record and exit code 1.

    Examples:

        spectra-lib train --dataset laptop --model cnn2 --seed 1

        spectra-lib train --dataset challenge --model cnn6 --hidden-activation linear --budget-minutes 60

        spectra-lib train --dataset mine.json --model vgg --option kernel=9 --store mine

        spectra-lib train --dataset laptop --plugin my_net.py --model my_net
    """
    deadline = None if budget_minutes is None else time.monotonic() + 60 * budget_minutes
    from spectra_lib.runs.judgement import failure_text
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.runs.store import RunStore
    from spectra_lib.training.trainer import train

    load_plugins(plugin or ())
    fields = {
        "dataset": find_dataset(dataset),
        "model": model,
        "seed": seed,
        "hidden_activation": hidden_activation,
        "options": read_options(option),
        "protocol": protocol,
        "precision": precision,
        "max_epochs": max_epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    spec = RunSpec.read(fields, "run")
    record = train(spec, store, execution=execution, deadline=deadline, quiet=quiet, keep_weights=weights)
    if not quiet:
        test = record.test
        typer.echo(
            f"{spec.run_id}: {len(record.history)} epochs, best epoch {record.kept_epoch} (from 0); "
            f"{test.errors} of {test.n} test spectra wrong ({100 * test.accuracy:.1f} % right)\n"
            f"record: {RunStore(store).record_path(spec)}"
        )
    diverged = record.ended == "not_finite"
    if (failed := failure_text(record)) and (diverged or not quiet):
        typer.echo(f"{spec.run_id} failed to converge: {failed}", err=True)
    if diverged:
        raise typer.Exit(1)
