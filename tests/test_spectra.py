"""Rendering: golden numbers, the published spectra, and SciPy's filter as an independent judge."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.rendering import ROWS_WORTH_A_THREAD, gaussian_maximum, render


def by_scipy(table: PeakTable, row: int, n_points: int) -> np.ndarray:
    positions, heights = table.peaks(row)
    line = np.zeros(n_points)
    for position, height in zip(positions, heights, strict=True):
        line[position] = height
    return gaussian_filter1d(line, table.widths[row], mode="constant", truncate=4.0)


@pytest.mark.parametrize(
    ("name", "split", "row", "total", "highest", "where"),
    [
        ("benchmark", "train", 0, 4.654142985031227, 0.08935937101901342, 3283),
        ("benchmark", "train", 24999, 2.641159992474531, 0.13560836168171475, 1489),
        ("benchmark", "validation", 2500, 1.911168092685511, 0.08376741962387099, 992),
        ("benchmark", "test", 4499, 2.617, 0.199474647864745, 1503),
        ("challenge", "train", 675, 1.1837142332993533, 0.19826878705829526, 2064),
        ("challenge", "validation", 269, 1.4962229037361738, 0.098531897611637, 2744),
        ("challenge", "test", 161, 1.4, 0.199474647864745, 2780),
    ],
)
def test_sum_and_maximum_of_rows(request, name, split, row, total, highest, where):
    dataset = request.getfixturevalue(name)
    (spectrum,) = dataset.split(split).spectra([row], normalize=False, dtype=np.float64)
    assert spectrum.sum() == pytest.approx(total, abs=1e-12)
    assert spectrum.max() == pytest.approx(highest, abs=1e-12)
    assert spectrum.argmax() == where


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
@pytest.mark.parametrize(("split", "key"), [("train", "train"), ("validation", "val"), ("test", "test")])
@pytest.mark.parametrize("name", ["benchmark", "challenge"])
def test_published_spectra(request, reference, name, split, key, dtype, tolerance):
    dataset = request.getfixturevalue(name)
    ours = dataset.split(split)
    with np.load(reference / f"{name}_spectra.npz", allow_pickle=False) as published:
        rows = published[f"{key}_rows"]
        given = published[f"{key}_spectra"]
        whole = {what: published[f"{key}_{what}_all_rows"] for what in ("sum", "max", "argmax")}
    assert len(rows) >= 72
    assert abs(ours.spectra(rows, normalize=False, dtype=dtype) - given).max() < tolerance
    assert len(whole["sum"]) == len(ours)
    for chosen in (slice(start, start + 1000) for start in range(0, len(ours), 1000)):
        spectra = ours.spectra(chosen, normalize=False, dtype=dtype)
        assert abs(spectra.sum(axis=1, dtype=float) - whole["sum"][chosen]).max() < tolerance
        assert abs(spectra.max(axis=1) - whole["max"][chosen]).max() < tolerance
        assert (spectra.argmax(axis=1) == whole["argmax"][chosen]).all()


def test_agrees_with_scipy_near_edges_and_where_peaks_meet():
    rng = np.random.default_rng(0)
    positions = [[0], [99], [0, 99], [50, 50], [50, 51, 52], [3, 3, 3, 4], *rng.integers(0, 100, (200, 6))]
    heights = [rng.uniform(0, 2, len(p)) for p in positions]
    table = PeakTable.from_lists(positions, heights, rng.uniform(0.1, 30, len(positions)))
    ours = render(table, 100, normalize=False, dtype=np.float64)
    scaled = render(table, 100)
    assert scaled.dtype == np.float32
    for row in range(len(table)):
        expected = by_scipy(table, row, 100)
        assert abs(ours[row] - expected).max() < 1e-12
        assert abs(scaled[row] - expected / expected.max()).max() < 1e-6


def test_a_later_peak_replaces_an_earlier_one():
    table = PeakTable.from_lists([[5, 5]], [[1.0, 0.25]], [1.0])
    assert render(table, 11, normalize=False).sum() == pytest.approx(0.25)


def test_a_spectrum_whose_peaks_all_vanished_stays_zero():
    table = PeakTable.from_lists([[5, 7]], [[0.0, 0.0]], [1.0])
    assert (render(table, 11) == 0).all()


def test_highest_point_is_one(benchmark):
    assert (benchmark.train.spectra(slice(0, 500)).max(axis=1) == 1).all()


def test_many_rows_in_threads_equal_single_rows(challenge):
    rows = np.resize(np.arange(len(challenge.train)), 2 * ROWS_WORTH_A_THREAD + 1)
    together = challenge.train.spectra(rows)
    assert (together[: len(challenge.train)] == challenge.train.spectra()).all()
    assert (together[-1] == challenge.train.spectra([rows[-1]])[0]).all()


def test_no_rows():
    assert render(PeakTable.from_lists([], [], []), 7).shape == (0, 7)


def test_peak_outside_the_spectrum():
    table = PeakTable.from_lists([[11]], [[1.0]], [1.0])
    with pytest.raises(SpectraError, match="position 11 lies outside the 11 points .* positions go from 0 to 10"):
        render(table, 11)


@pytest.mark.parametrize("width", [0.3, 2.0, 5.0])
def test_maximum_of_a_lone_peak(width):
    table = PeakTable.from_lists([[60]], [[1.0]], [width])
    assert render(table, 121, normalize=False, dtype=np.float64).max() == pytest.approx(
        gaussian_maximum(width), abs=1e-14
    )
