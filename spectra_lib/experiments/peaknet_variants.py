"""PeakNet and what was tried on the way to it, as networks that differ in options, all else equal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.experiments.single_changes import Variant
from spectra_lib.runs.specification import usual_rules

if TYPE_CHECKING:
    import pandas as pd

    from spectra_lib.runs.records import RunRecords

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {"start": "mid_range", "tolerance": "flat", "train_centres": True, "count_surplus": True}
)
"""The options that are varied, with PeakNet's own values."""

STARTS = ("one_spectrum", "mean", "mid_range")
TOLERANCES = ("quadratic", "flat")
"""Where prototypes start, and shapes of the tolerance, the last of each as in PeakNet."""

HARDLY_TRAINED = 1
"""Epochs of the runs that show what a start is worth by itself."""


def peaknet_variant(**options: Any) -> Variant:
    """Give PeakNet with these options; those that it has anyway are left out.

    Parameters
    ----------
    **options : object
        Options of PeakNet, by name.

    Returns
    -------
    Variant

    Examples
    --------
    >>> dict(peaknet_variant(start="mean", tolerance="flat").options)
    {'start': 'mean'}
    """
    changed = {key: value for key, value in options.items() if value != DEFAULTS[key]}
    return Variant("peaknet", None, changed)


GRID = tuple(peaknet_variant(start=start, tolerance=tolerance) for start in STARTS for tolerance in TOLERANCES)
"""Every start with every tolerance."""

VARIANTS = (*GRID, peaknet_variant(train_centres=False), peaknet_variant(count_surplus=False))
"""All that was tried; PeakNet itself among them."""


def variant_table(records: RunRecords, spec: DatasetSpec) -> pd.DataFrame:
    """Gather the runs of `VARIANTS` on a dataset.

    Parameters
    ----------
    records : RunRecords
        All records there are.
    spec : DatasetSpec
        The dataset.

    Returns
    -------
    DataFrame
        Columns ``variant`` (index in `VARIANTS`), ``trained`` (False after `HARDLY_TRAINED` epochs), ``stopped``
        (whether early), ``seed``, ``validation_errors``, ``validation_n``, ``test_errors``, ``test_n``; usual training
        rules only.
    """
    import pandas as pd

    rules = usual_rules()
    whole = rules.pop("max_epochs")
    rows = []
    for record in records.select(model="peaknet", **rules):
        run = record.spec
        variant = Variant(run.model, run.hidden_activation, run.options)
        if run.dataset_spec == spec and variant in VARIANTS and run.max_epochs in (HARDLY_TRAINED, whole):
            wrong = record.validation.errors, record.validation.n, record.test.errors, record.test.n
            stopped = record.ended == "early_stopping"
            rows.append((VARIANTS.index(variant), run.max_epochs == whole, stopped, run.seed, *wrong))
    columns = ["variant", "trained", "stopped", "seed", "validation_errors", "validation_n", "test_errors", "test_n"]
    return pd.DataFrame(rows, columns=columns)
