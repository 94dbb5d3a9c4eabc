"""Step times: kept by machine and dataset, shown as a table, and the ground of the trainer's choice."""

import pytest

from spectra_lib.campaign import PUBLISHED
from spectra_lib.errors import StoreError
from spectra_lib.figures.methods import lost_by_windows, step_rows, sum_of_steps
from spectra_lib.step_times import StepTime, StepTimes, load_step_times, save_step_times
from spectra_lib.training import automatic_execution


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


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
@pytest.mark.parametrize(("precision", "worthwhile"), [("float32", 1.25), ("mixed_bfloat16", 2.3)])
def test_the_trainer_takes_windows_where_they_save_enough(backend, precision, worthwhile):
    assert automatic_execution("cnn2", backend, worthwhile, precision) == "windows"
    assert automatic_execution("cnn2", backend, worthwhile - 0.01, precision) != "windows"
    # batch normalisation is computed in float32 whatever the precision
    assert automatic_execution("cnn_bn", backend, 1.25, precision, normalized=True) == "windows"
    assert automatic_execution("cnn_bn", backend, 1.24, precision, normalized=True) != "windows"


def test_the_trainer_takes_another_way_where_there_are_no_windows():
    for saving in (None, 1.0):
        assert automatic_execution("cnn2", "tensorflow", saving) == "graph"
        assert automatic_execution("cnn2", "jax", saving) == "xla"
        assert automatic_execution("peaknet", "tensorflow", saving) == "xla"  # which makes it faster
    assert automatic_execution("cnn2", "torch", None) == automatic_execution("peaknet", "torch", None) == "eager"
