"""Dense layers without a non-linearity between them, multiplied out to one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from spectra_lib._base.errors import SpectraError


def collapse_dense_stack(model: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Multiply out the fully-connected stack of a network with linear hidden layers.

    Dropout is off in a network that is used, not trained, and does not enter.

    Parameters
    ----------
    model : keras.Model
        A network of `spectra_lib.networks.build_model`.

    Returns
    -------
    weights : ndarray of float64, shape (n_features, n_classes)
        Product of all weight matrices.
    bias : ndarray of float64, shape (n_classes,)
        What the biases amount to.

    Raises
    ------
    SpectraError
        If a hidden layer has a non-linearity, so that the stack is more than one linear layer.
    SpectraError
        If there are no dense layers.

    Examples
    --------
    >>> from spectra_lib.networks import build_model
    >>> weights, bias = collapse_dense_stack(build_model("vgg", n_points=100, n_classes=5))
    >>> weights.shape
    (384, 5)
    """
    stack = [layer for layer in model.layers if layer.name.startswith("hidden_") or layer.name == "logits"]
    if not stack:
        raise SpectraError(f"network {model.name!r} has no dense layers; expected one of spectra_lib.networks")
    for layer in stack:
        if layer.activation.__name__ != "linear":
            raise SpectraError(
                f"layer {layer.name!r} of network {model.name!r} has the activation {layer.activation.__name__}; "
                "expected linear hidden layers, as built with hidden_activation='linear'"
            )
    first, *others = ([np.asarray(values, dtype=np.float64) for values in layer.get_weights()] for layer in stack)
    weights, bias = first
    for own_weights, own_bias in others:
        weights, bias = weights @ own_weights, bias @ own_weights + own_bias
    return weights, bias


def predict_collapsed(model: Any, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
    """Class probabilities from the network's features and its collapsed dense stack.

    Parameters
    ----------
    model : keras.Model
        A network with linear hidden layers.
    spectra : ndarray, shape (n_spectra, n_points)
        Spectra divided by their maximum.

    Returns
    -------
    ndarray of float64, shape (n_spectra, n_classes)

    Raises
    ------
    SpectraError
        As `collapse_dense_stack`.

    Examples
    --------
    >>> from spectra_lib.networks import build_model
    >>> model, spectra = build_model("vgg", n_points=100, n_classes=5), np.eye(3, 100, dtype="float32")
    >>> bool(np.allclose(predict_collapsed(model, spectra), model.predict(spectra[..., None], verbose=0), atol=1e-6))
    True
    """
    from spectra_lib.networks.quiet_keras import keras

    features = keras.Model(model.input, model.get_layer("flatten").output).predict(spectra[..., np.newaxis], verbose=0)
    weights, bias = collapse_dense_stack(model)
    return softmax(features.astype(np.float64) @ weights + bias, axis=1)
