"""The built-in datasets by name."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.datasets.specification import (
    DatasetSpec,
    Fingerprint,
    Sign,
    TestPoint,
    TestRule,
    TestRuleChange,
    Variation,
)


def _general_benchmark() -> DatasetSpec:
    # The published test set was not made by one rule: these six classes were set by hand.
    closer = TestRuleChange(shift=17)
    flatter = TestRuleChange(height_change=0.025)
    changes = {8: closer, 318: closer, 164: flatter, 281: flatter, 219: flatter, 347: flatter}
    return DatasetSpec(name="benchmark", test=TestRule(changes=changes), n_fresh=100)


def _points(pattern: str) -> tuple[TestPoint, ...]:
    """Read a pattern such as "P0 L+": P, L, R for no, left, right shift; sign of the height change."""
    shift: dict[str, Sign] = {"P": 0, "L": -1, "R": 1}
    height: dict[str, Sign] = {"0": 0, "+": 1, "-": -1}
    return tuple((shift[word[0]], height[word[1]]) for word in pattern.split())


def _challenge_test(shift: int) -> TestRule:
    minor = "P0 L0 R0 P- L- R-"
    patterns = [minor] * 9
    patterns += ["P0 R0 P+ R+ P- R-", "L0 R0 L+ R+ L- R-", "P0 L0 P+ L+ P- L-"] * 3
    patterns += ["P0 L0 R0 P+ L+ R+", "P- L- R- P+ L+ R+", minor] * 3
    changes = {label: TestRuleChange(points=_points(pattern)) for label, pattern in enumerate(patterns)}
    return TestRule(shift=shift, height_change=0.03, changes=changes)


def _challenge() -> DatasetSpec:
    text = (
        resources.files("spectra_lib.datasets").joinpath("data/challenge_fingerprints.json").read_text(encoding="utf-8")
    )
    fingerprints = tuple(Fingerprint.read(item, "challenge fingerprints") for item in json.loads(text))
    return DatasetSpec(
        name="challenge",
        n_classes=len(fingerprints),
        variation=Variation(keep_unit_heights=True),
        test=_challenge_test(shift=30),
        n_fresh=2000,
        fingerprints=fingerprints,
    )


def _laptop() -> DatasetSpec:
    """The challenging set at a fifth of its resolution; peak widths in points stay as they are."""
    full, scale = _challenge(), 5
    fingerprints = tuple(
        Fingerprint(positions=tuple(round(p / scale) for p in f.positions), heights=f.heights)
        for f in full.fingerprints or ()
    )
    return DatasetSpec(
        name="laptop",
        n_points=full.n_points // scale,
        n_classes=full.n_classes,
        boundary=full.boundary // scale,
        variation=Variation(position_shift=full.variation.position_shift // scale, keep_unit_heights=True),
        test=_challenge_test(shift=full.test.shift // scale),
        fingerprints=fingerprints,
    )


def _noisy(clean: DatasetSpec) -> DatasetSpec:
    """Noise and background up to twice what clean-trained networks are asked about (`spectra_lib.datasets.probes`)."""
    return clean.with_realism(f"{clean.name}_noisy", noise=(0.0, 0.04), background=(0.0, 0.4))


def _smoke() -> DatasetSpec:
    return DatasetSpec(
        name="smoke",
        n_points=256,
        n_classes=4,
        max_peaks=4,
        boundary=16,
        variation=Variation(position_shift=5, width_range=(1.5, 3.0)),
        n_train=12,
        n_validation=4,
        test=TestRule(shift=3),
    )


_NAMED = {
    "benchmark": _general_benchmark,
    "challenge": _challenge,
    "challenge_noisy": lambda: _noisy(_challenge()),
    "laptop": _laptop,
    "laptop_noisy": lambda: _noisy(_laptop()),
    "smoke": _smoke,
}


def list_datasets() -> list[str]:
    """Names of the built-in dataset specifications.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_datasets()
    ['benchmark', 'challenge', 'challenge_noisy', 'laptop', 'laptop_noisy', 'smoke']
    """
    return list(_NAMED)


@cache
def dataset_spec(name: str) -> DatasetSpec:
    """Look up a built-in specification.

    ``benchmark`` is the paper's general set of 500 classes, ``challenge`` its 27 hand-made
    classes; ``laptop`` is the challenging set at a fifth of the resolution, which trains on two
    cores in minutes; ``challenge_noisy`` and ``laptop_noisy`` are the same with noise and background;
    ``smoke`` takes seconds and is for tests.

    Parameters
    ----------
    name : str
        A name of `list_datasets`.

    Returns
    -------
    DatasetSpec

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> dataset_spec("challenge").n_classes
    27
    """
    if name not in _NAMED:
        raise UnknownNameError("dataset", name, _NAMED)
    return _NAMED[name]()


def name_if_built_in(dataset: str | DatasetSpec) -> str | DatasetSpec:
    """Give the name of a built-in dataset, of one that is equal to it too; another specification stays.

    Parameters
    ----------
    dataset : str or DatasetSpec
        A name of `list_datasets`, or a specification.

    Returns
    -------
    str or DatasetSpec
        A specification only if no built-in one equals it.

    Raises
    ------
    UnknownNameError
        If there is no built-in dataset of that name.

    Examples
    --------
    >>> name_if_built_in(dataset_spec("smoke"))
    'smoke'
    """
    if isinstance(dataset, str):
        return dataset_spec(dataset).name
    return dataset.name if dataset.name in _NAMED and dataset_spec(dataset.name) == dataset else dataset


DatasetOrName = Annotated[str | DatasetSpec, AfterValidator(name_if_built_in)]
"""A dataset in a specification or a record: the name of a built-in one, or a specification of its own."""


def find_dataset(text: str) -> DatasetSpec:
    """Read a specification file, or look up a built-in dataset: what the command line calls a dataset.

    Parameters
    ----------
    text : str
        Path of a JSON file (ends in .json, holds a ``/`` or exists), or a name of
        `list_datasets`.

    Returns
    -------
    DatasetSpec

    Raises
    ------
    SpecificationError
        If the file cannot be read or is no specification.
    UnknownNameError
        If there is no built-in dataset of that name.

    Examples
    --------
    >>> find_dataset("smoke").n_classes
    4
    """
    is_file = text.endswith(".json") or "/" in text or Path(text).is_file()
    return DatasetSpec.from_file(text) if is_file and text not in list_datasets() else dataset_spec(text)
