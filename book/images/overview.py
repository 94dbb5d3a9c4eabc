"""Draw the picture at the head of the README: ``.venv/bin/python book/images/overview.py``."""

from pathlib import Path

import spectra_lib as sl
from spectra_lib.figures import dataset as figures
from spectra_lib.figures import style

LABEL, PEAK = 246, 1

data = sl.make_dataset("benchmark")
position, height = data.fingerprints[LABEL].positions[PEAK], data.fingerprints[LABEL].heights[PEAK]
rows = {name: (data.split(name).labels == LABEL).nonzero()[0] for name in ("train", "test")}
peaks = {name: [data.split(name).peaks.peaks(row) for row in own] for name, own in rows.items()}
shaded = figures.around(position, data.spec.variation.position_shift)
with style.style():
    figure, (left, right) = style.new_figure(2.9, columns=2)
    figure.set_size_inches(9.5, 3.1)
    three = [*data.ideal.spectra([LABEL]), *data.train.spectra(rows["train"][:2])]
    figures.draw_spectra(left, three, ["ideal", "varied", "varied"], shaded)
    seen = {name: ([p[PEAK] for p, _ in own], [h[PEAK] for _, h in own]) for name, own in peaks.items()}
    figures.draw_peak_variation(right, seen, (position, height))
    figures.legend_above(left)
    figures.legend_above(right)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=130)
