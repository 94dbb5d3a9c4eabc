"""What a dataset contains: counts of peaks, of peaks lost on the way, and how far the splits reach."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from spectra_lib._base.errors import SpectraError
from spectra_lib.datasets.dataset import SPLITS, Dataset, Split, make_dataset
from spectra_lib.datasets.specification import DatasetSpec


def peak_counts(dataset: Dataset) -> NDArray[np.int64]:
    """Number of peaks of each class, shape (n_classes,).

    Parameters
    ----------
    dataset : Dataset
        Gives the fingerprints.

    Returns
    -------
    ndarray of int64, shape (n_classes,)

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> peak_counts(make_dataset("smoke")).shape
    (4,)
    """
    return np.array([fingerprint.n_peaks for fingerprint in dataset.fingerprints])


def expected_peak_counts(spec: DatasetSpec) -> pd.Series:
    """Number of classes that the count law of a specification leads to expect, by number of peaks.

    Parameters
    ----------
    spec : DatasetSpec
        Gives the law of the number of peaks and the number of classes.

    Returns
    -------
    Series of float64, shape (n_counts,)
        Expected number of classes, indexed by the number of peaks.

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> expected_peak_counts(dataset_spec("benchmark")).round(1).head(2).to_dict()
    {2: 127.3, 3: 191.5}
    """
    counts = np.arange(spec.min_peaks, spec.max_peaks + 1)
    if spec.peak_count_law == "uniform":
        share = np.full(len(counts), 1.0 / len(counts))
    else:
        law = stats.gamma(spec.gamma_shape, scale=spec.gamma_scale, loc=spec.min_peaks)
        share = law.cdf(counts + 0.5) - law.cdf(counts - 0.5)
        share[-1] += law.sf(counts[-1] + 0.5)  # cut at the most peaks
    return pd.Series(spec.n_classes * share, index=pd.Index(counts, name="peaks"), name="expected_classes")


def peaks_of(split: Split, label: int, peak: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Positions and heights that one peak of a class takes in the spectra of a split.

    Parameters
    ----------
    split : Split
        The split.
    label : int
        The class.
    peak : int
        Which of its peaks, counted from 0 in the order of the fingerprint.

    Returns
    -------
    positions : ndarray of int32, shape (n_spectra_of_class,)
        In points.
    heights : ndarray of float64, shape (n_spectra_of_class,)
        Before broadening, in units of the highest ideal peak.

    Raises
    ------
    SpectraError
        If there is no such class or peak.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> positions, heights = peaks_of(make_dataset("challenge").test, label=0, peak=1)
    >>> positions.tolist()
    [3000, 2970, 3030, 3000, 2970, 3030]
    """
    rows = np.flatnonzero(split.labels == label)
    if not len(rows):
        raise SpectraError(f"there is no class {label}; expected 0 to {split.labels.max()}")
    own = split.peaks.take(rows)
    n_peaks = int(own.counts[0])
    if not 0 <= peak < n_peaks:
        raise SpectraError(f"class {label} has no peak {peak}; expected 0 to {n_peaks - 1}")
    return own.positions.reshape(len(rows), n_peaks)[:, peak], own.heights.reshape(len(rows), n_peaks)[:, peak]


def lost_peaks(dataset: Dataset, close: int = 12) -> pd.DataFrame:
    """Count the spectra in which a peak cannot be seen as such.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    close : int
        Two peaks at most this many points apart count as close.

    Returns
    -------
    DataFrame
        One row for each split, with the number of ``spectra``, and of those in which a height was
        clipped to zero (``vanished``), two peaks fall on the same point, where the later one
        overwrites the earlier (``overwritten``), or two peaks are ``close``.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> lost_peaks(make_dataset("challenge")).loc["test", "spectra"]
    np.int64(162)
    """
    rows = []
    for name in SPLITS:
        table = dataset.split(name).peaks
        owner = np.repeat(np.arange(len(table)), table.counts)
        order = np.lexsort((table.positions, owner))
        gaps = np.diff(table.positions[order])
        inside = np.diff(owner) == 0
        rows.append(
            {
                "spectra": len(table),
                "vanished": len(np.unique(owner[table.heights == 0.0])),
                "overwritten": len(np.unique(owner[1:][inside & (gaps == 0)])),
                "close": len(np.unique(owner[1:][inside & (gaps <= close)])),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(SPLITS, name="split"))


def coverage_of_test_peaks(dataset: Dataset) -> pd.DataFrame:
    """Tell for each test peak whether the training spectra of its class reach as far.

    Parameters
    ----------
    dataset : Dataset
        Its training and test peaks are compared.

    Returns
    -------
    DataFrame
        One row for each peak of each test spectrum: ``label``; ``position_inside`` and
        ``height_inside``, whether the value lies between the smallest and the largest one that this
        peak takes in the training spectra.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> bool(coverage_of_test_peaks(make_dataset("challenge")).position_inside.all())
    True
    """
    rows = []
    for label in range(dataset.spec.n_classes):
        for peak in range(dataset.fingerprints[label].n_peaks):
            positions, heights = peaks_of(dataset.test, label, peak)
            seen_positions, seen_heights = peaks_of(dataset.train, label, peak)
            columns = {
                "label": label,
                "position_inside": (seen_positions.min() <= positions) & (positions <= seen_positions.max()),
                "height_inside": (seen_heights.min() <= heights) & (heights <= seen_heights.max()),
            }
            rows.append(pd.DataFrame(columns))
    return pd.concat(rows, ignore_index=True)


@dataclass(frozen=True)
class GenerationTime:
    """How long a dataset takes to make.

    Attributes
    ----------
    spectra : int
        Training and validation spectra made.
    peaks_seconds : float
        Wall time for fingerprints and peak tables.
    rendering_seconds : float
        Wall time for rendering all of them in float32, in batches.
    """

    spectra: int
    peaks_seconds: float
    rendering_seconds: float

    @property
    def seconds(self) -> float:
        """Wall time of both together."""
        return self.peaks_seconds + self.rendering_seconds


def time_generation(spec: DatasetSpec, batch: int = 512) -> GenerationTime:
    """Measure the generation of all training and validation spectra on this machine.

    Compilation is paid beforehand; spectra are rendered in batches and dropped.

    Parameters
    ----------
    spec : DatasetSpec
        What to generate.
    batch : int
        Spectra rendered at a time.

    Returns
    -------
    GenerationTime

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> time_generation(dataset_spec("smoke")).spectra
    64
    """
    make_dataset("smoke").train.spectra()
    start = perf_counter()
    dataset = make_dataset(spec)
    made = perf_counter()
    for split in (dataset.train, dataset.validation):
        for _ in split.batches(batch):
            pass
    end = perf_counter()
    return GenerationTime(len(dataset.train) + len(dataset.validation), made - start, end - made)
