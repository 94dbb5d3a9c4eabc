"""What the ablation chapter compares: the paper's modified networks, and changes of one part at a time.

Source: Schuetzke et al. 2023, Table 2 and Supplementary Fig. 3, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spectra_lib.campaign import PUBLISHED, variant_run
from spectra_lib.claims.benchmark import loss_jumps
from spectra_lib.claims.challenge import ABLATIONS
from spectra_lib.errors import UnknownNameError
from spectra_lib.profiles import Profile
from spectra_lib.records import RunRecords
from spectra_lib.runs import RunSpec
from spectra_lib.single_changes import SINGLE_CHANGES, Part, SingleChange, Variant, single_changes, variants

NORMALISED = {"cnn6_bn": "cnn6", "cnn_bn": "cnnbn_mod", "resnet": "resnet_mod"}
"""Networks with batch normalisation in the paper's ablation, and what they are compared with."""


@dataclass(frozen=True)
class Pair:
    """A pair of networks of the paper's Table 2.

    Attributes
    ----------
    original, modified : Variant
        The published network, and the one that the paper made of it.
    simpler : Variant
        The one of the two without batch normalisation or convolutional dropout.
    """

    original: Variant
    modified: Variant
    simpler: Variant


@dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes
    ----------
    pairs : tuple of Pair
        Pairs of the paper's Table 2.
    changes : tuple of SingleChange
        Changes of one part.
    others : tuple of Variant
        Further networks to stand beside them.
    """

    pairs: tuple[Pair, ...]
    changes: tuple[SingleChange, ...]
    others: tuple[Variant, ...] = ()

    @property
    def networks(self) -> list[str]:
        """Networks without changed options, with ReLU where they have hidden layers, the published ones first."""
        wanted = [v.model for v in self._variants() if not v.options and v.hidden_activation != "linear"]
        return [m for m in PUBLISHED if m in wanted] + [m for m in dict.fromkeys(wanted) if m not in PUBLISHED]

    def _variants(self) -> list[Variant]:
        wanted = [variant for pair in self.pairs for variant in (pair.original, pair.modified)]
        wanted += [*variants(self.changes), *self.others]
        return [variant for number, variant in enumerate(wanted) if variant not in wanted[:number]]

    def runs(self, profile: Profile) -> tuple[RunSpec, ...]:
        """All runs that the comparisons rest on, each once."""
        return tuple(
            variant_run(profile.challenge, variant, seed, max_epochs=profile.max_epochs)
            for variant in self._variants()
            for seed in profile.seeds
        )


def choose_study(profile: Profile, models: Sequence[str] = ()) -> Study:
    """Choose the comparisons for a profile.

    Parameters
    ----------
    profile : Profile
        One that trains on the spot gets a few comparisons of small networks, unless networks are named.
    models : sequence of str
        Published networks that the comparisons start from; none for all.

    Raises
    ------
    UnknownNameError
        If there is no comparison for a network.

    Examples
    --------
    >>> from spectra_lib.profiles import choose_profile
    >>> study = choose_study(choose_profile("paper"))
    >>> len(study.pairs), len(study.changes)
    (5, 23)
    >>> choose_study(choose_profile("paper"), ["inc3"])
    Traceback (most recent call last):
    ...
    spectra_lib.errors.UnknownNameError: unknown network that is taken apart 'inc3'; known: cnn2, cnn3, cnn6, ...
    """
    bases = {change.base for change in SINGLE_CHANGES}
    known = [model for model in PUBLISHED if model in bases]
    for model in models:
        if model not in known:
            raise UnknownNameError("network that is taken apart", model, known)
    pairs = tuple(pair for pair in table_2() if not models or pair.original.model in models)
    if models:
        return Study(pairs, single_changes(bases=models))
    if not profile.trains:
        return Study(pairs, SINGLE_CHANGES, tuple(map(_variant, PUBLISHED)))
    quick = (
        *single_changes(Part.BATCH_NORMALIZATION, bases=["cnn_bn"])[::2],
        *single_changes(Part.DROPOUT, bases=["vgg"])[:1],
        *single_changes(Part.POOLING, bases=["cnn2"])[1:],  # coarser pools; finer ones cost twice as much
    )
    return Study(tuple(pair for pair in pairs if pair.original.model == "cnn_bn"), quick)


def table_2() -> tuple[Pair, ...]:
    """Pairs of the paper's Table 2, all with ReLU where there are hidden layers.

    Examples
    --------
    >>> [(pair.original.model, pair.modified.model) for pair in table_2()][:2]
    [('cnn6', 'cnn6_bn'), ('cnn6', 'cnn6_convdo')]
    """
    pairs = []
    for simple, other in ABLATIONS:
        simpler, normalised = _variant(simple), _variant(other)
        original, modified = (simpler, normalised) if simple in PUBLISHED else (normalised, simpler)
        pairs.append(Pair(original, modified, simpler))
    return tuple(pairs)


def _variant(model: str) -> Variant:
    return Variant(model, None if model == "resnet" else "relu")


def differences(original: Variant, modified: Variant) -> dict[str, tuple[Any, Any]]:
    """Find all options in which two networks differ: what the first and the second have.

    Examples
    --------
    >>> differences(Variant("cnn6"), Variant("cnn6_convdo"))
    {'dropout': (0.7, 0.0), 'conv_dropout': (0.0, 0.2)}
    """
    from spectra_lib.networks import network  # imports keras

    first, second = ({**network(v.model).defaults, **v.options} for v in (original, modified))
    found = {
        key: (_plain(first[key]), _plain(second[key])) for key in first if _plain(first[key]) != _plain(second[key])
    }
    if original.hidden_activation != modified.hidden_activation:
        found["hidden_activation"] = (original.hidden_activation, modified.hidden_activation)
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def jump_table(records: RunRecords) -> pd.DataFrame:
    """Tell how much the validation loss of each run jumps (`claims.benchmark.loss_jumps`).

    Returns
    -------
    DataFrame
        Columns ``model``, ``seed``, ``kept_epoch`` and ``jumps``, the mean rise from one epoch to the
        next in decades.

    Examples
    --------
    >>> jump_table(RunRecords(())).empty
    True
    """
    rows = [(r.spec.model, r.spec.seed, r.kept_epoch, loss_jumps(r)) for r in records if not r.spec.options]
    return pd.DataFrame(rows, columns=["model", "seed", "kept_epoch", "jumps"])
