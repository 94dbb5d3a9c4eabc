#!/usr/bin/env bash
# pybaselines returns the baseline in the type of the data: of counts, cut to whole counts, and the difference wraps.
#
# Detectors count, so a diffraction pattern or a Raman spectrum often comes as uint16 or int32. pybaselines computes in
# float64, then casts the baseline to the type of the data, towards zero. Every method does. With signed counts
# the corrected spectrum lies half a count too high, which is a lot where the counts are few. With unsigned ones, each
# point below the baseline becomes a count near 65,535: they are the highest "peaks" of the spectrum, and they scale
# the rest to nothing when it is divided by its maximum. Nothing is said. The argument of Baseline that helps is
# described as the typing of the output; that it defaults to that of the input is written there, not what it does.
# What helps: Baseline(x, output_dtype=float), or counts.astype(float).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    pybaselines==1.2.1 numpy==2.4.6 scipy==1.17.1

cat > "$folder/baseline.py" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pybaselines import Baseline

print(f"pybaselines {version('pybaselines')}, numpy {version('numpy')}")
x = np.linspace(0.0, 1000.0, 501)
rate = 60.0 + 20.0 * np.sin(x / 300.0) + 400.0 * np.exp(-0.5 * ((x - 500.0) / 8.0) ** 2)
counts = np.random.default_rng(0).poisson(rate)
print(f"{len(x)} counts, {counts.min()} to {counts.max()}, one peak of 400 at x = 500")
same = True
for method in ("asls", "arpls", "modpoly"):
    right, _ = getattr(Baseline(x, output_dtype=float), method)(counts.astype(np.uint16))
    print(f"  {method:8} float64: corrected from {(counts - right).min():6.1f} to {(counts - right).max():9.1f}")
    for name in ("int32", "uint16"):
        data = counts.astype(name)
        baseline, _ = getattr(Baseline(x), method)(data)
        corrected = data - baseline
        high = float((corrected - (counts - right)).mean()) if name == "int32" else np.nan
        print(
            f"  {'':8} {name:7}: baseline in {baseline.dtype}, corrected from {corrected.min():6} to {corrected.max():9},"
            f" {int((corrected > 60_000).sum()):3} points above 60,000"
            + (f", {high:.2f} too high on average" if name == "int32" else f", highest at x = {x[corrected.argmax()]:.0f}")
        )
        same &= baseline.dtype == data.dtype and np.array_equal(baseline, np.trunc(right))
        same &= bool(0.4 < high < 0.6) if name == "int32" else bool((corrected > 60_000).sum() >= 5)
    same &= abs(x[(counts - right).argmax()] - 500.0) < 20.0
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/baseline.py"
