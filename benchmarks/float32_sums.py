"""What float32 makes of long sums in training steps and of a few epochs: networks in several ways, against float64.

Each measurement has a process of its own. Figures go to ``STORE/precision/MACHINE/DATASET.json``, from where the
chapter on methods takes them; networks that are not named keep those that the file has. They do not depend on what
else the machine does, but they do on the number of its cores. All of them take two hours on two cores, most of that in
float64.

    python benchmarks/float32_sums.py --store results
    python benchmarks/float32_sums.py --models cnn_bn --seeds 0 --epochs 1 --store /tmp/sums
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.machine import commit, package_versions, processor_name
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.experiments.float32_sums import (
    BATCH,
    CONTROL,
    TRUTH,
    WAYS,
    Float32Sums,
    ShortRun,
    SumErrors,
    Way,
    compare,
    load_float32_sums,
    measure_step,
    save_float32_sums,
    start_weights,
    train_briefly,
)

MODELS = ("cnn_bn", "cnn6_bn", "resnet", "cnn6")
SPARSE = WAYS[1]
TRAINED_EPOCHS = 3
"""Epochs, in the sparse way, after which weights count as trained; later a loss near zero has few digits itself."""


def job(task: str, weights: str, model: str, dataset: str, folder: Path, way: Way, seed: int, epochs: int) -> None:
    """Do one measurement in this process: weights, gradients or a run go into files of the folder."""
    data, file = make_dataset(dataset), folder / f"{weights}.npz"
    if task == "start":
        write(file, start_weights(model, data, seed, with_biases=weights == "biased"))
    elif task == "train":
        run, trained = train_briefly(model, data, read(file), seed, epochs, way)
        (folder / "run.json").write_text(run.model_dump_json())
        write(folder / "trained.npz", trained)
    else:
        rows = np.random.default_rng(0).permutation(len(data.train))[:BATCH]
        np.savez(folder / "step.npz", **measure_step(model, data, read(file), rows, way))


def write(path: Path, arrays: Sequence[NDArray[Any]]) -> None:
    """Write weights in their order."""
    np.savez(path, *arrays)


def read(path: Path) -> list[NDArray[Any]]:
    """Read them."""
    with np.load(path) as stored:
        return [stored[f"arr_{number}"] for number in range(len(stored.files))]


def in_own_process(
    given: Any, folder: Path, task: str, weights: str, model: str, way: Way = TRUTH, seed: int = 0, epochs: int = 0
) -> None:
    """Do a job on the backend that it needs."""
    arguments = json.dumps([task, weights, model, given.dataset, str(folder), way.model_dump(), seed, epochs])
    environment = os.environ | {"KERAS_BACKEND": way.backend}
    command = [sys.executable, __file__, "--job", arguments]
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{arguments} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")


def measure_steps(given: Any, model: str, folder: Path) -> list[SumErrors]:
    """Errors of one step, from initial weights with random biases and from trained weights."""
    in_own_process(given, folder, "start", "biased", model)
    in_own_process(given, folder, "start", "initial", model)
    in_own_process(given, folder, "train", "initial", model, SPARSE, epochs=TRAINED_EPOCHS)
    found = []
    for start, weights in (("initial", "biased"), ("trained", "trained")):
        steps = {}
        for way in (TRUTH, *WAYS):
            in_own_process(given, folder, "step", weights, model, way)
            with np.load(folder / "step.npz") as stored:
                steps[way] = dict(stored)
        for way in WAYS:
            for quantity, (sizes, errors) in compare(steps[TRUTH], steps[way]).items():
                row = SumErrors(model=model, start=start, way=way, quantity=quantity, sizes=sizes, errors=errors)
                print(model, start, way, quantity, f"{row.largest:.1e}", flush=True)
                found.append(row)
    return found


def measure_runs(given: Any, model: str, folder: Path) -> list[ShortRun]:
    """A few epochs from each seed in each way, the control excepted."""
    found = []
    for seed in given.seeds:
        in_own_process(given, folder, "start", "initial", model, seed=seed)
        for way in (TRUTH, *WAYS):
            if way != CONTROL:
                in_own_process(given, folder, "train", "initial", model, way, seed, given.epochs)
                found.append(ShortRun.model_validate_json((folder / "run.json").read_text()))
                print(found[-1].model_dump_json(), flush=True)
    return found


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="results", help="folder of the results")
    parser.add_argument("--dataset", default="challenge")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--seeds", nargs="*", type=int, default=(0, 1, 2), help="of the runs; none for steps alone")
    parser.add_argument("--epochs", type=int, default=1, help="of the runs")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        task, weights, model, dataset, folder, way, seed, epochs = json.loads(given.job)
        job(task, weights, model, dataset, Path(folder), Way.model_validate(way), seed, epochs)
        return
    before = [
        one for one in load_float32_sums(given.store) if (one.device, one.dataset) == (processor_name(), given.dataset)
    ]
    sums = Float32Sums(
        dataset=given.dataset,
        device=processor_name(),
        commit=commit(),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=package_versions(("keras", "numpy", "tensorflow-cpu", "jax", "jaxlib")),
        steps=tuple(row for one in before for row in one.steps if row.model not in given.models),
        runs=tuple(run for one in before for run in one.runs if run.model not in given.models),
    )
    for model in given.models:
        with tempfile.TemporaryDirectory() as folder:
            steps = measure_steps(given, model, Path(folder))
            runs = measure_runs(given, model, Path(folder))
        sums = sums.model_copy(update={"steps": (*sums.steps, *steps), "runs": (*sums.runs, *runs)})
        print(save_float32_sums(given.store, sums), flush=True)


if __name__ == "__main__":
    main()
