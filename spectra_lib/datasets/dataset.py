"""Datasets: a specification with its labelled peak tables, and spectra of any rows on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Never

import h5py
import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib._base.values import canonical_digest
from spectra_lib.datasets.corruption import Seed, add_noise_and_background, change_peaks, draw_levels
from spectra_lib.datasets.fingerprints import make_fingerprints
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import PeakTable, Rows, chosen_rows, draw_peaks, place_test_peaks, vary_peaks
from spectra_lib.datasets.rendering import render
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint, Realism


@dataclass(frozen=True)
class Split:
    """One part of a dataset: labels and peaks, rendered when asked.

    Attributes
    ----------
    labels : ndarray of int64, shape (n_spectra,)
        Class of each spectrum.
    peaks : PeakTable
        Peaks of each spectrum.
    n_points : int
        Points of each spectrum.
    """

    labels: NDArray[np.int64]
    peaks: PeakTable
    n_points: int

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Never]:
        raise TypeError("a split cannot be looped over; take spectra(rows), labels, peaks, or batches(size)")

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__} of {len(self)} spectra with {self.n_points} points, {len(np.unique(self.labels))} "
            "classes"
        )

    @property
    def is_sparse(self) -> bool:
        """Whether spectra are exactly zero far from their peaks."""
        return True

    def spectra(
        self,
        rows: Rows = None,
        normalize: bool = True,
        dtype: type[np.float32] | type[np.float64] = np.float32,
    ) -> NDArray[np.floating]:
        """Render the chosen spectra.

        Parameters
        ----------
        rows : sequence of int or bool, slice or None
            Which spectra, by NumPy's rules (`spectra_lib.datasets.peaks.chosen_rows`); None for all.
        normalize : bool
            Divide each spectrum by its own maximum, as the networks see it.
        dtype : float32 or float64
            Type of the result.

        Returns
        -------
        ndarray, shape (n_rows, n_points)

        Raises
        ------
        SpectraError
            If a row is not there, or `rows` is something else.

        Examples
        --------
        >>> test = make_dataset("smoke").test
        >>> test.spectra([0, 1]).shape, test.spectra(test.labels == 3).shape
        ((2, 256), (9, 256))
        """
        return render(self.peaks.take(rows), self.n_points, normalize=normalize, dtype=dtype)

    def batches(self, size: int) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        """Go through all spectra in order, `size` at a time, as (rows, spectra)."""
        for start in range(0, len(self), size):
            rows = slice(start, min(start + size, len(self)))
            yield rows, self.spectra(rows)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of labels and peaks, equal on every machine for equal data."""
        state = hashlib.sha256()
        peaks = self.peaks
        for array, dtype in (
            (self.labels, "<i8"),
            (peaks.offsets, "<i8"),
            (peaks.positions, "<i4"),
            (peaks.heights, "<f8"),
            (peaks.widths, "<f8"),
        ):
            state.update(np.ascontiguousarray(array, dtype=dtype).tobytes())
        return state.hexdigest()


@dataclass(frozen=True, repr=False)
class RealisticSplit(Split):
    """A split whose spectra carry noise, a background or Lorentzian tails.

    Noise and background are added to the normalised spectrum, which is then normalised again. Those
    of a spectrum depend on its row only.

    Attributes
    ----------
    realism : Realism
        The dials; strain and texture are in the peaks already.
    seed : tuple of int
        Seed of the split.
    """

    realism: Realism
    seed: Seed

    @property
    def is_sparse(self) -> bool:
        """Whether spectra are exactly zero far from their peaks."""
        return not self.realism.fills_spectrum

    def spectra(
        self,
        rows: Rows = None,
        normalize: bool = True,
        dtype: type[np.float32] | type[np.float64] = np.float32,
    ) -> NDArray[np.floating]:
        """Render the chosen spectra (see `Split.spectra`)."""
        chosen = chosen_rows(rows, len(self))
        peaks = self.peaks.take(chosen)
        levels = draw_levels(self.realism, self.seed, chosen)
        shares = levels[:, 2] if self.realism.lorentzian[1] > 0 else None
        spectra = render(peaks, self.n_points, dtype=np.float64, lorentzian=shares)
        for spectrum, row, (noise, background, _) in zip(spectra, chosen, levels, strict=True):
            add_noise_and_background(spectrum, noise, background, self.seed, int(row))
            if normalize and spectrum.max() > 0:
                spectrum /= spectrum.max()
        if not normalize:
            spectra *= render(peaks, self.n_points, normalize=False, dtype=np.float64, lorentzian=shares).max(
                axis=1, keepdims=True, initial=0.0
            )
        return spectra.astype(dtype, copy=False)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of labels, peaks and everything that is added to them."""
        own = canonical_digest({"realism": self.realism.model_dump(mode="json"), "seed": self.seed})
        return hashlib.sha256((super().digest + own).encode()).hexdigest()


SPLITS = ("train", "validation", "test")
"""The splits that a dataset is made of, in the order of their seeds."""

FRESH = "fresh"
"""Name of the spectra on which a trained network is judged, drawn when they are asked for."""

FRESH_SEED = 1_000_003
"""Last number of the seed of fresh spectra, which no other draw has (`spectra_lib.datasets.corruption`)."""


def fresh_seed(spec: DatasetSpec) -> tuple[int, ...]:
    """Seed of the generator of a dataset's fresh spectra.

    Examples
    --------
    >>> fresh_seed(dataset_spec("challenge"))
    (2022, 1000003)
    """
    return (spec.seed, FRESH_SEED)


@dataclass(frozen=True)
class Dataset:
    """A specification with its classes and its three splits.

    Attributes
    ----------
    spec : DatasetSpec
        What the dataset was made from.
    fingerprints : tuple of Fingerprint
        Ideal peaks of each class.
    train, validation, test : Split
        The splits; training and validation spectra are grouped by class.
    """

    spec: DatasetSpec
    fingerprints: tuple[Fingerprint, ...]
    train: Split
    validation: Split
    test: Split

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.split(name))} {name}" for name in SPLITS)
        return (
            f"Dataset {self.spec.name!r}: {self.spec.n_classes} classes, {self.spec.n_points} points, {sizes} spectra"
        )

    @property
    def ideal(self) -> Split:
        """The unvaried spectrum of each class, with the test width."""
        rows = ((f.positions, f.heights, self.spec.test.width) for f in self.fingerprints)
        table = PeakTable.from_lists(*zip(*rows, strict=True))
        return Split(np.arange(self.spec.n_classes), table, self.spec.n_points)

    @cached_property
    def fresh(self) -> Split:
        """Spectra of the training distribution that no one has trained on, validated with or chosen by.

        Drawn when first asked for, `n_fresh` of each class, by generators of their own, so that they are independent of
        the other splits; grouped by class.

        Examples
        --------
        >>> data = make_dataset("smoke")
        >>> len(data.fresh) == data.spec.n_classes * data.spec.n_fresh
        True
        """
        (peaks,) = draw_peaks(self.spec, self.fingerprints, (self.spec.n_fresh,), fresh_seed(self.spec))
        labels = np.repeat(np.arange(self.spec.n_classes), self.spec.n_fresh)
        return _make_split(self.spec, self.fingerprints, FRESH_SEED, labels, peaks)

    def split(self, name: str) -> Split:
        """Give a split by name: train, validation, test or fresh."""
        if name not in (*SPLITS, FRESH):
            raise SpectraError(f"unknown split {name!r}; expected one of {', '.join((*SPLITS, FRESH))}")
        return getattr(self, name)


def make_dataset(dataset: str | DatasetSpec) -> Dataset:
    """Make a dataset from a specification or the name of a built-in one.

    The benchmark takes about a second and some 10 MB: spectra are not rendered here.

    Parameters
    ----------
    dataset : str or DatasetSpec
        A name of `list_datasets`, or a specification.

    Returns
    -------
    Dataset

    Raises
    ------
    UnknownNameError
        If there is no dataset of that name.
    SpecificationError
        If two drawn classes coincide.

    Examples
    --------
    >>> data = make_dataset("challenge")
    >>> len(data.train), len(data.validation), len(data.test)
    (1350, 270, 162)
    """
    spec = dataset_spec(dataset) if isinstance(dataset, str) else dataset
    fingerprints = make_fingerprints(spec)
    train, validation = vary_peaks(spec, fingerprints)
    test, test_labels = place_test_peaks(spec, fingerprints)
    labels = np.arange(spec.n_classes)
    splits = (
        (np.repeat(labels, spec.n_train), train),
        (np.repeat(labels, spec.n_validation), validation),
        (test_labels, test),
    )
    return Dataset(spec, fingerprints, *(_make_split(spec, fingerprints, k, *own) for k, own in enumerate(splits)))


def _make_split(
    spec: DatasetSpec, fingerprints: tuple[Fingerprint, ...], number: int, labels: NDArray[np.int64], peaks: PeakTable
) -> Split:
    peaks = change_peaks(peaks, labels, spec, fingerprints, number)
    if not spec.realism.fills_spectrum:
        return Split(labels, peaks, spec.n_points)
    return RealisticSplit(labels, peaks, spec.n_points, spec.realism, (spec.seed, number + 1))


def export_dataset(dataset: Dataset, path: str | Path, *, overwrite: bool = False, chunk: int = 512) -> Path:
    """Write all spectra, labels and the specification to one ``.npz`` or ``.h5`` file.

    Arrays are named ``train_spectra``, ``train_labels`` and so on; ``specification`` holds the
    JSON text. Spectra are float32, divided by their maximum, shape (n_spectra, n_points), and are
    written `chunk` at a time. The file appears under its name only when it is complete.

    Raises
    ------
    SpectraError
        If the ending is neither .npz nor .h5, the file exists and `overwrite` is false, or it
        cannot be written.
    """
    path = Path(path)
    writers = {".npz": _write_npz, ".h5": _write_h5}
    if path.suffix not in writers:
        raise SpectraError(f"cannot tell the format from {path.name!r}; end the file name in .npz or .h5")
    if path.exists() and not overwrite:
        raise SpectraError(f"{path} exists; choose another name, or overwrite it with --force")
    partial = path.with_name(f".{path.name}.partial")
    try:
        writers[path.suffix](dataset, partial, chunk)
        partial.replace(path)
    except OSError as error:
        raise SpectraError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def _write_npz(dataset: Dataset, path: Path, chunk: int) -> None:
    # An .npz file is a zip of .npy files; writing them as streams keeps the memory small.
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in SPLITS:
            split = dataset.split(name)
            with archive.open(f"{name}_spectra.npy", "w", force_zip64=True) as stream:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(split), split.n_points)}
                npy_format.write_array_header_1_0(stream, header)
                for _, spectra in split.batches(chunk):
                    stream.write(spectra.astype("<f4", copy=False).tobytes())
            with archive.open(f"{name}_labels.npy", "w") as stream:
                npy_format.write_array(stream, split.labels, allow_pickle=False)
        with archive.open("specification.npy", "w") as stream:
            npy_format.write_array(stream, np.array(dataset.spec.to_json()), allow_pickle=False)


def _write_h5(dataset: Dataset, path: Path, chunk: int) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["specification"] = dataset.spec.to_json()
        for name in SPLITS:
            split = dataset.split(name)
            file.create_dataset(f"{name}_labels", data=split.labels)
            shape = (len(split), split.n_points)
            stored = file.create_dataset(
                f"{name}_spectra",
                shape,
                dtype="f4",
                chunks=(min(64, len(split)), split.n_points),
                compression="gzip",
                compression_opts=1,
            )
            for rows, spectra in split.batches(chunk):
                stored[rows] = spectra
