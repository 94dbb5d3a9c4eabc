"""Commands of the classical baselines: list, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.baselines import list_baselines, measure_in_fresh_process, save_result
from spectra_lib.baselines.registry import describe_baseline
from spectra_lib.baselines.store import read_result, result_path
from spectra_lib.datasets.named import find_dataset

app = typer.Typer(no_args_is_help=True, help="List and measure the classical baselines.")

Store = Annotated[Path, typer.Option(help="Folder of the run records; results go to its subfolder 'baselines'.")]


@app.command("list")
def list_command() -> None:
    """List the baselines.

    Example:

        spectra-lib baselines list
    """
    names = list_baselines()
    width = max(map(len, names))
    for name in names:
        typer.echo(f"{name:{width}}  {describe_baseline(name)}")


@app.command("run")
def run_command(
    names: Annotated[list[str] | None, typer.Argument(help="Baselines; all if none is named.")] = None,
    dataset: Annotated[
        str, typer.Option(help="A name of 'datasets list', or a specification file (.json).")
    ] = "challenge",
    store: Store = Path("results"),
    again: Annotated[bool, typer.Option("--again", help="Measure also what the store has.")] = False,
) -> None:
    """Fit baselines, classify the validation and the test set, and keep the results.

    Each is measured in a process of its own; what the store has is not done again.

    Examples:

        spectra-lib baselines run --dataset challenge

        spectra-lib baselines run peak_matcher cosine --dataset mine.json --store mine
    """
    spec = find_dataset(dataset)
    chosen = names or list_baselines()
    for name in chosen:
        if name not in list_baselines():
            raise UnknownNameError("baseline", name, list_baselines())
    for name in chosen:
        path = result_path(store, spec.name, name)
        if path.exists() and not again:
            result, note = read_result(path), " (from the store)"
        else:
            result, note = measure_in_fresh_process(name, spec), ""
            save_result(store, result)
        typer.echo(
            f"{name}: {result.validation_errors} of {len(result.validation_predictions)} validation and "
            f"{result.test_errors} of {len(result.test_predictions)} test spectra wrong; fitted in "
            f"{result.fit_seconds:.1f} s, {result.peak_memory_bytes / 1e6:.0f} MB{note}"
        )
