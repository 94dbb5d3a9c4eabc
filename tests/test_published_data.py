"""The datasets are the published ones, bit for bit: by SHA-256 that are those of the published files.

The published spectra are 64-bit numbers that SciPy's Gaussian filter gives for the peaks. NumPy's exponential, which it
calls, differs in the last bit between processors with and without AVX-512, and so do the spectra, by 1e-16 at most; the
published ones were made on one with it. In 32 bits, as networks read them, there is no difference. The SHA-256 of the
peaks that give them stand in test_peaks.py.
"""

import hashlib
import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from spectra_lib.datasets.dataset import SPLITS, Dataset
from spectra_lib.datasets.specification import Fingerprint

NAMES = ("benchmark", "challenge")
KEYS = {"train": "train", "validation": "val", "test": "test"}
"""Splits, and what the published files call them."""

FINGERPRINTS = {
    "benchmark": "7afdce25ad9e0e22a52eea0887fd409f3d05b8ede6d70f6b63d039e2c64866a3",
    "challenge": "a2a011a2c68f0fce6638bbbe69635c1185f11a4d8b004388cefcd039668dffb7",
}
"""Of the JSON text of positions and heights of all classes."""

EXPONENTIAL = "269eecd5fb02b6c098d0537807afc928eb9f181f7a7a09aba4fe113fe4312aa0"
"""Of a Gaussian's values by NumPy on a processor with AVX-512."""

SPECTRA = {
    ("benchmark", "train"): (
        "77b917c515ad25b380d712d555af104ebd5210158f4d48635dc8001c37a78b00",
        "f2cc7ab541dce8d312a1c110a27345c0c94b09cbe3434b2c601ac5d86913e477",
    ),
    ("benchmark", "validation"): (
        "2b88ee8d214845b3c61bf4974b1b5e1dc90020b4787fb090f1a4900c40fae38b",
        "30b0a6b8bc50dfca1096615704732afcd0150febbb342d06d4385916e6a6881f",
    ),
    ("benchmark", "test"): (
        "cbc9bd4e4a9bb5ed854cadc6caed6723c6dd653066d34effcb0cc850c62a4e06",
        "5f15cd4156d0a95d7c4f153334d6e432ffd87427bde31759653964b39113a813",
    ),
    ("challenge", "train"): (
        "4c98f08a806ec27c3ffda16cb3949039091fadfd16b44c4f48f2745678b1f4de",
        "426e5d57ec7565da0c0a0720d96e954a908a726c7d49d21d554fca296d509db4",
    ),
    ("challenge", "validation"): (
        "00497b9543d8d18a15be782dc4c558d563d5563741bfce4a2a3b1898d2efd0ab",
        "a97489454f980b04e2fe8ac78a6781c4e9110c6d9a4497b9c0af314f2d3f2f6f",
    ),
    ("challenge", "test"): (
        "ce0dc5d4db66ee78705c693637fdcb8d3030f15da62be03da83fcdb577bd8cb7",
        "53b4ebba6f23d8a54e751943ea9e024266fc1edaa08dff620ca7c02aded8bd13",
    ),
}
"""Of the published spectra of the rows of `sample`, as 64-bit and as 32-bit numbers."""

WITHOUT_AVX512 = {
    ("benchmark", "train"): "1adb729b9734873280d0b92ddc612b9271230cd75896b13d0ef8b6c9a670ee25",
    ("benchmark", "validation"): "f0cc5f5e6d385bb24dc88e656442ebf09c69282914151f0aca218f275d9d99ec",
    ("benchmark", "test"): "0575ece88fbbc446f4cbbd559354135e0fc4ae8918c9584a9cd81cd18d739d13",
    ("challenge", "train"): "bcfdb14493260c6c00e6555f73405264b4c8c2a8961b668fa8ed8afdc8afc152",
    ("challenge", "validation"): "6e6b57d718419488e8de4c9fa6984fb63aabd76a09d08ed5ddd31527f7cce8c2",
    ("challenge", "test"): "63f3893ecef66efda0812c800bd5a73689035836c03862847ac57702b33753be",
}
"""Of the 64-bit numbers, as SciPy gives them on a processor without AVX-512."""

MAXIMA = {
    ("benchmark", "train"): "1c8dc5ad457d935cac7ed5b4a57a9ab1ecdfa488d53dedefbf4a72f5cd040a52",
    ("benchmark", "validation"): "ecc546c95718bc0e1ed3fe1fd7cbca8091c170e81a084b71ae4db2880fad61a9",
    ("benchmark", "test"): "0459355d8ef6483a2a88b0d017beeb1b2424c2453ae28e615e724c1d25e30ba3",
    ("challenge", "train"): "7591db9ed2777df5ede10ffaeb752f2670cbff67f35b7d39b859bc0b71680f6b",
    ("challenge", "validation"): "c615098c33958cdb074ae5eab10635243b6312f1af86ad9d3e3eb786cefb8301",
    ("challenge", "test"): "35448252faee557b97cfa8a0c443ccaa0b0602bda6207ee9fb0604ecb3854c8f",
}
"""Of the maximum of each spectrum as a 32-bit number, and the points where they lie as 64-bit integers: all spectra."""


def sha256(*arrays: np.ndarray) -> str:
    return hashlib.sha256(
        b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)
    ).hexdigest()


def fingerprints_sha256(fingerprints: tuple[Fingerprint, ...]) -> str:
    text = json.dumps([[f.positions, f.heights] for f in fingerprints])
    return hashlib.sha256(text.encode()).hexdigest()


def sample(dataset: Dataset, split: str) -> np.ndarray:
    """Rows whose spectra are published whole: 8 classes of the benchmark, 6 spectra of every other class by hand."""
    labels = dataset.split(split).labels
    if dataset.spec.name == "benchmark":
        return np.flatnonzero(np.isin(labels, [0, 8, 164, 203, 246, 281, 318, 382]))
    return np.concatenate([np.flatnonzero(labels == label)[:6] for label in range(0, 27, 2)])


def by_scipy(dataset: Dataset, split: str, rows: np.ndarray) -> np.ndarray:
    """Spectra as the published code made them from peaks."""
    peaks = dataset.split(split).peaks
    lines = np.zeros((len(rows), dataset.spec.n_points))
    for line, row in zip(lines, rows, strict=True):
        for position, height in zip(*peaks.peaks(row), strict=True):
            line[position] = height
        line[:] = gaussian_filter1d(line, peaks.widths[row], mode="constant", truncate=4.0)
    return lines


def maxima_sha256(dataset: Dataset, split: str) -> str:
    highest, where = [], []
    for start in range(0, len(dataset.split(split)), 1000):
        spectra = dataset.split(split).spectra(slice(start, start + 1000), normalize=False)
        highest.append(spectra.max(axis=1))
        where.append(spectra.argmax(axis=1).astype(np.int64))
    return sha256(np.concatenate(highest), np.concatenate(where))


@pytest.fixture(params=NAMES)
def dataset(request) -> Dataset:
    return request.getfixturevalue(request.param)


def test_fingerprints_are_the_published_ones(dataset):
    assert fingerprints_sha256(dataset.fingerprints) == FINGERPRINTS[dataset.spec.name]


@pytest.mark.parametrize("split", SPLITS)
def test_peaks_give_the_published_64_bit_spectra(dataset, split):
    arguments = -0.125 * np.arange(-8.0, 9.0) ** 2
    as_published = hashlib.sha256(np.exp(arguments).tobytes()).hexdigest() == EXPONENTIAL
    expected = SPECTRA[dataset.spec.name, split][0] if as_published else WITHOUT_AVX512[dataset.spec.name, split]
    spectra = by_scipy(dataset, split, sample(dataset, split))
    assert sha256(spectra) == expected
    # our own renderer sums in another order
    ours = dataset.split(split).spectra(sample(dataset, split), normalize=False, dtype=np.float64)
    assert abs(ours - spectra).max() < 1e-15


@pytest.mark.parametrize("split", SPLITS)
def test_spectra_are_the_published_ones_in_32_bits(dataset, split):
    spectra = dataset.split(split).spectra(sample(dataset, split), normalize=False)
    assert spectra.dtype == np.float32
    assert sha256(spectra) == SPECTRA[dataset.spec.name, split][1]


@pytest.mark.parametrize("split", SPLITS)
def test_every_spectrum_has_the_published_maximum(dataset, split):
    assert maxima_sha256(dataset, split) == MAXIMA[dataset.spec.name, split]


def test_what_stands_here_is_what_was_published(dataset, reference):
    name = dataset.spec.name
    classes = json.loads((reference / f"{name}_classes.json").read_text(encoding="utf-8"))["spectra"]
    published = [
        Fingerprint(positions=classes[str(label)]["peak_positions"], heights=classes[str(label)]["peak_heights"])
        for label in range(len(classes))
    ]
    assert fingerprints_sha256(tuple(published)) == FINGERPRINTS[name]
    with np.load(reference / f"{name}_spectra.npz", allow_pickle=False) as arrays:
        for split, key in KEYS.items():
            assert np.array_equal(arrays[f"{key}_rows"], sample(dataset, split))
            spectra = arrays[f"{key}_spectra"]
            assert spectra.dtype == np.float64
            assert (sha256(spectra), sha256(spectra.astype(np.float32))) == SPECTRA[name, split]
            highest, where = (arrays[f"{key}_{what}_all_rows"] for what in ("max", "argmax"))
            assert len(highest) == len(dataset.split(split))
            assert sha256(highest.astype(np.float32), where) == MAXIMA[name, split]
