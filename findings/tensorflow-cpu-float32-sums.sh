#!/usr/bin/env bash
# TensorFlow on a CPU adds float32 numbers along leading axes (nearly) one after the other.
#
# A sum over spectra and positions, all but the last axis, loses four of seven digits when it has 640,000 terms: the
# running total is so large that small terms are rounded to its steps. This meets tf.reduce_sum, the gradient of a bias
# (which depends on the number of threads, too, deterministic operations or not), GlobalAveragePooling1D, and mean and
# variance of batch normalisation. TensorFlow's own XLA does the same; JAX does not. NumPy sums leading axes as badly
# and says so ("pairwise summation is only used along the fast axis in memory"); TensorFlow's documentation does not.
# Known: tensorflow/tensorflow issues 12387, 51419 and 56563, closed without a change.
# What helps: float64, or two sums in turn, tf.reduce_sum(tf.reduce_sum(x, 1), 0).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2

cat > "$folder/sums.py" <<'PYTHON'
import os
import sys

import jax
import jax.numpy as jnp
import keras
import numpy as np
import tensorflow as tf

THREADS = int(sys.argv[1])
tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.experimental.enable_op_determinism()
keras.utils.set_random_seed(0)
SPECTRA, POINTS, CHANNELS = 128, 5000, 64
N = SPECTRA * POINTS
failed = []


def check(what, holds):
    if not holds:
        failed.append(what)


def show(what, found, truth, right):
    """Print a relative error; `right` says whether it is that of rounding alone."""
    error = float(np.max(np.abs(np.asarray(found, np.float64) - truth)) / abs(truth))
    print(f"  {what:58} {float(np.ravel(found)[0]):14.4f}   off by {100 * error:.5f} %")
    check(f"{what}: off by {error:.1e}", error < 1e-4 if right else error > 3e-4)


print(f"TensorFlow with {THREADS} thread(s), deterministic operations")
tenth = np.float32(0.1)
x = np.full((SPECTRA, POINTS, CHANNELS), tenth)
tensor, true = tf.constant(x), float(tenth) * N
gradient = tf.raw_ops.BiasAddGrad(out_backprop=tensor)
if THREADS > 1:  # the rest does not depend on them
    print(f"    gradient of a bias: {float(gradient[0]):.4f} instead of {true:.4f}")
    sys.exit(not abs(float(gradient[0]) - true) > 3e-4 * true)

print(f" sum of {N:,} times float32(0.1) for each of {CHANNELS} channels; right: {true:.4f}")
show("tf.reduce_sum(x, (0, 1))", tf.reduce_sum(tensor, (0, 1)), true, False)
show("the same, jit_compile=True", tf.function(lambda: tf.reduce_sum(tensor, (0, 1)), jit_compile=True)(), true, False)
show("gradient of a bias (BiasAddGrad, of keras.layers.Conv1D)", gradient, true, False)
pooled = keras.layers.GlobalAveragePooling1D()(tf.reshape(tensor, (1, N, CHANNELS)))
show(f"keras.layers.GlobalAveragePooling1D, times {N:,}", np.asarray(pooled[0], np.float64) * N, true, False)
show("numpy.sum(x, axis=(0, 1))", x.sum(axis=(0, 1)), true, False)
show("jax.numpy.sum(x, (0, 1))", jnp.sum(x, (0, 1)), true, True)
show("gradient of a bias in JAX", jax.jit(jax.grad(lambda b: jnp.sum(tenth * (jnp.zeros_like(x) + b))))(x[0, 0]), true, True)
show("tf.reduce_sum of the numbers of one channel", tf.reduce_sum(tensor[..., 0]), true, True)
show("tf.reduce_sum(tf.reduce_sum(x, 1), 0)", tf.reduce_sum(tf.reduce_sum(tensor, 1), 0), true, True)
show("tf.reduce_sum in float64", tf.reduce_sum(tf.cast(tensor[:, :, :4], tf.float64), (0, 1)), true, True)

print(" mean and variance of 640,000 counts, normal, 10,000 with standard deviation 1; mean error and largest variance")
for channels in (4, 64):
    x = np.random.default_rng(0).normal(10_000.0, 1.0, (SPECTRA, POINTS, channels)).astype(np.float32)
    double = x.astype(np.float64)
    layer = keras.layers.BatchNormalization(momentum=0.0)  # running statistics are those of the batch
    layer.build(x.shape)
    normal = np.asarray(layer(x, training=True), np.float64)
    ways = {
        "tf.nn.moments": (tf.nn.moments(tf.constant(x), (0, 1)), False),
        "keras.layers.BatchNormalization": ((layer.moving_mean.numpy(), layer.moving_variance.numpy()), False),
        "numpy": ((x.mean(axis=(0, 1)), x.var(axis=(0, 1))), False),
        "jax.numpy": ((jnp.mean(x, (0, 1)), jnp.var(x, (0, 1))), True),
    }
    for what, ((mean, variance), right) in ways.items():
        off = float(np.max(np.abs(np.asarray(mean, np.float64) - double.mean(axis=(0, 1)))))
        largest = float(np.max(np.asarray(variance)))
        print(f"  {what:40} {channels:3} channels: mean off by {off:8.4f}, variance {largest:10.3f}")
        check(f"{what}: {off:.2g}, {largest:.2g}", (off < 0.01 and largest < 1.1) if right else largest > 10)
    mean, deviation = normal.mean(axis=(0, 1)), normal.std(axis=(0, 1))
    print(f"   normalised by Keras: mean {mean[0]:.3f} instead of 0, standard deviation {deviation[0]:.3f} instead of 1")
    check("Keras normalises", abs(mean[0]) > 0.5 and deviation[0] < 0.5)

for what in failed:
    print("CHANGED", what)
sys.exit(bool(failed))
PYTHON

export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu KERAS_BACKEND=tensorflow
"$folder/venv/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -iE '^(tensorflow|keras|numpy|jax|jaxlib)'
for threads in 1 2 4; do
    "$folder/venv/bin/python" "$folder/sums.py" "$threads" 2>"$folder/messages" || { tail -5 "$folder/messages"; exit 1; }
done
