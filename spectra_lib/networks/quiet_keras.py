"""Keras, and with it the backend, loaded without what nobody asked for.

TensorFlow's converter for phones and a callback of Keras import JAX wherever it is installed, which takes half a second
and 100 MB of memory in every process; they do without if it is not there. TensorFlow tells how it was built.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import cast

from spectra_lib._base.quiet_import import without_notes


@contextmanager
def _without_jax() -> Iterator[None]:
    """Let JAX seem not to be there, unless it is the backend or was imported before."""
    if "jax" in sys.modules or _chosen_backend() == "jax":
        yield
        return
    sys.modules["jax"] = cast(ModuleType, None)  # what the import system takes for "there is no such module"
    try:
        yield
    finally:
        del sys.modules["jax"]


def _chosen_backend() -> str:
    """Name of the backend in the environment, or in Keras's own file of settings."""
    settings = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"), "keras.json")
    try:
        return os.environ.get("KERAS_BACKEND") or str(json.loads(settings.read_text(encoding="utf-8"))["backend"])
    except (OSError, RuntimeError, ValueError, LookupError, TypeError):
        return "tensorflow"


with without_notes(), _without_jax():
    import keras
    from keras import KerasTensor, layers, ops

__all__ = ["KerasTensor", "keras", "layers", "ops"]
