"""Where the source is published: the address that the book's links to GitHub and Binder are made of."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

BINDER = "https://mybinder.org"
"""Address of the public BinderHub."""

BRANCH = "main"
"""Branch that is published."""

VARIABLE = "GITHUB_REPOSITORY"
"""Environment variable with ``owner/name``; GitHub's workflows set it."""

_NAME = r"[\w.-]+/[\w.-]+?"


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub.

    Attributes
    ----------
    name : str
        Owner and name, ``owner/name``.
    """

    name: str

    @property
    def url(self) -> str:
        """Address of its page."""
        return f"https://github.com/{self.name}"

    def binder_url(self, path: str) -> str:
        """Address that starts JupyterLab on Binder with a file of the repository open.

        Parameters
        ----------
        path : str
            File, from the folder of the repository.

        Returns
        -------
        str

        Examples
        --------
        >>> Repository("someone/spectra").binder_url("notebooks/intro.md")
        'https://mybinder.org/v2/gh/someone/spectra/main?urlpath=lab/tree/notebooks/intro.md'
        """
        return f"{BINDER}/v2/gh/{self.name}/{BRANCH}?urlpath=lab/tree/{quote(path)}"


def find_repository(project: Path = Path()) -> Repository | None:
    """Find where a project is published; None if that is not known.

    The variable ``GITHUB_REPOSITORY`` (``owner/name``) counts first, then the git remote ``origin``,
    if it is on GitHub.

    Parameters
    ----------
    project : Path
        Folder of the project.

    Returns
    -------
    Repository or None
    """
    named = re.fullmatch(_NAME, os.environ.get(VARIABLE, ""))
    if named:
        return Repository(named[0])
    try:
        asked = subprocess.run(
            ["git", "-C", str(project), "remote", "get-url", "origin"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    found = re.fullmatch(rf"(?:\w+://)?(?:[^@/]+@)?github\.com[:/]({_NAME})(?:\.git)?/?", asked.stdout.strip())
    return Repository(found[1]) if found else None
