"""Where and how the runs were done, as tables; and how far the campaign is, as a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from spectra_lib.experiments.progress import Planned, State
from spectra_lib.figures.style import BLUE, PALE
from spectra_lib.runs.judgement import failure_text
from spectra_lib.runs.record import RunRecord
from spectra_lib.runs.records import RunRecords

COLUMNS = (
    "Run",
    "Epochs",
    "Best epoch",
    "Minutes",
    "Sessions",
    "Device",
    "Backend",
    "Execution",
    "Versions",
    "Commit",
    "Failed to converge",
)


def run_rows(records: RunRecords) -> pd.DataFrame:
    """One row for each record: epochs, time, and what it was made with.

    Parameters
    ----------
    records : RunRecords
        Any records.

    Returns
    -------
    DataFrame
        Columns are `COLUMNS`; epochs count from 1, times in minutes.
    """
    rows = []
    for record in records:
        last = record.sessions[-1]
        versions = f"Keras {last.versions.get('keras', '?')}, {last.backend} {last.versions.get(last.backend, '?')}"
        rows.append(
            (
                record.spec.run_id,
                len(record.history),
                record.kept_epoch + 1,
                f"{record.wall_seconds / 60:.1f}",
                len(record.sessions),
                last.device,
                f"{last.backend}, {record.spec.precision}",
                last.execution,
                versions,
                last.commit[:10] + ("+" if last.commit.endswith("+changes") else ""),
                failure_text(record),
            )
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def machine_rows(records: RunRecords) -> pd.DataFrame:
    """One row for each device and backend: how many runs, networks, epochs, spectra trained on, and hours.

    Hours of runs that shared a device are counted for each of them.

    Parameters
    ----------
    records : RunRecords
        Any records.

    Returns
    -------
    DataFrame
        Most runs first.
    """
    found: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        found.setdefault((record.sessions[-1].device, record.sessions[-1].backend), []).append(record)
    rows = []
    for (device, backend), runs in sorted(found.items(), key=lambda item: -len(item[1])):
        epochs = sum(len(run.history) for run in runs)
        work = sum(run.spec.dataset_spec.n_classes * run.spec.dataset_spec.n_train * len(run.history) for run in runs)
        hours = sum(run.wall_seconds for run in runs) / 3600
        networks = len({run.spec.model for run in runs})
        rows.append((device, backend, len(runs), networks, f"{epochs:,}", f"{work / 1e6:.1f}", f"{hours:.1f}"))
    return pd.DataFrame(
        rows, columns=["Device", "Backend", "Runs", "Networks", "Epochs", "Spectra (millions)", "Sum of hours"]
    )


def check_rows(records: RunRecords) -> pd.DataFrame:
    """One row for each record: what was checked, and what was found.

    Parameters
    ----------
    records : RunRecords
        Any records; their datasets are made.

    Returns
    -------
    DataFrame
        Faults are text, "none" for a sound record.
    """
    from spectra_lib.datasets.dataset import make_dataset

    specs = {record.spec.dataset_spec.digest: record.spec.dataset_spec for record in records}
    datasets = {digest: make_dataset(spec) for digest, spec in specs.items()}
    rows = []
    for record in records:
        faults = record.faults(datasets[record.spec.dataset_spec.digest])
        gap = "not finite" if record.reevaluation_gap is None else f"{record.reevaluation_gap:.1e}"
        rows.append((record.spec.run_id, record.weights_sha256[:12], gap, "; ".join(faults) or "none"))
    return pd.DataFrame(rows, columns=["Run", "Weights (SHA-256)", "Re-evaluation gap", "Faults"])


def draw_progress(axes: Axes, rows: Sequence[Planned], figures: Sequence[tuple[str, int, int]]) -> None:
    """Draw for the whole campaign and for each figure how many of its runs are done.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    rows : sequence of Planned
        Runs of the campaign with their states.
    figures : sequence of (str, int, int)
        Name of each figure, its runs that are done, and all its runs.
    """
    done = sum(row.state == State.DONE for row in rows)
    bars = [("the whole campaign", done, len(rows)), *figures]
    places = np.arange(len(bars))[::-1]
    wanted = np.array([total for _, _, total in bars])
    axes.barh(places, wanted, color=PALE, height=0.6)
    axes.barh(places, [count for _, count, _ in bars], color=BLUE, height=0.6)
    for place, (name, count, total) in zip(places, bars, strict=True):
        axes.text(0, place + 0.34, f"{name}: {count} of {total}", va="bottom", fontsize=9)
    axes.set(xlabel="Runs", yticks=[], ylim=(-0.6, len(bars)), xlim=(0, None))
    axes.spines["left"].set_visible(False)
