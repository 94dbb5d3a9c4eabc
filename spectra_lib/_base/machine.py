"""What a measurement was made on and with: processor, memory, package versions, source commit. Needs no backend."""

from __future__ import annotations

import os
import platform
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


def processor_name() -> str:
    """Name the processor and the number of its cores that this process may use.

    Returns
    -------
    str
        Model and cores, as "AMD EPYC with AVX-512, 2 cores"; the architecture where the model
        is not known.
    """
    info = Path("/proc/cpuinfo")
    name = name_from_cpuinfo(info.read_text()) if info.exists() else None
    return f"{name or platform.machine()}, {usable_cores()} cores"


def name_from_cpuinfo(text: str) -> str | None:
    r"""Find the model in the text of /proc/cpuinfo, and say if it has vectors of 512 bits.

    Clouds give one name to processors of several generations, which differ in speed and round differently.

    Parameters
    ----------
    text : str
        Content of /proc/cpuinfo.

    Returns
    -------
    str or None
        None if it names no model.

    Examples
    --------
    >>> name_from_cpuinfo("model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f\n")
    'AMD EPYC with AVX-512'
    >>> name_from_cpuinfo("model name\t: AMD EPYC\nflags\t\t: fpu avx2\n")
    'AMD EPYC'
    """
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    if found is None:
        return None
    wide = re.search(r"^flags\s*:.*\bavx512f\b", text, re.MULTILINE)
    return found[1].strip() + (" with AVX-512" if wide else "")


INSTRUCTION_SETS = ("avx512f", "avx2", "avx", "sse4_2", "sve", "asimd")
"""Vector instructions, the widest first, by the names that Linux has for them."""


def instruction_set() -> str | None:
    """Name the widest vector instructions of the processor, None where they cannot be told.

    Returns
    -------
    str or None
        One of `INSTRUCTION_SETS`.
    """
    info = Path("/proc/cpuinfo")
    return instructions_from_cpuinfo(info.read_text()) if info.exists() else None


def instructions_from_cpuinfo(text: str) -> str | None:
    r"""Find the widest vector instructions in the text of /proc/cpuinfo.

    Parameters
    ----------
    text : str
        Content of /proc/cpuinfo.

    Returns
    -------
    str or None
        The first of `INSTRUCTION_SETS` among the processor's flags.

    Examples
    --------
    >>> instructions_from_cpuinfo("flags\t\t: fpu avx avx2 avx512f\n"), instructions_from_cpuinfo("Features: asimd\n")
    ('avx512f', 'asimd')
    """
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    flags = set(found[1].split()) if found else set()
    return next((name for name in INSTRUCTION_SETS if name in flags), None)


def usable_cores() -> int:
    """Cores that this process may use.

    Returns
    -------
    int
        Size of the process's affinity mask, or all cores where the system has none.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def package_versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of those packages that are installed.

    Parameters
    ----------
    packages : sequence of str
        Names of distributions.

    Returns
    -------
    dict of str to str
        Versions by name, Python's as "python".

    Examples
    --------
    >>> sorted(package_versions(["numpy", "no-such-package"]))
    ['numpy', 'python']
    """
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Commit of the source tree that runs, with "+changes" if it has uncommitted ones; "unknown" outside git.

    Returns
    -------
    str
        40 hexadecimal digits, as above; only changes in ``spectra_lib`` count.
    """
    root = Path(__file__).resolve().parents[2]
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--", "spectra_lib"], cwd=root, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def peak_memory() -> int:
    """Largest resident memory of this process so far, in bytes.

    Returns
    -------
    int
        Bytes.
    """
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux ru_maxrss starts at the size of the process that started this one; VmHWM does not.
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if found:
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def total_memory() -> int:
    """Bytes of memory that this machine has, or that its container may use.

    Returns
    -------
    int
        Bytes.

    Examples
    --------
    >>> total_memory() >= peak_memory()
    True
    """
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else ""
    return min(found, int(text)) if text.isdigit() else found
