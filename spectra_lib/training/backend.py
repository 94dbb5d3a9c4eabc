"""The one place that touches a deep-learning backend beyond Keras's own interface.

Seeding, determinism, the way a step is executed, and what to say of device and versions.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any, Literal

# XLA reads its flags once, when the first JAX computation starts.
if os.environ.get("KERAS_BACKEND") == "jax" and "xla_gpu_deterministic_ops" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true").strip()

try:
    from spectra_lib.networks.quiet_keras import keras
except ImportError as error:  # pragma: no cover - needs an environment without a backend
    raise ImportError(
        f"Keras found no usable backend ({error}); install one, for example with "
        "pip install 'spectra-lib[tensorflow]', or name another in KERAS_BACKEND (tensorflow, jax, torch)"
    ) from error

import numpy as np
from numpy.typing import NDArray

from spectra_lib._base.errors import SpectraError
from spectra_lib._base.machine import commit as commit
from spectra_lib._base.machine import instruction_set as instruction_set
from spectra_lib._base.machine import peak_memory as peak_memory
from spectra_lib._base.machine import processor_name, total_memory, usable_cores

Execution = Literal["graph", "xla", "eager", "sparse"]
"""How a step runs: as a TensorFlow graph, compiled by XLA (always so on JAX), or op by op (PyTorch);
"sparse" is the backend's first mode, with each layer only where the spectrum can change it
(`spectra_lib.training.sparse_convolution`)."""

EXECUTIONS: dict[str, tuple[Execution, ...]] = {
    "tensorflow": ("graph", "xla", "sparse"),
    "jax": ("xla", "sparse"),
    "torch": ("eager", "sparse"),
}

ASSIGNED_AT_ONCE = 8_000_000
"""Bytes of a large variable that are assigned at a time."""


def backend_name() -> str:
    """Name of the backend that Keras runs on: tensorflow, jax or torch.

    Returns
    -------
    str
    """
    return keras.backend.backend()


def computes_on_cpu() -> bool:
    """Whether the backend computes on the CPU, not on a GPU or another accelerator.

    Returns
    -------
    bool
    """
    if backend_name() == "jax":
        import jax

        return jax.default_backend() == "cpu"
    if backend_name() == "tensorflow":
        import tensorflow as tf

        return not tf.config.list_physical_devices("GPU")
    import torch

    return not torch.cuda.is_available()


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy, Keras and the backend, and ask it for deterministic operations on whole float32 numbers.

    Parameters
    ----------
    seed : int
        Seed of all random generators, 0 or more.
    """
    keras.utils.set_random_seed(seed)
    if backend_name() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
    if computes_on_cpu():  # deterministic as it is, and with all digits
        return
    # GPUs multiply with 10 of float32's 23 bits unless told otherwise.
    if backend_name() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")  # type: ignore[no-untyped-call]
    elif backend_name() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        tf.config.experimental.enable_tensor_float_32_execution(False)
    else:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def check_execution(requested: str) -> Execution | None:
    """Check a way of running steps; None stands for "auto".

    Parameters
    ----------
    requested : str
        "auto", or a mode of `EXECUTIONS`.

    Returns
    -------
    Execution or None

    Raises
    ------
    SpectraError
        If this backend does not have the way asked for.
    """
    if requested == "auto":
        return None
    requested = "sparse" if requested == "windows" else requested  # its name until 2026-11
    ways = EXECUTIONS[backend_name()]
    if requested not in ways:
        raise SpectraError(
            f"execution={requested!r} does not exist on the {backend_name()} backend; "
            f"expected 'auto' or one of {', '.join(ways)}"
        )
    return requested


def compile_for_training(model: keras.Model, learning_rate: float, execution: Execution) -> None:
    """Compile a model that gives logits with Adam (Keras defaults) and categorical cross-entropy.

    Parameters
    ----------
    model : keras.Model
        From spectra to logits; changed in place.
    learning_rate : float
        First learning rate of Adam.
    execution : Execution
        Mode of execution; decides whether XLA compiles the step.
    """
    # Keras computes a loss in float32 unless told otherwise, whatever the precision of the network.
    precision = keras.backend.result_type(model.output.dtype, "float32")
    model.compile(
        optimizer=adam(learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=precision),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=execution == "xla" or backend_name() == "jax",
    )
    model.optimizer.build(model.trainable_variables)


def adam(learning_rate: float) -> keras.optimizers.Adam:
    """Adam with Keras's defaults; on TensorFlow in one pass over weights and moments, where Keras makes a dozen.

    The mathematics and the optimizer's variables are the same. For networks of 20 to 190 million parameters the passes
    take as long as the products.

    Parameters
    ----------
    learning_rate : float
        First learning rate.

    Returns
    -------
    keras.optimizers.Adam
    """
    if backend_name() != "tensorflow":
        return keras.optimizers.Adam(learning_rate)
    import tensorflow as tf

    class OnePassAdam(keras.optimizers.Adam):
        def update_step(self, gradient: Any, variable: keras.Variable, learning_rate: Any) -> None:
            weights = variable if isinstance(variable, tf.Variable) else variable.value
            dtype = weights.dtype
            step = tf.cast(self.iterations + 1, dtype)
            index = self._get_variable_index(variable)
            betas = [tf.constant(beta, dtype) for beta in (self.beta_1, self.beta_2)]
            tf.raw_ops.ResourceApplyAdam(
                var=weights.handle,
                m=self._momentums[index].value.handle,
                v=self._velocities[index].value.handle,
                beta1_power=betas[0] ** step,
                beta2_power=betas[1] ** step,
                lr=tf.cast(learning_rate, dtype),
                beta1=betas[0],
                beta2=betas[1],
                epsilon=tf.constant(self.epsilon, dtype),
                grad=tf.cast(gradient, dtype),
            )

    return OnePassAdam(learning_rate)


def feed(batches: keras.utils.PyDataset) -> Any:
    """Give batches in the form in which this backend's `fit` and `predict` take them without delay.

    On TensorFlow, Keras would make a pipeline whose autotuner sleeps for up to a minute at a time, and whose end waits
    for it. Epochs of 45 seconds took nearly twice as long.

    Parameters
    ----------
    batches : keras.utils.PyDataset
        Batches, rendered one by one.

    Returns
    -------
    tf.data.Dataset or keras.utils.PyDataset
        On TensorFlow a pipeline without autotuning, else the batches as they are.
    """
    if backend_name() != "tensorflow":
        return batches
    import tensorflow as tf

    def rendered() -> Iterator[Any]:
        for index in range(len(batches)):
            yield batches[index]

    kinds = tf.nest.map_structure(lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype), batches[0])
    untuned = tf.data.Options()
    untuned.autotune.enabled = False
    pipeline = tf.data.Dataset.from_generator(rendered, output_signature=kinds)
    return pipeline.apply(tf.data.experimental.assert_cardinality(len(batches))).prefetch(1).with_options(untuned)


def to_numpy(tensor: Any) -> NDArray:
    """Copy a tensor of the backend to a NumPy array.

    Parameters
    ----------
    tensor : object
        A tensor of the backend, of any shape.

    Returns
    -------
    ndarray
        Same shape and dtype.
    """
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def get_state(variables: Sequence[keras.Variable]) -> list[NDArray]:
    """Copy the values of variables to NumPy arrays.

    Parameters
    ----------
    variables : sequence of keras.Variable
        Variables of a network or an optimizer.

    Returns
    -------
    list of ndarray
        One array for each variable, of its shape and dtype.
    """
    return [np.require(variable.numpy(), requirements="O") for variable in variables]


def each_state(variables: Sequence[keras.Variable]) -> Iterator[NDArray]:
    """Give the values of variables one by one, copied only where it must be: use each before variables change.

    Parameters
    ----------
    variables : sequence of keras.Variable
        Variables of a network or an optimizer.

    Yields
    ------
    ndarray
        Value of one variable, of its shape and dtype; may be its own memory.
    """
    for variable in variables:
        # On a CPU this is the variable's own memory.
        yield np.asarray(variable.value.read_value() if backend_name() == "tensorflow" else variable.numpy())


def set_state(variables: Sequence[keras.Variable], values: Sequence[NDArray]) -> None:
    """Assign values to variables of the same number and shapes.

    Parameters
    ----------
    variables : sequence of keras.Variable
        Variables; changed in place.
    values : sequence of ndarray
        One array for each variable, of its shape.

    Raises
    ------
    ValueError
        If there are not as many values as variables, or a shape differs.
    """
    for variable, value in zip(variables, values, strict=True):
        if backend_name() == "tensorflow" and value.nbytes > ASSIGNED_AT_ONCE and value.shape == variable.shape:
            # Assigned as a whole, a value would be copied to a tensor first.
            step = max(1, ASSIGNED_AT_ONCE * len(value) // value.nbytes)
            for start in range(0, len(value), step):
                variable.value[start : start + step].assign(value[start : start + step])
        else:
            variable.assign(value)


def device_name() -> str:
    """Name the device that the backend computes on.

    Returns
    -------
    str
    """
    if computes_on_cpu():
        return processor_name()
    if backend_name() == "jax":
        import jax

        return jax.devices()[0].device_kind
    if backend_name() == "tensorflow":
        import tensorflow as tf

        gpu, *_ = tf.config.list_physical_devices("GPU")
        return tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
    import torch

    return torch.cuda.get_device_name()


def threads() -> int:
    """Threads that one operation may use on the CPU.

    As configured for TensorFlow and PyTorch; XLA, on JAX, takes all cores that the process may use.

    Returns
    -------
    int
    """
    if backend_name() == "tensorflow":
        import tensorflow as tf

        return tf.config.threading.get_intra_op_parallelism_threads() or usable_cores()
    if backend_name() == "torch":
        import torch

        return torch.get_num_threads()
    return usable_cores()


def device_memory() -> tuple[int, int]:
    """Bytes of the device's memory: the most that this process has used, and all there are.

    Where the device is the CPU, or the backend does not tell (TensorFlow, PyTorch), those of the machine.

    Returns
    -------
    (int, int)
        Largest use so far, and size of the memory, in bytes.
    """
    if backend_name() == "jax" and not computes_on_cpu():
        import jax

        found = jax.devices()[0].memory_stats() or {}
        # JAX takes no more than this share of the memory, 3/4 where nobody says otherwise.
        share = float(os.environ.get("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.75"))
        if {"peak_bytes_in_use", "bytes_limit"} <= set(found):
            return found["peak_bytes_in_use"], round(found["bytes_limit"] / share)
    return peak_memory(), total_memory()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on.

    Returns
    -------
    dict of str to str
        Version by package name; of the backends only the one in use.
    """
    found = {"python": platform.python_version()}
    for package in ("spectra-lib", "keras", "numpy", "scipy", "numba", "tensorflow-cpu", "tensorflow", "jax", "torch"):
        name = package.removesuffix("-cpu")
        if name in ("tensorflow", "jax", "torch") and name != backend_name():
            continue
        try:
            found.setdefault(name, metadata.version(package))
        except metadata.PackageNotFoundError:
            continue
    return found
