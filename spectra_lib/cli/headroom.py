"""Commands of the headroom: list, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.analysis.headroom import CEILINGS, list_series, load_series, measure_series, save_series

app = typer.Typer(
    no_args_is_help=True, help="Bayes errors of harder datasets, and errors against the number of training spectra."
)

Store = Annotated[Path, typer.Option(help="Folder of the run records; results go to its subfolder 'headroom'.")]


@app.command("list")
def list_command() -> None:
    """List the series.

    Example:

        spectra-lib headroom list
    """
    for name in list_series():
        what = CEILINGS[name][0] if name in CEILINGS else "Training spectra of each class"
        typer.echo(f"{name:20} {what}")


@app.command("run")
def run_command(
    names: Annotated[list[str] | None, typer.Argument(help="Series; all if none is named.")] = None,
    store: Store = Path("results"),
    again: Annotated[bool, typer.Option("--again", help="Compute also what the store has.")] = False,
) -> None:
    """Compute series and keep them; what the store has is not done again.

    Examples:

        spectra-lib headroom run classes

        spectra-lib headroom run --again
    """
    for name in names or ():
        if name not in list_series():
            raise UnknownNameError("series", name, list_series())
    for name in names or list_series():
        if again or load_series(store, name) is None:
            typer.echo(f"{save_series(store, measure_series(name, typer.echo))}")
        else:
            typer.echo(f"{name}: from the store")
