"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest

from spectra_lib.datasets.dataset import Dataset, make_dataset

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def project() -> Path:
    """Folder of the project."""
    return PROJECT


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of the published reference data, named by SPECTRA_REFERENCE or beside the project."""
    named = os.environ.get("SPECTRA_REFERENCE")
    folder = Path(named) if named else PROJECT.parent / "shared" / "reference"
    if not (folder / "benchmark_spectra.npz").is_file():
        if named:
            pytest.fail(f"SPECTRA_REFERENCE={named} holds no reference data")
        pytest.skip("the published reference data are not here; set SPECTRA_REFERENCE to their folder")
    return folder


@pytest.fixture(scope="session")
def benchmark() -> Dataset:
    """The general benchmark."""
    return make_dataset("benchmark")


@pytest.fixture(scope="session")
def challenge() -> Dataset:
    """The challenging set."""
    return make_dataset("challenge")
