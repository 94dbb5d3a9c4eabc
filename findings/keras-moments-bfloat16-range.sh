#!/usr/bin/env bash
# keras.ops.moments cuts mean and variance of bfloat16 numbers off at 65,504, the largest number of another format.
#
# The range of bfloat16 reaches to 3e38, as that of float32 does. But Keras computes in float32 and then clips to the
# range of float16, in which they would overflow, before it casts back, for bfloat16 as well. So numbers with a standard
# deviation of 1,000 get a variance of 65,536 instead of 1,000,000, and a mean of 100,000 becomes 65,536, without a
# word. Keras's own layers of normalisation cast to float32 before, and are right. On TensorFlow and on JAX.
# What helps: keras.ops.moments(keras.ops.cast(x, "float32"), axes).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.21.0 keras==3.15.1 numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2

cat > "$folder/moments.py" <<'PYTHON'
import sys
from importlib.metadata import version

import keras
import numpy as np

backend = keras.backend.backend()
package = {"tensorflow": "tensorflow-cpu"}.get(backend, backend)
print(f"keras {version('keras')} on {backend} {version(package)}")
x = np.random.default_rng(0).normal(100_000.0, 1_000.0, 4096).astype(np.float32)
found = {}
for name in ("float32", "bfloat16"):
    numbers = keras.ops.cast(x, name)
    mean, variance = (float(keras.ops.cast(v, "float32")) for v in keras.ops.moments(numbers, axes=0))
    found[name] = mean, variance
    print(f"  {name:9} keras.ops.moments: mean {mean:12,.0f}, variance {variance:12,.0f}")
numbers = np.asarray(keras.ops.cast(keras.ops.cast(x, "bfloat16"), "float32"), np.float64)
print(f"  right, of the same bfloat16 numbers: mean {numbers.mean():12,.0f}, variance {numbers.var():12,.0f}")
same = found["bfloat16"] == (65536.0, 65536.0) and np.allclose(found["float32"], (x.mean(), x.var()), rtol=0.01)
sys.exit(not same)
PYTHON

export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= JAX_PLATFORMS=cpu
for backend in tensorflow jax; do
    KERAS_BACKEND=$backend "$folder/venv/bin/python" "$folder/moments.py" 2>"$folder/messages" \
        || { tail -5 "$folder/messages"; exit 1; }
done
