"""A table that sorts and filters itself in a static page."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


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

        Returns
        -------
        str
            Source in HTML, style and script included.

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
#{self.name} th, #{self.name} td {{ padding: 0.2rem 0.45rem; text-align: left; vertical-align: bottom; }}
#{self.name} td {{ white-space: nowrap; vertical-align: top; }}
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
