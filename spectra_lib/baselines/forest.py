"""A random forest (scikit-learn), whose trees are kept without their class tables.

A scikit-learn tree holds a number for each class at each node: gigabytes for 500 classes and some
dozens of trees. Trees grown to the end need one label for each leaf.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from spectra_lib.baselines.features import Features, choose_width
from spectra_lib.baselines.registry import register_baseline
from spectra_lib.datasets.dataset import Dataset, Split

TREES = 50


@dataclass(frozen=True)
class Tree:
    """One tree; a negative child marks a leaf. All arrays have shape (n_nodes,).

    Attributes
    ----------
    left, right : ndarray of int64
        Node to go to if the feature is at most the threshold, and otherwise.
    feature : ndarray of int64
        Feature that is compared.
    threshold : ndarray of float64
        What it is compared with.
    label : ndarray of int64
        Most frequent class at the node.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    label: NDArray[np.int64]


@dataclass(frozen=True)
class Forest:
    """The majority of trees, each grown on a resampled training set with some features at each split.

    Attributes
    ----------
    features : Features
        What the trees see of a spectrum.
    trees : tuple of Tree
        One for each seed.
    n_classes : int
        Number of classes.
    settings : mapping
        Number of trees, and the broadening in points if there is one.
    """

    features: Features
    trees: tuple[Tree, ...]
    n_classes: int
    settings: Mapping[str, float | int | str]

    @classmethod
    def fit(cls, dataset: Dataset, features: Features, settings: Mapping[str, float]) -> Forest:
        """Grow the trees one by one.

        Parameters
        ----------
        dataset : Dataset
            Gives the training spectra and their labels.
        features : Features
            What the trees see of a spectrum.
        settings : mapping of str to float
            What was chosen before; the number of trees is added.

        Returns
        -------
        Forest
            `TREES` trees, of seeds 0, 1 and so on.
        """
        rows, labels = features(dataset.train), dataset.train.labels
        trees = []
        for seed in range(TREES):
            model = RandomForestClassifier(n_estimators=1, random_state=seed).fit(rows, labels)
            tree = model.estimators_[0].tree_
            trees.append(
                Tree(
                    tree.children_left.copy(),
                    tree.children_right.copy(),
                    tree.feature.copy(),
                    tree.threshold.copy(),
                    model.classes_[tree.value[:, 0].argmax(axis=1)],
                )
            )
        return cls(features, tuple(trees), dataset.spec.n_classes, {**settings, "trees": TREES})

    def predict(self, split: Split) -> NDArray[np.int64]:
        """Give the class of each spectrum.

        Parameters
        ----------
        split : Split
            Spectra; labels are not used.

        Returns
        -------
        ndarray of int64, shape (n_spectra,)
            The first of equally frequent classes.
        """
        return self.probabilities(split).argmax(axis=1)

    def probabilities(self, split: Split) -> NDArray[np.float64]:
        """Give the share of trees that vote for each class.

        Parameters
        ----------
        split : Split
            Spectra; labels are not used.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes)
            Rows sum to 1.
        """
        rows = self.features(split)
        votes = np.zeros((len(rows), self.n_classes))
        for tree in self.trees:
            _vote(rows, tree.left, tree.right, tree.feature, tree.threshold, tree.label, votes)
        return votes / len(self.trees)


@numba.njit(cache=True, nogil=True)
def _vote(rows, left, right, feature, threshold, label, votes):  # type: ignore[no-untyped-def]
    for row in range(len(rows)):
        node = 0
        while left[node] >= 0:
            node = left[node] if rows[row, feature[node]] <= threshold[node] else right[node]
        votes[row, label[node]] += 1.0


@register_baseline("random_forest")
def fit_random_forest(dataset: Dataset) -> Forest:
    """Random forest on the spectra, averaged in blocks of points.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra.

    Returns
    -------
    Forest
    """
    return Forest.fit(dataset, Features.blocks(dataset.spec.n_points), {})


@register_baseline("random_forest_broadened")
def fit_random_forest_broadened(dataset: Dataset) -> Forest:
    """Random forest on the broadened spectra.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra, and the validation spectra for the width.

    Returns
    -------
    Forest
    """
    width = choose_width(dataset)
    return Forest.fit(dataset, Features.broadened(dataset.spec.n_points, width), {"broadening": width})
