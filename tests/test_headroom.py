"""Ceilings of harder datasets and errors against training data: what is kept is what the code gives."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from spectra_lib._base.errors import StoreError, UnknownNameError
from spectra_lib.analysis import headroom
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.datasets.harder import HARDER
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.figures import headroom as figures
from spectra_lib.figures.style import new_figure
from spectra_lib.runs.records import RunRecords


@pytest.fixture
def _small(monkeypatch):
    """A series that takes a moment."""
    make = lambda n: dataset_spec("smoke").model_copy(update={"name": f"smoke-{n:.0f}", "n_classes": int(n)})  # noqa: E731
    monkeypatch.setattr(headroom, "CEILINGS", {"few": ("Number of classes", (2, 6), make)})
    monkeypatch.setattr(headroom, "LEARNING", {"mid_range-smoke": "smoke"})
    monkeypatch.setattr(headroom, "TRAINING_SIZES", (1, 12))
    monkeypatch.setattr(headroom, "SPECTRA", 200)


@pytest.mark.usefixtures("_small")
def test_series_are_kept_and_read(tmp_path):
    assert headroom.load_series(tmp_path, "few") is None
    said: list[str] = []
    for name in headroom.list_series():
        series = headroom.measure_series(name, said.append)
        headroom.save_series(tmp_path, series)
        assert headroom.load_series(tmp_path, name) == series
    assert len(said) == 4
    assert [p.name for p in (tmp_path / "headroom" / "ceilings").iterdir()] == ["few.json"]
    with pytest.raises(UnknownNameError, match="unknown series 'many'"):
        headroom.measure_series("many")


@pytest.mark.usefixtures("_small")
def test_a_series_of_other_datasets_or_a_damaged_one_is_refused(tmp_path, monkeypatch):
    path = headroom.save_series(tmp_path, headroom.measure_series("few"))
    label, _, make = headroom.CEILINGS["few"]
    monkeypatch.setattr(headroom, "CEILINGS", {"few": (label, (2, 7), make)})
    with pytest.raises(StoreError, match="not made from the datasets .*spectra-lib headroom run few"):
        headroom.load_series(tmp_path, "few")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(StoreError, match="make it again"):
        headroom.load_series(tmp_path, "few")


def test_committed_series_are_what_the_code_gives(project):
    """The first ceiling and the first point of learning are computed anew, all others read and checked."""
    store = project / "results"
    found = {name: headroom.load_series(store, name) for name in headroom.list_series()}
    for name, series in found.items():
        if series is None or name.endswith("benchmark"):
            continue
        if series.ceilings and name == "peaks":
            _, values, make = headroom.CEILINGS[name]
            assert headroom.measure_ceiling(values[0], make(values[0])) == series.ceilings[0]
        elif series.learning:
            spec = headroom.with_training_size(dataset_spec(headroom.LEARNING[name]), headroom.TRAINING_SIZES[0])
            assert headroom.measure_mid_range(make_dataset(spec)) == series.learning[0]


def test_training_sizes_leave_classes_and_test_set():
    base, few = make_dataset("smoke"), make_dataset(headroom.with_training_size(dataset_spec("smoke"), 3))
    assert few.fingerprints == base.fingerprints
    assert few.test.digest == base.test.digest
    assert len(few.train) == 12
    assert headroom.with_training_size(base.spec, 12) is base.spec


@pytest.mark.parametrize("spec", HARDER.values(), ids=lambda spec: spec.name)
def test_harder_datasets_are_neither_hopeless_nor_easy(spec):
    ceiling = headroom.measure_ceiling(0, spec, spectra=2000)
    assert 0.85 < ceiling.accuracy < 0.99
    # test spectra lie as far into the ranges as those of the general set
    assert spec.test.shift == 0.6 * spec.variation.position_shift
    assert spec.test.height_change == pytest.approx(0.8 * spec.variation.height_change)


def test_every_series_makes_datasets_that_the_observer_takes():
    for _, values, make in headroom.CEILINGS.values():
        for value in values:
            spec = make(value).model_copy(update={"n_train": 1, "n_validation": 1})
            if spec.n_classes <= 500:
                bayes_classifier(make_dataset(spec))


@pytest.mark.usefixtures("_small")
def test_figures():
    ceilings = headroom.measure_series("few").ceilings
    learning = headroom.measure_series("mid_range-smoke").learning
    runs = pd.DataFrame(
        [("cnn2", "linear", 12, 0, 1, 0, 36), ("my_net", None, 3, 0, 1, 4, 36)],
        columns=headroom.network_learning(RunRecords(()), dataset_spec("smoke")).columns,
    )
    figure, (a, b) = new_figure(5, rows=2)
    figures.draw_ceiling_series(a, ceilings, "Classes", usual=2)
    figures.draw_learning(b, learning, runs, 0.4, 36)
    figures.draw_learning(b, (), runs[:0], 0.4, 36)
    figure.canvas.draw()
    sets = [headroom.measure_harder(spec) for spec in (dataset_spec("smoke"), HARDER["two_peaks"])]
    for tables in ({"smoke": runs, "two_peaks": runs[:0]}, {"smoke": runs[:0], "two_peaks": runs[:0]}):
        b.clear()
        figures.draw_harder(b, sets, tables)
        labels = [text.get_text() for text in b.get_legend().get_texts()]
        assert ("CNN2 (linear)" in labels) == bool(len(tables["smoke"]))
        rows = figures.harder_rows(sets, tables)
        assert rows["CNN2 (ReLU)"].tolist() == ["–", "–"]  # only a linear one ran
    with_relu = runs.assign(hidden_activation="relu")
    rows = figures.harder_rows(sets, {"smoke": with_relu, "two_peaks": runs[:0]})
    assert rows["CNN2 (ReLU)"].tolist() == ["0.0", "–"]
    assert rows["Peaks"].tolist() == ["2–4", "2"]
    figure.canvas.draw()
    assert figures.ceiling_series_rows((), "Classes").empty
    assert figures.ceiling_series_rows(ceilings, "Classes")["Classes"].tolist() == ["2", "6"]
    plt.close(figure)
