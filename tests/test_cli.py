"""The command line: what it prints, its exit codes, and that it starts nothing it does not need."""

import importlib
import json
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

import spectra_lib
from spectra_lib.cli import app as cli
from spectra_lib.cli.app import app
from spectra_lib.datasets.named import dataset_spec, list_datasets
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.runs.records import load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore

# A network small enough that training it takes a moment.
TRAIN = ["train", "--dataset", "smoke", "--model", "vgg", "--max-epochs", "2", "--option", "hidden_units=[8]"]
SPEC = RunSpec(dataset="smoke", model="vgg", max_epochs=2, options={"hidden_units": [8]})


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], terminal_width=200)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with one run, trained from the command line."""
    folder = tmp_path_factory.mktemp("store")
    result = run(*TRAIN, "--store", folder)
    assert f"{SPEC.run_id}: 2 epochs, " in result.stdout
    assert f"record: {RunStore(folder).record_path(SPEC)}" in result.stdout
    return folder


# Datasets


def test_datasets_list():
    lines = run("datasets", "list").stdout.splitlines()
    assert lines[0].split() == ["name", "classes", "points", "training", "validation", "test"]
    assert lines[1].split() == ["benchmark", "500", "5000", "25000", "5000", "4500"]
    assert [line.split()[0] for line in lines[1:]] == list_datasets()


def test_datasets_show_names_every_parameter():
    printed = run("datasets", "show", "smoke").stdout
    for field in DatasetSpec.model_fields:
        assert f"\n{field}" in printed
    assert "variation.width_range" in printed
    assert dataset_spec("smoke").digest in printed


def test_datasets_show_as_a_file_to_be_edited(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(run("datasets", "show", "laptop", "--json").stdout)
    assert DatasetSpec.from_file(path) == dataset_spec("laptop")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"name": "mine", "n_train": 3}))
    printed = run("datasets", "show", path).stdout
    assert "mine" in printed


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_datasets_export(tmp_path, suffix):
    path = tmp_path / f"smoke{suffix}"
    assert "MB" in run("datasets", "export", "smoke", "--to", path).stdout
    again = run("datasets", "export", "smoke", "--to", path, code=2)
    assert "overwrite it with --force" in again.stderr
    run("datasets", "export", "smoke", "--to", path, "--force")
    if suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            assert archive["train_spectra"].shape == (48, 256)


def test_datasets_export_of_a_specification_file(tmp_path):
    spec = DatasetSpec(name="mine", n_points=100, boundary=10, n_classes=2, n_train=2)
    spec.to_file(tmp_path / "mine.json")
    run("datasets", "export", tmp_path / "mine.json", "--to", tmp_path / "mine.npz")
    with np.load(tmp_path / "mine.npz", allow_pickle=False) as archive:
        assert DatasetSpec.from_json(str(archive["specification"])) == spec


# Models


def test_models_list():
    lines = run("models", "list").stdout.splitlines()
    assert len(lines) == 1 + len(spectra_lib.list_models())
    assert "Schuetzke et al. 2023" in next(line for line in lines if line.startswith("vgg_mod"))


def test_models_show():
    printed = run("models", "show", "vgg", "--classes", 27, "--option", "kernel=9").stdout
    values = dict(line.split(maxsplit=1) for line in printed.splitlines() if not line.startswith("option"))
    assert values["kernel_sizes"] == "[9, 9, 9, 9, 9, 9, 9]"
    assert int(values["parameters"]) > 2_467_723
    assert "option conv_dropout" in printed


# Training


def test_train_writes_a_sound_record(store):
    (record,) = load_records(store)
    assert record.spec == SPEC
    assert record.faults() == []


def test_train_twice_does_the_run_once(store):
    before = RunStore(store).record_path(SPEC).stat().st_mtime_ns
    run(*TRAIN, "--store", store)
    assert RunStore(store).record_path(SPEC).stat().st_mtime_ns == before


def test_train_with_every_option(tmp_path):
    spec = DatasetSpec(name="mine", n_points=100, boundary=10, n_classes=2, n_train=2, n_validation=1)
    spec.to_file(tmp_path / "mine.json")
    result = run(
        *("train", "--dataset", tmp_path / "mine.json", "--model", "vgg", "--seed", 5, "--hidden-activation", "relu"),
        *("--protocol", "code", "--precision", "mixed_bfloat16", "--option", "hidden_units=[8]", "--max-epochs", 1),
        *("--option", "kernel=3", "--batch-size", 2, "--learning-rate", 0.001, "--execution", "graph"),
        *("--budget-minutes", 60, "--store", tmp_path / "runs", "--quiet"),
    )
    assert result.output == ""
    (record,) = load_records(tmp_path / "runs")
    assert record.spec == RunSpec(
        dataset=spec,
        model="vgg",
        seed=5,
        hidden_activation="relu",
        options={"hidden_units": [8], "kernel": 3},
        protocol="code",
        precision="mixed_bfloat16",
        max_epochs=1,
        batch_size=2,
        learning_rate=0.001,
    )
    assert record.sessions[0].execution == "graph"


def test_a_budget_that_ends_first_is_exit_code_3(tmp_path):
    result = run(*TRAIN, "--store", tmp_path, "--budget-minutes", 0, code=3)
    assert "time is up after 0 epochs; start it again to go on" in result.stderr
    assert len(load_records(tmp_path)) == 0


# Records


def test_records_list(store):
    printed = run("records", "list", "--store", store).stdout
    assert SPEC.run_id in printed
    assert f"1 records in {store}" in printed


def test_records_as_csv(store):
    lines = run("records", "list", "--store", store, "--csv").stdout.splitlines()
    assert lines[0].startswith("run_id,dataset,model,")
    assert len(lines) == 2


def test_records_of_no_store(tmp_path):
    assert "0 records in" in run("records", "list", "--store", tmp_path / "nowhere").stdout
    assert "there is no folder" in run("records", "check", "--store", tmp_path / "nowhere", code=2).stderr


def test_records_check(store, tmp_path):
    assert "1 records checked, 0 with faults; " in run("records", "check", "--store", store).stdout
    good = RunStore(store).record_path(SPEC)
    copy = tmp_path / "smoke" / "other-name.json"
    copy.parent.mkdir()
    copy.write_text(good.read_text().replace('"kept_epoch":', '"kept_epoch":1'))
    printed = run("records", "check", "--store", tmp_path, code=1).stdout
    assert f"{copy}: kept epoch 1" in printed
    assert f"{copy}: the file should be called smoke/{good.name}" in printed
    assert "1 records checked, 1 with faults" in printed


# Baselines and the ceiling


def test_baselines_list():
    lines = run("baselines", "list").stdout.splitlines()
    assert lines[0].split(maxsplit=1) == ["cosine", "Cosine similarity to the ideal spectra."]
    assert len(lines) == 10


def test_baselines_are_run_once_and_checked(tmp_path):
    command = ("baselines", "run", "cosine", "--dataset", "smoke", "--store", tmp_path)
    assert "cosine: 1 of 16 validation and 0 of 36 test spectra wrong; fitted in" in run(*command).stdout
    path = tmp_path / "baselines" / "smoke" / "cosine.json"
    before = path.stat().st_mtime_ns
    assert "(from the store)" in run(*command).stdout
    assert path.stat().st_mtime_ns == before
    run(*command, "--again")
    assert path.stat().st_mtime_ns > before
    assert "1 records checked, 0 with faults" in run("records", "check", "--store", tmp_path).stdout
    path.write_text(path.read_text().replace('"test_errors":', '"test_errors":2'))
    assert "test: predictions make" in run("records", "check", "--store", tmp_path, code=1).stdout
    assert "unknown baseline 'cosin'" in run("baselines", "run", "cosin", code=2).stderr


def test_ceiling_of_noisy_spectra_is_a_bound():
    assert "this is a bound" in run("ceiling", "laptop_noisy").stdout
    assert "bound" not in run("ceiling", "laptop").stdout


def test_ceiling():
    lines = run("ceiling", "challenge", "--fresh", "2").stdout.splitlines()
    assert lines[0].startswith("split")
    values = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert list(values) == ["train", "validation", "test", "limit"]
    assert values["test"] == ["162", "36.00", "77.78", "0.00", "96"]
    assert values["limit"][0] == "54"


# Errors and help


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("datasets", "show", "benchmrk"), "error: unknown dataset 'benchmrk'; .*Did you mean 'benchmark'"),
        (("datasets", "show", "nowhere.json"), "error: cannot read the specification file nowhere.json"),
        (("datasets", "export", "smoke", "--to", "x.csv"), "end the file name in .npz or .h5"),
        (("models", "show", "cnn7"), "error: unknown network 'cnn7'"),
        (("models", "show", "cnn2", "--option", "hidden_units"), "option 'hidden_units' has no value; write --option"),
        (("models", "show", "cnn2", "--points", "3"), "does not fit n_points=3"),
        ((*TRAIN, "--option", "kernal=3"), "error: run: unknown option .*Did you mean 'kernel'"),
        ((*TRAIN, "--option", "kernel=wide"), "kernel must be of type int such as 5, received 'wide'"),
        ((*TRAIN, "--protocol", "text"), "unknown protocol 'text'"),
        ((*TRAIN, "--execution", "fast", "--store", "x"), "execution='fast' does not exist on the .* backend"),
    ],
)
def test_errors_are_told_without_a_traceback(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments, code=2)
    assert result.stderr.startswith("error: ")
    assert re.search(message, result.stderr)
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_a_damaged_record_is_told_as_a_warning(store, tmp_path):
    path = RunStore(tmp_path).record_path(SPEC)
    path.parent.mkdir(parents=True)
    path.write_text(RunStore(store).record_path(SPEC).read_text()[:200])
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # as outside the tests
        result = run(*TRAIN, "--store", tmp_path, "--quiet")
    assert result.stderr.startswith(f"warning: {path}: not a complete record")
    assert "set aside as" in result.stderr
    assert load_records(tmp_path)[0].result() == load_records(store)[0].result()


COMMANDS = [
    ("datasets", "list"),
    ("datasets", "show"),
    ("datasets", "export"),
    ("models", "list"),
    ("models", "show"),
    ("train",),
    ("records", "excess"),
    ("records", "list"),
    ("records", "check"),
    ("records", "verify"),
    ("records", "ways"),
    ("ceiling",),
    ("baselines", "list"),
    ("baselines", "run"),
    ("headroom", "list"),
    ("headroom", "run"),
    ("claims",),
    ("campaign", "plan"),
    ("campaign", "status"),
    ("campaign", "run"),
    ("campaign", "train"),
    ("campaign", "pack"),
    ("campaign", "unpack"),
    ("book", "build"),
    ("book", "render"),
    ("book", "page"),
    ("book", "chapters"),
    ("book", "chapter"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(command):
    printed = run(*command, "--help").stdout
    assert f"spectra-lib {' '.join(command)}" in printed.split("Example")[1]


def test_the_list_of_commands_is_complete():
    def leaves(group, path=()):
        for name in group.list_commands(None):
            command = group.get_command(None, name)
            if hasattr(command, "list_commands"):
                yield from leaves(command, (*path, name))
            else:
                yield (*path, name)

    assert sorted(leaves(typer.main.get_command(app))) == sorted(COMMANDS)


def test_version():
    assert run("--version").stdout.strip() == spectra_lib.__version__


def test_an_extra_that_is_not_installed_is_named(monkeypatch):
    def missing(name):
        if name == "spectra_lib.cli.book":
            raise ModuleNotFoundError("No module named 'papermill'", name="papermill")
        return importlib.import_module(name)

    monkeypatch.setattr(cli, "import_module", missing)
    result = run("book", "build", code=2)
    assert "needs the package 'papermill', which is not installed" in result.stderr
    assert "pip install 'spectra-lib[" in result.stderr
    run("--help")
    run("datasets", "list")


LIGHT = ("keras", "tensorflow", "jax", "torch", "papermill", "matplotlib")


@pytest.mark.parametrize(
    "command",
    [("--help",), ("datasets", "list"), ("records", "list", "--store", "nowhere"), ("campaign", "status")],
    ids=" ".join,
)
def test_what_needs_no_backend_starts_none(command):
    script = (
        "import sys\n"
        "from spectra_lib.cli.app import app\n"
        "code = None\n"
        "try:\n"
        "    app(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    code = end.code\n"
        f"print('loaded', code, [name for name in {LIGHT} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded 0 []"


def test_the_module_can_be_run():
    done = subprocess.run(
        [sys.executable, "-m", "spectra_lib", "datasets", "show", "nope"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"error: unknown dataset 'nope'; known: {', '.join(list_datasets())}"]
