"""Keep TensorFlow and Keras from importing JAX on the side wherever it is installed.

TensorFlow's converter for phones and a callback of Keras do so. It takes half a second and 100 MB of memory in every
process, for nothing. With JAX as Keras's backend, JAX is there before either is reached.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

ON_THE_SIDE = ("tensorflow", "keras.src.callbacks.orbax_checkpoint")
"""Modules that import JAX without need, and do without it if it is not there."""


class _NoJaxOnTheSide(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "jax" and any(map(_is_being_imported, ON_THE_SIDE)):
            raise ModuleNotFoundError("TensorFlow does without JAX here (spectra_lib._base.lean_tensorflow)", name=name)


def _is_being_imported(name: str) -> bool:
    return bool(getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False))


def keep_jax_out() -> None:
    """Refuse JAX to those who import it on the side; everyone else gets it.

    Examples
    --------
    >>> keep_jax_out()
    >>> sum(isinstance(finder, _NoJaxOnTheSide) for finder in sys.meta_path)
    1
    """
    if not any(isinstance(finder, _NoJaxOnTheSide) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoJaxOnTheSide())
