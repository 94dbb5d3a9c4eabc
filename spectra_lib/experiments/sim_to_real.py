"""From simulation to measurement: classes read off one instrument, tested on the spectra of others.

Networks see nothing but synthetic variations of the peak lists of four substances, and of decoys drawn by
the law of the synthetic dataset; they are tested on what other instruments measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from spectra_lib.datasets.dataset import Dataset, Split, make_dataset
from spectra_lib.datasets.fingerprints import make_fingerprints
from spectra_lib.datasets.measured import PROMINENCE, MeasuredSpectrum, subtract_baseline
from spectra_lib.datasets.measured_files import (
    RAMAN_EXAMPLES,
    SUBSTANCES,
    RamanMeasurement,
    raman_measurements,
    raman_spectra,
)
from spectra_lib.datasets.peaks import PeakTable, Rows
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint, TestRule, Variation
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.specification import RunSpec

GRID = np.linspace(130.0, 1830.0, 1000)
"""Raman shifts in cm⁻¹ to which all spectra are brought; every instrument covers them."""

STIFFNESS = 1e5
"""How stiff the baselines are (lambda of arPLS on `GRID`); softer than for whole spectra, against the laser's flank."""

MOST_PEAKS = 10
"""As in the synthetic dataset, a class has at most so many peaks."""

MAX_EPOCHS = 30
"""Epochs of a run, at most."""

DECOYS = 26
"""Classes without a substance, which make mistakes possible."""

TOLERANCE = 6
"""Peaks move by up to so many points, some 10 cm⁻¹, in training; the peak matcher allows as much."""


def prepare(spectrum: MeasuredSpectrum, baseline: bool = True) -> NDArray[np.float64]:
    """Bring a measured Raman spectrum to `GRID` and divide it by its maximum.

    A point of the grid gets the mean of what was measured around it, so that fine spectra are smoothed
    and coarse ones interpolated.

    Parameters
    ----------
    spectrum : MeasuredSpectrum
        The spectrum.
    baseline : bool
        Subtract a baseline; otherwise only the smallest value.

    Returns
    -------
    ndarray of float64, shape (1000,)

    Examples
    --------
    >>> axis = np.arange(100.0, 2000.0)
    >>> line = MeasuredSpectrum("Raman", "", "", "", "", axis, 5 + np.exp(-(((axis - 1000) / 10) ** 2)))
    >>> values = prepare(line, baseline=False)
    >>> round(float(GRID[values.argmax()])), float(values.max()), float(values.min())
    (1000, 1.0, 0.0)
    """
    step = GRID[1] - GRID[0]
    edges = np.append(GRID - step / 2, GRID[-1] + step / 2)
    widths = np.diff(spectrum.axis)
    areas = np.append(0.0, np.cumsum(widths * (spectrum.intensity[1:] + spectrum.intensity[:-1]) / 2))
    values = np.diff(np.interp(edges, spectrum.axis, areas)) / step
    values = subtract_baseline(values, STIFFNESS) if baseline else values - values.min()
    return values / values.max()


def read_fingerprint(values: NDArray[np.floating]) -> Fingerprint:
    """Read the peak list off a prepared spectrum: its highest peaks, heights relative to the highest.

    Parameters
    ----------
    values : ndarray of float, shape (n_points,)
        Relative intensity on `GRID`, as `prepare` gives it.

    Returns
    -------
    Fingerprint
        Positions in points of `GRID`.

    Examples
    --------
    >>> x = np.arange(1000)
    >>> read_fingerprint(np.exp(-(((x - 300) / 5) ** 2)) + 0.25 * np.exp(-(((x - 700) / 5) ** 2)))
    Fingerprint(positions=(300, 700), heights=(1.0, 0.25))
    """
    positions = find_prepared_peaks(values)
    heights = np.round(values[positions] / values[positions].max(), 3)
    return Fingerprint(positions=tuple(positions.tolist()), heights=tuple(heights.tolist()))


def find_prepared_peaks(values: NDArray[np.floating]) -> NDArray[np.int64]:
    """Find the highest peaks of a prepared spectrum, at most `MOST_PEAKS`, by position.

    Parameters
    ----------
    values : ndarray of float, shape (n_points,)
        Relative intensity on `GRID`, as `prepare` gives it.

    Returns
    -------
    ndarray of int64, shape (n_peaks,)
        In points of `GRID`, ascending.
    """
    line = MeasuredSpectrum("Raman", "", "", "", "", GRID, np.asarray(values, dtype=float))
    positions, _ = line.peaks(PROMINENCE)
    return np.sort(positions[np.argsort(-values[positions], kind="stable")][:MOST_PEAKS])


def substance_fingerprints() -> tuple[Fingerprint, ...]:
    """Peak lists of `SUBSTANCES`, from one spectrum each of the reference instrument.

    Returns
    -------
    tuple of Fingerprint
        In the order of `SUBSTANCES`.

    Raises
    ------
    MissingPackageError
        If the package with the spectra is not installed.
    """
    return tuple(read_fingerprint(prepare(spectrum)) for spectrum in raman_spectra())


def training_spec(fingerprints: Sequence[Fingerprint], *, realistic: bool) -> DatasetSpec:
    """Specify the synthetic spectra to train on.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        Peak lists of the substances, on 1000 points; decoys are added.
    realistic : bool
        Vary heights more, and turn on noise, background and Lorentzian tails; otherwise the law of the
        synthetic dataset, its shifts scaled to the number of points.

    Returns
    -------
    DatasetSpec

    Examples
    --------
    >>> lines = (Fingerprint(positions=(300,), heights=(1.0,)), Fingerprint(positions=(500,), heights=(1.0,)))
    >>> training_spec(lines, realistic=True).n_classes
    28
    """
    drawn = DatasetSpec(
        name="decoys", n_points=len(GRID), n_classes=DECOYS, min_peaks=1, boundary=20, peak_count_law="uniform"
    )
    classes = (*fingerprints, *make_fingerprints(drawn))
    spec = DatasetSpec(
        name="raman_clean",
        n_points=len(GRID),
        n_classes=len(classes),
        variation=Variation(position_shift=TOLERANCE, height_change=0.05),
        n_train=30,
        n_validation=5,
        test=TestRule(shift=4),
        fingerprints=classes,
    )
    if not realistic:
        return spec
    varied = spec.model_copy(update={"variation": Variation(position_shift=TOLERANCE, height_change=0.2)})
    return varied.with_realism("raman_realistic", noise=(0.0, 0.05), background=(0.0, 0.5), lorentzian=(0.0, 1.0))


@dataclass(frozen=True)
class MeasuredSplit(Split):
    """Measured spectra as a split, so that a network can be asked about them.

    Attributes
    ----------
    values : ndarray of float64, shape (n_spectra, n_points)
        The prepared spectra.
    """

    values: NDArray[np.float64]

    @property
    def is_sparse(self) -> bool:
        """Measured spectra are nowhere exactly zero."""
        return False

    def spectra(
        self,
        rows: Rows = None,
        normalize: bool = True,
        dtype: type[np.float32] | type[np.float64] = np.float32,
    ) -> NDArray[np.floating]:
        """Give the chosen spectra; they are divided by their maximum already.

        Parameters
        ----------
        rows : Rows, optional
            Rows to give; none for all.
        normalize : bool
            Has no effect here.
        dtype : {float32, float64}
            Number format.

        Returns
        -------
        ndarray of float, shape (n_rows, n_points)
        """
        return self.values[slice(None) if rows is None else rows].astype(dtype)


def measured_split(measurements: Sequence[RamanMeasurement], *, baseline: bool = True) -> MeasuredSplit:
    """Prepare measurements as a split whose labels are numbers of `SUBSTANCES`.

    Parameters
    ----------
    measurements : sequence of RamanMeasurement
        Measured spectra of `SUBSTANCES`.
    baseline : bool
        Whether to subtract the baseline.

    Returns
    -------
    MeasuredSplit

    Raises
    ------
    ValueError
        If the substance of a spectrum is not one of `SUBSTANCES`.
    """
    labels = np.array([SUBSTANCES.index(measurement.spectrum.sample) for measurement in measurements], dtype=np.int64)
    values = np.array([prepare(measurement.spectrum, baseline) for measurement in measurements])
    nothing = PeakTable.from_lists([], [], [])  # what the peaks are, nobody knows
    return MeasuredSplit(labels, nothing, len(GRID), values)


def measurements_to_classify() -> tuple[RamanMeasurement, ...]:
    """All measurements of `SUBSTANCES`, but for the four that the peak lists are read off.

    Returns
    -------
    tuple of RamanMeasurement
    """
    return tuple(measurement for measurement in raman_measurements() if measurement.name not in RAMAN_EXAMPLES)


RUNS = tuple((model, seed) for model in ("cnn2",) for seed in (0, 1, 2))
"""Networks and seeds of the test, each trained on clean and on realistic spectra."""

PROBES = {"measured": True, "measured_raw": False}
"""Names in a record of the answers to measured spectra, and whether a baseline was subtracted from these."""


def planned_runs(fingerprints: Sequence[Fingerprint]) -> tuple[RunSpec, ...]:
    """Specify the runs of the test, clean training first.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        Peak lists of the substances.

    Returns
    -------
    tuple of RunSpec
    """
    return tuple(
        RunSpec(
            dataset=training_spec(fingerprints, realistic=realistic),
            model=model,
            hidden_activation="relu",
            seed=seed,
            max_epochs=MAX_EPOCHS,
        )
        for realistic in (False, True)
        for model, seed in RUNS
    )


def train_and_ask(spec: RunSpec, measurements: Sequence[RamanMeasurement], store: str | Path) -> RunRecord:
    """Do a run, or give its record if the store has it; the record holds the answers to all measurements.

    Parameters
    ----------
    spec : RunSpec
        The run.
    measurements : sequence of RamanMeasurement
        Measured spectra of `SUBSTANCES`.
    store : str or Path
        Folder of the run records.

    Returns
    -------
    RunRecord
    """
    from spectra_lib.training.trainer import train

    probes = {name: measured_split(measurements, baseline=baseline) for name, baseline in PROBES.items()}
    return train(spec, store, quiet=True, probes=probes)


def classify_by_cosine(dataset: Dataset, split: Split, width: float = TOLERANCE) -> NDArray[np.int64]:
    """Answer the class whose ideal spectrum has the largest cosine similarity, both broadened.

    Parameters
    ----------
    dataset : Dataset
        Gives the ideal spectra.
    split : Split
        Spectra to classify.
    width : float
        Standard deviation of the broadening, in points.

    Returns
    -------
    ndarray of int64, shape (n_spectra,)
    """

    def described(spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        broad = gaussian_filter1d(np.asarray(spectra, dtype=float), width, axis=1, mode="constant")
        return broad / np.linalg.norm(broad, axis=1, keepdims=True)

    return np.argmax(described(split.spectra()) @ described(dataset.ideal.spectra()).T, axis=1)


def classify_by_peaks(dataset: Dataset, split: Split, tolerance: int = TOLERANCE) -> NDArray[np.int64]:
    """Answer the class whose peak list agrees best with the peaks found.

    Of the found and the listed peaks, weighted by height, that fraction counts which has a partner within the
    tolerance; of equal classes the first is taken.

    Parameters
    ----------
    dataset : Dataset
        Gives the peak lists.
    split : Split
        Spectra to classify.
    tolerance : int
        Largest distance of partners, in points.

    Returns
    -------
    ndarray of int64, shape (n_spectra,)
    """
    answers = []
    for spectrum in split.spectra(dtype=np.float64):
        found = find_prepared_peaks(spectrum)
        scores = []
        for fingerprint in dataset.fingerprints:
            listed, heights = np.array(fingerprint.positions), np.array(fingerprint.heights)
            near = np.abs(found[:, None] - listed) <= tolerance
            matched = spectrum[found][near.any(axis=1)].sum() + heights[near.any(axis=0)].sum()
            scores.append(matched / (spectrum[found].sum() + heights.sum()))
        answers.append(int(np.argmax(scores)))
    return np.array(answers, dtype=np.int64)


def answer_table(
    fingerprints: Sequence[Fingerprint], measurements: Sequence[RamanMeasurement], records: Sequence[RunRecord]
) -> pd.DataFrame:
    """Give one row for each classifier and measurement.

    Parameters
    ----------
    fingerprints : sequence of Fingerprint
        Peak lists of the substances.
    measurements : sequence of RamanMeasurement
        What the classifiers were asked about.
    records : sequence of RunRecord
        Runs of `planned_runs`; those whose answers are not about as many measurements are left out.

    Returns
    -------
    DataFrame
        Columns ``classifier``, ``training`` ("none", "clean" or "realistic"), ``seed``, ``baseline`` (whether one
        was subtracted), ``substance``, ``instrument``, ``answer`` (a class) and ``right``.
    """
    dataset = make_dataset(training_spec(fingerprints, realistic=False))
    rows: list[pd.DataFrame] = []

    def add(classifier: str, training: str, seed: int, baseline: bool, answers: Sequence[int]) -> None:
        rows.append(
            pd.DataFrame(
                {
                    "classifier": classifier,
                    "training": training,
                    "seed": seed,
                    "baseline": baseline,
                    "substance": [m.spectrum.sample for m in measurements],
                    "instrument": [m.spectrum.instrument for m in measurements],
                    "answer": answers,
                    "right": np.array(answers) == split.labels,
                }
            )
        )

    for probe, baseline in PROBES.items():
        split = measured_split(measurements, baseline=baseline)
        add("cosine", "none", 0, baseline, classify_by_cosine(dataset, split).tolist())
        add("peaks", "none", 0, baseline, classify_by_peaks(dataset, split).tolist())
        for record in records:
            if len(record.probes[probe].labels) == len(measurements):
                training = record.spec.dataset_spec.name.removeprefix("raman_")
                add(record.spec.model, training, record.spec.seed, baseline, record.probes[probe].labels)
    return pd.concat(rows, ignore_index=True)
