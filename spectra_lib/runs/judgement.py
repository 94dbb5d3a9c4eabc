"""Whether a run failed to converge, told from its predictions and its losses.

One judgement for records, tables, figures and comparisons: a comparison with a run that failed compares with no
training at all.
"""

from __future__ import annotations

from enum import StrEnum

from scipy import special

from spectra_lib.runs.record import RunRecord

SIGNIFICANCE = 0.05
"""A run whose validation accuracy is reached by guessing with at least this probability is at chance level."""


FAR_BELOW = 0.5
"""Validation accuracy of a first epoch, as a fraction of the best training accuracy, below which it is no success."""


class Failure(StrEnum):
    """A way in which a run can fail to converge."""

    NOT_FINITE = "loss not finite"
    CONSTANT = "one class for everything"
    CHANCE = "chance level"
    FIRST_EPOCH = "validation never followed training"


def failures(record: RunRecord) -> tuple[Failure, ...]:
    """Tell in which ways a run failed to converge; none for a run that converged.

    - `NOT_FINITE`: a loss in its history or of its best checkpoint is not a number, or a spectrum got no answer.
    - `CONSTANT`: all validation spectra, or all test spectra, got the same class.
    - `CHANCE`: the validation accuracy is not better than chance (one-sided exact binomial test).
    - `FIRST_EPOCH`: no later epoch was better on the validation spectra than the first, and that was less than half as
      good as training got to be. With batch normalisation this happens where patience ends before the running averages,
      with which the validation spectra are evaluated, have caught up. A run that is right at once is not meant.

    Parameters
    ----------
    record : RunRecord
        Any run.

    Returns
    -------
    tuple of Failure
        In the order above.
    """
    validation, history = record.validation, record.history
    predictions = (record.validation_predictions.labels, record.test_predictions.labels)
    losses = (*history.loss, *history.val_loss, record.train.loss, validation.loss, record.test.loss)
    unanswered = any(-1 in labels for labels in predictions)
    right, chance = validation.n - validation.errors, 1 / record.spec.dataset_spec.n_classes
    by_guessing = 1.0 if right == 0 else float(special.betainc(right, validation.errors + 1, chance))
    only_first = record.kept_epoch == 0 and len(history) > 1
    found = {
        Failure.NOT_FINITE: record.ended == "not_finite" or None in losses or unanswered,
        Failure.CONSTANT: any(len(labels) > 1 and len(set(labels)) == 1 for labels in predictions),
        Failure.CHANCE: by_guessing > SIGNIFICANCE,
        Failure.FIRST_EPOCH: only_first and validation.accuracy < FAR_BELOW * max(history.accuracy),
    }
    return tuple(failure for failure, holds in found.items() if holds)


def failure_text(record: RunRecord) -> str:
    """Write the ways in which a run failed, separated by semicolons; empty for one that converged.

    Parameters
    ----------
    record : RunRecord
        Any run.

    Returns
    -------
    str
    """
    return "; ".join(failures(record))


def has_failed(record: RunRecord) -> bool:
    """Tell whether a run failed to converge.

    Parameters
    ----------
    record : RunRecord
        Any run.

    Returns
    -------
    bool
    """
    return bool(failures(record))
