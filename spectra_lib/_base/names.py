"""Names that become parts of paths: what they may be made of, and paths that stay in their folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field

from spectra_lib._base.errors import SpecificationError, StoreError

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}"
"""Pattern of a name: of a dataset, a network, a baseline."""

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
"""A field that holds such a name."""


def check_name(name: str, kind: str) -> str:
    """Give a name back if it may become a part of a path.

    Parameters
    ----------
    name : str
        The name.
    kind : str
        What it names, for the error.

    Returns
    -------
    str
        `name`, unchanged.

    Raises
    ------
    SpecificationError
        If it holds anything but letters, digits, ``_``, ``.`` and ``-``, does not begin with a letter or digit, or
        is longer than 60 characters.

    Examples
    --------
    >>> check_name("cnn6_bn", "network")
    'cnn6_bn'
    >>> check_name("../cnn6", "network")
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.SpecificationError: '../cnn6' cannot be the name of a network; use letters, ...
    """
    if not isinstance(name, str) or re.fullmatch(NAME, name) is None:
        raise SpecificationError(
            f"{name!r} cannot be the name of a {kind}; use letters, digits, '_', '.' and '-', a letter or digit first, "
            "at most 60 in all"
        )
    return name


def path_inside(folder: str | Path, *parts: str) -> Path:
    """Join a folder and the parts of a path that come from data.

    Parameters
    ----------
    folder : str or Path
        The folder; it need not exist.
    *parts : str
        Names below it.

    Returns
    -------
    Path
        `folder` with the parts behind it, links in it not followed.

    Raises
    ------
    StoreError
        If that, links followed, does not lie in the folder.

    Examples
    --------
    >>> path_inside("results", "smoke", "run.json").as_posix()
    'results/smoke/run.json'
    >>> path_inside("results", "..", "run.json")
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.StoreError: '../run.json' does not lie in the folder results; ...
    """
    path = Path(folder, *parts)
    root = Path(folder).resolve()
    if root not in path.resolve().parents:
        raise StoreError(
            f"{'/'.join(parts)!r} does not lie in the folder {folder}; expected a path that stays below it"
        )
    return path
