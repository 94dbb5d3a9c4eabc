"""A training run as a value: everything that determines its result, and nothing else."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationInfo, model_serializer, model_validator

from spectra_lib.names import Name
from spectra_lib.protocol import protocol
from spectra_lib.specification import DatasetSpec, Value, canonical_digest, dataset_spec, list_datasets

TRUSTED = {"resolved": True}
"""Validation context for specifications that were resolved before: the networks are not looked up."""


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
        SHA-256 of the file that defines a network from outside the package (`spectra_lib.plugins`); filled
        in by itself, and not written where there is none.

    Examples
    --------
    >>> RunSpec(dataset="challenge", model="cnn2", seed=0).run_id
    'challenge-cnn2-linear-paper-s0-05af9486'
    """

    dataset: str | DatasetSpec
    model: Name
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    hidden_activation: Literal["linear", "relu"] | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    protocol: str = "paper"
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    max_epochs: Annotated[int, Field(ge=1)] = 500
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3e-4
    source: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @model_serializer(mode="wrap")
    def _without_empty_source(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in write(self).items() if key != "source" or value is not None}

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> Self:
        protocol(self.protocol)
        if isinstance(self.dataset, DatasetSpec):
            if self.dataset.name in list_datasets() and dataset_spec(self.dataset.name) == self.dataset:
                object.__setattr__(self, "dataset", self.dataset.name)
        else:
            dataset_spec(self.dataset)
        if info.context is not TRUSTED:
            from spectra_lib.networks import resolve_options
            from spectra_lib.plugins import source_of

            activation, options = resolve_options(self.model, self.hidden_activation, self.options)
            object.__setattr__(self, "hidden_activation", activation)
            object.__setattr__(self, "options", {key: _plain(options[key]) for key in sorted(options)})
            source = source_of(self.model)
            if self.source not in (None, source):
                raise ValueError(
                    f"network {self.model!r} of this run is defined by a file of SHA-256 {self.source[:12]}..., but "
                    f"the one there is {f'has {source[:12]}...' if source else 'is built in'}; load that file instead"
                )
            object.__setattr__(self, "source", source)
        return self

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

    Examples
    --------
    >>> usual_rules()
    {'protocol': 'paper', 'precision': 'float32', 'max_epochs': 500, 'batch_size': 128, 'learning_rate': 0.0003}
    """
    names = ("protocol", "precision", "max_epochs", "batch_size", "learning_rate")
    return {name: RunSpec.model_fields[name].default for name in names}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
