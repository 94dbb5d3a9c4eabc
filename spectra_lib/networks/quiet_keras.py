"""Keras, and with it the backend, loaded without the lines in which TensorFlow tells how it was built."""

from __future__ import annotations

from spectra_lib._base.quiet_import import without_notes

with without_notes():
    import keras
    from keras import KerasTensor, layers, ops

__all__ = ["KerasTensor", "keras", "layers", "ops"]
