"""The plan for a few minutes of one GPU: what it needs, in which order it trains, and that it stops and goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib import metadata
from types import SimpleNamespace

import pytest

from spectra_lib._base.errors import BudgetError, SpectraError
from spectra_lib.experiments import gpu_campaign, gpu_plan, gpu_requirements, gpu_workers
from spectra_lib.experiments.campaign import campaign
from spectra_lib.experiments.gpu_plan import (
    FIRST,
    GpuCosts,
    Job,
    Room,
    chances,
    choose,
    finish_times,
    in_order,
    table,
    to_measure,
)
from spectra_lib.experiments.gpu_workers import Measurement, gpu_environment
from spectra_lib.networks.catalogue import PUBLISHED
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore
from spectra_lib.training.trainer import train

ROOM = Room(processes=2, memory=10, host_memory=10)


def job(seconds=10.0, memory=1, checkpoint=1, seed=0, epochs=10):
    spec = RunSpec(dataset="smoke", model="vgg", seed=seed)
    return Job(spec, epochs, 0, seconds / epochs, 0.0, memory, memory, checkpoint, True)


def measurement(**fields):
    values = {
        "device": "GPU",
        "on_cpu": False,
        "memory": 80 * 2**30,
        "run_memory": 2**30,
        "host_memory": 2**30,
        "parameters": 10**6,
        "start_seconds": 20.0,
        "step_seconds": 0.1,
        "product_error": 1e-7,
    }
    return Measurement(**values | fields)


def test_all_missing_packages_are_named_at_once_before_anything_is_imported(monkeypatch, capsys):
    real = metadata.distribution

    def lacking(name):
        if name in ("filelock", "numba", "pydantic", "optree"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(gpu_requirements.metadata, "distribution", lacking)
    assert gpu_campaign.main([]) == 2
    said = capsys.readouterr().err
    assert "lacks 4 packages: filelock, numba, pydantic>=2.8, optree" in said  # Keras needs the last
    assert "pip install filelock numba 'pydantic>=2.8' optree" in said


def test_the_check_imports_nothing_that_may_be_missing():
    script = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import spectra_lib.experiments.gpu_campaign\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before} - {'spectra_lib'}\n"
        "print(sorted(new - set(sys.stdlib_module_names)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_documentation_names_the_packages_that_are_checked(project):
    page = (project / "book" / "cluster.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install 'jax\[cuda13\]' 'keras>=3\.8' (.+)$", page, re.MULTILINE)
    assert [name.strip("'") for name in line.split()] == list(gpu_requirements.FURTHER)


def test_the_general_benchmark_comes_first_then_more_seeds_then_the_challenging_set():
    tasks = in_order(campaign(), lambda spec: {"resnet": 9.0, "cnn2": 1.0}.get(spec.model, 5.0))
    assert [(t.spec.dataset, t.spec.seed, t.spec.model) for t in tasks[:8]] == [("benchmark", 0, m) for m in FIRST]
    seeds = [tasks[8 * seed : 8 * seed + 8] for seed in range(1, 5)]
    for seed, group in enumerate(seeds, start=1):
        assert {(task.spec.dataset, task.spec.seed) for task in group} == {("benchmark", seed)}
        assert {task.spec.model for task in group} == set(PUBLISHED)
        assert (group[0].spec.model, group[-1].spec.model) == ("resnet", "cnn2")  # the longest first
    after = [task.spec for task in tasks[40:]]
    plain = [spec.dataset == "challenge" and not spec.options and spec.model != "peaknet" for spec in after]
    assert all(plain[:100])
    assert len(tasks) == len(campaign())


def test_a_list_of_ones_own_keeps_its_order(tmp_path):
    file = tmp_path / "runs.json"
    file.write_text(json.dumps([{"dataset": "smoke", "model": "vgg", "seed": seed} for seed in (2, 0, 1)]))
    tasks = in_order(campaign(file), lambda spec: float(spec.seed))
    assert [task.spec.seed for task in tasks] == [2, 0, 1]
    assert [spec.seed for spec in to_measure(tasks, 8)] == [2]  # steps of the others are the same


def test_costs_come_from_steps_measured_here_and_epochs_from_earlier_runs():
    specs = [RunSpec(dataset="benchmark", model=model) for model in ("vgg", "cnn2")]
    found = zip(specs, (measurement(step_seconds=0.1), measurement(step_seconds=0.2, parameters=10**7)), strict=True)
    costs = GpuCosts(list(found), RunRecords(()))
    known = costs.job(specs[0], epochs_done=30)
    assert known.epoch_seconds == pytest.approx(0.1 * 196 * gpu_plan.EVALUATION) and known.measured
    assert known.seconds == pytest.approx(20.0 + (known.epochs - 30) * known.epoch_seconds)
    assert known.checkpoint == 16 * 10**6
    smaller = costs.job(RunSpec(dataset="challenge", model="vgg"))
    share = 27 / 500
    assert smaller.epoch_seconds == pytest.approx(known.epoch_seconds * share, rel=0.01)
    assert smaller.epoch_seconds < known.epoch_seconds * share  # the output layer is smaller, too
    other = costs.job(RunSpec(dataset="benchmark", model="cnn6"))
    assert not other.measured and other.checkpoint == 16 * 10**7  # the largest that was measured


def test_processes_share_the_gpu_and_its_memory():
    jobs = [job(10), job(20), job(10)]
    assert finish_times(jobs, ROOM, 0.0) == [10, 20, 20]
    assert finish_times(jobs, ROOM, 1.0) == [20, 40, 40]
    large = [job(10, memory=8), job(10, memory=8), job(10, memory=99)]
    assert finish_times(large, ROOM, 0.0) == [10, 20, 30]  # one after the other, the last although it is too large
    assert chances(jobs, ROOM, 25) == ["yes", "perhaps", "perhaps"]
    assert chances(jobs, ROOM, 5) == ["no", "no", "no"]


def test_the_table_says_what_will_probably_be_finished():
    text = table([job(10), job(20), job(1e6)], Room(3, 9, 9), 35)
    assert "1 runs will probably be finished, 1 more perhaps, of 3" in text
    assert [line.split()[-1] for line in text.splitlines()[1:4]] == ["yes", "perhaps", "no"]


@pytest.mark.parametrize(
    ("waiting", "running", "seconds", "limit", "chosen"),
    [
        ([job(100), job(10, seed=1)], [], 50, 0, 1),  # the first that can end in time
        ([job(100), job(200, seed=1)], [job()], 50, 0, None),  # it would only slow the other down
        ([job(100), job(200, seed=1)], [job()], 50, 5, 0),  # its checkpoint goes into the archive
        ([job(100, checkpoint=9), job(200, seed=1)], [job()], 50, 5, 1),
        ([job(100), job(200, seed=1)], [], 50, 0, 0),  # nothing else runs
        ([job(10, memory=10), job(20, seed=1)], [job()], 50, 0, 1),  # the first finds no memory
        ([job(10)], [job(), job()], 50, 9, None),
        ([job(10)], [], 2, 9, None),  # no time for two epochs
    ],
)
def test_the_next_run_is_one_that_is_worth_starting(waiting, running, seconds, limit, chosen):
    found = choose(waiting, running, ROOM, seconds, limit)
    assert found is (None if chosen is None else waiting[chosen])


class Played:
    """In place of `Workers`: runs end as the model's name and the seed say, a message every time."""

    def __init__(self):
        self.running, self.stopped, self.most, self.environments = {}, False, 0, []

    @property
    def keys(self):
        return list(self.running)

    def start(self, key, work, given, environment):
        self.running[key] = RunSpec.model_validate_json(given[0])
        self.most = max(self.most, len(self.running))
        self.environments.append(environment)

    def wait(self, timeout):
        found = []
        for key, spec in list(self.running.items()):
            if self.stopped:
                found.append((key, "done", "stopped"))
            elif spec.seed == 0:
                found += [(key, "epoch", 1), (key, "done", "finished")]
            elif spec.seed == 1:
                found.append((key, "failed", "on purpose"))
            else:
                continue
            del self.running[key]
        if not found:
            time.sleep(min(timeout, 0.05))
        return found

    def stop(self):
        self.stopped = True

    def kill(self):
        return []


def test_runs_are_done_side_by_side_until_the_time_is_up(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu_workers, "Workers", Played)
    options = ["--store", str(tmp_path), "--archive", str(tmp_path / "a.tar.gz"), "--minutes", "0.02"]
    given = gpu_campaign.parser().parse_args(options)
    work = gpu_campaign._Campaign(given, time.monotonic())
    work._train([job(seed=seed, seconds=1e-3) for seed in range(5)], ROOM)
    said = capsys.readouterr().out
    assert work.finished == [job(seed=0).spec.run_id] and work.failed == [job(seed=1).spec.run_id]
    assert f"{job(seed=2).spec.run_id}: stopped" in said and "failed: on purpose" in said
    assert work.workers.most == 2 and not work.workers.keys
    assert job(seed=4).spec.run_id not in said  # no place was free for it
    assert {one["XLA_PYTHON_CLIENT_MEM_FRACTION"] for one in work.workers.environments} == {"0.150"}


def test_a_signal_stops_the_runs_and_packs_what_there_is(tmp_path, monkeypatch, capsys):
    class Signalled(Played):
        def wait(self, timeout):
            os.kill(os.getpid(), signal.SIGTERM)
            return super().wait(timeout)

    monkeypatch.setattr(gpu_workers, "Workers", Signalled)
    options = ["--store", str(tmp_path), "--archive", str(tmp_path / "a.tar.gz"), "--known", str(tmp_path)]
    given = gpu_campaign.parser().parse_args(options)
    work = gpu_campaign._Campaign(given, time.monotonic())
    monkeypatch.setattr(work, "_measure", lambda tasks: [(tasks[0].spec, measurement())])
    before = signal.getsignal(signal.SIGTERM)
    assert work.work() == 128 + signal.SIGTERM and signal.getsignal(signal.SIGTERM) == before
    assert work.workers.stopped and (tmp_path / "a.tar.gz").exists()
    said = capsys.readouterr().out
    assert "benchmark-cnn3-linear-paper-s0" in said and "estimates" in said


def test_an_archive_that_cannot_be_written_meanwhile_ends_nothing(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    given = gpu_campaign.parser().parse_args(["--archive", str(tmp_path / "file" / "a.tar"), "--store", str(tmp_path)])
    work = gpu_campaign._Campaign(given, time.monotonic())
    work._pack(1000, last=False)
    assert "the runs go on" in capsys.readouterr().out
    with pytest.raises(SpectraError, match="cannot write"):
        work._pack(1000, last=True)


def test_a_process_reserves_no_more_memory_than_it_needs(tmp_path):
    found = gpu_environment(tmp_path, 2.0, 0)
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert float(found["XLA_PYTHON_CLIENT_MEM_FRACTION"]) < 1
    assert found["NUMBA_NUM_THREADS"] == "1" and found["NVIDIA_TF32_OVERRIDE"] == "0"


def in_python(script, tmp_path):
    environment = os.environ | gpu_environment(tmp_path / "store", 0.5, 1)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_on_a_gpu_multiplies_whole_float32_numbers(tmp_path):
    """Done on the CPU, which is declared to be a GPU: what the compiled product asks of the hardware is looked at."""
    spec = RunSpec(dataset="smoke", model="vgg", max_epochs=1).model_dump_json()
    script = f"""
from pathlib import Path
from spectra_lib.training import backend
from spectra_lib.experiments.gpu_workers import do_run, float32_error
import jax, keras
backend.computes_on_cpu = lambda: False
asked = []
def stop():
    asked.append(str(jax.config.jax_default_matmul_precision))
    return True
assert jax.config.jax_default_matmul_precision is None
assert do_run(print, stop, {spec!r}, Path("store"), 1e6, False) == "stopped"
print(asked)
one = jax.numpy.ones((1, 64, 64))
for f in (lambda x: keras.ops.matmul(x, x), lambda x: keras.ops.conv(x, jax.numpy.ones((3, 64, 8)))):
    print("HIGHEST" in jax.jit(f).lower(one).as_text())
print(float32_error() < 1e-6)
"""
    assert in_python(script, tmp_path).split() == ["['highest']", "True", "True", "True"]


def test_a_worker_does_a_run_and_tells_of_it(tmp_path):
    workers = gpu_workers.Workers()
    spec = RunSpec(dataset="smoke", model="vgg", max_epochs=2)
    environment = gpu_environment(tmp_path, 0.5, 1)
    workers.start("run", gpu_workers.do_run, (spec.model_dump_json(), tmp_path, 1e6, True), environment)
    workers.start("lost", gpu_workers.do_run, (spec.model_dump_json(), tmp_path, 1e6, False), environment)
    found = []
    while workers.keys:
        found += workers.wait(60.0)
    assert [(kind, value) for key, kind, value in found if key == "run"] == [
        ("epoch", 1),
        ("epoch", 2),
        ("done", "finished"),
    ]
    assert [(kind, value) for key, kind, value in found if key == "lost"] == [("failed", "this process sees no GPU")]
    assert RunStore(tmp_path).load(spec).sessions[0].backend == "jax"


def test_a_run_that_is_asked_to_stop_goes_on_later(tmp_path):
    spec = RunSpec(dataset="smoke", model="vgg", max_epochs=3)
    epochs = []
    with pytest.raises(BudgetError, match="after 1 epochs"):
        train(spec, tmp_path, quiet=True, on_epoch=epochs.append, should_stop=lambda: bool(epochs))
    record = train(spec, tmp_path, quiet=True)
    assert [session.first_epoch for session in record.sessions] == [0, 1] and len(record.history) == 3


def test_the_memory_of_a_gpu_is_what_jax_says_of_it(tmp_path):
    script = """
import os
os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = "0.5"
from types import SimpleNamespace
import jax
from spectra_lib.training import backend
used, there = backend.device_memory()
print(0 < used <= there)
backend.computes_on_cpu = lambda: False
jax.devices = lambda: [SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": 7, "bytes_limit": 40})]
print(backend.device_memory())
"""
    assert in_python(script, tmp_path).splitlines() == ["True", "(7, 80)"]


def test_a_worker_that_is_killed_is_seen():
    workers = gpu_workers.Workers()
    workers.start("sleep", time.sleep, (), {})
    while workers.keys:
        messages = workers.wait(60.0)
    assert messages[0][1] == "failed" and "TypeError" in messages[0][2]  # sleep takes no such arguments
    workers._processes["gone"] = process = SimpleNamespace(join=lambda: None, exitcode=-9)
    receiver, sender = gpu_workers.multiprocessing.Pipe(duplex=False)
    workers._receivers["gone"] = receiver
    sender.close()
    assert workers.wait(1.0) == [("gone", "failed", f"the process ended with exit code {process.exitcode}")]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--minutes", "0"], "--minutes"),
        (["--processes", "0"], "--processes of at least 1"),
        (["--only", "colour=red"], "unknown field"),
        (["--runs", "no-such.json"], "no-such.json"),
    ],
)
def test_wrong_options_are_told_in_one_line(options, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # main sets it for its children; monkeypatch puts it back
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    assert gpu_campaign.main(options) == 2
    assert re.fullmatch(rf"error: .*{re.escape(says)}.*\n", capsys.readouterr().err)


def test_what_is_done_already_is_not_made_again(tmp_path, monkeypatch, capsys, project):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    known = str(project / "results")
    only = "dataset=benchmark,model=vgg,seed=0"
    assert gpu_campaign.main(["--known", known, "--only", only]) == 0
    assert "0 runs to do; 1 are done already" in capsys.readouterr().out
