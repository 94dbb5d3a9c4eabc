"""Runs that training never got off the ground: they kept the weights of their first epoch."""

from __future__ import annotations

from collections.abc import Iterable

from spectra_lib.records import RunRecord, RunRecords


def is_stalled(record: RunRecord) -> bool:
    """Tell whether no epoch of a run was better on the validation spectra than its first one.

    With batch normalisation this happens where patience ends before the running averages, which the validation
    spectra are evaluated with, have caught up. A comparison with such a run compares with no training at all.
    """
    return record.kept_epoch == 0 and len(record.history) > 1


def stalled(records: Iterable[RunRecord]) -> RunRecords:
    """Give the runs that kept their first epoch.

    Examples
    --------
    >>> len(stalled(RunRecords(())))
    0
    """
    return RunRecords(tuple(record for record in records if is_stalled(record)))


def without_stalled(records: Iterable[RunRecord]) -> RunRecords:
    """Give the runs that kept a later epoch than their first one.

    Examples
    --------
    >>> len(without_stalled(RunRecords(())))
    0
    """
    return RunRecords(tuple(record for record in records if not is_stalled(record)))
