#!/usr/bin/env bash
# Keras on PyTorch: AveragePooling1D with padding="same" repeats the end points where the padding is uneven.
#
# With "same" padding Keras averages over the points inside the spectrum only, on JAX always, and on PyTorch as long as
# both ends are padded equally. Where they are not, an even window with stride 1 for one, it repeats the first and the last
# point as often as needed and counts them, so both ends are pulled towards their end point. Weights trained on
# one backend and read on the other then give other logits, by the ends alone, the more the stronger the ends of a
# pattern are: the rise of background at low angles, the tail of the Rayleigh line. A spectrum of ones, the usual test,
# shows no difference.
# What helps: padding="valid", or an odd window with stride 1 (for stride s: (ceil(n / s) - 1) * s + window - n even).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    keras==3.15.1 numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2 torch==2.13.0

cat > "$folder/pooling.py" <<'PYTHON'
import sys
from importlib.metadata import version

import keras
import numpy as np

backend = keras.backend.backend()
print(f"keras {version('keras')} on {backend} {version(backend)}")


def averages(x, window, stride, repeat):
    """Averages over windows, of the points inside alone or with the end points repeated, in NumPy."""
    outputs = -(-len(x) // stride)
    padding = max(0, (outputs - 1) * stride + window - len(x))
    left = padding // 2
    indices = np.arange(outputs)[:, None] * stride - left + np.arange(window)
    inside = (indices >= 0) & (indices < len(x))
    values = x[np.clip(indices, 0, len(x) - 1)]
    return values.mean(axis=1) if repeat else (values * inside).sum(axis=1) / inside.sum(axis=1), padding


x = np.arange(12, dtype=np.float32) ** 2
same = True
for window, stride in ((3, 1), (4, 1), (4, 2), (3, 2), (6, 3)):
    found = keras.ops.convert_to_numpy(keras.layers.AveragePooling1D(window, stride, padding="same")(x[None, :, None]))[0, :, 0]
    inside, padding = averages(x, window, stride, False)
    repeated, _ = averages(x, window, stride, True)
    expected = repeated if backend == "torch" and padding % 2 else inside
    print(
        f"  window {window}, stride {stride}, {padding} points padded: first {found[0]:6.3f}, last {found[-1]:7.3f};"
        f" inside alone {inside[0]:6.3f}, {inside[-1]:7.3f}"
    )
    same &= np.allclose(found, expected, rtol=1e-5) and (padding == 0 or not np.allclose(inside, repeated))
sys.exit(not same)
PYTHON

export CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu
for backend in torch jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/pooling.py" 2>"$folder/messages" \
        || { tail -5 "$folder/messages"; exit 1; }
done
