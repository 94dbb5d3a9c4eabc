"""What a chapter works on: the paper's datasets and runs, or a laptop-sized copy trained on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from spectra_lib._base.errors import SpectraError, StoreError, UnknownNameError
from spectra_lib.experiments.campaign import SEEDS
from spectra_lib.networks.catalogue import PUBLISHED, activations, published_activation
from spectra_lib.networks.facts import HiddenActivation
from spectra_lib.runs.protocol import list_protocols
from spectra_lib.runs.records import RunRecords, load_records
from spectra_lib.runs.specification import RunSpec


@dataclass(frozen=True)
class Profile:
    """Datasets and runs behind the chapters.

    Attributes
    ----------
    name : str
        Name of the profile.
    general, challenge : str
        Datasets that stand for the general benchmark and for the challenging set.
    models : tuple of str
        Networks to compare.
    seeds : tuple of int
        Seeds of each network.
    max_epochs : int
        At most so many epochs a run.
    store : str
        Folder of the run records, in the project.
    trains : bool
        Whether missing runs are done on the spot.
    protocol : str
        Protocol of the runs.
    """

    name: str
    general: str
    challenge: str
    models: tuple[str, ...]
    seeds: tuple[int, ...]
    max_epochs: int
    store: str
    trains: bool
    protocol: str = "paper"

    def narrowed(self, models: Sequence[str] = (), seeds: Sequence[int] = (), protocol: str = "paper") -> Profile:
        """Give the profile with other networks, seeds and protocol; no networks or seeds keep those that it has.

        Parameters
        ----------
        models : sequence of str
            Published networks.
        seeds : sequence of int
            Seeds, each once.
        protocol : str
            Name of the training rules.

        Returns
        -------
        Profile

        Raises
        ------
        UnknownNameError
            If a network is not one of the eight published ones, or there is no such protocol.
        SpectraError
            If a seed is given twice or below 0, or is one that a profile which does not train has no runs of.

        Examples
        --------
        >>> choose_profile("paper").narrowed(["vgg"], [0, 1]).seeds
        (0, 1)
        >>> choose_profile("paper").narrowed(seeds=[7])
        Traceback (most recent call last):
        ...
        spectra_lib._base.errors.SpectraError: seeds: expected some of 0, 1, 2, 3, 4, each once, received [7]
        """
        for model in models:
            if model not in PUBLISHED:
                raise UnknownNameError("published network", model, PUBLISHED)
        allowed = "whole numbers of 0 or more" if self.trains else f"some of {', '.join(map(str, self.seeds))}"
        if len(set(seeds)) < len(seeds) or any(s < 0 if self.trains else s not in self.seeds for s in seeds):
            raise SpectraError(f"seeds: expected {allowed}, each once, received {list(seeds)}")
        if protocol not in list_protocols():
            raise UnknownNameError("protocol", protocol, list_protocols())
        return replace(self, models=tuple(models) or self.models, seeds=tuple(seeds) or self.seeds, protocol=protocol)

    def general_runs(self) -> tuple[RunSpec, ...]:
        """Runs of each network as published, on the general benchmark.

        Returns
        -------
        tuple of RunSpec

        Examples
        --------
        >>> len(choose_profile("paper").general_runs())
        40
        """
        return tuple(
            self._run(self.general, model, published_activation(model), seed)
            for model in self.models
            for seed in self.seeds
        )

    def challenge_runs(self) -> tuple[RunSpec, ...]:
        """Runs of each network on the challenging set, with linear and with ReLU hidden layers.

        A network without hidden layers runs once for each seed.

        Returns
        -------
        tuple of RunSpec

        Examples
        --------
        >>> len(choose_profile("paper").challenge_runs())
        75
        """
        return tuple(
            self._run(self.challenge, model, activation, seed)
            for model in self.models
            for activation in activations(model)
            for seed in self.seeds
        )

    def _run(self, dataset: str, model: str, activation: HiddenActivation | None, seed: int) -> RunSpec:
        return RunSpec(
            dataset=dataset,
            model=model,
            hidden_activation=activation,
            seed=seed,
            protocol=self.protocol,
            max_epochs=self.max_epochs,
        )

    def gather(self, runs: Sequence[RunSpec], project: Path) -> RunRecords:
        """Give the records of these runs that there are; a profile that trains does the missing ones first.

        Parameters
        ----------
        runs : sequence of RunSpec
            The runs.
        project : Path
            Folder of the project, in which the store is.

        Returns
        -------
        RunRecords
            In the order of `runs`.
        """
        if self.trains:
            from spectra_lib.training.trainer import train

            return RunRecords(tuple(train(run, project / self.store, quiet=True, keep_weights=False) for run in runs))
        found = {record.digest: record for record in load_records(project / self.store)}
        return RunRecords(tuple(found[run.digest] for run in runs if run.digest in found))


def find_store(folder: str, project: Path) -> Path:
    """Find a folder of records that the reader of a chapter names, which runs in a folder of its own.

    Parameters
    ----------
    folder : str
        Its path, from where the chapter runs or from the project's folder.
    project : Path
        Folder of the project.

    Returns
    -------
    Path

    Raises
    ------
    StoreError
        If there is no such folder.

    Examples
    --------
    >>> find_store("no_such_folder", Path())
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.StoreError: there is no folder 'no_such_folder', neither here nor in ...
    """
    for place in (Path(folder).expanduser(), project / folder):
        if place.is_dir():
            return place
    raise StoreError(f"there is no folder {folder!r}, neither here nor in {project.resolve()}; give its full path")


_PROFILES = {
    "paper": Profile(
        "paper",
        general="benchmark",
        challenge="challenge",
        models=PUBLISHED,
        seeds=tuple(SEEDS),
        max_epochs=500,
        store="results",
        trains=False,
    ),
    "laptop": Profile(
        "laptop",
        general="laptop",
        challenge="laptop",
        models=("cnn2", "vgg"),
        seeds=(0,),
        max_epochs=10,
        store="_build/runs",
        trains=True,
    ),
}


def list_profiles() -> list[str]:
    """Names of the profiles.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_profiles()
    ['paper', 'laptop']
    """
    return list(_PROFILES)


def choose_profile(name: str) -> Profile:
    """Look up a profile.

    Parameters
    ----------
    name : str
        A name of `list_profiles`.

    Returns
    -------
    Profile

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> choose_profile("laptop").challenge
    'laptop'
    """
    if name not in _PROFILES:
        raise UnknownNameError("profile", name, _PROFILES)
    return _PROFILES[name]
