"""Seconds a step of every network, in every way of running it, on the machine at hand.

Each measurement has a process of its own, so that memory is that of one network. Writes a JSON file
with one row for each network, backend, execution and precision; prints the rows as it goes.

    python benchmarks/steps.py --to steps.json --models cnn2 vgg --steps 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

WAYS = (("tensorflow", "graph"), ("tensorflow", "xla"), ("tensorflow", "windows"), ("jax", "xla"), ("jax", "windows"))
PRECISIONS = ("float32", "mixed_bfloat16")


def measure(model: str, dataset: str, execution: str, precision: str, steps: int) -> dict[str, Any]:
    """Train a few steps of 128 spectra in this process; the backend is that of KERAS_BACKEND."""
    import keras
    import numpy as np

    from spectra_lib import backend
    from spectra_lib.dataset import make_dataset
    from spectra_lib.networks import build_model, describe_model
    from spectra_lib.sparse_convolution import cut_windows, plan_windows, with_windows

    data = make_dataset(dataset)
    spec = data.spec
    backend.seed_everything(0)
    whole = build_model(model, spec.n_points, spec.n_classes, precision=precision)
    network = keras.Model(whole.inputs, whole.get_layer("logits").output, name=model)
    plan = plan_windows(network, data.train) if execution == "windows" else None
    if execution == "windows" and plan is None:
        return {"seconds": None}  # windows save nothing here
    if plan is not None:
        network = with_windows(network, plan)
    backend.compile_for_training(network, 3e-4, execution)
    order = np.random.default_rng(0).permutation(len(data.train))
    times = []
    for step in range(steps + 2):  # the first steps compile
        rows = order[128 * step % len(order) :][:128]
        inputs = data.train.spectra(rows)[..., None] if plan is None else list(cut_windows(data.train, rows, plan))
        start = time.perf_counter()
        network.train_on_batch(inputs, data.train.labels[rows])
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[2:])
    # forward pass and twice as much for the gradients; a multiply-add counts as two operations
    operations = 6 * 128 * describe_model(model, spec.n_points, spec.n_classes).multiply_adds
    return {
        "seconds": seconds,
        "first_seconds": times[0],
        "operations_per_second": operations / seconds,
        "peak_memory_bytes": backend.peak_memory(),
        "device": backend.device_name(),
        "versions": backend.versions(),
    }


def peak_operations() -> float:
    """Operations a second of a large float32 matrix product in NumPy: the practical peak of the CPU."""
    import numpy as np

    matrix = np.random.default_rng(0).random((3000, 3000), dtype=np.float32)
    best = min(_timed(matrix) for _ in range(4))
    return 2 * 3000**3 / best


def _timed(matrix: Any) -> float:
    start = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - start


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--dataset", default="benchmark")
    parser.add_argument(
        "--models", nargs="+", default=["cnn2", "cnn3", "cnn6", "vgg", "resnet", "cnn_bn", "inc3", "inc6"]
    )
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one measurement")
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "EXECUTION", "PRECISION"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], given.dataset, given.one[1], given.one[2], given.steps)))
        return
    rows = []
    for model in given.models:
        for backend_name, execution in WAYS:
            for precision in PRECISIONS:
                row = {"model": model, "backend": backend_name, "execution": execution, "precision": precision}
                row |= _in_own_process(given, backend_name, model, execution, precision)
                rows.append(row)
                print(json.dumps(row), flush=True)
                result = {"dataset": given.dataset, "peak_operations_per_second": peak_operations(), "rows": rows}
                given.to.write_text(json.dumps(result, indent=1) + "\n")


def _in_own_process(given: Any, backend_name: str, *one: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--to", str(given.to), "--dataset", given.dataset, "--steps", str(given.steps)]
    environment = os.environ | {"KERAS_BACKEND": backend_name}
    try:
        done = subprocess.run(
            [*command, "--one", *one],
            capture_output=True,
            text=True,
            timeout=given.timeout,
            env=environment,
            check=True,
        )
    except subprocess.TimeoutExpired:
        return {"seconds": None, "failure": f"took longer than {given.timeout} s"}
    except subprocess.CalledProcessError as error:
        return {"seconds": None, "failure": error.stderr.strip().splitlines()[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


if __name__ == "__main__":
    main()
