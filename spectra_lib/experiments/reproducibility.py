"""Does the same specification give the same run? Trained anew, in other ways, and with a record tampered with."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.networks import build_logits
from spectra_lib.networks.quiet_keras import keras
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import way_store
from spectra_lib.training import backend
from spectra_lib.training.execution import execute
from spectra_lib.training.trainer import train


def train_anew(spec: RunSpec, execution: str = "auto") -> RunRecord:
    """Do a run in a folder of its own, whatever records there are.

    Parameters
    ----------
    spec : RunSpec
        The run.
    execution : str
        Mode of execution; see `spectra_lib.training.trainer.train`.

    Returns
    -------
    RunRecord

    Examples
    --------
    >>> spec = RunSpec(dataset="smoke", model="vgg", max_epochs=1)
    >>> train_anew(spec).weights_sha256 == train_anew(spec).weights_sha256
    True
    """
    with tempfile.TemporaryDirectory() as folder:
        return train(spec, folder, execution=execution, quiet=True, keep_weights=False)


def other_backends() -> list[str]:
    """Names of the installed backends that this process does not use.

    Returns
    -------
    list of str
    """
    return [name for name in backend.EXECUTIONS if name != backend.backend_name() and find_spec(name) is not None]


def train_elsewhere(spec: RunSpec, backend_name: str) -> RunRecord:
    """Do a run in a process of its own that uses another backend.

    Parameters
    ----------
    spec : RunSpec
        The run; only dataset, network, seed and number of epochs are passed on.
    backend_name : str
        A name of `other_backends`.

    Returns
    -------
    RunRecord

    Raises
    ------
    SpectraError
        If the process fails.
    SpectraError
        If other fields of the run are not the default ones.
    """
    fields = {"dataset": spec.dataset_spec.name, "model": spec.model, "seed": spec.seed, "max-epochs": spec.max_epochs}
    options = [f"--{key}={value}" for key, value in fields.items()]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "spectra_lib", "train", *options, "--store", folder, "--no-weights", "--quiet"],
            env={**os.environ, "KERAS_BACKEND": backend_name},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise SpectraError(f"training on the {backend_name} backend failed: {last}")
        record: RunRecord = load_records(folder)[0]
    if record.digest != spec.digest:
        raise SpectraError(f"{spec.run_id}: options beside dataset, network, seed and epochs are not passed on")
    return record


AGAIN, OTHER_SEED = "the same again", "another seed"


def _next_seed(spec: RunSpec) -> RunSpec:
    return RunSpec(**spec.model_dump() | {"seed": spec.seed + 1})


def ways_to_train(spec: RunSpec, backends: Sequence[str] = ()) -> dict[str, RunRecord]:
    """Do a run twice in the same way, with the next seed, and on other backends.

    Parameters
    ----------
    spec : RunSpec
        The run.
    backends : sequence of str
        Other backends, each in a process of its own; those not installed are left out.

    Returns
    -------
    dict of str to RunRecord
        The first entry is the one to compare with.

    Examples
    --------
    >>> first, again, other = ways_to_train(RunSpec(dataset="smoke", model="vgg", max_epochs=1)).values()
    >>> loss_differences(first, again).tolist(), bool(loss_differences(first, other)[0] > 0)
    ([0.0], True)
    """
    ways = {
        backend.backend_name(): train_anew(spec),
        AGAIN: train_anew(spec),
        OTHER_SEED: train_anew(_next_seed(spec)),
    }
    return ways | {name: train_elsewhere(spec, name) for name in backends if name in other_backends()}


def save_ways(store: str | Path, ways: Mapping[str, RunRecord]) -> None:
    """Keep what `ways_to_train` gave, as ``STORE/ways/WAY/DATASET/RUN_ID.json``.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.
    ways : mapping of str to RunRecord
        Record by way.
    """
    for way, record in ways.items():
        way_store(store, way).save(record)


def load_ways(
    store: str | Path, spec: RunSpec, backends: Sequence[str] = (), first: str = "tensorflow"
) -> dict[str, RunRecord]:
    """Read what `save_ways` kept of a run.

    Parameters
    ----------
    store : str or Path
        Folder of the run records.
    spec : RunSpec
        The run.
    backends : sequence of str
        Other backends that are wanted.
    first : str
        Backend of the first runs.

    Returns
    -------
    dict of str to RunRecord
        As `ways_to_train` gives it; empty unless all are there.

    Examples
    --------
    >>> load_ways("no_such_folder", RunSpec(dataset="smoke", model="vgg"))
    {}
    """
    wanted = dict.fromkeys((first, AGAIN, *backends), spec) | {OTHER_SEED: _next_seed(spec)}
    found = {way: way_store(store, way).load(wanted[way]) for way in (first, AGAIN, OTHER_SEED, *backends)}
    known = {way: record for way, record in found.items() if record is not None}
    return known if len(known) == len(found) else {}


def logits_in_ways(dataset: Dataset, model: str, n_spectra: int = 50) -> dict[str, NDArray[np.float64]]:
    """Compute the outputs of one network with random weights for the same spectra in ways that differ in rounding.

    Parameters
    ----------
    dataset : Dataset
        Its test spectra are taken.
    model : str
        Name of the network.
    n_spectra : int
        Number of spectra; fewer if there are not as many.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_spectra, n_classes)
        Logits: all spectra at once, as they are, which is the one to compare with; one spectrum at a time; compiled by
        XLA; and, if convolutions can be left out, only where the spectra are not zero.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> [logits.shape for logits in logits_in_ways(make_dataset("smoke"), "vgg", 2).values()][:3]
    [(2, 4), (2, 4), (2, 4)]
    """
    backend.seed_everything(0)
    network = build_logits(model, dataset.spec.n_points, dataset.spec.n_classes)
    rows = np.arange(min(n_spectra, len(dataset.test)))
    spectra = dataset.test.spectra(rows)[..., None]
    network.compile(jit_compile=True)
    found = {
        "all at once": network([spectra], training=False),
        "one at a time": keras.ops.concatenate([network([spectra[[row]]], training=False) for row in rows]),
        "compiled by XLA": network.predict(spectra, batch_size=len(rows), verbose=0),
    }
    executed = execute(network, dataset.train, len(rows), "sparse")
    if executed.evaluation_plan is not None:
        found["each layer at peaks only"] = executed.predict(dataset.test, rows, len(rows))
    return {way: np.asarray(keras.ops.convert_to_numpy(logits), dtype=float) for way, logits in found.items()}


def loss_differences(reference: RunRecord, other: RunRecord) -> NDArray[np.float64]:
    """Difference of the validation losses after each epoch that both runs have, in nats, without its sign.

    Parameters
    ----------
    reference, other : RunRecord
        Two runs.

    Returns
    -------
    ndarray of float64, shape (n_epochs,)
        NaN where either loss is not finite.
    """
    pairs = zip(reference.history.val_loss, other.history.val_loss, strict=False)
    return np.array([np.nan if a is None or b is None else abs(a - b) for a, b in pairs])


def tampered(record: RunRecord) -> dict[str, RunRecord]:
    """Change a record in ways that a reader would not see.

    Parameters
    ----------
    record : RunRecord
        A sound record.

    Returns
    -------
    dict of str to RunRecord
        What was done, with the record that it leaves.
    """
    test, history, kept = record.test, record.history, record.kept_epoch
    fewer = test.errors - 1 if test.errors else 1
    labels = list(record.test_predictions.labels)
    labels[0] = (labels[0] + 1) % (max(labels) + 1)
    accuracies = list(history.val_accuracy)
    accuracies[kept - 1 if kept else -1] = max(accuracies) + 0.01
    shorter = {name: column[:-1] for name, column in history.model_dump().items()}
    changes: dict[str, dict[str, Any]] = {
        f"{fewer} instead of {test.errors} test errors": {"test": test.model_copy(update={"errors": fewer})},
        "another answer to one test spectrum": {
            "test_predictions": record.test_predictions.model_copy(update={"labels": tuple(labels)})
        },
        "a higher validation accuracy in one epoch": {
            "history": history.model_copy(update={"val_accuracy": tuple(accuracies)})
        },
        "the last epoch left out": {"history": history.model_copy(update=shorter)},
        "another seed claimed": {"spec": RunSpec(**record.spec.model_dump() | {"seed": record.spec.seed + 1})},
        "training spectra of another dataset": {"data_digests": record.data_digests | {"train": "0" * 64}},
    }
    return {text: record.model_copy(update=change) for text, change in changes.items()}
