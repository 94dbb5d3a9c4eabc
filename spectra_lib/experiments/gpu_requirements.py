"""What training on a GPU needs beside Python, checked before anything of it is imported.

Only the standard library is used here, so that a bare Python names all that it lacks at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import metadata

GIVEN = ("jax", "keras>=3.8")
"""Packages that a machine for deep learning with JAX has; NumPy, SciPy and h5py come with them."""

FURTHER = ("filelock", "numba", "platformdirs", "pydantic>=2.8", "safetensors")
"""Packages that this library needs beside them to train; the documentation names the same."""


def missing_packages(wanted: Iterable[str] = (*GIVEN, *FURTHER)) -> list[str]:
    """Name the packages that are missing or too old, with all that the others depend on.

    Parameters
    ----------
    wanted : iterable of str
        Names of packages, each with a least version or without one.

    Returns
    -------
    list of str
        As pip takes them. What a missing package itself depends on is not known, and pip fetches it.

    Examples
    --------
    >>> missing_packages(["numpy>=1", "no-such-package>=2", "keras>=9999"])
    ['no-such-package>=2', 'keras>=9999']
    """
    todo, seen, missing = list(wanted), set(), []
    while todo:
        requirement = todo.pop(0)
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        if (key := re.sub(r"[-_.]+", "-", name).lower()) in seen:
            continue
        seen.add(key)
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            missing.append(requirement)
            continue
        least = re.search(r">=\s*([\d.]+)", requirement)
        if requirement in wanted and least and _numbers(installed.version) < _numbers(least[1]):
            missing.append(requirement)
        # Conditions (extras, other systems and Pythons) would need a package to read them.
        todo += [one.replace(" ", "") for one in installed.requires or () if ";" not in one]
    return missing


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def lacking_message(missing: Iterable[str]) -> str:
    """Say what is missing and how to get it.

    Parameters
    ----------
    missing : iterable of str
        Requirements, as pip takes them.

    Returns
    -------
    str
        Several lines.

    Examples
    --------
    >>> print(lacking_message(["filelock", "pydantic>=2.8"]))
    this Python lacks 2 packages: filelock, pydantic>=2.8
    install them:         python -m pip install filelock 'pydantic>=2.8'
    without a network:    python -m pip download -d wheels filelock 'pydantic>=2.8'    (on a machine that has one)
                          python -m pip install --no-index --find-links wheels filelock 'pydantic>=2.8'
    """
    missing = list(missing)
    names = " ".join(f"'{name}'" if re.search(r"[<>=!~\[]", name) else name for name in missing)
    return (
        f"this Python lacks {len(missing)} package{'' if len(missing) == 1 else 's'}: {', '.join(missing)}\n"
        f"install them:         python -m pip install {names}\n"
        f"without a network:    python -m pip download -d wheels {names}    (on a machine that has one)\n"
        f"                      python -m pip install --no-index --find-links wheels {names}"
    )
