"""What to train in a few minutes of one GPU, in which order, and what will probably be finished by then.

Figures here are estimates. Seconds of a step are measured for a few steps of a network on the device at hand; how many
epochs a run takes is known only from earlier runs; how much several processes slow one another down is not known, and
given as the two ends of what is possible.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from spectra_lib.experiments.campaign import Task
from spectra_lib.experiments.cost import CostModel
from spectra_lib.experiments.gpu_workers import Measurement
from spectra_lib.networks.catalogue import MODIFIED, PUBLISHED
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import RunSpec

FIRST = ("cnn3", "cnn6", "cnn_bn", "inc3", "resnet", "inc6", "vgg", "cnn2")
"""The published networks in the order in which they are trained on the general benchmark, seed 0."""

EVALUATION = 1.1
"""An epoch takes so many times its training steps: afterwards a fifth as many spectra are classified."""

ROOM = 1.3
"""Memory set aside for a run, in units of what a few steps of it used."""

CONTEXT = 600 * 2**20
"""Bytes of a GPU that a process takes beside its arrays."""

BYTES_PER_PARAMETER = 4
COPIES_IN_CHECKPOINT = 4
"""Weights, two moments of Adam, and the weights of the best epoch."""


def in_order(tasks: Iterable[Task], seconds: Callable[[RunSpec], float]) -> list[Task]:
    """Sort runs: general benchmark seed by seed, then the challenging set stage by stage, then all others.

    The first seed comes in the order of `FIRST`, so that all published networks are there as soon as possible; in
    later groups the longest run comes first, so that no long one is left alone at the end. A list of one's own
    keeps its order.

    Parameters
    ----------
    tasks : iterable of Task
        The runs.
    seconds : callable
        Gives the expected time of a run.

    Returns
    -------
    list of Task

    Examples
    --------
    >>> from spectra_lib.experiments.campaign import campaign
    >>> [task.spec.model for task in in_order(campaign(), lambda spec: 0.0)[:3]]
    ['cnn3', 'cnn6', 'cnn_bn']
    """

    def rank(task: Task) -> tuple[int, str, int, float]:
        spec = task.spec
        if task.stage == "own":
            return 0, "", 0, 0.0
        plain = not spec.options and spec.protocol == "paper" and spec.precision == "float32"
        if plain and spec.dataset == "benchmark" and spec.model in PUBLISHED:
            return 1, "", spec.seed, FIRST.index(spec.model) if spec.seed == 0 else -seconds(spec)
        challenging = plain and spec.dataset == "challenge" and spec.model in (*PUBLISHED, *MODIFIED)
        return 2 if challenging else 3, task.stage, spec.seed, -seconds(spec)

    return sorted(tasks, key=rank)


@dataclass(frozen=True)
class Job:
    """A run with what is expected of it.

    Attributes
    ----------
    spec : RunSpec
        The run.
    epochs, epochs_done : float, int
        Epochs that it will probably take, and those in its checkpoint.
    epoch_seconds, start_seconds : float
        Of an epoch, alone on the GPU; of start and compilation.
    memory, host_memory : int
        Bytes set aside for it on the GPU and on the machine.
    checkpoint : int
        Bytes of its checkpoint.
    measured : bool
        Whether this network was measured here, not scaled from others by multiply-adds.
    """

    spec: RunSpec
    epochs: float
    epochs_done: int
    epoch_seconds: float
    start_seconds: float
    memory: int
    host_memory: int
    checkpoint: int
    measured: bool

    @property
    def seconds(self) -> float:
        """Time that it will take alone on the GPU from now on."""
        return self.start_seconds + max(1.0, self.epochs - self.epochs_done) * self.epoch_seconds


Key = tuple[str, str, str]


def network_key(spec: RunSpec) -> Key:
    """What runs have in common whose steps take the same time: network, options and number format.

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    (str, str, str)

    Examples
    --------
    >>> network_key(RunSpec(dataset="smoke", model="vgg"))
    ('vgg', '{}', 'float32')
    """
    return spec.model, str(dict(sorted(spec.options.items()))), spec.precision


def to_measure(tasks: Iterable[Task], most: int) -> list[RunSpec]:
    """Give one run of each network among the first ones, at most so many.

    Parameters
    ----------
    tasks : iterable of Task
        Runs in order.
    most : int
        Largest number of networks.

    Returns
    -------
    list of RunSpec
    """
    found: dict[Key, RunSpec] = {}
    for task in tasks:
        found.setdefault(network_key(task.spec), task.spec)
        if len(found) == most:
            break
    return list(found.values())


class GpuCosts:
    """Expected costs of runs on the GPU at hand.

    Parameters
    ----------
    measured : sequence of (RunSpec, Measurement)
        Runs of which a few steps were measured; at least one.
    known : RunRecords
        Records of any machine: they tell how many epochs runs take.
    """

    def __init__(self, measured: Sequence[tuple[RunSpec, Measurement]], known: RunRecords) -> None:
        self._epochs, self._work = CostModel(known), CostModel(RunRecords(()))
        self._found = {network_key(spec): found for spec, found in measured}
        # Seconds for each unit of work: of one network the same on every dataset, of others the median.
        self._rates = {
            network_key(spec): found.step_seconds * steps_per_epoch(spec) / self._units(spec)
            for spec, found in measured
        }

    def _units(self, spec: RunSpec) -> float:
        return self._work.estimate(spec).seconds_per_epoch

    def job(self, spec: RunSpec, epochs_done: int = 0) -> Job:
        """Estimate a run.

        Parameters
        ----------
        spec : RunSpec
            The run.
        epochs_done : int
            Epochs that its checkpoint has.

        Returns
        -------
        Job
        """
        key = network_key(spec)
        alike = [self._found[key]] if key in self._found else list(self._found.values())
        parameters = max(found.parameters for found in alike)
        weights = BYTES_PER_PARAMETER * parameters
        on_cpu = alike[0].on_cpu
        host = max(found.host_memory for found in alike) + (COPIES_IN_CHECKPOINT + 1) * weights
        on_gpu = CONTEXT + round(ROOM * max(found.run_memory for found in alike))
        return Job(
            spec=spec,
            epochs=self._epochs.estimate(spec).epochs,
            epochs_done=epochs_done,
            epoch_seconds=EVALUATION
            * self._units(spec)
            * self._rates.get(key, statistics.median(self._rates.values())),
            start_seconds=max(found.start_seconds for found in alike),
            memory=host if on_cpu else on_gpu,
            host_memory=host,
            checkpoint=COPIES_IN_CHECKPOINT * weights,
            measured=key in self._found,
        )


def steps_per_epoch(spec: RunSpec) -> int:
    """Training steps of an epoch.

    Parameters
    ----------
    spec : RunSpec
        The run.

    Returns
    -------
    int

    Examples
    --------
    >>> steps_per_epoch(RunSpec(dataset="benchmark", model="vgg"))
    196
    """
    data = spec.dataset_spec
    return math.ceil(data.n_classes * data.n_train / spec.batch_size)


@dataclass(frozen=True)
class Room:
    """What there is to share: processes at a time, bytes on the GPU, bytes of the machine.

    Attributes
    ----------
    processes : int
        Processes at a time.
    memory, host_memory : float
        Bytes on the GPU, and of the machine.
    """

    processes: int
    memory: float
    host_memory: float

    def has_place(self, job: Job, running: Sequence[Job]) -> bool:
        """Whether a run can start beside those under way; alone every run can.

        Parameters
        ----------
        job : Job
            The run to start.
        running : sequence of Job
            Runs under way.

        Returns
        -------
        bool
        """
        if not running:
            return True
        jobs = (*running, job)
        return (
            len(jobs) <= self.processes
            and sum(one.memory for one in jobs) <= self.memory
            and sum(one.host_memory for one in jobs) <= self.host_memory
        )


def finish_times(jobs: Sequence[Job], room: Room, sharing: float) -> list[float]:
    """When each run would end, in seconds from now, if they start in this order.

    Parameters
    ----------
    jobs : sequence of Job
        The runs.
    room : Room
        What they share.
    sharing : float
        0 if processes do not slow one another down, 1 if the GPU does the work of one at a time.

    Returns
    -------
    list of float, shape (n_jobs,)

    Examples
    --------
    >>> job = Job(RunSpec(dataset="smoke", model="vgg"), 9, 0, 1.0, 1.0, 1, 1, 1, True)
    >>> [finish_times([job, job], Room(2, 9, 9), sharing) for sharing in (0.0, 1.0)]
    [[10.0, 10.0], [20.0, 20.0]]
    """
    ends = [math.inf] * len(jobs)
    waiting, left, now = list(range(len(jobs))), dict[int, float](), 0.0
    while waiting or left:
        while waiting and room.has_place(jobs[waiting[0]], [jobs[i] for i in left]):
            first = waiting.pop(0)
            left[first] = jobs[first].seconds
        slower = 1 + sharing * (len(left) - 1)
        span = min(left.values())
        now += span * slower
        left = {i: rest - span for i, rest in left.items()}
        for i in [i for i, rest in left.items() if rest <= 1e-9]:
            ends[i] = now
            del left[i]
    return ends


def chances(jobs: Sequence[Job], room: Room, seconds: float) -> list[str]:
    """Say of each run whether it will be finished in that time: "yes", "perhaps" or "no".

    "yes" if so even when the GPU does the work of one process at a time, "perhaps" only when they do not slow one
    another down.

    Parameters
    ----------
    jobs : sequence of Job
        Runs, in the order of their start.
    room : Room
        What they share.
    seconds : float
        Time from now.

    Returns
    -------
    list of str, shape (n_jobs,)
    """
    best, worst = (finish_times(jobs, room, sharing) for sharing in (0.0, 1.0))
    return [
        "yes" if late <= seconds else "perhaps" if early <= seconds else "no"
        for early, late in zip(best, worst, strict=True)
    ]


def choose(waiting: Sequence[Job], running: Sequence[Job], room: Room, seconds: float, limit: float) -> Job | None:
    """Choose the run to start next, or none for now.

    The first one that can end in the time left; after these, those whose checkpoint fits into the archive; a run that
    can do neither only slows the others down, and is begun only where nothing else runs. None is begun that would
    hardly get beyond its start.

    Parameters
    ----------
    waiting, running : sequence of Job
        Runs not begun, in order, and those under way.
    room : Room
        What they share.
    seconds : float
        Time left.
    limit : float
        Bytes that a checkpoint may have to go into the archive.

    Returns
    -------
    Job or None
    """
    begun = [job for job in waiting if job.start_seconds + 2 * job.epoch_seconds < seconds]
    places = [job for job in begun if room.has_place(job, running)]
    in_time = [job for job in places if job.seconds <= seconds]
    kept = [job for job in places if job.checkpoint <= limit]
    alone = places if not running else []
    return next(iter((*in_time, *kept, *alone)), None)


def table(jobs: Sequence[Job], room: Room, seconds: float, rows: int = 16) -> str:
    """Write the estimate as text: a line for each of the first runs, and what they sum up to.

    Parameters
    ----------
    jobs : sequence of Job
        Runs, in the order of their start.
    room : Room
        What they share.
    seconds : float
        Time from now.
    rows : int
        Runs that get a line.

    Returns
    -------
    str
        Several lines.
    """
    best, worst = (finish_times(jobs, room, sharing) for sharing in (0.0, 1.0))
    said = chances(jobs, room, seconds)
    heads = ("epochs", "s/epoch", "alone", "ends after", "memory", "checkpt")
    lines = ["{:52} {:>7} {:>8} {:>8} {:>16} {:>7} {:>7}  finished?".format("run", *heads)]
    for job, early, late, answer in list(zip(jobs, best, worst, said, strict=True))[:rows]:
        epochs = f"{job.epochs_done}/{job.epochs:.0f}" if job.epochs_done else f"{job.epochs:.0f}"
        mark = " " if job.measured else "~"
        lines.append(
            f"{job.spec.run_id:52} {epochs:>7} {mark}{job.epoch_seconds:7.2f} {job.seconds / 60:6.1f} m "
            f"{early / 60:6.1f}-{late / 60:6.1f} m {job.memory / 2**30:5.1f} G {job.checkpoint / 2**20:5.0f} M"
            f"  {answer}"
        )
    if len(jobs) > rows:
        lines.append(f"... and {len(jobs) - rows} more")
    lines.append(
        f"In {seconds / 60:.1f} minutes with at most {room.processes} processes: {said.count('yes')} runs will "
        f"probably be finished, {said.count('perhaps')} more perhaps, of {len(jobs)}."
    )
    return "\n".join(lines)
