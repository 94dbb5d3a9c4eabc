"""How long a training step takes: each network, in each execution mode, on this machine.

Writes ``STORE/speed/MACHINE/DATASET.json``, which the chapter on methods shows. Each measurement has a process of its
own; the modes of a network take turns, so that a machine whose speed changes treats them alike. "plain" is Keras's
`model.fit` with Keras's own Adam; "pair" is two sparse runs at once, each on half of the cores. With
``--against COMMIT`` an earlier build is measured beside the present one, as it would have trained by itself.

    python benchmarks/steps.py --store results
    python benchmarks/steps.py --models cnn2 vgg --modes plain sparse --steps 5 --store /tmp/speed
    python benchmarks/steps.py --against b62c717 --rounds 2
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spectra_lib._base.machine import commit, package_versions, processor_name
from spectra_lib.experiments.step_times import OPERATIONS, StepTime, StepTimes, load_step_times, save_step_times

MODELS = ("peaknet", "cnn2", "cnn3", "vgg", "cnn_bn", "inc3", "inc6", "cnn6", "resnet")
MODES = ("plain", "graph", "xla", "sparse", "pair")
EARLIER_SAVING = 1.25
"""The earlier build cut spectra into windows if that divided the multiply-adds by so much."""


def measure(model: str, dataset: str, mode: str, precision: str, steps: int) -> dict[str, Any]:
    """Train a few steps of 128 spectra in this process; the backend is that of KERAS_BACKEND."""
    import keras

    from spectra_lib.datasets.named import dataset_spec
    from spectra_lib.networks import describe_model
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.training import backend, execution

    if mode == "plain":
        backend.adam = keras.optimizers.Adam  # as `model.fit` has it
    spec = RunSpec(dataset=dataset, model=model, precision=precision)
    found = dict(execution.measure_step(spec.model_dump_json(), "graph" if mode == "plain" else mode, steps=steps))
    if mode == "sparse" and found["saving"] is None:
        return {"failure": "no layer can be computed at peaks only"}
    data = dataset_spec(dataset)
    operations = OPERATIONS * spec.batch_size * describe_model(model, data.n_points, data.n_classes).multiply_adds
    return found | {"share_of_peak": operations / found["seconds"] / peak_operations()}


def peak_operations() -> float:
    """Operations a second of a large float32 matrix product in NumPy: the practical peak of the CPU."""
    import numpy as np

    matrix = np.random.default_rng(0).random((3000, 3000), dtype=np.float32)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - start)
    return 2 * 3000**3 / min(times)


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A folder with the source of another revision."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--detach", "--quiet", str(tree), revision], check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], check=True)


def side_by_side(script: Path, given: Any, backend: str, model: str, precision: str) -> dict[str, Any]:
    """Measure two sparse runs at once, each on half of the cores: the time of a step of either."""
    cores = sorted(os.sched_getaffinity(0))
    halves = [",".join(map(str, cores[first::2])) for first in (0, 1)]
    one = backend, model, "sparse", precision
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda half: in_own_process(script, given, *one, cores=half), halves))
    failed = [one for one in found if one.get("seconds") is None]
    if failed:
        return failed[0]
    return found[0] | {key: statistics.mean(one[key] for one in found) for key in ("seconds", "first_seconds")}


def in_own_process(script: Path, given: Any, backend: str, *one: str, cores: str = "") -> dict[str, Any]:
    """Measure in a fresh process, by the script of this source or of an earlier one."""
    if one[1] == "pair":
        return side_by_side(script, given, backend, one[0], one[2])
    command = [sys.executable, str(script), "--dataset", given.dataset, "--steps", str(given.steps), "--one", *one]
    command += ["--cores", cores] if cores else []
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(script.parents[1])}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=given.timeout, env=environment, check=True
        )
    except subprocess.TimeoutExpired:
        return {"failure": f"took longer than {given.timeout} s"}
    except subprocess.CalledProcessError as error:
        return {"failure": (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]}
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def earlier_choice(tree: Path, given: Any, model: str, precision: str) -> dict[str, Any]:
    """Measure the earlier build as it would have trained: on windows where they save enough, else whole."""
    script = tree / "benchmarks" / "steps.py"
    windows = in_own_process(script, given, "tensorflow", model, "windows", precision)
    if (windows.get("saving") or 0.0) >= EARLIER_SAVING:
        return windows
    return in_own_process(script, given, "tensorflow", model, "graph", precision)


def merged(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Median time of the rounds that gave one, with the other figures of the first of them."""
    timed = [found for found in rounds if found.get("seconds") is not None]
    return timed[0] | {"seconds": statistics.median(found["seconds"] for found in timed)} if timed else rounds[0]


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="results", help="folder of the results")
    parser.add_argument("--dataset", default="benchmark")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", choices=("float32", "mixed_bfloat16"), default=("float32",))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=("plain", "graph", "sparse"))
    parser.add_argument("--backends", nargs="+", default=("tensorflow",), help="of tensorflow, jax and torch")
    parser.add_argument("--against", metavar="COMMIT", help="measure this earlier build too")
    parser.add_argument("--rounds", type=int, default=1, help="how often all modes take turns")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one measurement")
    parser.add_argument("--one", nargs=3, metavar=("MODEL", "MODE", "PRECISION"), help=argparse.SUPPRESS)
    parser.add_argument("--cores", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.cores:
        os.sched_setaffinity(0, map(int, given.cores.split(",")))  # before anything counts them
    if given.one:
        model, mode, precision = given.one
        print(json.dumps(measure(model, given.dataset, mode, precision, given.steps)))
        return
    if given.against:
        with checked_out(given.against) as tree:
            measure_all(given, tree)
    else:
        measure_all(given, None)


def measure_all(given: Any, earlier: Path | None) -> None:
    """Measure all networks and modes and write the figures after each network."""
    times = known_times(given.store, given.dataset)
    for precision in given.precisions:
        for model in given.models:
            rounds: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for _ in range(given.rounds):
                for backend in given.backends:
                    for mode in given.modes:
                        found = in_own_process(Path(__file__).resolve(), given, backend, model, mode, precision)
                        rounds.setdefault((backend, mode), []).append(found)
                if earlier is not None:
                    found = earlier_choice(earlier, given, model, precision)
                    rounds.setdefault(("tensorflow", "windows"), []).append(found)
            for (backend, mode), found in rounds.items():
                row = StepTime(model=model, backend=backend, execution=mode, precision=precision, **merged(found))
                kept = [other for other in times.rows if _key(other) != _key(row)]
                times = times.model_copy(update={"rows": (*kept, row)})
                print(row.model_dump_json(exclude_none=True), flush=True)
            save_step_times(given.store, times)


def known_times(store: str, dataset: str) -> StepTimes:
    """Figures of this machine, with today's date; those there are stay where they are not measured anew."""
    before = [one for one in load_step_times(store) if (one.device, one.dataset) == (processor_name(), dataset)]
    return StepTimes(
        dataset=dataset,
        device=processor_name(),
        commit=commit(),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=package_versions(("keras", "numpy", "tensorflow-cpu", "jax")),
        peak_operations_per_second=peak_operations(),
        rows=tuple(row for one in before for row in one.rows),
    )


def _key(row: StepTime) -> tuple[str, ...]:
    return row.model, row.backend, row.execution, row.precision


if __name__ == "__main__":
    main()
