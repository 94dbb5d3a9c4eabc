"""What a run shows of itself while it is under way."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from spectra_lib.runs.protocol import Progress, Protocol
from spectra_lib.runs.specification import RunSpec


def progress_bar(spec: RunSpec, done: int, quiet: bool) -> AbstractContextManager[Any]:
    """Progress bar of a run on the error stream; nothing if quiet.

    Parameters
    ----------
    spec : RunSpec
        The run.
    done : int
        Epochs done before.
    quiet : bool
        Whether there shall be none.

    Returns
    -------
    AbstractContextManager
        Gives a tqdm bar, or None if quiet.
    """
    if quiet:
        return nullcontext()
    from tqdm import tqdm

    # In a log file a new line at most every minute instead of a bar drawn over itself.
    in_file = not sys.stderr.isatty()
    bar: AbstractContextManager[Any] = tqdm(
        total=spec.max_epochs,
        initial=done,
        desc=spec.run_id,
        unit="epoch",
        dynamic_ncols=not in_file,
        mininterval=60.0 if in_file else 0.5,
        maxinterval=600.0,
        file=sys.stderr,
        bar_format="{desc}: {n_fmt}/{total_fmt} epochs [{elapsed}, {rate_noinv_fmt}]{postfix}\n" if in_file else None,
    )
    return bar


def show_epoch(bar: Any, history: Mapping[str, Sequence[Any]], rules: Protocol, progress: Progress) -> None:
    """Show the last epoch of a run in its progress bar, if there is one.

    Parameters
    ----------
    bar : tqdm or None
        As `progress_bar` gives it.
    history : mapping of str to sequence of object
        One value an epoch: loss, val_loss, val_accuracy, learning_rate, seconds.
    rules : Protocol
        Rules of training, for the epochs that early stopping waits.
    progress : Progress
        State of these rules.
    """
    if bar is None:
        return
    last = {name: values[-1] for name, values in history.items()}
    left = rules.stop_patience - progress.stop_wait
    bar.set_postfix_str(
        f"loss {_text(last['loss'])}, val_loss {_text(last['val_loss'])}, val_acc {last['val_accuracy']:.4f}, "
        f"lr {last['learning_rate']:.1e}, ends in {left}+ epochs (>{left * last['seconds']:.0f} s)",
        refresh=False,
    )
    bar.update()


def _text(loss: float | None) -> str:
    return "not finite" if loss is None else f"{loss:.4f}"
