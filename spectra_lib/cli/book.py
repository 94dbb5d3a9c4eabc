"""Commands for chapters and the book."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from spectra_lib.book.chapters import ChapterError, execute_chapter, list_chapters, read_chapter
from spectra_lib.book.rendering import BUILD, book_chapters, build_book, render_book, render_single_page

app = typer.Typer(no_args_is_help=True, help="Execute chapters and render the book.")

Project = Annotated[Path, typer.Option(help="Folder of the project.", file_okay=False)]


@app.command()
def build(project: Project = Path()) -> None:
    """Execute all chapters of the book and render it.

    Example: spectra-lib book build
    """
    typer.echo(f"the book is at {build_book(project, typer.echo)}")


@app.command()
def render(project: Project = Path()) -> None:
    """Render the book from chapters executed before, after a change to prose or style.

    Example: spectra-lib book render
    """
    typer.echo(f"the book is at {render_book(project)}")


@app.command()
def page(project: Project = Path()) -> None:
    """Render the book as one long page, to be printed, from chapters executed before.

    Example: spectra-lib book page
    """
    typer.echo(f"the page is {render_single_page(project)}")


@app.command()
def chapters(project: Project = Path()) -> None:
    """List the chapters with their parameters.

    Example: spectra-lib book chapters
    """
    in_book = book_chapters(project)
    for name in list_chapters(project):
        chapter = read_chapter(name, project)
        typer.echo(f"{name}: {chapter.title}{'' if name in in_book else ' (not in the book)'}")
        for parameter in chapter.parameters:
            typer.echo(f"  {parameter.name}: {parameter.type} = {parameter.default!r}  {parameter.help}")


class PairsCommand(TyperCommand):
    """A command whose option ``-p`` takes a name and a value, as papermill's does; typer knows no such option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join name and value of each parameter.

        Parameters
        ----------
        ctx : click.Context
            Context of the command line.
        args : list of str
            Words of the command line.

        Returns
        -------
        list of str
            Words that are left.
        """
        joined: list[str] = []
        for word in args:
            if len(joined) > 1 and joined[-2] in ("-p", "--parameter") and "=" not in joined[-1]:
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        return super().parse_args(ctx, joined)


@app.command(cls=PairsCommand)
def chapter(
    name: Annotated[str, typer.Argument(help="Name of the chapter, as 'spectra-lib book chapters' lists it.")],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME VALUE", help="Set a parameter; a list as in YAML, '[0, 1]'."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the executed notebook; by default _build/chapters.", file_okay=False)
    ] = None,
    as_in_book: Annotated[
        bool, typer.Option("--as-in-book", help="Begin with the parameters that book/chapters.yml gives.")
    ] = False,
    project: Project = Path(),
) -> None:
    """Execute one chapter with other parameters.

    Examples: spectra-lib book chapter benchmark -p profile laptop

    spectra-lib book chapter dataset -p label 246 -p peak 2
    """
    source = read_chapter(name, project)
    values = dict(book_chapters(project)[name]) if as_in_book else {}
    for pair in parameter or ():
        key, separator, text = pair.partition("=")
        if not separator:
            raise ChapterError(f"parameter {key!r} has no value; write -p {key} VALUE")
        values[key] = source.parameter(key).read(name, text)
    typer.echo(f"executed: {execute_chapter(name, values, output or project / BUILD / 'chapters', project)}")
