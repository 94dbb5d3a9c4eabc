"""When the learning rate falls, when training stops, and which epoch's weights are kept.

A protocol is pure bookkeeping on logged figures: it knows nothing of networks, and its whole
state is a few numbers that go into a checkpoint. Source: Schuetzke et al. 2023, Methods,
"Neural network architectures" (protocol "paper") and the published code (protocol "code").
"""

from __future__ import annotations

import math
from typing import Literal

from spectra_lib._base.errors import UnknownNameError
from spectra_lib._base.values import Value


class Protocol(Value):
    """Rules of a training run.

    Attributes
    ----------
    name : str
        Name in the run specification.
    plateau_factor : float
        Factor on the learning rate at a plateau of the validation loss.
    plateau_patience : int
        Epochs without a better validation loss that make a plateau.
    stop_patience : int
        Epochs without a better validation loss that end the training.
    min_gain : float
        A gain in validation loss up to this size does not count as better.
    keep : {"val_accuracy", "val_loss"}
        The kept weights are those of the epoch with the highest validation accuracy, or with the
        lowest validation loss; of equal epochs the first.
    """

    name: str
    plateau_factor: float
    plateau_patience: int = 10
    stop_patience: int = 25
    min_gain: float = 0.0
    keep: Literal["val_accuracy", "val_loss"]


_PROTOCOLS = {
    "paper": Protocol(name="paper", plateau_factor=0.5, keep="val_accuracy"),
    "code": Protocol(name="code", plateau_factor=0.1, min_gain=1e-4, keep="val_loss"),
}


def list_protocols() -> list[str]:
    """Names of the protocols.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_protocols()
    ['paper', 'code']
    """
    return list(_PROTOCOLS)


def protocol(name: str) -> Protocol:
    """Look up a protocol.

    Parameters
    ----------
    name : {"paper", "code"}
        A name of `list_protocols`.

    Returns
    -------
    Protocol

    Raises
    ------
    UnknownNameError
        If there is no such name.

    Examples
    --------
    >>> protocol("code").plateau_factor
    0.1
    """
    if name not in _PROTOCOLS:
        raise UnknownNameError("protocol", name, _PROTOCOLS)
    return _PROTOCOLS[name]


class Progress(Value):
    """State of a run between two epochs, as the protocol sees it.

    Attributes
    ----------
    epoch : int
        Epochs finished.
    learning_rate : float
        Rate of the next epoch.
    best_loss : float
        Lowest validation loss so far, small gains not counted.
    plateau_wait, stop_wait : int
        Epochs since the last better loss, the first counted anew after each fall of the rate.
    kept_epoch : int
        Epoch (from 0) whose weights are kept; -1 before the first.
    kept_score : float
        Its validation accuracy, or minus its validation loss.
    stopped : bool
        Whether early stopping, or a loss that is not finite, has ended the run.
    diverged : bool
        Whether it was the loss.
    """

    epoch: int = 0
    learning_rate: float
    best_loss: float = math.inf
    plateau_wait: int = 0
    stop_wait: int = 0
    kept_epoch: int = -1
    kept_score: float = -math.inf
    stopped: bool = False
    diverged: bool = False

    @property
    def ended(self) -> Literal["early_stopping", "max_epochs", "not_finite"]:
        """Why training ends here, if it does."""
        return "not_finite" if self.diverged else "early_stopping" if self.stopped else "max_epochs"

    def after_epoch(self, rules: Protocol, val_loss: float, val_accuracy: float, loss: float = 0.0) -> Progress:
        """State after an epoch with these figures.

        Parameters
        ----------
        rules : Protocol
            The protocol.
        val_loss, val_accuracy : float
            Validation loss and accuracy. An epoch whose loss is not finite is never the best one, whatever its
            accuracy, unless there is no other.
        loss : float
            Training loss. One that is not finite ends the run: its weights are lost.

        Returns
        -------
        Progress

        Examples
        --------
        >>> rules = protocol("paper")
        >>> state = Progress(learning_rate=1e-3).after_epoch(rules, val_loss=2.0, val_accuracy=0.1)
        >>> state.kept_epoch, state.best_loss
        (0, 2.0)
        """
        score = val_accuracy if rules.keep == "val_accuracy" else -val_loss
        if not math.isfinite(val_loss):
            score = -math.inf
        kept = score > self.kept_score or self.kept_epoch < 0
        better = val_loss < self.best_loss - rules.min_gain
        plateau_wait = 0 if better else self.plateau_wait + 1
        stop_wait = 0 if better else self.stop_wait + 1
        falls = plateau_wait >= rules.plateau_patience
        return Progress(
            epoch=self.epoch + 1,
            learning_rate=self.learning_rate * rules.plateau_factor if falls else self.learning_rate,
            best_loss=val_loss if better else self.best_loss,
            plateau_wait=0 if falls else plateau_wait,
            stop_wait=stop_wait,
            kept_epoch=self.epoch if kept else self.kept_epoch,
            kept_score=score if kept else self.kept_score,
            stopped=stop_wait >= rules.stop_patience or not math.isfinite(loss),
            diverged=not math.isfinite(loss),
        )
