"""The campaign lists the paper's runs, plans them by cost, and works through them."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import tracemalloc
import zlib

import pytest
from typer.testing import CliRunner

from spectra_lib._base.errors import SpectraError, StoreError, UnknownNameError
from spectra_lib.cli.app import app
from spectra_lib.datasets.harder import HARDER
from spectra_lib.experiments.campaign import COMPARED, SINGLE_CHANGE_STAGES, campaign, task_by_id, variant_run
from spectra_lib.experiments.cost import CostModel
from spectra_lib.experiments.execution import BUSY, run_campaign
from spectra_lib.experiments.filters import parse_filter
from spectra_lib.experiments.peaknet_variants import DEFAULTS, GRID, VARIANTS
from spectra_lib.experiments.progress import FIGURES, State, figure_progress, lacking_networks, plan, runs_behind
from spectra_lib.experiments.single_changes import SINGLE_CHANGES, variants
from spectra_lib.networks import network
from spectra_lib.networks.catalogue import OWN
from spectra_lib.networks.sizes import size_of
from spectra_lib.runs.archive import pack_records, unpack_archive
from spectra_lib.runs.records import RunRecords, load_records
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import NewerRecordError, RunStore
from spectra_lib.training.trainer import train


def chosen(text):
    return list(filter(parse_filter(text), campaign()))


def test_the_papers_runs_are_all_there():
    published = "cnn2|cnn3|cnn6|vgg|resnet|cnn_bn|inc3|inc6"
    assert len(chosen(f"dataset=benchmark,model={published}")) == 40
    # 80 in the paper; the residual network has no activation to vary, which leaves 75 different ones
    assert len(chosen(f"dataset=challenge,protocol=paper,precision=float32,changes=none,model={published}")) == 75
    assert len(chosen("changes=none,model=cnn6_bn|cnn6_convdo|cnnbn_mod|vgg_mod|resnet_mod")) == 25


def test_every_single_change_is_there_and_comes_after_the_papers_runs():
    runs = {task.spec.digest for task in campaign()}
    for variant in variants(SINGLE_CHANGES):
        for seed in range(5):
            assert variant_run("challenge", variant, seed).digest in runs, variant
    others = [task for task in campaign() if task.spec.model != OWN and task.stage < "j"]
    stages = [task.stage for task in others if task.spec.options]
    assert len(stages) == 100 and min(stages) == "h1"
    assert max(task.stage for task in others if not task.spec.options) == "g2"
    cheap, dear = ({m for s, ms in SINGLE_CHANGE_STAGES.items() if s in own for m in ms} for own in ((1, 2), (3, 4)))
    assert max(size_of(m).multiply_adds for m in cheap) < min(size_of(m).multiply_adds for m in dear)


def test_what_was_tried_for_our_network_is_there_and_comes_after_the_network_itself():
    tasks = [task for task in campaign() if task.stage == "a0b"]
    assert len(tasks) == 3 * (len(VARIANTS) - 1) + len(GRID)
    assert {task.spec.model for task in tasks} == {OWN}
    default = network(OWN).defaults
    assert {key: default[key] for key in DEFAULTS} == DEFAULTS
    assert "a0" < "a0b" < min(task.stage for task in campaign() if task.spec.model != OWN)


def test_training_sizes_and_harder_datasets_come_last():
    sizes, harder = ([task.spec for task in campaign() if task.stage == stage] for stage in ("j1", "j2"))
    assert len(sizes) == 3 * 4 and len(harder) == 3 * 3
    assert {spec.dataset_spec.n_train for spec in sizes} == {5, 10, 20, 100}  # 50 are in the usual runs
    usual = {task.spec.digest for task in campaign() if task.stage < "j"}
    assert {variant_run("challenge", variant, 0).digest for variant in COMPARED} <= usual
    assert {spec.dataset_spec.name for spec in harder} == set(HARDER)
    assert max(task.stage for task in campaign()) == "j2"


def test_runs_that_were_there_before_keep_their_identity():
    """The records of these runs are committed; whatever networks learn to do, they must go on to count."""
    digests = {task.spec.run_id for task in campaign()}
    assert {
        "challenge-cnn2-linear-paper-s0-05af9486",
        "challenge-cnn2-relu-paper-s0-e7bd8db6",
        "challenge-vgg-linear-paper-s0-26439114",
        "challenge-peaknet-none-paper-s0-962c77c2",
    } <= digests


def test_runs_are_different_and_mean_what_resolving_gives():
    tasks = campaign()
    assert len({task.spec.run_id for task in tasks}) == len(tasks)
    for task in tasks:
        assert RunSpec.model_validate(task.spec.model_dump()).digest == task.spec.digest


@pytest.mark.parametrize(
    ("text", "says"),
    [("model", "field=value"), ("model=", "field=value"), ("colour=red", "known: stage, changes, dataset")],
)
def test_a_wrong_filter_is_refused(text, says):
    with pytest.raises(SpectraError, match=says):
        parse_filter(text)


def test_every_figure_rests_on_runs_of_the_campaign(tmp_path):
    for name, done, wanted in figure_progress(plan(RunStore(tmp_path), campaign())):
        assert done == 0 and wanted > 0, name
    assert len(FIGURES) == len(set(FIGURES.values()))


def test_figures_count_the_runs_that_they_show(tmp_path):
    wanted = {name: n for name, _, n in figure_progress(plan(RunStore(tmp_path), campaign()))}
    assert wanted["linear against ReLU on the challenging set (Fig. 7)"] == 75
    assert wanted["modified networks (Table 2)"] == 45
    assert wanted["validation loss with and without batch normalisation (Supplementary Fig. 3)"] == 30
    changed, pooled = (
        wanted["one part of a network changed, all else equal"],
        wanted["size of the pools changed, all else equal"],
    )
    assert changed + pooled == len([task for task in campaign() if task.spec.options and task.spec.model != OWN])
    assert wanted["what was tried for PeakNet"] == 5 + 3 * (len(VARIANTS) - 1) + len(GRID)


def test_what_a_figure_lacks_is_named(tmp_path):
    rows = runs_behind("size of the pools changed, all else equal", plan(RunStore(tmp_path), campaign()))
    lacking = lacking_networks(rows)
    assert lacking["vgg pool_scale=0.5"] == lacking["cnn6 pool_scale=1.5"] == 5
    assert sum(lacking.values()) == len(rows)
    with pytest.raises(UnknownNameError, match="unknown figure 'Fig. 99'"):
        runs_behind("Fig. 99", [])
    shown = CliRunner().invoke(app, ["campaign", "status", "--lacking", "--store", str(tmp_path)])
    assert shown.exit_code == 0 and "lacks vgg 3, cnn2 3" in shown.output


def test_hours_left_do_not_count_epochs_that_are_done(tmp_path):
    def hours_left():
        shown = CliRunner().invoke(app, ["campaign", "status", "--store", str(tmp_path)])
        return float(re.search(r"about ([\d.]+) hours left on this machine", shown.output)[1])

    rows = plan(RunStore(tmp_path), campaign())
    before = hours_left()
    assert before == pytest.approx(sum(row.estimate.seconds for row in rows) / 3600, abs=0.05)
    longest = max(rows, key=lambda row: row.estimate.seconds)
    state = RunStore(tmp_path).work_path(longest.task.spec) / f"state-{longest.estimate.epochs // 2:04.0f}.npz"
    state.parent.mkdir(parents=True)
    state.touch()
    assert before - hours_left() == pytest.approx(longest.estimate.seconds / 2 / 3600, abs=0.11)
    assert longest.estimate.seconds > 3600


def test_an_unknown_run_is_named():
    with pytest.raises(UnknownNameError, match="nonesuch"):
        task_by_id("nonesuch", campaign())


def test_a_broken_list_of_runs_is_refused(tmp_path):
    file = tmp_path / "runs.json"
    file.write_text('[{"dataset": "smoke"')
    with pytest.raises(SpectraError, match=r"runs\.json"):
        campaign(file)
    file.write_text('[{"dataset": "smoke", "model": "cnn7"}]')
    with pytest.raises(SpectraError, match="cnn7"):
        campaign(file)


@pytest.fixture(scope="module")
def worked(tmp_path_factory):
    """A campaign of three runs, worked through in processes of their own."""
    folder = tmp_path_factory.mktemp("campaign")
    file = folder / "runs.json"
    runs = [
        {"dataset": "smoke", "model": "vgg", "max_epochs": 2},
        {"dataset": "smoke", "model": "cnn2", "max_epochs": 2, "options": {"hidden_units": [16]}},
        {"dataset": "smoke", "model": "vgg", "max_epochs": 2, "batch_size": 5, "seed": 1},
    ]
    file.write_text(json.dumps(runs))
    store, lines = RunStore(folder / "results"), []
    tasks = campaign(file)
    failed = run_campaign(store, tasks, quiet=True, report=lines.append)
    return store, tasks, lines, failed


def test_a_campaign_is_worked_through(worked):
    store, tasks, lines, failed = worked
    assert failed == 0
    assert len(lines) == 3 and all(line.endswith("finished") for line in lines)
    assert {row.state for row in plan(store, tasks)} == {State.DONE}
    assert all(record.faults() == [] for record in load_records(store.path))


def test_costs_are_measured_where_runs_were_done(worked):
    store, tasks, _, _ = worked
    costs = CostModel(load_records(store.path))
    known, unknown = costs.estimate(tasks[0].spec), costs.estimate(RunSpec(dataset="challenge", model="cnn6"))
    assert known.measured and known.epochs == 2 and known.seconds > 0
    assert not unknown.measured and unknown.seconds > known.seconds


def test_costs_are_those_of_this_machine_where_it_has_done_runs(worked):
    store, *_ = worked
    here = load_records(store.path)
    (record, *_) = here
    elsewhere = record.model_copy(
        update={
            "sessions": (record.sessions[0].model_copy(update={"device": "GPU", "started": "2999-01-01T00:00:00"}),),
            "history": record.history.model_copy(update={"seconds": (1e6, 1e6)}),
        }
    )
    both = CostModel(RunRecords((*here, elsewhere)))
    assert both.estimate(record.spec) == CostModel(here).estimate(record.spec)
    assert CostModel(RunRecords((elsewhere,))).estimate(record.spec).seconds == 2e6


def test_workers_do_runs_at_the_same_time_and_each_once(tmp_path):
    together = threading.Barrier(2, timeout=20)
    done = []

    def run(spec, *_):
        together.wait()  # breaks if the other run is not under way
        done.append(spec.run_id)
        return "failed: on purpose"

    tasks = campaign()[:4]
    assert run_campaign(RunStore(tmp_path), tasks, workers=2, report=lambda line: None, do_run=run) == 4
    assert sorted(done) == sorted(task.spec.run_id for task in tasks)


def test_no_time_starts_nothing(tmp_path):
    lines = []
    assert run_campaign(RunStore(tmp_path), campaign(), budget_minutes=0, report=lines.append) == 0
    assert lines == [] and not list(tmp_path.glob("*/*.json"))


def test_records_travel_in_an_archive(worked, tmp_path):
    store, tasks, _, _ = worked
    archive = tmp_path / "records.tar.gz"
    assert pack_records(store, archive) == (3, 0)
    target = RunStore(tmp_path / "elsewhere")
    assert unpack_archive(archive, target) == (3, 0, 0, 0)
    assert unpack_archive(archive, target) == (0, 3, 0, 0)
    assert target.load(tasks[0].spec) == store.load(tasks[0].spec)


def pack_texts(archive, texts):
    """Put files given by name and text into an archive."""
    with tarfile.open(archive, "w:gz") as packed:
        for name, text in texts.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            packed.addfile(info, io.BytesIO(text.encode()))
    return archive


def one_error_less(data):
    data["test"]["errors"] -= 1


def other_best_epoch(data):
    data["kept_epoch"] = 1 - data["kept_epoch"]


def huge(data):
    data["spec"]["dataset"] = {"name": "smoke", "n_classes": 10**9}


def impossible(data):
    data["spec"]["dataset"] = {"name": "smoke", "n_points": 4, "boundary": 1, "n_classes": 90, "max_height": 1}
    data["digest"] = RunSpec.model_validate(data["spec"]).digest
    data |= {"schema_version": 1, "fresh": None}  # whose number would not fit either


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (other_best_epoch, "kept epoch"),
        (one_error_less, "test: errors by the predictions"),
        (huge, "at most 10000000 are checked"),
        (impossible, "its dataset cannot be made"),
    ],
)
def test_an_unsound_record_does_not_get_in(spoil, says, worked, tmp_path):
    store, tasks, _, _ = worked
    good, bad = (store.record_path(task.spec) for task in tasks[:2])
    data = json.loads(bad.read_text())
    assert data["test"]["errors"] > 0
    spoil(data)
    texts = {f"smoke/{bad.name}": json.dumps(data), f"smoke/{good.name}": good.read_text()}
    target = RunStore(tmp_path / "store")
    with pytest.warns(UserWarning, match=f"is not taken: .*{says}"):
        assert unpack_archive(pack_texts(tmp_path / "a.tar.gz", texts), target) == (1, 0, 0, 0)
    assert list(load_records(target.path)) == [store.load(tasks[0].spec)]


def test_a_record_under_a_strange_name_does_not_get_in(worked, tmp_path):
    store, tasks, _, _ = worked
    texts = {"smoke/other.json": store.record_path(tasks[0].spec).read_text()}
    with pytest.warns(UserWarning, match=f"the file should be called smoke/{tasks[0].spec.run_id}.json"):
        assert unpack_archive(pack_texts(tmp_path / "a.tar.gz", texts), RunStore(tmp_path / "store")) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "..", "a/b", "a\n"])
@pytest.mark.parametrize("field", ["model", "dataset"])
def test_a_record_cannot_name_a_place_outside_the_store(field, name, worked, tmp_path):
    store, tasks, _, _ = worked
    data = json.loads(store.record_path(tasks[0].spec).read_text())
    data["spec"][field] = name if field == "model" else {"name": name}
    archive = pack_texts(tmp_path / "a.tar.gz", {"smoke/a.json": json.dumps(data)})
    (tmp_path / "deep").mkdir()
    with pytest.warns(UserWarning, match=rf"a.json is not taken: (?s:.*){field}.*should match pattern"):
        assert unpack_archive(archive, RunStore(tmp_path / "deep" / "store")) == (0, 0, 0, 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


def many_fresh_spectra(data):
    data["spec"]["dataset"] = {"name": "smoke", "n_fresh": 10**9}


def claims_many_fresh_spectra(data):
    data["fresh"]["n"] = 10**12


def compressed_zeros(data):
    data["fresh"]["packed_labels"] = base64.b85encode(zlib.compress(bytes(10**8))).decode()


def newer(data):
    data["schema_version"] = 99


def cut_short(data):
    del data["history"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (many_fresh_spectra, "at most 10000000 are checked"),
        (claims_many_fresh_spectra, "at most 10000000 are checked"),
        (compressed_zeros, "the compressed predictions cannot be read"),
        (newer, "written by a newer version"),
        (cut_short, "history"),
    ],
)
def test_a_record_that_cannot_be_read_or_would_fill_the_memory_is_named(spoil, says, worked, tmp_path):
    store, tasks, _, _ = worked
    good, bad = (store.record_path(task.spec) for task in tasks[:2])
    data = json.loads(bad.read_text())
    spoil(data)
    texts = {f"smoke/{bad.name}": json.dumps(data), f"smoke/{good.name}": good.read_text()}
    target = RunStore(tmp_path / "store")
    tracemalloc.start()
    with pytest.warns(UserWarning, match=f"{bad.name} is not taken: (?s:.*){says}"):
        assert unpack_archive(pack_texts(tmp_path / "a.tar.gz", texts), target) == (1, 0, 0, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e7
    assert list(load_records(target.path)) == [store.load(tasks[0].spec)]


def test_a_record_of_a_run_under_way_does_not_get_in(worked, tmp_path):
    store, tasks, _, _ = worked
    path, target = store.record_path(tasks[0].spec), RunStore(tmp_path / "store")
    archive = pack_texts(tmp_path / "a.tar.gz", {f"smoke/{path.name}": path.read_text()})
    with target.lock(tasks[0].spec), pytest.warns(UserWarning, match="its run is being done here"):
        assert unpack_archive(archive, target) == (0, 0, 0, 0)
    assert unpack_archive(archive, target) == (1, 0, 0, 0)


def test_a_store_that_cannot_be_written_takes_no_archive(worked, tmp_path):
    archive = tmp_path / "records.tar.gz"
    pack_records(worked[0], archive)
    with pytest.raises(StoreError, match="cannot write to the store"):
        unpack_archive(archive, RunStore(archive))


def test_a_record_of_a_newer_version_stops_training_and_campaign_and_stays(tmp_path):
    store, spec = RunStore(tmp_path / "store"), RunSpec(dataset="smoke", model="vgg", max_epochs=1)
    file, path = tmp_path / "runs.json", store.record_path(spec)
    file.write_text(json.dumps([spec.model_dump(mode="json")]))
    path.parent.mkdir(parents=True)
    path.write_text('{"schema_version": 99}')
    with pytest.raises(NewerRecordError, match=path.name):
        train(spec, store, quiet=True)
    result = CliRunner().invoke(app, ["campaign", "run", "--runs", str(file), "--store", str(store.path)])
    assert result.exit_code != 0 and "written by a newer version" in result.output
    assert path.name in result.output.replace("\n", "")
    assert path.read_text() == '{"schema_version": 99}'
    assert [p for p in store.path.rglob("*") if p.is_file() and "locks" not in p.parts] == [path]


def test_a_run_that_is_under_way_is_passed_over(tmp_path):
    store = RunStore(tmp_path)
    spec = RunSpec(dataset="smoke", model="vgg", max_epochs=1)
    file = tmp_path / "runs.json"
    file.write_text(json.dumps([spec.model_dump(mode="json")]))
    with store.lock(spec):
        (row,) = plan(store, campaign(file))
        assert row.state == State.RUNNING
        assert run_campaign(store, campaign(file), report=lambda line: None) == 0
    assert store.load(spec) is None
    assert train(spec, store, quiet=True).faults() == []


def test_a_run_that_turns_out_to_be_in_other_hands_is_tried_once(tmp_path):
    tried = []

    def run(spec, *_):
        tried.append(spec.run_id)
        return BUSY

    tasks = campaign()[:3]
    assert run_campaign(RunStore(tmp_path), tasks, report=lambda line: None, do_run=run) == 0
    assert sorted(tried) == sorted(task.spec.run_id for task in tasks)


def test_a_run_ends_with_the_campaign_that_started_it():
    script = (
        "import multiprocessing, time\n"
        "from spectra_lib.experiments.execution import end_with_parent\n"
        "def work():\n"
        "    end_with_parent()\n"
        "    print(multiprocessing.current_process().pid, flush=True)\n"
        "    time.sleep(120)\n"
        "if __name__ == '__main__':\n"
        "    process = multiprocessing.get_context('fork').Process(target=work)\n"
        "    process.start()\n"
        "    process.join()\n"
    )
    campaign_process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with campaign_process as parent:
        run = int(parent.stdout.readline())
        os.kill(run, 0)  # it is there
        parent.kill()
        assert parent.stdout.read() == ""  # ends when the last process that can write to it has ended


def test_the_cost_of_a_network_without_convolutions_says_nothing_about_others(worked):
    store, *_ = worked
    (vgg, *_) = load_records(store.path)
    other = vgg.model_copy(update={"spec": RunSpec(dataset="smoke", model="peaknet")})
    wanted = RunSpec(dataset="challenge", model="cnn6")
    with_other, without = CostModel(RunRecords((vgg, other, other))), CostModel(RunRecords((vgg,)))
    assert with_other.estimate(wanted) == without.estimate(wanted)
