"""Numbers and sentences of the chapter on decision regions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spectra_lib._base.wording import counted
from spectra_lib.analysis import probe_answers
from spectra_lib.analysis.probe_answers import Sides
from spectra_lib.book.values.confusion_study import Texts, percent
from spectra_lib.datasets.dataset import Dataset, make_dataset
from spectra_lib.datasets.probes import PAIRS, DecisionMap, decision_map
from spectra_lib.experiments.profiles import Profile
from spectra_lib.figures.decision_regions import MAPPED_IN_THE_PAPER
from spectra_lib.runs.display_names import network_name
from spectra_lib.runs.record import RunRecord

FLAT = 0.005
"""Share of the variance below which an axis of a map explains nothing."""

MANY = 50
"""Classes that it takes to read anything off a share."""

MATCHING = "matching"
"""Key of peak matching among the networks of `spectra_lib.analysis.probe_answers.occlusion_by_network`."""

NO_RUN = "None of our runs on this dataset is here yet."

Occlusion = Mapping[str, pd.DataFrame]
"""Answers without a peak, by network, as `spectra_lib.analysis.probe_answers.occlusion_by_network` gives them."""


@dataclass(frozen=True)
class Probed:
    """Our runs on one dataset, with the maps that they were asked for.

    Attributes
    ----------
    data : Dataset
        The dataset.
    runs : tuple of RunRecord
        Our runs on it.
    planned : int
        Runs that there are to be.
    maps : tuple of DecisionMap
        One for each cause of confusion.
    """

    data: Dataset
    runs: tuple[RunRecord, ...]
    planned: int
    maps: tuple[DecisionMap, ...]

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.data.spec.name


def probed(profile: Profile, project: Path) -> tuple[Probed, Probed]:
    """Gather the runs of a profile on the general and on the challenging dataset.

    Parameters
    ----------
    profile : Profile
        Datasets and runs.
    project : Path
        Folder of the project, in which the store is.

    Examples
    --------
    >>> from spectra_lib.experiments.profiles import choose_profile
    >>> general, challenge = probed(choose_profile("paper"), Path("no_such_project"))
    >>> general.name, len(challenge.runs), challenge.planned, len(challenge.maps)
    ('benchmark', 0, 75, 3)
    """
    sides = []
    for name, specs in (
        (profile.general, profile.general_runs()),
        (profile.challenge, profile.challenge_runs()),
    ):
        data = make_dataset(name)
        maps = tuple(decision_map(data, pair) for pair in PAIRS[name])
        sides.append(Probed(data, tuple(profile.gather(specs, project)), len(specs), maps))
    return sides[0], sides[1]


def variance_table(sides: Sequence[Probed]) -> pd.DataFrame:
    """Say for each network how much of its last map either axis explains.

    Parameters
    ----------
    sides : sequence of Probed
        Datasets with our runs.

    Returns
    -------
    DataFrame
        Columns as in `spectra_lib.analysis.probe_answers.variance_by_axes`, and ``dataset``.
    """
    parts = [probe_answers.variance_by_axes(side.runs, side.maps[-1]).assign(dataset=side.name) for side in sides]
    return pd.concat(parts)


def variance_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Give the rows of `variance_table` as they shall read.

    Examples
    --------
    >>> variance_rows(pd.DataFrame())
            Network Height Position
    0  no run yet      –        –
    """
    if not len(table):
        return pd.DataFrame({"Network": ["no run yet"], "Height": ["–"], "Position": ["–"]})
    return pd.DataFrame(
        {
            "Dataset": table.dataset,
            "Network": [network_name(model) for model in table.model],
            "Hidden": table.hidden_activation.str.replace("relu", "ReLU"),
            "Height": table.height.map("{:.2f}".format),
            "Position": table.position.map("{:.2f}".format),
            "Same answer": (100 * table.same).map("{:.0f} %".format),
            "Runs": table.runs,
        }
    )


def flat_sentence(table: pd.DataFrame) -> str:
    """Name the networks that give one answer on nearly all of their map, rather than draw a line.

    Parameters
    ----------
    table : DataFrame
        As `variance_table` gives it.

    Examples
    --------
    >>> flat_sentence(pd.DataFrame({"height": [0.7], "position": [0.1]}))
    'All networks draw some line on this map.'
    """
    if not len(table):
        return ""
    flat = table[(table.height < FLAT) & (table.position < FLAT)]
    if not len(flat):
        return "All networks draw some line on this map."
    labels = ", ".join(
        f"{network_name(model, None if hidden == '–' else hidden)} on {dataset}"
        for model, hidden, dataset in zip(flat.model, flat.hidden_activation, flat.dataset, strict=True)
    )
    return (
        f"Two zeros do not mean a blend: {labels} {'gives' if len(flat) == 1 else 'give'} one and the same answer on "
        f"{np.floor(100 * flat.same.min()):.0f} % of the map or more, and no line runs between the two classes."
    )


def mapped_sentence(models: Collection[str]) -> str:
    """Say which of the networks whose maps the paper shows can be looked at here.

    Parameters
    ----------
    models : collection of str
        Networks with a map here.

    Examples
    --------
    >>> mapped_sentence({"cnn2", "vgg", "inc6"})
    "Of the three networks of the paper's Fig. 6 CNN2 and INC6 can be looked at ...; CNN6 is not here yet."
    """
    present, absent = (
        " and ".join(", ".join(network_name(m) for m in MAPPED_IN_THE_PAPER if (m in models) is yes).rsplit(", ", 1))
        for yes in (True, False)
    )
    missing = f"; {absent} {'are' if ' and ' in absent else 'is'} not here yet." if absent else "."
    return (
        f"Of the three networks of the paper's Fig. 6 {present or 'none'} can be looked at in our map of these "
        f"classes{missing}"
    )


def region_texts(general: Probed, challenge: Probed) -> Texts:
    """Texts of the section on decision regions.

    Parameters
    ----------
    general, challenge : Probed
        Our runs on either dataset.
    """
    table = variance_table([general, challenge])
    grid = general.maps[-1]
    mapped = {run.spec.model for run in general.runs if probe_answers.map_answers(run, grid) is not None}
    note = "Where the observer's map is white no border can be right."
    challenge_note = "Outside the observer's rectangles nothing was learnt, and networks answer something all the same."
    return {
        "dataset": general.name,
        "challenge_name": challenge.name,
        "change": f"{general.data.spec.variation.height_change:g}",
        "n_runs": counted(len(general.runs), "run"),
        "n_challenge_runs": counted(len(challenge.runs), "run"),
        "n_challenge_planned": f"{challenge.planned}",
        "mapped_said": mapped_sentence(mapped),
        "flat_said": flat_sentence(table),
        "regions_note": note if len(general.runs) else NO_RUN,
        "challenge_regions_note": challenge_note if len(challenge.runs) else NO_RUN,
        "moved_a": f"{challenge.maps[-1].pair[0]}",
        "moved_b": f"{challenge.maps[-1].pair[1]}",
    }


def nearness_sentence(distances: pd.DataFrame, has_runs: bool, name: str) -> str:
    """Say how many test spectra lie nearer to the other class, and how often these are taken for it.

    Parameters
    ----------
    distances : DataFrame
        As `spectra_lib.analysis.decisive_peaks.distances_of_alike_spectra` gives them.
    has_runs : bool
        Whether there are runs of ours.
    name : str
        Name of the dataset.

    Examples
    --------
    >>> distances = pd.DataFrame({"own": [0.5, 0.5], "other": [0.1, 0.9], "wrong": [2, 0]})
    >>> nearness_sentence(distances, True, "x").split(". ")[1]
    'Of the 1 that some run takes for the other class, 100 % do'
    """
    inside = distances.other < distances.own
    lies = counted(int(inside.sum()), "spectrum lies", "spectra lie")
    text = f"On the set {name}, {lies} nearer to the other class, of {len(distances)}. "
    if not has_runs:
        return text + "None of our runs is here yet."
    wrong = distances.wrong > 0
    near, far = (
        100 * wrong[rows].mean() if rows.any() else float("nan") for rows in (inside, ~inside & (distances.other < 1.5))
    )
    share = percent(inside[wrong].mean()) if wrong.any() else "–"
    return text + (
        f"Of the {int(wrong.sum())} that some run takes for the other class, {share} do. Of the spectra nearer to the "
        f"other class {near:.0f} % are taken for it in some run, of the others within reach of it {far:.0f} %."
    )


def p_in_words(p: float) -> str:
    """Write a p value.

    Examples
    --------
    >>> p_in_words(0.0432), p_in_words(0.0004)
    ('0.043', '< 0.001')
    """
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


@dataclass(frozen=True)
class LargestPeak:
    """What networks lose without the largest peak of a class, on one dataset.

    Attributes
    ----------
    dataset : str
        Its name.
    n_classes : int
        Classes of three peaks or more.
    matched : float
        Share of these that peak matching no longer recognises.
    lost : mapping of str to float
        The same for each network.
    overrating : tuple of str
        Networks that lose more than peak matching does, and more so than by other peaks.
    losses : mapping of str to Sides
        For each network the classes lost more often without the largest peak, and without the second.
    tested : bool
        Whether there are classes enough for such a comparison.
    """

    dataset: str
    n_classes: int
    matched: float
    lost: Mapping[str, float]
    overrating: tuple[str, ...]
    losses: Mapping[str, Sides]
    tested: bool

    @property
    def level(self) -> float:
        """Level of each test; 0.05 is shared out among the networks."""
        return 0.05 / len(self.losses)

    @property
    def heavier(self) -> tuple[str, ...]:
        """Networks to which the largest peak matters more than one nearly as high, beyond chance."""
        return tuple(m for m, sides in self.losses.items() if sides.p < self.level and sides.largest > sides.second)

    @property
    def closest(self) -> str | None:
        """Network with the smallest p."""
        return min(self.losses, key=lambda model: self.losses[model].p, default=None)


def weigh_largest_peak(dataset: str, answers: Occlusion) -> LargestPeak:
    """Compare what networks lose without the largest peak with peak matching, and with the loss of the second peak.

    Parameters
    ----------
    dataset : str
        Its name.
    answers : mapping of str to DataFrame
        Answers without a peak, by network.
    """
    fair = answers[MATCHING]
    networks = {model: table for model, table in answers.items() if model != MATCHING}
    matched = probe_answers.changed_by_height(fair)
    shares = {model: probe_answers.changed_by_height(table) for model, table in networks.items()}
    return LargestPeak(
        dataset=dataset,
        n_classes=fair.label.nunique(),
        matched=matched.iloc[-1],
        lost={model: share.iloc[-1] for model, share in shares.items()},
        overrating=tuple(m for m, share in shares.items() if probe_answers.overrates_largest(share, matched)),
        losses={model: probe_answers.compare_losses(table) for model, table in networks.items()},
        tested=probe_answers.largest_against_second(fair)[2] >= probe_answers.ENOUGH_CLASSES,
    )


def largest_peak_texts(general: LargestPeak, challenge: LargestPeak) -> Texts:
    """Texts of the section on the largest peak.

    Parameters
    ----------
    general, challenge : LargestPeak
        What was found on either dataset.

    Examples
    --------
    >>> nothing = LargestPeak("x", 3, 0.5, {}, (), {}, False)
    >>> largest_peak_texts(nothing, nothing)["occlusion_said"]
    'None of our runs on this dataset is here yet.'
    """
    known = bool(general.losses) and general.tested
    short = (
        f"Losing the largest peak costs {', '.join(map(network_name, general.heavier)) or 'no network here'} more, "
        "beyond chance, than losing one as high"
        if known
        else "No run of ours tells yet whether networks go beyond that"
    )
    return {
        "occlusion_said": _lost_without_largest(general, challenge) if general.lost else NO_RUN,
        "losses_said": _losses_compared(general) if general.losses else NO_RUN,
        "weight_said": _weight_judged(general) if known else "",
        "weight_short": short,
    }


def _lost_without_largest(general: LargestPeak, challenge: LargestPeak) -> str:
    over = general.overrating
    text = (
        f"On {general.dataset}, peak matching loses {100 * general.matched:.0f} % of the classes without their largest "
        "peak; " + ", ".join(f"{network_name(m)} {100 * share:.0f} %" for m, share in general.lost.items())
    )
    if general.n_classes < MANY:
        text += " of a few classes."
    elif over:
        verb = "overrates" if len(over) == 1 else "overrate"
        text += f". By this measure {', '.join(map(network_name, over))} {verb} the largest peak."
    else:
        text += ". By this measure no network here overrates the largest peak."
    if challenge.n_classes < MANY:
        text += (
            f" The classes of {challenge.dataset} with three peaks or more are {challenge.n_classes}, too few to tell."
        )
    return text


def _losses_compared(found: LargestPeak) -> str:
    if not found.tested:
        return "The dataset has too few classes with two such peaks."
    each = " ".join(
        f"With {network_name(m)} {sides.largest} classes suffer more from the loss of the largest peak and "
        f"{sides.second} more from that of the second (p = {p_in_words(sides.p)})".replace("= <", "<")
        + "."
        for m, sides in found.losses.items()
    )
    return (
        f"{each} With {counted(len(found.losses), 'network')} tested, p must be below {found.level:.2g} to exclude "
        "chance at the usual 5 %."
    )


def _weight_judged(found: LargestPeak) -> str:
    start = "So the claim that networks put too much weight on the largest peak "
    over, heavier = set(found.overrating), set(found.heavier)
    if over & heavier:
        return f"{start}holds by both measures for {', '.join(sorted(map(network_name, over & heavier)))}."
    if over or heavier:
        measures = ((found.overrating, "against peak matching"), (found.heavier, "against a second peak as high"))
        held = " and ".join(f"{', '.join(map(network_name, names))} {how}" for names, how in measures if names)
        text = f"{start}holds by one measure only: {held}."
    else:
        text = (
            f"{start}finds no support: in no network does its loss stand out against what it costs a fair peak "
            "matcher, nor, beyond chance, against the loss of a peak nearly as high."
        )
    return text if heavier else text + _surplus_not_ruled_out(found)


def _surplus_not_ruled_out(found: LargestPeak) -> str:
    closest = found.closest
    if closest is None or found.losses[closest].largest <= found.losses[closest].second:
        return ""
    sides = found.losses[closest]
    return (
        f" A surplus is not ruled out, though: of the classes in which the two losses do not cost "
        f"{network_name(closest)} the same, {100 * sides.largest / (sides.largest + sides.second):.0f} % suffer more "
        f"from that of the largest peak (95 % interval {100 * sides.low:.0f} to {100 * sides.high:.0f} %)."
    )


def occlusion_rows(sides: Sequence[tuple[Probed, Occlusion]]) -> pd.DataFrame:
    """Give one row for each dataset and network: what is lost without the largest peak, and without the second.

    Parameters
    ----------
    sides : sequence of (Probed, mapping)
        Datasets with our runs, and answers without a peak by network. Left out are datasets with
        fewer than `spectra_lib.analysis.probe_answers.ENOUGH_CLASSES` classes to compare.
    """
    columns = (
        "Dataset",
        "Network",
        "Largest",
        "Second",
        "Largest costs more",
        "Second costs more",
        "p",
        "Classes",
        "Runs",
    )
    rows: list[tuple[object, ...]] = []
    for side, answers in sides:
        for model, table in answers.items():
            first, second, n = probe_answers.largest_against_second(table)
            if n < probe_answers.ENOUGH_CLASSES:
                continue
            losses = probe_answers.compare_losses(table)
            count = sum(run.spec.model == model for run in side.runs)
            name = "Peak matching" if model == MATCHING else network_name(model)
            compared = losses.largest, losses.second, p_in_words(losses.p)
            rows.append((side.name, name, f"{100 * first:.0f}", f"{100 * second:.0f}", *compared, n, count or "–"))
    return pd.DataFrame(rows or [("–",) * len(columns)], columns=list(columns)).drop_duplicates()
