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

GENERATION_SECONDS = 15.0
"""The paper's upper bound for generating the benchmark's training and validation spectra (Results)."""

TEST_SPECTRA: Mapping[str, int] = MappingProxyType({"benchmark": 4500, "challenge": 162})
"""Test spectra of each published dataset."""


TRAINING_SPECTRA = 25_000
"""Training spectra of the general benchmark."""


@cache
def _read(name: str) -> pd.DataFrame:
    with resources.files("spectra_lib").joinpath(f"data/published_{name}.csv").open(encoding="utf-8") as stream:
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
