"""The command that computes the errors expected of the Bayes classifier."""

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
        typer.Option(
            min=2,
            help="Also estimate the Bayes accuracy of the training distribution, from so many fresh spectra per class.",
        ),
    ] = None,
) -> None:
    """Compute the errors expected of the Bayes classifier of the training distribution.

    It knows the generative model of the spectra and predicts the most probable class; ties count as half,
    a third and so on. On average over spectra of the training distribution no classifier errs less; on a given
    test set one may, by chance or by its inductive bias.

    Examples:

        spectra-lib ceiling challenge

        spectra-lib ceiling mine.json --fresh 100
    """
    from spectra_lib.bayes.classifier import bayes_classifier
    from spectra_lib.datasets.dataset import SPLITS, make_dataset

    data = make_dataset(find_dataset(dataset))
    observer = bayes_classifier(data)
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
            f"Spectra of {data.spec.name!r} have noise, a background or other peak shapes, and the Bayes classifier is "
            "given their peaks: this is a bound, which a classifier that must detect them need not reach."
        )
