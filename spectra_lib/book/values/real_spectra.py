"""Numbers and sentences of the chapter on measured spectra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from spectra_lib.book.values.confusion_study import Texts
from spectra_lib.claims import gather_evidence, judge
from spectra_lib.datasets import measured_files, measured_packages
from spectra_lib.datasets.measured import MeasuredSpectrum, PeakStatistics
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.experiments import sim_to_real
from spectra_lib.figures import real_spectra as figures
from spectra_lib.runs.records import RunRecords

NO_RUN = "– (no run yet)"


def package_rows(missing: Mapping[str, str]) -> pd.DataFrame:
    """List the packages with measured spectra, and which of them are installed.

    Examples
    --------
    >>> package_rows({}).Here.unique().tolist()
    ['installed']
    """
    columns = ["Package", "Version", "Licence", "What it gives", "Here"]
    rows = [
        (name, package.version, package.licence, package.gives, "missing" if name in missing else "installed")
        for name, package in measured_packages.PACKAGES.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def packages_sentence(missing: Mapping[str, str], n_spectra: int) -> str:
    """Say whether all packages with measured spectra are installed.

    Examples
    --------
    >>> packages_sentence({}, 8)
    'All of them are here, and give 8 spectra for the comparison.'
    """
    if not missing:
        return f"All of them are here, and give {n_spectra} spectra for the comparison."
    return (
        f"**{len(missing)} of them are missing here**, so that figures and tables below are not complete. They come "
        f"with `{measured_packages.install_command(missing)}`."
    )


@dataclass(frozen=True)
class PeakStudy:
    """Peaks of measured spectra and of the synthetic classes.

    Attributes
    ----------
    cropped : tuple of MeasuredSpectrum
        Spectra cut to a part.
    whole : tuple of PeakStatistics
        Of the whole spectra.
    cut : tuple of PeakStatistics
        Of the parts.
    law : tuple of PeakStatistics
        Of the synthetic classes.
    """

    cropped: tuple[MeasuredSpectrum, ...]
    whole: tuple[PeakStatistics, ...]
    cut: tuple[PeakStatistics, ...]
    law: tuple[PeakStatistics, ...]

    @property
    def law_density(self) -> float:
        """Peaks per 1000 points, mean over the synthetic classes."""
        return float(np.mean([each.density for each in self.law]))

    @property
    def law_covered(self) -> float:
        """Part of the axis that peaks cover, in per cent, mean over the synthetic classes."""
        return float(100 * np.mean([each.occupied for each in self.law]))


def peak_rows(study: PeakStudy, spectra: Sequence[MeasuredSpectrum], spec: DatasetSpec) -> pd.DataFrame:
    """Give one row for each measured spectrum, and one for the synthetic classes.

    Parameters
    ----------
    study : PeakStudy
        Peaks.
    spectra : sequence of MeasuredSpectrum
        The whole spectra.
    spec : DatasetSpec
        The synthetic dataset.
    """
    rows = [
        (
            s.technique, s.sample, s.instrument, f"{len(s):,}", cut.n_peaks, f"{cut.width:.1f}", f"{full.density:.1f}",
            f"{100 * full.occupied:.1f}",
        )
        for s, cut, full in zip(spectra, study.cut, study.whole, strict=True)
    ]  # fmt: skip
    classes = ("–", "synthetic classes, mean", f"*{spec.name}*", f"{spec.n_points:,}", "–")
    means = f"{study.law[0].width:.1f}", f"{study.law_density:.1f}", f"{study.law_covered:.1f}"
    columns = ["Technique", "Sample", "Instrument", "Points", "Peaks", "Width", "Per 1000", "Covered (%)"]
    return pd.DataFrame([*rows, (*classes, *means)], columns=columns)


def span(values: Sequence[float], digits: int = 1) -> str:
    """Give the smallest and the largest of some values.

    Examples
    --------
    >>> span([3.14, 1.0]), span([])
    ('1.0 to 3.1', '–')
    """
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}" if len(values) else "–"


def factor(values: Sequence[float]) -> str:
    """Give the ratio of the largest to the smallest of some values.

    Examples
    --------
    >>> factor([2.0, 6.0]), factor([])
    ('3', '–')
    """
    return f"{max(values) / min(values):.0f}" if len(values) else "–"


def peak_texts(study: PeakStudy, prominence: float) -> Texts:
    """Texts of the section on whole and cut spectra, with the verdict on claim 4.

    Parameters
    ----------
    study : PeakStudy
        Peaks.
    prominence : float
        Share of a spectrum's range by which a peak stands out.
    """
    techniques = {spectrum.technique for spectrum in study.cropped}
    evidence = gather_evidence(
        RunRecords(()), "smoke", "smoke",
        measured={t: [c.intensity for c in study.cropped if c.technique == t] for t in techniques},
    )  # fmt: skip
    (finding,) = judge(evidence, [4])
    within = sum(2 <= each.n_peaks <= 6 for each in study.cut)
    return {
        "prominence": f"{100 * prominence:g} %",
        "law_classes": f"{len(study.law)}",
        "verdict": finding.verdict.outcome.value,
        "verdict_sentence": finding.verdict.sentence,
        "inside": f"{within} of {len(study.cut)}",
        "density_span": span([s.density for s in study.whole]),
        "width_span": span([s.width for s in study.cut]),
        "covered_span": span([100 * s.occupied for s in study.whole]),
        "covered_factor": factor([s.occupied for s in study.whole]),
        "density_factor": factor([s.density for s in study.whole]),
        "width_factor": factor([s.width for s in study.whole]),
        "peak_span": span([s.n_peaks for s in study.cut], 0),
        "law_density": f"{study.law_density:.1f}",
        "law_covered": f"{study.law_covered:.1f}",
    }


@dataclass(frozen=True)
class Transfer:
    """Answers to measured Raman spectra.

    Attributes
    ----------
    answers : DataFrame or None
        As `spectra_lib.experiments.sim_to_real.answer_table` gives them; None if the spectra are not installed.
    n_measurements, n_runs, n_planned : int
        Spectra, runs that are here, runs that there are to be.
    """

    answers: pd.DataFrame | None
    n_measurements: int
    n_runs: int
    n_planned: int

    def mean_rate(self, classifier: str, training: str, baseline: bool = True) -> float | None:
        """Share of right answers of a classifier; None if there are none.

        Parameters
        ----------
        classifier, training : str
            As in the table.
        baseline : bool
            Whether a baseline was subtracted.

        Examples
        --------
        >>> Transfer(None, 0, 0, 4).mean_rate("cnn2", "clean") is None
        True
        """
        if self.answers is None:
            return None
        a = self.answers
        own = a[(a.classifier == classifier) & (a.training == training) & (a.baseline == baseline)]
        return float(own.right.mean()) if len(own) else None

    def rate(self, classifier: str, training: str, baseline: bool = True) -> str:
        """Write what `mean_rate` gives, in whole per cent."""
        if self.answers is None:
            return "–"
        mean = self.mean_rate(classifier, training, baseline)
        return NO_RUN if mean is None else f"{100 * mean:.0f} %"


def transfer_texts(found: Transfer) -> Texts:
    """Texts of the sections on measured Raman spectra.

    Parameters
    ----------
    found : Transfer
        Answers.

    Examples
    --------
    >>> texts = transfer_texts(Transfer(None, 0, 0, 4))
    >>> texts["runs_here"], texts["best"], texts["takeaway"]
    ('0 of 4', '–', 'The runs are still missing.')
    """
    shown = {"cosine": ("cosine", "none"), "peaks": ("peaks", "none")}
    shown |= {training: ("cnn2", training) for training in ("clean", "realistic")}
    rates = {key: found.rate(*which) for key, which in shown.items()}
    rates |= {f"{key}_raw": found.rate(*which, baseline=False) for key, which in shown.items()}
    return {
        "reference": measured_files.REFERENCE_INSTRUMENT,
        "decoys": f"{sim_to_real.DECOYS}",
        "max_epochs": f"{sim_to_real.MAX_EPOCHS}",
        "n_measurements": f"{found.n_measurements}",
        "grid_range": f"{sim_to_real.GRID[0]:.0f} and {sim_to_real.GRID[-1]:.0f}",
        "runs_here": f"{found.n_runs} of {found.n_planned}",
        **rates,
        **_training_texts(found),
        **_best_and_hardest(found.answers),
    }


def _training_texts(found: Transfer) -> Texts:
    clean, realistic = (found.mean_rate("cnn2", training) for training in ("clean", "realistic"))
    if clean is None or realistic is None:
        return {
            "training_reading": "Runs of networks are still missing.",
            "takeaway": "The runs are still missing.",
        }
    clean_raw, realistic_raw = (found.mean_rate("cnn2", training, False) for training in ("clean", "realistic"))
    changes = (
        _change(clean, realistic, "Realistic instead of clean training"),
        _change(clean_raw, realistic_raw, "On spectra as measured, the same"),
    )
    return {
        "training_reading": " ".join(changes),
        "takeaway": "A network trained on nothing but synthetic spectra recognises "
        f"{found.rate('cnn2', 'clean')} of the measured ones after clean and {found.rate('cnn2', 'realistic')} after "
        f"realistic training, if a baseline is subtracted, and {found.rate('cnn2', 'clean', False)} and "
        f"{found.rate('cnn2', 'realistic', False)} if not.",
    }


def _change(first: float | None, second: float | None, what: str) -> str:
    """Say how much better the second mean is than the first, in percentage points."""
    if first is None or second is None:
        return ""
    return f"{what} changes the rate of CNN2 by {100 * (second - first):+.0f} percentage points."


def _best_and_hardest(answers: pd.DataFrame | None) -> Texts:
    keys = ("baseline_reading", "best", "best_rate", "hardest", "hardest_rate", "hardest_substance")
    if answers is None:
        return dict.fromkeys(keys, "–") | {"baseline_reading": ""}
    means = answers.groupby(["baseline", "classifier", "training"], sort=False).right.mean()
    gain = 100 * (means[True] - means[False])
    flat = answers[answers.baseline]
    mean = flat.groupby(["classifier", "training"]).right.mean()
    hardest = flat.groupby("instrument").right.mean()
    missed = flat[~flat.right & (flat.instrument == hardest.idxmin())]
    most_helped: tuple[str, str] = gain.idxmax()
    best: tuple[str, str] = mean.idxmax()  # type: ignore[assignment]
    helped = f"Subtracting it helps {(gain > 0).sum()} of {len(gain)} classifiers"
    return {
        "baseline_reading": f"{helped}, most of all *{figures.classifier_name(*most_helped)}*.",
        "best": figures.classifier_name(*best),
        "best_rate": f"{100 * mean.max():.0f} %",
        "hardest": str(hardest.idxmin()),
        "hardest_rate": f"{100 * hardest.min():.0f} %",
        "hardest_substance": missed.substance.mode()[0] if len(missed) else "–",
    }
