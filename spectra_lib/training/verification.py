"""A record against the weights it was made with: everything evaluated anew and compared."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from spectra_lib._base.errors import StoreError
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.runs.fresh import DECIMALS
from spectra_lib.runs.record import RunRecord, best_classes
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore
from spectra_lib.runs.weights import CARD, check_weights, read_card, weights_path

BATCHES_AT_ONCE = 8
"""Number of batches whose outputs are held at once."""

TIE = 1e-3
"""A predicted class may change to another whose probability is within this of the largest: rounding decides."""

LOSS_TOLERANCE = {"float32": 1e-3, "mixed_bfloat16": 5e-2}
"""Largest relative difference of a loss that another processor or backend explains, by number format."""

CONFIDENCE_TOLERANCE = {"float32": 1e-3, "mixed_bfloat16": 5e-2}
"""The same for the probability of a predicted class; the records have it to 1e-4."""


@dataclass(frozen=True)
class Comparison:
    """A split evaluated anew.

    Attributes
    ----------
    split : str
        train, validation, test or fresh.
    n, recorded_errors, errors : int
        Spectra; errors by the record, and now.
    changed : int
        Predicted classes that differ from the record's; 0 for the training spectra, whose classes it does not have.
    ties : int
        How many of those are ties, which rounding decides.
    loss_difference : float
        Loss now less that of the record, in nats; 0 if neither is finite.
    confidence_difference : float
        Largest difference of the probability of a predicted class.
    faults : tuple of str
        What rounding does not explain.
    """

    split: str
    n: int
    recorded_errors: int
    errors: int
    changed: int
    ties: int
    loss_difference: float
    confidence_difference: float
    faults: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether everything is as the record has it."""
        exact = self.errors == self.recorded_errors and not self.changed and not self.faults
        return exact and abs(self.loss_difference) < 1e-9 and self.confidence_difference < 1e-9


@dataclass(frozen=True)
class _Recorded:
    errors: int
    loss: float | None
    labels: NDArray[np.int64] | None = None
    confidences: NDArray[np.float64] | None = None


def verify(record: RunRecord, store: RunStore) -> list[Comparison]:
    """Evaluate the kept weights of a run anew and compare with its record.

    On the machine and with the versions that made a record, everything is equal; elsewhere sums are rounded
    differently, and a few predicted classes change where two are equally probable.

    Parameters
    ----------
    record : RunRecord
        The record.
    store : RunStore
        Where its weights are.

    Returns
    -------
    list of Comparison
        One for each split that the record has.

    Raises
    ------
    StoreError
        If the weights are not there, are damaged, or belong to another record.
    """
    from spectra_lib.training import backend
    from spectra_lib.training.trainer import kept_network

    folder = weights_path(store, record.spec.run_id)
    if not (folder / CARD).is_file():
        raise StoreError(
            f"the weights of {record.spec.run_id} are not there ({folder}); records made before weights were kept, or "
            "elsewhere, have none: train the run in another store, or unpack an archive with weights"
        )
    card = read_card(folder)
    if (card.spec_digest, card.weights_sha256) != (record.spec.digest, record.weights_sha256):
        raise StoreError(f"{folder}: the weights are those of another record of {card.run_id}")
    if card.record_sha256 != hashlib.sha256(store.record_path(record.spec).read_bytes()).hexdigest():
        raise StoreError(f"{store.record_path(record.spec)}: the record has changed since its weights were written")
    check_weights(folder, record.weights_sha256)
    session = record.sessions[-1]
    same = session.backend == backend.backend_name() and session.execution in backend.EXECUTIONS[session.backend]
    network = kept_network(record.spec, folder, session.execution if same else "auto")
    return [
        _compare(name, recorded, network.dataset.split(name), network.logits, record.spec)
        for name, recorded in _recorded(record, network.dataset).items()
    ]


def _recorded(record: RunRecord, dataset: Dataset) -> dict[str, _Recorded]:
    found = {"train": _Recorded(record.train.errors, record.train.loss)}
    for name, metrics, predictions in (
        ("validation", record.validation, record.validation_predictions),
        ("test", record.test, record.test_predictions),
    ):
        labels, confidences = np.array(predictions.labels), np.array(predictions.probabilities)
        found[name] = _Recorded(metrics.errors, metrics.loss, labels, confidences)
    fresh = record.fresh
    if fresh is not None and record.data_digests["fresh"] == dataset.fresh.digest:
        found["fresh"] = _Recorded(fresh.errors, fresh.loss, fresh.labels, fresh.confidences)
    return found


Logits = Callable[[Split, NDArray[np.integer]], NDArray[np.float64]]


def _compare(name: str, recorded: _Recorded, split: Split, logits: Logits, spec: RunSpec) -> Comparison:
    losses, labels, near_ties = np.empty(len(split)), np.empty(len(split), np.int64), 0
    confidences, of_recorded = np.empty(len(split)), np.zeros(len(split))
    step = BATCHES_AT_ONCE * spec.batch_size  # batches as in training: sums are then rounded alike
    for start in range(0, len(split), step):
        rows = np.arange(start, min(start + step, len(split)))
        with np.errstate(invalid="ignore"):  # a network may give no numbers
            log_probabilities = log_softmax(logits(split, rows), axis=1)
        losses[rows] = -log_probabilities[np.arange(len(rows)), split.labels[rows]]
        probabilities = np.exp(log_probabilities)
        labels[rows], confidences[rows] = best_classes(probabilities)
        second, best = np.partition(probabilities, -2, axis=1)[:, -2:].T
        near_ties += int(np.count_nonzero(best - second < TIE))
        if recorded.labels is not None:
            of_recorded[rows] = probabilities[np.arange(len(rows)), recorded.labels[rows]]
    errors, faults = int(np.count_nonzero(labels != split.labels)), []
    changed = np.zeros(len(split), dtype=bool) if recorded.labels is None else labels != recorded.labels
    tied = changed & (labels >= 0) & (confidences - of_recorded < TIE)
    if changed.sum() > tied.sum():
        faults.append(f"{changed.sum() - tied.sum()} predicted classes differ that are no ties")
    if recorded.labels is None and abs(errors - recorded.errors) > near_ties:
        faults.append(f"{errors} errors, not {recorded.errors}, and only {near_ties} spectra are near a tie")
    difference = _difference(float(losses.mean()), recorded.loss)
    if not abs(difference) <= LOSS_TOLERANCE[spec.precision] * max(1.0, recorded.loss or 0.0):
        faults.append(f"the loss differs by {difference:.2g}")
    apart = 0.0
    if recorded.confidences is not None:
        apart = float(np.abs(confidences.round(DECIMALS) - recorded.confidences).max())
        if apart > CONFIDENCE_TOLERANCE[spec.precision]:
            faults.append(f"a probability differs by {apart:.2g}")
    return Comparison(
        name, len(split), recorded.errors, errors, int(changed.sum()), int(tied.sum()), difference, apart, tuple(faults)
    )


def _difference(now: float, recorded: float | None) -> float:
    """Loss now less the recorded one; 0 if neither is finite, not finite if one is."""
    if recorded is None:
        return math.nan if math.isfinite(now) else 0.0
    return now - recorded
