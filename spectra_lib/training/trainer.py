"""From a run specification to a run record.

Training proceeds epoch by epoch. After each epoch the protocol decides, and everything needed to
go on is written to a checkpoint, so that a run killed at any moment resumes after its last
finished epoch and ends in the same record.
"""

from __future__ import annotations

import math
import platform
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import BudgetError, StoreError
from spectra_lib.datasets.dataset import Dataset, Split, fresh_seed, make_dataset
from spectra_lib.datasets.probes import probe_splits
from spectra_lib.networks import describe_model
from spectra_lib.networks.adaptation import adapt_model
from spectra_lib.networks.plugins import plugin_of
from spectra_lib.networks.quiet_keras import keras
from spectra_lib.runs.fresh import FreshPredictions
from spectra_lib.runs.protocol import Progress, protocol
from spectra_lib.runs.record import History, NetworkNote, Predictions, RunRecord, Session, best_classes, data_digests
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore
from spectra_lib.runs.weights import hash_weights, save_weights
from spectra_lib.training import backend
from spectra_lib.training.checkpoints import CheckpointFolder
from spectra_lib.training.evaluation import Evaluation, finite_or_none, log_probabilities_of
from spectra_lib.training.execution import SpectraBatches, choose_execution, execute, spec_network
from spectra_lib.training.prediction import put_weights
from spectra_lib.training.progress_bar import progress_bar, show_epoch

LONG_EPOCH = 20.0
"""Seconds. Such an epoch always gets a checkpoint, and training waits for it. After a shorter one the state is
copied and written beside the next epochs, and there is none while the one before is still being written: on a GPU
an epoch of the largest network takes less time than its two gigabytes of state."""


CHECKPOINT_SHARE = 0.03
"""Share of a short epoch's time for which training waits for the write, since most end within it."""


STANDSTILL_SHARE = 0.1
"""On a GPU, from which the state of a large network takes as long to copy as some epochs last, training stands still
for no more than this share of the time of short epochs. Those since the last checkpoint are done again after a kill."""


BATCHES_AT_ONCE = 8
"""Number of batches whose outputs are held at once when a split is evaluated."""


def epoch_order(seed: int, epoch: int, n: int) -> NDArray[np.int64]:
    """Give the order of the training spectra in an epoch: the same for every network.

    Parameters
    ----------
    seed : int
    epoch : int
    n : int

    Returns
    -------
    ndarray of int64, shape (n,)
        A permutation of the rows.

    Examples
    --------
    >>> epoch_order(0, 0, 5).tolist() == epoch_order(0, 1, 5).tolist()
    False
    """
    return np.random.default_rng([seed, epoch]).permutation(n)


@dataclass
class _Trainer:
    """A run under way: the network, its optimizer and the bookkeeping."""

    spec: RunSpec
    dataset: Dataset
    execution: backend.Execution | None
    probes: Mapping[str, Split] = field(default_factory=dict)
    history: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in History.model_fields})
    sessions: list[dict[str, Any]] = field(default_factory=list)
    kept: list[NDArray] = field(default_factory=list)  # empty if they are only in the checkpoint
    earlier_seconds: float = 0.0
    next_save: float = 0.0

    def __post_init__(self) -> None:
        self.rules = protocol(self.spec.protocol)
        self.progress = Progress(learning_rate=self.spec.learning_rate)
        if self.execution is None:
            self.execution = choose_execution(self.spec, self.dataset)
        backend.seed_everything(self.spec.seed)
        # Trained on logits: the loss is then exact on every backend, however small a probability gets.
        self.model = spec_network(self.spec)
        self.executed = execute(self.model, self.dataset.train, self.spec.batch_size, self.execution)
        if self.execution == "sparse" and self.executed.plan is None:
            self.execution = backend.EXECUTIONS[backend.backend_name()][0]
            warnings.warn(
                f"{self.spec.run_id}: no layer can be computed at peaks only, since spectra are not zero elsewhere or "
                f"the network does not begin with a convolution; computed on whole spectra ({self.execution})",
                stacklevel=4,
            )
        self.trained = self.executed.trained
        backend.compile_for_training(self.trained, self.spec.learning_rate, self.execution)

    def adapt(self) -> None:
        """Give layers that start from the training spectra their first weights."""
        split = self.dataset.train
        adapt_model(self.model, SpectraBatches(split, np.arange(len(split)), self.spec.batch_size), split.labels)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that changes in training: weights, running statistics, dropout states, optimizer."""
        return [*self.model.variables, *self.trained.optimizer.variables]

    def run_epoch(self) -> None:
        """Train one epoch, evaluate it, and let the protocol decide."""
        start, epoch = time.monotonic(), self.progress.epoch
        split = self.dataset.train
        order = epoch_order(self.spec.seed, epoch, len(split))
        batches = SpectraBatches(split, order, self.spec.batch_size, self.executed.plan)
        logs = self.trained.fit(backend.feed(batches), epochs=1, verbose=0, shuffle=False).history
        validation = self.evaluate(self.dataset.validation)
        for name, value in (
            ("loss", finite_or_none(logs["loss"][0])),
            ("accuracy", float(logs["accuracy"][0])),
            ("val_loss", finite_or_none(validation.loss)),
            ("val_accuracy", validation.accuracy),
            ("learning_rate", self.progress.learning_rate),
        ):
            self.history[name].append(value)
        loss = float(logs["loss"][0])
        self.progress = self.progress.after_epoch(self.rules, validation.loss, validation.accuracy, loss)
        self.trained.optimizer.learning_rate = self.progress.learning_rate
        self.history["seconds"].append(time.monotonic() - start)
        if self.progress.kept_epoch == epoch:
            self.kept.clear()  # there are never two copies, and none where `save` is about to write the weights
            if not self.is_long_epoch:
                self.kept = backend.get_state(self.model.weights)

    @property
    def is_long_epoch(self) -> bool:
        """Whether the epoch just trained was a long one."""
        return bool(self.history["seconds"][-1] >= LONG_EPOCH)

    def evaluate(self, split: Split) -> Evaluation:
        """Classify a split, dropout off."""
        labels, confidences, losses = np.empty(len(split), np.int64), np.empty(len(split)), np.empty(len(split))
        # All at once, 25,000 spectra of 500 classes would take more memory than the network.
        step = BATCHES_AT_ONCE * self.spec.batch_size
        for start in range(0, len(split), step):
            rows = np.arange(start, min(start + step, len(split)))
            log_probabilities = log_probabilities_of(self.logits(split, rows))
            losses[rows] = -log_probabilities[np.arange(len(rows)), split.labels[rows]]
            labels[rows], confidences[rows] = best_classes(np.exp(log_probabilities))
        return Evaluation(split.labels, labels, confidences, losses)

    def logits(self, split: Split, rows: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """Outputs of the last dense layer for some spectra, or all: shape (n_spectra, n_classes)."""
        rows = np.arange(len(split)) if rows is None else rows
        return self.executed.predict(split, rows, self.spec.batch_size)

    def book(self) -> dict[str, Any]:
        """Bookkeeping for a checkpoint."""
        return {
            "digest": self.spec.digest,
            "data_digests": data_digests(self.dataset),
            "progress": self.progress.model_dump(),
            "history": self.history,
            "sessions": self.sessions,
            "backend": backend.backend_name(),
        }

    def save(self, folder: CheckpointFolder) -> None:
        """Write a checkpoint: after a long epoch at once, which takes less memory, else in the background."""
        epoch, kept_epoch = self.progress.epoch, self.progress.kept_epoch
        if self.is_long_epoch:
            kept = backend.each_state(self.model.weights) if kept_epoch == epoch - 1 else self.kept
            folder.write_now(epoch, self.book(), backend.each_state(self.variables), (kept_epoch, kept))
            return
        start = time.monotonic()
        state = backend.get_state(self.variables)
        end = time.monotonic()
        self.next_save = end + (end - start) / STANDSTILL_SHARE
        patience = CHECKPOINT_SHARE * self.history["seconds"][-1]
        folder.write(epoch, self.book(), state, (kept_epoch, self.kept), patience)

    def is_save_due(self, folder: CheckpointFolder) -> bool:
        """Whether the epoch just trained gets a checkpoint: a long one always."""
        if self.is_long_epoch:
            return True
        return not folder.writing and (backend.computes_on_cpu() or time.monotonic() >= self.next_save)

    def resume(self, folder: CheckpointFolder) -> None:
        """Go back to the newest checkpoint, if there is a fitting one; else begin."""
        checkpoint, damaged = folder.read()
        for message in damaged:
            warnings.warn(message, stacklevel=3)
        if checkpoint is None:
            self.adapt()
            return
        book = checkpoint.book
        if book["digest"] != self.spec.digest or book["data_digests"] != data_digests(self.dataset):
            raise StoreError(
                f"{folder.path} holds a checkpoint of another run or of other data; delete the folder to start anew"
            )
        if book["backend"] != backend.backend_name():
            raise StoreError(
                f"{folder.path} holds a checkpoint made on the {book['backend']} backend; set "
                f"KERAS_BACKEND={book['backend']} to go on, or delete the folder to start anew"
            )
        backend.set_state(self.variables, checkpoint.state)
        self.kept = checkpoint.kept
        self.progress = Progress.model_validate(book["progress"])
        self.history = book["history"]
        self.sessions = book["sessions"]
        self.earlier_seconds = math.fsum(self.history["seconds"])

    @property
    def finished(self) -> bool:
        """Whether no epoch is left to train."""
        return self.progress.stopped or self.progress.epoch >= self.spec.max_epochs

    def session(self) -> dict[str, Any]:
        """Describe the present stretch of work."""
        return Session(
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            first_epoch=self.progress.epoch,
            machine=f"{platform.system()} {platform.release()} {platform.machine()}",
            device=backend.device_name(),
            backend=backend.backend_name(),
            execution=self.execution or "",
            versions=backend.versions(),
            commit=backend.commit(),
            threads=backend.threads(),
            instruction_set=backend.instruction_set(),
        ).model_dump()

    def record(self, folder: CheckpointFolder, seconds: float, network: NetworkNote | None) -> RunRecord:
        """Evaluate the kept weights anew and put everything into a record."""
        start = time.monotonic()
        kept_weights = self.kept or folder.read_kept(self.progress.kept_epoch)
        backend.set_state(self.model.weights, kept_weights)
        weights_sha256 = hash_weights(kept_weights)
        kept_weights.clear()  # the network has them now
        found = {name: self.evaluate(self.dataset.split(name)) for name in ("train", "validation", "test", "fresh")}
        kept = self.progress.kept_epoch
        gap = np.max(  # not a number if one of them is none
            (
                abs(found["validation"].accuracy - self.history["val_accuracy"][kept]),
                abs(found["validation"].loss - _or_nan(self.history["val_loss"][kept])),
            )
        )
        probes = {
            name: Predictions.from_probabilities(np.exp(log_probabilities_of(self.logits(split))))
            for name, split in {**probe_splits(self.dataset), **self.probes}.items()
        }
        return RunRecord(
            spec=self.spec,
            digest=self.spec.digest,
            data_digests=data_digests(self.dataset, fresh=True),
            sessions=tuple(Session(**session) for session in self.sessions),
            history=History(**{name: tuple(values) for name, values in self.history.items()}),
            kept_epoch=kept,
            ended=self.progress.ended,
            reevaluation_gap=finite_or_none(gap),
            probes=probes,
            weights_sha256=weights_sha256,
            wall_seconds=seconds + time.monotonic() - start,
            peak_memory_bytes=backend.peak_memory(),
            network=network,
            train=found["train"].metrics,
            validation=found["validation"].metrics,
            test=found["test"].metrics,
            validation_predictions=found["validation"].predictions,
            test_predictions=found["test"].predictions,
            fresh=FreshPredictions.pack(
                fresh_seed(self.dataset.spec),
                self.dataset.spec.n_fresh,
                found["fresh"].labels,
                found["fresh"].confidences,
                found["fresh"].losses,
            ),
        )


def train(
    spec: RunSpec,
    store: str | Path | RunStore = "results",
    *,
    execution: str = "auto",
    deadline: float | None = None,
    quiet: bool = False,
    on_epoch: Callable[[Progress], None] | None = None,
    probes: Mapping[str, Split] | None = None,
    keep_weights: bool = True,
    should_stop: Callable[[], bool] | None = None,
) -> RunRecord:
    """Do a training run, or give its record if the store has it.

    Parameters
    ----------
    spec : RunSpec
        What to train.
    store : str, Path or RunStore
        Where records and checkpoints are.
    execution : str
        How steps run: one of `spectra_lib.training.backend.EXECUTIONS`, or "auto", which takes the fastest
        on this machine (`spectra_lib.training.execution.choose_execution`).
    deadline : float, optional
        Time of `time.monotonic` by which to stop; an epoch that would probably not end in time is not
        begun.
    quiet : bool
        Show no progress.
    on_epoch : callable, optional
        Called with the progress after each epoch, once its checkpoint is under way.
    probes : mapping of str to Split, optional
        Further spectra on which to ask the kept weights; the answers go into the record beside those of the
        dataset's own probes. A record that the store has is given as it is.
    keep_weights : bool
        Keep the weights of the best checkpoint beside the store (`spectra_lib.runs.weights`).
    should_stop : callable, optional
        Asked after each epoch; if it says so, the run stops as at the deadline.

    Returns
    -------
    RunRecord

    Raises
    ------
    BudgetError
        If the deadline came first, or `should_stop` said so; the same call later goes on from there.
    BusyError
        If another process is working on this run.
    StoreError
        If a checkpoint or the record cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> spec = RunSpec(dataset="smoke", model="vgg", max_epochs=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = train(spec, folder, quiet=True)
    >>> record.test.n, record.ended
    (36, 'max_epochs')
    """
    store = store if isinstance(store, RunStore) else RunStore(store)
    known = store.load(spec)
    if known is not None:
        return known
    with store.lock(spec):
        known = store.load(spec)  # another process may just have finished it
        if known is not None:
            return known
        folder = CheckpointFolder(store.work_path(spec))
        try:
            record, model = _train(spec, folder, execution, deadline, quiet, on_epoch, probes or {}, should_stop)
        finally:
            folder.close()
        if keep_weights:  # before the record: whoever has that can have them
            names = [variable.path for variable in model.weights]
            save_weights(store, record, names, backend.each_state(model.weights))
        store.save(record)
        folder.remove()
        return record


def _train(
    spec: RunSpec,
    folder: CheckpointFolder,
    execution: str,
    deadline: float | None,
    quiet: bool,
    on_epoch: Callable[[Progress], None] | None,
    probes: Mapping[str, Split],
    should_stop: Callable[[], bool] | None,
) -> tuple[RunRecord, keras.Model]:
    start = time.monotonic()
    network = note_network(spec)
    trainer = _Trainer(spec, make_dataset(spec.dataset_spec), backend.check_execution(execution), probes)
    trainer.resume(folder)
    trainer.sessions.append(trainer.session())
    saved = True
    with progress_bar(spec, trainer.progress.epoch, quiet) as bar:
        while not trainer.finished:
            longest = max(trainer.history["seconds"][-3:], default=0.0)
            late = deadline is not None and time.monotonic() + longest > deadline
            if late or (should_stop is not None and should_stop()):
                if not saved:
                    trainer.save(folder)
                folder.wait()
                raise BudgetError(
                    f"{spec.run_id}: time is up after {trainer.progress.epoch} epochs; start it again to go on"
                )
            trainer.run_epoch()
            progress = trainer.progress
            saved = trainer.is_save_due(folder)
            if saved:
                trainer.save(folder)
            show_epoch(bar, trainer.history, trainer.rules, trainer.progress)
            if on_epoch is not None:
                on_epoch(progress)
    if not saved:
        trainer.save(folder)
    folder.wait()
    return trainer.record(folder, trainer.earlier_seconds + time.monotonic() - start, network), trainer.model


def kept_network(spec: RunSpec, weights: Path, execution: str = "auto") -> _Trainer:
    """Give a run as it was when it ended: dataset and network, with the weights of its best checkpoint.

    Parameters
    ----------
    spec : RunSpec
        The run.
    weights : Path
        Folder of its weights.
    execution : str
        See `train`.

    Returns
    -------
    _Trainer

    Raises
    ------
    StoreError
        If the weights do not fit the network.
    """
    trainer = _Trainer(spec, make_dataset(spec.dataset_spec), backend.check_execution(execution))
    put_weights(trainer.model, weights)
    return trainer


def note_network(spec: RunSpec) -> NetworkNote | None:
    """Describe a network from outside the package, for those who will not have it; None for one of our own.

    Parameters
    ----------
    spec : RunSpec

    Returns
    -------
    NetworkNote or None
    """
    plugin = plugin_of(spec.model)
    if plugin is None:
        return None
    data = spec.dataset_spec
    found = describe_model(spec.model, data.n_points, data.n_classes, spec.hidden_activation, **spec.options)
    return NetworkNote(
        origin=plugin.origin,
        reference=found.reference,
        doi=found.doi,
        parameters=found.parameters,
        multiply_adds=found.multiply_adds,
    )


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
