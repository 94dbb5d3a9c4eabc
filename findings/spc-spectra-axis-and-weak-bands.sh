#!/usr/bin/env bash
# spc-spectra reads some SPC files wrongly and without a word: weak spectra 2, 4, 8 ... times too high, masses as 8,000.
#
# SPC is the format of Galactic's GRAMS, in which infrared, Raman and mass spectrometers export. Intensities are integers
# with one power of two for all, a signed byte. spc-spectra takes the byte as unsigned, and a negative power, that of a
# spectrum below 0.25, as 0: one with a highest absorbance of 0.05 comes out eight times as high, of 0.004 64 times.
# In a file of several spectra this meets the weak ones alone, so that a series in time or concentration is no longer one.
# Where a spectrum has its own x values (flags TXYXYS and TXVALS, always floating point), they are read as integers and
# scaled like intensities. Floats in order, read as integers, stay in order, so a plot still looks like a spectrum, on
# an axis that is stretched like a logarithm. The samples m_evenz.spc and ms.spc that circulate with the format show
# both. The reader spc-io is right on all of them.
# What helps: spc-io; or, with spc-spectra, multiply by 2.0 ** (exponent - 256) where an exponent of 129 or more is kept
# in fexp (one spectrum) or sub[i].subexp (several).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" --only-binary :all: spc-io==0.2.1 numpy==2.4.6 pandas==3.1.1 setuptools==84.2.1 wheel==0.48.0
"${pip[@]}" --no-build-isolation --no-deps spc-spectra==0.4.0

cat > "$folder/spc.py" <<'PYTHON'
import contextlib
import io
import struct
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import spc_io
from spc_spectra import File

print(", ".join(f"{name} {version(name)}" for name in ("spc-spectra", "spc-io", "numpy")))
path = Path(sys.argv[1]) / "spectrum.spc"
TMULTI, TXYXYS, TXVALS = 4, 64, 128
WAVENUMBER, MASS, ABSORBANCE, COUNTS = 1, 9, 2, 4
DATE = 2020 << 20 | 1 << 16 | 1 << 11


def header(flags, exponent, points, first, last, spectra, x_type, y_type):
    head = struct.pack("<BBBbIddI", flags, 0x4B, 0, exponent, points, first, last, spectra)
    return (head + struct.pack("<BBBBI", x_type, y_type, 0, 0, DATE)).ljust(512, b"\0")


def subheader(exponent, index, points=0):
    return struct.pack("<BbHfffIIf4x", 0, exponent, index, float(index), float(index + 1), 0.0, points, 0, 0.0)


def exponent_of(y):
    """The least power of two that has every value below half of it, as 32-bit fractions have to be."""
    return int(np.floor(np.log2(np.abs(y).max()))) + 2


def integers(y, exponent):
    return np.round(y * 2.0 ** (32 - exponent)).astype("<i4").tobytes()


def read(content):
    """Both readers: a list of (x, y) each."""
    path.write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()):
        one = File(str(path))
    with path.open("rb") as file:
        two = spc_io.SPC.from_bytes_io(file)
    return [(getattr(s, "x", getattr(one, "x", None)), s.y) for s in one.sub], [(s.xarray, s.yarray) for s in two]


same = True
x = np.linspace(1000.0, 1100.0, 101)
band = np.exp(-0.5 * ((x - 1050.0) / 8.0) ** 2)
for height in (900.0, 0.9, 0.4, 0.05, 0.004):
    e = exponent_of(height * band)
    content = header(0, e, len(x), x[0], x[-1], 1, WAVENUMBER, ABSORBANCE) + subheader(e, 0) + integers(height * band, e)
    ((_, y),), ((peer_x, peer),) = read(content)
    print(f"  one spectrum, highest {height:7}, exponent {e:3}: spc-spectra {y.max():9.4f}, spc-io {peer.max():9.4f}")
    same &= np.allclose(peer, height * band, rtol=1e-6, atol=1e-6 * height) and np.allclose(peer_x, x)
    same &= np.allclose(y, height * band * 2.0 ** max(0, -e), rtol=1e-6, atol=1e-6 * height)

heights = np.array([0.8, 0.4, 0.2, 0.1, 0.05])
content = header(TMULTI, 0, len(x), x[0], x[-1], len(heights), WAVENUMBER, ABSORBANCE)
for i, height in enumerate(heights):
    e = exponent_of(height * band)
    content += subheader(e, i) + integers(height * band, e)
series, peers = read(content)
found, right = np.array([y.max() for _, y in series]), np.array([y.max() for _, y in peers])
print(f"  a series, highest {heights}: spc-spectra {found.round(4)}, spc-io {right.round(4)}")
same &= np.allclose(right, heights) and np.allclose(found, [0.8, 0.4, 0.4, 0.4, 0.4])

masses, y = np.array([50.0, 77.0, 105.0, 106.0, 182.0]), np.array([20.0, 60.0, 100.0, 8.0, 40.0])
e = exponent_of(y)
content = header(TXYXYS | TXVALS, e, 0, masses[0], masses[-1], 1, MASS, COUNTS)
content += subheader(e, 0, len(y)) + masses.astype("<f4").tobytes() + integers(y, e)
((found, found_y),), ((right, right_y),) = read(content)
print(f"  masses {masses}: spc-spectra {found}, spc-io {right}")
same &= np.allclose(right, masses) and np.allclose(right_y, y) and np.allclose(found_y, y)
same &= np.allclose(found, masses.astype("<f4").view("<i4") * 2.0 ** (e - 32)) and bool((np.diff(found) > 0.0).all())
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/spc.py" "$folder"
