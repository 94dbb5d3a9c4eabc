"""How long a training step takes: each network, in each execution mode, on one machine.

``benchmarks/steps.py`` measures and writes ``STORE/speed/MACHINE/DATASET.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from spectra_lib._base.atomic_file import write_whole
from spectra_lib._base.errors import StoreError
from spectra_lib._base.names import Name, path_inside
from spectra_lib._base.values import Value

FOLDER = "speed"
"""Folder of these figures, in the store of the run records."""

OPERATIONS = 6
"""Operations of a training step for each multiply-add of the forward pass: two, and twice as many backwards."""


class StepTime(Value):
    """One network, trained in one way.

    Attributes
    ----------
    model, backend, execution, precision : str
        What was measured.
    seconds : float or None
        Median time of a step of 128 spectra after the first ones; None if there is none.
    first_seconds : float or None
        Time of the first step, compilation included.
    peak_memory_bytes : int or None
        Largest resident memory of the process.
    share_of_peak : float or None
        Multiply-adds of the network as published, in operations a second, by what a large float32 matrix
        product reaches on the machine; more than 1 is possible where convolutions are left out.
    saving : float or None
        Estimated multiply-adds of the network by those that sparse execution leaves.
    failure : str or None
        Why there is no time.
    """

    model: str
    backend: str
    execution: str
    precision: str
    seconds: Annotated[float, Field(gt=0)] | None = None
    first_seconds: Annotated[float, Field(gt=0)] | None = None
    peak_memory_bytes: int | None = None
    share_of_peak: float | None = None
    saving: float | None = None
    failure: str | None = None


class StepTimes(Value):
    """All figures of one machine and dataset.

    Attributes
    ----------
    dataset, device, commit, measured : str
        Dataset whose spectra were used, processor, source of the library, date.
    versions : dict of str to str
        Of the packages.
    peak_operations_per_second : float
        Of a large float32 matrix product in NumPy.
    rows : tuple of StepTime
        The figures.
    """

    dataset: Name
    device: str
    commit: str
    measured: str
    versions: dict[str, str]
    peak_operations_per_second: float
    rows: tuple[StepTime, ...]

    def find(self, model: str, backend: str, execution: str, precision: str = "float32") -> StepTime | None:
        """Give one row, or None.

        Parameters
        ----------
        model : str
            Name of the network.
        backend : str
            Name of the backend.
        execution : str
            Mode of execution.
        precision : str
            Number format.

        Returns
        -------
        StepTime or None
        """
        wanted = model, backend, execution, precision
        return next((r for r in self.rows if (r.model, r.backend, r.execution, r.precision) == wanted), None)

    def fastest(self, model: str, backend: str, precision: str = "float32") -> StepTime | None:
        """Give the fastest way that one backend has for a network, or None if none was measured.

        Parameters
        ----------
        model : str
            Name of the network.
        backend : str
            Name of the backend.
        precision : str
            Number format.

        Returns
        -------
        StepTime or None

        Examples
        --------
        >>> fast, slow = (
        ...     StepTime(model="vgg", backend="jax", execution=way, precision="float32", seconds=seconds)
        ...     for way, seconds in (("xla", 0.5), ("sparse", 0.7))
        ... )
        >>> about = {name: "" for name in ("device", "commit", "measured")}
        >>> times = StepTimes(dataset="smoke", versions={}, peak_operations_per_second=1, rows=(slow, fast), **about)
        >>> times.fastest("vgg", "jax").execution
        'xla'
        """
        timed = [
            (row.seconds, row)
            for row in self.rows
            if (row.model, row.backend, row.precision) == (model, backend, precision) and row.seconds is not None
        ]
        return min(timed, key=lambda pair: pair[0])[1] if timed else None


def save_step_times(store: str | Path, times: StepTimes) -> Path:
    """Write ``STORE/speed/MACHINE/DATASET.json`` whole, and give its path.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.
    times : StepTimes
        What to write.

    Returns
    -------
    Path
    """
    machine = "_".join("".join(c if c.isalnum() else " " for c in times.device.lower()).split())
    path = path_inside(Path(store) / FOLDER, machine, f"{times.dataset}.json")
    write_whole(path, times.model_dump_json(indent=1, exclude_none=True) + "\n")
    return path


def load_step_times(store: str | Path) -> Sequence[StepTimes]:
    """Read the figures of all machines in a store, the newest first.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.

    Returns
    -------
    sequence of StepTimes

    Raises
    ------
    StoreError
        If a file is damaged.
    """
    found = []
    for path in Path(store).glob(f"{FOLDER}/[!.]*/[!.]*.json"):
        try:
            found.append(StepTimes.model_validate_json(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise StoreError(
                f"{path}: not step times as benchmarks/steps.py writes them ({error.errors()[0]['msg']}); delete it"
            ) from error
    return sorted(found, key=lambda times: times.measured, reverse=True)
