"""Profiles: the runs behind the chapters, and that only the laptop profile trains."""

from dataclasses import replace

import pytest

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.experiments.campaign import campaign
from spectra_lib.experiments.profiles import choose_profile
from spectra_lib.runs.specification import RunSpec


def test_runs_of_the_paper_are_runs_of_the_campaign():
    paper, wanted = choose_profile("paper"), {task.spec.digest for task in campaign()}
    runs = [*paper.general_runs(), *paper.challenge_runs()]
    assert len({run.digest for run in runs}) == 115
    assert {run.digest for run in runs} <= wanted


@pytest.mark.parametrize("name", ["paper", "laptop"])
def test_runs_are_what_resolving_gives(name):
    chosen = choose_profile(name)
    for run in (*chosen.general_runs(), *chosen.challenge_runs()):
        assert RunSpec.model_validate(run.model_dump()) == run


def test_paper_reads_and_never_trains(tmp_path):
    paper = choose_profile("paper")
    assert len(paper.gather(paper.challenge_runs(), tmp_path)) == 0
    assert not list(tmp_path.iterdir())


def test_laptop_trains_once_and_reads_afterwards(tmp_path):
    small = replace(choose_profile("laptop"), general="smoke", models=("vgg",), max_epochs=1)
    first = small.gather(small.general_runs(), tmp_path)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "_build" / "runs").glob("[!.]*/*.json")}
    second = small.gather(small.general_runs(), tmp_path)
    assert [record.spec for record in first] == list(small.general_runs())
    assert second[0] == first[0]
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "_build" / "runs").glob("[!.]*/*.json")}
    assert len(files) == 1


def test_unknown_profile():
    with pytest.raises(UnknownNameError, match="unknown profile 'big'; known: paper, laptop"):
        choose_profile("big")
