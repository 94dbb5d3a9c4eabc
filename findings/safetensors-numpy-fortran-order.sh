#!/usr/bin/env bash
# safetensors writes a NumPy array in Fortran order scrambled: every value is there, in another spectrum or position.
#
# safetensors.numpy takes the memory of an array as it lies and writes the shape of the array beside it, as though
# the memory were in C order. A table of spectra that pandas read from CSV and one that SciPy read from a MATLAB file, the
# two commonest sources of measured spectra, are in Fortran order, and so is a transposed kernel. What is loaded has the
# right shape, type, sum, mean, minimum and maximum; its rows are mixtures of spectra, and labels no longer
# belong to them. There is no error; the same call for PyTorch refuses such a tensor. Version 0.7.0 wrote them right.
# Known: safetensors/safetensors issue 825.
# What helps: numpy.ascontiguousarray(x) before save_file, and a comparison after it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    safetensors==0.8.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1

cat > "$folder/order.py" <<'PYTHON'
import io
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file
from scipy.io import loadmat, savemat

folder = sys.argv[1]
OLD = version("safetensors") == "0.7.0"
print(", ".join(f"{name} {version(name)}" for name in ("safetensors", "numpy", "pandas", "scipy")))
SPECTRA, POINTS = 6, 200
x = np.arange(POINTS)
centres = 20 + 30 * np.arange(SPECTRA)
spectra = np.exp(-0.5 * ((x - centres[:, None]) / 5.0) ** 2) + 0.001 * np.arange(SPECTRA)[:, None]
savemat(f"{folder}/spectra.mat", {"spectra": spectra})
csv = io.StringIO(pd.DataFrame(spectra).to_csv(index=False, float_format="%.17g"))
sources = {
    "made by NumPy": spectra,
    "pandas.read_csv(...).to_numpy()": pd.read_csv(csv).to_numpy(),
    "scipy.io.loadmat(...)": loadmat(f"{folder}/spectra.mat")["spectra"],
    "transposed, one spectrum a column": spectra.T,
}
same = True
for source, array in sources.items():
    save_file({"x": array}, f"{folder}/x.safetensors")
    loaded = load_file(f"{folder}/x.safetensors")["x"]
    kept = int((loaded == array).all(axis=1).sum())
    values = np.array_equal(np.sort(loaded, axis=None), np.sort(array, axis=None))
    print(
        f"  {source:34} C order {array.flags.c_contiguous!s:5}: shape {loaded.shape}, {kept:3} of {len(array):3} rows as saved;"
        f" the same values in all: {values}; sum {loaded.sum():.6f} of {array.sum():.6f}"
    )
    right = OLD or array is spectra
    same &= loaded.shape == array.shape and loaded.dtype == array.dtype and values
    same &= array.flags.c_contiguous == (array is spectra)
    same &= kept == len(array) if right else kept == 0
    copied = np.ascontiguousarray(array)
    save_file({"x": copied}, f"{folder}/x.safetensors")
    same &= np.array_equal(load_file(f"{folder}/x.safetensors")["x"], array)
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/order.py" "$folder"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: safetensors==0.7.0
"$folder/venv/bin/python" "$folder/order.py" "$folder"
