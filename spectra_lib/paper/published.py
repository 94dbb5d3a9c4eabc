"""The published figures that ours stand beside.

Sources: Schuetzke, Szymanski & Reischl, npj Comput. Mater. 9, 100 (2023),
doi:10.1038/s41524-023-01055-y, and the stored outputs of the evaluation notebooks in its public
code. The counts of the challenging set were read off the published Fig. 7, in which every marker
falls on a multiple of 1/162 within 0.1 of such a step. The medians of the paper's Table 2 are not
known to us. All these runs followed what we call protocol "code".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

import pandas as pd

from spectra_lib._base.errors import UnknownNameError

GENERATION_SECONDS = 15.0
"""The paper's upper bound for generating the benchmark's training and validation spectra (Results)."""

TEST_SPECTRA: Mapping[str, int] = MappingProxyType({"benchmark": 4500, "challenge": 162})
"""Test spectra of each published dataset."""


VALIDATION_SPECTRA: Mapping[str, int] = MappingProxyType({"benchmark": 5000, "challenge": 270})
"""Validation spectra of each published dataset."""

TRAINING_SPECTRA = 25_000
"""Training spectra of the general benchmark."""


@cache
def _read(name: str) -> pd.DataFrame:
    with resources.files("spectra_lib.paper").joinpath(f"data/published_{name}.csv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def published_runs() -> pd.DataFrame:
    """Give the 40 runs on the general benchmark, five seeds of eight networks.

    Returns
    -------
    DataFrame
        Columns ``model``, ``seed``; ``test_errors`` of 4500; ``val_accuracy`` of the kept weights;
        ``running_train_accuracy``, the average over an epoch with dropout active, which the paper
        shows as the training accuracy; ``best_epoch`` and ``last_epoch``, counted from 0;
        ``best_val_loss``; ``last_val_accuracy``; ``final_learning_rate``; ``gpu_seconds``.

    Examples
    --------
    >>> runs = published_runs()
    >>> len(runs), float(runs.groupby("model").test_errors.mean()["cnn6"])
    (40, 8.4)
    """
    return _read("runs").copy()


def published_challenge() -> pd.DataFrame:
    """Give the correct test spectra on the challenging set, five runs each, in ascending order.

    Returns
    -------
    DataFrame
        Columns ``model``, ``hidden_activation`` and ``correct``, of 162. Which seed made which run is
        not known; resnet, vgg and cnn_bn are missing from what could be read off.

    Examples
    --------
    >>> counts = published_challenge()
    >>> int(counts[(counts.model == "cnn6") & (counts.hidden_activation == "relu")].correct.max())
    141
    """
    return _read("challenge").copy()


def published_validation_losses() -> pd.DataFrame:
    """Give the validation losses behind the paper's Fig. 3.

    Returns
    -------
    DataFrame
        Columns ``model`` (cnn2, cnn_bn, resnet), ``seed``, ``epoch`` (from 0) and ``val_loss``.

    Examples
    --------
    >>> sorted(published_validation_losses().model.unique())
    ['cnn2', 'cnn_bn', 'resnet']
    """
    return _read("val_loss").copy()


def published_validation_loss(model: str, seed: int) -> list[float]:
    """Give one of the published validation curves.

    Parameters
    ----------
    model : str
        Network: cnn2, cnn_bn or resnet.
    seed : int
        Its seed.

    Returns
    -------
    list of float
        Loss after each epoch, in nats.

    Raises
    ------
    UnknownNameError
        If no such curve was published.

    Examples
    --------
    >>> len(published_validation_loss("cnn2", 1))
    63
    """
    curves = published_validation_losses()
    for kind, column, value in (
        ("published curve of network", "model", model),
        ("seed of a published curve", "seed", seed),
    ):
        curves = _one_value(curves, kind, column, value)
    return [float(loss) for loss in curves.sort_values("epoch").val_loss]


def _one_value(table: pd.DataFrame, kind: str, column: str, value: object) -> pd.DataFrame:
    chosen = table[table[column] == value]
    if chosen.empty:
        raise UnknownNameError(kind, value, map(str, table[column].unique()))
    return chosen


def published_confusions() -> pd.DataFrame:
    """Give the confused pairs of classes in the best run of each network on the general benchmark.

    Returns
    -------
    DataFrame
        Columns ``model``, ``seed``, ``class_a``, ``class_b`` (``class_a`` < ``class_b``; direction
        not known) and ``errors``. The pairs of resnet account for 18 of the 20 errors of its run.

    Examples
    --------
    >>> pairs = published_confusions()
    >>> int(pairs[pairs.model == "cnn6"].errors.sum())
    6
    """
    return _read("confusions").copy()
