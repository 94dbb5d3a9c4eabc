"""Importing TensorFlow without the lines in which it tells how it was built."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

NOTES = r"^(I[0-9]{4} [0-9:.]+ |WARNING: All log messages before absl::InitializeLog\(\) is called)"
"""Lines of severity "info", and what is said before the first of them; TF_CPP_MIN_LOG_LEVEL does not reach them."""


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Keep informational lines from standard error that TensorFlow's libraries write while they are loaded.

    All else comes through, and at once: the lines go through a process of its own, so that nothing is lost if this one
    is ended. Where there is no ``sed``, everything comes through.

    Examples
    --------
    >>> with without_notes():
    ...     import keras
    """
    sed = shutil.which("sed")
    try:
        saved = os.dup(2)
    except OSError:  # there is no standard error
        saved = None
    if sed is None or saved is None or "tensorflow" in sys.modules:
        yield
        return
    sieve = subprocess.Popen([sed, "-u", "-E", f"/{NOTES}/d"], stdin=subprocess.PIPE, stdout=saved)
    assert sieve.stdin is not None  # noqa: S101 - asked for above
    _flush()
    os.dup2(sieve.stdin.fileno(), 2)
    sieve.stdin.close()
    try:
        yield
    finally:
        _flush()
        os.dup2(saved, 2)
        os.close(saved)
        with contextlib.suppress(subprocess.TimeoutExpired):  # a process started meanwhile may write to it still
            sieve.wait(timeout=5)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
