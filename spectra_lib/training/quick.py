"""A network trained for a few seconds and kept, to be asked about any spectrum: for a live notebook.

Runs that count are done by `spectra_lib.training.trainer`, which keeps a record and no network.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.networks import build_logits
from spectra_lib.networks.adaptation import adapt_model
from spectra_lib.runs.specification import usual_rules
from spectra_lib.training import backend
from spectra_lib.training.execution import SpectraBatches
from spectra_lib.training.trainer import epoch_order

Probabilities = Callable[[Split], NDArray[np.float64]]
"""From spectra to class probabilities, shape (n_spectra, n_classes)."""


def train_quickly(dataset: Dataset, model: str = "peaknet", epochs: int = 2, seed: int = 0) -> Probabilities:
    """Train a network for a few epochs, without validation, and give a function that asks it.

    Parameters
    ----------
    dataset : Dataset
        Gives the training spectra.
    model : str
        A name of `spectra_lib.networks.list_models`. PeakNet starts from prototypes of the classes, so that it
        answers sensibly after an epoch or two.
    epochs : int
        Passes through the training spectra.
    seed : int
        Seed of the weights and of the order of the spectra.

    Returns
    -------
    callable
        From a split to class probabilities, float64, shape (n_spectra, n_classes).

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("smoke")
    >>> ask = train_quickly(data, epochs=1)
    >>> ask(data.ideal).shape
    (4, 4)
    """
    rules = usual_rules()
    backend.seed_everything(seed)
    network = build_logits(model, dataset.spec.n_points, dataset.spec.n_classes)
    split, size = dataset.train, rules["batch_size"]
    adapt_model(network, SpectraBatches(split, np.arange(len(split)), size), split.labels)
    backend.compile_for_training(network, rules["learning_rate"], backend.EXECUTIONS[backend.backend_name()][0])
    for epoch in range(epochs):
        batches = SpectraBatches(split, epoch_order(seed, epoch, len(split)), size)
        network.fit(backend.feed(batches), shuffle=False, verbose=0)

    def ask(asked: Split) -> NDArray[np.float64]:
        batches = SpectraBatches(asked, np.arange(len(asked)), size)
        return softmax(np.asarray(network.predict(backend.feed(batches), verbose=0), dtype=np.float64), axis=1)

    return ask
