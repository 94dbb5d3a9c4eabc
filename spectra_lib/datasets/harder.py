"""Datasets of the same generator on which networks may still be far from the ceiling, small enough for two cores.

A thousand points instead of 5000 make classes crowd, so that a hundred or two of them do. The rest was chosen such that
the Bayes classifier gets between 85 and 99 % right: below that the data would be to blame and not the network,
above it there would be little to tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from spectra_lib.datasets.specification import FRESH_PER_CLASS, DatasetSpec, TestRule, Variation

TRAINING_SIZES = (5, 10, 20, 50, 100)
"""Training spectra of each class, to see how many are needed."""


def with_training_size(spec: DatasetSpec, n_train: int) -> DatasetSpec:
    """Give the dataset with another number of training spectra of each class; its classes and test set stay.

    Parameters
    ----------
    spec : DatasetSpec
        The dataset to change.
    n_train : int
        Training spectra of each class.

    Returns
    -------
    DatasetSpec
        `spec` itself if it has that number; otherwise one named ``NAME-n_train``.

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> with_training_size(dataset_spec("benchmark"), 5).name
    'benchmark-5'
    """
    if n_train == spec.n_train:
        return spec
    return spec.model_copy(update={"n_train": n_train, "name": f"{spec.name}-{n_train}", "n_fresh": FRESH_PER_CLASS})


def _same_peaks(n_peaks: int) -> dict[str, Any]:
    return {"min_peaks": n_peaks, "max_peaks": n_peaks, "peak_count_law": "uniform"}


def _varied(factor_shift: int, factor_height: int) -> dict[str, Any]:
    # Test spectra go as far into the ranges of the law as those of the general set.
    law, test = Variation(), TestRule()
    return {
        "variation": Variation(
            position_shift=factor_shift * law.position_shift, height_change=factor_height * law.height_change
        ),
        "test": TestRule(shift=factor_shift * test.shift, height_change=factor_height * test.height_change),
    }


HARDER: Mapping[str, DatasetSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (
            DatasetSpec(name="crowded", n_points=1000, n_classes=200, n_train=20),
            DatasetSpec(name="two_peaks", n_points=1000, n_classes=100, n_train=20, **_same_peaks(2)),
            DatasetSpec(name="wide", n_points=1000, n_classes=100, n_train=20, **_same_peaks(4), **_varied(2, 4)),
        )
    }
)
"""More classes for the points there are; classes of two peaks; more peaks, with larger variation."""
