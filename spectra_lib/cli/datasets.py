"""Commands of the datasets: list, show, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectra_lib.cli.options import DatasetName, on_one_line
from spectra_lib.cli.printing import print_table
from spectra_lib.datasets.named import dataset_spec, find_dataset, list_datasets

app = typer.Typer(no_args_is_help=True, help="List, show and export datasets.")


@app.command("list")
def list_datasets_command() -> None:
    """List the built-in datasets.

    Example:

        spectra-lib datasets list
    """
    rows = []
    for name in list_datasets():
        spec = dataset_spec(name)
        n_test = sum(len(spec.test.for_class(label)[2]) for label in range(spec.n_classes))
        counts = spec.n_classes * spec.n_train, spec.n_classes * spec.n_validation, n_test
        rows.append((name, spec.n_classes, spec.n_points, *counts))
    print_table(("name", "classes", "points", "training", "validation", "test"), rows)


@app.command("show")
def show_dataset_command(
    dataset: DatasetName,
    as_json: Annotated[bool, typer.Option("--json", help="Print the specification file, to be edited.")] = False,
) -> None:
    """Show every parameter of a dataset.

    Examples:

        spectra-lib datasets show benchmark

        spectra-lib datasets show laptop --json > mine.json

        spectra-lib datasets show mine.json
    """
    spec = find_dataset(dataset)
    if as_json:
        typer.echo(spec.to_json())
        return
    rows = []
    for name, value in spec.model_dump(mode="json").items():
        parts = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        rows += [(key, on_one_line(part)) for key, part in parts.items()]
    print_table(("parameter", "value"), [*rows, ("digest", spec.digest)])


@app.command("export")
def export_dataset_command(
    dataset: DatasetName,
    to: Annotated[Path, typer.Option(help="File to write, ending in .npz or .h5.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Write all spectra and labels of a dataset to a file, with the specification inside.

    Examples:

        spectra-lib datasets export challenge --to challenge.npz

        spectra-lib datasets export mine.json --to mine.h5 --force
    """
    from spectra_lib.datasets.dataset import export_dataset, make_dataset

    path = export_dataset(make_dataset(find_dataset(dataset)), to, overwrite=force)
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
