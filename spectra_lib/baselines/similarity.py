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
    """Answers the class of the most similar reference (largest cosine of the angle between spectra)."""

    describe: Callable[[Split], SpectraRows]
    references: SpectraRows
    labels: NDArray[np.int64]
    settings: Mapping[str, float | int | str] = field(default_factory=dict)

    @classmethod
    def fit(cls, references: Split) -> MostSimilar:
        """Compare spectra as they are."""
        return cls(sparse_spectra, sparse_spectra(references), references.labels)

    @classmethod
    def fit_broadened(cls, dataset: Dataset, references: Split) -> MostSimilar:
        """Compare broadened spectra."""
        width = choose_width(dataset)
        features = Features.broadened(dataset.spec.n_points, width)
        return cls(features, features(references), references.labels, {"broadening": width})

    def predict(self, split: Split) -> NDArray[np.int64]:
        """Give the class of each spectrum."""
        return self.labels[most_similar(self.references, self.describe(split))]

    def probabilities(self, split: Split) -> None:
        """A similarity is no probability."""


@register_baseline("cosine")
def fit_cosine(dataset: Dataset) -> MostSimilar:
    """Cosine similarity to the ideal spectra."""
    return MostSimilar.fit(dataset.ideal)


@register_baseline("cosine_broadened")
def fit_cosine_broadened(dataset: Dataset) -> MostSimilar:
    """Cosine similarity to the ideal spectra, all broadened."""
    return MostSimilar.fit_broadened(dataset, dataset.ideal)


@register_baseline("nearest_neighbour")
def fit_nearest_neighbour(dataset: Dataset) -> MostSimilar:
    """Nearest training spectrum by the cosine distance."""
    return MostSimilar.fit(dataset.train)


@register_baseline("nearest_neighbour_broadened")
def fit_nearest_neighbour_broadened(dataset: Dataset) -> MostSimilar:
    """Nearest training spectrum by the cosine distance, all broadened."""
    return MostSimilar.fit_broadened(dataset, dataset.train)
