"""Figures: what they show, in tables, sliders, live explorers and axes."""

import base64
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")

import matplotlib.pyplot as plt

from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.datasets.statistics import expected_peak_counts, peak_counts, peaks_of
from spectra_lib.figures import architectures, benchmark, dataset, explorer, frames, style, tables
from spectra_lib.networks import describe_model
from spectra_lib.paper.published import published_challenge, published_runs


@pytest.fixture(autouse=True)
def styled():
    with style.style():
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def smoke():
    return make_dataset("smoke")


def contrast(color: str) -> float:
    """Contrast of a colour on white, as WCAG 2 defines it."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05)


def test_every_published_network_has_a_look_of_its_own():
    looks = list(style.NETWORKS.values())
    assert set(style.NETWORKS) == set(published_runs().model)
    assert len({look.marker for look in looks}) == len({look.color for look in looks}) == len(looks)


def test_text_colours_are_legible():
    assert contrast(style.INK) > 7 and contrast(style.GREY) > 4.5
    assert style.RC["font.size"] >= 10 and style.WIDTH <= 6


def test_spectra_are_drawn_as_they_are(smoke):
    _, (axes,) = style.new_figure(2)
    spectra = smoke.train.spectra([0, 1])
    dataset.draw_spectra(axes, spectra, ["a", "b"], shaded=(10, 20))
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    for line, spectrum in zip(axes.lines, spectra, strict=True):
        assert np.array_equal(line.get_ydata(), spectrum)


def test_stacked_spectra_are_lifted(smoke):
    _, (axes,) = style.new_figure(2)
    spectra = smoke.train.spectra([0, 1, 2])
    dataset.draw_stacked(axes, spectra, step=2.0)
    assert [float(line.get_ydata().min()) for line in axes.lines] == [0.0, 2.0, 4.0]


def test_peak_variation_shows_all_spectra(smoke):
    _, (axes,) = style.new_figure(2)
    seen = {name: peaks_of(smoke.split(name), 1, 0) for name in ("train", "validation", "test")}
    dataset.draw_peak_variation(axes, seen, ideal=(30, 1.0))
    assert [len(points.get_offsets()) for points in axes.collections] == [12, 4, 9]
    assert [points.get_label() for points in axes.collections] == ["training (12)", "validation (4)", "test (9)"]


def test_peak_counts_add_up(smoke):
    _, (axes,) = style.new_figure(2)
    dataset.draw_peak_counts(axes, peak_counts(smoke), expected_peak_counts(smoke.spec))
    assert sum(bar.get_height() for bar in axes.patches) == smoke.spec.n_classes
    assert axes.lines[0].get_ydata().sum() == pytest.approx(smoke.spec.n_classes)


def test_published_runs_and_ours_are_all_drawn():
    _, (axes,) = style.new_figure(3)
    theirs = published_runs()
    ours = pd.DataFrame({"model": ["vgg", "vgg"], "test_errors": [20, 21]})
    benchmark.draw_runs_by_network(axes, ["vgg", "cnn6"], theirs, ours, "test_errors", "errors")
    drawn = sorted(
        x for line in axes.lines for x in line.get_xdata() if len(line.get_xdata()) and line.get_marker() == "o"
    )
    expected = [*theirs[theirs.model.isin(["vgg", "cnn6"])].test_errors, 20, 21]
    assert drawn == sorted(expected)
    assert axes.get_xlim()[1] > max(expected)


def test_figures_without_runs_say_so():
    _, (axes,) = style.new_figure(3)
    benchmark.draw_runs_by_network(axes, ["vgg"], published_runs(), published_runs()[:0], "test_errors", "errors")
    assert "no run of ours yet" in [text.get_text() for text in axes.texts]


def test_activations_are_kept_apart():
    _, (axes,) = style.new_figure(3)
    ours = pd.DataFrame({"model": ["resnet"], "hidden_activation": [None], "correct": [6]})
    groups = benchmark.by_activation(published_challenge(), ours)
    benchmark.draw_groups_by_network(axes, ["cnn2", "resnet"], groups, "correct", "correct")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["linear, published", "ReLU, published", "no hidden layers, ours"]


def test_accuracies_of_published_runs_and_ours_share_a_row():
    theirs = published_runs().assign(test_accuracy=lambda runs: 1 - runs.test_errors / 4500)
    columns = ("running_train_accuracy", "train_accuracy", "validation_accuracy", "test_accuracy")
    ours = pd.DataFrame({"model": ["cnn2", "cnn2"], "seed": [1, 7], **{name: [0.5, 0.25] for name in columns}})
    rows = benchmark.accuracy_rows(["cnn2", "vgg"], theirs, ours)
    assert rows.Seed.tolist() == [0, 1, 2, 3, 4, 7, 0, 1, 2, 3, 4]
    assert rows["Test, published"].tolist()[:2] == ["99.24", "99.13"]
    assert rows["Test, ours"].tolist()[:3] == ["–", "50.00", "–"]
    assert rows.iloc[5].tolist() == ["CNN2", 7, "–", "25.00", "25.00", "–", "25.00", "–", "25.00"]


def test_losses_are_one_line_for_each_run():
    curves = pd.DataFrame(
        [(run, "vgg", 0, epoch, 0.1) for run in ("linear", "relu") for epoch in range(3)],
        columns=["run", "model", "seed", "epoch", "val_loss"],
    )
    _, (axes, empty) = style.new_figure(3, columns=2)
    theirs = curves.drop(columns="run")[:3].assign(model="cnn2")
    benchmark.draw_validation_losses(axes, theirs, curves, "vgg")
    assert [len(line.get_xdata()) for line in axes.lines] == [3, 3]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours (2)"]
    benchmark.draw_validation_losses(empty, theirs, curves, "cnn6")
    assert "no run of ours yet" in [text.get_text() for text in empty.texts]


@pytest.mark.parametrize("limits", [(3.2, 3.4), (3.0, 7.0), (0.6, 3.5), (0.02, 0.5), (0.015, 0.45), (1e-3, 10.0)])
def test_a_logarithmic_scale_has_two_numbers_or_more(limits):
    figure, (axes,) = style.new_figure(3)
    axes.set(yscale="log", ylim=limits)
    benchmark.label_log_scale(axes)
    figure.canvas.draw()
    low, high = limits
    shown = [t.get_text() for t, y in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True) if low <= y <= high]
    assert len([text for text in shown if text]) >= 2


def test_costs_are_drawn_for_networks_with_runs():
    figure, panels = style.new_figure(3, columns=2)
    theirs = pd.Series([30, 40, 10], index=["cnn2", "cnn2", "cnn6"])
    weights, minutes = pd.Series({"cnn2": 19.0, "cnn6": 20.0}), pd.Series({"cnn2": 5.0})
    costs = {"Weights": (weights, weights), "Minutes": (minutes, minutes)}
    benchmark.draw_costs(panels, ["cnn2", "cnn6"], costs, theirs, theirs[:0])
    points = [[tuple(line.get_xydata()[0]) for line in axes.lines if len(line.get_xdata()) == 1] for axes in panels]
    assert points == [[(19.0, 35.0), (20.0, 10.0)], [(5.0, 35.0)]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["CNN2", "CNN6"]


def test_receptive_fields_are_labelled():
    _, (axes,) = style.new_figure(3)
    networks = [describe_model(name) for name in ("cnn2", "cnn_bn")]
    architectures.draw_receptive_fields(axes, networks, {"a length": 100.0}, 5000)
    assert [text.get_text() for text in axes.texts] == [str(d.receptive_field) for d in networks]


def test_architecture_rows_are_the_papers_table():
    rows = architectures.architecture_rows([describe_model(name) for name in ("cnn6", "resnet", "vgg")])
    assert rows.iloc[0].tolist() == ["CNN6", 6, "35, 30, 25, 20, 15, 10", "plain", "3100, 1200", "ReLU", "0.7"]
    assert rows.iloc[1]["Hidden layers"] == "none" and rows.iloc[1]["Dropout"] == "0.5"
    assert rows.iloc[2]["Dropout"] == "0.2 (conv.)"


def test_table_is_a_numbered_directive_with_numbers_to_the_right():
    frame = pd.DataFrame({"Network": ["CNN2", "a|b"], "Errors": [38, 9], "Share": ["93 %", "–"]})
    text = tables.Table("tab-x", "Caption.", frame).markdown()
    assert text.startswith(":::{table} Caption.\n:name: tab-x\n")
    assert "|:--|--:|--:|" in text
    assert r"a\|b" in text


def test_table_for_other_readers():
    bundle = tables.Table("tab-x", "Caption.", pd.DataFrame({"Network": ["CNN2"]}))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", "text/markdown"}
    assert "CNN2" in bundle["text/html"] and "CNN2" in bundle["text/plain"]


def test_frames_show_the_first_picture_without_scripts():
    pictures = [(f"picture {k}", f'number <{k}> & "more"', style.new_figure(1)[0]) for k in range(3)]
    page = frames.make_frames("demo", "Number", pictures)._repr_html_()
    images = re.findall(r"<img [^>]*?>", page)
    assert len(images) == 3
    assert [" hidden" in image for image in images] == [False, True, True]
    assert 'alt="number &lt;0&gt; &amp; &quot;more&quot;"' in page
    assert 'max="2"' in page and 'for="demo-slider"' in page
    svg = base64.b64decode(re.search(r"base64,([^\"]+)", images[0]).group(1))
    assert b"<svg" in svg
    assert not plt.get_fignums()


def test_explorer_draws_the_class_that_is_chosen(smoke, capsys):
    drawn = []
    widget = explorer.class_explorer(smoke, label=1)
    widget.f = lambda **values: drawn.append(values)
    label, shift, change, width = widget.children[:4]
    assert (label.max, shift.max, round(change.max, 3)) == (3, 5, 0.05)
    label.value, shift.value = 2, -3
    widget.update()
    assert drawn[-1]["label"] == 2 and drawn[-1]["shift"] == -3
    assert width.value == smoke.spec.test.width
    capsys.readouterr()
