"""The explorer of decisions: what it asks, draws and says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import spectra_lib as sl
from spectra_lib.datasets.probes import GRID_SIZE, decision_map
from spectra_lib.figures import explorer


@pytest.fixture(scope="module")
def challenge():
    return sl.make_dataset("challenge")


def by_height(split):
    """A network that knows no more than whether a spectrum's lower peak is below 0.12."""
    answers = np.zeros((len(split), 27))
    low = np.array([heights.min() < 0.12 for _, heights in split.peaks])
    answers[low, 18], answers[~low, 19] = 0.75, 0.75
    answers[:, 3] = 0.25
    return answers


def test_a_moved_peak_is_put_before_recorded_and_live_networks(challenge, monkeypatch, capsys):
    grid = decision_map(challenge, (18, 19))
    monkeypatch.setattr(plt, "show", lambda: None)
    third = np.full((GRID_SIZE, GRID_SIZE), np.nan)
    shown = explorer.decision_explorer(challenge, grid, {"recorded": third}, {"live": by_height})
    sliders = {child.description: child for child in shown.children[:2]}
    assert (sliders["Position"].min, sliders["Position"].max) == (grid.positions[0], grid.positions[-1])
    assert sliders["Intensity"].max == grid.heights[-1]
    for height, label in ((0.05, 18), (0.2, 19)):
        shown.f(position=900, height=height)
        figure = plt.gcf()
        assert [axes.get_xlabel() for axes in figure.axes[1:]] == ["prediction: neither", f"prediction: {label}"]
        assert f"live: class {label} 75%, class 3 25%" in capsys.readouterr().out
        plt.close(figure)


@pytest.mark.parametrize(("answer", "words"), [(1.0, "18"), (0.0, "19"), (0.5, "either"), (np.nan, "neither")])
def test_answers_in_words(challenge, answer, words):
    grid = decision_map(challenge, (18, 19))
    figure = explorer.draw_moved_peak(
        challenge, grid, {"someone": np.full((GRID_SIZE, GRID_SIZE), answer)}, 900, float(grid.heights[3])
    )
    assert figure.axes[1].get_xlabel() == f"prediction: {words}"
    plt.close(figure)


def test_the_minor_peak_is_in_view(challenge):
    grid = decision_map(challenge, (0, 1))
    figure = explorer.draw_moved_peak(
        challenge, grid, {"someone": np.ones((GRID_SIZE, GRID_SIZE))}, int(grid.positions[3]), float(grid.heights[-1])
    )
    left, right = figure.axes[0].get_xlim()
    minor = challenge.fingerprints[grid.pair[0]].positions[grid.scaled]
    assert left < minor < right
    plt.close(figure)
