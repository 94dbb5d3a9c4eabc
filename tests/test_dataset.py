"""Datasets: splits, export, and properties that hold for every specification."""

import errno

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectra_lib._base.errors import SpecificationError, SpectraError
from spectra_lib.datasets import dataset as dataset_module
from spectra_lib.datasets.dataset import SPLITS, export_dataset, make_dataset
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint


@st.composite
def specifications(draw) -> DatasetSpec:
    """Any specification, small enough to be made in no time."""
    n_points = draw(st.integers(2, 400))
    low, high = sorted(draw(st.tuples(st.floats(0.1, 20), st.floats(0.1, 20))))
    few, many = sorted(draw(st.tuples(st.integers(1, 6), st.integers(1, 6))))
    n_classes = draw(st.integers(2, 5))
    points = st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1]))
    change = st.fixed_dictionaries(
        {},
        optional={
            "shift": st.integers(0, 60),
            "height_change": st.floats(0, 1.5),
            "points": st.lists(points, min_size=1, max_size=4),
        },
    )
    return DatasetSpec.read(
        {
            "name": "drawn",
            "n_points": n_points,
            "n_classes": n_classes,
            "min_peaks": few,
            "max_peaks": many,
            "boundary": draw(st.integers(0, (n_points - 1) // 2)),
            "max_height": draw(st.integers(1, 3000)),
            "peak_count_law": draw(st.sampled_from(["gamma", "uniform"])),
            "gamma_shape": draw(st.floats(0.1, 5)),
            "gamma_scale": draw(st.floats(0.1, 5)),
            "variation": {
                "position_shift": draw(st.integers(0, 60)),
                "height_change": draw(st.floats(0, 1.5)),
                "width_range": (low, high),
                "keep_unit_heights": draw(st.booleans()),
            },
            "n_train": draw(st.integers(1, 6)),
            "n_validation": draw(st.integers(1, 3)),
            "test": {
                "shift": draw(st.integers(0, 60)),
                "height_change": draw(st.floats(0, 1.5)),
                "width": draw(st.floats(0.1, 20)),
                "points": draw(st.lists(points, min_size=1, max_size=9)),
                "changes": draw(st.dictionaries(st.integers(0, n_classes - 1), change, max_size=2)),
            },
            "seed": draw(st.integers(0, 2**40)),
        },
        "drawn",
    )


def make_or_none(spec: DatasetSpec):
    try:
        return make_dataset(spec)
    except SpecificationError as error:  # the only excuse: there are too few different classes
        assert "same fingerprint" in str(error)  # noqa: PT017
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specifications())
def test_every_specification_keeps_its_promises(spec):
    assert DatasetSpec.from_json(spec.to_json()) == spec
    dataset = make_or_none(spec)
    if dataset is None:
        return
    law, rule = spec.variation, spec.test

    assert len(set(dataset.fingerprints)) == spec.n_classes
    for fingerprint in dataset.fingerprints:
        assert 1 <= fingerprint.n_peaks <= spec.max_peaks
        assert all(spec.boundary <= p < spec.n_points - spec.boundary for p in fingerprint.positions)
        assert max(fingerprint.heights) == 1.0

    for split, number in ((dataset.train, spec.n_train), (dataset.validation, spec.n_validation)):
        assert split.labels.tolist() == [label for label in range(spec.n_classes) for _ in range(number)]
        for label, (positions, heights) in zip(split.labels, split.peaks, strict=True):
            ideal = dataset.fingerprints[label]
            near = np.array(ideal.positions)
            assert ((positions >= 0) & (positions < spec.n_points)).all()
            assert (positions >= np.clip(near - law.position_shift, 0, None)).all()
            assert (positions <= near + law.position_shift).all()
            assert ((heights >= 0) & (heights <= 2)).all()
            assert (abs(heights - ideal.heights) <= law.height_change + 1e-12).all()
            if law.keep_unit_heights:
                assert (heights[np.array(ideal.heights) == 1.0] == 1.0).all()
        assert ((split.peaks.widths >= law.width_range[0]) & (split.peaks.widths <= law.width_range[1])).all()

    expected = [label for label in range(spec.n_classes) for _ in rule.for_class(label)[2]]
    assert dataset.test.labels.tolist() == expected
    for label, (positions, heights) in zip(dataset.test.labels, dataset.test.peaks, strict=True):
        ideal = dataset.fingerprints[label]
        shift, change, _ = rule.for_class(label)
        assert (abs(positions - ideal.positions) <= shift).all()
        assert (abs(heights - ideal.heights) <= change + 1e-12).all()
    for name in SPLITS:
        spectra = dataset.split(name).spectra()
        assert spectra.shape == (len(dataset.split(name)), spec.n_points)
        assert np.isfinite(spectra).all()
        assert set(np.unique(spectra.max(axis=1))) <= {0.0, 1.0}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(specifications(), st.integers(1, 1000))
def test_the_seed_decides(spec, step):
    dataset, again = make_or_none(spec), make_or_none(spec)
    if dataset is None:
        return
    assert [dataset.split(name).digest for name in SPLITS] == [again.split(name).digest for name in SPLITS]
    other = make_or_none(spec.model_copy(update={"seed": spec.seed + step}))
    if other is not None and spec.variation.width_range[0] < spec.variation.width_range[1]:
        assert dataset.train.digest != other.train.digest
        assert dataset.validation.digest != other.validation.digest


def test_given_fingerprints_share_the_variation_law_but_not_the_draws():
    fingerprints = (
        Fingerprint(positions=(40,), heights=(1.0,)),
        Fingerprint(positions=(20, 60), heights=(0.5, 1.0)),
    )
    spec = DatasetSpec(name="two", n_points=100, n_classes=2, boundary=0, fingerprints=fingerprints)
    assert make_dataset(spec).fingerprints == fingerprints


def test_rows_of_a_split():
    split = make_dataset("smoke").train
    everything = split.spectra()
    assert everything.shape == (48, 256)
    assert everything.dtype == np.float32
    assert (split.spectra([5, 3]) == everything[[5, 3]]).all()
    assert (split.spectra(slice(2, 9)) == everything[2:9]).all()
    parts = list(split.batches(20))
    assert [(rows.start, rows.stop) for rows, _ in parts] == [(0, 20), (20, 40), (40, 48)]
    assert (np.concatenate([spectra for _, spectra in parts]) == everything).all()


def test_ideal_spectra_of_each_class(challenge):
    ideal = challenge.ideal
    assert ideal.labels.tolist() == list(range(27))
    assert [tuple(positions.tolist()) for positions, _ in ideal.peaks] == [f.positions for f in challenge.fingerprints]


def test_unknown_split():
    with pytest.raises(SpectraError, match="unknown split 'val'; expected one of train, validation, test"):
        make_dataset("smoke").split("val")


# Export


def read_export(path):
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return {name: file[name][:] for name in file} | {"specification": file.attrs["specification"]}
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_export_holds_everything(tmp_path, suffix):
    dataset = make_dataset("smoke")
    path = export_dataset(dataset, tmp_path / f"smoke{suffix}", chunk=7)
    arrays = read_export(path)
    assert DatasetSpec.from_json(str(arrays["specification"])) == dataset.spec
    for name in SPLITS:
        assert arrays[f"{name}_spectra"].dtype == np.float32
        assert (arrays[f"{name}_spectra"] == dataset.split(name).spectra()).all()
        assert (arrays[f"{name}_labels"] == dataset.split(name).labels).all()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_export_refuses_to_overwrite(tmp_path, suffix):
    path = tmp_path / f"smoke{suffix}"
    path.write_text("precious")
    with pytest.raises(SpectraError, match=r"smoke\S* exists; choose another name, or overwrite it with --force"):
        export_dataset(make_dataset("smoke"), path)
    assert path.read_text() == "precious"
    export_dataset(make_dataset("smoke"), path, overwrite=True)
    assert "train_spectra" in read_export(path)


def test_export_to_an_unknown_format(tmp_path):
    with pytest.raises(
        SpectraError, match=r"cannot tell the format from 'smoke.csv'; end the file name in .npz or .h5"
    ):
        export_dataset(make_dataset("smoke"), tmp_path / "smoke.csv")


def test_export_into_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(SpectraError, match=r"cannot write .*nowhere/smoke.npz: No such file or directory"):
        export_dataset(make_dataset("smoke"), tmp_path / "nowhere" / "smoke.npz")


def test_export_that_breaks_off_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "smoke.npz"
    path.write_text("old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dataset_module.npy_format, "write_array", full)
    with pytest.raises(SpectraError, match=r"cannot write .*smoke.npz: No space left on device"):
        export_dataset(make_dataset("smoke"), path, overwrite=True)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["smoke.npz"]


@pytest.mark.parametrize("name", ["smoke", "laptop_noisy"])
def test_rows_are_chosen_by_numpys_rules(name):
    split = make_dataset(name).test
    everything, n = split.spectra(), len(split)
    for rows in ([0, -1, -n], split.labels == 2, (split.labels == 2).tolist(), slice(3, None, 7), np.array([n - 1])):
        np.testing.assert_array_equal(split.spectra(rows), everything[rows])
    assert split.spectra([]).shape == (0, split.n_points)
    assert len(split.peaks.take(split.labels == 2)) == (split.labels == 2).sum()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (3, "0 dimensions"),
        ([[0, 1]], "2 dimensions"),
        ([0.5, 1.0], "whole numbers or truth values, received float64"),
        (["0"], "whole numbers or truth values"),
        ([36], "from -36 to 35, received 36"),
        ([0, -37], "received -37"),
        ([True, False], "one truth value for each of 36 rows, received 2"),
    ],
)
def test_rows_that_make_no_sense_are_refused(rows, told):
    with pytest.raises(SpectraError, match=told):
        make_dataset("smoke").test.spectra(rows)


def test_splits_and_datasets_are_told_in_a_line():
    data = make_dataset("laptop_noisy")
    assert repr(data.test) == "RealisticSplit of 162 spectra with 1000 points, 27 classes"
    assert all("\n" not in repr(one) and len(repr(one)) < 120 for one in (data, data.test, data.test.peaks))
    with pytest.raises(TypeError, match="take spectra\\(rows\\)"):
        list(data.test)
