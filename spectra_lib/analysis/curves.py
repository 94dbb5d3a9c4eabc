"""Validation curves in numbers: jumps, final loss, whether training ever improved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import median_filter

from spectra_lib.runs.record import RunRecord

JUMP_WINDOW = 5
"""Epochs of the running median that a loss jumps away from: an excursion of one or two epochs is a jump."""


def loss_jumps(record: RunRecord) -> float:
    """Tell how much a validation loss goes up and down, in decades: its mean distance from a running median.

    The median runs over five epochs. It equals the loss wherever that only falls or only rises, however steeply, so
    that neither good training nor plain divergence counts, and a curve with one turning point hardly does. A loss that
    is not finite counts as ten times the largest finite one of its run.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    float
        In decades; 0 if no loss is finite.
    """
    return jumpiness(record.history.val_loss)


def jumpiness(losses: Sequence[float | None]) -> float:
    """Give the mean distance of the logarithm of a curve from its running median (`loss_jumps`).

    Parameters
    ----------
    losses : sequence of float or None, shape (n_epochs,)
        Loss after each epoch; None where it was not finite.

    Returns
    -------
    float
        In decades; 0 if no loss is finite.

    Examples
    --------
    >>> jumpiness([0.8, 0.4, 0.2, 0.1, 0.05]), jumpiness([0.1, 0.2, 0.4, 0.8, 1.6])
    (0.0, 0.0)
    >>> round(jumpiness([0.1, 0.1, 0.1, 1.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]), 9)  # one decade in ten epochs
    0.1
    """
    finite = [max(loss, 1e-12) for loss in losses if loss is not None and math.isfinite(loss)]
    if not finite:
        return 0.0
    known = [10 * max(finite) if loss is None or not math.isfinite(loss) else max(loss, 1e-12) for loss in losses]
    decades = np.log10(known)
    return float(np.abs(decades - median_filter(decades, JUMP_WINDOW, mode="nearest")).mean())


def never_improved(record: RunRecord) -> bool:
    """Tell whether no later epoch had a lower validation loss than the first one.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    bool
        False if there was one epoch alone.

    Examples
    --------
    >>> from spectra_lib.runs.record import History, RunRecord
    >>> run = RunRecord.model_construct(history=History(val_loss=(0.5, 0.7, None)))
    >>> never_improved(run)
    True
    """
    first, *later = (math.inf if loss is None else loss for loss in record.history.val_loss)
    return bool(later) and min(later) >= first


def final_loss(record: RunRecord) -> float:
    """Validation loss at the end, the median of the last ten epochs, in decades; as large as can be if not finite.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    float
        Decadic logarithm, from -12 to 12.
    """
    losses = [math.inf if loss is None else max(loss, 1e-12) for loss in record.history.val_loss[-10:]]
    return float(np.log10(min(np.median(losses), 1e12)))
