"""A table that sorts and filters itself in a static page, and how the leaderboard reads."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from spectra_lib.figures.ceiling import method_label
from spectra_lib.leaderboard import BASELINE, NETWORK, OBSERVER, PUBLISHED

KIND_LABELS = {OBSERVER: "ideal observer", PUBLISHED: "network, published", NETWORK: "network, ours"}
"""How kinds read in a table, where they do not read as they are called."""

VARIED = "network, ours, varied"
"""How a network of ours reads whose options or training rules are not the usual ones."""


@dataclass(frozen=True)
class SortableTable:
    """A table whose columns sort on a click and whose rows can be filtered; a notebook shows it as the value of a cell.

    Needs neither kernel nor library. Without scripts it is a plain table in the order given.

    Attributes
    ----------
    name : str
        Identifier, unique in a page.
    caption : str
        What the table shows, as plain text.
    frame : DataFrame
        Cells as they shall read; those that begin with a number sort by it, a dash last.
    choices : str
        Column by whose values rows can be chosen.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    choices: str

    def _repr_mimebundle_(self, **_: Any) -> Mapping[str, str]:
        return {"text/plain": self.frame.to_string(index=False), "text/html": self.html()}

    def html(self) -> str:
        """Give the table with its controls and its script.

        Examples
        --------
        >>> frame = pd.DataFrame({"Method": ["A & B"], "Kind": ["old"], "Errors": ["1,200"]})
        >>> '<td data-value="1200.0">1,200</td>' in SortableTable("demo", "A demonstration.", frame, "Kind").html()
        True
        """
        columns = list(self.frame.columns)
        head = "".join(
            f'<th scope="col" aria-sort="none"><button type="button">{html.escape(column)}</button></th>'
            for column in columns
        )
        body = "\n".join(
            "<tr>" + "".join(map(_cell, row)) + "</tr>" for row in self.frame.itertuples(index=False, name=None)
        )
        kinds = list(dict.fromkeys(self.frame[self.choices]))
        options = "".join(f"<option>{html.escape(kind)}</option>" for kind in kinds)
        return f"""<div class="sortable" id="{self.name}">
<style>
#{self.name} {{ overflow-x: auto; }}
#{self.name} table {{ border-collapse: collapse; font-size: 0.85rem; }}
#{self.name} caption {{ text-align: left; caption-side: top; padding: 0.3rem 0; }}
#{self.name} th, #{self.name} td {{ padding: 0.2rem 0.6rem; text-align: left; white-space: nowrap; }}
#{self.name} tbody tr {{ border-top: 1px solid #d8d8d8; }}
#{self.name} th button {{ all: unset; cursor: pointer; font-weight: bold; }}
#{self.name} th button:focus-visible {{ outline: 2px solid #0072b2; }}
#{self.name} th[aria-sort=ascending] button::after {{ content: " \\25B2"; }}
#{self.name} th[aria-sort=descending] button::after {{ content: " \\25BC"; }}
#{self.name} .controls {{ display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; padding: 0.3rem 0; }}
</style>
<div class="controls" hidden>
<label>Show <select><option value="">everything</option>{options}</select></label>
<label>Name contains <input type="search" size="12"></label>
<output></output>
</div>
<table>
<caption>{html.escape(self.caption)}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
<script>
(() => {{
  const box = document.getElementById("{self.name}");
  const body = box.querySelector("tbody");
  const rows = [...body.rows];
  const heads = [...box.querySelectorAll("th")];
  const kind = {json.dumps(columns.index(self.choices))};
  const [select, search] = [box.querySelector("select"), box.querySelector("input")];
  const value = (row, column) => {{
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.value);
  }};
  const isMissing = (row, column) => row.cells[column].textContent === "\\u2013";
  const compare = (a, b) => typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : (typeof a === "number" ? -1 : 1);
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {{
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    rows.sort((a, b) => isMissing(a, column) - isMissing(b, column)
      || sign * compare(value(a, column), value(b, column)));
    body.append(...rows);
  }}));
  const filter = () => {{
    const wanted = search.value.trim().toLowerCase();
    rows.forEach((row) => {{
      row.hidden = (select.value !== "" && row.cells[kind].textContent !== select.value)
        || !row.cells[0].textContent.toLowerCase().includes(wanted);
    }});
    box.querySelector("output").textContent = `${{rows.filter((row) => !row.hidden).length}} of ${{rows.length}}`;
  }};
  select.addEventListener("change", filter);
  search.addEventListener("input", filter);
  box.querySelector(".controls").hidden = false;
  filter();
}})();
</script>
</div>"""


def _cell(value: object) -> str:
    text = str(value)
    number = re.match(r"[-−]?[\d,]*\.?\d+", text)
    attribute = f' data-value="{float(number[0].replace(",", "").replace("−", "-"))}"' if number else ""
    return f"<td{attribute}>{html.escape(text)}</td>"


def leaderboard_rows(board: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each method of `spectra_lib.leaderboard.make_leaderboard`, as it shall read.

    Examples
    --------
    >>> leaderboard_rows(pd.DataFrame(columns=["kind", "model"])).empty
    True
    """
    rows = []
    ceiling = [entry["test_errors"] for entry in board.to_dict("records") if entry["kind"] == OBSERVER]
    best = ceiling[0] if ceiling else None
    for entry in board.to_dict("records"):
        known: dict[str, Any] = {str(key): None if pd.isna(value) else value for key, value in entry.items()}
        errors = _number(known["test_errors"], 1)
        if known["runs"] and known["runs"] > 1:
            errors += f" ({_number(known['fewest'], 0)}–{_number(known['most'], 0)})"
        validation = _number(known["validation_errors"], 1)
        name = "Ideal observer" if known["kind"] == OBSERVER else method_label(known["model"], known["activation"])
        # Where a network from outside comes from stands among its options too, without a sign of equality.
        is_varied = known["kind"] == NETWORK and "=" in known["variant"]
        rows.append(
            {
                "Method": name,
                "Kind": VARIED if is_varied else KIND_LABELS.get(known["kind"], known["kind"]),
                "Test errors": errors,
                "Above ceiling": "–" if best is None else f"{known['test_errors'] - best:.1f}".replace("-", "−"),
                "Validation errors": validation,
                "Runs": _number(known["runs"], 0),
                "Weights": _number(known["parameters"], 0),
                "Multiply-adds (million)": "–" if known["multiply_adds"] is None else millions(known["multiply_adds"]),
                "Time to train": _time(known["seconds"]),
                "On": known["device"] or "–",
                "Options": known["variant"] or "–",
            }
        )
    return pd.DataFrame(rows)


def board_numbers(board: pd.DataFrame) -> dict[str, str]:
    """Give the numbers of a leaderboard that a text quotes.

    Returns
    -------
    dict of str to str
        ``ceiling``: expected errors of the ideal observer; ``n``: number of test spectra; ``ours``, ``published`` and
        ``classical``: the method of the kind that errs least, with its mean errors, and its runs if it is a network.

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> from spectra_lib.leaderboard import make_leaderboard
    >>> from spectra_lib.records import RunRecords
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
    return "–" if seconds is None else f"{seconds:,.1f} s"
