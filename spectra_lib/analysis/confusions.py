"""Which classes are taken for one another, and why: pairs of classes, their likeness, and the errors between them.

A pair of classes is alike if the variation of the spectra can make one look like the other; that
follows from the fingerprints, without any network. Errors of networks are counted for each pair.
Causes: Schuetzke et al. 2023, Results, Misclassification causes, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spectra_lib.analysis.confusable import Pair, cause_of_pair, find_gaps
from spectra_lib.analysis.overlap import needed_variation
from spectra_lib.bayes.classifier import BayesClassifier
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.runs.record import RunRecord


def misclassified(dataset: Dataset, records: Iterable[RunRecord]) -> pd.DataFrame:
    """List the misclassified test spectra of runs on a dataset.

    Parameters
    ----------
    dataset : Dataset
        The dataset of the runs.
    records : iterable of RunRecord
        The runs.

    Returns
    -------
    DataFrame
        Columns ``model``, ``hidden_activation``, ``seed``; ``row``, the test spectrum; ``true`` and
        ``answered``, its class and the network's answer; ``class_a`` < ``class_b``, both in order.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.runs.record import Predictions, RunRecord
    >>> from spectra_lib.runs.specification import RunSpec
    >>> data = make_dataset("smoke")
    >>> answers = Predictions.model_construct(labels=(3, *data.test.labels[1:].tolist()))
    >>> run = RunRecord.model_construct(spec=RunSpec(dataset="smoke", model="vgg"), test_predictions=answers)
    >>> misclassified(data, [run])[["row", "true", "answered"]].to_numpy().tolist()
    [[0, 0, 3]]
    """
    labels, parts = dataset.test.labels, []
    for record in records:
        answers = np.array(record.test_predictions.labels)
        rows = np.flatnonzero((answers != labels) & (answers >= 0))  # no answer is confused with no class
        run = {key: getattr(record.spec, key) for key in ("model", "hidden_activation", "seed")}
        parts.append(pd.DataFrame(run | {"row": rows, "true": labels[rows], "answered": answers[rows]}))
    columns = ["model", "hidden_activation", "seed", "row", "true", "answered"]
    errors = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    both = errors[["true", "answered"]].to_numpy(dtype=np.int64).reshape(-1, 2)
    return errors.assign(class_a=both.min(axis=1), class_b=both.max(axis=1))


def count_pairs(errors: pd.DataFrame) -> pd.DataFrame:
    """Count the errors of each network between each pair of classes, and the runs that make any.

    Parameters
    ----------
    errors : DataFrame
        As `misclassified` gives them.

    Returns
    -------
    DataFrame
        Columns ``model``, ``class_a``, ``class_b``, ``errors``, ``runs``.

    Examples
    --------
    >>> errors = pd.DataFrame({"model": "vgg", "hidden_activation": "relu", "seed": [0, 0, 1], "row": [2, 3, 2]})
    >>> count_pairs(errors.assign(class_a=0, class_b=3))[["errors", "runs"]].iloc[0].tolist()
    [3, 2]
    """
    run = errors.hidden_activation.fillna("none").astype(str) + errors.seed.astype(str)
    groups = errors.assign(run=run).groupby(["model", "class_a", "class_b"])
    return groups.agg(errors=("row", "size"), runs=("run", "nunique")).reset_index()


def ambiguous_spectra(observer: BayesClassifier) -> dict[Pair, int]:
    """Count the test spectra that both classes of a pair can have made, under the training law.

    Only spectra of the two classes count; pairs without any are left out.

    Parameters
    ----------
    observer : BayesClassifier
        Bayes classifier of the training distribution.

    Returns
    -------
    dict of Pair to int
        Test spectra, by pair in ascending order.

    Examples
    --------
    >>> import spectra_lib as sl
    >>> counts = ambiguous_spectra(sl.bayes_classifier(sl.make_dataset("challenge")))
    >>> counts[9, 10], (0, 9) in counts
    (6, False)
    """
    test = observer.dataset.test
    possible = observer.in_support(test)
    counts: Counter[Pair] = Counter()
    for row in np.flatnonzero(possible.sum(axis=1) > 1).tolist():
        true = int(test.labels[row])
        for other in np.flatnonzero(possible[row]).tolist():
            if other != true:
                counts[min(true, other), max(true, other)] += 1
    return dict(counts)


def errors_on_ambiguous_spectra(observer: BayesClassifier, errors: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell for each error whether the class answered can have made the spectrum too, under the training law.

    Parameters
    ----------
    observer : BayesClassifier
        Knows the dataset.
    errors : DataFrame
        As `misclassified` gives them.

    Returns
    -------
    ndarray of bool, shape (n_errors,)

    Examples
    --------
    >>> import spectra_lib as sl
    >>> observer = sl.bayes_classifier(sl.make_dataset("challenge"))
    >>> row = int((observer.dataset.test.labels == 9).argmax())
    >>> errors_on_ambiguous_spectra(observer, pd.DataFrame({"row": [row, row], "answered": [10, 20]})).tolist()
    [False, False]
    """
    possible = observer.in_support(observer.dataset.test)
    rows, answers = (errors[column].to_numpy(dtype=np.int64) for column in ("row", "answered"))
    return possible[rows, answers]


def pair_table(
    dataset: Dataset, published: pd.DataFrame, ours: pd.DataFrame, ambiguous: Mapping[Pair, int]
) -> pd.DataFrame:
    """Put together what is known of every confused pair, those that most runs confuse first.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    published : DataFrame
        One row for each published run and pair: ``class_a``, ``class_b``, ``errors``.
    ours : DataFrame
        As `count_pairs` gives it.
    ambiguous : mapping of (int, int) to int
        As `ambiguous_spectra` gives it.

    Returns
    -------
    DataFrame
        Columns ``pair``; ``cause``; ``gaps`` (see `find_gaps`); ``needed`` (see `needed_variation`);
        ``published`` errors and ``published_runs``; ``errors`` and ``runs`` of ours; ``ambiguous`` test
        spectra.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.paper.published import published_confusions
    >>> data = make_dataset("benchmark")
    >>> table = pair_table(data, published_confusions(), count_pairs(misclassified(data, [])), {})
    >>> table.pair.iloc[0], int(table.published.sum())
    ((164, 281), 118)
    """
    theirs, own = (
        frame.groupby(["class_a", "class_b"]).agg(**columns)
        for frame, columns in (
            (published, {"errors": ("errors", "sum"), "runs": ("errors", "size")}),
            (ours, {"errors": ("errors", "sum"), "runs": ("runs", "sum")}),
        )
    )
    rows = []
    for pair in {*theirs.index, *own.index}:
        first, second = (dataset.fingerprints[label] for label in pair)
        known, ran = (frame.loc[pair] if pair in frame.index else {"errors": 0, "runs": 0} for frame in (theirs, own))
        rows.append(
            {
                "pair": pair,
                "cause": cause_of_pair(dataset, pair),
                "gaps": find_gaps(first, second, 2 * dataset.spec.variation.position_shift),
                "needed": needed_variation(first, second, dataset.spec.variation),
                "published": int(known["errors"]),
                "published_runs": int(known["runs"]),
                "errors": int(ran["errors"]),
                "runs": int(ran["runs"]),
                "ambiguous": ambiguous.get(pair, 0),
            }
        )
    rows.sort(key=lambda r: (-r["runs"] - r["published_runs"], -r["errors"] - r["published"], r["pair"]))
    columns = ["pair", "cause", "gaps", "needed", "published", "published_runs", "errors", "runs", "ambiguous"]
    table = pd.DataFrame(rows, columns=columns)
    # As text, the column would turn a missing cause into a number that is not one.
    return table.assign(cause=pd.Series([row["cause"] for row in rows], dtype=object))


def most_confused(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Choose up to `n` pairs of a `pair_table`: all published ones, then those that most of our runs confuse.

    Parameters
    ----------
    table : DataFrame
        As `pair_table` gives it, in its order.
    n : int
        Rows to choose.

    Returns
    -------
    DataFrame
        Rows of `table`, in its order.

    Examples
    --------
    >>> table = pd.DataFrame({"pair": [(0, 1), (2, 3), (4, 5)], "published_runs": [0, 0, 1]})
    >>> most_confused(table, 2).pair.tolist()
    [(0, 1), (4, 5)]
    """
    published_first = table.sort_values("published_runs", ascending=False, key=lambda runs: runs > 0, kind="stable")
    return published_first.head(n).sort_index()
