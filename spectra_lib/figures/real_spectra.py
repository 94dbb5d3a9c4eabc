"""Figures about measured spectra: whole and cropped, their peaks beside the synthetic law, how they are classified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from spectra_lib.datasets.measured import MeasuredSpectrum, PeakStatistics
from spectra_lib.figures.dataset import legend_above
from spectra_lib.figures.style import AMBER, BLUE, GREEN, GREY, INK, ORANGE, PALE
from spectra_lib.runs.display_names import network_name

TECHNIQUE_LOOKS = {"XRD": (BLUE, "o"), "Raman": (ORANGE, "s"), "NMR": (GREEN, "^")}
"""Colour and marker of each technique."""


def draw_whole(axes: Axes, spectrum: MeasuredSpectrum, crop: MeasuredSpectrum) -> None:
    """Draw a spectrum over its whole range, with the range of a crop shaded.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    spectrum : MeasuredSpectrum
        The spectrum.
    crop : MeasuredSpectrum
        The part to shade.
    """
    axes.axvspan(float(crop.axis.min()), float(crop.axis.max()), color=AMBER, alpha=0.35, linewidth=0)
    axes.plot(spectrum.axis, spectrum.intensity / spectrum.intensity.max(), color=INK, linewidth=0.7)
    axes.set(xlabel=spectrum.abscissa, yticks=[], ylim=(-0.05, 1.08))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(f"{spectrum.technique}: {spectrum.sample}")
    axes.margins(x=0)
    if spectrum.technique == "NMR":  # chemical shifts run from right to left
        axes.invert_xaxis()


def draw_crop(axes: Axes, crop: MeasuredSpectrum, prominence: float) -> None:
    """Draw a part of a spectrum against points, its peaks marked.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    crop : MeasuredSpectrum
        The part.
    prominence : float
        See `MeasuredSpectrum.peaks`.
    """
    highest = crop.intensity.max()
    positions, _ = crop.peaks(prominence)
    axes.plot(crop.intensity / highest, color=INK, linewidth=0.9)
    color, marker = TECHNIQUE_LOOKS[crop.technique]
    axes.plot(positions, crop.intensity[positions] / highest + 0.06, marker, color=color, markersize=4)
    axes.set(xlabel="Position (points)", yticks=[], ylim=(-0.05, 1.16), xlim=(0, len(crop)))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(f"{len(crop)} points, {len(positions)} {'peak' if len(positions) == 1 else 'peaks'}")


def draw_density(
    axes: Axes,
    measured: Mapping[str, Sequence[PeakStatistics]],
    law: Sequence[PeakStatistics],
    recommended: tuple[float, float],
) -> None:
    """Draw peaks per 1000 points against their width, measured spectra beside a synthetic law.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    measured : mapping of str to sequence of PeakStatistics
        By technique.
    law : sequence of PeakStatistics
        Of the classes of a synthetic dataset.
    recommended : (float, float)
        Fewest and most peaks in 1000 points that are recommended.
    """
    axes.axhspan(*recommended, color=AMBER, alpha=0.3, linewidth=0, label="recommended")
    rng = np.random.default_rng(0)  # widths jittered, as all classes have the same
    x = [s.width * rng.uniform(0.93, 1.07) for s in law]
    y = [s.density * rng.uniform(0.96, 1.04) for s in law]
    axes.plot(x, y, ".", color=GREY, markersize=3, label="synthetic classes", zorder=1)
    for technique, statistics in measured.items():
        color, marker = TECHNIQUE_LOOKS[technique]
        axes.plot(
            [s.width for s in statistics],
            [s.density for s in statistics],
            marker,
            color=color,
            markeredgecolor=INK,
            markersize=8,
            linestyle="none",
            label=technique,
        )
    axes.set(xscale="log", yscale="log", xlabel="Median peak width (points)", ylabel="Peaks per 1000 points")
    for axis, ticks in ((axes.xaxis, (2, 5, 10, 20, 50, 100)), (axes.yaxis, (0.1, 0.2, 0.5, 1, 2, 5, 10))):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    axes.set(xlim=(2, 150), ylim=(0.08, 14))
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    legend_above(axes)


def draw_instruments(axes: Axes, lines: Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]]) -> None:
    """Draw spectra of one substance from several instruments above one another.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    lines : mapping of str to (axis, intensity)
        By instrument, the lowest first; intensities are brought to the range from 0 to 1.
    """
    for level, (instrument, (shift, intensity)) in enumerate(lines.items()):
        low, high = float(intensity.min()), float(intensity.max())
        axes.plot(shift, (intensity - low) / (high - low) + 1.35 * level, color=INK, linewidth=0.8)
        axes.annotate(
            instrument,
            (1.0, 1.35 * level + 1.02),
            xycoords=("axes fraction", "data"),
            ha="right",
            color=BLUE,
            fontsize=9,
        )
    axes.set(xlabel="Raman shift (cm⁻¹)", yticks=[], ylim=(-0.1, 1.35 * len(lines)))
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.01)


CLASSIFIERS = {"cosine": "cosine similarity", "peaks": "peak matcher"}
"""How classifiers that are no networks read."""


def classifier_name(classifier: str, training: str) -> str:
    """How a classifier reads, with what it was trained on.

    Parameters
    ----------
    classifier : str
        A key of `CLASSIFIERS`, or a network.
    training : str
        What a network was trained on; "none" for a classifier without training.

    Returns
    -------
    str
        Display name.

    Examples
    --------
    >>> classifier_name("cnn2", "clean"), classifier_name("peaks", "none")
    ('CNN2, clean', 'peak matcher')
    """
    return CLASSIFIERS[classifier] if training == "none" else f"{network_name(classifier)}, {training}"


def _classifiers(answers: pd.DataFrame) -> list[tuple[str, str]]:
    """Classifiers with what they were trained on, in the order of the table."""
    return list(dict.fromkeys(zip(answers.classifier, answers.training, strict=True)))


def draw_hits(axes: Axes, answers: pd.DataFrame) -> None:
    """Draw which fraction of the measured spectra each classifier gets right, one marker for each run.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    answers : DataFrame
        As `spectra_lib.experiments.sim_to_real.answer_table` gives it.
    """
    groups = _classifiers(answers)
    for level, (classifier, training) in enumerate(groups):
        own = answers[(answers.classifier == classifier) & (answers.training == training)]
        for baseline, shift, marker in ((False, 0.14, "o"), (True, -0.14, "D")):
            hits = 100 * own[own.baseline == baseline].groupby("seed").right.mean()
            face = BLUE if baseline else "none"
            axes.scatter(hits, np.full(len(hits), level + shift), marker=marker, s=36, facecolor=face, edgecolor=BLUE)
    axes.scatter([], [], marker="o", s=36, facecolor="none", edgecolor=BLUE, label="as measured")
    axes.scatter([], [], marker="D", s=36, facecolor=BLUE, edgecolor=BLUE, label="baseline subtracted")
    axes.set(xlabel="Measured spectra classified rightly (%)", xlim=(0, 102))
    axes.set_yticks(range(len(groups)), [classifier_name(*group) for group in groups])
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(axis="x", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    legend_above(axes, columns=2)


def hits_by_instrument(answers: pd.DataFrame) -> pd.DataFrame:
    """Give right answers for each instrument and classifier, a baseline subtracted, as they shall read.

    Runs that differ in the seed alone are averaged.

    Parameters
    ----------
    answers : DataFrame
        As `spectra_lib.experiments.sim_to_real.answer_table` gives it.

    Returns
    -------
    DataFrame
        A row for each instrument with its number of spectra.
    """
    own = answers[answers.baseline]
    rows = []
    for instrument, group in own.groupby("instrument", sort=False):
        first = group[group.classifier == "cosine"]
        row = {"Instrument": instrument, "Spectra": len(first)}
        for classifier, training in _classifiers(group):
            part = group[(group.classifier == classifier) & (group.training == training)]
            mean = part.groupby("seed").right.sum().mean()
            row[classifier_name(classifier, training)] = f"{mean:g}" if float(mean).is_integer() else f"{mean:.1f}"
        rows.append(row)
    return pd.DataFrame(rows)
