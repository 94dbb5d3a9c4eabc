"""Archives from elsewhere: nothing gets out of its folder, grows without bounds, or is taken by halves."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from spectra_lib._base.errors import SpecificationError, StoreError
from spectra_lib._base.names import check_name, path_inside
from spectra_lib._base.unpacking import Limits, extract, move_all

NAMES = r"[a-z]+/[a-z.]+\.json"


def pack(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    """Make an archive of files given by name and content, or of members as they are."""
    with tarfile.open(path, "w:gz") as packed:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                packed.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_files_come_out_as_they_were(tmp_path):
    folder = entry("smoke", tarfile.DIRTYPE)
    archive = pack(tmp_path / "a.tar.gz", folder, ("smoke/a.json", b"one"), ("smoke/b.json", b"x" * 3_000_000))
    first, second = extract(archive, tmp_path / "out", NAMES)
    assert first == tmp_path / "out" / "smoke" / "a.json"
    assert first.read_bytes() == b"one"
    assert second.read_bytes() == b"x" * 3_000_000


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (("../a.json", b""), "not the name of such a file"),
        (("/etc/a.json", b""), "not the name of such a file"),
        (("smoke/../../a.json", b""), "not the name of such a file"),
        (("smoke/a.py", b""), "not the name of such a file"),
        (("smoke/a.json\n", b""), "not the name of such a file"),
        (entry("smoke/a.json", tarfile.SYMTYPE, "/etc/passwd"), "link or a device"),
        (entry("smoke/a.json", tarfile.LNKTYPE, "smoke/b.json"), "link or a device"),
        (entry("smoke/a.json", tarfile.FIFOTYPE), "link or a device"),
        (entry("smoke/a.json", tarfile.CHRTYPE), "link or a device"),
    ],
)
def test_what_is_no_plain_file_of_an_expected_name_is_refused(member, says, tmp_path):
    archive = pack(tmp_path / "a.tar.gz", ("smoke/good.json", b"{}"), member)
    with pytest.raises(StoreError, match=f"a.tar.gz: .*{says}.*nothing was taken"):
        extract(archive, tmp_path / "deep" / "out", NAMES)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a.tar.gz", "good.json"}


def test_a_pattern_that_lets_everything_through_lets_nothing_out(tmp_path):
    archive = pack(tmp_path / "a.tar.gz", ("../a.json", b""))
    with pytest.raises(StoreError, match="does not lie in the folder"):
        extract(archive, tmp_path / "out", ".*")
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("again", ["smoke/a.json", "SMOKE/A.json"])
def test_a_name_that_comes_twice_is_refused(again, tmp_path):
    archive = pack(tmp_path / "a.tar.gz", ("smoke/a.json", b"one"), (again, b"two"))
    with pytest.raises(StoreError, match="comes twice"):
        extract(archive, tmp_path / "out", r"(?i)[a-z]+/[a-z]+\.json")


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(files=2), "more than 2 entries"),
        (Limits(file_bytes=99_999), "has 100000 bytes; expected at most 99999"),
        (Limits(all_bytes=250_000), "more than 250000 bytes"),
    ],
)
def test_more_than_the_limits_allow_is_refused(limits, says, tmp_path):
    archive = pack(tmp_path / "a.tar.gz", *((f"smoke/{name}.json", bytes(100_000)) for name in "abc"))
    assert archive.stat().st_size < 2000
    assert len(extract(archive, tmp_path / "within", NAMES, Limits(3, 100_000, 400_000))) == 3
    with pytest.raises(StoreError, match=says):
        extract(archive, tmp_path / "out", NAMES, limits)


def test_what_lies_behind_the_end_of_an_archive_counts_too(tmp_path):
    archive = pack(tmp_path / "a.tar.gz", ("smoke/a.json", b"{}"))
    archive.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()) + bytes(1_000_000)))
    with pytest.raises(StoreError, match="more than 100000 bytes"):
        extract(archive, tmp_path / "out", NAMES, Limits(all_bytes=100_000))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:-8] + bytes(8),
        lambda content: b"no archive",
        lambda content: gzip.compress(b"no archive" * 1000),
        lambda content: b"",
    ],
)
def test_a_damaged_archive_is_refused(damage, tmp_path):
    archive = pack(tmp_path / "a.tar.gz", ("smoke/a.json", b"abc" * 1000))
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(StoreError, match="not a whole .tar.gz"):
        extract(archive, tmp_path / "out", NAMES)


def test_no_archive(tmp_path):
    with pytest.raises(StoreError, match="nowhere.tar.gz"):
        extract(tmp_path / "nowhere.tar.gz", tmp_path / "out", NAMES)


def test_files_are_moved_all_or_none(tmp_path):
    sources, targets = ([tmp_path / side / name for name in "abc"] for side in ("from", "to"))
    for side in ("from", "to"):
        (tmp_path / side).mkdir()
    for path in sources:
        path.write_text(path.name)
    targets[2].write_text("there before")
    with pytest.raises(StoreError, match="is there already"):
        move_all(zip(sources, targets, strict=True))
    assert [path.read_text() for path in sources] == ["a", "b", "c"]
    assert [path.read_text() for path in (tmp_path / "to").iterdir()] == ["there before"]
    targets[2].unlink()
    move_all(zip(sources, targets, strict=True))
    assert [path.read_text() for path in targets] == ["a", "b", "c"]
    assert not list((tmp_path / "from").iterdir())


@pytest.mark.parametrize("name", ["", "..", ".hidden", "-option", "a/b", "a\\b", "a b", "a\n", "ä", "a" * 61, None])
def test_a_name_that_could_not_be_a_file_is_refused(name):
    with pytest.raises(SpecificationError, match="cannot be the name of a network; use letters"):
        check_name(name, "network")


def test_a_path_through_a_link_must_stay_in_its_folder(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "out").symlink_to(tmp_path)
    (tmp_path / "store" / "in").symlink_to(tmp_path / "store")
    (tmp_path / "linked").symlink_to(tmp_path / "store")
    for parts in (("out", "a"), ("..",), ("",), (".",), ("/etc",)):
        with pytest.raises(StoreError, match="does not lie in the folder"):
            path_inside(tmp_path / "store", *parts)
    assert path_inside(tmp_path / "store", "in", "a") == tmp_path / "store" / "in" / "a"
    assert path_inside(tmp_path / "linked", "a") == tmp_path / "linked" / "a"
