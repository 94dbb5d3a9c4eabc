"""Train as much of the campaign as a few minutes of one GPU allow: ``python -m spectra_lib.experiments.gpu_campaign``.

Several runs share the GPU, each in a process of its own. The general benchmark comes first, then the challenging set.
Before anything starts, a few steps of each network are measured and an estimate is printed. Records, checkpoints and
kept weights go into one archive, every few minutes and at the end; the same command goes on from it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectra_lib.experiments.gpu_requirements import FURTHER, GIVEN, lacking_message, missing_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spectra_lib.experiments.campaign import Task
    from spectra_lib.experiments.gpu_plan import GpuCosts, Job, Room
    from spectra_lib.experiments.gpu_workers import Measurement
    from spectra_lib.runs.records import RunRecords
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.runs.store import RunStore

PROCESSES = 4
"""At a time, if nobody says otherwise. More of them make each run slower, so that fewer end in a short time."""

MEASURED_NETWORKS = 8
MEASURING_SHARE = 0.25
"""Part of the time after which networks not yet measured are scaled from the others."""

STATUS_SECONDS = 60.0
DISK = 200e6
"""Bytes a second at which checkpoints are written, carefully put: so much time is kept for it at the end."""

PACKING = 40e6
"""The same for packing."""

IN_PASSING = 256 * 2**20
"""Size of the archive while runs are under way, if the one gone on from is not larger; the last one may be."""

GRACE = 180.0
"""Seconds that runs get for the epoch under way once they are asked to stop; a second Ctrl-C ends them at once."""

WAIT_AT_MOST = 0.25
"""Part of the time that is kept for the end at most."""


def parser() -> argparse.ArgumentParser:
    """Give the options of the command.

    Returns
    -------
    argparse.ArgumentParser
    """
    found = argparse.ArgumentParser(
        prog="python -m spectra_lib.experiments.gpu_campaign",
        description="Train as much of the campaign as a few minutes of one GPU allow.",
        epilog="Example: python -m spectra_lib.experiments.gpu_campaign --minutes 15 --store gpu --archive gpu.tar.gz",
    )
    add = found.add_argument
    add("--minutes", type=float, default=15.0, help="time for everything, from start to archive (default: 15)")
    add("--store", type=Path, default=Path("gpu-records"), help="folder of records and checkpoints")
    add("--archive", type=Path, default=Path("gpu-records.tar.gz"), help=".tar.gz or .tar; gone on from if it exists")
    add("--archive-mib", type=float, help="size it may have; smallest checkpoints first (default: no limit)")
    add("--pack-minutes", type=float, default=3.0, help="how often it is written (default: 3)")
    add("--known", type=Path, default=Path("results"), help="folder of records that need not be made again")
    add("--only", help="filter such as 'dataset=benchmark,seed=0'")
    add("--runs", type=Path, help="JSON list of run specifications instead of the book's campaign, in that order")
    add("--processes", type=int, default=PROCESSES, help=f"at a time, memory permitting (default: {PROCESSES})")
    add("--on-cpu", action="store_true", help="go on where JAX sees no GPU, to try the command")
    add("--dry-run", action="store_true", help="print the estimate only")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code: 0 done, 1 if runs failed, 2 for something the caller can mend.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words of the command line; by default those of the process.

    Returns
    -------
    int
    """
    given = parser().parse_args(arguments)
    begin = time.monotonic()
    missing = missing_packages((*GIVEN, *FURTHER))
    if missing:
        print(f"error: {lacking_message(missing)}", file=sys.stderr)  # noqa: T201
        return 2
    # This process computes nothing; should it come to import the backend, it takes no memory of the GPU.
    os.environ.update({"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"})
    from spectra_lib._base.errors import SpectraError

    try:
        return _Campaign(given, begin).work()
    except SpectraError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2


def say(text: str) -> None:
    """Print at once: the output of a lent machine often comes through a file.

    Parameters
    ----------
    text : str
        A line.
    """
    print(text, flush=True)  # noqa: T201


@dataclass
class _Progress:
    """What is known of a run under way."""

    job: Job
    epoch: int = 0
    times: list[float] = field(default_factory=list)

    def text(self) -> str:
        spans = self.times[-1] - self.times[max(-4, -len(self.times))] if len(self.times) > 1 else 0.0
        rate = f" ({spans / (min(4, len(self.times)) - 1):.1f} s each)" if spans else ""
        return f"{self.job.spec.run_id} epoch {self.epoch}{rate}" if self.times else f"{self.job.spec.run_id} starts"


class _Campaign:
    """The command under way."""

    def __init__(self, given: argparse.Namespace, begin: float) -> None:
        from spectra_lib._base.errors import SpectraError
        from spectra_lib.experiments.gpu_workers import Workers
        from spectra_lib.runs.store import RunStore

        if given.minutes <= 0 or given.processes < 1 or given.pack_minutes <= 0:
            raise SpectraError("expected --minutes and --pack-minutes above 0 and --processes of at least 1")
        self.given, self.begin = given, begin
        self.end = begin + 60 * given.minutes
        self.store: RunStore = RunStore(given.store)
        self.limit = None if given.archive_mib is None else round(given.archive_mib * 2**20)
        size = given.archive.stat().st_size if given.archive.exists() else 0
        self.in_passing = max(IN_PASSING, size) if self.limit is None else self.limit
        self.workers = Workers()
        self.under_way: dict[str, _Progress] = {}
        self.failed: list[str] = []
        self.finished: list[str] = []
        self.signal, self.hurry = 0, False

    @property
    def seconds(self) -> float:
        """Time left."""
        return self.end - time.monotonic()

    def work(self) -> int:
        """Do all; gives the exit code."""
        from spectra_lib.experiments.gpu_plan import table
        from spectra_lib.runs.archive import unpack_archive

        if self.given.archive.exists():
            taken = unpack_archive(self.given.archive, self.store, checkpoints=True)
            say(
                f"{self.given.archive}: {taken.records} records, {taken.checkpoints} checkpoints and {taken.weights} "
                f"sets of weights taken into {self.store.path}"
            )
        tasks, known, passed_over = self._tasks()
        say(f"{len(tasks)} runs to do; {passed_over} are done already")
        if not tasks:
            return 0
        with self._signals():
            measured = self._measure(tasks)
            if self.signal or self.seconds <= 0:
                say("stopped before the first run")
                return 128 + self.signal if self.signal else 0
            room, jobs = self._jobs(measured, tasks, known)
            say(table(jobs, room, self._until_stop([])))
            say(_EXPLAINED)
            if self.given.dry_run:
                return 0
            try:
                self._train(jobs, room)
            finally:
                self.workers.kill()
        self._summarise()
        return 128 + self.signal if self.signal else int(bool(self.failed))

    def _tasks(self) -> tuple[list[Task], RunRecords, int]:
        from spectra_lib.experiments.campaign import campaign
        from spectra_lib.experiments.cost import CostModel
        from spectra_lib.experiments.filters import parse_filter
        from spectra_lib.experiments.gpu_plan import in_order
        from spectra_lib.runs.records import RunRecords, load_records
        from spectra_lib.runs.store import RunStore

        stores = [self.store] + ([RunStore(self.given.known)] if self.given.known.is_dir() else [])
        known = RunRecords(tuple({r.digest: r for store in stores for r in load_records(store.path)}.values()))
        wanted = list(filter(parse_filter(self.given.only), campaign(self.given.runs)))
        open_ = [task for task in wanted if not any(store.record_path(task.spec).exists() for store in stores)]
        costs = CostModel(known)
        open_ = in_order(open_, lambda spec: costs.estimate(spec).seconds)
        # What is begun is finished first.
        return sorted(open_, key=lambda task: not self._epochs_done(task.spec)), known, len(wanted) - len(open_)

    def _epochs_done(self, spec: RunSpec) -> int:
        states = sorted(self.store.work_path(spec).glob("state-*.npz"))
        return int(states[-1].stem.removeprefix("state-")) if states else 0

    def _measure(self, tasks: Sequence[Task]) -> list[tuple[RunSpec, Measurement]]:
        """Measure the networks of the first runs: compiled side by side, timed one at a time."""
        from spectra_lib._base.errors import SpectraError
        from spectra_lib.experiments.gpu_plan import to_measure
        from spectra_lib.experiments.gpu_workers import WHOLE_FLOAT32

        specs = to_measure(tasks, MEASURED_NETWORKS)
        say(f"measuring a few steps of {', '.join(spec.model for spec in specs)} ...")
        found, failed = self._measure_together(specs, self.given.processes)
        if failed and not self.signal:  # perhaps only for want of memory beside the others
            found += self._measure_together(failed, 1)[0]
        if self.signal or self.seconds <= 0:
            return []
        if not found:
            raise SpectraError("no network could be measured; the lines above say why")
        device, error = found[0][1], max(one.product_error for _, one in found)
        if error > WHOLE_FLOAT32:
            raise SpectraError(
                f"{device.device} multiplies float32 numbers with a relative error of {error:.1e}, expected less than "
                f"{WHOLE_FLOAT32:.0e}; unset what asks for TF32 or less"
            )
        say(
            f"{device.device}, {device.memory / 2**30:.0f} GiB; float32 products are off by {error:.0e}; "
            f"measured in {time.monotonic() - self.begin:.0f} s"
        )
        return found

    def _measure_together(
        self, specs: Sequence[RunSpec], processes: int
    ) -> tuple[list[tuple[RunSpec, Measurement]], list[RunSpec]]:
        """Measure some networks; gives what was measured, and the specifications of those that failed."""
        from spectra_lib._base.errors import SpectraError
        from spectra_lib.experiments.gpu_workers import gpu_environment, measure_run

        turn = self.store.path / ".work" / "locks" / "measuring"
        environment = gpu_environment(self.store.path, 0.95, self._threads())
        waiting, by_key = list(specs), {spec.run_id: spec for spec in specs}
        found: list[tuple[RunSpec, Measurement]] = []
        failed = []
        until = time.monotonic() + MEASURING_SHARE * 60 * self.given.minutes
        while waiting or self.workers.keys:
            late = time.monotonic() > until and found
            if self.signal or self.seconds <= 0 or late:
                self.workers.kill()
                break
            while waiting and len(self.workers.keys) < processes:
                spec = waiting.pop(0)
                self.workers.start(spec.run_id, measure_run, (spec.model_dump_json(), turn), environment)
            for key, kind, value in self.workers.wait(min(1.0, self.seconds)):
                if kind == "failed":
                    say(f"{key} cannot be measured: {value}")
                    failed.append(by_key[key])
                elif kind == "cpu" and not self.given.on_cpu:
                    self.workers.kill()
                    raise SpectraError(
                        "JAX sees no GPU here; install JAX for it (pip install 'jax[cuda13]'), or try the command with "
                        "--on-cpu"
                    )
                elif kind == "done":
                    found.append((by_key[key], value))
        return found, failed

    def _threads(self) -> int:
        return (os.cpu_count() or 1) // self.given.processes

    def _jobs(
        self, measured: Sequence[tuple[RunSpec, Measurement]], tasks: Sequence[Task], known: RunRecords
    ) -> tuple[Room, list[Job]]:
        from spectra_lib._base.machine import total_memory
        from spectra_lib.experiments.gpu_plan import GpuCosts, Room

        costs: GpuCosts = GpuCosts(measured, known)
        room = Room(self.given.processes, 0.9 * measured[0][1].memory, 0.9 * total_memory())
        return room, [costs.job(task.spec, self._epochs_done(task.spec)) for task in tasks]

    def _until_stop(self, jobs: Sequence[Job]) -> float:
        """Seconds until the runs must stop, so that checkpoints and archive are written in time."""
        checkpoints = sum(job.checkpoint for job in jobs)
        packed = checkpoints if self.limit is None else min(self.limit, checkpoints)
        kept = 10 + checkpoints / DISK + packed / PACKING
        return self.seconds - min(kept, WAIT_AT_MOST * 60 * self.given.minutes)

    def _train(self, jobs: Sequence[Job], room: Room) -> None:
        waiting, next_status = list(jobs), time.monotonic() + STATUS_SECONDS
        next_pack = time.monotonic() + 60 * self.given.pack_minutes
        while not self.signal:
            running = [progress.job for progress in self.under_way.values()]
            if self._until_stop(running) <= 0:
                break
            self._start_some(waiting, room)
            if not self.under_way:
                break
            self._listen(min(1.0, self._until_stop(running)))
            if time.monotonic() >= next_status:
                progress = "; ".join(one.text() for one in self.under_way.values())
                say(f"{(time.monotonic() - self.begin) / 60:5.1f} min  {progress}")
                next_status = time.monotonic() + STATUS_SECONDS
            if time.monotonic() >= next_pack and self._until_stop(running) > 2 * self.in_passing / PACKING:
                self._pack(self.in_passing, last=False)
                next_pack = time.monotonic() + 60 * self.given.pack_minutes
        self.workers.stop()
        until = min(self.end - self._packing_seconds(), time.monotonic() + GRACE)
        while self.under_way and time.monotonic() < until and not self.hurry:
            self._listen(0.5)
        for key in self.workers.kill():
            say(f"{key}: ended in the middle of an epoch; its last checkpoint stays")
            self.under_way.pop(key)

    def _packing_seconds(self) -> float:
        checkpoints = sum(path.stat().st_size for path in (self.store.path / ".work").glob("*/*.npz"))
        packed = checkpoints if self.limit is None else min(self.limit, checkpoints)
        return min(5 + packed / PACKING, 0.5 * WAIT_AT_MOST * 60 * self.given.minutes)

    def _start_some(self, waiting: list[Job], room: Room) -> None:
        from spectra_lib.experiments.gpu_plan import choose
        from spectra_lib.experiments.gpu_workers import do_run, gpu_environment

        while True:
            running = [progress.job for progress in self.under_way.values()]
            limit = float("inf") if self.limit is None else self.limit
            left = self._until_stop(running)
            job = choose(waiting, running, room, left, limit)
            if job is None:
                return
            waiting.remove(job)
            key = job.spec.run_id
            # Half as much again as is set aside: a process that needs more is better ended than all of them.
            share = 1.5 * job.memory / room.memory
            environment = gpu_environment(self.store.path, share, self._threads())
            seconds = self._until_stop([*running, job])
            given = (job.spec.model_dump_json(), self.store.path, seconds, self.given.on_cpu)
            self.workers.start(key, do_run, given, environment)
            self.under_way[key] = _Progress(job)
            say(f"{key}: started{f' after epoch {job.epochs_done}' if job.epochs_done else ''}")

    def _listen(self, timeout: float) -> None:
        for key, kind, value in self.workers.wait(timeout):
            progress = self.under_way[key]
            if kind == "epoch":
                progress.epoch = value
                progress.times.append(time.monotonic())
                continue
            del self.under_way[key]
            if kind == "done":
                self.finished += [key] if value == "finished" else []
                say(f"{key}: {value}{f' after epoch {progress.epoch}' if value == 'stopped' else ''}")
            else:
                self.failed.append(key)
                say(f"{key}: failed: {value}")

    def _pack(self, most: int | None, *, last: bool) -> None:
        from spectra_lib._base.errors import SpectraError
        from spectra_lib.runs.campaign_archive import pack_campaign

        try:
            packed = pack_campaign(self.store, self.given.archive, most)
        except SpectraError as error:
            if last:
                raise
            say(f"warning: {error}; the runs go on")
            return
        say(
            f"{self.given.archive}: {packed.size / 2**20:.1f} MiB with {packed.records} records, "
            f"{len(packed.checkpoints)} checkpoints, {len(packed.weights)} sets of weights"
        )
        if last:
            for name, size in packed.left_out:
                say(f"  left out, since it does not fit: {name}, {size / 2**20:.0f} MiB; it stays in {self.store.path}")

    def _summarise(self) -> None:
        self._pack(self.limit, last=True)
        say(
            f"{len(self.finished)} runs finished, {len(self.failed)} failed, in "
            f"{(time.monotonic() - self.begin) / 60:.1f} minutes; the same command goes on"
        )

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def note(number: int, _frame: Any) -> None:
            self.signal, self.hurry = number, bool(self.signal)

        before: dict[int, Callable | int | None] = {
            number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


_EXPLAINED = """\
These are estimates. Seconds of an epoch: from a few steps measured here, one network at a time (~: scaled from other
networks by multiply-adds). Epochs: the median of earlier runs of the network on this dataset, or of all there are;
early stopping decides. The first end is for processes that do not slow one another down, the second for a GPU that
does the work of one at a time. Memory is what those steps took and a third more."""

if __name__ == "__main__":
    sys.exit(main())
