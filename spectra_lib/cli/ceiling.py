"""The command that tells how good any classifier can be."""

from __future__ import annotations

from typing import Annotated

import typer

from spectra_lib.cli.options import DatasetName
from spectra_lib.cli.printing import print_table
from spectra_lib.datasets.named import find_dataset


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
    from spectra_lib.bayes.classifier import ideal_observer
    from spectra_lib.datasets.dataset import SPLITS, make_dataset

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
