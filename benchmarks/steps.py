"""Seconds a step of every network, in every way of running it, on the machine at hand.

Each measurement has a process of its own, so that memory is that of one network. Prints the figures as they come,
and writes them to ``STORE/speed/MACHINE/DATASET.json``, from where the chapter on methods takes them. Figures mean
something only on a machine that does nothing else; all of them take an hour on two cores. Networks and ways that are
not named keep the figures that the file has. At the end it names where the trainer's own choice is not the fastest.

    python benchmarks/steps.py
    python benchmarks/steps.py --models cnn2 vgg --executions windows --steps 5 --precisions float32 --store /tmp/speed
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from itertools import product
from typing import Any

from spectra_lib.machine import commit, package_versions, processor_name
from spectra_lib.step_times import OPERATIONS, StepTime, StepTimes, load_step_times, save_step_times

WAYS = (("tensorflow", "graph"), ("tensorflow", "xla"), ("tensorflow", "windows"), ("jax", "xla"), ("jax", "windows"))
EXECUTIONS = tuple(dict.fromkeys(execution for _, execution in WAYS))
PRECISIONS = ("float32", "mixed_bfloat16")
MODELS = ("peaknet", "cnn2", "cnn3", "vgg", "cnn_bn", "inc3", "inc6", "cnn6", "resnet")
BATCH = 128


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
        return {"failure": "windows save nothing in this network"}
    if plan is not None:
        network = with_windows(network, plan)
    backend.compile_for_training(network, 3e-4, execution)
    order = np.random.default_rng(0).permutation(len(data.train))
    times = []
    for step in range(steps + 2):  # the first steps compile
        rows = order[BATCH * step % len(order) :][:BATCH]
        inputs = data.train.spectra(rows)[..., None] if plan is None else list(cut_windows(data.train, rows, plan))
        start = time.perf_counter()
        network.train_on_batch(inputs, data.train.labels[rows])
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times[2:])
    operations = OPERATIONS * BATCH * describe_model(model, spec.n_points, spec.n_classes).multiply_adds
    return {
        "seconds": seconds,
        "first_seconds": times[0],
        "share_of_peak": operations / seconds / peak_operations(),
        "peak_memory_bytes": backend.peak_memory(),
        "saving": None if plan is None else plan.saving,
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
    parser.add_argument("--store", default="results", help="folder of the results")
    parser.add_argument("--dataset", default="benchmark")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS)
    parser.add_argument("--executions", nargs="+", choices=EXECUTIONS, default=EXECUTIONS)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--timeout", type=int, default=180, help="seconds for one measurement")
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "EXECUTION", "PRECISION"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        model, execution, precision = given.one
        print(json.dumps(measure(model, given.dataset, execution, precision, given.steps)))
        return
    before = [
        one for one in load_step_times(given.store) if (one.device, one.dataset) == (processor_name(), given.dataset)
    ]
    anew = set(product(given.models, given.precisions, given.executions))
    times = StepTimes(
        dataset=given.dataset,
        device=processor_name(),
        commit=commit(),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=package_versions(("keras", "numpy", "tensorflow-cpu", "jax")),
        peak_operations_per_second=peak_operations(),
        rows=tuple(row for one in before for row in one.rows if (row.model, row.precision, row.execution) not in anew),
    )
    for precision in given.precisions:
        for model in given.models:
            for backend_name, execution in WAYS:
                if execution not in given.executions:
                    continue
                found = _in_own_process(given, backend_name, model, execution, precision)
                row = StepTime(model=model, backend=backend_name, execution=execution, precision=precision, **found)
                times = times.model_copy(update={"rows": (*times.rows, row)})
                print(row.model_dump_json(exclude_none=True), flush=True)
                path = save_step_times(given.store, times)
    print(path)
    for loss in slow_choices(times):
        print(loss)


def slow_choices(times: StepTimes) -> list[str]:
    """Tell where the way that the trainer chooses by itself is slower than another, beyond the scatter of a step."""
    from spectra_lib.ablations import NORMALISED
    from spectra_lib.training import automatic_execution

    losses = []
    for model, precision, backend_name in product(MODELS, PRECISIONS, ("tensorflow", "jax")):
        windows = times.find(model, backend_name, "windows", precision)
        fastest = times.fastest(model, backend_name, precision)
        if windows is None or fastest is None or fastest.seconds is None:
            continue
        normalized = model in NORMALISED
        choice = automatic_execution(model, backend_name, windows.saving, precision, normalized=normalized)
        chosen = times.find(model, backend_name, choice, precision)
        if (
            chosen is None
            or chosen.seconds is None
            or chosen.seconds > max(1.05 * fastest.seconds, fastest.seconds + 0.01)
        ):
            losses.append(f"{model}, {backend_name}, {precision}: {choice} is chosen, {fastest.execution} is faster")
    return losses


def _in_own_process(given: Any, backend_name: str, *one: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--dataset", given.dataset, "--steps", str(given.steps), "--one", *one]
    environment = os.environ | {"KERAS_BACKEND": backend_name}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=given.timeout, env=environment, check=True
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"took longer than {given.timeout} s"}
    except subprocess.CalledProcessError as error:
        return {"failure": (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


if __name__ == "__main__":
    main()
