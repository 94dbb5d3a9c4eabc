"""What the ablation chapter compares: the paper's modified networks, and changes of one part at a time.

Source: Schuetzke et al. 2023, Table 2 and Supplementary Fig. 3, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spectra_lib.campaign import variant_run
from spectra_lib.claims.benchmark import loss_jumps
from spectra_lib.claims.challenge import ABLATIONS
from spectra_lib.errors import UnknownNameError
from spectra_lib.networks.catalogue import PUBLISHED, facts, published_activation, relu_activation
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
    published : Variant
        The original as it was published, which is what the paper compares with: CNN BN and VGG with linear hidden
        layers.
    modified : Variant
        The network that the paper made of it.
    simpler : str
        Which of the two networks is the one without batch normalisation or convolutional dropout.
    """

    published: Variant
    modified: Variant
    simpler: str

    @property
    def original(self) -> Variant:
        """The original with the activation of the modified network, as far as it has hidden layers.

        Against it a pair compares everything that was modified but the activation.
        """
        return relu_variant(self.published.model)

    def ordered(self, original: Variant) -> tuple[Variant, Variant]:
        """Give an original and the modified network, the simpler one last."""
        both = original, self.modified
        return both if self.simpler == self.modified.model else both[::-1]


def changes_several(pair: Pair, original: Variant | None = None) -> bool:
    """Tell whether a pair differs in more than one option, by default from the original as published.

    Examples
    --------
    >>> [changes_several(pair) for pair in table_2()]
    [False, True, True, True, True]
    >>> [changes_several(pair, pair.original) for pair in table_2()]
    [False, True, False, True, True]
    """
    return len(differences(original or pair.published, pair.modified)) > 1


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
    def networks(self) -> list[Variant]:
        """Networks without changed options, the published ones first.

        With linear hidden layers there are those alone that the paper modified.
        """
        originals = {pair.published.model: pair.published for pair in self.pairs}
        wanted = [v for v in self._variants() if not v.options]
        wanted = [v for v in wanted if v.hidden_activation != "linear" or originals.get(v.model) == v]
        rank = {model: place for place, model in enumerate(PUBLISHED)}
        return sorted(wanted, key=lambda v: (rank.get(v.model, len(rank)), v.hidden_activation != "linear"))

    def _variants(self) -> list[Variant]:
        wanted = [v for pair in self.pairs for v in (pair.published, pair.original, pair.modified)]
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
    pairs = tuple(pair for pair in table_2() if not models or pair.published.model in models)
    if models:
        return Study(pairs, single_changes(bases=models))
    if not profile.trains:
        return Study(pairs, SINGLE_CHANGES, tuple(map(relu_variant, PUBLISHED)))
    quick = (
        *single_changes(Part.BATCH_NORMALIZATION, bases=["cnn_bn"])[::2],
        *single_changes(Part.DROPOUT, bases=["vgg"])[:1],
        *single_changes(Part.POOLING, bases=["cnn2"])[1:],  # coarser pools; finer ones cost twice as much
    )
    return Study(tuple(pair for pair in pairs if pair.published.model == "cnn_bn"), quick)


def table_2() -> tuple[Pair, ...]:
    """Pairs of the paper's Table 2: originals as published, and modified networks with ReLU.

    Examples
    --------
    >>> [(pair.published.model, pair.modified.model, pair.simpler) for pair in table_2()][1:3]
    [('cnn6', 'cnn6_convdo', 'cnn6'), ('cnn_bn', 'cnnbn_mod', 'cnnbn_mod')]
    """
    pairs = []
    for simple, other in ABLATIONS:
        original, modified = (simple, other) if simple in PUBLISHED else (other, simple)
        published = Variant(original, published_activation(original))
        pairs.append(Pair(published, relu_variant(modified), simple))
    return tuple(pairs)


def relu_variant(model: str) -> Variant:
    """Give a network with ReLU between its hidden layers, if it has any.

    Examples
    --------
    >>> relu_variant("vgg").hidden_activation, relu_variant("resnet").hidden_activation
    ('relu', None)
    """
    return Variant(model, relu_activation(model))


def differences(original: Variant, modified: Variant) -> dict[str, tuple[Any, Any]]:
    """Find all options in which two networks differ: what the first and the second have.

    Examples
    --------
    >>> differences(Variant("cnn6"), Variant("cnn6_convdo"))
    {'dropout': (0.7, 0.0), 'conv_dropout': (0.0, 0.2)}
    """
    first, second = ({**facts(v.model).defaults, **v.options} for v in (original, modified))
    found = {
        key: (_plain(first[key]), _plain(second[key])) for key in first if _plain(first[key]) != _plain(second[key])
    }
    if original.hidden_activation != modified.hidden_activation:
        found["hidden_activation"] = (original.hidden_activation, modified.hidden_activation)
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def with_relu(records: RunRecords) -> RunRecords:
    """Give the runs of networks without changed options that have a ReLU, or no hidden layers.

    What is compared for batch normalisation must not differ in the activation as well.

    Examples
    --------
    >>> len(with_relu(RunRecords(())))
    0
    """
    return RunRecords(tuple(r for r in records if not r.spec.options and r.spec.hidden_activation != "linear"))


def jump_table(records: RunRecords) -> pd.DataFrame:
    """Tell how much the validation loss goes up and down, of each run that `with_relu` gives.

    Returns
    -------
    DataFrame
        Columns ``model``, ``seed``, ``kept_epoch`` and ``jumps`` (`claims.benchmark.loss_jumps`), in
        decades.

    Examples
    --------
    >>> jump_table(RunRecords(())).empty
    True
    """
    rows = [(r.spec.model, r.spec.seed, r.kept_epoch, loss_jumps(r)) for r in with_relu(records)]
    return pd.DataFrame(rows, columns=["model", "seed", "kept_epoch", "jumps"])
