"""A training run as a value: everything that determines its result, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from spectra_lib._base.names import Name
from spectra_lib._base.values import Value, canonical_digest
from spectra_lib.datasets.named import DatasetOrName, dataset_spec
from spectra_lib.datasets.specification import DatasetSpec
from spectra_lib.networks.models import resolve_options
from spectra_lib.networks.plugins import source_of
from spectra_lib.runs.protocol import protocol

TRUSTED = {"resolved": True}
"""Validation context of records: they were resolved when they were made, and their networks need not be here."""


class RunSpec(Value):
    """What to train: the identity of a run.

    Attributes
    ----------
    dataset : str or DatasetSpec
        Name of a built-in dataset, or a specification. A specification equal to a built-in one
        becomes its name.
    model : str
        Name of a network.
    seed : int
        Seed of initial weights, dropout and the order of the training spectra.
    hidden_activation : {"linear", "relu"} or None
        Activation of the hidden fully-connected layers. Left out, it is the published one; a
        network without hidden layers has None.
    options : dict
        Options of the network that differ from its defaults.
    protocol : {"paper", "code"}
        Training protocol.
    precision : {"float32", "mixed_bfloat16"}
        Number format of the layers.
    max_epochs, batch_size : int
        At most so many epochs; spectra in a step.
    learning_rate : float
        Initial rate of Adam.
    source : str or None
        SHA-256 of the file that defines a network from outside the package (`spectra_lib.networks.plugins`); filled
        in by itself, and not written where there is none.

    Examples
    --------
    >>> RunSpec(dataset="challenge", model="cnn2", seed=0).run_id
    'challenge-cnn2-linear-paper-s0-05af9486'
    """

    dataset: DatasetOrName
    model: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    hidden_activation: Literal["linear", "relu"] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    protocol: str = "paper"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    max_epochs: Annotated[int, Field(ge=1)] = 500
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-4
    source: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = Field(default=None, validate_default=True)

    @model_serializer(mode="wrap")
    def _without_empty_source(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if key != "source" or value is not None}

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: Any, info: ValidationInfo) -> Any:
        """Fill in the published activation, and leave out options that are at their defaults."""
        if not isinstance(data, Mapping) or info.context is TRUSTED:
            return data
        model, activation, options = (data.get(key) for key in ("model", "hidden_activation", "options"))
        if not isinstance(model, str) or activation not in (None, "linear", "relu") or not _is_options(options):
            return data  # what is wrong with it, the field itself says
        activation, changed = resolve_options(model, activation, options or {})
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in sorted(changed.items())}
        return {**data, "hidden_activation": activation, "options": plain}

    @field_validator("protocol")
    @classmethod
    def _is_known(cls, name: str) -> str:
        return protocol(name).name

    @field_validator("source")
    @classmethod
    def _is_loaded(cls, given: str | None, info: ValidationInfo) -> str | None:
        """Fill in the hash of the file that defines the network, and refuse that of another file."""
        if info.context is TRUSTED or "model" not in info.data:
            return given
        model, loaded = info.data["model"], source_of(info.data["model"])
        if given not in (None, loaded):
            raise ValueError(
                f"network {model!r} of this run is defined by a file of SHA-256 {given[:12]}..., but "
                f"the one there is {f'has {loaded[:12]}...' if loaded else 'is built in'}; load that file instead"
            )
        return loaded

    @property
    def dataset_spec(self) -> DatasetSpec:
        """The dataset's specification."""
        return self.dataset if isinstance(self.dataset, DatasetSpec) else dataset_spec(self.dataset)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the specification; fields at their defaults, and the number of fresh spectra, do not enter."""
        data = self.model_dump(mode="json", exclude_defaults=True)
        if isinstance(self.dataset, DatasetSpec):
            data["dataset"] = self.dataset.identity()
        return canonical_digest(data)

    @property
    def run_id(self) -> str:
        """A readable and unique name: dataset, network, activation, protocol, seed, digest."""
        activation = self.hidden_activation or "none"
        return f"{self.dataset_spec.name}-{self.model}-{activation}-{self.protocol}-s{self.seed}-{self.digest[:8]}"


def usual_rules() -> dict[str, Any]:
    """Give the rules of training beside network, data and seed, as all runs have them that are compared.

    Returns
    -------
    dict of str to object
        Defaults of `RunSpec` by field.

    Examples
    --------
    >>> usual_rules()
    {'protocol': 'paper', 'precision': 'float32', 'max_epochs': 500, 'batch_size': 128, 'learning_rate': 0.0003}
    """
    names = ("protocol", "precision", "max_epochs", "batch_size", "learning_rate")
    return {name: RunSpec.model_fields[name].default for name in names}


def _is_options(value: object) -> bool:
    return value is None or (isinstance(value, Mapping) and all(isinstance(key, str) for key in value))
