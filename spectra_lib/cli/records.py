"""Commands of the run records: list, check, excess, verify, ways."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer

from spectra_lib._base.errors import SpectraError, StoreError
from spectra_lib.cli.printing import print_table

app = typer.Typer(no_args_is_help=True, help="List, check, verify and judge the records of training runs.")

Store = Annotated[Path, typer.Option(help="Folder of the run records.", file_okay=False)]


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
    from spectra_lib.runs.judgement import failure_text
    from spectra_lib.runs.records import load_records

    records = load_records(store)
    if csv:
        typer.echo(records.table().to_csv(index=False), nl=False)
        return
    rows = [
        (
            record.spec.run_id,
            len(record.history),
            record.kept_epoch,
            f"{record.test.errors} of {record.test.n}",
            f"{100 * record.test.accuracy:.1f}",
            "-" if record.fresh is None else f"{record.fresh.errors} of {record.fresh.n}",
            record.sessions[-1].device,
            failure_text(record),
        )
        for record in records
    ]
    print_table(
        (
            "run",
            "epochs",
            "best epoch (from 0)",
            "test errors",
            "right in %",
            "fresh errors",
            "device",
            "failed to converge",
        ),
        rows,
    )
    typer.echo(f"{len(rows)} records in {store}")


@app.command("check")
def check_records_command(store: Store = Path("results")) -> None:
    """Check that every record is whole and consistent: with its protocol, its data and its file name.

    The results of baselines in the store, and the runs of the reproducibility study, are checked too. Exits with code 1
    if anything is wrong.

    Example:

        spectra-lib records check --store results
    """
    from spectra_lib.baselines.store import find_result_faults
    from spectra_lib.runs.judgement import failure_text
    from spectra_lib.runs.records import find_faults
    from spectra_lib.runs.store import RunStore, read_record, way_stores

    if not store.is_dir():
        raise SpectraError(f"there is no folder {store}; name the folder of the records with --store")
    n_records = n_faulty = n_failed = 0
    for path, faults in chain.from_iterable(find_faults(one) for one in (RunStore(store), *way_stores(store))):
        n_records += 1
        n_faulty += bool(faults)
        for fault in faults:
            typer.echo(f"{path}: {fault}")
        if not faults and (failed := failure_text(read_record(path))):
            n_failed += 1
            typer.echo(f"{path}: sound, but the run failed to converge: {failed}")
    for path, faults in find_result_faults(store):
        n_records += 1
        n_faulty += bool(faults)
        for fault in faults:
            typer.echo(f"{path}: {fault}")
    typer.echo(f"{n_records} records checked, {n_faulty} with faults; {n_failed} runs failed to converge")
    if n_faulty:
        raise typer.Exit(1)


@app.command("excess")
def excess_command(store: Store = Path("results")) -> None:
    """Print the excess error of each run over the Bayes classifier, on fresh spectra, with its 95 % interval.

    The Bayes classifier of the training distribution knows the exact probability of each class given a spectrum; no
    classifier errs less on spectra of that distribution, on average. The excess of a prediction is the probability of
    the most probable class less that of the predicted one.

    Example:

        spectra-lib records excess --store results
    """
    from spectra_lib.analysis.excess_error import excess_of
    from spectra_lib.runs.records import load_records

    rows, lacking, unjudged, bounds = [], Counter[str](), [], set()
    for record in load_records(store):
        if record.fresh is None:
            lacking[record.spec.dataset_spec.name] += 1
            continue
        try:
            found = excess_of(record)
        except SpectraError as error:
            unjudged.append(str(error))
            continue
        loss = "-" if found.loss is None else f"{found.loss:.4f}"
        interval = f"{100 * found.low:.3f} to {100 * found.high:.3f}"
        rows.append(
            (
                record.spec.run_id,
                found.n,
                found.errors,
                f"{found.bayes_errors:.1f}",
                f"{100 * found.mean:.3f}",
                interval,
                loss,
            )
        )
        if found.is_bound:
            bounds.add(record.spec.dataset_spec.name)
    header = ("run", "fresh", "errors", "Bayes errors", "excess in %", "95 % interval", "excess loss in nats")
    print_table(header, rows)
    typer.echo(f"{len(rows)} records with fresh spectra in {store}")
    for name in sorted(bounds):
        typer.echo(
            f"Spectra of {name!r} have noise, a background or other peak shapes, and the Bayes classifier is told "
            "their peaks: the excess is an upper bound."
        )
    if lacking:
        counts = ", ".join(f"{count} of {name}" for name, count in sorted(lacking.items()))
        typer.echo(f"{lacking.total()} records lack fresh spectra (schema 1): {counts}")
    for reason in unjudged:
        typer.echo(f"Passed over: {reason}")


@app.command("verify")
def verify_command(
    run: Annotated[str | None, typer.Argument(help="Id of a run, or its beginning.")] = None,
    store: Store = Path("results"),
    every: Annotated[bool, typer.Option("--all", help="Every run whose weights are there.")] = False,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", help="Python file that registers networks; it is executed.")
    ] = None,
) -> None:
    """Evaluate the weights of a run anew on all its spectra, and compare with its record.

    Where the record was made everything is equal. On another processor or backend sums are rounded differently, and a
    few predictions may change where two classes are equally probable. Exits with code 1 if more than that differs.

    Examples:

        spectra-lib records verify challenge-cnn2-relu-paper-s0

        spectra-lib records verify --all --store results
    """
    from spectra_lib.networks.plugins import load_plugins
    from spectra_lib.runs.records import load_records
    from spectra_lib.runs.store import RunStore
    from spectra_lib.runs.weights import find_record, weights_path
    from spectra_lib.training.verification import verify

    load_plugins(plugin or ())
    if every == (run is not None):
        raise SpectraError("name one run, or say --all")
    if run is not None:
        records = [find_record(store, run)]
    else:
        records = [r for r in load_records(store) if weights_path(store, r.spec.run_id).is_dir()]
    n_faulty = 0
    for record in records:
        try:
            found = verify(record, RunStore(store))
        except StoreError as error:
            if run is not None:
                raise
            typer.echo(f"{record.spec.run_id}: {error}")
            n_faulty += 1
            continue
        typer.echo(f"{record.spec.run_id}: {'exactly as recorded' if all(c.is_exact for c in found) else ''}".rstrip())
        rows = [
            (
                c.split,
                c.n,
                c.recorded_errors,
                c.errors,
                f"{c.changed} ({c.ties} ties)",
                f"{c.loss_difference:+.1e}",
                f"{c.confidence_difference:.1e}",
            )
            for c in found
        ]
        print_table(("split", "n", "errors recorded", "now", "classes changed", "loss", "probabilities"), rows)
        faults = [f"{c.split}: {fault}" for c in found for fault in c.faults]
        if record.fresh is None:
            typer.echo("the record has no fresh spectra to compare (schema 1)")
        for fault in faults:
            typer.echo(f"DIFFERS {fault}")
        n_faulty += bool(faults)
    if every:
        typer.echo(f"{len(records)} runs with weights in {store}, {n_faulty} that differ")
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
    from spectra_lib.experiments.reproducibility import (
        load_ways,
        loss_differences,
        other_backends,
        save_ways,
        ways_to_train,
    )
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.training.backend import backend_name

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
