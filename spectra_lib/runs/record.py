"""A run record: what a training run gave, complete enough to redo the analysis without weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from spectra_lib._base.values import Value
from spectra_lib.runs.fresh import FreshPredictions
from spectra_lib.runs.protocol import Progress, protocol
from spectra_lib.runs.specification import RunSpec

if TYPE_CHECKING:
    from spectra_lib.datasets.dataset import Dataset


SCHEMA_VERSION: Literal[2] = 2
"""Version of the records that are written. Version 1, which is read too, lacks fresh spectra."""


Probability = Annotated[float, Field(ge=0, le=1)]


class Predictions(Value):
    """A network's answer for each spectrum of a set.

    Attributes
    ----------
    labels : tuple of int
        Class of highest probability; -1, no answer, where the network's output is not a number.
    probabilities : tuple of float
        Its probability, to 4 decimals.
    """

    labels: tuple[int, ...]
    probabilities: tuple[Probability, ...]

    @classmethod
    def from_probabilities(cls, probabilities: NDArray[np.floating]) -> Predictions:
        """Read off the most probable class of each row; shape (n_spectra, n_classes).

        Parameters
        ----------
        probabilities : ndarray of float, shape (n_spectra, n_classes)
            Outputs of a network.

        Returns
        -------
        Predictions
        """
        return cls.of(*best_classes(probabilities))

    @classmethod
    def of(cls, labels: NDArray[np.integer], confidences: NDArray[np.floating]) -> Predictions:
        """Keep predicted classes and their probabilities, which are rounded; both of shape (n_spectra,).

        Parameters
        ----------
        labels : ndarray of int, shape (n_spectra,)
            Predicted classes, -1 for no answer.
        confidences : ndarray of float, shape (n_spectra,)
            Their probabilities, 0 to 1.

        Returns
        -------
        Predictions
        """
        return cls(labels=tuple(labels.tolist()), probabilities=tuple(confidences.round(4).tolist()))


def best_classes(probabilities: NDArray[np.floating]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Read off the most probable class of each row, -1 where a probability is not a number.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_spectra, n_classes)
        Outputs of a network.

    Returns
    -------
    ndarray of int64, shape (n_spectra,)
        Classes.
    ndarray of float64, shape (n_spectra,)
        Their probabilities, 0 for -1.

    Examples
    --------
    >>> best_classes(np.array([[0.25, 0.75], [np.nan, 0.5]]))
    (array([ 1, -1]), array([0.75, 0.  ]))
    """
    labels = probabilities.argmax(axis=1)
    confidences = np.clip(probabilities[np.arange(len(labels)), labels].astype(np.float64), 0.0, 1.0)
    unknown = np.isnan(probabilities).any(axis=1)
    return np.where(unknown, -1, labels), np.where(unknown, 0.0, confidences)


class Metrics(Value):
    """Figures of one split, dropout off, for the kept weights.

    Attributes
    ----------
    n : int
        Number of spectra.
    errors : int
        How many of them got a wrong class.
    loss : float or None
        Mean categorical cross-entropy in nats; None if it is not finite.
    """

    n: int
    errors: int
    loss: float | None

    @property
    def accuracy(self) -> float:
        """Fraction of spectra classified right."""
        return 1.0 - self.errors / self.n


class History(Value):
    """Figures of each epoch. A loss that is not finite is None.

    `loss` and `accuracy` are the running averages over the epoch's steps with dropout on, as
    Keras reports them; the validation figures are evaluated after the epoch with dropout off.

    Attributes
    ----------
    loss, val_loss : tuple of float or None
        Mean categorical cross-entropy in nats.
    accuracy, val_accuracy : tuple of float
        Fraction of spectra classified right.
    learning_rate : tuple of float
        Rate at which the epoch was trained.
    seconds : tuple of float
        Wall time of the epoch.
    """

    loss: tuple[float | None, ...] = ()
    accuracy: tuple[float, ...] = ()
    val_loss: tuple[float | None, ...] = ()
    val_accuracy: tuple[float, ...] = ()
    learning_rate: tuple[float, ...] = ()
    seconds: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.loss)


class Session(Value):
    """One stretch of work on a run; a run that was interrupted has several.

    `commit` ends in "+changes" where the library's source differed from the commit. `threads` is the number of threads
    that one operation may use, `instruction_set` the widest vector instructions of the processor; sums are rounded
    differently with others. Both are None where they are not known, as in records of schema 1.

    Attributes
    ----------
    started : str
        UTC in ISO 8601, to the second.
    first_epoch : int
        Epoch, from 0, at which the stretch began.
    machine, device : str
        Operating system and architecture; processor or GPU.
    backend, execution : str
        Keras backend and execution mode.
    versions : dict of str to str
        Versions of Python and packages by name.
    commit : str
        Source of the library.
    threads : int or None
        See above.
    instruction_set : str or None
        See above.
    """

    started: str
    first_epoch: int
    machine: str
    device: str
    backend: str
    execution: str
    versions: dict[str, str]
    commit: str
    threads: int | None = None
    instruction_set: str | None = None

    @model_serializer(mode="wrap")
    def _without_the_unknown(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A record of schema 1 is written as it was read.
        return {key: value for key, value in write(self).items() if value is not None}


class NetworkNote(Value):
    """What a record keeps of a network from outside the package, which others may not have.

    Attributes
    ----------
    origin : str
        Name of the file that defines it, or package and module of its entry point; `RunSpec.source`
        is the SHA-256 of that source.
    reference, doi : str
        Where it was published, as its author says.
    parameters, multiply_adds : int
        Number of weights; multiplications with addition for one spectrum.
    """

    origin: str
    reference: str
    doi: str
    parameters: int
    multiply_adds: int


class RunRecord(Value):
    """The result of a training run.

    Attributes
    ----------
    schema_version : int
        Version of this layout; 1 has neither `fresh` nor a session's `threads` and `instruction_set`.
    spec : RunSpec
        What was trained.
    digest : str
        Identity of `spec`.
    data_digests : dict
        SHA-256 of labels and peaks of each split, "fresh" among them where there is `fresh`.
    sessions : tuple of Session
        Where and with what the work was done.
    history : History
        Figures of each epoch.
    kept_epoch : int
        Epoch (from 0) whose weights were kept.
    ended : {"early_stopping", "max_epochs", "not_finite"}
        Why training ended; "not_finite": the training loss of an epoch was not a number.
    train, validation, test : Metrics
        The kept weights, evaluated anew with dropout off.
    reevaluation_gap : float or None
        Largest difference between the new validation figures (loss, accuracy) and those logged at
        the kept epoch.
    validation_predictions, test_predictions : Predictions
        Answers for each spectrum.
    fresh : FreshPredictions or None
        Predictions on fresh spectra of the training distribution; None in records of schema 1.
    probes : dict of str to Predictions
        Answers on the named probes (`spectra_lib.datasets.probes`).
    weights_sha256 : str
        Hash of the kept weights.
    wall_seconds : float
        Training and evaluation, all sessions together.
    peak_memory_bytes : int
        Largest resident memory of the last session's process.
    network : NetworkNote or None
        Of a network from outside the package, where it came from; not written for the package's own.
    """

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    spec: RunSpec
    digest: str
    data_digests: dict[str, str]
    sessions: tuple[Session, ...]
    history: History
    kept_epoch: int
    ended: Literal["early_stopping", "max_epochs", "not_finite"]
    train: Metrics
    validation: Metrics
    test: Metrics
    reevaluation_gap: float | None
    validation_predictions: Predictions
    test_predictions: Predictions
    fresh: FreshPredictions | None = None
    probes: dict[str, Predictions]
    weights_sha256: str
    wall_seconds: float
    peak_memory_bytes: int
    network: NetworkNote | None = None

    @model_serializer(mode="wrap")
    def _without_empty_note(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: value for k, value in write(self).items() if k not in ("network", "fresh") or value is not None}

    def result(self) -> dict[str, Any]:
        """Everything that must be equal when the same run is done again on the same machine.

        Returns
        -------
        dict of str to object
            Fields by name, without sessions, times and memory.
        """
        data = self.model_dump(exclude={"sessions", "wall_seconds", "peak_memory_bytes"})
        del data["history"]["seconds"]
        return data

    def faults(self, dataset: Dataset | None = None) -> list[str]:
        """What does not hold together in this record; empty for a sound one.

        Parameters
        ----------
        dataset : Dataset, optional
            The run's dataset: labels and digests are then checked too.

        Returns
        -------
        list of str
            One sentence for each fault.
        """
        found = []
        epochs = len(self.history)
        columns = self.history.model_dump()
        if any(len(column) != epochs for column in columns.values()):
            found.append("the columns of the history differ in length")
            return found
        if self.digest != self.spec.digest:
            found.append(f"digest {self.digest[:8]} is not that of the specification, {self.spec.digest[:8]}")
        if (self.spec.source is None) != (self.network is None):
            found.append("a network from outside the package needs both the hash of its source and a note")
        progress = self.replay()
        if progress.kept_epoch != self.kept_epoch:
            found.append(f"kept epoch {self.kept_epoch}, but the protocol demands {progress.kept_epoch}")
        if progress.epoch != epochs or (not progress.stopped and epochs != self.spec.max_epochs):
            found.append(f"{epochs} epochs, but by the protocol training ended or goes on at {progress.epoch}")
        elif progress.ended != self.ended:
            found.append(f"ended by {self.ended}, but the protocol says {progress.ended}")
        # Where no epoch has a finite loss, there is no figure to come back to.
        kept_loss = self.history.val_loss[self.kept_epoch : self.kept_epoch + 1]
        never_finite = kept_loss == (None,) and self.validation.loss is None
        if (self.reevaluation_gap is None and not never_finite) or (self.reevaluation_gap or 0.0) > 1e-3:
            found.append(f"re-evaluation differs from the logged figures by {self.reevaluation_gap}")
        for name, metrics, predictions in (
            ("validation", self.validation, self.validation_predictions),
            ("test", self.test, self.test_predictions),
        ):
            if not metrics.n == len(predictions.labels) == len(predictions.probabilities):
                found.append(f"{name}: {len(predictions.labels)} predictions for {metrics.n} spectra")
            elif dataset is not None:
                wrong = int(np.count_nonzero(np.array(predictions.labels) != dataset.split(name).labels))
                if wrong != metrics.errors:
                    found.append(f"{name}: errors by the predictions: {wrong}, by the metrics: {metrics.errors}")
        if self.schema_version > 1 and self.fresh is None:
            found.append("a record of schema 2 needs predictions on fresh spectra")
        if self.fresh is not None:
            found += self.fresh.faults(self.spec.dataset_spec.n_classes)
        if dataset is not None and self.data_digests != data_digests(dataset, fresh=self.fresh is not None):
            found.append("the data are not those that the specification gives now")
        return found

    def replay(self) -> Progress:
        """Follow the protocol through the logged history, as far as it goes.

        Returns
        -------
        Progress
            State after the last epoch that the protocol allows.
        """
        rules, progress = protocol(self.spec.protocol), Progress(learning_rate=self.spec.learning_rate)
        history = self.history
        for loss, val_loss, accuracy in zip(history.loss, history.val_loss, history.val_accuracy, strict=True):
            if progress.stopped:
                break
            # Runs of schema 1 went on whatever their loss.
            own = 0.0 if self.schema_version == 1 else _or_nan(loss)
            progress = progress.after_epoch(rules, _or_nan(val_loss), accuracy, own)
        return progress


def _or_nan(loss: float | None) -> float:
    return float("nan") if loss is None else loss


def data_digests(dataset: Dataset, *, fresh: bool = False) -> dict[str, str]:
    """SHA-256 of labels and peaks of each split, if asked for that of the fresh spectra too.

    Parameters
    ----------
    dataset : Dataset
        Any dataset.
    fresh : bool
        Whether to draw and hash the fresh spectra.

    Returns
    -------
    dict of str to str
        Hexadecimal hashes by name of the split.
    """
    return {name: dataset.split(name).digest for name in ("train", "validation", "test", *(["fresh"] if fresh else []))}
