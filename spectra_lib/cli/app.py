"""The command line: ``spectra-lib datasets|models|train|records|baselines|ceiling|headroom|claims|campaign|book``.

Exit codes: 0 done; 1 a loss that is not a number, or faults in records or a campaign; 2 something the caller can mend,
told in one message; 3 the time budget ended first and the same command goes on later. What a command
needs is imported when it runs, so that listing datasets does not start a deep-learning backend.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from spectra_lib import __version__
from spectra_lib._base.errors import BudgetError, SpectraError
from spectra_lib.cli import datasets as datasets_cli
from spectra_lib.cli import models as models_cli
from spectra_lib.cli.ceiling import ceiling_command
from spectra_lib.cli.claims import claims_command
from spectra_lib.cli.train import train_command


class Commands(TyperGroup):
    """The top command: turns errors that the caller can mend into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command asked for.

        Parameters
        ----------
        ctx : click.Context
            Context of the command line.

        Returns
        -------
        object
            What the command returns.

        Raises
        ------
        typer.Exit
            With code 2 for an error that the user can mend, 3 if the time was up.
        """
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
    """A group of commands whose module is imported when one of them is asked for.

    Attributes
    ----------
    module : str
        Name of the module that has the commands in ``app``.
    """

    module: str

    def _load(self) -> None:
        if not self.commands:
            group = typer.main.get_command(import_module(self.module).app)
            self.commands.update(group.commands)  # type: ignore[attr-defined]

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands.

        Parameters
        ----------
        ctx : click.Context
            Context of the command line.

        Returns
        -------
        list of str
        """
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a command by name.

        Parameters
        ----------
        ctx : click.Context
            Context of the command line.
        cmd_name : str
            Name of the command.

        Returns
        -------
        click.Command or None
            None if there is no such command.
        """
        self._load()
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Synthetic spectra, the networks trained on them, and the records of their training.",
)


def _add_later(name: str, module: str, summary: str) -> None:
    group = type(f"{name.title()}Commands", (LaterCommands,), {"module": module})
    app.add_typer(typer.Typer(cls=group, no_args_is_help=True, help=summary), name=name)


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


app.add_typer(datasets_cli.app, name="datasets")
app.add_typer(models_cli.app, name="models")
app.command("train")(train_command)
app.command("ceiling")(ceiling_command)
app.command("claims")(claims_command)
_add_later("records", "spectra_lib.cli.records", "List, check, verify and judge the records of training runs.")
_add_later(
    "headroom",
    "spectra_lib.cli.headroom",
    "Bayes errors of harder datasets, and errors against the number of training spectra.",
)
_add_later("baselines", "spectra_lib.cli.baselines", "List and measure the classical baselines.")
_add_later("campaign", "spectra_lib.cli.campaign", "Plan, run and follow all training runs that the book rests on.")
_add_later("book", "spectra_lib.cli.book", "Execute chapters and render the book.")
