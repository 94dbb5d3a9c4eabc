"""Classical baselines: what can be had without a network, on the same spectra and in the same tables."""

from spectra_lib.baselines import forest, linear, peak_matchers, similarity  # noqa: F401
from spectra_lib.baselines.registry import Baseline, fit_baseline, list_baselines, register_baseline
from spectra_lib.baselines.result import BaselineResult, baseline_table, measure_baseline
from spectra_lib.baselines.store import load_results, measure_in_fresh_process, save_result

__all__ = [
    "Baseline",
    "BaselineResult",
    "baseline_table",
    "fit_baseline",
    "list_baselines",
    "load_results",
    "measure_baseline",
    "measure_in_fresh_process",
    "register_baseline",
    "save_result",
]
