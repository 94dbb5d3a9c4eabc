"""Measure rendering, training and memory against their limits: ``make bench``.

Prints a table, writes ``benchmarks/latest.json``, and exits with 1 if a limit is exceeded. Ratios are
taken within one run, so that they hold on a machine that is slow or busy. The parts that measure memory
have a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LATEST = Path(__file__).with_name("latest.json")


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Shortest of several times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def rendering() -> dict[str, float]:
    """All spectra of the benchmark against a plain loop with SciPy, and one batch."""
    import numpy as np
    from scipy.ndimage import gaussian_filter1d

    from spectra_lib.dataset import SPLITS, make_dataset

    dataset = make_dataset("benchmark")
    splits = [dataset.split(name) for name in SPLITS]

    def plain() -> None:
        for split in splits:
            for (positions, heights), width in zip(split.peaks, split.peaks.widths, strict=True):
                line = np.zeros(split.n_points)
                line[positions] = heights
                spectrum = gaussian_filter1d(line, width, mode="constant", truncate=4.0)
                spectrum /= spectrum.max()

    def ours() -> None:
        for split in splits:
            split.spectra()

    ours()  # compiles, or loads what was compiled before
    rows = np.random.default_rng(0).permutation(len(dataset.train))[:128]
    batch = best_of(200, lambda: dataset.train.spectra(rows))
    return {"rendering_speedup": best_of(1, plain) / best_of(5, ours), "batch_of_128_ms": 1e3 * batch}


def memory_of_a_pass() -> dict[str, float]:
    """What one pass over the training set in batches adds to the process."""
    from spectra_lib.backend import peak_memory
    from spectra_lib.dataset import make_dataset

    split = make_dataset("benchmark").train
    split.spectra([0])
    before = peak_memory()
    for _ in split.batches(128):
        pass
    return {"pass_in_batches_added_MB": (peak_memory() - before) / 1e6}


def training_overhead() -> dict[str, float]:
    """An epoch of the trainer against Keras's fit on arrays in memory, same network, same steps."""
    import tempfile

    import keras

    from spectra_lib import backend
    from spectra_lib.checkpoints import CheckpointFolder
    from spectra_lib.dataset import make_dataset
    from spectra_lib.networks import build_model
    from spectra_lib.runs import RunSpec
    from spectra_lib.training import _Trainer

    dataset = make_dataset("challenge")
    model = build_model("vgg", 5000, 27)
    bare = keras.Model(model.inputs, model.get_layer("logits").output)
    backend.compile_for_training(bare, 3e-4, "graph")
    train, validation = ((s.spectra()[..., None], s.labels) for s in (dataset.train, dataset.validation))
    trainer = _Trainer(RunSpec(dataset="challenge", model="vgg"), dataset, "graph")
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder) / "run")

        def bare_epoch() -> None:
            bare.fit(*train, batch_size=128, validation_data=validation, validation_batch_size=128, verbose=0)

        def our_epoch() -> None:
            trainer.run_epoch()
            progress = trainer.progress
            state = backend.get_state(trainer.variables)
            kept = progress.kept_epoch, trainer.kept
            checkpoints.write(progress.epoch, trainer.book(), state, kept, 0.03 * trainer.history["seconds"][-1])

        bare_epoch(), our_epoch()  # both compile
        ratios = [best_of(1, our_epoch) / best_of(1, bare_epoch) for _ in range(5)]
        checkpoints.close()
    return {"trainer_over_bare_fit": sorted(ratios)[len(ratios) // 2]}


def memory_of_training() -> dict[str, float]:
    """Peak memory of training cnn2 on the general benchmark: some steps, an evaluation, a checkpoint."""
    import tempfile

    import numpy as np

    from spectra_lib import backend
    from spectra_lib.checkpoints import CheckpointFolder
    from spectra_lib.dataset import make_dataset
    from spectra_lib.runs import RunSpec
    from spectra_lib.training import SpectraBatches, _Trainer

    dataset = make_dataset("benchmark")
    trainer = _Trainer(RunSpec(dataset="benchmark", model="cnn2"), dataset, None)
    batches = SpectraBatches(dataset.train, np.arange(128 * 8), 128, trainer.plan)
    trainer.trained.fit(batches, verbose=0)
    trainer.evaluate(dataset.validation)
    trainer.kept = backend.get_state(trainer.model.weights)
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = CheckpointFolder(Path(folder) / "run")
        # an epoch takes minutes here, so that the trainer waits for the checkpoint
        checkpoints.write(1, trainer.book(), backend.get_state(trainer.variables), (0, trainer.kept), patience=60)
        trainer.trained.fit(batches, verbose=0)
        checkpoints.close()
    return {"cnn2_on_benchmark_peak_GB": backend.peak_memory() / 1e9}


PARTS = {part.__name__: part for part in (rendering, memory_of_a_pass, training_overhead, memory_of_training)}

LIMITS: dict[str, tuple[str, float]] = {
    "rendering_speedup": ("at least", 40.0),
    "batch_of_128_ms": ("at most", 0.5),
    "pass_in_batches_added_MB": ("at most", 150.0),
    "trainer_over_bare_fit": ("at most", 1.05),
    "cnn2_on_benchmark_peak_GB": ("at most", 1.6),
}


def main() -> int:
    """Measure every part and compare with the limits."""
    if len(sys.argv) == 2:  # one part, in this process
        print(json.dumps(PARTS[sys.argv[1]]()))
        return 0
    figures: dict[str, float] = {}
    for name in PARTS:
        done = subprocess.run([sys.executable, __file__, name], stdout=subprocess.PIPE, text=True, check=True)
        figures |= json.loads(done.stdout.splitlines()[-1])
    failed = 0
    for name, value in figures.items():
        word, limit = LIMITS[name]
        good = value >= limit if word == "at least" else value <= limit
        failed += not good
        print(f"{name:28} {value:10.3f}   {word} {limit:g}   {'pass' if good else 'FAIL'}")
    LATEST.write_text(json.dumps(figures, indent=1) + "\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
