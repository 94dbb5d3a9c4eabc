"""What a chapter works on: the paper's datasets with committed runs, or a laptop-sized copy trained live."""

from __future__ import annotations

from dataclasses import dataclass

from spectra_lib.errors import UnknownNameError


@dataclass(frozen=True)
class Profile:
    """Datasets and runs behind the chapters.

    Attributes
    ----------
    name : str
        Name of the profile.
    general : str
        Dataset that stands for the general benchmark.
    challenge : str
        Dataset that stands for the challenging set.
    """

    name: str
    general: str
    challenge: str


_PROFILES = {
    "paper": Profile("paper", general="benchmark", challenge="challenge"),
    "laptop": Profile("laptop", general="laptop", challenge="laptop"),
}


def list_profiles() -> list[str]:
    """Names of the profiles.

    Examples
    --------
    >>> list_profiles()
    ['paper', 'laptop']
    """
    return list(_PROFILES)


def choose_profile(name: str) -> Profile:
    """Look up a profile.

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
