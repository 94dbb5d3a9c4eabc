"""Numbers and sentences of the chapter on methods and reproducibility."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spectra_lib._base.wording import counted, scientific
from spectra_lib.book.values.confusion_study import Texts
from spectra_lib.claims.differences import Difference, State
from spectra_lib.experiments.float32_sums import BATCH, Float32Sums
from spectra_lib.experiments.reproducibility import loss_differences
from spectra_lib.figures import float32_sums as sum_figures
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import RunSpec


def replay_texts(replayed: pd.DataFrame, spec: RunSpec, curve: str, seed: int) -> Texts:
    """Texts of the section on the two protocols.

    Parameters
    ----------
    replayed : DataFrame
        As `spectra_lib.analysis.replay.replay_published` gives it.
    spec : RunSpec
        Run with the usual batch and learning rate.
    curve : str
        Network of the published curve that is shown.
    seed : int
        Its seed.

    Examples
    --------
    >>> from spectra_lib.analysis.replay import replay_published
    >>> texts = replay_texts(replay_published(), RunSpec(dataset="smoke", model="cnn2"), "cnn2", 1)
    >>> texts["curve_name"], int(texts["n_curves"]) > int(texts["text_agrees"])
    ('CNN2, seed 1', True)
    """
    by_code, by_text = (replayed[replayed.protocol == name] for name in ("code", "paper"))
    return {
        "batch": f"{spec.batch_size}",
        "rate": scientific(spec.learning_rate, 0),
        "max_epochs": f"{RunSpec.model_fields['max_epochs'].default}",
        "curve_name": f"{network_name(curve)}, seed {seed}",
        "n_curves": f"{len(by_code)}",
        "code_agrees": f"{by_code.agrees.sum()}",
        "text_agrees": f"{by_text.agrees.sum()}",
        "code_falls": f"{by_code.falls.min()} to {by_code.falls.max()}",
        "code_rate": scientific(by_code.learning_rate.max(), 0),
    }


def repetition_texts(
    runs: Mapping[str, RunRecord], kept: bool, outputs: NDArray[np.floating], model: str, epochs: int
) -> Texts:
    """Texts of the section on what is the same twice.

    Parameters
    ----------
    runs : mapping of str to RunRecord
        The first run, the same again under ``the same again``, and others.
    kept : bool
        Whether these runs are kept with the records, rather than done now.
    outputs : ndarray
        Logits of a network.
    model : str
        The network that was trained.
    epochs : int
        How long.
    """
    first, again = next(iter(runs.values())), runs["the same again"]
    session = first.sessions[-1]
    origin = (
        f"These runs are kept with the records; they were done on {session.started[:10]} on the processor "
        f"{session.device}. With another network or number of epochs they are done anew, on the spot."
        if kept
        else "They were done now, while this page was made."
    )
    return {
        "ways_model": network_name(model),
        "ways_epochs": f"{epochs}",
        "ways_origin": origin,
        "verdict_again": "bit for bit the same" if again.weights_sha256 == first.weights_sha256 else "**not the same**",
        "logit_size": f"{np.abs(outputs).max():.1g}",
        "backend": session.backend,
        "epochs_equal": f"{(loss_differences(first, again) == 0).sum()}",
    }


def difference_texts(
    found: Sequence[Difference], records: RunRecords, own: RunRecords, planned: Collection[str]
) -> Texts:
    """Texts of the section on text, code and facts.

    Parameters
    ----------
    found : sequence of Difference
        Points on which the paper's text differs from its code or from the facts.
    records : RunRecords
        All records.
    own : RunRecords
        Those that effects on training rest on.
    planned : collection of str
        Digests of the runs of the campaign.

    Examples
    --------
    >>> difference_texts([], RunRecords(()), RunRecords(()), set())["waiting_reading"]
    'All effects are known.'
    """
    unknown = [each for each in found if each.state != State.MEASURED]
    bearing = [each for each in found if each.argument]
    waiting = (
        f"Not yet known, in part or altogether, is the effect of {counted(len(unknown), 'point')}, "
        f"{sum(each in bearing for each in unknown)} of which bear on an argument, which stays open until they are "
        "here."
        if unknown
        else "All effects are known."
    )
    campaign = sum(record.digest in planned for record in records)
    return {
        "n_differences": f"{len(found)}",
        "n_bearing": f"{len(bearing)}",
        "runs_reading": f"There are {counted(len(records), 'record')} here, {campaign} of them of the planned "
        f"campaign. Effects on training rest on {len(own)} of them: runs of the paper's networks on its two datasets, "
        "linear or with ReLU, by the rules of the text and in float32. The others are of other networks, options, "
        "datasets, protocols or number formats, and count only where it says so.",
        "waiting_reading": waiting,
    }


def half_precision_sentence(n_networks: int, single: float, half: float) -> str:
    """Say what bfloat16 saves in a step.

    Parameters
    ----------
    n_networks : int
        Networks measured in both formats; 0 if none was.
    single, half : float
        Seconds of one step of each of them in float32 and in bfloat16.

    Examples
    --------
    >>> half_precision_sentence(0, 0.0, 0.0)
    'What it saves on the machine of the table above has not been measured.'
    """
    if not n_networks:
        return "What it saves on the machine of the table above has not been measured."
    return (
        f"On the machine of the table above, one step of each of {n_networks} published networks in its fastest mode "
        f"on TensorFlow takes {half:.1f} s in all, against {single:.1f} s in float32."
    )


def sum_texts(sums: Float32Sums, n_points: int, records: RunRecords, normalised: Sequence[str]) -> Texts:
    """Texts of the section on long sums in float32.

    Parameters
    ----------
    sums : Float32Sums
        What was measured.
    n_points : int
        Points of a spectrum.
    records : RunRecords
        All records.
    normalised : sequence of str
        Networks with batch normalisation.
    """
    return {
        "sums_terms": f"{BATCH * n_points:,}",
        "sums_step": sum_figures.step_reading(sums),
        "sums_biases": sum_figures.bias_reading(sums),
        "sums_losses": sum_figures.loss_reading(sums),
        "sums_made": sum_figures.made_reading(records, normalised),
    }
