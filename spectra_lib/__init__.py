"""A universal synthetic spectroscopy dataset, the networks trained on it, and what they can do.

The flow has one direction: specification, fingerprints, peaks, spectra, dataset, network, run,
record, figure, chapter. Names below load what they need when they are first used, so that reading
records never starts a deep-learning backend; type checkers see them at once.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectra_lib._base.errors import SpectraError
    from spectra_lib.bayes.classifier import bayes_classifier, ideal_observer
    from spectra_lib.datasets.dataset import Dataset, Split, export_dataset, make_dataset
    from spectra_lib.datasets.named import dataset_spec, list_datasets
    from spectra_lib.datasets.specification import DatasetSpec
    from spectra_lib.networks import build_model, describe_model, list_models, register_model
    from spectra_lib.runs.record import RunRecord
    from spectra_lib.runs.records import RunRecords, load_records
    from spectra_lib.runs.specification import RunSpec
    from spectra_lib.training.prediction import load_model
    from spectra_lib.training.quick import train_quickly
    from spectra_lib.training.trainer import train

# TensorFlow logs its build options at every start; errors and warnings still come through.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "DatasetSpec",
    "RunRecord",
    "RunRecords",
    "RunSpec",
    "SpectraError",
    "Split",
    "bayes_classifier",
    "build_model",
    "dataset_spec",
    "describe_model",
    "export_dataset",
    "ideal_observer",
    "list_datasets",
    "list_models",
    "load_model",
    "load_records",
    "make_dataset",
    "register_model",
    "train",
    "train_quickly",
]

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
    "bayes_classifier": "bayes.classifier",
    "ideal_observer": "bayes.classifier",
    "SpectraError": "_base.errors",
}

if not TYPE_CHECKING:  # or any name would pass

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'spectra_lib' has no attribute {name!r}; it has {', '.join(__all__)}")
        return getattr(import_module(f"spectra_lib.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
