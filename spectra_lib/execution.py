"""Which way of running a step is the fastest for each network, from measurements."""

from __future__ import annotations

from spectra_lib.backend import Execution


def fastest_execution(backend_name: str, model: str, precision: str) -> Execution | None:
    """Give the measured best way for a network; None where nothing was measured."""
    return None
