"""A linear model: multinomial logistic regression (scikit-learn)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from spectra_lib.baselines.features import Features, choose_width
from spectra_lib.baselines.registry import register_baseline
from spectra_lib.datasets.dataset import Dataset, Split

STEPS = 50
INVERSE_PENALTY = 100.0


@dataclass(frozen=True)
class Linear:
    """Logistic regression on some features of the spectra.

    Attributes
    ----------
    features : Features
        What the model sees of a spectrum.
    model : LogisticRegression
        Fitted.
    settings : mapping
        Inverse penalty, steps, and the broadening in points if there is one.
    """

    features: Features
    model: LogisticRegression
    settings: Mapping[str, float | int | str]

    @classmethod
    def fit(cls, dataset: Dataset, features: Features, settings: Mapping[str, float]) -> Linear:
        """Fit with a fixed number of steps, which is part of the regularisation.

        Parameters
        ----------
        dataset : Dataset
            Gives the training spectra and their labels.
        features : Features
            What the model sees of a spectrum.
        settings : mapping of str to float
            What was chosen before; penalty and steps are added.

        Returns
        -------
        Linear
        """
        model = LogisticRegression(C=INVERSE_PENALTY, max_iter=STEPS, tol=1e-7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of steps is meant to be the end
            model.fit(features(dataset.train), dataset.train.labels)
        return cls(features, model, {**settings, "inverse_penalty": INVERSE_PENALTY, "steps": int(model.n_iter_[0])})

    def predict(self, split: Split) -> NDArray[np.int64]:
        """Give the class of each spectrum.

        Parameters
        ----------
        split : Split
            Spectra; labels are not used.

        Returns
        -------
        ndarray of int64, shape (n_spectra,)
        """
        return self.model.predict(self.features(split))

    def probabilities(self, split: Split) -> NDArray[np.float64]:
        """Give class probabilities.

        Parameters
        ----------
        split : Split
            Spectra; labels are not used.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes)
            Rows sum to 1.
        """
        return self.model.predict_proba(self.features(split)).astype(float)


@register_baseline("linear")
def fit_linear(dataset: Dataset) -> Linear:
    """Logistic regression on the spectra, averaged in blocks of points.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra.

    Returns
    -------
    Linear
    """
    return Linear.fit(dataset, Features.blocks(dataset.spec.n_points), {})


@register_baseline("linear_broadened")
def fit_linear_broadened(dataset: Dataset) -> Linear:
    """Logistic regression on the broadened spectra.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra, and the validation spectra for the width.

    Returns
    -------
    Linear
    """
    width = choose_width(dataset)
    return Linear.fit(dataset, Features.broadened(dataset.spec.n_points, width), {"broadening": width})
