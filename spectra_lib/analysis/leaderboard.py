"""Every method on a dataset in one table: the Bayes classifier, networks, published runs, classical baselines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from spectra_lib._base.errors import SpecificationError, UnknownNameError
from spectra_lib.baselines.result import BaselineResult
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.datasets.dataset import Dataset
from spectra_lib.networks.catalogue import published_activation
from spectra_lib.networks.sizes import size_of
from spectra_lib.paper import published
from spectra_lib.runs.records import failed_runs
from spectra_lib.runs.specification import usual_rules

if TYPE_CHECKING:
    from spectra_lib.runs.record import RunRecord
    from spectra_lib.runs.records import RunRecords

OBSERVER, NETWORK, PUBLISHED, BASELINE = "Bayes classifier", "network", "published network", "classical"
"""Kinds of methods."""

COLUMNS = (
    *("kind", "model", "activation", "variant", "runs", "failed", "test_errors", "fewest", "most", "test_n"),
    *("validation_errors", "validation_n", "parameters", "multiply_adds", "seconds", "memory_bytes", "device"),
)


def make_leaderboard(dataset: Dataset, records: RunRecords, results: Iterable[BaselineResult] = ()) -> pd.DataFrame:
    """Gather every method that was tried on a dataset, fewest test errors first.

    Parameters
    ----------
    dataset : Dataset
        The dataset; records and results on others are passed over, as are those that are not sound.
    records : RunRecords
        Records of training runs; those that differ in nothing but the seed share a row.
    results : iterable of BaselineResult
        Results of baselines.

    Returns
    -------
    DataFrame
        Columns: ``kind`` (see `OBSERVER` and so on), ``model``, ``activation`` of hidden layers, ``variant`` (options,
        protocol and precision where they are not the usual ones), ``runs``, ``failed`` of them to converge;
        ``test_errors`` (mean), ``fewest`` and ``most`` of one run, ``test_n``; ``validation_errors`` (mean),
        ``validation_n``; ``parameters``,
        ``multiply_adds`` of one spectrum; ``device`` on which most of the runs were made, ``seconds`` to train or fit
        there and ``memory_bytes``, the largest memory of the process (medians). What is not known is missing.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.runs.records import RunRecords
    >>> board = make_leaderboard(make_dataset("smoke"), RunRecords(()))
    >>> board.model.tolist(), board.test_errors.tolist()
    (['Bayes classifier'], [0.0])
    """
    own = [record for record in records if record.spec.dataset_spec == dataset.spec and not record.faults(dataset)]
    fitted = [result for result in results if result.dataset_spec == dataset.spec and not result.faults(dataset)]
    theirs = _published_rows(dataset.spec.name)
    rows = [_observer_row(dataset), *_network_rows(dataset, own), *map(_baseline_row, fitted)]
    rows += [row | _cost(dataset, row["model"], {}) for row in theirs]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["test_errors", "kind", "model", "variant"], kind="stable", ignore_index=True)


def _observer_row(dataset: Dataset) -> dict[str, Any]:
    observer = bayes_classifier(dataset)
    test, validation = observer.ceiling(dataset.test), observer.ceiling(dataset.validation)
    return {
        "kind": OBSERVER,
        "model": OBSERVER,
        "variant": "",
        "test_errors": test.expected_errors,
        "test_n": test.n_spectra,
        "validation_errors": validation.expected_errors,
        "validation_n": validation.n_spectra,
    }


def _network_rows(dataset: Dataset, records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        key = record.spec.model_dump_json(exclude={"seed"})
        groups.setdefault(key, []).append(record)
    rows = []
    for group in groups.values():
        spec = group[0].spec
        row = {
            "kind": NETWORK,
            "model": spec.model,
            "activation": spec.hidden_activation,
            "variant": _variant(group[0]),
            "runs": len(group),
            "failed": len(failed_runs(group)),
            "test_n": group[0].test.n,
            "validation_errors": statistics.mean(record.validation.errors for record in group),
            "validation_n": group[0].validation.n,
        }
        note = group[0].network
        known = (
            _cost(dataset, spec.model, spec.options)
            if note is None
            else {"parameters": note.parameters, "multiply_adds": note.multiply_adds}
        )
        rows.append(row | _spread([record.test.errors for record in group]) | known | _needs(group))
    return rows


def _needs(group: Iterable[RunRecord]) -> dict[str, Any]:
    """Time and memory of the runs on the device that made most of them; runs that moved to another do not count."""
    by_device: dict[str, list[RunRecord]] = {}
    for record in group:
        devices = {session.device for session in record.sessions}
        if len(devices) == 1:
            by_device.setdefault(devices.pop(), []).append(record)
    if not by_device:
        return {}
    device = min(by_device, key=lambda name: (-len(by_device[name]), name))
    return {
        "device": device,
        "seconds": statistics.median(record.wall_seconds for record in by_device[device]),
        "memory_bytes": statistics.median(record.peak_memory_bytes for record in by_device[device]),
    }


def _variant(record: RunRecord) -> str:
    spec = record.spec
    parts = [f"{key}={json.dumps(value)}" for key, value in spec.options.items()]
    rules = usual_rules()
    parts += [f"{name}={getattr(spec, name)}" for name, usual in rules.items() if getattr(spec, name) != usual]
    if record.network is not None and spec.source is not None:
        parts.append(f"{record.network.origin} {spec.source[:8]}")
    return ", ".join(parts)


def _published_rows(dataset: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if dataset == "benchmark":
        for model, runs in published.published_runs().groupby("model"):
            row: dict[str, Any] = {
                "model": model,
                "runs": len(runs),
                "activation": published_activation(str(model)),
                "seconds": float(runs.gpu_seconds.median()),
                "device": "the authors' GPU",
                "validation_errors": float((1 - runs.val_accuracy).mean() * published.VALIDATION_SPECTRA[dataset]),
                "validation_n": published.VALIDATION_SPECTRA[dataset],
            }
            rows.append(row | _spread(runs.test_errors.tolist()))
    elif dataset == "challenge":
        for (name, activation), runs in published.published_challenge().groupby(["model", "hidden_activation"]):
            errors = published.TEST_SPECTRA[dataset] - runs.correct
            entry: dict[str, Any] = {"model": name, "activation": activation, "runs": len(runs)}
            rows.append(entry | _spread(errors.tolist()))
    common = {"kind": PUBLISHED, "variant": "protocol=code"}
    return [row | common | {"test_n": published.TEST_SPECTRA[dataset]} for row in rows]


def _spread(errors: list[int]) -> dict[str, float]:
    return {"test_errors": statistics.mean(errors), "fewest": min(errors), "most": max(errors)}


def _baseline_row(result: BaselineResult) -> dict[str, Any]:
    return {
        "kind": BASELINE,
        "model": result.name,
        "variant": "",
        "runs": 1,
        "test_errors": result.test_errors,
        "fewest": result.test_errors,
        "most": result.test_errors,
        "test_n": len(result.test_predictions),
        "validation_errors": result.validation_errors,
        "validation_n": len(result.validation_predictions),
        "seconds": result.fit_seconds,
        "memory_bytes": result.peak_memory_bytes,
        "device": result.device,
    }


def _cost(dataset: Dataset, model: str, options: Mapping[str, Any]) -> dict[str, int]:
    """Parameters and multiply-adds of a network on a dataset; nothing of one, or of an option, that is no more."""
    try:
        size = size_of(model, dataset.spec.n_points, dataset.spec.n_classes, **options)
    except (UnknownNameError, SpecificationError):
        return {}
    return {"parameters": size.parameters, "multiply_adds": size.multiply_adds}
