"""The published networks and their variants, one module for each publication; facts on them need no Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectra_lib.networks.building import build_logits, build_model
    from spectra_lib.networks.description import describe_model
    from spectra_lib.networks.facts import Network
    from spectra_lib.networks.models import list_models, network, resolve_options
    from spectra_lib.networks.registry import register_model, register_variant

_HOMES = {
    "Network": "facts",
    "build_logits": "building",
    "build_model": "building",
    "describe_model": "description",
    "list_models": "models",
    "network": "models",
    "register_model": "registry",
    "register_variant": "registry",
    "resolve_options": "models",
}

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


if not TYPE_CHECKING:  # or any name would pass

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            known = ", ".join(__all__)
            raise AttributeError(f"module 'spectra_lib.networks' has no attribute {name!r}; it has {known}")
        return getattr(import_module(f"spectra_lib.networks.{_HOMES[name]}"), name)
