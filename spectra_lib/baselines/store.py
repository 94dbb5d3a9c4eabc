"""Where the results of baselines are kept: one JSON file each, ``STORE/baselines/DATASET/NAME.json``."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spectra_lib._base.atomic_file import write_whole
from spectra_lib._base.errors import SpectraError, StoreError, UnknownNameError
from spectra_lib._base.names import path_inside
from spectra_lib.baselines.registry import list_baselines
from spectra_lib.baselines.result import BaselineResult, measure_baseline
from spectra_lib.datasets.dataset import Dataset, make_dataset
from spectra_lib.datasets.specification import DatasetSpec

FOLDER = "baselines"
"""Folder of these results, in the store of the run records."""


def result_path(store: str | Path, dataset: str, name: str) -> Path:
    """File of the result of a baseline on a dataset.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.
    dataset, name : str
        Names of dataset and baseline.

    Returns
    -------
    Path
        It need not exist.

    Raises
    ------
    StoreError
        If it would lie outside the folder of results.

    Examples
    --------
    >>> result_path("results", "challenge", "cosine").as_posix()
    'results/baselines/challenge/cosine.json'
    """
    return path_inside(Path(store) / FOLDER, dataset, f"{name}.json")


def save_result(store: str | Path, result: BaselineResult) -> Path:
    """Write a result atomically; an earlier one of the same baseline and dataset is replaced.

    Parameters
    ----------
    store : str or Path
        Folder of the run records; made if need be.
    result : BaselineResult
        What to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    path = result_path(store, result.dataset_spec.name, result.name)
    try:
        write_whole(path, result.to_json() + "\n")
    except OSError as error:
        raise StoreError(
            f"cannot write the result {path}: {error.strerror or error}; free some space or choose another store"
        ) from error
    return path


def read_result(path: Path) -> BaselineResult:
    """Read one file.

    Parameters
    ----------
    path : Path
        A file that `save_result` wrote.

    Returns
    -------
    BaselineResult

    Raises
    ------
    StoreError
        If it cannot be read or is not a whole result.
    """
    try:
        return BaselineResult.from_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, SpectraError) as error:
        raise StoreError(f"{error}; delete {path.name} and run the baseline again") from None


def load_results(store: str | Path = "results") -> tuple[BaselineResult, ...]:
    """Read all results of a store, by dataset and name; a folder that does not exist holds none.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.

    Returns
    -------
    tuple of BaselineResult

    Raises
    ------
    StoreError
        If a result is damaged; it names the file.

    Examples
    --------
    >>> import tempfile
    >>> from spectra_lib.baselines.result import measure_baseline
    >>> with tempfile.TemporaryDirectory() as store:
    ...     _ = save_result(store, measure_baseline("cosine", make_dataset("smoke")))
    ...     [result.name for result in load_results(store)]
    ['cosine']
    """
    return tuple(read_result(path) for path in _files(store))


def find_result_faults(store: str | Path) -> Iterator[tuple[Path, list[str]]]:
    """Check all results of a store, with their data and their file names.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.

    Yields
    ------
    Path
        File of a result.
    list of str
        What is wrong with it; empty for a sound one.
    """
    datasets: dict[str, Dataset] = {}
    for path in _files(store):
        try:
            result = read_result(path)
        except StoreError as error:
            yield path, [str(error)]
            continue
        spec = result.dataset_spec
        if spec.digest not in datasets:
            datasets[spec.digest] = make_dataset(spec)
        faults = result.faults(datasets[spec.digest])
        expected = result_path(store, spec.name, result.name)
        if path != expected:
            faults.append(f"the file should be called {expected.relative_to(store)}")
        yield path, faults


def _files(store: str | Path) -> list[Path]:
    return sorted(Path(store).glob(f"{FOLDER}/[!.]*/[!.]*.json"))


def measure_in_fresh_process(name: str, spec: DatasetSpec) -> BaselineResult:
    """Measure a baseline in a process of its own, so that memory and time are its own.

    Compiled functions are kept between processes, and the smallest dataset is classified beforehand:
    compilation is paid outside the measurement.

    Parameters
    ----------
    name : str
        A name of `list_baselines`.
    spec : DatasetSpec
        The dataset.

    Returns
    -------
    BaselineResult

    Raises
    ------
    UnknownNameError
        If there is no baseline of that name.
    SpectraError
        If the process fails or is killed, for want of memory for example.
    """
    if name not in list_baselines():
        raise UnknownNameError("baseline", name, list_baselines())
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, spec.to_json(), sender))
    process.start()
    sender.close()
    try:
        text, fault = receiver.recv()
    except EOFError:
        process.join()
        raise SpectraError(
            f"baseline {name!r} on {spec.name!r}: the process ended with exit code {process.exitcode}; a negative one "
            "is a signal, -9 usually the want of memory"
        ) from None
    finally:
        process.join()
        receiver.close()
    if fault:
        raise SpectraError(f"baseline {name!r}: {fault}")
    return BaselineResult.from_json(text, f"baseline {name!r}")


def _measure(name: str, spec_json: str, sender: Any) -> None:
    try:
        measure_baseline(name, make_dataset("smoke"))
        result = measure_baseline(name, make_dataset(DatasetSpec.from_json(spec_json)))
    except SpectraError as error:
        sender.send(("", str(error)))
    else:
        sender.send((result.to_json(), ""))
