"""The archive of a campaign: records and what runs need to go on, within a size, and nothing else."""

import io
import json
import tarfile

import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError
from spectra_lib.runs.archive import unpack_archive
from spectra_lib.runs.campaign_archive import pack_campaign
from spectra_lib.runs.specification import RunSpec
from spectra_lib.runs.store import RunStore
from spectra_lib.training.checkpoints import CheckpointFolder
from spectra_lib.training.trainer import train

DONE = RunSpec(dataset="smoke", model="vgg", max_epochs=1)
SMALL, LARGE = (RunSpec(dataset="smoke", model="vgg", max_epochs=9, seed=seed) for seed in (1, 2))
RECORD = f"smoke/{DONE.run_id}.json"
STATE = f".work/{SMALL.run_id}/state-0001.npz"


def write_checkpoint(store, spec, n, epoch=3):
    values = np.random.default_rng(epoch).random(n)
    folder = CheckpointFolder(store.work_path(spec))
    folder.write_now(epoch, {"digest": spec.digest}, [values, values], (epoch - 1, [values]))
    folder.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a record, its weights, and two runs that are not finished."""
    store = RunStore(tmp_path_factory.mktemp("store"))
    train(DONE, store, quiet=True)
    write_checkpoint(store, SMALL, 10_000)
    write_checkpoint(store, LARGE, 100_000)
    (store.path / ".weights" / DONE.run_id / "weights.partial").write_bytes(b"half")
    return store


def files(store):
    paths = (path for path in store.path.rglob("*") if path.is_file() and "locks" not in path.parts)
    return {path.relative_to(store.path).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.tar"])
def test_a_campaign_goes_on_elsewhere(store, tmp_path, name):
    packed = pack_campaign(store, tmp_path / name)
    assert (packed.records, packed.checkpoints, packed.weights) == (1, [SMALL.run_id, LARGE.run_id], [DONE.run_id])
    assert packed.left_out == [] and packed.size == (tmp_path / name).stat().st_size
    target = RunStore(tmp_path / "elsewhere")
    taken = unpack_archive(tmp_path / name, target, checkpoints=True)
    assert (taken.records, taken.checkpoints, taken.weights) == (1, 2, 1)
    original, copied = files(store), files(target)
    assert set(original) - set(copied) == {f".weights/{DONE.run_id}/weights.partial"}
    assert all(copied[key] == original[key] for key in copied)
    checkpoint, damaged = CheckpointFolder(target.work_path(SMALL)).read()
    assert checkpoint.book["digest"] == SMALL.digest and not damaged
    again = unpack_archive(tmp_path / name, target, checkpoints=True)
    assert (again.records, again.checkpoints, again.weights) == (0, 0, 0)


def test_the_books_machine_takes_records_and_weights(tmp_path):
    own = RunStore(tmp_path / "own")
    train(DONE, own, quiet=True)
    pack_campaign(own, tmp_path / "a.tar.gz")
    assert unpack_archive(tmp_path / "a.tar.gz", RunStore(tmp_path / "book")) == (1, 0, 1, 0)


def weights_size(store):
    return sum(path.stat().st_size for path in (store.path / ".weights").rglob("*.*"))


def test_an_archive_stays_below_its_size_and_names_what_it_lacks(store, tmp_path):
    limit = 600_000 + weights_size(store)
    packed = pack_campaign(store, tmp_path / "a.tar.gz", limit)
    assert packed.size <= limit
    assert packed.checkpoints == [SMALL.run_id] and packed.weights == [DONE.run_id]
    assert [name for name, _ in packed.left_out] == [f"checkpoint of {LARGE.run_id}"]
    tiny = pack_campaign(store, tmp_path / "a.tar.gz", 1)
    assert tiny.records == 1 and len(tiny.left_out) == 3  # records always go in
    assert not list(tmp_path.glob(".*"))


def test_the_checkpoint_that_is_further_stays(store, tmp_path):
    pack_campaign(store, tmp_path / "a.tar")
    target = RunStore(tmp_path / "target")
    write_checkpoint(target, SMALL, 10, epoch=5)
    write_checkpoint(target, LARGE, 10, epoch=2)
    assert unpack_archive(tmp_path / "a.tar", target, checkpoints=True).checkpoints == 1
    found = [CheckpointFolder(target.work_path(spec)).read()[0].state[0] for spec in (SMALL, LARGE)]
    assert [len(array) for array in found] == [10, 100_000]


def test_a_damaged_record_or_checkpoint_is_passed_over(store, tmp_path):
    record = json.loads((store.path / RECORD).read_text())
    archive = write_archive(tmp_path, {RECORD: json.dumps(record | {"kept_epoch": 7}).encode(), STATE: b"no zip"})
    target = RunStore(tmp_path / "store")
    with pytest.warns(UserWarning, match="is not taken") as warned:
        taken = unpack_archive(archive, target, checkpoints=True)
    assert (taken.records, taken.checkpoints) == (0, 0) and len(warned) == 2
    assert files(target) == {}


def write_archive(folder, contents, kind=tarfile.REGTYPE, mode="w:gz"):
    path = folder / "foreign.tar.gz"
    with tarfile.open(path, mode) as archive:
        for name, content in contents.items() if isinstance(contents, dict) else contents:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, "/etc/passwd", len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("contents", "kind"),
    [
        ({"../outside.json": b"{}"}, tarfile.REGTYPE),
        ({f"/{RECORD}": b"{}"}, tarfile.REGTYPE),
        ({f"smoke/../../{DONE.run_id}.json": b"{}"}, tarfile.REGTYPE),
        ({".work/locks/x.lock": b""}, tarfile.REGTYPE),
        ({RECORD: b""}, tarfile.SYMTYPE),
        ({RECORD: b""}, tarfile.LNKTYPE),
        ({RECORD: b""}, tarfile.FIFOTYPE),
        ([(RECORD, b"{}"), (RECORD, b"{}")], tarfile.REGTYPE),
        ({STATE: bytes(200 * 2**20)}, tarfile.REGTYPE),  # zeros, a thousand to one
        ({RECORD: bytes(33 * 2**20)}, tarfile.REGTYPE),
    ],
)
def test_an_archive_with_anything_else_leaves_the_store_untouched(tmp_path, contents, kind):
    archive = write_archive(tmp_path, contents, kind)
    before = sorted(tmp_path.rglob("*"))
    target = RunStore(tmp_path / "store")
    with pytest.raises(SpectraError, match="nothing was taken from it"):
        unpack_archive(archive, target, checkpoints=True)
    assert files(target) == {} and sorted(tmp_path.rglob("*")) == sorted([*before, target.path])


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.9])
def test_an_archive_that_is_not_whole_is_refused(store, tmp_path, share):
    pack_campaign(store, tmp_path / "a.tar.gz")
    content = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(content[: int(share * len(content))])
    target = RunStore(tmp_path / "store")
    with pytest.raises(SpectraError, match="a.tar.gz"):
        unpack_archive(tmp_path / "a.tar.gz", target, checkpoints=True)
    assert files(target) == {}


def test_an_archive_of_another_kind_is_not_written(store, tmp_path):
    with pytest.raises(SpectraError, match="expected an archive named"):
        pack_campaign(store, tmp_path / "a.zip")
    (tmp_path / "file").write_text("")
    with pytest.raises(SpectraError, match="cannot write"):
        pack_campaign(store, tmp_path / "file" / "a.tar")
