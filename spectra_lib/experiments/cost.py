"""What runs cost, from the runs done before."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from spectra_lib._base.machine import processor_name
from spectra_lib.networks.catalogue import CATALOGUE, MODIFIED, PUBLISHED
from spectra_lib.networks.sizes import size_of
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import RunSpec

TYPICAL_RATE = 5e9


TYPICAL_EPOCHS = 80


TYPICAL_MULTIPLY_ADDS = 1e8
"""Forward multiply-adds a second in training, epochs, and multiply-adds, where nothing is known yet."""


@dataclass(frozen=True)
class Estimate:
    """Expected cost of a run.

    Attributes
    ----------
    epochs, seconds_per_epoch : float
        Expected number of epochs and time of each.
    measured : bool
        Whether the time was measured on this dataset and network, or only scaled by multiply-adds.
    """

    epochs: float
    seconds_per_epoch: float
    measured: bool

    @property
    def seconds(self) -> float:
        """Expected time of the whole run."""
        return self.epochs * self.seconds_per_epoch


class CostModel:
    """Cost of runs on one device, from the runs done there.

    Parameters
    ----------
    records : RunRecords
        Records of all devices; epochs are taken from all, times from `device` alone.
    device : str, optional
        Device as in the records' sessions; if absent, this machine's processor, or the device of the newest
        session where no run was done on that.
    """

    def __init__(self, records: RunRecords, device: str | None = None) -> None:
        sessions = [record.sessions[-1] for record in records]
        if device is None and sessions:
            newest = max(sessions, key=lambda session: session.started).device
            own = processor_name()
            device = own if any(session.device == own for session in sessions) else newest
        self._epochs: dict[tuple[str, str], list[int]] = {}
        self._times: dict[tuple[str, str, float], list[float]] = {}
        rates: dict[str, list[float]] = {}
        for record in records:
            key = record.spec.dataset_spec.name, record.spec.model
            self._epochs.setdefault(key, []).append(len(record.history))
            if record.sessions[-1].device == device:
                seconds = statistics.median(record.history.seconds)
                self._times.setdefault((*key, work_of(record.spec)), []).append(seconds)
                rates.setdefault(record.spec.model, []).append(work_of(record.spec) / seconds)
        self._rates = {model: statistics.median(found) for model, found in rates.items()}
        # For networks that never ran here; one that does not convolve says nothing about those that do.
        convolving = [rate for model, rate in self._rates.items() if model in (*PUBLISHED, *MODIFIED)]
        self._rate = statistics.median(convolving) if convolving else TYPICAL_RATE

    def estimate(self, spec: RunSpec) -> Estimate:
        """Estimate the cost of a run.

        Parameters
        ----------
        spec : RunSpec
            The run.

        Returns
        -------
        Estimate
        """
        key = spec.dataset_spec.name, spec.model
        every = [count for counts in self._epochs.values() for count in counts]
        epochs = self._epochs.get(key) or every or [TYPICAL_EPOCHS]
        times = self._times.get((*key, work_of(spec)))
        seconds = statistics.median(times) if times else work_of(spec) / self._rates.get(spec.model, self._rate)
        return Estimate(min(statistics.median(epochs), spec.max_epochs), seconds, times is not None)


def work_of(spec: RunSpec) -> float:
    """Multiply-adds of the forward passes of an epoch, training spectra alone.

    Parameters
    ----------
    spec : RunSpec
        The run; a network that is not in the catalogue counts as one of typical size.

    Returns
    -------
    float

    Examples
    --------
    >>> from spectra_lib.experiments.single_changes import Variant
    >>> from spectra_lib.experiments.campaign import variant_run
    >>> work_of(variant_run("benchmark", Variant("cnn2"), 0))
    1743570000000
    """
    data = spec.dataset_spec
    if spec.model in CATALOGUE:
        multiply_adds: float = size_of(spec.model, data.n_points, data.n_classes, **spec.options).multiply_adds
    else:
        multiply_adds = TYPICAL_MULTIPLY_ADDS * data.n_points / 5000
    return multiply_adds * data.n_classes * data.n_train
