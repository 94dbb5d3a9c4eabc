"""Similarity to known spectra: to each class's ideal spectrum, or to every training spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spectra_lib.baselines.features import Features, SpectraRows, choose_width, most_similar, sparse_spectra
from spectra_lib.baselines.registry import register_baseline
from spectra_lib.datasets.dataset import Dataset, Split


@dataclass(frozen=True)
class MostSimilar:
    """Answers the class of the most similar reference (largest cosine of the angle between spectra).

    Attributes
    ----------
    describe : callable
        From a split to features, each row of unit length.
    references : ndarray or csr_array of float32, shape (n_references, n_features)
        Features of the known spectra.
    labels : ndarray of int64, shape (n_references,)
        Their classes.
    settings : mapping
        The broadening in points, if there is one.
    """

    describe: Callable[[Split], SpectraRows]
    references: SpectraRows
    labels: NDArray[np.int64]
    settings: Mapping[str, float | int | str] = field(default_factory=dict)

    @classmethod
    def fit(cls, references: Split) -> MostSimilar:
        """Compare spectra as they are.

        Parameters
        ----------
        references : Split
            Known spectra.

        Returns
        -------
        MostSimilar
        """
        return cls(sparse_spectra, sparse_spectra(references), references.labels)

    @classmethod
    def fit_broadened(cls, dataset: Dataset, references: Split) -> MostSimilar:
        """Compare broadened spectra.

        Parameters
        ----------
        dataset : Dataset
            Gives the width (see `choose_width`).
        references : Split
            Known spectra.

        Returns
        -------
        MostSimilar
        """
        width = choose_width(dataset)
        features = Features.broadened(dataset.spec.n_points, width)
        return cls(features, features(references), references.labels, {"broadening": width})

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
        return self.labels[most_similar(self.references, self.describe(split))]

    def probabilities(self, split: Split) -> None:
        """A similarity is no probability.

        Parameters
        ----------
        split : Split
            Not used.
        """


@register_baseline("cosine")
def fit_cosine(dataset: Dataset) -> MostSimilar:
    """Cosine similarity to the ideal spectra.

    Parameters
    ----------
    dataset : Dataset
        Gives the ideal spectra.

    Returns
    -------
    MostSimilar
    """
    return MostSimilar.fit(dataset.ideal)


@register_baseline("cosine_broadened")
def fit_cosine_broadened(dataset: Dataset) -> MostSimilar:
    """Cosine similarity to the ideal spectra, all broadened.

    Parameters
    ----------
    dataset : Dataset
        Gives the ideal spectra; training and validation spectra for the width.

    Returns
    -------
    MostSimilar
    """
    return MostSimilar.fit_broadened(dataset, dataset.ideal)


@register_baseline("nearest_neighbour")
def fit_nearest_neighbour(dataset: Dataset) -> MostSimilar:
    """Nearest training spectrum by the cosine distance.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra.

    Returns
    -------
    MostSimilar
    """
    return MostSimilar.fit(dataset.train)


@register_baseline("nearest_neighbour_broadened")
def fit_nearest_neighbour_broadened(dataset: Dataset) -> MostSimilar:
    """Nearest training spectrum by the cosine distance, all broadened.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra, and the validation spectra for the width.

    Returns
    -------
    MostSimilar
    """
    return MostSimilar.fit_broadened(dataset, dataset.train)
