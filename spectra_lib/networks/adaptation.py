"""Layers that look at the training spectra once before training, as prototypes do that start at their classes."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from spectra_lib.networks.quiet_keras import keras, layers


class AdaptiveLayer(layers.Layer):
    """A layer whose weights get their first values from the training set, not from chance."""

    @abstractmethod
    def adapt(self, features: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Set the weights.

        Parameters
        ----------
        features : ndarray, shape (n_spectra, ...)
            What the layer gets as its input for each training spectrum.
        labels : ndarray of int, shape (n_spectra,)
            Their classes.
        """


def adapt_model(model: keras.Model, spectra: keras.utils.PyDataset, labels: NDArray[np.integer]) -> None:
    """Let the adaptive layers of a model see the training set, in the order in which they stand.

    Parameters
    ----------
    model : keras.Model
        Any network; one without such layers stays as it is.
    spectra : PyDataset
        Training spectra (batch, n_points, 1) in the order of `labels`.
    labels : ndarray of int, shape (n_spectra,)
        Their classes.
    """
    for layer in model.layers:
        if isinstance(layer, AdaptiveLayer):
            features = keras.Model(model.inputs, layer.input).predict(spectra, verbose=0)
            layer.adapt(np.asarray(features, dtype=np.float64), labels)
