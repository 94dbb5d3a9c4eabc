"""The leaderboard, the ceiling's figures and the table that sorts itself, without runs, with few and with many."""

import json
import subprocess
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from spectra_lib.analysis.leaderboard import BASELINE, NETWORK, OBSERVER, PUBLISHED, make_leaderboard
from spectra_lib.baselines import measure_baseline
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.datasets.dataset import Dataset, make_dataset
from spectra_lib.figures import ceiling as figures
from spectra_lib.figures.leaderboard import VARIED, leaderboard_rows
from spectra_lib.figures.sortable_table import SortableTable
from spectra_lib.figures.style import new_figure
from spectra_lib.runs.record import RunRecord, data_digests
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import TRUSTED, RunSpec


@pytest.fixture(scope="module")
def smoke() -> Dataset:
    return make_dataset("smoke")


def record(dataset: Dataset, errors: int, **fields: object) -> RunRecord:
    """Make up a sound record with so many test errors."""
    base = {"dataset": dataset.spec, "model": "cnn2", "hidden_activation": "linear", "max_epochs": 1}
    spec = RunSpec.model_validate(base | fields, context=TRUSTED)
    wrong = dataset.test.labels.copy()
    wrong[:errors] = (wrong[:errors] + 1) % dataset.spec.n_classes
    answers = {"validation": dataset.validation.labels, "test": wrong}
    session = {
        "started": "2026-01-01",
        "first_epoch": 0,
        "machine": "m",
        "device": "d",
        "backend": "tensorflow",
        "execution": "graph",
        "versions": {},
        "commit": "c",
    }
    data = {
        "schema_version": 1,
        "spec": spec.model_dump(),
        "digest": spec.digest,
        "data_digests": data_digests(dataset),
        "sessions": [session],
        "history": {key: [0.5] for key in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds")}
        | {"learning_rate": [3e-4]},
        "kept_epoch": 0,
        "ended": "max_epochs",
        "train": {"n": len(dataset.train), "errors": 0, "loss": 0.1},
        "validation": {"n": len(dataset.validation), "errors": 0, "loss": 0.1},
        "test": {"n": len(dataset.test), "errors": errors, "loss": 0.1},
        "reevaluation_gap": 0.0,
        "probes": {},
        "weights_sha256": "0",
        "wall_seconds": 10.0 + errors,
        "peak_memory_bytes": 1,
    }
    for name, labels in answers.items():
        data[f"{name}_predictions"] = {"labels": labels.tolist(), "probabilities": [1.0] * len(labels)}
    made = RunRecord.model_validate(data, context=TRUSTED)
    assert made.faults(dataset) == []
    return made


def test_times_are_those_of_one_device(smoke: Dataset):
    def on(errors: int, *devices: str) -> RunRecord:
        made = record(smoke, errors, seed=errors)
        (session,) = made.sessions
        sessions = tuple(session.model_copy(update={"device": device}) for device in devices)
        return made.model_copy(update={"sessions": sessions, "peak_memory_bytes": 10**9 * errors})

    runs = on(1, "slow"), on(3, "fast"), on(5, "fast"), on(9, "slow", "fast")
    board = make_leaderboard(smoke, RunRecords(runs))
    row = board[board.kind == NETWORK].iloc[0]
    assert (row.runs, row.test_errors, row.device, row.seconds, row.memory_bytes) == (4, 4.5, "fast", 14.0, 4e9)
    assert leaderboard_rows(board)["Memory (GB)"].tolist() == ["–", "4.0"]
    moved = make_leaderboard(smoke, RunRecords(runs[3:]))
    assert moved[moved.kind == NETWORK][["device", "seconds", "memory_bytes"]].isna().all(axis=None)


def test_runs_that_differ_in_the_seed_share_a_row(smoke: Dataset):
    runs = [record(smoke, errors, seed=seed) for seed, errors in enumerate((2, 4, 9))]
    runs.append(record(smoke, 1, seed=0, options={"pool_1": [3, 3]}))
    runs.append(record(smoke, 7, model="gone", hidden_activation=None))
    broken = runs[0].model_copy(update={"test": runs[0].test.model_copy(update={"errors": 0})})
    elsewhere = record(make_dataset(smoke.spec.model_copy(update={"name": "other"})), 0)
    board = make_leaderboard(smoke, RunRecords((*runs, broken, elsewhere)), [measure_baseline("cosine", smoke)])
    assert board.test_errors.is_monotonic_increasing
    networks = board[board.kind == NETWORK].set_index("model")
    cnn2 = networks.loc["cnn2"]
    usual = cnn2[~cnn2.variant.str.contains("pool")].iloc[0]
    assert (usual.test_errors, usual.fewest, usual.most, usual.runs, usual.seconds) == (5, 2, 9, 3, 14.0)
    assert usual.parameters > 1e6
    assert usual.variant == "max_epochs=1"
    assert pd.isna(networks.loc["gone"].parameters)
    assert board.kind.value_counts().to_dict() == {NETWORK: 3, OBSERVER: 1, BASELINE: 1}
    rows = leaderboard_rows(board).set_index("Method")
    assert rows.loc["CNN2 (linear)", "Test errors"].tolist() == ["1", "5.0 (2–9)"]
    assert rows.loc["gone", "Parameters"] == "–"
    assert set(rows.loc["CNN2 (linear)", "Kind"]) == {VARIED}
    assert rows.loc["Bayes classifier", ["Test errors", "Runs", "Time to train"]].tolist() == ["0.0", "–", "–"]


def test_a_small_network_has_its_costs(smoke: Dataset):
    fields = {"model": "peaknet", "hidden_activation": None}
    board = make_leaderboard(smoke, RunRecords((record(smoke, 0, **fields), record(smoke, 1, **fields, seed=1))))
    board.loc[board.kind == NETWORK, "seconds"] = 48.25
    (row,) = leaderboard_rows(board).query("Method == 'PeakNet'").to_dict("records")
    assert (row["Method"], row["Test errors"], row["Runs"]) == ("PeakNet", "0.5 (0–1)", "2")
    weights, multiply_adds = 3 * 16 + 8, (4 * 12 + 12) * 16
    assert row["Parameters"] == f"{weights}"
    assert float(row["Multiply-adds (million)"]) == pytest.approx(multiply_adds / 1e6)
    assert row["Time to train"] == "48 s"


def test_published_runs_stand_beside_ours(challenge: Dataset):
    board = make_leaderboard(challenge, RunRecords(()))
    theirs = board[board.kind == PUBLISHED].set_index(["model", "activation"])
    assert theirs.loc[("cnn6", "relu")].test_errors == 27
    assert theirs.loc[("cnn2", "linear")].parameters == 18_913_755
    rows = leaderboard_rows(board).set_index("Method")
    assert rows.loc["CNN6 (ReLU)", "Above Bayes"].startswith("−")
    assert rows.loc["CNN6 (ReLU)", "Options"] == "protocol=code"


@pytest.mark.parametrize("n_runs", [0, 3])
def test_figures_with_and_without_runs(smoke: Dataset, n_runs: int):
    runs = RunRecords(tuple(record(smoke, 3 * seed, seed=seed, max_epochs=1) for seed in range(n_runs)))
    board = make_leaderboard(smoke, runs, [measure_baseline("cosine", smoke)] if n_runs else [])
    board.loc[board.variant == "max_epochs=1", "variant"] = ""  # as if it were a usual run
    figure, (axes,) = new_figure(3)
    figures.draw_against_ceiling(axes, board, "Errors")
    figure.canvas.draw()
    assert [text.get_text() for text in axes.get_yticklabels()] == (["Cosine", "CNN2 (linear)"] if n_runs else [])
    assert axes.get_legend().get_texts()[-1].get_text() == "Bayes classifier, expected"
    plt.close(figure)


def test_figures_of_the_ceiling():
    figure, (a, b, c) = new_figure(6, rows=3)
    x = np.linspace(0, 1, 11)
    figures.draw_likelihoods(a, x, [x, 1 - x], ["class 1", "class 2"])
    figures.draw_posterior(b, x, np.where(x < 0.9, 0.5, np.nan), [x[:2], x[2:3]], "Height")
    figures.draw_ranges(c, [10, 15, 40], 4, [[9, 11], [14], [40]], ["1", "2", "3"], "Position")
    figure.canvas.draw()
    assert len(c.patches) == 1  # the first two ranges overlap, the last does not
    plt.close(figure)


def test_ceiling_counts_ties_and_their_spread(challenge: Dataset):
    found = bayes_classifier(challenge).ceiling(challenge.test)
    assert found.tied == 72
    assert found.spread == pytest.approx(np.sqrt(72 / 4))


def test_table_sorts_by_number_and_filters(tmp_path: Path):
    """Run the table's own script on a stand-in for the page."""
    frame = pd.DataFrame(
        [("B", "old", "1,200 (3–9)"), ("A<b>", "new", "–"), ("c", "old", "−3.5"), ("D", "new", "20")],
        columns=["Method", "Kind", "Errors"],
    )
    page = SortableTable("board", "Caption & text.", frame, "Kind").html()
    assert "<td>A&lt;b&gt;</td>" in page
    assert "<caption>Caption &amp; text.</caption>" in page
    assert '<td data-value="1200.0">1,200 (3–9)</td>' in page
    assert 'class="controls" hidden' in page  # controls that would do nothing without scripts are not shown
    script = """<script>
addEventListener("load", () => {
  const rows = () => [...document.querySelectorAll("tbody tr")].filter((row) => !row.hidden);
  const names = () => rows().map((row) => row.cells[0].textContent);
  const buttons = document.querySelectorAll("th button");
  const seen = [names()];
  buttons[2].click(); seen.push(names());
  buttons[2].click(); seen.push(names());
  buttons[0].click(); seen.push(names());
  const select = document.querySelector("select");
  select.value = "old"; select.dispatchEvent(new Event("change")); seen.push(names());
  const search = document.querySelector("input");
  search.value = "B"; search.dispatchEvent(new Event("input")); seen.push(names());
  document.body.textContent = JSON.stringify(seen);
});
</script>"""
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta charset=utf-8><body>{page}{script}</body>", encoding="utf-8")
    try:
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", file.as_uri()],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("no Chromium to run the script in")
    seen = json.loads(
        done.stdout.partition("<body>")[2].partition("</body>")[0].replace("&lt;", "<").replace("&gt;", ">")
    )
    assert seen == [
        ["B", "A<b>", "c", "D"],
        ["c", "D", "B", "A<b>"],
        ["B", "D", "c", "A<b>"],
        ["A<b>", "B", "c", "D"],
        ["B", "c"],
        ["B"],
    ]
