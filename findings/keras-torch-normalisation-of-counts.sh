#!/usr/bin/env bash
# Keras on PyTorch: BatchNormalization of spectra on a high background gives NaN. PyTorch's layer does not.
#
# keras.ops.moments on PyTorch is the mean of the squares less the square of the mean, in float32. Of 100,000 counts
# with a standard deviation of 10, the difference has no digit left: the variance comes out as 0, 20 times too large or
# negative, by chance from batch to batch. The root of a negative one is NaN, and the first NaN ends the training. At a
# level of 10,000 counts, a common background, the variance is off by up to a fifth already. LayerNormalization, which
# without scale and centre is the standard normal variate of a spectrum, calls PyTorch's function and is right, and so
# are torch.nn.BatchNorm1d and Keras on JAX.
# What helps: subtract the level of the counts before the first layer (a mean over the training spectra is enough), or
# the backend JAX.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    keras==3.15.1 numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2 torch==2.13.0

cat > "$folder/counts.py" <<'PYTHON'
import sys
from importlib.metadata import version

import keras
import numpy as np

backend = keras.backend.backend()
print(f"keras {version('keras')} on {backend} {version(backend)}, 12 batches of 32 spectra of 5,000 counts, deviation 10")


def batch_normalised(x):
    layer = keras.layers.BatchNormalization(momentum=0.0)  # running statistics are those of the batch
    out = keras.ops.convert_to_numpy(layer(x, training=True))
    return out, float(keras.ops.convert_to_numpy(layer.moving_variance)[0])


def layer_normalised(x):
    out = keras.layers.LayerNormalization(center=False, scale=False)(x[:, :, 0])
    return keras.ops.convert_to_numpy(out)


def torch_normalised(x):
    import torch

    layer = torch.nn.BatchNorm1d(1, eps=1e-3)
    return layer(torch.tensor(x.transpose(0, 2, 1))).detach().numpy()


same = True
for level in (100.0, 10_000.0, 100_000.0, 1_000_000.0):
    variances, nans, others, singles = [], 0, [], []
    for seed in range(12):
        x = np.random.default_rng(seed).normal(level, 10.0, (32, 5000, 1)).astype(np.float32)
        out, variance = batch_normalised(x)
        variances.append(variance / float(x.astype(np.float64).var()))
        nans += bool(np.isnan(out).all())
        singles.append(float(layer_normalised(x).std()))
        if backend == "torch":
            others.append(float(torch_normalised(x).std()))
    variances = np.array(variances)
    print(
        f"  level {level:9,.0f}: variance / right {variances.min():9.2f} to {variances.max():8.2f}; {nans:2} of 12 batches NaN;"
        f" LayerNormalization right: {np.allclose(singles, 1.0, atol=0.01)}"
        + (f", torch.nn.BatchNorm1d: {np.allclose(others, 1.0, atol=0.01)}" if others else "")
    )
    same &= np.allclose(singles, 1.0, atol=0.01) and np.allclose(others, 1.0, atol=0.01)
    if backend == "jax" or level == 100.0:
        same &= np.allclose(variances, 1.0, atol=0.01) and nans == 0
    elif level == 10_000.0:
        same &= bool(np.abs(variances - 1.0).max() > 0.02)
    else:
        same &= bool(variances.max() > 5.0)
        same &= nans > 0 or level > 100_000.0
sys.exit(not same)
PYTHON

export CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu
for backend in torch jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/counts.py" 2>"$folder/messages" \
        || { tail -5 "$folder/messages"; exit 1; }
done
