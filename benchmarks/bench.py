"""Measure rendering, training and memory on this machine, each against its limit.

Each measurement has a process of its own. Prints a table, writes ``benchmarks/latest.json``, and ends
with exit code 1 if a limit is missed. Timings mean something only on a machine that does nothing else.

    python benchmarks/bench.py                      # everything, about ten minutes on two cores
    python benchmarks/bench.py --only rendering
"""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

LATEST = Path(__file__).with_name("latest.json")
SPLITS = ("train", "validation", "test")

RATIO_LIMIT = 40.0
BATCH_LIMIT_MS = 0.5
PASS_LIMIT_MB = 150.0
OVERHEAD_LIMIT_PERCENT = 5.0
OVERHEAD_EPOCHS = 10
MEMORY_LIMIT_GB = 1.6
POSTERIOR_LIMIT_S = 5.0


def row(what: str, value: float, unit: str, limit: float | None = None, at_least: bool = False) -> dict:
    """One line of the table; without a limit it is only told."""
    passed = None if limit is None else value >= limit if at_least else value <= limit
    return {"what": what, "value": value, "unit": unit, "limit": limit, "at_least": at_least, "passed": passed}


def rendering() -> list[dict]:
    """All spectra of the benchmark, and batches of them, against one SciPy filter call for each spectrum."""
    import numpy as np
    from scipy.ndimage import gaussian_filter1d

    from spectra_lib.datasets.dataset import make_dataset

    start = time.perf_counter()
    dataset = make_dataset("benchmark")
    making = time.perf_counter() - start
    dataset.train.spectra([0])  # compiled now, or taken from Numba's cache

    start = time.perf_counter()
    for name in SPLITS:
        split = dataset.split(name)
        spectra = np.zeros((len(split), split.n_points))  # both ways end in an array of all spectra
        for spectrum, (positions, heights), width in zip(spectra, split.peaks, split.peaks.widths, strict=True):
            spectrum[positions] = heights
            gaussian_filter1d(spectrum, width, mode="constant", truncate=4.0, output=spectrum)
            spectrum /= spectrum.max()
    plain = time.perf_counter() - start
    if abs(spectra - dataset.test.spectra()).max() > 2e-6:
        raise SystemExit("the two ways give different spectra")
    del spectra

    rendered = []
    for _ in range(5):
        start = time.perf_counter()
        for name in SPLITS:
            dataset.split(name).spectra()
        rendered.append(time.perf_counter() - start)

    rows = np.random.default_rng(0).permutation(len(dataset.train))
    batches = []
    for first in range(0, len(rows) - 128, 128):
        start = time.perf_counter()
        dataset.train.spectra(rows[first : first + 128])
        batches.append(time.perf_counter() - start)
    n_spectra = sum(len(dataset.split(name)) for name in SPLITS)
    return [
        row("making the benchmark's peak tables", making, "s"),
        row(f"plain SciPy loop, {n_spectra} spectra", plain, "s"),
        row("rendering the same", min(rendered), "s"),
        row("times faster than the plain loop", plain / min(rendered), "", RATIO_LIMIT, at_least=True),
        row("rendering a batch of 128", 1e3 * statistics.median(batches), "ms", BATCH_LIMIT_MS),
    ]


def rendering_memory() -> list[dict]:
    """Memory that one pass over the training spectra in batches adds to the process."""
    from spectra_lib.datasets.dataset import make_dataset
    from spectra_lib.training.backend import peak_memory

    split = make_dataset("benchmark").train
    split.spectra([0])
    before = peak_memory()
    total = sum(float(spectra[:, ::100].sum()) for _, spectra in split.batches(128))
    added = (peak_memory() - before) / 1e6
    if total <= 0:
        raise SystemExit("the spectra are empty")
    return [row("memory added by a pass over the training set in batches", added, "MB", PASS_LIMIT_MB)]


class EnoughError(Exception):
    """Ends a training run that has been watched for long enough."""


def overhead() -> list[dict]:
    """Trainer against `model.fit` on arrays in memory: same network, spectra, steps and validation.

    Epochs take turns in one process, since the speed of a machine may change by more than what is measured.
    """
    import keras

    from spectra_lib.datasets.dataset import make_dataset
    from spectra_lib.datasets.named import dataset_spec
    from spectra_lib.networks import build_model
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.training import backend
    from spectra_lib.training.trainer import train

    # The hardest case: the fewest spectra and the quickest network, so that an epoch's fixed costs weigh most.
    data = dataset_spec("challenge")
    dataset = make_dataset(data)
    x, y = dataset.train.spectra()[..., None], dataset.train.labels
    validation = dataset.validation.spectra()[..., None], dataset.validation.labels
    built = build_model("vgg", data.n_points, data.n_classes)
    model = keras.Model(built.inputs, built.get_layer("logits").output)
    backend.compile_for_training(model, 3e-4, "graph")
    plain, trained = [], []
    last = time.monotonic()

    def take_turns(_: object) -> None:
        nonlocal last
        trained.append(time.monotonic() - last)  # checkpoints and bookkeeping included
        start = time.monotonic()
        model.fit(x, y, batch_size=128, validation_data=validation, verbose=0)
        last = time.monotonic()
        plain.append(last - start)
        if len(plain) > OVERHEAD_EPOCHS:
            raise EnoughError  # the evaluation that makes a record is no part of the comparison

    first = backend.EXECUTIONS[backend.backend_name()][0]
    with tempfile.TemporaryDirectory() as store, contextlib.suppress(EnoughError):
        train(RunSpec(dataset="challenge", model="vgg"), store, execution=first, quiet=True, on_epoch=take_turns)
    plain, trained = plain[1:], trained[1:]  # the first epochs compile
    ratios = [ours / bare for ours, bare in zip(trained, plain, strict=True)]
    return [
        row("bare model.fit on arrays, vgg, an epoch on challenge", statistics.median(plain), "s"),
        row("our trainer, the same", statistics.median(trained), "s"),
        row(
            f"more than bare model.fit, median of {len(ratios)} pairs of epochs",
            100 * (statistics.median(ratios) - 1),
            "%",
            OVERHEAD_LIMIT_PERCENT,
        ),
    ]


def training_memory() -> list[dict]:
    """Peak memory of a whole run of cnn2 on the general benchmark, two epochs long."""
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.training.trainer import train

    with tempfile.TemporaryDirectory() as store:
        record = train(RunSpec(dataset="benchmark", model="cnn2", max_epochs=2), store, quiet=True)
    seconds = statistics.median(record.history.seconds)
    return [
        row(f"cnn2 on the benchmark, an epoch ({record.sessions[-1].execution})", seconds, "s"),
        row("peak memory of training cnn2 on the benchmark", record.peak_memory_bytes / 1e9, "GB", MEMORY_LIMIT_GB),
    ]


def posterior() -> list[dict]:
    """Seconds that the Bayes classifier takes for the test and the validation spectra of the general benchmark."""
    from spectra_lib.bayes.classifier import bayes_classifier
    from spectra_lib.datasets.dataset import make_dataset

    data = make_dataset("benchmark")
    observer = bayes_classifier(data)
    observer.posterior(make_dataset("smoke").test)  # compiled
    rows = []
    for name in ("test", "validation"):
        start = time.perf_counter()
        observer.posterior(data.split(name))
        what = f"posterior of the benchmark's {name} spectra"
        rows.append(row(what, time.perf_counter() - start, "s", POSTERIOR_LIMIT_S))
    return rows


MEASUREMENTS: dict[str, tuple[Callable[[], list[dict]], ...]] = {
    "rendering": (rendering, rendering_memory),
    "training": (overhead, training_memory),
    "observer": (posterior,),
}


def in_own_process(measurement: Callable[[], list[dict]]) -> list[dict]:
    """Memory of one measurement must not be counted for another."""
    command = [sys.executable, __file__, "--measure", measurement.__name__]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def text_of(line: dict) -> str:
    """Write a line of the table."""
    limit = "" if line["limit"] is None else f"{'at least' if line['at_least'] else 'at most'} {line['limit']:g}"
    verdict = {None: "", True: "pass", False: "FAIL"}[line["passed"]]
    return f"{line['what']:62} {line['value']:10.3f} {line['unit']:2}  {limit:12} {verdict}"


def main() -> int:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=MEASUREMENTS, help="measure only this")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    known = {function.__name__: function for functions in MEASUREMENTS.values() for function in functions}
    if arguments.measure:
        print(json.dumps(known[arguments.measure]()))
        return 0
    rows: list[dict] = []
    for group, functions in MEASUREMENTS.items():
        if arguments.only in (None, group):
            for function in functions:
                for line in in_own_process(function):
                    rows.append(line)
                    print(text_of(line), flush=True)
    machine = {"system": platform.platform(), "processor": platform.processor() or platform.machine()}
    when = datetime.now(UTC).isoformat(timespec="seconds")
    LATEST.write_text(json.dumps({"measured": when, "machine": machine, "rows": rows}, indent=1) + "\n")
    failed = [line["what"] for line in rows if line["passed"] is False]
    print(f"{len(failed)} limits missed" if failed else "every limit is kept")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
