"""A training protocol followed through a validation curve that another run has left behind.

Both protocols can so be tried on one and the same curve. What the replay cannot tell is how the curve
itself would have gone on under another learning rate; up to the first fall of the rate it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, repeat
from typing import Any

import pandas as pd

from spectra_lib.paper.published import published_runs, published_validation_losses
from spectra_lib.runs.protocol import Progress, Protocol, protocol
from spectra_lib.runs.record import RunRecord

LEARNING_RATE = 3e-4
"""First learning rate of every published run."""


def replay(
    rules: Protocol,
    val_losses: Sequence[float],
    val_accuracies: Sequence[float] | None = None,
    learning_rate: float = LEARNING_RATE,
) -> list[Progress]:
    """Follow a protocol through a curve until it stops or the curve ends.

    Parameters
    ----------
    rules : Protocol
        The protocol.
    val_losses : sequence of float
        Validation loss after each epoch.
    val_accuracies : sequence of float, optional
        Validation accuracy after each epoch; without it the epoch that a protocol keeps by accuracy means nothing.
    learning_rate : float
        First learning rate.

    Returns
    -------
    list of Progress
        State after each epoch.

    Examples
    --------
    >>> states = replay(protocol("code"), [1.0, *[2.0] * 40])
    >>> len(states), states[-1].stopped, round(states[-1].learning_rate, 9)
    (26, True, 3e-06)
    """
    states, progress = [], Progress(learning_rate=learning_rate)
    for loss, accuracy in zip(val_losses, repeat(0.0) if val_accuracies is None else val_accuracies, strict=False):
        progress = progress.after_epoch(rules, loss, accuracy)
        states.append(progress)
        if progress.stopped:
            break
    return states


def replay_published() -> pd.DataFrame:
    """Follow both protocols through the published validation curves.

    Returns
    -------
    DataFrame
        One row for each published curve and protocol: ``model``, ``seed``, ``protocol``; ``epochs`` followed and
        ``stopped``, whether the protocol stops within the curve; ``kept``, the epoch of lowest loss (from 0);
        ``falls`` of the learning rate and the ``learning_rate`` at the end; ``agrees``, whether the published run
        ended after the same epoch, with the same rate, and had its lowest loss in the same epoch.

    Examples
    --------
    >>> table = replay_published()
    >>> bool(table[table.protocol == "code"].agrees.all()), bool(table[table.protocol == "paper"].agrees.any())
    (True, False)
    """
    runs: dict[Any, Any] = {(run.model, run.seed): run for run in published_runs().itertuples()}
    rows = []
    for (model, seed), curve in published_validation_losses().groupby(["model", "seed"]):
        losses = curve.sort_values("epoch").val_loss.tolist()
        known = runs[model, seed]
        for name in ("paper", "code"):
            rules = protocol(name)
            states = replay(rules, losses)
            rates = [LEARNING_RATE, *(state.learning_rate for state in states)]
            lowest = min(range(len(states)), key=losses.__getitem__)
            rows.append(
                {
                    "model": model,
                    "seed": seed,
                    "protocol": name,
                    "epochs": len(states),
                    "stopped": states[-1].stopped,
                    "kept": lowest,
                    "falls": sum(after < before for before, after in pairwise(rates)),
                    "learning_rate": rates[-1],
                    "agrees": (
                        states[-1].stopped
                        and len(states) == known.last_epoch + 1
                        and lowest == known.best_epoch
                        and abs(rates[-1] / known.final_learning_rate - 1) < 1e-6
                    ),
                }
            )
    return pd.DataFrame(rows)


def kept_by_either(record: RunRecord) -> tuple[int, int]:
    """Epochs (from 0) that the rules of the text and of the code keep on the curve of a record.

    The first epoch of highest validation accuracy, and the first of lowest validation loss.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    (int, int)
        Epoch by the text, and by the published code.
    """
    losses = [float("inf") if loss is None else loss for loss in record.history.val_loss]
    accuracies = record.history.val_accuracy
    epochs = range(len(losses))
    return max(epochs, key=accuracies.__getitem__), min(epochs, key=losses.__getitem__)
