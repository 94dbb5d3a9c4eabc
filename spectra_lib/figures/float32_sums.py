"""Tables and sentences of the methods chapter on sums that float32 gets wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from spectra_lib._base.wording import counted, figure, scientific
from spectra_lib.experiments.float32_sums import CONTROL, TRUTH, WAYS, Float32Sums, Quantity, ShortRun, Way
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.records import RunRecords

WHOLE, SPARSE, JAX, _ = WAYS

COLUMNS: Mapping[Way, str] = {
    WHOLE: "TensorFlow, whole",
    SPARSE: "TensorFlow, sparse",
    JAX: "JAX, whole",
    CONTROL: "float64, sparse",
}
"""How tables call the ways."""

BESIDE: Mapping[Way, str] = {SPARSE: "in sparse execution", JAX: "on JAX"}
"""How a sentence on TensorFlow and whole spectra calls the others."""

QUANTITIES: Mapping[Quantity, str] = {
    "kernel": "gradient, kernels",
    "bias": "gradient, biases",
    "cancelled": "gradient, cancelled biases",
    "gamma": "gradient, scale",
    "beta": "gradient, offset",
    "shift": "batch mean",
    "variance": "batch variance",
}
"""How tables call what is compared."""


def largest_error(sums: Float32Sums, model: str, way: Way, quantity: Quantity) -> float | None:
    """Largest error of any layer, from either weights; None if it was not measured.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.
    model : str
        Name of the network.
    way : Way
        Backend, sparse or not, and precision.
    quantity : Quantity
        A key of `QUANTITIES`.

    Returns
    -------
    float or None
        Relative to the true values; absolute for cancelled biases, which are zero.

    Examples
    --------
    >>> from spectra_lib.experiments.float32_sums import SumErrors
    >>> about = {name: "" for name in ("dataset", "device", "commit", "measured")}
    >>> row = {"model": "vgg", "start": "initial", "way": WHOLE, "quantity": "bias", "sizes": (1.0, 2.0)}
    >>> sums = Float32Sums(versions={}, steps=(SumErrors(errors=(0.5, 0.5), **row),), **about)
    >>> largest_error(sums, "vgg", WHOLE, "bias"), largest_error(sums, "vgg", JAX, "bias")
    (0.5, None)
    """
    found = [row.largest for row in sums.steps if (row.model, row.way, row.quantity) == (model, way, quantity)]
    return max(found, default=None)


def step_error_rows(sums: Float32Sums) -> pd.DataFrame:
    """Give one row for each network and quantity: the largest relative error in each way.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.

    Returns
    -------
    DataFrame
        Cells are text, empty where nothing was measured.
    """
    rows = []
    for model in dict.fromkeys(row.model for row in sums.steps):
        for quantity, name in QUANTITIES.items():
            found = [largest_error(sums, model, way, quantity) for way in COLUMNS]
            if any(error is not None for error in found):
                cells = ["" if error is None else scientific(error, 0) for error in found]
                rows.append((network_name(model), name, *cells))
    return pd.DataFrame(rows, columns=["Network", "Quantity", *COLUMNS.values()])


def _runs(sums: Float32Sums, model: str, way: Way) -> dict[int, ShortRun]:
    return {run.seed: run for run in sums.runs if (run.model, run.way) == (model, way)}


def loss_changes(sums: Float32Sums, model: str, way: Way) -> list[float]:
    """Last validation loss of each seed in this way minus that in float64, in nats.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.
    model : str
        Name of the network.
    way : Way
        Backend, sparse or not, and precision.

    Returns
    -------
    list of float
        One for each seed with equally many epochs in both.
    """
    true = _runs(sums, model, TRUTH)
    return [
        run.val_losses[-1] - true[seed].val_losses[-1]
        for seed, run in _runs(sums, model, way).items()
        if seed in true and len(run.val_losses) == len(true[seed].val_losses)
    ]


def seed_scatter(sums: Float32Sums, model: str) -> float:
    """Standard deviation of the last validation loss over seeds in float64; NaN for fewer than two.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.
    model : str
        Name of the network.

    Returns
    -------
    float
        In nats.
    """
    losses = [run.val_losses[-1] for run in _runs(sums, model, TRUTH).values()]
    return float(np.std(losses, ddof=1)) if len(losses) > 1 else float("nan")


def _measured(sums: Float32Sums) -> list[str]:
    return list(dict.fromkeys(run.model for run in sums.runs if run.way == TRUTH))


def loss_rows(sums: Float32Sums) -> pd.DataFrame:
    """Give one row for each network that was trained: loss in float64, scatter of seeds, largest change in each way.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.

    Returns
    -------
    DataFrame
        Losses in nats; cells of changes are empty where nothing was measured.
    """
    rows = []
    for model in _measured(sums):
        true = list(_runs(sums, model, TRUTH).values())
        mean = float(np.mean([run.val_losses[-1] for run in true]))
        changes = [loss_changes(sums, model, way) for way in (WHOLE, SPARSE, JAX)]
        cells = [figure(max(map(abs, each)), 2) if each else "" for each in changes]
        about = f"{len(true[0].val_losses)}", f"{len(true)}"
        rows.append((network_name(model), *about, f"{mean:.3f}", figure(seed_scatter(sums, model), 2), *cells))
    columns = ["Network", "Epochs", "Seeds", "Loss in float64", "SD of seeds"]
    return pd.DataFrame(rows, columns=[*columns, *(COLUMNS[way] for way in (WHOLE, SPARSE, JAX))])


def step_reading(sums: Float32Sums) -> str:
    """Say in which way gradients are how far off, and by how much.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.

    Returns
    -------
    str
        One sentence, errors in per cent.

    Examples
    --------
    >>> about = {name: "" for name in ("dataset", "device", "commit", "measured")}
    >>> step_reading(Float32Sums(versions={}, **about))
    'It has not been measured yet.'
    """
    gradients: Sequence[Quantity] = ("kernel", "bias", "gamma", "beta")
    worst = {}
    for way in COLUMNS:
        rows = [row for row in sums.steps if row.way == way and row.quantity in gradients]
        if rows:
            worst[way] = max(rows, key=lambda row: row.largest)
    if WHOLE not in worst:
        return "It has not been measured yet."
    top = worst[WHOLE]
    text = (
        f"On whole spectra TensorFlow gets a gradient wrong by up to {figure(100 * top.largest, 2)} % "
        f"({QUANTITIES[top.quantity].split(', ')[1]}, {network_name(top.model)})"
    )
    others = [f"{where} by {figure(100 * worst[way].largest, 2)} %" for way, where in BESIDE.items() if way in worst]
    return f"{text}, {' and '.join(others)} at most." if others else f"{text}."


def bias_reading(sums: Float32Sums) -> str:
    """Say how far the biases that batch normalisation takes away have drifted, which in truth stay at zero.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> about = {name: "" for name in ("dataset", "device", "commit", "measured")}
    >>> bias_reading(Float32Sums(versions={}, **about))
    'How far they drift has not been measured yet.'
    """
    drift = {
        way: [run.cancelled for run in sums.runs if run.way == way and run.cancelled > 0]
        for way in (TRUTH, WHOLE, SPARSE, JAX)
    }
    if not all(drift.values()):
        return "How far they drift has not been measured yet."
    largest = {way: scientific(max(found), 0) for way, found in drift.items()}
    return (
        f"In the runs of {{numref}}`tab-sum-losses` they end at up to {largest[WHOLE]} on whole spectra, "
        f"{largest[SPARSE]} in the sparse mode, {largest[JAX]} on JAX and {largest[TRUTH]} in float64."
    )


def loss_reading(sums: Float32Sums) -> str:
    """Compare what the way of adding changes with what the seed does.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> about = {name: "" for name in ("dataset", "device", "commit", "measured")}
    >>> loss_reading(Float32Sums(versions={}, **about))
    'What training makes of it has not been measured yet.'
    """
    ratios = {}
    for model in _measured(sums):
        changes, scatter = loss_changes(sums, model, WHOLE), seed_scatter(sums, model)
        if changes and scatter > 0:
            ratios[network_name(model)] = max(map(abs, changes)) / scatter
    if not ratios:
        return "What training makes of it has not been measured yet."
    parts = ", ".join(f"{figure(ratio, 2)} with {name}" for name, ratio in ratios.items())
    more = [name for name, ratio in ratios.items() if ratio > 1]
    judged = f"more than another seed does with {', '.join(more)}" if more else "less than another seed does"
    return (
        "The largest change of the validation loss on whole spectra, in standard deviations of that loss over seeds, "
        f"is {parts}: {judged}."
    )


def about_reading(sums: Float32Sums) -> str:
    """Say what was measured with.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.

    Returns
    -------
    str
        Versions of packages, and the device.

    Examples
    --------
    >>> about = {name: "" for name in ("dataset", "commit", "measured")}
    >>> about_reading(Float32Sums(device="Fast, 2 cores", versions={"jax": "1", "tensorflow-cpu": "2"}, **about))
    'TensorFlow 2, JAX 1; Fast, 2 cores'
    """
    names = {"tensorflow-cpu": "TensorFlow", "keras": "Keras", "jax": "JAX", "numpy": "NumPy"}
    parts = [f"{name} {sums.versions[package]}" for package, name in names.items() if package in sums.versions]
    return "; ".join(filter(None, (", ".join(parts), sums.device)))


def made_reading(records: RunRecords, models: Sequence[str]) -> str:
    """Say how many runs of networks with batch normalisation were computed in the way that is wrong most.

    Parameters
    ----------
    records : RunRecords
        Any records.
    models : sequence of str
        Names of the networks with batch normalisation.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> made_reading(RunRecords(()), ["cnn_bn"])
    'There are no records of networks with batch normalisation yet.'
    """
    runs = [record for record in records if record.spec.model in models]
    if not runs:
        return "There are no records of networks with batch normalisation yet."
    hit = [
        record
        for record in runs
        if any(
            session.backend == "tensorflow" and session.execution in ("graph", "xla") and "cores" in session.device
            for session in record.sessions
        )
    ]
    number = counted(len(hit), "was", "were")
    return (
        f"Of our {counted(len(runs), 'record')} of networks with batch normalisation, {number} made, at least in part, "
        "by TensorFlow on whole spectra on a processor."
    )
