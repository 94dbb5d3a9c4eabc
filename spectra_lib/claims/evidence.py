"""What claims are decided on: the two datasets, the time they take, and sound records of comparable runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spectra_lib.datasets.dataset import Dataset, make_dataset
from spectra_lib.datasets.measured_files import cropped_spectra
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.networks.catalogue import has_hidden_layers, published_activation
from spectra_lib.runs.protocol import protocol
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import RunSpec, usual_rules

TECHNIQUES = ("XRD", "Raman", "NMR")
BATCH = 512


@dataclass(frozen=True)
class GenerationCost:
    """What it took to make and render all training and validation spectra of the general set.

    Attributes
    ----------
    spectra : int
        Number of spectra.
    seconds : float
        Wall time.
    processor_seconds : float
        Time that processors worked on it, all threads together.
    """

    spectra: int
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Confusions:
    """The misclassified test spectra of a run.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_errors,)
        Which test spectra.
    true, answered : ndarray of int64, shape (n_errors,)
        Their class, and the network's answer.
    """

    rows: NDArray[np.int64]
    true: NDArray[np.int64]
    answered: NDArray[np.int64]

    def between(self, pair: tuple[int, int]) -> NDArray[np.int64]:
        """Rows of the spectra of one class of the pair that were taken for the other.

        Parameters
        ----------
        pair : (int, int)
            Two class labels, in either order.

        Returns
        -------
        ndarray of int64, shape (n_between,)
            Row numbers in the test set.
        """
        first, second = pair
        inside = ((self.true == first) & (self.answered == second)) | ((self.true == second) & (self.answered == first))
        return self.rows[inside]

    @property
    def pairs(self) -> set[tuple[int, int]]:
        """Unordered pairs of classes, the smaller label first."""
        return {(min(p), max(p)) for p in zip(self.true.tolist(), self.answered.tolist(), strict=True)}


@dataclass(frozen=True)
class Evidence:
    """Everything that a claim may look at.

    Attributes
    ----------
    general, challenge : Dataset
        The general benchmark and the challenging set.
    records : RunRecords
        Sound records of runs that differ in dataset, network, options, activation and seed alone.
    set_aside : tuple of str
        Records of such runs that are not sound, each with the reason.
    measured : mapping of str to sequence of ndarray
        For each technique ("XRD", "Raman", "NMR") measured spectra cut to 1000 points.
    """

    general: Dataset
    challenge: Dataset
    records: RunRecords
    set_aside: tuple[str, ...] = ()
    measured: Mapping[str, Sequence[NDArray[np.floating]]] = field(default_factory=dict)

    @cached_property
    def generation(self) -> GenerationCost:
        """What it takes to make the general benchmark, measured when first asked for."""
        make_dataset("smoke").train.spectra()  # compilation is paid beforehand
        return _time_generation(self.general.spec)

    def on_general(self, model: str) -> RunRecords:
        """Runs of a network as published on the general benchmark.

        Parameters
        ----------
        model : str
            Name of the network.

        Returns
        -------
        RunRecords
            With its published activation and no option changed.
        """
        return self._runs(self.general, model=model, hidden_activation=published_activation(model), options={})

    def on_challenge(self, model: str, activation: str | None = "relu") -> RunRecords:
        """Runs of a network on the challenging set; one without hidden layers has no activation.

        Parameters
        ----------
        model : str
            Name of the network.
        activation : str or None
            Hidden activation, "relu" or "linear".

        Returns
        -------
        RunRecords
            Runs with no option changed.
        """
        wanted = activation if has_hidden_layers(model) else None
        return self._runs(self.challenge, model=model, hidden_activation=wanted, options={})

    def on_challenge_with_option(self, option: str) -> RunRecords:
        """Runs on the challenging set in which one option of a network, and no other, is changed.

        Parameters
        ----------
        option : str
            Name of the option.

        Returns
        -------
        RunRecords
            Runs of any network and activation, with any value of the option.
        """
        runs = self._runs(self.challenge)
        return RunRecords(tuple(record for record in runs if list(record.spec.options) == [option]))

    def _runs(self, dataset: Dataset, **fields: object) -> RunRecords:
        chosen = self.records.select(**fields)
        return RunRecords(tuple(record for record in chosen if record.spec.dataset_spec == dataset.spec))

    def confusions(self, record: RunRecord) -> Confusions:
        """Misclassified test spectra of a run on either dataset.

        Parameters
        ----------
        record : RunRecord
            A run on either dataset.

        Returns
        -------
        Confusions
            Spectra without an answer are left out.
        """
        labels = self.test_labels(record)
        answers = np.array(record.test_predictions.labels)
        rows = np.flatnonzero((answers != labels) & (answers >= 0))  # no answer is confused with no class
        return Confusions(rows, labels[rows], answers[rows])

    def test_labels(self, record: RunRecord) -> NDArray[np.int64]:
        """Classes of the test spectra of a run's dataset.

        Parameters
        ----------
        record : RunRecord
            A run on either dataset.

        Returns
        -------
        ndarray of int64, shape (n_test,)
            Class of each test spectrum.
        """
        return self._dataset_of(record).test.labels

    def _dataset_of(self, record: RunRecord) -> Dataset:
        return self.general if record.spec.dataset_spec == self.general.spec else self.challenge


def gather_evidence(
    records: RunRecords,
    general: str | DatasetSpec | Dataset = "benchmark",
    challenge: str | DatasetSpec | Dataset = "challenge",
    *,
    rules: str = "paper",
    max_epochs: int = 500,
    measured: Mapping[str, Sequence[NDArray[np.floating]]] | None = None,
) -> Evidence:
    """Make the datasets, and pick the sound records of comparable runs.

    Comparable are runs in float32 that follow one protocol with batch size, learning rate and number
    of epochs as published.

    Parameters
    ----------
    records : RunRecords
        All records there are.
    general, challenge : str, DatasetSpec or Dataset
        What stands for the general benchmark and for the challenging set. A dataset that is there already need not be
        made again.
    rules : str
        Name of the training protocol.
    max_epochs : int
        Limit on the epochs of a run.
    measured : mapping, optional
        See `Evidence`; by default what installed packages carry (`spectra_lib.datasets.measured`).

    Returns
    -------
    Evidence
        Datasets, sound records, and the reasons why others are set aside.

    Raises
    ------
    UnknownNameError
        If a dataset or the protocol does not exist.

    Examples
    --------
    >>> evidence = gather_evidence(RunRecords(()), "smoke", "smoke")
    >>> evidence.generation.spectra, len(evidence.on_general("cnn2"))
    (64, 0)
    """
    protocol(rules)
    datasets = [each if isinstance(each, Dataset) else make_dataset(each) for each in (general, challenge)]
    sound, set_aside = [], []
    for record in records:
        own = [d for d in datasets if d.spec == record.spec.dataset_spec]
        if not own or not _is_comparable(record.spec, rules, max_epochs):
            continue
        faults = record.faults(own[0])
        if faults:
            set_aside.append(f"{record.spec.run_id}: {'; '.join(faults)}")
        else:
            sound.append(record)
    spectra = cropped_spectra() if measured is None else measured
    return Evidence(datasets[0], datasets[1], RunRecords(tuple(sound)), tuple(set_aside), spectra)


def _is_comparable(spec: RunSpec, rules: str, max_epochs: int) -> bool:
    fields = usual_rules() | {"protocol": rules, "max_epochs": max_epochs}
    return all(getattr(spec, name) == value for name, value in fields.items())


def _time_generation(spec: DatasetSpec) -> GenerationCost:
    start, worked = time.perf_counter(), time.process_time()
    dataset = make_dataset(spec)
    for split in (dataset.train, dataset.validation):
        for _ in split.batches(BATCH):
            pass
    return GenerationCost(
        len(dataset.train) + len(dataset.validation), time.perf_counter() - start, time.process_time() - worked
    )
