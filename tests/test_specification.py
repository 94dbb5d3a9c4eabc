"""Specifications: what they refuse and how they say it, and that they survive being written down."""

import json

import pytest

from spectra_lib._base.errors import SpecificationError, SpectraError, UnknownNameError
from spectra_lib.datasets.named import dataset_spec, list_datasets
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint, Variation

ONE = {"positions": [10], "heights": [1.0]}
TWO = {"positions": [20], "heights": [1.0]}


def read(**fields) -> DatasetSpec:
    return DatasetSpec.read({"name": "trial", "n_classes": 2, **fields}, "trial.json")


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        # each: what is wrong, and the field, value and remedy that the message must hold
        ({"fingerprints": [ONE, {"positions": [5000], "heights": [1.0]}]}, ("class 1", "5000", "raise n_points")),
        ({"fingerprints": [ONE, {"positions": [-3], "heights": [1.0]}]}, ("class 1", "-3", "0..4999", "move the peak")),
        (
            {"fingerprints": [ONE, {"positions": [], "heights": []}]},
            ("positions=()", "empty peak list", "at least one"),
        ),
        ({"fingerprints": [ONE, {"positions": [1, 2], "heights": [1.0]}]}, ("2 positions", "1 heights", "one height")),
        ({"fingerprints": [ONE, {"positions": [9, 2], "heights": [1, 1]}]}, ("positions=(9, 2)", "sort the peaks")),
        ({"fingerprints": [ONE, {"positions": [9], "heights": [2.0]}]}, ("heights=(2.0,)", "divide them by")),
        ({"fingerprints": [ONE, {"positions": [9], "heights": [float("nan")]}]}, ("heights.0", "nan", "finite")),
        ({"fingerprints": [ONE, {"positions": [9], "heights": [0.0]}]}, ("heights.0", "0.0", "greater than 0")),
        (
            {"fingerprints": [ONE, TWO, ONE], "n_classes": 3},
            ("classes 0 and 2", "same fingerprint", "remove or change"),
        ),
        ({"fingerprints": [ONE]}, ("1 fingerprints", "n_classes=2", "set n_classes")),
        ({"min_peaks": 11}, ("min_peaks=11", "above max_peaks=10", "lower it to at most 10")),
        ({"boundary": 2500}, ("boundary=2500", "no room", "n_points=5000", "below 2500")),
        ({"variation": {"width_range": [5, 2]}}, ("width_range=(5.0, 2.0)", "minimum above its maximum", "swap")),
        ({"variation": {"width_range": [0, 2]}}, ("variation.width_range.0", "greater than 0", "received 0")),
        ({"variation": {"height_change": float("nan")}}, ("variation.height_change", "finite", "received nan")),
        ({"variation": {"position_shift": -1}}, ("variation.position_shift", "greater than or equal to 0", "-1")),
        ({"test": {"changes": {"2": {"shift": 3}}}}, ("test.changes", "class 2", "use labels 0..1")),
        ({"test": {"points": [[0, 2]]}}, ("test.points.0.1", "-1, 0 or 1", "received 2")),
        ({"n_points": "many"}, ("n_points", "valid integer", "'many'")),
        ({"n_classes": 1}, ("n_classes", "greater than or equal to 2", "received 1")),
        ({"peak_count_law": "poisson"}, ("peak_count_law", "'gamma' or 'uniform'", "'poisson'")),
        ({"realism": {"noise": [0.1, 0.0]}}, ("noise=(0.1, 0.0)", "minimum above its maximum", "swap")),
        ({"realism": {"lorentzian": [0, 1.5]}}, ("lorentzian=(0.0, 1.5)", "above 1", "at most 1")),
        ({"realism": {"strain": 1}}, ("realism.strain", "less than 1", "received 1")),
        ({"realism": {"noice": [0, 1]}}, ("realism.noice", "Extra inputs are not permitted")),
        ({"peaks": 3}, ("peaks", "Extra inputs are not permitted", "received 3")),
        ({"name": "no/slash"}, ("name", "pattern", "'no/slash'")),
    ],
)
def test_bad_input_is_explained(fields, parts):
    with pytest.raises(SpecificationError) as caught:
        read(**fields)
    message = str(caught.value)
    assert message.startswith("trial.json: ")
    for part in parts:
        assert part in message


def test_several_faults_are_told_at_once():
    with pytest.raises(SpecificationError) as caught:
        read(n_points=0, n_train=0)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["n_points", "n_train"]


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match="unknown dataset 'benchmrk'; known: .*Did you mean 'benchmark'"):
        dataset_spec("benchmrk")


def test_json_cut_in_half(tmp_path):
    text = dataset_spec("challenge").to_json()
    path = tmp_path / "half.json"
    path.write_text(text[: len(text) // 2])
    with pytest.raises(SpecificationError, match=r"half.json: not a complete JSON text .*line \d+.*write it again"):
        DatasetSpec.from_file(path)


@pytest.mark.parametrize("text", ["[]", "3", "null"])
def test_json_of_another_kind(text):
    with pytest.raises(SpecificationError, match="expected a JSON object, received"):
        DatasetSpec.from_json(text)


def test_file_that_cannot_be_read(tmp_path):
    with pytest.raises(SpecificationError, match=r"cannot read the specification file .*nowhere.json"):
        DatasetSpec.from_file(tmp_path / "nowhere.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecificationError, match=r"cannot read the specification file .*binary.json"):
        DatasetSpec.from_file(tmp_path / "binary.json")


@pytest.mark.parametrize("name", list_datasets())
def test_json_round_trip(name, tmp_path):
    spec = dataset_spec(name)
    assert DatasetSpec.from_json(spec.to_json()) == spec
    spec.to_file(tmp_path / "spec.json")
    assert DatasetSpec.from_file(tmp_path / "spec.json").digest == spec.digest


def test_every_parameter_enters_the_digest():
    base = read()
    changed = {
        "name": "other",
        "n_points": 4000,
        "n_classes": 3,
        "min_peaks": 1,
        "max_peaks": 9,
        "boundary": 90,
        "max_height": 99,
        "peak_count_law": "uniform",
        "gamma_shape": 1.3,
        "gamma_scale": 1.3,
        "variation": {"position_shift": 40},
        "n_train": 49,
        "n_validation": 9,
        "test": {"shift": 20},
        "realism": {"noise": [0, 0.1]},
        "seed": 1,
        "fingerprints": [ONE, TWO],
    }
    assert changed.keys() == DatasetSpec.model_fields.keys() - {"n_fresh"}  # nothing is trained on those
    digests = {DatasetSpec.read({**base.model_dump(), key: value}, key).digest for key, value in changed.items()}
    assert len(digests | {base.digest}) == len(changed) + 1


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("benchmark", "8692f4ffc89f7ff533d0054c8fc46419b8debe5b7b155cf87a4a2a7226e8912d"),
        ("challenge", "3992fd7511834d688b15beec2ed54695989c520ae22a0ae225c0bbcab224bc42"),
        ("laptop", "682b4bc31ce175cfab6738c6cfbcf513cb682c5edaa24dc1be727442239bfb3a"),
        ("smoke", "977245a6f6493d97060ed7036392210898b0618fdb34fc8e9dc341ef97b9e696"),
    ],
)
def test_the_published_datasets_keep_their_digests(name, digest):
    assert dataset_spec(name).digest == digest


def test_dials_are_checked():
    with pytest.raises(SpecificationError, match="trial: realism.noise.0: .*greater than or equal to 0"):
        dataset_spec("smoke").with_realism("trial", noise=(-1, 0))


def test_specifications_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        dataset_spec("smoke").n_points = 3


@pytest.mark.parametrize("name", ["benchmark", "challenge"])
def test_published_layout(reference, name):
    spec = DatasetSpec.from_file(reference / f"{name}_classes.json")
    ours = dataset_spec(name)
    assert (spec.n_points, spec.n_classes) == (5000, ours.n_classes)
    assert spec.variation == Variation()


PUBLISHED = {
    "datapoints": 100,
    "classes": 1,
    "min_peaks": 2,
    "max_peaks": 10,
    "boundary": 5,
    "max_height": 100,
    "spectra": {
        "0": {"peak_positions": [10], "peak_heights": [1.0]},
        "1": {"peak_positions": [9], "peak_heights": [1]},
    },
}


def test_published_layout_by_hand():
    spec = DatasetSpec.from_json(json.dumps(PUBLISHED | {"classes": 2}))
    assert spec.name == "published"
    assert spec.fingerprints == (
        Fingerprint(positions=(10,), heights=(1.0,)),
        Fingerprint(positions=(9,), heights=(1.0,)),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boundary": None}, "p.json: boundary: Input should be a valid integer"),
        ({"spectra": []}, "p.json: spectra: expected an object of classes by number"),
        (
            {"spectra": {"0": {"peak_positions": [1]}}},
            "spectra: expected class '0' with peak_positions and peak_heights",
        ),
        ({"spectra": {"1": {"peak_positions": [1], "peak_heights": [1]}}}, "number the classes 0..0"),
    ],
)
def test_published_layout_with_faults(change, message):
    with pytest.raises(SpecificationError, match=message):
        DatasetSpec.from_json(json.dumps(PUBLISHED | change), "p.json")


def test_published_layout_without_a_field():
    without = {key: value for key, value in PUBLISHED.items() if key != "max_height"}
    with pytest.raises(SpecificationError, match="needs the fields max_height"):
        DatasetSpec.from_json(json.dumps(without))


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        (([[1], [2]], [[1.0]], [2.0]), "2 position lists, 1 height lists and 1 widths; give one of each"),
        (([[]], [[]], [2.0]), "spectrum 0: 0 positions and 0 heights; give at least one peak"),
        (([[1, 2]], [[1.0]], [2.0]), "spectrum 0: 2 positions and 1 heights"),
        (([[-1]], [[1.0]], [2.0]), "positions: received -1; positions and heights must be 0 or more"),
        (([[1]], [[float("nan")]], [2.0]), "heights: received nan"),
        (([[1]], [[-0.1]], [2.0]), "heights: received -0.1"),
        (([[1]], [[1.0]], [0.0]), "widths: received 0.0; .* widths above 0"),
        (([[1]], [[1.0]], [float("inf")]), "widths: received inf"),
    ],
)
def test_peak_tables_refuse_bad_peaks(lists, message):
    with pytest.raises(SpectraError, match=message):
        PeakTable.from_lists(*lists)
