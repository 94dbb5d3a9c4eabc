#!/usr/bin/env bash
# Keras on JAX and on PyTorch learns nothing from a spectrum whose class is wrong with certainty; on TensorFlow it does.
#
# A network that ends in Dense(classes, activation="softmax") and is trained with "sparse_categorical_crossentropy", as
# most published networks for spectra are: Keras clips probabilities to [1e-7, 1 - 1e-7] before the logarithm. Once the
# right class has less than that, a difference of about 16 between two logits, its loss stands at 16.118 and its
# gradient is exactly 0. So the samples that are worst off, mislabelled spectra, a phase not learnt, the first steps
# with spectra in counts, are left out of training without a word. On TensorFlow Keras finds the logits behind the
# softmax and takes those, so the same script trains there. Accuracy alone does not tell; a loss that is a mean of
# 16.118 does.
# What helps: no activation in the last layer, and keras.losses.SparseCategoricalCrossentropy(from_logits=True).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2 torch==2.13.0

cat > "$folder/loss.py" <<'PYTHON'
import sys
from importlib.metadata import version

import keras
import numpy as np

backend = keras.backend.backend()
package = {"tensorflow": "tensorflow-cpu"}.get(backend, backend)
print(f"keras {version('keras')} on {backend} {version(package)}")
spectrum = np.zeros((1, 50), np.float32)
spectrum[0, [10, 30]] = 1.0, 0.5  # two peaks
label = np.array([1])


def step(gap, softmax):
    """One step of SGD with a spectrum of class 1 that class 0 leads by `gap`; the loss, and how far the step went."""
    layer = keras.layers.Dense(3, activation="softmax" if softmax else None)
    network = keras.Sequential([keras.Input((50,)), layer])
    weights = np.zeros((50, 3), np.float32)
    weights[10, 0] = gap
    layer.set_weights([weights, np.zeros(3, np.float32)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax)
    network.compile(keras.optimizers.SGD(0.1), loss)
    value = float(network.train_on_batch(spectrum, label))
    return value, float(np.abs(layer.get_weights()[0] - weights).max())


same = True
for gap in (2.0, 15.0, 17.0, 30.0):
    (loss, moved), (right_loss, right_moved) = step(gap, True), step(gap, False)
    print(
        f"  class 0 leads by {gap:4.0f}: softmax in the network, loss {loss:7.3f}, largest change of a weight {moved:.4f};"
        f" logits, {right_loss:7.3f}, {right_moved:.4f}"
    )
    same &= right_moved > 0.08 and abs(right_loss - gap) < 0.3
    if gap < 16.0 or backend == "tensorflow":
        same &= abs(moved - right_moved) < 1e-4
    else:
        same &= moved == 0.0 and abs(loss - 16.118) < 0.001
sys.exit(not same)
PYTHON

export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu
for backend in tensorflow jax torch; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/loss.py" 2>"$folder/messages" \
        || { tail -5 "$folder/messages"; exit 1; }
done
