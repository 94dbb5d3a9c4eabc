"""Step times: kept by machine and dataset, shown as a table, and the ground of the trainer's choice."""

import itertools
from pathlib import Path

import pytest

from spectra_lib.ablations import NORMALISED
from spectra_lib.errors import StoreError
from spectra_lib.figures.methods import lost_by_windows, step_rows, sum_of_steps
from spectra_lib.networks.catalogue import PUBLISHED
from spectra_lib.step_times import StepTime, StepTimes, load_step_times, save_step_times
from spectra_lib.training import automatic_execution

RESULTS = Path(__file__).parents[1] / "results"


def times_of(*rows, **fields):
    about = {
        "dataset": "benchmark",
        "device": "Fast, 2 cores",
        "commit": "abc",
        "measured": "2026-01-01T00:00:00+00:00",
    }
    return StepTimes(versions={"numpy": "2"}, peak_operations_per_second=1e11, rows=rows, **about | fields)


def row(model, execution, seconds, backend="tensorflow", **fields):
    return StepTime(model=model, backend=backend, execution=execution, precision="float32", seconds=seconds, **fields)


def test_figures_are_kept_by_machine_and_the_newest_comes_first(tmp_path):
    old, new = times_of(row("vgg", "graph", 1.0)), times_of(device="Other (R)", measured="2026-02-01T00:00:00+00:00")
    assert save_step_times(tmp_path, old) == tmp_path / "speed" / "fast_2_cores" / "benchmark.json"
    assert save_step_times(tmp_path, new).parent.name == "other_r"
    assert load_step_times(tmp_path) == [new, old]


def test_a_damaged_file_is_named(tmp_path):
    path = save_step_times(tmp_path, times_of(row("vgg", "graph", 1.0)))
    path.write_text(path.read_text()[:80])
    with pytest.raises(StoreError, match=r"fast_2_cores/benchmark\.json: not step times .*; delete it"):
        load_step_times(tmp_path)


def test_the_table_marks_the_fastest_way_and_tells_a_failure_from_a_way_that_cannot_be():
    times = times_of(
        row("vgg", "graph", 0.5, share_of_peak=0.25, peak_memory_bytes=2_000_000_000),
        row("vgg", "xla", None, failure="took longer than 180 s"),
        row("vgg", "windows", None, failure="windows save nothing in this network"),
        row("vgg", "xla", 0.75, backend="jax"),
    )
    (cells,) = step_rows(times).itertuples(index=False)
    assert list(cells) == ["VGG", "**0.50**", "none", "–", "0.75", "", "25", "2.0"]


def test_the_sum_compares_like_with_like():
    times = times_of(
        row("cnn2", "graph", 0.4),
        row("cnn2", "windows", 0.1, saving=2.5),
        row("vgg", "graph", 0.3),
        row("inc3", "xla", 9),
    )
    assert sum_of_steps(times, PUBLISHED) == (2, pytest.approx(0.7), pytest.approx(0.4))


def test_where_windows_lose_is_said_by_machine():
    slow = times_of(row("inc3", "graph", 4.4), row("inc3", "windows", 5.0, saving=1.9), row("vgg", "graph", 0.2))
    assert f"on {slow.device} they lose time with INC3 (5.0 s against 4.4 s a step)." in lost_by_windows(
        [slow], PUBLISHED
    )
    fast = times_of(row("inc3", "graph", 4.4), row("inc3", "windows", 3.0, saving=1.9))
    assert lost_by_windows([fast], PUBLISHED).startswith("On no machine")


def test_the_trainer_chooses_the_fastest_way_that_was_measured():
    """Within the scatter of such a measurement; on the newest figures of the general benchmark."""
    times = next(times for times in load_step_times(RESULTS) if times.dataset == "benchmark")
    models = {row.model for row in times.rows}
    assert len(models) >= 5
    for model, precision in itertools.product(models, ("float32", "mixed_bfloat16")):
        for backend in ("tensorflow", "jax"):
            windows = times.find(model, backend, "windows", precision)
            fastest = times.fastest(model, backend, precision)
            if windows is not None and fastest is not None:
                normalized = model in NORMALISED
                chosen = automatic_execution(model, backend, windows.saving, precision, normalized=normalized)
                # ten milliseconds either way are nothing in a step of 128 spectra
                limit = max(1.05 * fastest.seconds, fastest.seconds + 0.01)
                assert times.find(model, backend, chosen, precision).seconds <= limit, (model, backend, precision)
