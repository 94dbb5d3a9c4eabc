"""Where the project is published: from the workflow's variable, from the git remote, or unknown."""

import shutil
import subprocess

import pytest

from spectra_lib.book.repository import VARIABLE, Repository, find_repository


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A git repository without a remote, and no variable."""
    monkeypatch.delenv(VARIABLE, raising=False)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("remote", "name"),
    [
        ("https://github.com/someone/spectra.git", "someone/spectra"),
        ("https://github.com/someone/spectra", "someone/spectra"),
        ("https://github.com/someone/spectra.lib/", "someone/spectra.lib"),
        ("https://name:word@github.com/someone/spectra.git", "someone/spectra"),
        ("git@github.com:some-one/spectra.git", "some-one/spectra"),
        ("ssh://git@github.com/someone/spectra.git", "someone/spectra"),
        ("https://example.org/someone/spectra.git", None),
        ("https://notgithub.com/someone/spectra.git", None),
        ("/srv/git/github.com/someone/spectra.git", None),
    ],
)
def test_the_remote_names_it_if_it_is_on_github(folder, remote, name):
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    assert find_repository(folder) == (Repository(name) if name else None)


def test_the_variable_comes_first(folder, monkeypatch):
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", "https://github.com/a/b"], check=True)
    monkeypatch.setenv(VARIABLE, "someone/spectra")
    assert find_repository(folder) == Repository("someone/spectra")
    monkeypatch.setenv(VARIABLE, "no name")
    assert find_repository(folder) == Repository("a/b")


def test_it_is_unknown_without_remote_repository_or_git(folder, monkeypatch):
    assert find_repository(folder) is None
    shutil.rmtree(folder / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert find_repository(folder) is None
    monkeypatch.setenv("PATH", "")
    assert find_repository(folder) is None
