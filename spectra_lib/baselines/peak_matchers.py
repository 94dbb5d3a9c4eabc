"""Peak matchers: find the peaks of a spectrum, then compare peak lists.

One knows the variation law and takes the most probable class; the other has learned the centre of each
class from the peaks of the training spectra and takes the nearest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib.baselines.registry import register_baseline
from spectra_lib.bayes.class_centres import ClassCentres
from spectra_lib.bayes.classifier import nearest_of_best
from spectra_lib.bayes.likelihood import Evidence, evidence
from spectra_lib.bayes.peak_finding import find_peak_lists
from spectra_lib.bayes.posterior import posterior
from spectra_lib.bayes.training_distribution import TrainingDistribution
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.datasets.peaks import PeakTable

CHUNK = 256
HEIGHT_ERROR = 1e-6
"""Relative error allowed for heights found in single-precision spectra, some ten times what occurs."""

TIE = 1e-5
"""Probabilities closer than this fraction are tied: some ten times what the error of heights moves them."""


@dataclass(frozen=True)
class PeakMatcher:
    """Most probable class given the peaks found; ties, and spectra no class can make, to the nearest centre.

    Attributes
    ----------
    law : TrainingDistribution
        Distribution of the training peaks.
    centres : ClassCentres
        What breaks ties.
    settings : mapping
        Relative error of heights; fraction within which probabilities are tied.
    """

    law: TrainingDistribution
    centres: ClassCentres
    settings: Mapping[str, float | int | str] = field(
        default_factory=lambda: {"height_error": HEIGHT_ERROR, "tie": TIE}
    )

    def _evidence(self, split: Split) -> tuple[Evidence, PeakTable]:
        found = find_split_peaks(split)
        return evidence(self.law, found, HEIGHT_ERROR), found

    def predict(self, split: Split) -> NDArray[np.int64]:
        """Give the class of each spectrum.

        Parameters
        ----------
        split : Split
            Spectra; labels and peak table are not used.

        Returns
        -------
        ndarray of int64, shape (n_spectra,)

        Raises
        ------
        SpectraError
            If the spectra have noise, background or tails.
        """
        return nearest_of_best(*self._evidence(split), self.centres, TIE)

    def probabilities(self, split: Split) -> NDArray[np.float64]:
        """Give the posterior probability of each class.

        Parameters
        ----------
        split : Split
            Spectra; labels and peak table are not used.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes)
            Rows sum to 1.

        Raises
        ------
        SpectraError
            If the spectra have noise, background or tails.
        """
        return posterior(self._evidence(split)[0], self.law.n_classes)


@dataclass(frozen=True)
class MidRangeMatcher:
    """Nearest class by the peaks found; the variation law gives the units of distance only.

    Attributes
    ----------
    centres : ClassCentres
        Middles of the peaks found in the training spectra.
    settings : mapping
        Empty.
    """

    centres: ClassCentres
    settings: Mapping[str, float | int | str] = field(default_factory=dict)

    def predict(self, split: Split) -> NDArray[np.int64]:
        """Give the class of each spectrum.

        Parameters
        ----------
        split : Split
            Spectra; labels and peak table are not used.

        Returns
        -------
        ndarray of int64, shape (n_spectra,)

        Raises
        ------
        SpectraError
            If the spectra have noise, background or tails.
        """
        return self.centres.nearest(find_split_peaks(split))[0]

    def probabilities(self, split: Split) -> None:
        """A distance is no probability.

        Parameters
        ----------
        split : Split
            Not used.
        """


def find_split_peaks(split: Split) -> PeakTable:
    """Find the peaks of all spectra of a split, some at a time.

    Parameters
    ----------
    split : Split
        Spectra that are zero far from their peaks.

    Returns
    -------
    PeakTable
        By ascending position, heights relative to the highest, widths in points.

    Raises
    ------
    SpectraError
        If the spectra have noise, background or tails.
    """
    if not split.is_sparse:
        raise SpectraError("peak matchers need spectra without noise, background and Lorentzian tails; use another one")
    parts = [find_peak_lists(spectra) for _, spectra in split.batches(CHUNK)]
    counts = np.concatenate([part.counts for part in parts])
    return PeakTable(
        offsets=np.concatenate(([0], np.cumsum(counts))),
        positions=np.concatenate([part.positions for part in parts]),
        heights=np.concatenate([part.heights for part in parts]),
        widths=np.concatenate([part.widths for part in parts]),
    )


@register_baseline("peak_matcher")
def fit_peak_matcher(dataset: Dataset) -> PeakMatcher:
    """SciPy's peaks, posterior under the variation law, nearest ideal centre among tied classes.

    Parameters
    ----------
    dataset : Dataset
        Gives the variation and the fingerprints; no spectrum is looked at.

    Returns
    -------
    PeakMatcher

    Raises
    ------
    SpectraError
        If the exact likelihood does not cover the dataset (see `TrainingDistribution.from_spec`).
    """
    return PeakMatcher(TrainingDistribution.from_spec(dataset.spec, dataset.fingerprints), ClassCentres.ideal(dataset))


@register_baseline("mid_range_matcher")
def fit_mid_range_matcher(dataset: Dataset) -> MidRangeMatcher:
    """SciPy's peaks, nearest mid-range of the peaks found in the training spectra.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra and the fingerprints.

    Returns
    -------
    MidRangeMatcher

    Raises
    ------
    SpectraError
        If the spectra have noise, background or tails.
    """
    return MidRangeMatcher(ClassCentres.mid_range(dataset, find_split_peaks(dataset.train)))
