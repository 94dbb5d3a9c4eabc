"""Networks from outside the package: loading, what goes wrong, and what a record keeps of them."""

import hashlib
import json
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spectra_lib._base.errors import SpecificationError, SpectraError
from spectra_lib.analysis.leaderboard import make_leaderboard
from spectra_lib.cli.app import app
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.figures.leaderboard import leaderboard_rows
from spectra_lib.networks import build_model, list_models, plugins, registry
from spectra_lib.networks.plugins import PluginError, load_installed_plugins, load_plugin, plugin_of
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.records import load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import read_record

NETWORK = """
import spectra_lib as sl

@sl.register_model("{name}", reference="", hidden_units=(), hidden_activation=None, dropout=0.0)
def features(x):
    return x[:, ::8]
"""


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    monkeypatch.setattr(plugins, "_LOADED", {})


@pytest.fixture
def example(project: Path) -> Path:
    """The worked example of the page."""
    return project / "book" / "examples" / "my_net.py"


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def test_worked_example_trains_and_stands_in_the_leaderboard(example: Path, tmp_path: Path, monkeypatch):
    command = ("train", "--dataset", "smoke", "--model", "my_net", "--plugin", example, "--max-epochs", 2)
    run(*command, "--option", "kernel=5", "--store", tmp_path, "--quiet")
    assert "1 records checked, 0 with faults" in run("records", "check", "--store", tmp_path)
    (record,) = records = load_records(tmp_path)
    assert record.spec.source == hashlib.sha256(example.read_bytes()).hexdigest()
    assert record.network is not None
    assert (record.network.origin, record.network.reference) == ("my_net.py", "the page 'Add your network'")

    # On a machine that does not have the network its record still reads, checks and shows.
    monkeypatch.setattr(plugins, "_LOADED", {})
    registry.forget(["my_net"])
    (path,) = tmp_path.glob("smoke/*.json")
    assert read_record(path).faults(make_dataset("smoke")) == []
    board = make_leaderboard(make_dataset("smoke"), records)
    row = leaderboard_rows(board)[lambda rows: rows.Kind == "ours, varied"].iloc[0]
    assert row.Method == "my_net (ReLU)"
    options = f"kernel=5, max_epochs=2, my_net.py {record.spec.source[:8]}"
    assert row.Options == f"{options}, 1 of its runs failed to converge"
    assert row.Parameters == f"{record.network.parameters:,}"
    assert network_name("my_net") == "my_net"


def test_records_of_the_packages_own_networks_are_written_as_before():
    spec = RunSpec(dataset="smoke", model="cnn2")
    assert "source" not in spec.model_dump()
    assert "source" not in spec.model_dump_json()


def test_options_of_a_network_from_outside_have_ranges_of_their_own(tmp_path: Path):
    file = tmp_path / "net.py"
    signature = "def features(x, *, sigma: float = 2.0, skip: int = 0, dropout_2: float = 1.5):"
    file.write_text(NETWORK.format(name="mine").replace("def features(x):", signature))
    load_plugin(file)
    options = {"sigma": 3.0, "skip": 0, "dropout_2": -1.0}
    assert RunSpec(dataset="smoke", model="mine", options=options).options == {"sigma": 3.0, "dropout_2": -1.0}
    with pytest.raises(ValueError, match="dropout must lie in"):
        RunSpec(dataset="smoke", model="mine", options={"dropout": 1.5})


@pytest.mark.parametrize(
    ("body", "reason"),
    [("layers.Conv1D(4, 2000)(x)", "ValueError: "), ("(x, x)", "AttributeError: |TypeError: |ValueError: ")],
)
def test_a_network_from_outside_that_cannot_be_built(tmp_path: Path, body: str, reason: str):
    file = tmp_path / "net.py"
    file.write_text("from keras import layers\n" + NETWORK.format(name="mine").replace("x[:, ::8]", body))
    load_plugin(file)
    with pytest.raises(
        SpecificationError, match=f"network 'mine' of .*net.py cannot be built for n_points=500.*({reason})"
    ):
        build_model("mine", 500, 4)
    said = run("models", "show", "mine", "--plugin", file, "--points", 500, "--classes", 4, code=2)
    assert "cannot be built" in said


def test_another_source_is_another_run(tmp_path: Path):
    file = tmp_path / "net.py"
    file.write_text(NETWORK.format(name="mine"))
    load_plugin(file)
    first = RunSpec(dataset="smoke", model="mine")
    registry.forget(["mine"])
    plugins._LOADED.clear()
    file.write_text(NETWORK.format(name="mine") + "# a comment\n")
    load_plugin(file)
    second = RunSpec(dataset="smoke", model="mine")
    assert first.digest != second.digest
    with pytest.raises(SpectraError, match=f"SHA-256 {first.source[:12]}.*load that file instead"):
        RunSpec.read(first.model_dump(), "run")
    assert RunSpec.read(second.model_dump(), "run") == second


def test_run_of_a_plugin_needs_the_plugin():
    data = {"dataset": "smoke", "model": "cnn2", "source": "0" * 64}
    with pytest.raises(SpectraError, match="the one there is is built in"):
        RunSpec.read(data, "run")


def test_loading_twice_does_nothing_and_a_change_is_noticed(tmp_path: Path):
    file = tmp_path / "net.py"
    file.write_text(NETWORK.format(name="mine"))
    assert load_plugin(file) is load_plugin(file)
    assert plugin_of("mine").models == ("mine",)
    assert not (tmp_path / "__pycache__").exists()
    file.write_text(NETWORK.format(name="other"))
    with pytest.raises(PluginError, match="has changed since this process loaded it"):
        load_plugin(file)


@pytest.mark.parametrize("name", ["../mine", "my net", "", "m" * 61])
def test_a_network_whose_name_cannot_be_a_file_is_refused(tmp_path: Path, name: str):
    file = tmp_path / "net.py"
    file.write_text(NETWORK.format(name=name))
    with pytest.raises(PluginError, match="cannot be the name of a network; use letters"):
        load_plugin(file)
    assert name not in list_models()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "plugin net.py: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1", "plugin net.py: it registers no network; decorate a function"),
        ("def (", "plugin net.py: SyntaxError"),
        (NETWORK.format(name="cnn2"), "plugin net.py: a network named 'cnn2' is registered already"),
        (NETWORK.format(name="half") + "1 / 0", "plugin net.py: ZeroDivisionError"),
    ],
)
def test_a_plugin_that_fails_is_told_and_leaves_nothing_behind(tmp_path: Path, text: str, message: str):
    file = tmp_path / "net.py"
    file.write_text(text)
    before = list_models()
    with pytest.raises(PluginError, match=message):
        load_plugin(file)
    assert list_models() == before
    assert plugins.loaded_plugins() == ()
    assert f"error: {message[:12]}" in run("models", "list", "--plugin", file, code=2)


def test_command_line_lists_and_shows_it(example: Path):
    assert "my_net" in run("models", "list", "--plugin", example)
    printed = run("models", "show", "my_net", "--plugin", example, "--points", 256, "--classes", 4)
    assert hashlib.sha256(example.read_bytes()).hexdigest() in printed
    assert "option kernel" in printed


def test_campaign_trains_it_in_processes_of_their_own(example: Path, tmp_path: Path):
    runs = tmp_path / "runs.json"
    runs.write_text(json.dumps([{"dataset": "smoke", "model": "my_net", "max_epochs": 1}]))
    run("campaign", "run", "--plugin", example, "--runs", runs, "--store", tmp_path / "store", "--quiet")
    (record,) = load_records(tmp_path / "store")
    assert record.spec.model == "my_net"
    assert record.faults(make_dataset("smoke")) == []


class Entry:
    """An entry point as an installed package would bring it."""

    dist = None

    def __init__(self, module: str) -> None:
        self.module = self.value = module

    def load(self) -> object:
        return __import__(self.module)


def test_installed_packages_bring_networks(tmp_path: Path, monkeypatch):
    (tmp_path / "good_nets.py").write_text(NETWORK.format(name="installed"))
    (tmp_path / "bad_nets.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    entries = [Entry("bad_nets"), Entry("no_such_nets"), Entry("good_nets")]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries if group == "spectra_lib.models" else [])
    with pytest.warns(UserWarning, match="not available") as warned:
        load_installed_plugins()
    assert len(warned) == 2
    assert "bad_nets: ZeroDivisionError" in str(warned[0].message)
    assert "plugin 'no_such_nets' has no source file" in str(warned[1].message)
    plugin = plugin_of("installed")
    assert plugin.origin == "unknown package: good_nets"
    assert plugin.sha256 == hashlib.sha256((tmp_path / "good_nets.py").read_bytes()).hexdigest()
    for name in ("good_nets", "bad_nets"):
        sys.modules.pop(name, None)
