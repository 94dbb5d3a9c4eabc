"""Weights of the best checkpoint of a run: kept beside the store, opened on any backend.

``STORE/.weights/RUN_ID/`` holds ``weights.safetensors``, arrays and nothing that could be executed, and ``model.json``
with everything that prediction needs. Both are ignored by git and by everything that reads records.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from spectra_lib.errors import SpectraError, StoreError, UnknownNameError
from spectra_lib.records import RunRecord, RunStore, load_records, record_text
from spectra_lib.specification import Value

if TYPE_CHECKING:
    import keras

FOLDER = ".weights"
ARRAYS, CARD = "weights.safetensors", "model.json"

BATCH = 128
"""Spectra that a loaded network looks at at a time."""


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
        """Describe the network of a record."""
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

    Examples
    --------
    >>> weights_path("results", "a-run").as_posix()
    'results/.weights/a-run'
    """
    return (store.path if isinstance(store, RunStore) else Path(store)) / FOLDER / run_id


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
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent))
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
    """Rename a complete folder of weights to its place, instead of what is there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    if target.exists():
        shutil.rmtree(target)
    folder.replace(target)


def each_weight(folder: Path) -> Iterator[NDArray]:
    """Read the arrays of a folder one by one, in the order of the network's variables.

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

    Raises
    ------
    StoreError
        If it is missing, damaged or of another version.
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


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network that predicts.

    Attributes
    ----------
    card : ModelCard
        What it is and what it expects.
    model : keras.Model
        From spectra (batch, n_points, 1) to logits (batch, n_classes).
    """

    card: ModelCard
    model: keras.Model

    def predict(self, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the probability of every class.

        Parameters
        ----------
        spectra : ndarray of float, shape (n_spectra, n_points)
            On any scale: each is divided by its maximum first.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes)
            Rows sum to 1; rows of NaN where the network gives no number.

        Raises
        ------
        SpectraError
            If the shape does not fit, or a value is not finite.
        """
        from spectra_lib import backend

        spectra = np.asarray(spectra)
        if spectra.ndim != 2 or spectra.shape[1] != self.card.n_points:
            raise SpectraError(
                f"spectra: expected an array of shape (n_spectra, {self.card.n_points}), received {spectra.shape}"
            )
        if not np.isfinite(spectra).all():
            raise SpectraError("spectra: a value is not finite; remove it or fill the gap")
        highest = spectra.max(axis=1, keepdims=True, initial=0.0)
        scaled = (spectra / np.where(highest > 0, highest, 1.0)).astype(np.float32)
        parts = [scaled[start : start + BATCH, :, None] for start in range(0, len(scaled), BATCH)]
        logits = [backend.to_numpy(self.model([part], training=False)).astype(np.float64) for part in parts]
        return softmax(np.concatenate(logits), axis=1) if logits else np.zeros((0, self.card.n_classes))


def load_model(run: str | Path, store: str | Path = "results") -> TrainedNetwork:
    """Open the trained network of a run on the backend in use.

    Parameters
    ----------
    run : str or Path
        Id of a run of the store, or its beginning; or a folder with ``model.json``.
    store : str or Path
        The store of its record.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    StoreError
        If the weights are not there, are damaged, or do not fit the network.
    UnknownNameError
        If there is no such run, or no such network.

    Examples
    --------
    >>> import spectra_lib as sl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = sl.train(sl.RunSpec(dataset="smoke", model="vgg", max_epochs=1), folder, quiet=True)
    ...     network = load_model(record.spec.run_id, folder)
    >>> network.predict(sl.make_dataset("smoke").test.spectra()).shape
    (36, 4)
    """
    folder = Path(run)
    if not (folder / CARD).is_file():
        folder = weights_path(store, find_record(store, str(run)).spec.run_id)
        if not folder.is_dir():
            raise StoreError(f"the weights of {folder.name} are not in {folder.parent}; train the run, or unpack them")
    card = read_card(folder)
    check_weights(folder, card.weights_sha256)
    model = build_trained(card)
    put_weights(model, folder)
    return TrainedNetwork(card, model)


def build_trained(card: ModelCard) -> keras.Model:
    """Build a network as it was trained, from spectra to logits, with first weights."""
    from spectra_lib.networks import build_logits
    from spectra_lib.plugins import source_of

    network = build_logits(
        card.model, card.n_points, card.n_classes, card.hidden_activation, card.precision, **card.options
    )
    if source_of(card.model) != card.source:
        raise StoreError(
            f"network {card.model!r} of {card.run_id} is defined by a file of SHA-256 {str(card.source)[:12]}, not by "
            "the one that is loaded; load that file"
        )
    return network


def put_weights(model: keras.Model, folder: Path) -> None:
    """Assign the weights in a folder to a network.

    Raises
    ------
    StoreError
        If their number or shapes are not those of the network.
    """
    from spectra_lib import backend

    values = list(each_weight(folder))
    expected = [tuple(variable.shape) for variable in model.weights]
    if [value.shape for value in values] != expected:
        raise StoreError(
            f"{folder / ARRAYS}: {len(values)} arrays, which do not fit the {len(expected)} of the network "
            f"{model.name!r}; another version of the library wrote them"
        )
    backend.set_state(model.weights, values)
