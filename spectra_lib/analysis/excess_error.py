"""Excess error over the Bayes classifier on fresh spectra: the figure that ranks networks.

For a spectrum x the exact posterior p(class | x) under the training distribution is known. Whoever predicts class c
errs with probability 1 - p(c | x); the Bayes classifier with 1 - max p. The difference, max p - p(c | x), is the excess
error of the prediction *given the spectrum*: nothing is left to the luck of which class happened to make it, so that
its mean has a far smaller sampling error than a difference of counted errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spectra_lib._base.errors import StoreError
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.bayes.likelihood import ROUNDING, Evidence
from spectra_lib.bayes.posterior import relative_probabilities
from spectra_lib.datasets.dataset import fresh_seed, make_dataset
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.runs.fresh import standard_error
from spectra_lib.runs.record import RunRecord

CONFIDENCE = 0.95

MANY = 30
"""So many spectra with an excess allow the normal approximation; with fewer the interval is that of a weighted Poisson
sum (Fay and Feuer 1997, doi:10.1002/(SICI)1097-0258(19970415)16:7<791::AID-SIM500>3.0.CO;2-#)."""


@dataclass(frozen=True)
class FreshPosterior:
    """Exact probabilities of the classes given the fresh spectra of a dataset, without the zeros.

    Attributes
    ----------
    found : Evidence
        Which classes can have made each spectrum.
    probabilities : ndarray of float64, shape (n_entries,)
        Their probabilities.
    labels : ndarray of int64, shape (n_spectra,)
        Classes that made the spectra.
    digest : str
        SHA-256 of the spectra.
    is_bound : bool
        Whether the spectra hide peaks that the posterior is told (`BayesClassifier.is_bound`).
    """

    found: Evidence
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    digest: str
    is_bound: bool

    @property
    def highest(self) -> NDArray[np.float64]:
        """Probability of the most probable class of each spectrum, shape (n_spectra,)."""
        out = np.zeros(len(self.found))
        np.maximum.at(out, self.found.rows, self.probabilities)
        return out

    def of(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Probability of one class for each spectrum, 0 for -1; shape (n_spectra,).

        Parameters
        ----------
        labels : ndarray of int, shape (n_spectra,)
            Class asked for, for each spectrum.

        Returns
        -------
        ndarray of float64, shape (n_spectra,)
        """
        rows = self.found.rows
        own = self.found.labels == labels[rows]
        out = np.zeros(len(self.found))
        out[rows[own]] = self.probabilities[own]
        return out


@lru_cache(maxsize=16)
def _posterior(spec_json: str) -> FreshPosterior:
    data = make_dataset(DatasetSpec.from_json(spec_json))
    observer = bayes_classifier(data)
    found = observer.evidence(data.fresh)
    shares = relative_probabilities(found)
    totals = np.bincount(found.rows, weights=shares, minlength=len(found))
    return FreshPosterior(found, shares / totals[found.rows], data.fresh.labels, data.fresh.digest, observer.is_bound)


def fresh_posterior(spec: DatasetSpec, per_class: int | None = None) -> FreshPosterior:
    """Give the exact posterior of a dataset's fresh spectra; computed once for each dataset and process.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset.
    per_class : int, optional
        Fresh spectra of each class, if not those of the specification.

    Returns
    -------
    FreshPosterior

    Raises
    ------
    SpectraError
        If the posterior of this dataset is not known (`bayes.training_distribution`).

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> posterior = fresh_posterior(dataset_spec("smoke"), per_class=10)
    >>> len(posterior.found), bool((posterior.highest > 0.5).all())
    (40, True)
    """
    return _posterior((spec if per_class is None else spec.model_copy(update={"n_fresh": per_class})).to_json())


@dataclass(frozen=True)
class ExcessError:
    """Excess error of a network over the Bayes classifier, on the same fresh spectra.

    Attributes
    ----------
    n, errors : int
        Number of spectra, and how many of them the network got wrong.
    bayes_errors : float
        Errors to be expected of the Bayes classifier.
    mean : float
        Excess error: a fraction of the spectra, 0 or more.
    standard_error : float
        Its standard error, the spectra being drawn class by class.
    low, high : float
        Its interval of 95 %.
    loss : float or None
        Cross-entropy of the network less that of the exact posterior, in nats; None if it is not finite.
    is_bound : bool
        Whether the spectra hide peaks that the Bayes classifier is told: the excess is then an upper bound.
    """

    n: int
    errors: int
    bayes_errors: float
    mean: float
    standard_error: float
    low: float
    high: float
    loss: float | None
    is_bound: bool


def excess_of(record: RunRecord) -> ExcessError:
    """Compare a run's predictions on fresh spectra with the exact posterior.

    Parameters
    ----------
    record : RunRecord
        A record with `fresh`.

    Returns
    -------
    ExcessError

    Raises
    ------
    StoreError
        If the record lacks fresh spectra, or they are not those that its specification gives now.
    SpectraError
        If the posterior of its dataset is not known.
    """
    fresh, spec = record.fresh, record.spec.dataset_spec
    if fresh is None:
        raise StoreError(f"{record.spec.run_id}: a record of schema {record.schema_version} lacks fresh spectra")
    posterior = fresh_posterior(spec, fresh.per_class)
    if fresh.seed != fresh_seed(spec) or record.data_digests.get("fresh") != posterior.digest:
        raise StoreError(
            f"{record.spec.run_id}: its fresh spectra are not those that this version of the library draws; compare it "
            "with the version that made it"
        )
    excess = posterior.highest - posterior.of(fresh.labels)
    excess[excess < ROUNDING] = 0.0  # ties
    mean, error = float(excess.mean()), standard_error(excess, fresh.per_class)
    low, high = excess_interval(excess, error)
    with np.errstate(divide="ignore"):
        entropy = -float(np.log(posterior.of(posterior.labels)).mean())
    return ExcessError(
        n=fresh.n,
        errors=fresh.errors,
        bayes_errors=float((1 - posterior.highest).sum()),
        mean=mean,
        standard_error=error,
        low=low,
        high=high,
        loss=None if fresh.loss is None or not math.isfinite(entropy) else fresh.loss - entropy,
        is_bound=posterior.is_bound,
    )


def excess_interval(excess: NDArray[np.float64], error: float) -> tuple[float, float]:
    """Interval of 95 % for a mean excess error.

    Parameters
    ----------
    excess : ndarray of float64, shape (n_spectra,)
        Excess of each prediction, each in [0, 1].
    error : float
        Standard error of the mean.

    Returns
    -------
    (float, float)
        Within [0, 1].

    Examples
    --------
    >>> low, high = excess_interval(np.zeros(1000), 0.0)  # none seen: the rule of three, two-sided
    >>> low, round(1000 * high, 2)
    (0.0, 3.69)
    """
    n, mean, tail = len(excess), float(excess.mean()), (1 - CONFIDENCE) / 2
    if np.count_nonzero(excess) >= MANY:
        half = float(stats.norm.ppf(1 - tail)) * error
        return max(0.0, mean - half), min(1.0, mean + half)
    total, squares = float(excess.sum()), float((excess**2).sum())
    low = 0.0 if total == 0 else squares / (2 * total) * float(stats.chi2.ppf(tail, 2 * total**2 / squares))
    # The upper limit allows for one more spectrum, of the largest excess there can be.
    scale, degrees = (squares + 1) / (2 * (total + 1)), 2 * (total + 1) ** 2 / (squares + 1)
    return low / n, min(1.0, scale * float(stats.chi2.ppf(1 - tail, degrees)) / n)
