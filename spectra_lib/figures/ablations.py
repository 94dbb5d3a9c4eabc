"""Figures about networks taken apart: losses with and without a part, and tables of what is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes

from spectra_lib._base.wording import counted
from spectra_lib.analysis.ablations import NORMALISED
from spectra_lib.analysis.statistics import Effect
from spectra_lib.analysis.table_2 import Pair
from spectra_lib.experiments.single_changes import POOL_SCALE, SingleChange, Variant
from spectra_lib.figures.benchmark import label_log_scale
from spectra_lib.figures.effects import median_and_range
from spectra_lib.figures.rows import NONE_YET, say
from spectra_lib.figures.style import BLUE, ORANGE
from spectra_lib.runs.display_names import ACTIVATION_NAMES, OPTION_NAMES, network_name

if TYPE_CHECKING:
    from spectra_lib.networks.description import ModelDescription


def pair_label(pair: Pair) -> str:
    """Name of a pair of networks, after the one that is not the plain CNN6.

    Parameters
    ----------
    pair : Pair
        Published and modified network.

    Returns
    -------
    str
        Display names with a slash between them.

    Examples
    --------
    >>> from spectra_lib.analysis.table_2 import table_2
    >>> [pair_label(pair) for pair in table_2()][:3]
    ['CNN6 / BN', 'CNN6 / ConvDO', 'CNN BN / modified']
    """
    original = network_name(pair.published.model)
    return f"{original} / {network_name(pair.modified.model).removeprefix(f'{original} ')}"


def change_label(change: SingleChange, head: str = "") -> str:
    """Name of a change, with the network that it starts from and, as `head`, the part that is changed.

    Parameters
    ----------
    change : SingleChange
        The change.
    head : str
        Put before the change's own text.

    Returns
    -------
    str
        Display name of the network, a colon and the change.

    Examples
    --------
    >>> from spectra_lib.experiments.single_changes import Part, single_changes
    >>> change_label(single_changes(Part.POOLING, bases=["cnn6"])[0])
    'CNN6: pools scaled by 1.5'
    """
    return f"{network_name(change.base)}: {head}{change.text}"


def draw_losses(axes: Axes, curves: pd.DataFrame, normalised: str, simple: str) -> None:
    """Draw the validation losses of a network with and of one without batch normalisation.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    curves : DataFrame
        Columns ``run``, ``model``, ``epoch``, ``val_loss``, as `figures.benchmark.loss_curves` gives them.
    normalised, simple : str
        The two networks.
    """
    for model, color, line in ((simple, BLUE, "-"), (normalised, ORANGE, (0, (4, 1)))):
        own = curves[curves.model == model]
        for number, (_, curve) in enumerate(own.groupby("run")):
            text = f"{'with' if model == normalised else 'without'} ({own.run.nunique()})"
            name = text if number == 0 else None
            axes.plot(curve.epoch, curve.val_loss, color=color, linestyle=line, linewidth=1.1, alpha=0.85, label=name)
    axes.set_title(f"{network_name(normalised)}, {network_name(simple)}")
    axes.set(yscale="log", xlabel="Epoch", xlim=(0, None))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.98), ncols=2, borderaxespad=0.2, columnspacing=1.0)
    else:
        say(axes, NONE_YET)
        axes.set(xlim=(0, 100), ylim=(0.01, 10))
    label_log_scale(axes)


def accuracy_rows(networks: Sequence[Variant], published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Give median accuracy, range and number of runs of each network, as it shall read.

    Parameters
    ----------
    networks : sequence of Variant
        Networks from top to bottom, without changed options.
    published, ours : DataFrame
        Columns ``model``, ``hidden_activation`` and ``accuracy`` in per cent; either may be empty.

    Returns
    -------
    DataFrame
        A row for each network; accuracies in per cent.

    Examples
    --------
    >>> none = pd.DataFrame({"model": [], "hidden_activation": [], "accuracy": []})
    >>> accuracy_rows([Variant("cnn6_bn"), Variant("resnet", None)], none, none).iloc[:, :2].values.tolist()
    [['CNN6 BN', 'ReLU'], ['Resnet', 'no hidden layers']]
    """
    rows = []
    for network in networks:
        row: list[object] = [network_name(network.model), ACTIVATION_NAMES[network.hidden_activation or "none"]]
        for table in (published, ours):
            own = runs_of(table, network).accuracy
            row += [median_and_range(own), len(own)]
        rows.append(row)
    return pd.DataFrame(rows, columns=["Network", "Hidden layers", "Published", "Runs", "Ours", "Our runs"])


def runs_of(table: pd.DataFrame, network: Variant) -> pd.DataFrame:
    """Give the rows of a table of runs that belong to a network, by its name and its activation.

    Parameters
    ----------
    table : DataFrame
        Columns ``model`` and ``hidden_activation``, others as they are.
    network : Variant
        Its changed options are not looked at.

    Returns
    -------
    DataFrame
        All columns of the rows chosen.

    Examples
    --------
    >>> runs = pd.DataFrame({"model": ["vgg", "resnet", "resnet"], "hidden_activation": ["relu", None, None]})
    >>> len(runs_of(runs, Variant("resnet", None))), len(runs_of(runs, Variant("vgg", "linear")))
    (2, 0)
    """
    activation = table.hidden_activation.fillna("none")
    return table[(table.model == network.model) & (activation == (network.hidden_activation or "none"))]


def pair_rows(pairs: Sequence[tuple[Pair, Mapping[str, tuple[Any, Any]], Effect, Effect]]) -> pd.DataFrame:
    """Give what each modified network changes, and what comes of it, as it shall read.

    Parameters
    ----------
    pairs : sequence of (Pair, mapping, Effect, Effect)
        Each pair with its differences, and with the gain in accuracy of the simpler network: against the original
        as published, and against the original with ReLU.

    Returns
    -------
    DataFrame
        A row for each pair; gains in percentage points.

    Examples
    --------
    >>> from spectra_lib.analysis.table_2 import table_2
    >>> from spectra_lib.analysis.statistics import NO_EFFECT, paired_effect
    >>> changed = {"batch_normalization": (False, True)}
    >>> pair_rows([(table_2()[0], changed, NO_EFFECT, paired_effect([4.0]))]).iloc[0].tolist()
    ['CNN6', 'CNN6 BN', 'batch normalisation: no → yes', 'CNN6', '–', '+4, 1 pair']
    """
    rows = [
        (
            network_name(pair.published.model),
            network_name(pair.modified.model),
            "; ".join(f"{OPTION_NAMES[key]}: {_value(a)} → {_value(b)}" for key, (a, b) in changed.items()),
            network_name(pair.simpler),
            effect_text(as_published),
            effect_text(relu),
        )
        for pair, changed, as_published, relu in pairs
    ]
    gain = "Gain of the simpler, points"
    heads = ["Original", "Modified", "What differs", "Simpler", f"{gain}: original as published", "original with ReLU"]
    return pd.DataFrame(rows, columns=heads)


def effect_text(effect: Effect) -> str:
    """Write a mean change with its interval and the number of pairs, as it shall read; a dash if there is none.

    Parameters
    ----------
    effect : Effect
        Mean of paired differences.

    Returns
    -------
    str
        In the unit of the effect.

    Examples
    --------
    >>> from spectra_lib.analysis.statistics import NO_EFFECT, paired_effect
    >>> effect_text(paired_effect([4.0, 4.0])), effect_text(NO_EFFECT)
    ('+4 (+4 to +4), 2 pairs', '–')
    """
    return f"{effect.text}, {counted(effect.n, 'pair')}" if effect.n else "–"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return ACTIVATION_NAMES.get(f"{value}", f"{value}")


def change_rows(changes: Sequence[tuple[SingleChange, Effect, int, int]]) -> pd.DataFrame:
    """Give the effect of each change, as it shall read.

    Parameters
    ----------
    changes : sequence of (SingleChange, Effect, int, int)
        Each change with its effect, and the runs before and after it.

    Returns
    -------
    DataFrame
        A row for each change; accuracies in percentage points.

    Examples
    --------
    >>> from spectra_lib.analysis.statistics import NO_EFFECT
    >>> from spectra_lib.experiments.single_changes import Part, single_changes
    >>> change_rows([(single_changes(Part.LAYERS)[0], NO_EFFECT, 0, 2)]).iloc[0].tolist()[:3]
    ['layers', 'VGG: kernels 5 to 20', '0, 2']
    """
    rows = [
        (change.part.value, change_label(change), f"{before}, {after}", effect.text, effect.p_text)
        for change, effect, before, after in changes
    ]
    heads = ["Part", "Change", "Runs before, after", "Accuracy, points", "Exact p"]
    return pd.DataFrame(rows, columns=heads)


def pooling_rows(descriptions: Sequence[tuple[Variant, ModelDescription]]) -> pd.DataFrame:
    """Give what the scale of the pools makes of networks, as it shall read.

    Parameters
    ----------
    descriptions : sequence of (Variant, ModelDescription)
        Networks with their descriptions.

    Returns
    -------
    DataFrame
        A row for each network.

    Examples
    --------
    >>> from spectra_lib.networks import describe_model
    >>> pooling_rows([(Variant("cnn2"), describe_model("cnn2"))]).iloc[0].tolist()
    ['CNN2', '1', '8,896', '19.2', '70']
    """
    rows = [
        (
            network_name(variant.model),
            f"{variant.options.get(POOL_SCALE, 1):g}",
            f"{d.flat_size:,}",
            f"{d.parameters / 1e6:.1f}",
            f"{d.multiply_adds / 1e6:.0f}",
        )
        for variant, d in descriptions
    ]
    heads = ["Network", "Scale of the pools", "Features", "Parameters, million", "Multiply-adds, million"]
    return pd.DataFrame(rows, columns=heads)


def jump_rows(jumps: pd.DataFrame) -> pd.DataFrame:
    """Give how much the validation loss goes up and down with and without batch normalisation, as it shall read.

    Parameters
    ----------
    jumps : DataFrame
        As `analysis.ablations.jump_table` gives it.

    Returns
    -------
    DataFrame
        A row for each pair of networks; jumps in decades with the number of runs, median epochs.

    Examples
    --------
    >>> runs = [("cnn_bn", 0, 60, 0.02), ("cnnbn_mod", 0, 34, 0.01)]
    >>> rows = jump_rows(pd.DataFrame(runs, columns=["model", "seed", "kept_epoch", "jumps"]))
    >>> rows[rows.With == "CNN BN"].iloc[0].tolist()
    ['CNN BN', 'CNN BN modified', '0.0200 (1)', '0.0100 (1)', '60', '34']
    """
    rows = []
    for pair in NORMALISED.items():
        own = [jumps[jumps.model == model] for model in pair]
        means = [f"{each.jumps.mean():.4f} ({len(each)})" if len(each) else "–" for each in own]
        kept = [f"{each.kept_epoch.median():.0f}" if len(each) else "–" for each in own]
        rows.append((*(network_name(model) for model in pair), *means, *kept))
    heads = ["With", "Without", "Up and down with", "Up and down without", "Best epoch with", "Best epoch without"]
    return pd.DataFrame(rows, columns=heads)


def jump_reading(jumps: pd.DataFrame) -> str:
    """Say in which pairs of networks the validation loss goes up and down more with batch normalisation.

    Parameters
    ----------
    jumps : DataFrame
        As `analysis.ablations.jump_table` gives it.

    Returns
    -------
    str
        One or two sentences, means in decades.

    Examples
    --------
    >>> jump_reading(pd.DataFrame(columns=["model", "seed", "kept_epoch", "jumps"]))
    'No pair of networks has runs with and without batch normalisation yet.'
    >>> runs = [("cnn_bn", 0, 60, 0.02), ("cnnbn_mod", 0, 34, 0.01)]
    >>> jump_reading(pd.DataFrame(runs, columns=["model", "seed", "kept_epoch", "jumps"]))
    'In 1 of 3 pairs of networks there are runs with and without batch normalisation. The loss goes up and down more
    with it in CNN BN (0.0200 against 0.0100 decades; runs: 1 and 1).'
    """
    sides: dict[bool, list[str]] = {True: [], False: []}
    for normalised, simple in NORMALISED.items():
        first, second = (jumps.jumps[jumps.model == model] for model in (normalised, simple))
        if len(first) and len(second):
            more = bool(first.mean() > second.mean())
            sides[more].append(
                f"{network_name(normalised)} ({first.mean():.4f} against {second.mean():.4f} decades; "
                f"runs: {len(first)} and {len(second)})"
            )
    here = sum(map(len, sides.values()))
    if not here:
        return "No pair of networks has runs with and without batch normalisation yet."
    said = [
        f"{word} with it in {' and '.join(names)}"
        for word, names in (("more", sides[True]), ("less, or no more,", sides[False]))
        if names
    ]
    return (
        f"In {here} of {len(NORMALISED)} pairs of networks there are runs with and without batch normalisation. "
        f"The loss goes up and down {'; '.join(said)}."
    )


def clear_reading(effects: Mapping[str, Effect], n_changes: int) -> str:
    """Say how many changes have runs, how many an interval, and which of these exclude zero.

    Parameters
    ----------
    effects : mapping of str to Effect
        By its name, the effect of each change that has pairs of runs.
    n_changes : int
        Number of changes that are asked for.

    Returns
    -------
    str
        One or two sentences, effects in percentage points.

    Examples
    --------
    >>> from spectra_lib.analysis.statistics import paired_effect
    >>> one, more = paired_effect([4.0]), paired_effect([3.0, 4.0, 5.0])
    >>> clear_reading({}, 15)
    'None of the 15 changes has runs on both sides yet.'
    >>> clear_reading({"a": one}, 15)
    '1 of 15 changes has runs on both sides, but not the two pairs that an interval needs.'
    >>> clear_reading({"a": one, "b": more}, 15)
    '2 of 15 changes have runs on both sides, 1 of them an interval. It excludes zero for b (+4 (+1.5 to +6.5) points).'
    """
    if not effects:
        return f"None of the {n_changes} changes has runs on both sides yet."
    head = f"{len(effects)} of {n_changes} changes {'has' if len(effects) == 1 else 'have'} runs on both sides"
    known = {name: effect for name, effect in effects.items() if effect.n > 1}
    if not known:
        return f"{head}, but not the two pairs that an interval needs."
    clear = [f"{name} ({e.text} points)" for name, e in known.items() if e.low * e.high > 0]
    found = f"It excludes zero for {'; '.join(clear)}." if clear else "None of these excludes zero."
    return f"{head}, {len(known)} of them {'an interval' if len(known) == 1 else 'intervals'}. {found}"
