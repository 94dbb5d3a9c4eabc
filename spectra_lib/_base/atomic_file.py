"""Writing a text file so that it is there whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file under another name, wait until it is on disk, and rename it; makes the folder if need be.

    Parameters
    ----------
    path : Path
        The file; one that is there is replaced.
    text : str
        What it shall hold, in UTF-8.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind, and a file that was there stays.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "records" / "one.json", "{}")
    ...     [file.name for file in (Path(folder) / "records").iterdir()]
    ['one.json']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        partial.chmod(0o644)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
