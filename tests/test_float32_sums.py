"""Long sums in float32: what is measured, kept and said of it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError, StoreError
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.experiments import float32_sums as fs
from spectra_lib.experiments.float32_sums import CONTROL, TRUTH, Float32Sums, ShortRun, SumErrors, Way
from spectra_lib.figures import float32_sums as figures
from spectra_lib.runs.records import RunRecords, load_records

PROJECT = Path(__file__).parents[1]
WHOLE, SPARSE, JAX = figures.WHOLE, figures.SPARSE, figures.JAX


@pytest.fixture(scope="module")
def smoke():
    return make_dataset("smoke")


@pytest.fixture(scope="module")
def steps(smoke):
    """One step of a network with batch normalisation in three ways."""
    weights = fs.start_weights("cnn_bn", smoke, with_biases=True)
    rows = np.arange(16)
    return {way: fs.measure_step("cnn_bn", smoke, weights, rows, way) for way in (TRUTH, WHOLE, CONTROL)}


def test_gradients_are_those_of_finite_differences(smoke, steps):
    """In float64, of the offset of the last batch normalisation, through the whole network."""
    weights = fs.start_weights("cnn_bn", smoke, with_biases=True)
    model = fs.build_for("cnn_bn", smoke, "float64")
    spectra, labels = smoke.train.spectra(np.arange(16))[..., None], smoke.train.labels[:16]
    offsets = [layer.beta for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    losses = []
    for change in (1e-5, -1e-5):
        fs.backend.set_state(model.weights, weights)
        value = offsets[-1].numpy()
        value[3] += change
        offsets[-1].assign(value)
        logits = model([spectra], training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")(labels, logits)
        losses.append(float(loss))
    assert steps[TRUTH]["beta:2"][3] == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-6)


def test_statistics_are_those_of_the_batch(smoke, steps):
    weights = fs.start_weights("cnn_bn", smoke, with_biases=True)
    model = fs.build_for("cnn_bn", smoke, "float64")
    fs.backend.set_state(model.weights, weights)
    first = keras.Model(model.inputs, model.layers[1].output)
    features = np.asarray(first([smoke.train.spectra(np.arange(16))[..., None]]))
    np.testing.assert_allclose(steps[TRUTH]["mean:0"], features.mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(steps[TRUTH]["variance:0"], features.var(axis=(0, 1)), rtol=1e-12)


def test_truth_does_not_depend_on_the_order_of_sums_but_float32_does(steps):
    control, single = (fs.compare(steps[TRUTH], steps[way]) for way in (CONTROL, WHOLE))
    assert set(control) == {"kernel", "cancelled", "gamma", "beta", "mean", "shift", "variance"}
    for quantity, (sizes, errors) in control.items():
        assert len(sizes) == 3
        if quantity != "cancelled":
            assert max(np.divide(errors, sizes)) < 1e-9
            assert max(np.divide(single[quantity][1], sizes)) > 1e-8
    # biases that batch normalisation takes away have no gradient
    assert max(control["cancelled"][0]) < 1e-9 < 1e-8 < max(single["cancelled"][1])


def test_only_biases_before_batch_normalisation_are_cancelled(smoke):
    weights = fs.start_weights("cnn2", smoke)
    assert {key.split(":")[0] for key in fs.measure_step("cnn2", smoke, weights, np.arange(4), WHOLE)} == {
        "kernel",
        "bias",
    }


def test_the_same_weights_train_alike_in_float32_and_float64(smoke):
    weights = fs.start_weights("cnn_bn", smoke)
    (true, _), (found, after) = (fs.train_briefly("cnn_bn", smoke, weights, 0, 1, way) for way in (TRUTH, WHOLE))
    assert found.val_losses == pytest.approx(true.val_losses, abs=1e-2)
    assert found.val_losses != true.val_losses
    assert true.cancelled < 1e-9 < found.cancelled
    assert [a.shape for a in after] == [w.shape for w in weights]


def test_a_way_of_another_backend_is_refused(smoke):
    with pytest.raises(SpectraError, match="this process computes on tensorflow; set KERAS_BACKEND=jax"):
        fs.measure_step("vgg", smoke, fs.start_weights("vgg", smoke), np.arange(4), JAX)


def test_the_script_measures_each_way_in_a_process_of_its_own(tmp_path):
    """The job of one process, as the script starts it."""
    script = PROJECT / "benchmarks" / "float32_sums.py"
    arguments = json.dumps(["start", "initial", "vgg", "smoke", str(tmp_path), TRUTH.model_dump(), 0, 0])
    subprocess.run([sys.executable, script, "--job", arguments], check=True, capture_output=True)
    with np.load(tmp_path / "initial.npz") as stored:
        assert len(stored.files) == len(fs.start_weights("vgg", make_dataset("smoke")))


def sums_of(steps=(), runs=(), **fields):
    about = {"dataset": "challenge", "device": "Fast, 2 cores", "commit": "abc", "measured": "2026-01-01"} | fields
    return Float32Sums(versions={"numpy": "2"}, steps=steps, runs=runs, **about)


def errors(way, quantity, *relative, start="initial", model="cnn_bn"):
    found = {"sizes": (2.0,) * len(relative), "errors": tuple(2 * each for each in relative)}
    return SumErrors(model=model, start=start, way=way, quantity=quantity, **found)


def run(way, seed, loss, cancelled=1e-3, model="cnn_bn"):
    return ShortRun(model=model, seed=seed, way=way, val_losses=(9.0, loss), val_errors=(5, 4), cancelled=cancelled)


FOUND = sums_of(
    steps=(
        errors(WHOLE, "beta", 0.01, 0.12),
        errors(WHOLE, "kernel", 0.03),
        errors(WHOLE, "beta", 0.02, start="trained"),
        errors(SPARSE, "beta", 0.001),
        errors(JAX, "beta", 1e-5),
        errors(WHOLE, "cancelled", 0.004),
    ),
    runs=(
        run(TRUTH, 0, 1.0, 1e-12),
        run(TRUTH, 1, 1.2, 1e-12),
        run(WHOLE, 0, 1.05),
        run(WHOLE, 1, 1.1),
        run(SPARSE, 0, 1.001, 2e-4),
        run(JAX, 1, 1.2, 1e-4),
    ),
)


def test_figures_are_kept_by_machine_and_the_newest_comes_first(tmp_path):
    new = sums_of(device="Other (R)", measured="2026-02-01")
    assert fs.save_float32_sums(tmp_path, FOUND) == tmp_path / "precision" / "fast_2_cores" / "challenge.json"
    fs.save_float32_sums(tmp_path, new)
    assert fs.load_float32_sums(tmp_path) == [new, FOUND]
    assert len(load_records(tmp_path)) == 0


def test_a_damaged_file_is_named(tmp_path):
    path = fs.save_float32_sums(tmp_path, FOUND)
    path.write_text(path.read_text()[:80])
    with pytest.raises(StoreError, match=r"challenge\.json: not as benchmarks/float32_sums\.py writes .*; delete it"):
        fs.load_float32_sums(tmp_path)


def test_the_table_has_the_largest_error_of_any_layer_and_weights():
    table = figures.step_error_rows(FOUND).set_index("Quantity")
    assert list(table.index) == ["gradient, kernels", "gradient, cancelled biases", "gradient, offset"]
    assert table.loc["gradient, offset"].tolist() == ["CNN BN", "1·10⁻¹", "1·10⁻³", "1·10⁻⁵", ""]
    # of what is zero in truth, the error itself
    assert table.loc["gradient, cancelled biases", "TensorFlow, whole"] == "8·10⁻³"


def test_changes_are_compared_with_the_scatter_of_seeds():
    (row,) = figures.loss_rows(FOUND).to_dict("records")
    assert (row["Epochs"], row["Seeds"], row["Loss in float64"], row["SD of seeds"]) == ("2", "2", "1.100", "0.14")
    assert (row["TensorFlow, whole"], row["TensorFlow, sparse"], row["JAX, whole"]) == ("0.1", "0.001", "0")
    assert figures.loss_reading(FOUND).endswith("is 0.71 with CNN BN: less than another seed does.")


def test_sentences_name_the_worst_case():
    assert figures.step_reading(FOUND) == (
        "On whole spectra TensorFlow gets a gradient wrong by up to 12 % (offset, CNN BN), in sparse execution by "
        "0.1 % and on JAX by 0.001 % at most."
    )
    assert "up to 1·10⁻³ on whole spectra, 2·10⁻⁴ in the sparse mode, 1·10⁻⁴ on JAX and 1·10⁻¹² in" in (
        figures.bias_reading(FOUND)
    )


def test_large_changes_and_missing_figures_are_said():
    empty = sums_of()
    far = sums_of(runs=(run(TRUTH, 0, 1.0), run(TRUTH, 1, 1.1), run(WHOLE, 0, 2.0)))
    assert figures.loss_reading(far).endswith("is 14 with CNN BN: more than another seed does with CNN BN.")
    assert figures.step_error_rows(empty).empty and figures.loss_rows(empty).empty
    for sentence in (figures.step_reading, figures.bias_reading, figures.loss_reading):
        assert "not been measured yet" in sentence(empty)
    one_seed = sums_of(runs=(run(TRUTH, 0, 1.0), run(WHOLE, 0, 1.1)))
    assert "not been measured yet" in figures.loss_reading(one_seed)


def test_records_made_in_the_way_that_is_wrong_most_are_counted():
    records = load_records(PROJECT / "results")
    models = ("cnn_bn", "cnn6_bn", "resnet")
    text = figures.made_reading(records, models)
    n = sum(record.spec.model in models for record in records)
    assert re.match(rf"Of our {n} records of networks with batch normalisation, \d+ (was|were) made, at least in", text)
    (one, *_) = (record for record in records if record.spec.model == "cnn_bn")
    session = one.sessions[-1].model_copy(
        update={"backend": "tensorflow", "execution": "graph", "device": "Fast, 2 cores"}
    )
    text = figures.made_reading(RunRecords((one, one.model_copy(update={"sessions": (session,)}))), models)
    assert text.startswith("Of our 2 records of networks with batch normalisation, 1 was made, at least")


def test_ways_have_names():
    assert len({*figures.COLUMNS.values()}) == len(fs.WAYS)
    assert Way(backend="jax") == JAX and TRUTH not in figures.COLUMNS
