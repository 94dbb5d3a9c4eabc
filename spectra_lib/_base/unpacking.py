"""Archives from elsewhere: unpacked with suspicion, and taken into a folder whole or not at all."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from spectra_lib._base.errors import StoreError
from spectra_lib._base.names import path_inside

BLOCK = 1 << 20
"""Bytes that are copied at a time."""
END = 1024
"""Zeros with which every archive ends."""


@dataclass(frozen=True)
class Limits:
    """What an archive may grow to when it is unpacked.

    Attributes
    ----------
    files : int
        Number of entries.
    file_bytes, all_bytes : int
        Size of a file, and of all that the archive unpacks to, its headers included.
    """

    files: int = 20_000
    file_bytes: int = 1 << 26
    all_bytes: int = 1 << 30

    def within(self, all_bytes: int) -> Limits:
        """Give the same limits with at most so many bytes in all.

        Parameters
        ----------
        all_bytes : int
            Bytes that may be unpacked.

        Returns
        -------
        Limits
            Its `all_bytes` is the smaller of both.

        Examples
        --------
        >>> Limits(all_bytes=10).within(5).all_bytes, Limits(all_bytes=10).within(50).all_bytes
        (5, 10)
        """
        return replace(self, all_bytes=min(self.all_bytes, all_bytes))


def extract(archive: Path, folder: Path, names: str, limits: Limits = Limits(), *, passed_over: str = "") -> list[Path]:
    r"""Unpack the files of a .tar.gz or .tar into an empty folder.

    Parameters
    ----------
    archive : Path
        The archive. It is read to its end, so that its checksum is verified where it has one.
    folder : Path
        Folder of the files, made if need be; what it holds after an error is not to be used.
    names : str
        Regular expression for the whole name of a file, with ``/`` between its parts.
    limits : Limits
        What it may grow to.
    passed_over : str
        Regular expression for the whole name of files that may be there, and are not unpacked.

    Returns
    -------
    list of Path
        The files, in the order of the archive.

    Raises
    ------
    StoreError
        If the archive is damaged, holds anything but regular files and folders, a name that does not match or comes
        twice, or more than the limits allow.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     file = Path(name, "a.json")
    ...     _ = file.write_text("{}")
    ...     with tarfile.open(Path(name, "all.tar.gz"), "w:gz") as packed:
    ...         packed.add(file, arcname="smoke/a.json")
    ...     [found] = extract(Path(name, "all.tar.gz"), Path(name, "out"), r"\w+/\w+\.json")
    ...     found.read_text()
    '{}'
    """
    files: list[Path] = []
    seen: set[str] = set()
    with _explained(archive), _opened(archive) as unpacked:
        stream = _Capped(unpacked, limits.all_bytes)
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as packed:
            for count, member in enumerate(packed, start=1):
                if count > limits.files:
                    raise StoreError(f"more than {limits.files} entries; expected at most so many")
                if member.isdir():
                    continue  # folders are made for the files that lie in them
                _check_member(member, f"{names}|{passed_over}" if passed_over else names, seen, limits)
                seen.add(member.name.casefold())
                if re.fullmatch(names, member.name) is None:
                    continue
                source = packed.extractfile(member)
                path = path_inside(folder, *member.name.split("/"))
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as target:
                    while source and (block := source.read(BLOCK)):
                        target.write(block)
                    target.flush()
                    os.fsync(target.fileno())
                files.append(path)
        while stream.read(BLOCK):  # to the checksum at its end
            pass
        if stream.end.strip(b"\0") or len(stream.end) < END:
            raise EOFError("its end is missing")
    return files


def _opened(archive: Path) -> IO[bytes]:
    with archive.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(archive)) if zipped else archive.open("rb")


def _check_member(member: tarfile.TarInfo, names: str, seen: set[str], limits: Limits) -> None:
    if not member.isreg():
        raise StoreError(f"{member.name!r} is a link or a device; expected regular files only")
    if re.fullmatch(names, member.name) is None:
        raise StoreError(f"{member.name!r} is not the name of such a file; expected {names}")
    if member.name.casefold() in seen:
        raise StoreError(f"{member.name!r} comes twice; expected each file once")
    if member.size > limits.file_bytes:
        raise StoreError(f"{member.name!r} has {member.size} bytes; expected at most {limits.file_bytes}")


class _Capped:
    """A stream that refuses to give more than so many bytes: a small archive can unpack to a full disk."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream, self._limit, self._left = stream, limit, limit
        self.end = b""
        """The last bytes that were read."""

    def read(self, size: int) -> bytes:
        block = self._stream.read(min(size, self._left + 1))
        self._left -= len(block)
        if self._left < 0:
            raise StoreError(f"it unpacks to more than {self._limit} bytes; expected at most so many")
        self.end = (self.end + block)[-END:]
        return block


@contextmanager
def _explained(archive: Path) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise StoreError(f"{archive}: {error}; nothing was taken from it") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise StoreError(
            f"{archive}: not a whole .tar.gz or .tar that can be unpacked here ({error}); nothing was taken from it"
        ) from error


def move_all(moves: Iterable[tuple[Path, Path]]) -> None:
    """Move files to their places, all or none; both places lie on the same disk, and no file is replaced.

    Parameters
    ----------
    moves : iterable of (Path, Path)
        For each file where it is, and where it goes.

    Raises
    ------
    StoreError
        If one cannot be moved; those moved before are taken back.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "a").touch()
    ...     move_all([(Path(name, "a"), Path(name, "b", "c"))])
    ...     Path(name, "b", "c").exists()
    True
    """
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise FileExistsError(f"{target} is there already")
            source.rename(target)
            moved.append((source, target))
    except OSError as error:
        for source, target in reversed(moved):
            target.rename(source)
        raise StoreError(f"cannot take the files in: {error}; none was taken") from error
