"""Filters on the runs of the campaign."""

from __future__ import annotations

import json
from collections.abc import Callable

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.experiments.campaign import Task
from spectra_lib.runs.specification import RunSpec

Filter = Callable[[Task], bool]


def parse_filter(text: str | None) -> Filter:
    """Read a filter such as ``dataset=challenge,model=cnn2|vgg,seed=0``.

    Conditions are joined by commas, all of them must hold; alternatives are separated by ``|``.
    Besides the fields of a run specification there are ``stage`` and ``changes``, the names of the
    network's changed options joined by ``+``, or none; a network without hidden layers has
    ``hidden_activation=none``.

    Parameters
    ----------
    text : str or None
        The filter; none or empty holds for all runs.

    Returns
    -------
    Filter
        From a task to whether all conditions hold.

    Raises
    ------
    SpectraError
        If a condition has no value or names no field.
    UnknownNameError
        If there is no such field.

    Examples
    --------
    >>> from spectra_lib.experiments.campaign import campaign
    >>> only = parse_filter("model=vgg,seed=0|1")
    >>> sum(map(only, campaign())) > 0
    True
    """
    conditions: list[tuple[str, set[str]]] = []
    for part in (text or "").split(","):
        if not part.strip():
            continue
        key, equals, values = part.partition("=")
        key = key.strip()
        if not equals or not values.strip():
            raise SpectraError(f"cannot read the filter {part!r}; expected field=value or field=value|value")
        if key not in ("stage", "changes", *RunSpec.model_fields):
            raise UnknownNameError("field in a filter", key, ["stage", "changes", *RunSpec.model_fields])
        conditions.append((key, {value.strip() for value in values.split("|")}))

    def holds(task: Task) -> bool:
        return all(_value(task, key) in values for key, values in conditions)

    return holds


def _value(task: Task, key: str) -> str:
    if key == "stage":
        return task.stage
    if key == "changes":
        return "+".join(sorted(task.spec.options)) or "none"
    value = getattr(task.spec, key)
    if key == "dataset":
        return task.spec.dataset_spec.name
    return "none" if value is None else json.dumps(value) if isinstance(value, dict) else str(value)
