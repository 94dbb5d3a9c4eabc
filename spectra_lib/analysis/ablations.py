"""What the ablation chapter compares: the paper's modified networks, and changes of one part at a time.

Source: Schuetzke et al. 2023, Table 2 and Supplementary Fig. 3, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.analysis.curves import loss_jumps
from spectra_lib.analysis.table_2 import Pair, relu_variant, table_2
from spectra_lib.experiments.campaign import variant_run
from spectra_lib.experiments.profiles import Profile
from spectra_lib.experiments.single_changes import SINGLE_CHANGES, Part, SingleChange, Variant, single_changes, variants
from spectra_lib.networks.catalogue import PUBLISHED
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import RunSpec

NORMALISED = {"cnn6_bn": "cnn6", "cnn_bn": "cnnbn_mod", "resnet": "resnet_mod"}
"""Networks with batch normalisation in the paper's ablation, and what they are compared with."""


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
        """All runs that the comparisons rest on, each once.

        Parameters
        ----------
        profile : Profile
            Datasets, seeds and largest number of epochs.

        Returns
        -------
        tuple of RunSpec
        """
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

    Returns
    -------
    Study

    Raises
    ------
    UnknownNameError
        If there is no comparison for a network.

    Examples
    --------
    >>> from spectra_lib.experiments.profiles import choose_profile
    >>> study = choose_study(choose_profile("paper"))
    >>> len(study.pairs), len(study.changes)
    (5, 23)
    >>> choose_study(choose_profile("paper"), ["inc3"])
    Traceback (most recent call last):
    ...
    spectra_lib._base.errors.UnknownNameError: unknown network that is taken apart 'inc3'; known: cnn2, cnn3, cnn6, ...
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


def with_relu(records: RunRecords) -> RunRecords:
    """Give the runs of networks without changed options that have a ReLU, or no hidden layers.

    What is compared for batch normalisation must not differ in the activation as well.

    Parameters
    ----------
    records : RunRecords
        Runs of any networks.

    Returns
    -------
    RunRecords

    Examples
    --------
    >>> from spectra_lib.runs.record import RunRecord
    >>> from spectra_lib.runs.specification import RunSpec
    >>> specs = [RunSpec(dataset="smoke", model="vgg", hidden_activation=name) for name in ("linear", "relu")]
    >>> runs = RunRecords(tuple(RunRecord.model_construct(spec=spec) for spec in specs))
    >>> [run.spec.hidden_activation for run in with_relu(runs)]
    ['relu']
    """
    return RunRecords(tuple(r for r in records if not r.spec.options and r.spec.hidden_activation != "linear"))


def jump_table(records: RunRecords) -> pd.DataFrame:
    """Tell how much the validation loss goes up and down, of each run that `with_relu` gives.

    Parameters
    ----------
    records : RunRecords
        Runs of any networks.

    Returns
    -------
    DataFrame
        Columns ``model``, ``seed``, ``kept_epoch`` and ``jumps`` (`analysis.curves.loss_jumps`), in
        decades.
    """
    rows = [(r.spec.model, r.spec.seed, r.kept_epoch, loss_jumps(r)) for r in with_relu(records)]
    return pd.DataFrame(rows, columns=["model", "seed", "kept_epoch", "jumps"])
