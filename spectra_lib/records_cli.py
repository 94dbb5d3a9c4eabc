"""Commands of the run records: list, check, ways."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from spectra_lib.cli_options import Store, print_table
from spectra_lib.errors import SpectraError

app = typer.Typer(no_args_is_help=True, help="List and check the records of training runs.")


@app.command("list")
def list_records_command(
    store: Store = Path("results"),
    csv: Annotated[bool, typer.Option("--csv", help="Print every column as CSV.")] = False,
) -> None:
    """List the runs that a store has.

    Examples:

        spectra-lib records list

        spectra-lib records list --csv > runs.csv
    """
    from spectra_lib.records import load_records

    table = load_records(store).table()
    if csv:
        typer.echo(table.to_csv(index=False), nl=False)
        return
    columns = ["run_id", "epochs", "kept_epoch", "test_errors", "test_n", "test_accuracy", "device"]
    rows = [
        (run, epochs, kept, f"{errors} of {n}", f"{100 * accuracy:.1f}", device)
        for run, epochs, kept, errors, n, accuracy, device in table[columns].itertuples(index=False)
    ]
    print_table(("run", "epochs", "kept (from 0)", "test errors", "right in %", "device"), rows)
    typer.echo(f"{len(rows)} records in {store}")


@app.command("check")
def check_records_command(store: Store = Path("results")) -> None:
    """Check that every record is whole and consistent: with its protocol, its data and its file name.

    The results of baselines in the store, and runs done in several ways, are checked too. Exits with code 1
    if anything is wrong.

    Example:

        spectra-lib records check --store results
    """
    from spectra_lib.baselines.store import find_result_faults
    from spectra_lib.records import RunStore, find_faults, way_stores

    if not store.is_dir():
        raise SpectraError(f"there is no folder {store}; name the folder of the records with --store")
    n_records = n_faulty = 0
    runs = chain.from_iterable(find_faults(one) for one in (RunStore(store), *way_stores(store)))
    for path, faults in chain(runs, find_result_faults(store)):
        n_records += 1
        n_faulty += bool(faults)
        for fault in faults:
            typer.echo(f"{path}: {fault}")
    typer.echo(f"{n_records} records checked, {n_faulty} with faults")
    if n_faulty:
        raise typer.Exit(1)


@app.command("ways")
def train_ways_command(
    model: Annotated[str, typer.Option(help="The network.")] = "cnn2",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each run.")] = 6,
    backends: Annotated[
        list[str] | None, typer.Option("--backend", help="Another backend; jax if none is named.")
    ] = None,
    store: Store = Path("results"),
) -> None:
    """Do one small run twice, with another seed, and on other backends, for the chapter on methods.

    Keeps the records in the store, in folders of their own; runs that are there are only shown. Takes a minute or two.

    Example:

        spectra-lib records ways --store results
    """
    from spectra_lib.backend import backend_name
    from spectra_lib.reproducibility import load_ways, loss_differences, other_backends, save_ways, ways_to_train
    from spectra_lib.runs import RunSpec

    wanted = backends or ["jax"]
    if missing := sorted(set(wanted) - set(other_backends())):
        raise SpectraError(
            f"backend {', '.join(missing)}: not installed, unknown, or the one in use; other backends here: "
            f"{', '.join(other_backends()) or 'none'}"
        )
    spec = RunSpec(dataset="smoke", model=model, max_epochs=epochs)
    ways = load_ways(store, spec, wanted, backend_name())
    if not ways:
        ways = ways_to_train(spec, wanted)
        save_ways(store, ways)
    first = next(iter(ways.values()))
    rows = [(way, run.weights_sha256[:12], f"{max(loss_differences(first, run)):.1e}") for way, run in ways.items()]
    print_table(("run", "weights", "largest difference in loss"), rows)
