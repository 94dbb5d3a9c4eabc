"""Changes of one part of a network at a time, everything else equal, on the challenging set.

The modified networks of the paper's ablation (Table 2) are named after one part, but most of them
change several. Here each comparison is between two networks that differ in one part alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

POOL_SCALE = "pool_scale"
"""Option that scales window and stride of all pools of a network."""


class Part(StrEnum):
    """What is changed."""

    BATCH_NORMALIZATION = "batch normalisation"
    DROPOUT = "dropout"
    LAYERS = "layers"
    POOLING = "pooling"


@dataclass(frozen=True)
class Variant:
    """A network as it is trained, whatever the dataset and the seed.

    Attributes
    ----------
    model : str
        Name of the network.
    hidden_activation : str or None
        Activation of the hidden layers; None without any.
    options : mapping
        Options that differ from the network's defaults.
    """

    model: str
    hidden_activation: str | None = "relu"
    options: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """Fields of a run specification.

        Returns
        -------
        dict of str to object
            Values of ``model``, ``hidden_activation`` and ``options``.
        """
        options = {key: self.options[key] for key in sorted(self.options)}
        return {"model": self.model, "hidden_activation": self.hidden_activation, "options": options}


@dataclass(frozen=True)
class SingleChange:
    """Two networks that differ in one part.

    Attributes
    ----------
    part : Part
        The part.
    base : str
        The published network that both derive from.
    text : str
        What is changed, as it shall read.
    before, after : Variant
        The two networks.
    """

    part: Part
    base: str
    text: str
    before: Variant
    after: Variant


def _changes() -> Iterator[SingleChange]:
    cnn6, cnn6_bn, cnn_bn, vgg, resnet = (
        *(Variant(model) for model in ("cnn6", "cnn6_bn", "cnn_bn", "vgg")),
        Variant("resnet", None),
    )
    part = Part.BATCH_NORMALIZATION
    yield SingleChange(part, "cnn6", "added", cnn6, cnn6_bn)
    yield SingleChange(part, "cnn_bn", "removed, ReLU", cnn_bn, Variant("cnnbn_mod"))
    without = {"batch_normalization": False}
    yield SingleChange(
        part, "cnn_bn", "removed, linear", Variant("cnn_bn", "linear"), Variant("cnn_bn", "linear", without)
    )
    yield SingleChange(part, "resnet", "removed", resnet, Variant("resnet", None, without))
    for base, before in (("cnn6", cnn6_bn), ("cnn_bn", cnn_bn), ("resnet", resnet)):
        after = Variant(before.model, before.hidden_activation, {"bn_momentum": 0.9})
        yield SingleChange(
            part, base, "momentum .99 to .9" if base != "cnn6" else "added, momentum .99 to .9", before, after
        )

    part = Part.DROPOUT
    no_dense_dropout = Variant("cnn6", options={"dropout": 0.0})
    yield SingleChange(part, "cnn6", "dense .7 to 0", cnn6, no_dense_dropout)
    yield SingleChange(part, "cnn6", "dense 0, convolutional 0 to .2", no_dense_dropout, Variant("cnn6_convdo"))
    yield SingleChange(
        part, "cnn6", "dense .7, convolutional 0 to .2", cnn6, Variant("cnn6", options={"conv_dropout": 0.2})
    )
    yield SingleChange(part, "vgg", "convolutional .2 to 0", vgg, Variant("vgg", options={"conv_dropout": 0.0}))
    moved = {"conv_dropout": 0.0, "dropout": 0.2}
    yield SingleChange(part, "vgg", ".2 moved to dense layers", vgg, Variant("vgg", options=moved))

    part = Part.LAYERS
    yield SingleChange(part, "vgg", "kernels 5 to 20", vgg, Variant("vgg", options={"kernel": 20}))
    yield SingleChange(
        part, "vgg", "hidden layers 2000, 500", vgg, Variant("vgg", options={"hidden_units": [2000, 500]})
    )
    hidden = Variant("resnet", options={"hidden_units": [3100, 1200]})
    yield SingleChange(part, "resnet", "hidden layers 3100, 1200 added", resnet, hidden)

    for model, scales in (
        ("cnn2", (0.5, 2.0)),
        ("cnn3", (0.5, 2.0)),
        ("vgg", (0.5, 2.0)),
        ("cnn_bn", (2.0,)),
        ("cnn6", (1.5,)),
    ):
        for scale in scales:
            after = Variant(model, options={POOL_SCALE: scale})
            yield SingleChange(Part.POOLING, model, f"pools scaled by {scale:g}", Variant(model), after)


SINGLE_CHANGES = tuple(_changes())
"""All comparisons. CNN6 and CNN BN with half the pooling are left out: they would have over 650 million weights."""


def single_changes(*parts: Part, bases: Sequence[str] | None = None) -> tuple[SingleChange, ...]:
    """Choose comparisons by part and by the published network that they start from.

    Parameters
    ----------
    *parts : Part
        The parts; none for all.
    bases : sequence of str, optional
        Published networks; by default all.

    Returns
    -------
    tuple of SingleChange

    Examples
    --------
    >>> [change.text for change in single_changes(Part.DROPOUT, bases=["vgg"])]
    ['convolutional .2 to 0', '.2 moved to dense layers']
    """
    return tuple(
        change
        for change in SINGLE_CHANGES
        if (not parts or change.part in parts) and (bases is None or change.base in bases)
    )


def variants(changes: Sequence[SingleChange]) -> tuple[Variant, ...]:
    """Give the networks of comparisons, each once, in order.

    Parameters
    ----------
    changes : sequence of SingleChange
        The comparisons.

    Returns
    -------
    tuple of Variant

    Examples
    --------
    >>> [(v.model, dict(v.options)) for v in variants(single_changes(Part.POOLING, bases=["cnn6"]))]
    [('cnn6', {}), ('cnn6', {'pool_scale': 1.5})]
    """
    found: list[Variant] = []
    for change in changes:
        found += [variant for variant in (change.before, change.after) if variant not in found]
    return tuple(found)


ABLATIONS = (
    ("cnn6", "cnn6_bn"),
    ("cnn6", "cnn6_convdo"),
    ("cnnbn_mod", "cnn_bn"),
    ("vgg_mod", "vgg"),
    ("resnet_mod", "resnet"),
)
"""The network without batch normalisation or convolutional dropout, and its counterpart with it (Table 2)."""
