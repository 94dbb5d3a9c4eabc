"""Sentences of the chapter on causes of confusion."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spectra_lib._base.wording import counted
from spectra_lib.analysis import confusable, confusions
from spectra_lib.analysis.confusable import Cause, Gaps, Pair
from spectra_lib.book.values.confusion_study import (
    ConfusionStudy,
    Texts,
    best_boundary,
    between,
    height_split,
    listed,
    minor_peak,
    percent,
    shares_a_partner,
    spared_examples,
)
from spectra_lib.datasets.specification import Variation
from spectra_lib.figures.misclassifications import in_words
from spectra_lib.paper import published
from spectra_lib.runs.display_names import network_name

PAPER_FURTHER = 6
"""Pairs that the paper puts down to a minor peak, besides that of its Fig. 4."""


def likeness_texts(study: ConfusionStudy, n_shown: int) -> Texts:
    """Texts of the section on confusable classes.

    Parameters
    ----------
    study : ConfusionStudy
        What the chapter works on.
    n_shown : int
        Pairs that the figure shows.
    """
    spec, table, alike = study.data.spec, study.table, study.alike
    by_cause = {cause: sum(c is cause for c in alike.values()) for cause in Cause}
    return {
        "dataset": spec.name,
        "shift": f"{study.law.position_shift}",
        "change": f"{study.law.height_change:g}",
        "reach": f"{study.reach}",
        "change_reach": f"{2 * study.law.height_change:.2f}",
        "minor_height": percent(confusable.MINOR),
        "n_pairs": f"{spec.n_classes * (spec.n_classes - 1) // 2:,}",
        "n_alike": f"{len(alike)}",
        "alike_causes": ", ".join(
            f"{n} through {'a ' * (c is Cause.MINOR)}{c.value}" for c, n in by_cause.items()
        ),
        "n_published_pairs": f"{len(study.known)}",
        "published_alike": f"{sum(pair in alike for pair in study.known.pair)}",
        "n_runs": counted(len(study.runs), "run"),
        "n_planned": f"{len(study.profile.general_runs())}",
        "our_pairs": _our_pairs(study),
        "n_odd": _without_cause(table),
        "richest": f"{study.richest}",
        "n_shown": f"{n_shown}",
        "n_all": f"{len(table)}",
        "needed_said": overlap_sentence(table),
        **_excuse_texts(study),
        "ambiguous_total": f"{sum(study.ambiguous.values())}",
        "n_test": f"{len(study.data.test):,}",
        "expected": f"{study.observer.expected_errors(study.data.test):.1f}",
    }  # fmt: skip


def _our_pairs(study: ConfusionStudy) -> str:
    if not len(study.runs):
        return "None of our runs on this dataset is here yet."
    ours = study.table.runs > 0
    both = ours & (study.table.published_runs > 0)
    return (
        f"Our {counted(len(study.runs), 'run confuses', 'runs confuse')} {counted(int(ours.sum()), 'pair')}; "
        f"{int(both.sum())} of these are among the published ones."
    )


def _without_cause(table: pd.DataFrame) -> str:
    odd = table[table.cause.isna()]
    if odd.empty:
        return "none of the confused pairs is without one of the three causes"
    return f"{counted(len(odd), 'confused pair')} ({listed(odd.pair[:6])}) have none of the three causes"


def overlap_sentence(table: pd.DataFrame) -> str:
    """Say how many confused pairs can make the same spectrum, and how far the others are from it.

    Parameters
    ----------
    table : DataFrame
        Columns ``pair``, ``needed`` (overlap factor) and ``ambiguous`` (test spectra that fit both classes).

    Examples
    --------
    >>> table = pd.DataFrame({"pair": [(0, 1), (2, 3)], "needed": [0.5, 0.9], "ambiguous": [3, 0]})
    >>> overlap_sentence(table)[:57]
    '2 of the 2 confused pairs have an overlap factor below 1,'
    """
    equal, apart = table[table.needed < 1], table[table.needed >= 1]
    text = f"{len(equal)} of the {len(table)} confused pairs have an overlap factor below 1"
    if set(table.pair[table.ambiguous > 0]) <= set(equal.pair):
        text += ", and they have all of the test spectra that fit both"
    if not len(apart):
        return text + "."
    return text + (
        f". The other {len(apart)} have factors of {apart.needed.min():.1f} to "
        f"{apart.needed.max():.1f}: augmentation would "
        "have to be as many times as large. No spectrum fits both classes of such a pair, and "
        "networks confuse them all the same."
    )


def _excuse_texts(study: ConfusionStudy) -> Texts:
    errors, n = study.errors, counted(len(study.runs), "run")
    if not len(errors):
        return {
            "excused_said": "How many errors are the networks' fault, our runs on this dataset will tell; none is here "
            "yet.",
            "excused_short": "No run of ours tells yet how many errors are without excuse.",
        }
    excused = confusions.errors_on_ambiguous_spectra(study.observer, errors)
    models = errors.assign(excused=excused).groupby("model", sort=False).excused.agg(["sum", "size"])
    each = ", ".join(f"{network_name(str(m))} {row['sum']} of {row['size']}" for m, row in models.iterrows())
    return {
        "excused_said": f"Not all errors are the networks' fault: {int(excused.sum())} of the {len(errors)} errors of "
        f"our {n} fall on test spectra that the predicted class can have made too ({each}). The rest are: the "
        "predicted class cannot have made the spectrum.",
        "excused_short": f"{int(excused.sum())} of the {len(errors)} errors of our {n} fall on test spectra that the "
        "predicted class can have made too; for the others networks have no excuse.",
    }


def minor_texts(study: ConfusionStudy, pair: Pair) -> Texts:
    """Texts of the section on minor peaks.

    Parameters
    ----------
    study : ConfusionStudy
        What the chapter works on.
    pair : (int, int)
        The pair of the paper's Fig. 4, the class with the minor peak first.
    """
    peak = minor_peak(study.data, pair)
    theirs = between(study.published, pair)
    rows = np.flatnonzero(study.data.test.labels == pair[0])
    answers = np.array([np.array(run.test_predictions.labels)[rows] for run in study.runs]).reshape(-1, len(rows))
    networks = counted(len(theirs), "network confuses", "networks confuse")
    return {
        "minor_a": f"{pair[0]}",
        "minor_b": f"{pair[1]}",
        "minor_peak": f"{peak.height:.3f}",
        "minor_at": f"{peak.position}",
        "minor_published": (
            f"In the best published runs {networks} the two, and the worst of them does so in "
            f"{counted(theirs.errors.max(), 'test spectrum', 'test spectra')} of {2 * len(rows)}. In these runs, then, "
            "that is not so."
            if len(theirs)
            else "No published run is known to confuse the two."
        ),
        "minor_ours": (
            f"In {counted(len(study.runs), 'run')} of ours, class {pair[0]} is called {pair[1]} in "
            f"{percent((answers == pair[1]).mean())} of its test spectra."
            if len(study.runs)
            else "None of our runs can tell yet."
        ),
        **_further_texts(study, pair),
    }


def _further_texts(study: ConfusionStudy, pair: Pair) -> Texts:
    """Say which further published pairs a minor peak tells apart, and what else differs in them."""
    known, of_fig_4 = study.known, tuple(sorted(pair))
    chosen = [c is Cause.MINOR and p != of_fig_4 for c, p in zip(known.cause, known.pair, strict=True)]
    further = known[np.array(chosen, dtype=bool)]
    narrowed = len(study.published) < len(published.published_confusions())
    said = (
        f"The paper has {PAPER_FURTHER} further pairs that fail for the same reason, and does not name them. By our "
        f"rules {'exactly ' * (len(further) == PAPER_FURTHER)}{len(further)} further published pairs"
        f"{' of the networks looked at here' * narrowed} have this cause ({listed(further.pair)})."
        if len(known)
        else "Further pairs are published for the paper's benchmark only."
    )
    return {"further": said, "further_heights": _further_heights(study, further)}


def _further_heights(study: ConfusionStudy, further: pd.DataFrame) -> str:
    bridged = 2 * study.law.height_change
    lone = np.array([bool(gaps.lonely) for gaps in further.gaps], dtype=bool)
    taller = further[lone & np.array([gaps.height > bridged for gaps in further.gaps], dtype=bool)]
    crowded = [pair for pair in further.pair if shares_a_partner(study, pair)]
    parts = []
    if len(taller):
        each = ", ".join(f"{a}/{b} by {g.height:.2f}" for (a, b), g in zip(taller.pair, taller.gaps, strict=True))
        parts.append(
            f"In {len(taller)} of them, though, the unmatched peak is not all that differs. Intensities of matched "
            f"peaks do too, by more than the {bridged:.2f} that augmentation can bridge: {each}. So it "
            "is not true of these "
            "that a minor peak is the only means to tell the classes apart. Networks overlook a large difference in "
            "intensity as well."
        )
    if crowded:
        parts.append(f"In {listed(crowded)} a class has two peaks near one peak of the other class.")
    if (~lone).any():
        parts.append(
            f"In {listed(further.pair[~lone])} all peaks are matched, but some that are both minor differ in intensity."
        )
    return " ".join(parts)


def position_texts(study: ConfusionStudy, pair: Pair) -> Texts:
    """Texts of the section on overlapping positions.

    Parameters
    ----------
    study : ConfusionStudy
        What the chapter works on.
    pair : (int, int)
        The pair of the paper's Fig. 5.
    """
    test = best_boundary(study, pair, study.data.test, 0)
    return {
        "pos_a": f"{pair[0]}",
        "pos_b": f"{pair[1]}",
        "boundary": f"{test.at:.0f}",
        "beyond": f"{test.beyond}",
        "pos_n": f"{test.n}",
        "pos_ambiguous": f"{study.ambiguous.get((min(pair), max(pair)), 0)}",
        "pos_errors": study.errors_between(pair),
        "law_beyond": f"{best_boundary(study, pair, study.data.train, 0).beyond}",
        "law_n": f"{2 * study.data.spec.n_train}",
    }


def height_texts(study: ConfusionStudy, pair: Pair) -> Texts:
    """Texts of the section on overlapping heights.

    Parameters
    ----------
    study : ConfusionStudy
        What the chapter works on.
    pair : (int, int)
        The pair of the paper's Fig. 6.
    """
    split = height_split(study, pair)
    astray, fewest, n = split.astray, split.best.beyond, split.best.n
    first, second = (p for p, _ in study.decisive(pair, study.data.test))
    gaps = study.gaps(pair)
    ordered = min(pair), max(pair)
    return {
        "int_a": f"{pair[0]}",
        "int_b": f"{pair[1]}",
        "low_reaches": f"{split.low_reaches:.3f}",
        "high_falls": f"{split.high_falls:.3f}",
        "line": f"{split.line:.2f}",
        "astray": f"{astray}",
        "int_n": f"{n}",
        "fewest": f"{fewest}",
        "split": f"{split.best.at:.3f}",
        "other_gap": f"{gaps.position}",
        "own_gap": f"{abs(first.mean() - second.mean()):.0f}",
        "int_verdict": "They are not" if astray else "Here they are",
        "lines_note": (
            "Neither has all test spectra of a class on one side."
            if astray and fewest
            else f"Test spectra on the wrong side: {astray} and {fewest}."
        ),
        "take_height": (
            f"One threshold on intensity {'does not separate' if fewest else 'separates'} the test "
            f"spectra of classes {pair[0]} and "
            f"{pair[1]}: {astray} of {n} lie beyond the threshold at {split.line:.2f}, and {fewest} "
            "beyond the best one."
        ),
        "int_cause": cause_by_our_rules(confusable.cause_of_pair(study.data, ordered), gaps, study.law),
        "int_ambiguous": f"{study.ambiguous.get(ordered, 0)}",
        "int_errors": study.errors_between(pair),
    }


def cause_by_our_rules(cause: Cause | None, gaps: Gaps, law: Variation) -> str:
    """Say what our rules make of a pair that the paper files under heights.

    Examples
    --------
    >>> cause_by_our_rules(None, Gaps((), 1, 0.1, 0.1), Variation())
    'By our rules it has another cause.'
    """
    if cause is Cause.INTENSITY:
        return "By our rules, too, this is a pair with overlapping intensities."
    if cause is not Cause.POSITION:
        return "By our rules it has another cause."
    return (
        "Position does tell something here, at another peak. By our third rule the pair therefore counts among "
        f"positions: {gaps.position} of {2 * law.position_shift} points are the larger part of what can be bridged, "
        f"against {gaps.height:.3f} of {2 * law.height_change:.2f} in intensity. The paper, which looks at this one "
        "peak, files it under intensities."
    )


def spared_texts(study: ConfusionStudy) -> Texts:
    """Texts of the section on confusable pairs that are never confused."""
    confused, needed = set(study.table.pair), study.needed
    spared = [pair for pair in study.alike if pair not in confused]
    able = sorted((pair for pair in spared if needed[pair] < 1), key=lambda pair: needed[pair])
    places = ["in the best published runs"] * bool(len(study.published)) + ["in ours"] * bool(len(study.runs))
    where = " or ".join(places) if len(study.published) else "in our runs" * bool(len(study.runs))
    shown = (f"{a}/{b} ({cause.value}, {needed[a, b]:.2f})" for cause, (a, b) in spared_examples(study).items())
    return {
        "spared_said": _spared_sentence(len(study.alike), len(spared), able, where),
        "spared_shown": ", ".join(shown) or "there is none",
        "rich_said": _rich_sentence(study, bool(where)),
    }


def _spared_sentence(n_alike: int, n_spared: int, able: list[Pair], where: str) -> str:
    if not able:
        return (
            f"Of the {n_alike} confusable pairs {n_spared} are not confused {where or 'so far'}. All of these differ "
            "by more than augmentation can bridge."
        )
    if not where:
        return f"Of the {n_alike} confusable pairs {len(able)} have an overlap factor below 1."
    return (
        f"Of the {n_alike} confusable pairs {n_spared} are not confused {where}. Most of these differ by more than "
        f"augmentation can bridge. But {counted(len(able), 'has', 'have')} an overlap factor below 1 "
        f"({listed(able)}), so that both classes can make the same spectrum, and still no test spectrum of one class "
        "is taken for the other."
    )


def _rich_sentence(study: ConfusionStudy, known: bool) -> str:
    if not known:
        return "Which classes are confused here, runs will tell."
    rich = {label for label in range(len(study.data.fingerprints)) if study.n_peaks(label) > study.richest}
    if not rich:
        return "Here no class has more peaks than those that are confused."
    alike = {label for pair in study.alike for label in pair} & rich
    return (
        f"Of the {len(rich)} classes with more than {study.richest} peaks none is confused, but only {len(alike)} of "
        "them are confusable with any other class: with every further peak it gets less likely that another class "
        "matches all of them."
    )


def pair_texts(study: ConfusionStudy, pair: Pair) -> Texts:
    """Texts of the section on a pair that the reader chooses.

    Parameters
    ----------
    study : ConfusionStudy
        What the chapter works on.
    pair : (int, int)
        The classes, in the order of the figure.
    """
    cause = confusable.cause_of_pair(study.data, pair)
    gaps = study.gaps(pair)
    return {
        "own_a": f"{pair[0]}",
        "own_b": f"{pair[1]}",
        "own_cause": f"confusable: {cause.value}" if cause else "not confusable in any of the three ways",
        "own_difference": in_words(gaps),
        "own_errors": study.errors_between(pair),
        "own_ambiguous": f"{study.ambiguous.get((min(pair), max(pair)), 0)}",
        "own_n": f"{np.isin(study.data.test.labels, pair).sum()}",
    }
