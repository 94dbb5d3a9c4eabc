"""Figures and tables of the methods chapter."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from spectra_lib._base.wording import scientific
from spectra_lib.analysis.statistics import unpaired_effect
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.experiments.reproducibility import loss_differences, tampered
from spectra_lib.experiments.step_times import StepTime, StepTimes
from spectra_lib.figures.style import BLUE, GREEN, GREY, INK, ORANGE
from spectra_lib.figures.unfolding import Entry, UnfoldingList
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.protocol import Progress, Protocol
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords

if TYPE_CHECKING:
    from spectra_lib.claims.differences import Difference

RULES = {"paper": ("text", BLUE, "-"), "code": ("code", ORANGE, "--")}
"""Label, colour and line of each protocol."""

PACKAGES = {
    "spectra-lib": "this library",
    "numpy": "random numbers, arrays",
    "scipy": "filters, statistics",
    "numba": "rendering of spectra",
    "keras": "networks and their training",
    "tensorflow-cpu": "backend",
    "jax": "backend",
    "torch": "backend",
    "scikit-learn": "classical baselines",
    "papermill": "execution of chapters",
    "jupyter-book": "the book",
}
"""Packages that results or pages depend on, and what for."""

HALF = "mixed_bfloat16"


def protocol_rows(protocols: Sequence[Protocol]) -> pd.DataFrame:
    """Give one row for each rule and one column for each protocol, as they shall read.

    Parameters
    ----------
    protocols : sequence of Protocol
        Training protocols from left to right.

    Returns
    -------
    DataFrame
        Column ``Rule``, then a column for each protocol.

    Examples
    --------
    >>> from spectra_lib.runs.protocol import protocol
    >>> protocol_rows([protocol("code")])["Protocol *code*"].tolist()[0]
    'times 0.1 after 10 epochs'
    """
    kept = {"val_accuracy": "highest validation accuracy", "val_loss": "lowest validation loss"}
    rules = {
        "Learning rate": [f"times {p.plateau_factor:g} after {p.plateau_patience} epochs" for p in protocols],
        "End": [f"after {p.stop_patience} epochs" for p in protocols],
        "A better loss": [f"lower by more than {p.min_gain:g}" if p.min_gain else "any lower one" for p in protocols],
        "Best checkpoint": [kept[p.keep] for p in protocols],
    }
    table = pd.DataFrame(rules, index=[f"Protocol *{p.name}*" for p in protocols]).T
    return table.rename_axis("Rule").reset_index()


def draw_replay(
    above: Axes, below: Axes, val_losses: Sequence[float], states: Mapping[str, Sequence[Progress]]
) -> None:
    """Draw a validation curve, and below it the learning rate that each protocol would set.

    Parameters
    ----------
    above, below : Axes
        Where to draw.
    val_losses : sequence of float
        Validation loss after each epoch, in nats.
    states : mapping of str to sequence of Progress
        For each protocol the state after each epoch.
    """
    epochs = np.arange(1, len(val_losses) + 1)
    above.plot(epochs, val_losses, color=INK)
    above.set_yscale("log")
    above.set_ylabel("Validation loss (nats)")
    for name, progress in states.items():
        label, color, line = RULES[name]
        rates = [state.learning_rate for state in progress]
        below.step(epochs[: len(rates)], rates, where="post", color=color, linestyle=line, label=label)
        if progress[-1].stopped:
            below.plot(len(rates), rates[-1], "X", color=color, markersize=9)
    lowest = int(np.argmin(val_losses))
    above.plot(lowest + 1, val_losses[lowest], "o", color=GREEN, label="lowest loss")
    above.legend(loc="upper right")
    below.set_yscale("log")
    below.set_xlabel("Epoch")
    below.set_ylabel("Learning rate")
    below.legend(loc="lower left")


def draw_partings(axes: Axes, ways: Mapping[str, RunRecord]) -> None:
    """Draw how far the validation loss of each run is from that of the first, epoch by epoch.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    ways : mapping of str to RunRecord
        The runs; equal ones lie on the line at the bottom.
    """
    reference, *others = ways
    looks = ((BLUE, "o"), (GREY, "s"), (ORANGE, "D"), (GREEN, "^"))
    for number, name in enumerate(others):
        color, marker = looks[number % len(looks)]
        gaps = loss_differences(ways[reference], ways[name])
        axes.plot(np.arange(1, len(gaps) + 1), gaps, marker=marker, color=color, label=name)
    axes.set_yscale("symlog", linthresh=1e-6)
    axes.set_ylim(-2e-7, 1)
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Difference in loss (nats)")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, columnspacing=1.0)


def way_rows(ways: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Give one row for each run: hash of the weights, validation loss at the end, difference from the first run.

    Parameters
    ----------
    ways : mapping of str to RunRecord
        The runs by name, that which the others are compared with first.

    Returns
    -------
    DataFrame
        Losses and differences in nats.
    """
    reference = next(iter(ways.values()))
    rows = []
    for name, record in ways.items():
        gap = float(np.nanmax(loss_differences(reference, record)))
        loss = record.history.val_loss[-1]
        same = record.weights_sha256 == reference.weights_sha256
        rows.append((name, record.weights_sha256[:12], "yes" if same else "no", f"{loss:.6f}", scientific(gap)))
    return pd.DataFrame(rows, columns=["Run", "Weights (SHA-256)", "Same weights", "Last loss", "Largest difference"])


def rounding_rows(logits: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """Give one row for each way to compute the same outputs: how many are equal to the first, largest difference.

    Parameters
    ----------
    logits : mapping of str to ndarray of float64, shape (n_spectra, n_classes)
        Outputs in each way; all of one shape.

    Returns
    -------
    DataFrame
        A row for each way but the first.
    """
    reference, *others = logits
    first = logits[reference]
    rows = [
        (
            way,
            f"{(logits[way] == first).sum():,} of {first.size:,}",
            scientific(float(np.abs(logits[way] - first).max()), 0),
        )
        for way in others
    ]
    return pd.DataFrame(rows, columns=["Computed", "Equal to the last bit", "Largest difference"])


def tampering_rows(record: RunRecord, dataset: Dataset) -> pd.DataFrame:
    """Give one row for each change of a record: what was changed, and what the check says.

    Parameters
    ----------
    record : RunRecord
    dataset : Dataset

    Returns
    -------
    DataFrame
        The first row is the unchanged record.
    """
    rows = [("nothing", "; ".join(record.faults(dataset)) or "sound")]
    rows += [(text, "; ".join(changed.faults(dataset)) or "sound") for text, changed in tampered(record).items()]
    return pd.DataFrame(rows, columns=["Changed", "Result of the check"])


@dataclass(frozen=True)
class DifferencesList(UnfoldingList):
    """Differences, each unfolding to what is so and what it changes.

    Attributes
    ----------
    differences : tuple of Difference
        Differences with their effects.
    """

    differences: tuple[Difference, ...]

    @staticmethod
    def details(difference: Difference) -> list[tuple[str, str]]:
        """Give what unfolds, as (heading, text).

        Parameters
        ----------
        difference : Difference

        Returns
        -------
        list of (str, str)
            What is so, effect, and the argument where there is one.
        """
        found = [("Code or fact", f"{difference.found}."), ("Effect", difference.effect)]
        found += [("Bears on", f"{difference.argument}.")] if difference.argument else []
        return [(heading, text[:1].upper() + text[1:]) for heading, text in found]

    def entries(self) -> list[Entry]:
        """Give an entry for each difference.

        Returns
        -------
        list of Entry
        """
        return [Entry(f"{each.topic}:", each.text, each.state, self.details(each)) for each in self.differences]


def version_rows() -> pd.DataFrame:
    """Give one row for each package that is installed here: version, and what for.

    Returns
    -------
    DataFrame
        Python first, then the installed ones of `PACKAGES`.
    """
    rows = [("Python", sys.version.split()[0], "all of it")]
    for package, purpose in PACKAGES.items():
        try:
            rows.append((package, metadata.version(package), purpose))
        except metadata.PackageNotFoundError:
            continue
    return pd.DataFrame(rows, columns=["Package", "Version", "What for"])


STEP_WAYS = {
    ("tensorflow", "plain"): "plain Keras",
    ("tensorflow", "windows"): "earlier build",
    ("tensorflow", "graph"): "whole",
    ("tensorflow", "xla"): "whole, XLA",
    ("tensorflow", "sparse"): "sparse",
    ("tensorflow", "pair"): "sparse, two at once",
    ("jax", "xla"): "JAX, whole",
    ("jax", "sparse"): "JAX, sparse",
}
"""Execution modes of a step, and how the table calls them; columns without any figure are left out."""


def step_rows(times: StepTimes, precision: str = "float32") -> pd.DataFrame:
    """Give one row for each network: seconds a step in each way, then speed and memory of the fastest.

    Parameters
    ----------
    times : StepTimes
    precision : str
        Precision of the steps, "float32" or "mixed_bfloat16".

    Returns
    -------
    DataFrame
        Times in seconds, fastest in bold; FLOP utilisation in per cent, memory in GB.
    """
    rows = []
    for model in dict.fromkeys(row.model for row in times.rows):
        found = {way: times.find(model, *way, precision) for way in STEP_WAYS}
        timed = {way: row for way, row in found.items() if row is not None and row.seconds is not None}
        if not timed:
            continue
        fastest = min((way for way in timed if way[1] != "pair"), key=lambda way: timed[way].seconds or 0.0)
        cells = [_step_cell(found[way], way == fastest) for way in STEP_WAYS]
        best = timed[fastest]
        share = "" if best.share_of_peak is None else f"{100 * best.share_of_peak:.0f}"
        memory = "" if best.peak_memory_bytes is None else f"{best.peak_memory_bytes / 1e9:.1f}"
        rows.append((network_name(model), *cells, share, memory))
    table = pd.DataFrame(rows, columns=["Network", *STEP_WAYS.values(), "FLOP utilisation (%)", "Memory (GB)"])
    return table.loc[:, (table != "").any()]


def sum_of_steps(
    times: StepTimes, models: Sequence[str], modes: Sequence[str], backend: str = "tensorflow"
) -> tuple[int, float]:
    """Seconds of one step of each of these networks, in the fastest of these modes: how many have one, and the sum.

    Parameters
    ----------
    times : StepTimes
    models : sequence of str
    modes : sequence of str
    backend : str

    Returns
    -------
    n_models : int
    seconds : float
        Sum of their step times.

    Examples
    --------
    >>> from spectra_lib.experiments.step_times import StepTime
    >>> rows = (
    ...     StepTime(model="vgg", backend="tensorflow", execution=mode, precision="float32", seconds=seconds)
    ...     for mode, seconds in (("graph", 0.5), ("sparse", 0.25))
    ... )
    >>> about = {name: "" for name in ("device", "commit", "measured")}
    >>> times = StepTimes(dataset="smoke", versions={}, peak_operations_per_second=1, rows=tuple(rows), **about)
    >>> sum_of_steps(times, ["vgg", "cnn2"], ("graph",)), sum_of_steps(times, ["vgg", "cnn2"], ("graph", "sparse"))
    ((1, 0.5), (1, 0.25))
    """
    found = ([times.find(model, backend, mode) for mode in modes] for model in models)
    timed = [[row.seconds for row in rows if row is not None and row.seconds is not None] for rows in found]
    fastest = [min(seconds) for seconds in timed if seconds]
    return len(fastest), sum(fastest)


def steps_finding(times: StepTimes | None, models: Sequence[str]) -> str:
    """Say what the fastest modes save, over all networks and for each of the slowest.

    Parameters
    ----------
    times : StepTimes or None
    models : sequence of str

    Returns
    -------
    str
        One sentence, times in seconds.

    Examples
    --------
    >>> steps_finding(None, ["cnn2"])
    'Step times have not been measured on any machine.'
    """
    if times is None:
        return "Step times have not been measured on any machine."
    (n_models, plain), (n_others, chosen) = (
        sum_of_steps(times, models, modes) for modes in (("plain",), ("graph", "sparse"))
    )
    if not n_models or n_models != n_others:
        return "Step times have not been measured for all networks."
    _, earlier = sum_of_steps(times, models, ("windows",))
    against = f", and {chosen / earlier:.2f} of those of the earlier build" if earlier else ""
    slowest = sorted(models, key=lambda model: -(sum_of_steps(times, [model], ("plain",))[1]))[:2]
    shares = (
        f"{network_name(model)} {sum_of_steps(times, [model], ('graph', 'sparse'))[1]:.2f} s instead of "
        f"{sum_of_steps(times, [model], ('plain',))[1]:.2f} s"
        for model in slowest
    )
    return (
        f"One training step of each of {n_models} published networks takes {chosen:.1f} s in all, {chosen / plain:.2f} "
        f"of the {plain:.1f} s of plain Keras{against}; {' and '.join(shares)}."
    )


def pair_finding(times: StepTimes | None) -> str:
    """Say how many more steps two runs at once make, each on half of the cores, than one run on all of them.

    Parameters
    ----------
    times : StepTimes or None

    Returns
    -------
    str

    Examples
    --------
    >>> from spectra_lib.experiments.step_times import StepTime
    >>> rows = (
    ...     StepTime(model="vgg", backend="tensorflow", execution=mode, precision="float32", seconds=seconds)
    ...     for mode, seconds in (("sparse", 0.25), ("pair", 0.4))
    ... )
    >>> about = {name: "" for name in ("device", "commit", "measured")}
    >>> pair_finding(StepTimes(dataset="smoke", versions={}, peak_operations_per_second=1, rows=tuple(rows), **about))
    'Two runs at once, each on half of the cores, make 1.25 times as many steps as one run on all of them (VGG).'
    """
    rows = () if times is None else times.rows
    gains = {
        row.model: 2 * one.seconds / row.seconds
        for row in rows
        if row.execution == "pair"
        and row.seconds is not None
        and times is not None
        and (one := times.find(row.model, row.backend, "sparse", row.precision)) is not None
        and one.seconds is not None
    }
    if not gains:
        return "Two runs at once have not been compared with one."
    low, high = min(gains.values()), max(gains.values())
    factor = f"{low:.2f}" if len(gains) == 1 else f"{low:.2f} to {high:.2f}"
    models = ", ".join(network_name(model) for model in gains)
    return (
        f"Two runs at once, each on half of the cores, make {factor} times as many steps as one run on all of them "
        f"({models})."
    )


def sum_of_fastest(times: StepTimes, models: Sequence[str], backend: str = "tensorflow") -> tuple[int, float, float]:
    """Seconds of one step of each of these networks in its fastest way: how many, in float32, and in bfloat16.

    Networks that have no figure in both formats are left out.

    Parameters
    ----------
    times : StepTimes
    models : sequence of str
    backend : str

    Returns
    -------
    n_models : int
    single, half : float
        Sums of their step times in seconds, in float32 and in mixed bfloat16.

    Examples
    --------
    >>> from spectra_lib.experiments.step_times import StepTime
    >>> rows = (
    ...     StepTime(model="vgg", backend="tensorflow", execution="graph", precision=precision, seconds=seconds)
    ...     for precision, seconds in (("float32", 0.5), (HALF, 0.25))
    ... )
    >>> about = {name: "" for name in ("device", "commit", "measured")}
    >>> sum_of_fastest(
    ...     StepTimes(dataset="smoke", versions={}, peak_operations_per_second=1, rows=tuple(rows), **about),
    ...     ["vgg", "cnn2"],
    ... )
    (1, 0.5, 0.25)
    """
    fastest = ([times.fastest(model, backend, precision) for precision in ("float32", HALF)] for model in models)
    both = [(one.seconds or 0.0, half.seconds or 0.0) for one, half in fastest if one is not None and half is not None]
    return len(both), sum(single for single, _ in both), sum(half for _, half in both)


def precision_rows(records: RunRecords) -> pd.DataFrame:
    """Give one row for each network of the challenging set that was trained in both number formats.

    Runs count as two groups, not as pairs: on different backends the same seed gives other initial weights.

    Parameters
    ----------
    records : RunRecords
        Any records; those that follow the paper's protocol count.

    Returns
    -------
    DataFrame
        Test spectra classified rightly run by run; change in percentage points.
    """
    runs = records.select(dataset="challenge", protocol="paper", options={})
    rows = []
    for half in dict.fromkeys((r.spec.model, r.spec.hidden_activation) for r in runs.select(precision=HALF)):
        same = runs.select(model=half[0], hidden_activation=half[1])
        groups = [same.select(precision=precision) for precision in ("float32", HALF)]
        # Only seeds that both have, so that neither is better known than the other.
        seeds = set.intersection(*({run.spec.seed for run in group} for group in groups))
        if not seeds:
            continue
        right = [[run.test.n - run.test.errors for run in group if run.spec.seed in seeds] for group in groups]
        points = [[100 * count / groups[0][0].test.n for count in counts] for counts in right]
        effect = unpaired_effect(*points)
        cells = [", ".join(map(str, counts)) for counts in right]
        rows.append((network_name(*half), *cells, effect.text, effect.p_text))
    return pd.DataFrame(rows, columns=["Network", "float32", "bfloat16", "Change (points)", "p"])


def _step_cell(row: StepTime | None, fastest: bool) -> str:
    if row is None:
        return ""
    if row.seconds is None:
        return "–" if "windows" in (row.failure or "") or "peaks only" in (row.failure or "") else "none"
    text = f"{row.seconds:.2f}" if row.seconds >= 0.1 else f"{row.seconds:.3f}"
    return f"**{text}**" if fastest else text
