"""The published networks and their variants, one module for each publication."""

from spectra_lib.quiet_import import without_notes

with without_notes():
    import keras  # noqa: F401

from spectra_lib.networks import ho2019, lee2020, liu2017, peaknet, schuetzke2023, szymanski2021, wang2020  # noqa: F401
from spectra_lib.networks.description import describe_model
from spectra_lib.networks.registry import (
    Network,
    build_logits,
    build_model,
    list_models,
    network,
    register_model,
    register_variant,
    resolve_options,
)
from spectra_lib.plugins import load_installed_plugins

__all__ = [
    "Network",
    "build_logits",
    "build_model",
    "describe_model",
    "list_models",
    "network",
    "register_model",
    "register_variant",
    "resolve_options",
]

load_installed_plugins()  # once the names above are there, which the plugins import
