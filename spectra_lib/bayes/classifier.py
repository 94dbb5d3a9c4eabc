"""The Bayes classifier: the best that any classifier can do on the training distribution of a dataset.

The distribution that the spectra are drawn from is known, hence so is the probability of each class given a spectrum.
No classifier errs less, on average over spectra of that distribution, than the one that always predicts the most
probable class; its accuracy is the Bayes accuracy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.bayes.class_centres import ClassCentres
from spectra_lib.bayes.likelihood import ROUNDING, Evidence, evidence
from spectra_lib.bayes.posterior import most_probable, n_shared, posterior, relative_probabilities
from spectra_lib.bayes.training_distribution import TrainingDistribution, observe
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.datasets.peaks import PeakTable, draw_peaks

TieBreak = Literal["ideal", "mid_range"]
"""Which centre is nearest: the fingerprint, or the mid-range of the training peaks."""


@dataclass(frozen=True)
class Ceiling:
    """Accuracy of the Bayes classifier on some spectra.

    Attributes
    ----------
    n_spectra : int
        Number of spectra.
    expected_errors : float
        Expected number of errors, ties split evenly.
    shared : int
        Spectra that more than one class can have made.
    tied : int
        Spectra for which several classes are equally probable and more probable than all others.
    spread : float
        Standard deviation of the number of errors when ties are decided by lot.
    standard_error : float
        Standard error of the accuracy as an estimate for all spectra of the law; 0 for a fixed set of
        spectra, which is all there is.
    """

    n_spectra: int
    expected_errors: float
    shared: int
    tied: int
    spread: float
    standard_error: float = 0.0

    @property
    def accuracy(self) -> float:
        """Expected fraction classified correctly."""
        return 1.0 - self.expected_errors / self.n_spectra


@dataclass(frozen=True)
class BayesClassifier:
    """Exact probabilities of the classes given the peaks of a spectrum, under the training law.

    Classes are equally frequent beforehand. The width is drawn from the same law in every class and
    therefore tells nothing. Peaks are taken as resolved exactly, up to a common factor of their
    heights: the width being known from the shape of the peaks, the Gaussian filter can be inverted.

    Attributes
    ----------
    law : TrainingDistribution
        Law of positions and heights.
    dataset : Dataset
        Where the law comes from.
    """

    law: TrainingDistribution
    dataset: Dataset

    @property
    def is_bound(self) -> bool:
        """Whether noise or a background hides peaks, so that nobody who sees spectra need come this far.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> [bayes_classifier(make_dataset(name)).is_bound for name in ("laptop", "laptop_noisy")]
        [False, True]
        """
        return self.dataset.spec.realism.fills_spectrum

    def evidence(self, split: Split) -> Evidence:
        """List the classes that can have made each spectrum, with their likelihoods.

        Parameters
        ----------
        split : Split

        Returns
        -------
        Evidence
        """
        return evidence(self.law, observe(split.peaks))

    def posterior(self, split: Split) -> NDArray[np.float64]:
        """Give the probability of every class given each spectrum.

        Parameters
        ----------
        split : Split
            Spectra, by their peaks; labels are not used.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes)
            Rows sum to 1. A spectrum that no class can make leaves all classes equally probable.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> data = make_dataset("challenge")
        >>> bayes_classifier(data).posterior(data.test)[18, 3:6].round(3).tolist()
        [0.769, 0.115, 0.115]
        """
        return posterior(self.evidence(split), self.law.n_classes)

    def likelihood(self, observed: PeakTable, label: int) -> NDArray[np.float64]:
        """Density of peak lists under the law of one class; 0 where the class cannot make them.

        Parameters
        ----------
        observed : PeakTable
            Peak lists of n_spectra spectra, in order of position, heights relative to the highest peak.
        label : int
            The class.

        Returns
        -------
        ndarray of float64, shape (n_spectra,)
            For each point and each unit of the logarithm of a height; comparable between classes unless
            a height is not varied (see `spectra_lib.bayes.likelihood`).

        Raises
        ------
        SpectraError
            If there is no such class.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> observer = bayes_classifier(make_dataset("benchmark"))
        >>> seen = PeakTable.from_lists([[2790, 3900]] * 2, [[0.2, 1.0], [0.26, 1.0]], [2, 2])
        >>> (observer.likelihood(seen, 281) > 0).tolist()
        [False, True]
        """
        if not 0 <= label < self.law.n_classes:
            raise SpectraError(f"label: expected a class from 0 to {self.law.n_classes - 1}, received {label}")
        found = evidence(self.law, observed)
        own = found.labels == label
        out = np.zeros(len(found))
        out[found.rows[own]] = found.likelihoods[own]
        return out

    def in_support(self, split: Split) -> NDArray[np.bool_]:
        """Tell which classes can make each spectrum, shape (n_spectra, n_classes).

        Parameters
        ----------
        split : Split

        Returns
        -------
        ndarray of bool, shape (n_spectra, n_classes)

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> data = make_dataset("challenge")
        >>> int((bayes_classifier(data).in_support(data.test).sum(axis=1) > 1).sum())
        96
        """
        found = self.evidence(split)
        out = np.zeros((len(found), self.law.n_classes), dtype=bool)
        out[found.rows, found.labels] = True
        return out

    def expected_errors(self, split: Split) -> float:
        """Count the errors to be expected when the most probable class is answered, ties split evenly.

        Parameters
        ----------
        split : Split

        Returns
        -------
        float

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> data = make_dataset("challenge")
        >>> round(bayes_classifier(data).expected_errors(data.test), 9)
        36.0
        """
        return self.ceiling(split).expected_errors

    def ceiling(self, split: Split) -> Ceiling:
        """Accuracy on the given spectra, which count as all there are.

        Parameters
        ----------
        split : Split

        Returns
        -------
        Ceiling
        """
        found = self.evidence(split)
        rows, best = found.rows, most_probable(found)
        n_best = np.bincount(rows, weights=best, minlength=len(found))
        hit = np.bincount(rows, weights=best & (found.labels == split.labels[rows]), minlength=len(found))
        # Where no class is possible every class is as good.
        chance = np.where(n_best > 0, hit / np.maximum(n_best, 1), 1 / self.law.n_classes)
        return Ceiling(
            n_spectra=len(split),
            expected_errors=float((1 - chance).sum()),
            shared=n_shared(found),
            tied=int((n_best > 1).sum()),
            spread=math.sqrt(float((chance * (1 - chance)).sum())),
        )

    def ceiling_in_the_limit(self, per_class: int = 100, seed: int = 1) -> Ceiling:
        """Estimate the accuracy on spectra of the training law, as many as one likes.

        Draws fresh spectra of the same classes. The chance of an error is known for each of them,
        1 - the largest posterior; its mean has a far smaller sampling error than a count.

        Parameters
        ----------
        per_class : int
            Spectra to draw for each class, at least 2; they are independent and equally many.
        seed : int
            Seed of the draws, other than the dataset's own.

        Returns
        -------
        Ceiling
            With its standard error.

        Raises
        ------
        SpectraError
            If `seed` is the dataset's own, whose first draws are the training spectra, or `per_class`
            is below 2.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> limit = bayes_classifier(make_dataset("challenge")).ceiling_in_the_limit(per_class=20)
        >>> 0.8 < limit.accuracy < 0.95, 0 < limit.standard_error < 0.02
        (True, True)
        """
        spec = self.dataset.spec
        if seed == spec.seed:
            raise SpectraError(f"seed={seed} would draw the dataset's own training spectra; give another seed")
        if per_class < 2:
            raise SpectraError(f"per_class={per_class} allows no standard error; draw at least 2 for each class")
        # The fingerprints are handed over: another seed alone would make other classes.
        peaks, _ = draw_peaks(spec, self.dataset.fingerprints, (per_class, 1), seed)
        found = evidence(self.law, observe(peaks))
        share = relative_probabilities(found)
        total = np.bincount(found.rows, weights=share, minlength=len(found))
        n_best = np.bincount(found.rows, weights=most_probable(found), minlength=len(found))
        error = (1 - 1 / total).reshape(self.law.n_classes, per_class)  # the largest share is 1
        variance = error.var(axis=1, ddof=1).mean() / error.size  # drawn class by class
        return Ceiling(
            n_spectra=error.size,
            expected_errors=float(error.sum()),
            shared=n_shared(found),
            tied=int((n_best > 1).sum()),
            spread=math.sqrt(float((error * (1 - error)).sum())),
            standard_error=math.sqrt(variance),
        )

    def classify(self, split: Split, tie_break: TieBreak = "ideal", tie: float = ROUNDING) -> NDArray[np.int64]:
        """Answer the most probable class, and among tied classes the one whose centre is nearest.

        Parameters
        ----------
        split : Split
            Spectra, by their peaks; labels are not used.
        tie_break : {"ideal", "mid_range"}
            The centre of a class: its fingerprint, or the mid-range of its training peaks, which needs no
            knowledge of the law.
        tie : float
            Classes are tied if their probability is within this fraction of the largest: 0 to 1. By
            default only rounding is allowed for; at 1 all classes are tied that can make the spectrum.

        Returns
        -------
        ndarray of int64, shape (n_spectra,)
            A spectrum that no class can make goes to the nearest class of all.

        Raises
        ------
        SpectraError
            If `tie` is outside [0, 1].
        UnknownNameError
            If there is no such `tie_break`.

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> data = make_dataset("challenge")
        >>> int((bayes_classifier(data).classify(data.test) != data.test.labels).sum())
        0
        """
        observed = observe(split.peaks)
        found = evidence(self.law, observed)
        return nearest_of_best(found, observed, make_centres(self.dataset, tie_break), tie)

    def errors_by_tie(self, split: Split, ties: Sequence[float], tie_break: TieBreak = "ideal") -> list[int]:
        """Count the errors of `classify` for several values of `tie`, weighing the classes once.

        Parameters
        ----------
        split : Split
        ties : sequence of float
        tie_break : {"ideal", "mid_range"}

        Returns
        -------
        list of int, one for each of `ties`

        Examples
        --------
        >>> from spectra_lib.datasets.dataset import make_dataset
        >>> data = make_dataset("challenge")
        >>> bayes_classifier(data).errors_by_tie(data.test, [1e-9, 1.0])
        [0, 0]
        """
        observed = observe(split.peaks)
        found, centres = evidence(self.law, observed), make_centres(self.dataset, tie_break)
        answers = (nearest_of_best(found, observed, centres, tie) for tie in ties)
        return [int(np.count_nonzero(labels != split.labels)) for labels in answers]


def bayes_classifier(dataset: Dataset) -> BayesClassifier:
    """Make the Bayes classifier of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Any dataset; the classifier knows its fingerprints and its training distribution, not its spectra.

    Returns
    -------
    BayesClassifier

    Raises
    ------
    SpectraError
        If too many peaks of a class overlap for the exact sum (see `bayes.training_distribution.MAX_OVERLAP`).

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("smoke")
    >>> bayes_classifier(data).expected_errors(data.test)
    0.0
    """
    return BayesClassifier(TrainingDistribution.from_spec(dataset.spec, dataset.fingerprints), dataset)


ideal_observer = bayes_classifier
"""Earlier name, which users have in their code."""


def make_centres(dataset: Dataset, kind: TieBreak) -> ClassCentres:
    """Give the centres of all classes, "ideal" or "mid_range".

    Parameters
    ----------
    dataset : Dataset
    kind : {"ideal", "mid_range"}

    Returns
    -------
    ClassCentres

    Raises
    ------
    UnknownNameError
        If there is no such kind.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> make_centres(make_dataset("smoke"), "mid_range").n_classes
    4
    """
    makers = {"ideal": ClassCentres.ideal, "mid_range": ClassCentres.mid_range}
    if kind not in makers:
        raise UnknownNameError("centre", kind, makers)
    return makers[kind](dataset)


def nearest_of_best(
    found: Evidence, observed: PeakTable, centres: ClassCentres, tie: float = ROUNDING
) -> NDArray[np.int64]:
    """Answer the most probable class; see `BayesClassifier.classify`.

    Parameters
    ----------
    found : Evidence
        Possible classes of each spectrum.
    observed : PeakTable
        The peaks they were found for.
    centres : ClassCentres
        What breaks ties.
    tie : float
        Fraction of the largest probability within which classes are tied.

    Returns
    -------
    ndarray of int64, shape (n_spectra,)

    Raises
    ------
    SpectraError
        If `tie` is outside [0, 1].
    """
    if not 0 <= tie <= 1:
        raise SpectraError(f"tie={tie}: expected a fraction of the largest probability, between 0 and 1")
    rows, best = found.rows, most_probable(found, tie)
    n_best = np.bincount(rows, weights=best, minlength=len(found)).astype(np.int64)
    answers = np.zeros(len(found), dtype=np.int64)
    answers[rows[best]] = found.labels[best]
    for row in np.flatnonzero(n_best > 1):
        own = slice(found.offsets[row], found.offsets[row + 1])
        labels = found.labels[own][best[own]]
        distances = [centres.distance(*observed.peaks(int(row)), int(label)) for label in labels]
        answers[row] = labels[np.argmin(distances)]
    impossible = np.flatnonzero(n_best == 0)
    answers[impossible], _ = centres.nearest(observed.take(impossible))
    return answers
