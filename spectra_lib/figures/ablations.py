"""Figures about networks taken apart: losses with and without a part, and tables of what is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from spectra_lib.ablations import NORMALISED, Pair
from spectra_lib.figures.effects import median_and_range
from spectra_lib.figures.rows import NONE_YET, say
from spectra_lib.figures.style import BLUE, ORANGE, look
from spectra_lib.paired_comparison import Effect
from spectra_lib.single_changes import POOL_SCALE, SingleChange, Variant

if TYPE_CHECKING:
    from spectra_lib.networks.description import ModelDescription

MODIFIED_LABELS: Mapping[str, str] = {
    "cnn6_bn": "CNN6 BN",
    "cnn6_convdo": "CNN6 ConvDO",
    "cnnbn_mod": "CNN BN modified",
    "vgg_mod": "VGG modified",
    "resnet_mod": "Resnet modified",
}
"""Names of the paper's modified networks in figures."""

OPTION_NAMES: Mapping[str, str] = {
    "batch_normalization": "batch normalisation",
    "bn_momentum": "momentum of batch normalisation",
    "conv_dropout": "convolutional dropout",
    "dropout": "dense dropout",
    "hidden_activation": "activation of hidden layers",
    "hidden_units": "hidden layers",
    "kernel": "kernel size",
    "stem_relu": "ReLU after the first convolution",
    "pool_scale": "pools",
}
"""Options of networks as they shall read."""


def label(model: str) -> str:
    """Name of a published or modified network.

    Examples
    --------
    >>> label("vgg"), label("vgg_mod")
    ('VGG', 'VGG modified')
    """
    return MODIFIED_LABELS.get(model) or look(model).label


def pair_label(pair: Pair) -> str:
    """Name of a pair of networks, after the one that is not the plain CNN6.

    Examples
    --------
    >>> pair_label(Pair(Variant("cnn6"), Variant("cnn6_bn"), Variant("cnn6")))
    'CNN6 / BN'
    """
    second = label(pair.modified.model).removeprefix(f"{label(pair.original.model)} ")
    return f"{label(pair.original.model)} / {second}"


def change_label(change: SingleChange, head: str = "") -> str:
    """Name of a change, with the network that it starts from and, as `head`, the part that is changed.

    Examples
    --------
    >>> from spectra_lib.single_changes import Part, single_changes
    >>> change_label(single_changes(Part.POOLING, bases=["cnn6"])[0])
    'CNN6: pools scaled by 1.5'
    """
    return f"{look(change.base).label}: {head}{change.text}"


def draw_losses(axes: Axes, curves: pd.DataFrame, normalised: str, simple: str) -> None:
    """Draw the validation losses of a network with and of one without batch normalisation.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    curves : DataFrame
        Columns ``model``, ``seed``, ``epoch``, ``val_loss``.
    normalised, simple : str
        The two networks.
    """
    for model, color, line in ((simple, BLUE, "-"), (normalised, ORANGE, (0, (4, 1)))):
        own = curves[curves.model == model]
        for number, (_, curve) in enumerate(own.groupby("seed")):
            text = f"{'with' if model == normalised else 'without'} ({own.seed.nunique()})"
            name = text if number == 0 else None
            axes.plot(curve.epoch, curve.val_loss, color=color, linestyle=line, linewidth=1.1, alpha=0.85, label=name)
    axes.set_title(f"{label(normalised)}, {label(simple)}")
    axes.set(yscale="log", xlabel="Epoch", xlim=(0, None))
    axes.yaxis.set_minor_formatter(NullFormatter())
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right")
    else:
        say(axes, NONE_YET)
        axes.set(xlim=(0, 100), ylim=(0.01, 10))


def accuracy_rows(models: Sequence[str], published: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Give median accuracy, range and number of runs of each network, as it shall read.

    Parameters
    ----------
    models : sequence of str
        Networks from top to bottom.
    published, ours : DataFrame
        Columns ``model`` and ``accuracy`` in per cent, runs with ReLU or without hidden layers; either may be
        empty.

    Examples
    --------
    >>> none = pd.DataFrame({"model": [], "accuracy": []})
    >>> accuracy_rows(["cnn6_bn"], none, none)["Network"].tolist()
    ['CNN6 BN']
    """
    rows = []
    for model in models:
        row: list[object] = [label(model)]
        for table in (published, ours):
            own = table.accuracy[table.model == model]
            row += [median_and_range(own), len(own)]
        rows.append(row)
    return pd.DataFrame(rows, columns=["Network", "Published", "Runs", "Ours", "Our runs"])


def pair_rows(pairs: Sequence[tuple[Pair, Mapping[str, tuple[Any, Any]], Effect]]) -> pd.DataFrame:
    """Give what each modified network changes, and what comes of it, as it shall read.

    Parameters
    ----------
    pairs : sequence of (Pair, mapping, Effect)
        Each pair with its differences and with the gain in accuracy of the simpler network.

    Examples
    --------
    >>> from spectra_lib.paired_comparison import NO_EFFECT
    >>> pair = Pair(Variant("cnn6"), Variant("cnn6_bn"), Variant("cnn6"))
    >>> pair_rows([(pair, {"batch_normalization": (False, True)}, NO_EFFECT)]).iloc[0].tolist()[:3]
    ['CNN6', 'CNN6 BN', 'batch normalisation: no → yes']
    """
    rows = [
        (
            label(pair.original.model),
            label(pair.modified.model),
            "; ".join(f"{OPTION_NAMES[key]}: {_value(a)} → {_value(b)}" for key, (a, b) in changed.items()),
            len(changed),
            label(pair.simpler.model),
            effect.text,
            effect.n,
        )
        for pair, changed, effect in pairs
    ]
    heads = ["Original", "Modified", "What differs", "Parts", "Simpler", "Gain of the simpler, points", "Pairs"]
    return pd.DataFrame(rows, columns=heads)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return {"relu": "ReLU", None: "none"}.get(value, f"{value}")


def change_rows(changes: Sequence[tuple[SingleChange, Effect, int, int]]) -> pd.DataFrame:
    """Give the effect of each change, as it shall read.

    Parameters
    ----------
    changes : sequence of (SingleChange, Effect, int, int)
        Each change with its effect, and the runs before and after it.

    Examples
    --------
    >>> from spectra_lib.paired_comparison import NO_EFFECT
    >>> from spectra_lib.single_changes import Part, single_changes
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

    Examples
    --------
    >>> pooling_rows([]).columns.tolist()
    ['Network', 'Scale of the pools', 'Features', 'Weights, million', 'Multiply-adds, million']
    """
    rows = [
        (
            label(variant.model),
            f"{variant.options.get(POOL_SCALE, 1):g}",
            f"{d.flat_size:,}",
            f"{d.parameters / 1e6:.1f}",
            f"{d.multiply_adds / 1e6:.0f}",
        )
        for variant, d in descriptions
    ]
    heads = ["Network", "Scale of the pools", "Features", "Weights, million", "Multiply-adds, million"]
    return pd.DataFrame(rows, columns=heads)


def jump_rows(jumps: pd.DataFrame) -> pd.DataFrame:
    """Give how much the validation loss jumps with and without batch normalisation, as it shall read.

    Parameters
    ----------
    jumps : DataFrame
        As `ablations.jump_table` gives it.

    Examples
    --------
    >>> jump_rows(pd.DataFrame(columns=["model", "seed", "kept_epoch", "jumps"])).iloc[0].tolist()
    ['CNN6 BN', 'CNN6', '–', '–', '–', '–']
    """
    rows = []
    for pair in NORMALISED.items():
        own = [jumps[jumps.model == model] for model in pair]
        means = [f"{each.jumps.mean():.3f} ({len(each)})" if len(each) else "–" for each in own]
        kept = [f"{each.kept_epoch.median():.0f}" if len(each) else "–" for each in own]
        rows.append((*map(label, pair), *means, *kept))
    heads = ["With", "Without", "Rise with, decades an epoch", "Rise without", "Epoch kept with", "Epoch kept without"]
    return pd.DataFrame(rows, columns=heads)
