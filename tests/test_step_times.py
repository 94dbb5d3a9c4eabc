"""Step times: kept by machine and dataset, shown as a table, and the ground of the trainer's choice."""

import pytest

from spectra_lib._base.errors import StoreError
from spectra_lib.experiments.step_times import StepTime, StepTimes, load_step_times, save_step_times
from spectra_lib.figures.methods import step_rows, sum_of_steps
from spectra_lib.networks.catalogue import PUBLISHED


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


def test_the_table_marks_the_fastest_mode_and_tells_a_failure_from_a_mode_that_cannot_be():
    times = times_of(
        row("vgg", "plain", 0.6),
        row("vgg", "graph", 0.5, share_of_peak=0.25, peak_memory_bytes=2_000_000_000),
        row("vgg", "windows", None, failure="windows save nothing in this network"),
        row("vgg", "sparse", None, failure="took longer than 180 s"),
        row("vgg", "xla", 0.75, backend="jax"),
    )
    (cells,) = step_rows(times).itertuples(index=False)
    assert list(cells) == ["VGG", "0.60", "–", "**0.50**", "none", "0.75", "25", "2.0"]  # no XLA, no sparse JAX


def test_the_sum_takes_the_fastest_mode_of_each_network_that_has_one():
    times = times_of(
        row("cnn2", "plain", 0.4),
        row("cnn2", "sparse", 0.1, saving=2.5),
        row("vgg", "plain", 0.3),
        row("inc3", "xla", 9),
    )
    assert sum_of_steps(times, PUBLISHED, ("plain",)) == (2, pytest.approx(0.7))
    assert sum_of_steps(times, PUBLISHED, ("plain", "sparse")) == (2, pytest.approx(0.4))
