"""A universal synthetic spectroscopy dataset, the networks trained on it, and what they can do.

The flow has one direction: specification, fingerprints, peaks, spectra, dataset, network, run,
record, figure, chapter. Names below load what they need when they are first used, so that reading
records never starts a deep-learning backend.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

# TensorFlow logs its build options at every start; errors and warnings still come through.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"

_HOMES = {
    "DatasetSpec": "datasets.specification",
    "dataset_spec": "datasets.named",
    "list_datasets": "datasets.named",
    "Dataset": "datasets.dataset",
    "Split": "datasets.dataset",
    "make_dataset": "datasets.dataset",
    "export_dataset": "datasets.dataset",
    "build_model": "networks",
    "describe_model": "networks",
    "list_models": "networks",
    "register_model": "networks",
    "RunSpec": "runs.specification",
    "train": "training.trainer",
    "load_model": "training.prediction",
    "train_quickly": "training.quick",
    "RunRecord": "runs.record",
    "RunRecords": "runs.records",
    "load_records": "runs.records",
    "ideal_observer": "bayes.classifier",
    "SpectraError": "_base.errors",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spectra_lib' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"spectra_lib.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
