#!/usr/bin/env bash
# jcamp shortens runs of more than ten equal values in JCAMP-DX files; nmrglue decodes them, but not from infrared.
#
# In the compressed form DIFDUP a count of repetitions may have several digits, of which the first one is a letter: S5
# is 15. jcamp takes S alone for the count and reads the 5 as more digits of the difference that is repeated. A run of
# 16 points in a spectrum comes back as 2, and the values after it, up to the end of the line, are off by 5. Flat runs
# are what the form was made for: spectra cut off below a threshold, saturated bands, zero filling. jcamp prints on standard
# output that lengths differ, raises nothing, and returns x and y of different lengths; code that makes the axis anew
# from len(y) moves every band. Runs of up to ten points, as in small test files, are right.
# nmrglue decodes the same lines rightly, but looks at blocks of NMR alone: for DATA TYPE "INFRARED SPECTRUM" or "RAMAN
# SPECTRUM" it warns that there are no data and returns None for them.
# What helps: compare len(y) with NPOINTS; or let nmrglue decode, with DATA TYPE changed to "NMR SPECTRUM" in a copy.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    jcamp==1.3.2 nmrglue==0.12 numpy==2.4.6 scipy==1.17.1

cat > "$folder/runs.py" <<'PYTHON'
import contextlib
import io
import sys
import warnings
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import jcamp
import nmrglue
import numpy as np

print(", ".join(f"{name} {version(name)}" for name in ("jcamp", "nmrglue", "numpy")))
path = Path(sys.argv[1]) / "spectrum.jdx"


def digits(number, zero, positive, negative):
    """The number with its sign and first digit as one letter."""
    text = str(abs(number))
    return (zero if number == 0 else (positive if number > 0 else negative)[int(text[0]) - 1]) + text[1:]


def difdup(y, repeat):
    """One line of data and the check line that ends the form."""
    line = "400" + digits(y[0], "@", "ABCDEFGHI", "abcdefghi")
    for step, group in groupby(b - a for a, b in zip(y[:-1], y[1:])):
        count = len(list(group))
        letters = digits(step, "%", "JKLMNOPQR", "jklmnopqr")
        if repeat and count > 1:
            line += letters + digits(count, "", "STUVWXYZs", "")
        else:
            line += letters * count
    return [line, f"{400 + len(y) - 1}" + digits(y[-1], "@", "ABCDEFGHI", "abcdefghi")]


def write(y, data_type, repeat=True):
    path.write_text(
        "\n".join(
            [
                "##TITLE=two flat runs and a band", "##JCAMP-DX=4.24", f"##DATA TYPE={data_type}", "##ORIGIN=made", "##OWNER=public",
                "##XUNITS=1/CM", "##YUNITS=ABSORBANCE", "##FIRSTX=400", f"##LASTX={400 + len(y) - 1}", "##DELTAX=1",
                "##XFACTOR=1", "##YFACTOR=0.001", f"##NPOINTS={len(y)}", f"##FIRSTY={y[0] * 0.001}",
                "##XYDATA=(X++(Y..Y))", *difdup(y, repeat), "##END=", "",
            ]
        )
    )  # fmt: skip


same = True
for flat in (5, 10, 11, 16, 40):
    y = [0] * flat + [7, 40, 95, 40, 7] + [0] * flat
    true = np.array(y) * 0.001
    write(y, "INFRARED SPECTRUM")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        read = jcamp.readfile(str(path))
    write(y, "INFRARED SPECTRUM", repeat=False)
    plain = jcamp.readfile(str(path))["y"]
    write(y, "NMR SPECTRUM")
    _, peer = nmrglue.jcampdx.read(str(path))
    print(f"  runs of {flat:2}, {difdup(y, True)[0]}: {len(y)} points; nmrglue, as NMR, right: {np.allclose(peer, true)}")
    print(f"    jcamp: len(x) {len(read['x'])}, len(y) {len(read['y'])}, highest {1000 * read['y'].max():.0f}, last {1000 * read['y'][-1]:.0f}")
    same &= len(peer) == len(y) and np.allclose(peer, true) and np.allclose(plain, true)
    if flat <= 10:
        same &= len(read["y"]) == len(y) and np.allclose(read["y"], true) and not printed.getvalue()
    else:
        same &= len(read["x"]) == len(y) and len(read["y"]) < len(y) and "Mismatch of array lengths" in printed.getvalue()
    if flat == 16:
        same &= np.allclose(1000 * read["y"], [0, 5, 12, 45, 100, 45, 12, 5, 10])
for data_type in ("INFRARED SPECTRUM", "RAMAN SPECTRUM"):
    write(y, data_type)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        _, data = nmrglue.jcampdx.read(str(path))
    messages = [str(w.message) for w in caught]
    print(f"  nmrglue of {data_type}: {data}, {messages}")
    same &= data is None and len(messages) == 1 and "no data found" in messages[0]
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/runs.py" "$folder"
