"""How the leaderboard reads."""

from __future__ import annotations

from typing import Any

import pandas as pd

from spectra_lib.analysis.leaderboard import BASELINE, NETWORK, OBSERVER, PUBLISHED
from spectra_lib.figures.rows import method_label

KIND_LABELS = {OBSERVER: "Bayes classifier", PUBLISHED: "published", NETWORK: "ours"}
"""How kinds read in a table, where they do not read as they are called."""

VARIED = "ours, varied"
"""How a network of ours reads whose options or training rules are not the usual ones."""


def leaderboard_rows(board: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each method of `spectra_lib.analysis.leaderboard.make_leaderboard`, as it shall read.

    Parameters
    ----------
    board : DataFrame
        A row for each method.

    Returns
    -------
    DataFrame
        Errors are counts (mean, and range of several runs), memory in GB.

    Examples
    --------
    >>> from spectra_lib.analysis.leaderboard import make_leaderboard
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.runs.records import RunRecords
    >>> rows = leaderboard_rows(make_leaderboard(make_dataset("challenge"), RunRecords(()))).set_index("Method")
    >>> rows.loc["CNN6 (ReLU)", ["Kind", "Test errors", "Above Bayes"]].tolist()
    ['published', '27.0 (21–35)', '−9.0']
    """
    rows = []
    ceiling = [entry["test_errors"] for entry in board.to_dict("records") if entry["kind"] == OBSERVER]
    best = ceiling[0] if ceiling else None
    for entry in board.to_dict("records"):
        known: dict[str, Any] = {str(key): None if pd.isna(value) else value for key, value in entry.items()}
        digits = 0 if known["runs"] == 1 else 1
        errors = _number(known["test_errors"], digits)
        if known["runs"] and known["runs"] > 1:
            errors += f" ({_number(known['fewest'], 0)}–{_number(known['most'], 0)})"
        validation = _number(known["validation_errors"], digits)
        name = "Bayes classifier" if known["kind"] == OBSERVER else method_label(known["model"], known["activation"])
        failed = f"{known['failed']:.0f} of its runs failed to converge" if known["failed"] else ""
        # Where a network from outside comes from stands among its options too, without a sign of equality.
        is_varied = known["kind"] == NETWORK and "=" in known["variant"]
        rows.append(
            {
                "Method": name,
                "Kind": VARIED if is_varied else KIND_LABELS.get(known["kind"], known["kind"]),
                "Test errors": errors,
                "Above Bayes": "–" if best is None else f"{known['test_errors'] - best:,.1f}".replace("-", "−"),
                "Validation errors": validation,
                "Runs": _number(known["runs"], 0),
                "Parameters": _number(known["parameters"], 0),
                "Multiply-adds (million)": "–" if known["multiply_adds"] is None else millions(known["multiply_adds"]),
                "Time to train": _time(known["seconds"]),
                "Memory (GB)": "–" if known["memory_bytes"] is None else f"{known['memory_bytes'] / 1e9:.1f}",
                "On": known["device"] or "–",
                "Options": ", ".join(filter(None, (known["variant"], failed))) or "–",
            }
        )
    return pd.DataFrame(rows)


def board_numbers(board: pd.DataFrame) -> dict[str, str]:
    """Give the numbers of a leaderboard that a text quotes.

    Parameters
    ----------
    board : DataFrame
        As `spectra_lib.analysis.leaderboard.make_leaderboard` gives it.

    Returns
    -------
    dict of str to str
        ``ceiling``: expected errors of the Bayes classifier; ``n``: number of test spectra; ``ours``, ``published`` and
        ``classical``: the method of the kind that errs least, with its mean errors, and its runs if it is a network.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> from spectra_lib.analysis.leaderboard import make_leaderboard
    >>> from spectra_lib.runs.records import RunRecords
    >>> numbers = board_numbers(make_leaderboard(make_dataset("challenge"), RunRecords(())))
    >>> numbers["ceiling"], numbers["n"], numbers["published"], numbers["ours"]
    ('36.0', '162', 'CNN6 (ReLU) with 27.0 (5 runs)', 'none yet')
    """
    observer = board[board.kind == OBSERVER].iloc[0]
    kinds = {"ours": NETWORK, "published": PUBLISHED, "classical": BASELINE}
    return {
        "ceiling": f"{observer.test_errors:.1f}",
        "n": f"{observer.test_n:,.0f}",
        **{key: _best(board[board.kind == kind]) for key, kind in kinds.items()},
    }


def _best(own: pd.DataFrame) -> str:
    if own.empty:
        return "none yet"
    row = own.loc[own.test_errors.idxmin()]
    name = method_label(row.model, row.activation if isinstance(row.activation, str) else None)
    runs = "" if row.kind == BASELINE else f" ({row.runs:.0f} run{'' if row.runs == 1 else 's'})"
    return f"{name} with {row.test_errors:.1f}{runs}"


def millions(number: float) -> str:
    """Write a number in millions, small ones with two digits that count.

    Parameters
    ----------
    number : float
        The number itself, not in millions.

    Returns
    -------
    str
        Without a unit.

    Examples
    --------
    >>> millions(985_600_000), millions(120_000), millions(6_480)
    ('985.6', '0.12', '0.0065')
    """
    value = number / 1e6
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 0.05:
        return "< 0.1 s"
    return f"{seconds:,.{0 if seconds >= 10 else 1}f} s"
