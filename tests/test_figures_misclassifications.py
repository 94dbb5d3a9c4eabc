"""Figures about confused classes show what they are given."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt

import spectra_lib as sl
from spectra_lib.analysis import confusions
from spectra_lib.analysis.confusable import Cause
from spectra_lib.analysis.probe_answers import HEIGHT_BINS
from spectra_lib.datasets.probes import PAIRS, decision_map
from spectra_lib.figures import decision_regions, style
from spectra_lib.figures import misclassifications as figures
from spectra_lib.runs.records import load_records


@pytest.fixture(autouse=True)
def styled():
    with style.style():
        yield
    plt.close("all")


def test_the_matrix_has_a_number_in_each_confused_cell():
    cells = pd.DataFrame({"model": ["cnn2", "vgg"], "class_a": [1, 3], "class_b": [2, 4]})
    shown = [
        figures.Confusions("Published", pd.Series([6, 2]), cells, {"cnn2": 6, "vgg": 6}),
        figures.Confusions("Ours", pd.Series([], dtype=int), cells[:0], {}),
    ]
    _, axes = style.new_figure(3, columns=2)
    pairs = {Cause.MINOR: [(1, 2)], None: [(3, 4), (5, 6)]}
    figures.draw_confusions(axes, shown, pairs, ["cnn2", "vgg"])
    numbers = {tuple(t.get_position()): t.get_text() for t in axes[0].texts if t.get_text().isdigit()}
    assert numbers == {(0, 1): "6", (1, 3): "2"}
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["", "1/2", "", "3/4", "5/6"]
    assert {"Minor peak", "No such cause"} <= {t.get_text() for t in axes[0].texts}
    assert [t.get_text() for t in axes[1].texts] == ["no run yet"]
    colors = axes[0].collections[0].get_array().reshape(5, 2, 3)
    assert colors[1, 0].tolist() == pytest.approx(mpl.colors.to_rgb(style.BLUE))  # as many errors as there can be
    assert (colors[0] == 1).all()  # a heading
    assert (axes[1].collections[0].get_array() == 1).all()  # nothing has run


def test_the_second_spectrum_hangs_below(challenge):
    _, (axes,) = style.new_figure(2)
    spectra = challenge.ideal.spectra([0, 1])
    figures.draw_pair_spectra(axes, spectra, ["a", "b"], shaded=(10, 20))
    assert np.array_equal(axes.lines[0].get_ydata(), spectra[0])
    assert np.array_equal(axes.lines[1].get_ydata(), -spectra[1])


def test_fingerprints_are_mirrored(challenge):
    _, (axes,) = style.new_figure(2)
    two = challenge.fingerprints[:2]
    figures.draw_fingerprints_around(axes, two, ["a", "b"], 5000, shared=[700], reach=100)
    (shade,) = axes.patches
    assert (shade.get_x(), shade.get_width()) == (600, 200)
    assert axes.lines[0].get_ydata().tolist() == list(two[0].heights)
    assert axes.lines[1].get_ydata().tolist() == [-height for height in two[1].heights]


def test_wrong_answers_are_ringed():
    _, (axes,) = style.new_figure(2)
    peaks = [(np.array([1, 2, 3]), np.array([0.1, 0.2, 0.3])), (np.array([4, 5]), np.array([0.4, 0.5]))]
    figures.draw_peaks_of_pair(axes, peaks, peaks, ["a", "b"], [np.array([0, 2, 0]), np.array([0, 0])])
    rings = [line.get_xdata().tolist() for line in axes.lines if line.get_markersize() == 12]
    assert rings == [[2], []]


def test_regions_are_drawn_for_the_observer_and_each_run(challenge, project):
    records = load_records(project / "results").select(dataset="challenge")
    grids = [decision_map(challenge, pair) for pair in PAIRS["challenge"]]
    chosen = decision_regions.first_runs_with_maps(records, grids, 2)
    assert len({(r.spec.model, r.spec.hidden_activation) for r in chosen}) == len(chosen) == 2
    assert chosen[0].spec.model in decision_regions.MAPPED_IN_THE_PAPER
    _, axes = style.new_figure(5, 3, 3)
    decision_regions.draw_regions(axes, sl.bayes_classifier(challenge), grids, chosen)
    assert [a.get_ylabel() for a in axes[::3]] == ["Bayes classifier", *map(figures.name_of_run, chosen)]
    assert all(a.collections and len(a.lines) == 2 for a in axes)
    answered = axes[5].collections[0].get_array()
    labels = np.array(chosen[0].probes["map-18-19"].labels)
    assert answered.filled(-1).ravel().tolist() == np.select([labels == 18, labels == 19], [1.0, 0.0], -1).tolist()


def test_runs_without_maps_are_left_out(challenge, project):
    record = load_records(project / "results").select(dataset="challenge")[0]
    grids = [decision_map(challenge, (18, 19))]
    assert decision_regions.first_runs_with_maps([record.model_copy(update={"probes": {}})], grids, 4) == []


def test_distances_of_right_and_wrong_answers():
    _, (axes,) = style.new_figure(2)
    distances = pd.DataFrame({"own": [0.1, 0.2, 0.3], "other": [0.5, 0.1, 1.0], "wrong": [0, 2, 0]})
    figures.draw_distances(axes, distances, "title")
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0.1, 0.3], [0.2]]
    figures.draw_distances(axes, distances[:0], "title")


def test_occlusion_keeps_the_largest_peak_apart():
    figure, (axes,) = style.new_figure(3)
    shares = pd.Series(np.linspace(0, 1, len(HEIGHT_BINS)), index=[*"abcde", "largest"])
    figures.draw_occlusion(axes, {"cnn2": shares}, shares / 2, "title")
    figures.legend_of_all(figure, [axes])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["peak matching", "CNN2"]
    assert axes.lines[2].get_ydata() == pytest.approx([0, 20, 40, 60, 80])
    assert axes.lines[3].get_ydata().tolist() == [100]


def test_share_of_confused_classes():
    _, (axes,) = style.new_figure(2)
    figures.draw_confused_share(axes, np.array([2, 2, 4]), {"published": {0}, "ours": set()})
    published, ours = (line.get_ydata() for line in axes.lines)
    assert published[0] == 50 and np.isnan(published[1]) and published[2] == 0
    assert np.nansum(ours) == 0


def test_rows_of_pairs_read_as_they_shall(benchmark):
    errors = pd.DataFrame({"model": ["vgg"], "class_a": [246], "class_b": [382], "errors": [5], "runs": [3]})
    table = confusions.pair_table(benchmark, errors[:0], errors, {})
    expected = ["246/382", "minor peak", "0.04", 63, "0.03", "0.84", 0, "–", "5 (3)"]
    assert figures.pair_rows(table).iloc[0].tolist() == expected
