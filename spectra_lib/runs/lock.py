"""A lock that one process holds, and others can ask about without taking it.

Whether a run may start is decided by `filelock`. Asking through that lock would mean taking it, and a run that starts
at that moment would find it taken. So its holder also locks a mark: a second file, by an open file description lock of
`fcntl`, about which the system answers without taking anything (F_OFD_GETLK). The system takes both back when the
process ends, however it ends; on a network filesystem the server knows of the locks of all machines.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

CAN_ASK = hasattr(fcntl, "F_OFD_GETLK")
"""Whether this system has such locks; where it has none, a run in other hands shows when one tries to start it."""

# struct flock: type, whence, start, length, process; in another order on macOS
_ORDER = (
    ("start", "length", "process", "type", "whence")
    if sys.platform == "darwin"
    else ("type", "whence", "start", "length", "process")
)
_CODES = {"type": "h", "whence": "h", "start": "q", "length": "q", "process": "i"}
_LAYOUT = struct.Struct("".join(_CODES[name] for name in _ORDER) + "0q")


def _flock(kind: int) -> bytes:
    """A request for the whole file."""
    return _LAYOUT.pack(*(kind if name == "type" else 0 for name in _ORDER))


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold a lock.

    Parameters
    ----------
    path : Path
        Its file, in a folder that is there. The file stays.

    Raises
    ------
    filelock.Timeout
        If another process, or another caller in this one, holds it.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "run.lock"
    ...     with hold(path):
    ...         held = is_held(path)
    ...     held, is_held(path)
    (True, False)
    """
    with FileLock(path, timeout=0):
        mark = os.open(_mark(path), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if CAN_ASK:
                with suppress(OSError):  # a filesystem without such locks: then nobody can ask
                    fcntl.fcntl(mark, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK))
            yield
        finally:
            os.close(mark)


def is_held(path: Path) -> bool:
    """Ask whether a lock is held, without taking it even for a moment.

    Parameters
    ----------
    path : Path
        Its file, which need not exist.

    Returns
    -------
    bool
        False, too, where the system cannot tell (see `CAN_ASK`).
    """
    try:
        mark = os.open(_mark(path), os.O_RDONLY)
    except OSError:
        return False
    try:
        answer = fcntl.fcntl(mark, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK)) if CAN_ASK else _flock(fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(mark)
    return bool(_LAYOUT.unpack(answer)[_ORDER.index("type")] != fcntl.F_UNLCK)


def _mark(path: Path) -> Path:
    return path.with_suffix(".held")
