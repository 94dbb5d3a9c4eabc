"""The command line: ``spectra-lib datasets|models|train|records|baselines|ceiling|headroom|claims|campaign|book``.

Exit codes: 0 done; 1 a loss that is not a number, or faults in records or a campaign; 2 something the caller can mend,
told in one message; 3 the time budget ended first and the same command goes on later. What a command
needs is imported when it runs, so that listing datasets does not start a deep-learning backend.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spectra_lib import __version__
from spectra_lib.claims_cli import claims_command
from spectra_lib.errors import BudgetError, SpectraError
from spectra_lib.plugins import load_plugins, plugin_of
from spectra_lib.printing import print_table
from spectra_lib.specification import dataset_spec, find_dataset, list_datasets


class Commands(TyperGroup):
    """The top command: turns errors that the caller can mend into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command asked for."""
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except SpectraError as error:
                typer.echo(f"error: {error}", err=True)
                raise typer.Exit(3 if isinstance(error, BudgetError) else 2) from error
            except ModuleNotFoundError as error:
                if (error.name or "spectra_lib").partition(".")[0] == "spectra_lib":
                    raise
                typer.echo(
                    f"error: this command needs the package {error.name!r}, which is not installed; install it or the "
                    "extra that brings it, for example pip install 'spectra-lib[tensorflow,book]'",
                    err=True,
                )
                raise typer.Exit(2) from error


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    typer.echo(f"warning: {message}", err=True)


class LaterCommands(TyperGroup):
    """A group of commands whose module is imported when one of them is asked for."""

    module: str

    def _load(self) -> None:
        if not self.commands:
            group = typer.main.get_command(import_module(self.module).app)
            self.commands.update(group.commands)  # type: ignore[attr-defined]

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a command by name."""
        self._load()
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Synthetic spectra, the networks trained on them, and the records of their training.",
)
datasets = typer.Typer(no_args_is_help=True, help="List, show and export datasets.")
models = typer.Typer(no_args_is_help=True, help="List and describe networks.")
app.add_typer(datasets, name="datasets")
app.add_typer(models, name="models")


def _add_later(name: str, module: str, summary: str) -> None:
    group = type(f"{name.title()}Commands", (LaterCommands,), {"module": module})
    app.add_typer(typer.Typer(cls=group, no_args_is_help=True, help=summary), name=name)


DatasetName = Annotated[str, typer.Argument(help="A name of 'datasets list', or a specification file (.json).")]
ModelName = Annotated[str, typer.Argument(help="A name of 'models list'.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Option of the network, value as in JSON; may be repeated."),
]
Activation = Annotated[
    str | None, typer.Option(help="linear or relu between hidden layers; left out, as the network was published.")
]
Store = Annotated[Path, typer.Option(help="Folder of the run records.", file_okay=False)]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", help="Python file that registers networks; it is executed with your rights. May be repeated."
    ),
]


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@datasets.command("list")
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


@datasets.command("show")
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
        rows += [(key, _brief(part)) for key, part in parts.items()]
    print_table(("parameter", "value"), [*rows, ("digest", spec.digest)])


@datasets.command("export")
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
    from spectra_lib.dataset import export_dataset, make_dataset

    path = export_dataset(make_dataset(find_dataset(dataset)), to, overwrite=force)
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


@models.command("list")
def list_models_command(plugin: Plugins = None) -> None:
    """List the networks.

    Examples:

        spectra-lib models list

        spectra-lib models list --plugin my_net.py
    """
    from spectra_lib.networks import list_models, network

    load_plugins(plugin or ())
    entries = [network(name) for name in list_models()]
    rows = [(e.name, e.reference, e.variant_of or "", e.hidden_activation or "", e.doi) for e in entries]
    print_table(("name", "reference", "variant of", "hidden layers", "doi"), rows)


@models.command("show")
def show_model_command(
    model: ModelName,
    points: Annotated[int, typer.Option(help="Points of a spectrum.")] = 5000,
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 500,
    hidden_activation: Activation = None,
    option: Options = None,
    plugin: Plugins = None,
) -> None:
    """Describe a network as built: layers, weights, cost, and the options it takes.

    Examples:

        spectra-lib models show cnn6

        spectra-lib models show cnn2 --classes 27 --hidden-activation relu --option hidden_units=[1000]
    """
    from dataclasses import asdict

    from spectra_lib.networks import describe_model, network

    load_plugins(plugin or ())
    found = describe_model(model, points, classes, hidden_activation, **_read_options(option))
    rows = [(name, _brief(value)) for name, value in asdict(found).items()]
    origin = plugin_of(model)
    if origin is not None:
        rows += [("plugin", str(origin.file)), ("source SHA-256", origin.sha256)]
    options = ((f"option {name}", _brief(value)) for name, value in network(model).defaults.items())
    print_table(("property", "value"), [*rows, *options])


@app.command("train")
def train_command(
    dataset: Annotated[str, typer.Option(help="A name of 'datasets list', or a specification file (.json).")],
    model: Annotated[str, typer.Option(help="A name of 'models list'.")],
    seed: Annotated[int, typer.Option(help="Seed of weights, dropout and the order of the spectra.")] = 0,
    hidden_activation: Activation = None,
    option: Options = None,
    protocol: Annotated[str, typer.Option(help="Training rules: paper or code.")] = "paper",
    precision: Annotated[str, typer.Option(help="Number format: float32 or mixed_bfloat16.")] = "float32",
    max_epochs: Annotated[int, typer.Option(help="At most so many epochs.")] = 500,
    batch_size: Annotated[int, typer.Option(help="Spectra in a step.")] = 128,
    learning_rate: Annotated[float, typer.Option(help="Initial rate of Adam.")] = 3e-4,
    store: Store = Path("results"),
    execution: Annotated[str, typer.Option(help="How steps are computed: auto, or a way of this backend.")] = "auto",
    budget_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop after this time; the same command goes on later (exit code 3).")
    ] = None,
    plugin: Plugins = None,
    weights: Annotated[bool, typer.Option(help="Keep the best weights, in the folder .weights of the store.")] = True,
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
    from spectra_lib.records import RunStore
    from spectra_lib.run_judgement import failure_text
    from spectra_lib.runs import RunSpec
    from spectra_lib.training import train

    load_plugins(plugin or ())
    fields = {
        "dataset": find_dataset(dataset),
        "model": model,
        "seed": seed,
        "hidden_activation": hidden_activation,
        "options": _read_options(option),
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
            f"{spec.run_id}: {len(record.history)} epochs, weights of epoch {record.kept_epoch} (from 0) kept; "
            f"{test.errors} of {test.n} test spectra wrong ({100 * test.accuracy:.1f} % right)\n"
            f"record: {RunStore(store).record_path(spec)}"
        )
    diverged = record.ended == "not_finite"
    if (failed := failure_text(record)) and (diverged or not quiet):
        typer.echo(f"{spec.run_id} failed to converge: {failed}", err=True)
    if diverged:
        raise typer.Exit(1)


@app.command("ceiling")
def ceiling_command(
    dataset: DatasetName,
    fresh: Annotated[
        int | None,
        typer.Option(min=2, help="Also estimate the limit for ever more spectra, from so many fresh ones per class."),
    ] = None,
) -> None:
    """Tell how good any classifier can be: the errors to be expected of the ideal observer.

    It knows the law by which spectra are varied and answers the most probable class; ties count as half,
    a third and so on. On average over spectra of the training law no classifier errs less; on a given
    test set a lucky or a suitably biased one may.

    Examples:

        spectra-lib ceiling challenge

        spectra-lib ceiling mine.json --fresh 100
    """
    from spectra_lib.dataset import SPLITS, make_dataset
    from spectra_lib.observer import ideal_observer

    data = make_dataset(find_dataset(dataset))
    observer = ideal_observer(data)
    found = {name: observer.ceiling(data.split(name)) for name in SPLITS}
    if fresh is not None:
        found["limit"] = observer.ceiling_in_the_limit(fresh)
    rows = []
    for name, c in found.items():
        figures = f"{c.expected_errors:.2f}", f"{100 * c.accuracy:.2f}", f"{100 * c.standard_error:.2f}"
        rows.append((name, c.n_spectra, *figures, c.shared))
    print_table(("split", "spectra", "errors expected", "accuracy in %", "+- in %", "fit several classes"), rows)
    if observer.is_bound:
        typer.echo(
            f"Spectra of {data.spec.name!r} have noise, a background or other peak shapes, and the ideal observer is "
            "told their peaks: this is a bound, which nobody who must find them need reach."
        )


app.command("claims")(claims_command)
_add_later("records", "spectra_lib.records_cli", "List, check, verify and judge the records of training runs.")
_add_later("headroom", "spectra_lib.headroom_cli", "Ceilings of harder datasets, and errors against training data.")
_add_later("baselines", "spectra_lib.baselines_cli", "List and measure the classical baselines.")
_add_later("campaign", "spectra_lib.campaign_cli", "Plan, run and follow all training runs that the book rests on.")
_add_later("book", "spectra_lib.book_cli", "Execute chapters and render the book.")


def _read_options(pairs: Sequence[str] | None) -> dict[str, Any]:
    """Read ``key=value`` pairs; a value that is not JSON is taken as text."""
    options = {}
    for pair in pairs or ():
        key, equals, text = pair.partition("=")
        if not equals:
            raise SpectraError(f"option {pair!r} has no value; write --option {pair}=VALUE")
        try:
            options[key] = json.loads(text)
        except json.JSONDecodeError:
            options[key] = text
    return options


def _brief(value: Any) -> str:
    """Write a value on one line, long ones cut."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 90 else f"{text[:90]}... ({len(value)} entries)"
