"""The campaign: which runs the book wants, in which order, what they cost, and doing them.

The paper rests on 40 runs on the general benchmark, 80 on the challenging set and 25 of modified
networks. A residual network without hidden layers has no activation to vary, so that the 80 are 75
different ones here. To these come comparisons of our own: the published code's protocol, mixed
precision, networks that differ from a published one in a single part, a network of our own with what was
tried on the way to it, other numbers of training spectra, and harder datasets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.datasets.harder import HARDER, TRAINING_SIZES, with_training_size
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.experiments.peaknet_variants import GRID, HARDLY_TRAINED, VARIANTS
from spectra_lib.experiments.single_changes import SINGLE_CHANGES, Variant, variants
from spectra_lib.networks.catalogue import MODIFIED, OWN, PUBLISHED, activations, published_activation, relu_activation
from spectra_lib.runs.specification import RunSpec

SEEDS = range(5)


SINGLE_CHANGE_STAGES = {1: ("vgg", "cnn2"), 2: ("cnn_bn", "cnn3"), 3: ("cnn6", "cnn6_bn"), 4: ("resnet",)}
"""Networks of which one part is changed, the cheap ones first; three seeds each in stages h, the others in i."""


COMPARED = (Variant("cnn2"), Variant("vgg"), Variant(OWN, None))
"""Networks of the comparisons of training data and of harder datasets."""


@dataclass(frozen=True)
class Task:
    """A run of the campaign.

    Attributes
    ----------
    stage : str
        Stage it belongs to; stages are worked through in the order of their names.
    spec : RunSpec
        The run.
    """

    stage: str
    spec: RunSpec


def _spec(dataset: str | DatasetSpec, model: str, activation: str | None, seed: int, **more: Any) -> RunSpec:
    return RunSpec(dataset=dataset, model=model, hidden_activation=activation, seed=seed, **more)  # type: ignore[arg-type]


def campaign(runs: Path | None = None) -> list[Task]:
    """All runs of the campaign, in order of stage.

    Parameters
    ----------
    runs : Path, optional
        JSON file with a list of run specifications, for a campaign of one's own; its only stage is
        called "own".

    Returns
    -------
    list of Task

    Raises
    ------
    SpectraError
        If the file is not such a list.

    Examples
    --------
    >>> tasks = campaign()
    >>> tasks[0].stage, tasks[0].spec.model
    ('a0', 'peaknet')
    >>> len({task.spec.digest for task in tasks}) == len(tasks)
    True
    """
    if runs is None:
        return list(_tasks())
    try:
        listed = json.loads(runs.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SpectraError(f"cannot read the list of runs {runs}: {error}") from None
    if not isinstance(listed, list):
        raise SpectraError(f"{runs}: expected a JSON list of run specifications, received {type(listed).__name__}")
    return [Task("own", RunSpec.read(item, f"{runs}, run {number}")) for number, item in enumerate(listed)]


def _tasks() -> Iterator[Task]:
    quick, slow = ("cnn2", "vgg", "cnn_bn", "cnn3", "inc3"), ("cnn6", "inc6", "resnet")

    def challenge(stage: str, models: Iterable[str], seeds: Iterable[int]) -> Iterator[Task]:
        for seed in seeds:
            for model in models:
                for activation in reversed(activations(model)):
                    yield Task(stage, _spec("challenge", model, activation, seed))

    def modified(stage: str, seeds: Iterable[int]) -> Iterator[Task]:
        for seed in seeds:
            for model in MODIFIED:
                yield Task(stage, _spec("challenge", model, relu_activation(model), seed))

    def general(stage: str, models: Iterable[str], seeds: Iterable[int]) -> Iterator[Task]:
        for seed in seeds:
            for model in models:
                yield Task(stage, _spec("benchmark", model, published_activation(model), seed))

    for dataset in ("challenge", "benchmark"):
        for seed in SEEDS:
            yield Task("a0", _spec(dataset, OWN, None, seed))
    for variant in GRID:
        yield Task("a0b", variant_run("challenge", variant, SEEDS[0], max_epochs=HARDLY_TRAINED))
    for seed in SEEDS[:3]:
        for variant in VARIANTS:
            if variant.options:
                yield Task("a0b", variant_run("challenge", variant, seed))
    yield from challenge("a1", quick, SEEDS[:1])
    yield from challenge("a2", quick, SEEDS[1:3])
    yield from challenge("b1", slow, SEEDS[:1])
    yield from modified("c1", SEEDS[:1])
    yield from general("d1", ("vgg", "cnn2"), SEEDS[:1])
    yield from general("d2", ("cnn3", "inc3", "cnn_bn"), SEEDS[:1])
    for seed in SEEDS[:3]:
        for model in ("cnn2", "vgg"):
            yield Task("e1", _spec("challenge", model, "relu", seed, protocol="code"))
            yield Task("e2", _spec("challenge", model, "relu", seed, precision="mixed_bfloat16"))
    yield from challenge("f1", quick, SEEDS[3:])
    yield from challenge("f2", slow, SEEDS[1:])
    yield from modified("f3", SEEDS[1:])
    yield from general("g1", ("cnn6", "inc6", "resnet"), SEEDS[:1])
    yield from general("g2", PUBLISHED, SEEDS[1:])

    changed = [variant for variant in variants(SINGLE_CHANGES) if variant.options]
    for stage, models in SINGLE_CHANGE_STAGES.items():
        for seeds, letter in ((SEEDS[:3], "h"), (SEEDS[3:], "i")):
            for seed in seeds:
                for variant in changed:
                    if variant.model in models:
                        yield Task(f"{letter}{stage}", variant_run("challenge", variant, seed))

    for n_train in TRAINING_SIZES:
        data = with_training_size(dataset_spec("challenge"), n_train)
        if data != dataset_spec("challenge"):
            yield from (Task("j1", variant_run(data, variant, SEEDS[0])) for variant in COMPARED)
    for data in HARDER.values():
        yield from (Task("j2", variant_run(data, variant, SEEDS[0])) for variant in COMPARED)


def variant_run(dataset: str | DatasetSpec, variant: Variant, seed: int, **more: Any) -> RunSpec:
    """Give the run of a network on a dataset; `more` are further fields of `RunSpec`.

    Parameters
    ----------
    dataset : str or DatasetSpec
        A dataset, or its name.
    variant : Variant
        Network, activation and options.
    seed : int
        Seed of weights, dropout and the order of the spectra.
    **more : object
        Further fields, by name.

    Returns
    -------
    RunSpec

    Examples
    --------
    >>> variant_run("challenge", Variant("cnn2"), 0).run_id
    'challenge-cnn2-relu-paper-s0-e7bd8db6'
    """
    fields = variant.fields()
    return _spec(dataset, fields.pop("model"), fields.pop("hidden_activation"), seed, **fields, **more)


def task_by_id(run_id: str, tasks: Sequence[Task]) -> Task:
    """Look up a run by its id.

    Parameters
    ----------
    run_id : str
        Id of the run.
    tasks : sequence of Task
        Runs to look among.

    Returns
    -------
    Task

    Raises
    ------
    UnknownNameError
        If there is none of that id.
    """
    by_id = {task.spec.run_id: task for task in tasks}
    if run_id not in by_id:
        raise UnknownNameError("run of the campaign", run_id, by_id)
    return by_id[run_id]
