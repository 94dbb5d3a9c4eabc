"""Linear layers in a row are one: the largest difference in numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from spectra_lib.networks.catalogue import PUBLISHED, facts, published_activation

HIDDEN_LAYERS: Mapping[str, tuple[int, ...]] = {
    model: facts(model).hidden_units for model in PUBLISHED if published_activation(model) == "linear"
}
"""Widths of the hidden layers of the networks in which they are linear."""


FEATURES_USED = 32
"""Features that are not zero in the numerical check: those that are add nothing to any product."""


def collapse_gap(hidden: Sequence[int], n_classes: int, activation: str, seed: int = 0) -> float:
    """Largest difference between class probabilities through a random stack of dense layers and through their product.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    n_classes : int
        Width of the output.
    activation : {"linear", "relu"}
        Activation of the hidden layers in the stack; the product knows none.
    seed : int
        Seed of weights and features.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> collapse_gap((40, 30), 5, "linear") < 1e-12, collapse_gap((40, 30), 5, "relu") > 1e-3
    (True, True)
    """
    rng = np.random.default_rng(seed)
    widths = [FEATURES_USED, *hidden, n_classes]
    signal = features = rng.standard_normal((16, FEATURES_USED))
    product, shift = np.eye(FEATURES_USED), np.zeros((1, FEATURES_USED))
    for number, (n_in, n_out) in enumerate(pairwise(widths)):
        weights, bias = rng.standard_normal((n_in, n_out)) / np.sqrt(n_in), rng.standard_normal(n_out) / 10
        signal = _multiply(signal, weights) + bias
        if activation == "relu" and number < len(hidden):
            signal = np.maximum(signal, 0.0)
        product, shift = _multiply(product, weights), _multiply(shift, weights) + bias
    return float(np.abs(softmax(signal, axis=1) - softmax(_multiply(features, product) + shift, axis=1)).max())


def _multiply(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix product on one thread: on a busy machine the many threads of `@` wait for one another."""
    return np.einsum("ij,jk->ik", first, second)
