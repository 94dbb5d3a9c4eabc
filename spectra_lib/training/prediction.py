"""Trained networks that predict, from the weights that were kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from spectra_lib._base.errors import SpectraError, StoreError
from spectra_lib.runs.weights import (
    ARRAYS,
    CARD,
    ModelCard,
    check_weights,
    each_weight,
    find_record,
    read_card,
    weights_path,
)

if TYPE_CHECKING:
    import keras


BATCH = 128
"""Spectra that a loaded network looks at at a time."""


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network that predicts.

    Attributes
    ----------
    card : ModelCard
        What it is and what it expects.
    model : keras.Model
        From spectra (batch, n_points, 1) to logits (batch, n_classes).
    """

    card: ModelCard
    model: keras.Model

    def predict(self, spectra: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the probability of every class.

        Parameters
        ----------
        spectra : ndarray of float, shape (n_spectra, n_points)
            On any scale: each is divided by its maximum first.

        Returns
        -------
        ndarray of float64, shape (n_spectra, n_classes)
            Rows sum to 1; rows of NaN where the network gives no number.

        Raises
        ------
        SpectraError
            If the shape does not fit, or a value is not finite.
        """
        from spectra_lib.training import backend

        spectra = np.asarray(spectra)
        if spectra.ndim != 2 or spectra.shape[1] != self.card.n_points:
            raise SpectraError(
                f"spectra: expected an array of shape (n_spectra, {self.card.n_points}), received {spectra.shape}"
            )
        if not np.isfinite(spectra).all():
            raise SpectraError("spectra: a value is not finite; remove it or fill the gap")
        highest = spectra.max(axis=1, keepdims=True, initial=0.0)
        scaled = (spectra / np.where(highest > 0, highest, 1.0)).astype(np.float32)
        parts = [scaled[start : start + BATCH, :, None] for start in range(0, len(scaled), BATCH)]
        logits = [backend.to_numpy(self.model([part], training=False)).astype(np.float64) for part in parts]
        return softmax(np.concatenate(logits), axis=1) if logits else np.zeros((0, self.card.n_classes))


def load_model(run: str | Path, store: str | Path = "results") -> TrainedNetwork:
    """Open the trained network of a run on the backend in use.

    Parameters
    ----------
    run : str or Path
        Id of a run of the store, or its beginning; or a folder with ``model.json``.
    store : str or Path
        The store of its record.

    Returns
    -------
    TrainedNetwork

    Raises
    ------
    StoreError
        If the weights are not there, are damaged, or do not fit the network.
    UnknownNameError
        If there is no such run, or no such network.

    Examples
    --------
    >>> import tempfile
    >>> import spectra_lib as sl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     record = sl.train(sl.RunSpec(dataset="smoke", model="vgg", max_epochs=1), folder, quiet=True)
    ...     network = load_model(record.spec.run_id, folder)
    >>> network.predict(sl.make_dataset("smoke").test.spectra()).shape
    (36, 4)
    """
    folder = Path(run)
    if not (folder / CARD).is_file():
        folder = weights_path(store, find_record(store, str(run)).spec.run_id)
        if not folder.is_dir():
            raise StoreError(f"the weights of {folder.name} are not in {folder.parent}; train the run, or unpack them")
    card = read_card(folder)
    check_weights(folder, card.weights_sha256)
    model = build_trained(card)
    put_weights(model, folder)
    return TrainedNetwork(card, model)


def build_trained(card: ModelCard) -> keras.Model:
    """Build a network as it was trained, from spectra to logits, with first weights.

    Parameters
    ----------
    card : ModelCard
        Description of the network that stands beside its weights.

    Returns
    -------
    keras.Model

    Raises
    ------
    StoreError
        If a network from a plugin is not defined by the file that it was trained with.
    """
    from spectra_lib.networks import build_logits
    from spectra_lib.networks.plugins import source_of

    network = build_logits(
        card.model, card.n_points, card.n_classes, card.hidden_activation, card.precision, **card.options
    )
    if source_of(card.model) != card.source:
        raise StoreError(
            f"network {card.model!r} of {card.run_id} is defined by a file of SHA-256 {str(card.source)[:12]}, not by "
            "the one that is loaded; load that file"
        )
    return network


def put_weights(model: keras.Model, folder: Path) -> None:
    """Assign the weights in a folder to a network.

    Parameters
    ----------
    model : keras.Model
        The network; changed in place.
    folder : Path
        Folder of the weights.

    Raises
    ------
    StoreError
        If their number or shapes are not those of the network.
    """
    from spectra_lib.training import backend

    values = list(each_weight(folder))
    expected = [tuple(variable.shape) for variable in model.weights]
    if [value.shape for value in values] != expected:
        raise StoreError(
            f"{folder / ARRAYS}: {len(values)} arrays, which do not fit the {len(expected)} of the network "
            f"{model.name!r}; another version of the library wrote them"
        )
    backend.set_state(model.weights, values)
