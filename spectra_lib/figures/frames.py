"""A row of precomputed pictures behind a slider, which works in a static page without a kernel."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from spectra_lib.figures.light_svg import lighten


@dataclass(frozen=True)
class Frames:
    """Pictures behind a slider; a notebook shows it as the value of a cell.

    Without scripts the first picture is shown.

    Attributes
    ----------
    name : str
        Identifier, unique in a page.
    slider : str
        What the slider chooses.
    pictures : tuple of (str, str, str)
        For each position of the slider: its label, the picture's alternative text, SVG source.
    """

    name: str
    slider: str
    pictures: tuple[tuple[str, str, str], ...]

    def _repr_html_(self) -> str:
        images = "\n".join(
            f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" '
            f'alt="{html.escape(alt, quote=True)}"{"" if number == 0 else " hidden"}>'
            for number, (_, alt, svg) in enumerate(self.pictures)
        )
        labels = "|".join(html.escape(label, quote=True) for label, _, _ in self.pictures)
        return f"""<div class="frames" id="{self.name}" data-labels="{labels}">
<label for="{self.name}-slider">{html.escape(self.slider)}:
<output>{html.escape(self.pictures[0][0])}</output></label>
<input type="range" id="{self.name}-slider" min="0" max="{len(self.pictures) - 1}" value="0">
{images}
</div>
<script>
(() => {{
  const box = document.getElementById("{self.name}");
  const labels = box.dataset.labels.split("|");
  const images = box.querySelectorAll("img");
  box.querySelector("input").addEventListener("input", (event) => {{
    images.forEach((image, number) => {{ image.hidden = number !== event.target.valueAsNumber; }});
    box.querySelector("output").textContent = labels[event.target.valueAsNumber];
  }});
}})();
</script>"""


def make_frames(name: str, slider: str, figures: Sequence[tuple[str, str, Figure]]) -> Frames:
    """Turn figures into the pictures of a slider, and close them.

    Parameters
    ----------
    name : str
        Identifier, unique in a page.
    slider : str
        What the slider chooses.
    figures : sequence of (str, str, Figure)
        Label, alternative text and figure for each position.

    Returns
    -------
    Frames
        Pictures as SVG, in the order given.

    Examples
    --------
    >>> from spectra_lib.figures.style import new_figure
    >>> make_frames("demo", "Class", [("class 0", "an empty figure", new_figure(1.0)[0])]).pictures[0][0]
    'class 0'
    """
    pictures = []
    for label, alt, figure in figures:
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
        plt.close(figure)
        pictures.append((label, alt, lighten(stream.getvalue())))
    return Frames(name, slider, tuple(pictures))
