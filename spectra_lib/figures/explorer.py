"""An explorer of a dataset's classes for a live notebook, made of ipywidgets."""

from __future__ import annotations

import os

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np

from spectra_lib.dataset import Dataset
from spectra_lib.figures.dataset import draw_fingerprint, draw_stacked
from spectra_lib.figures.style import new_figure
from spectra_lib.peaks import PeakTable
from spectra_lib.spectra import render


def someone_can_move_sliders() -> bool:
    """Whether the kernel belongs to a Jupyter server, as in JupyterLab.

    Papermill's does not, and widgets may wait there for an answer that never comes.

    Examples
    --------
    >>> someone_can_move_sliders()
    False
    """
    return "JPY_SESSION_NAME" in os.environ  # set by the server for the kernel of a notebook


def class_explorer(dataset: Dataset, label: int = 0) -> widgets.Widget:
    """Show a class and let the reader move its peaks.

    Sliders choose the class, a common shift of all positions, a common change of all heights and the
    width of the peaks. Drawn are the fingerprint with the range over which its peaks may shift, and below it
    the ideal spectrum (blue) and the moved one.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    label : int
        Class shown first.

    Returns
    -------
    ipywidgets.Widget

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> class_explorer(make_dataset("smoke"))  # doctest: +SKIP
    """
    spec = dataset.spec
    law = spec.variation

    def show(label: int, shift: int, change: float, width: float) -> None:
        fingerprint = dataset.fingerprints[label]
        positions = np.clip(np.array(fingerprint.positions) + shift, 0, spec.n_points - 1)
        heights = np.clip(np.array(fingerprint.heights) + change, 0.0, None)
        spectrum = render(PeakTable.from_lists([positions], [heights], [width]), spec.n_points)
        _, (above, below) = new_figure(4.6, rows=2, sharex=True)
        draw_fingerprint(above, fingerprint, spec.n_points, law.position_shift)
        draw_stacked(below, np.vstack([dataset.ideal.spectra([label]), spectrum]))
        below.set_xlabel("Position (points)")
        plt.show()

    low, high = law.width_range
    return widgets.interactive(
        show,
        label=widgets.IntSlider(label, 0, spec.n_classes - 1, description="Class"),
        shift=widgets.IntSlider(0, -law.position_shift, law.position_shift, description="Shift"),
        change=widgets.FloatSlider(
            value=0.0, min=-law.height_change, max=law.height_change, step=0.01, description="Height"
        ),
        width=widgets.FloatSlider(value=spec.test.width, min=low, max=high, step=0.1, description="Width"),
    )
