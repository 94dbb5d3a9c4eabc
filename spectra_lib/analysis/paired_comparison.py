"""Runs of two networks paired by seed, and the change of a quantity in each pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pandas as pd

from spectra_lib.experiments.single_changes import Variant
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords


def backend_of(record: RunRecord) -> str | None:
    """Backend that a run was trained on; None if its sessions used several, or it has none.

    Parameters
    ----------
    record : RunRecord
        The run.

    Returns
    -------
    str or None
    """
    used = {session.backend for session in record.sessions}
    return used.pop() if len(used) == 1 else None


def pairs_by_seed(before: Iterable[RunRecord], after: Iterable[RunRecord]) -> list[tuple[RunRecord, RunRecord]]:
    """Pair runs of equal seed that were trained on the same backend.

    Each backend draws weights and dropout from a generator of its own, so that a seed on one is another seed on the
    other: such runs have no more in common than any two. A run that went from one backend to another makes no pair.

    Parameters
    ----------
    before, after : iterable of RunRecord
        The two groups of runs.

    Returns
    -------
    list of (RunRecord, RunRecord)
        In the order of `before`.

    Examples
    --------
    >>> from spectra_lib.runs.record import Session
    >>> from spectra_lib.runs.specification import RunSpec
    >>> session = Session.model_construct(backend="jax")
    >>> zero, one = (
    ...     RunRecord.model_construct(spec=RunSpec(dataset="smoke", model="vgg", seed=seed), sessions=(session,))
    ...     for seed in (0, 1)
    ... )
    >>> [(a.spec.seed, b.spec.seed) for a, b in pairs_by_seed([zero], [one, zero])]
    [(0, 0)]
    """
    partners = {(record.spec.seed, backend_of(record)): record for record in after}
    keys = [(record, (record.spec.seed, backend_of(record))) for record in before]
    return [(record, partners[key]) for record, key in keys if key[1] is not None and key in partners]


def pair_runs(
    records: RunRecords, before: Variant, after: Variant, value: Callable[[RunRecord], float]
) -> pd.DataFrame:
    """Pair the runs of two networks by seed, if they were trained on the same backend.

    A seed on one backend is another seed on the other, and a run that went from one to another has none
    (`analysis.paired_comparison.pairs_by_seed`).

    Parameters
    ----------
    records : RunRecords
        Runs on one dataset that follow one protocol.
    before, after : Variant
        The two networks.
    value : callable
        The quantity that is compared.

    Returns
    -------
    DataFrame
        Columns ``seed``, ``before``, ``after``, ``change``; seeds that make no pair are left out.

    Examples
    --------
    >>> pair_runs(RunRecords(()), Variant("vgg", "linear"), Variant("vgg"), lambda r: r.test.accuracy).columns.tolist()
    ['seed', 'before', 'after', 'change']
    """
    pairs = pairs_by_seed(runs_of(records, before), runs_of(records, after))
    rows = sorted(
        (first.spec.seed, value(first), value(second), value(second) - value(first)) for first, second in pairs
    )
    return pd.DataFrame(rows, columns=["seed", "before", "after", "change"])


def runs_of(records: RunRecords, variant: Variant) -> RunRecords:
    """Give the runs of a network with just these options.

    Parameters
    ----------
    records : RunRecords
        Runs of any networks.
    variant : Variant
        Network, activation and options.

    Returns
    -------
    RunRecords

    Examples
    --------
    >>> from spectra_lib.runs.specification import RunSpec
    >>> specs = [RunSpec(dataset="smoke", model="vgg", seed=3), RunSpec(dataset="smoke", model="resnet")]
    >>> runs = RunRecords(tuple(RunRecord.model_construct(spec=spec) for spec in specs))
    >>> [run.spec.seed for run in runs_of(runs, Variant("vgg", specs[0].hidden_activation))]
    [3]
    """
    return records.select(**variant.fields())
