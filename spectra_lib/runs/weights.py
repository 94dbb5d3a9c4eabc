"""Weights of the best checkpoint of a run: kept beside the store, opened on any backend.

``STORE/.weights/RUN_ID/`` holds ``weights.safetensors``, arrays and nothing that could be executed, and ``model.json``
with everything that prediction needs. Both are ignored by git and by everything that reads records.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import StoreError, UnknownNameError
from spectra_lib._base.names import path_inside
from spectra_lib._base.values import Value
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import load_records
from spectra_lib.runs.store import RunStore, record_text

FOLDER = ".weights"


ARRAYS, CARD = "weights.safetensors", "model.json"


class Axis(Value):
    """What the points of a spectrum mean.

    Attributes
    ----------
    unit : str
        Unit of the axis; "points" where the data have none.
    first, step : float
        Value of the first point, and from one to the next.
    """

    unit: str = "points"
    first: float = 0.0
    step: float = 1.0


class ModelCard(Value):
    """Everything that prediction needs beside the weights, and where they come from.

    Attributes
    ----------
    format_version : int
        Version of this layout.
    run_id, spec_digest, record_sha256 : str
        The run, the identity of its specification, and the SHA-256 of its record file.
    weights_sha256 : str
        Hash of the weights, as in the record.
    model, hidden_activation, options, precision : str, str or None, dict, str
        The network.
    n_points, n_classes : int
        Points of a spectrum; number of classes.
    source : str or None
        SHA-256 of the file that defines a network from outside the package.
    class_names : tuple of str
        Name of each class.
    axis : Axis
        What the points mean.
    normalization : {"maximum"}
        What a spectrum is divided by before the network sees it.
    """

    format_version: Literal[1] = 1
    run_id: str
    spec_digest: str
    record_sha256: str
    weights_sha256: str
    model: str
    hidden_activation: Literal["linear", "relu"] | None
    options: dict[str, Any]
    precision: Literal["float32", "mixed_bfloat16"]
    n_points: int
    n_classes: int
    source: str | None
    class_names: tuple[str, ...]
    axis: Axis = Axis()
    normalization: Literal["maximum"] = "maximum"

    @classmethod
    def of(cls, record: RunRecord) -> ModelCard:
        """Describe the network of a record.

        Parameters
        ----------
        record : RunRecord
            A finished run.

        Returns
        -------
        ModelCard
            Classes are named by their numbers.
        """
        spec, data = record.spec, record.spec.dataset_spec
        return cls(
            run_id=spec.run_id,
            spec_digest=spec.digest,
            record_sha256=hashlib.sha256(record_text(record).encode()).hexdigest(),
            weights_sha256=record.weights_sha256,
            model=spec.model,
            hidden_activation=spec.hidden_activation,
            options=spec.options,
            precision=spec.precision,
            n_points=data.n_points,
            n_classes=data.n_classes,
            source=spec.source,
            class_names=tuple(str(label) for label in range(data.n_classes)),
        )


def hash_weights(arrays: Iterable[NDArray]) -> str:
    """Hexadecimal SHA-256 of types, shapes and values of arrays.

    Parameters
    ----------
    arrays : iterable of ndarray
        In the order of the network's variables.

    Returns
    -------
    str
        64 digits.

    Examples
    --------
    >>> hash_weights([np.zeros((2, 3))]) == hash_weights([np.zeros((3, 2)).T])
    True
    """
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return state.hexdigest()


def weights_path(store: RunStore | str | Path, run_id: str) -> Path:
    """Folder of a run's weights.

    Parameters
    ----------
    store : RunStore, str or Path
        Store of the run's record.
    run_id : str
        Id of the run.

    Returns
    -------
    Path
        It need not exist.

    Raises
    ------
    StoreError
        If it would lie outside the folder of weights.

    Examples
    --------
    >>> weights_path("results", "a-run").as_posix()
    'results/.weights/a-run'
    """
    return path_inside((store.path if isinstance(store, RunStore) else Path(store)) / FOLDER, run_id)


def save_weights(store: RunStore, record: RunRecord, names: Sequence[str], arrays: Iterable[NDArray]) -> Path:
    """Write the weights of a run, read them back, and put them in their place.

    Parameters
    ----------
    store : RunStore
        The store of the record.
    record : RunRecord
        The run.
    names : sequence of str
        Path of each variable, as the network has it.
    arrays : iterable of ndarray
        Its value, in the order in which the record's hash was taken.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreError
        If they cannot be written, or are not what the record says.
    """
    from safetensors.numpy import save_file

    target = weights_path(store, record.spec.run_id)
    card = ModelCard.of(record)
    try:
        partial = target.with_name(f".partial-{target.name}")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        partial.mkdir(parents=True)
        try:
            # safetensors takes the memory of an array as it lies, without looking at its order.
            tensors = {
                f"{number:04d}/{name}": np.asarray(array, order="C")
                for number, (name, array) in enumerate(zip(names, arrays, strict=True))
            }
            save_file(tensors, partial / ARRAYS)
            (partial / CARD).write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")
            check_weights(partial, card.weights_sha256)
            for file in partial.iterdir():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
            place_weights(partial, target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise StoreError(
            f"cannot write the weights {target}: {error.strerror or error}; free some space or choose another store, "
            "then start the same command again"
        ) from error
    return target


def place_weights(folder: Path, target: Path) -> None:
    """Rename a complete folder of weights to its place, instead of what is there.

    Parameters
    ----------
    folder : Path
        The complete folder, on the same disk.
    target : Path
        Its place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    folder.replace(target)


def each_weight(folder: Path) -> Iterator[NDArray]:
    """Read the arrays of a folder one by one, in the order of the network's variables.

    Parameters
    ----------
    folder : Path
        Folder of a run's weights.

    Yields
    ------
    ndarray
        Value of one variable.

    Raises
    ------
    StoreError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / ARRAYS, framework="numpy") as file:
            for name in sorted(file.keys()):
                yield file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{folder / ARRAYS}: cannot be read ({error}); train again, or unpack the weights") from error


def check_weights(folder: Path, sha256: str) -> None:
    """Compare the arrays of a folder with the hash that they should have.

    Parameters
    ----------
    folder : Path
        Folder of a run's weights.
    sha256 : str
        Hash as `hash_weights` gives it.

    Raises
    ------
    StoreError
        If they cannot be read or differ.
    """
    found = hash_weights(each_weight(folder))
    if found != sha256:
        raise StoreError(
            f"{folder / ARRAYS}: weights of hash {found[:12]}, but the record has {sha256[:12]}; they are damaged "
            "or of another run"
        )


def read_card(folder: Path) -> ModelCard:
    """Read ``model.json``.

    Parameters
    ----------
    folder : Path
        Folder of a run's weights.

    Returns
    -------
    ModelCard

    Raises
    ------
    StoreError
        If it is missing, damaged or of another version.
    SpecificationError
        If a field is missing, unknown or out of its range.
    """
    path = folder / CARD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error})") from None
    if not isinstance(data, dict) or data.get("format_version") != 1:
        raise StoreError(f"{path}: expected format_version 1; another version of the library wrote it")
    return ModelCard.read(data, str(path))


def find_record(store: RunStore | str | Path, run: str) -> RunRecord:
    """Find a record by the id of its run, or by the beginning of it if only one begins so.

    Parameters
    ----------
    store : RunStore, str or Path
        Where the record is.
    run : str
        Id of the run, or its beginning.

    Returns
    -------
    RunRecord

    Raises
    ------
    UnknownNameError
        If there is no such run.
    StoreError
        If several begin so.
    """
    records = {r.spec.run_id: r for r in load_records(store.path if isinstance(store, RunStore) else store)}
    found = [run] if run in records else [run_id for run_id in records if run_id.startswith(run)]
    if not found:
        raise UnknownNameError("run of this store", run, records)
    if len(found) > 1:
        raise StoreError(f"{len(found)} runs begin with {run!r}: {', '.join(found[:5])}; write more of the id")
    return records[found[0]]
