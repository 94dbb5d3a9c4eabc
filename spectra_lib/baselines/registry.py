"""The baselines by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpecificationError, UnknownNameError
from spectra_lib._base.names import check_name
from spectra_lib.datasets.dataset import Dataset, Split


class Baseline(Protocol):
    """A fitted classifier of spectra."""

    @property
    def settings(self) -> Mapping[str, float | int | str]:
        """What was chosen or found in fitting, as plain values."""
        ...

    def predict(self, split: Split) -> NDArray[np.int64]:
        """Give the class of each spectrum, shape (n_spectra,); labels and peak table are not looked at.

        Parameters
        ----------
        split : Split
            Spectra to classify.

        Returns
        -------
        ndarray of int64, shape (n_spectra,)
        """
        ...

    def probabilities(self, split: Split) -> NDArray[np.float64] | None:
        """Give class probabilities, shape (n_spectra, n_classes), or None where the method has none.

        Parameters
        ----------
        split : Split
            Spectra to classify.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes), or None
            Rows sum to 1.
        """
        ...


Fit = Callable[[Dataset], Baseline]

_REGISTRY: dict[str, Fit] = {}


def register_baseline(name: str) -> Callable[[Fit], Fit]:
    """Register a function that fits a baseline to a dataset.

    It may look at the training and validation spectra and their labels, and at the fingerprints,
    not at the test spectra.

    Parameters
    ----------
    name : str
        Name in `list_baselines`; becomes a part of paths.

    Returns
    -------
    callable
        Decorator that gives the function back unchanged.

    Raises
    ------
    SpecificationError
        If the name is taken, or has characters that are not allowed (see `check_name`).

    Examples
    --------
    >>> @register_baseline("cosine")
    ... def fit(dataset): ...
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.SpecificationError: a baseline named 'cosine' is registered already; choose another name
    """

    def decorate(fit: Fit) -> Fit:
        if check_name(name, "baseline") in _REGISTRY:
            raise SpecificationError(f"a baseline named {name!r} is registered already; choose another name")
        _REGISTRY[name] = fit
        return fit

    return decorate


def list_baselines() -> list[str]:
    """Names of all registered baselines, sorted.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_baselines()[:3]
    ['cosine', 'cosine_broadened', 'linear']
    """
    return sorted(_REGISTRY)


def describe_baseline(name: str) -> str:
    """Give the first line of what a baseline says of itself.

    Parameters
    ----------
    name : str
        A name of `list_baselines`.

    Returns
    -------
    str
        One line; empty without a docstring.

    Raises
    ------
    UnknownNameError
        If there is no baseline of that name.

    Examples
    --------
    >>> describe_baseline("cosine")
    'Cosine similarity to the ideal spectra.'
    """
    return (inspect.getdoc(_find(name)) or "").partition("\n")[0]


def fit_baseline(name: str, dataset: Dataset) -> Baseline:
    """Fit a baseline.

    Parameters
    ----------
    name : str
        A name of `list_baselines`.
    dataset : Dataset
        Gives the spectra to learn from.

    Returns
    -------
    Baseline

    Raises
    ------
    UnknownNameError
        If there is no baseline of that name.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("smoke")
    >>> fit_baseline("peak_matcher", data).predict(data.test)[:10]
    array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    """
    return _find(name)(dataset)


def _find(name: str) -> Fit:
    if name not in _REGISTRY:
        raise UnknownNameError("baseline", name, list_baselines())
    return _REGISTRY[name]
