"""What float32 makes of long sums: gradients, statistics of batch normalisation and training, against float64.

A bias, a mean over a batch or a scale of batch normalisation sums over all positions of all spectra, 640,000 numbers
for a batch of 128. Backends add them in different orders, and some orders lose four of float32's seven digits. Here
one training step and a few epochs are computed in several ways from the same weights, without dropout, whose random
numbers differ between backends. ``benchmarks/float32_sums.py`` runs each way in a process of its own and
writes ``STORE/precision/MACHINE/DATASET.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.special import log_softmax

from spectra_lib._base.atomic_file import write_whole
from spectra_lib._base.errors import SpectraError, StoreError
from spectra_lib._base.values import Value
from spectra_lib.datasets.dataset import Dataset, Split
from spectra_lib.networks import build_model, network
from spectra_lib.networks.building import Precision
from spectra_lib.networks.description import sources_of
from spectra_lib.networks.quiet_keras import keras, layers
from spectra_lib.runs.specification import usual_rules
from spectra_lib.training import backend
from spectra_lib.training.execution import execute
from spectra_lib.training.sparse_convolution import index_tables
from spectra_lib.training.trainer import epoch_order

FOLDER = "precision"
"""Folder of these figures, in the store of the run records."""

BATCH = 128
"""Spectra in the step that is measured."""

BIAS_SCALE = 0.05
"""Standard deviation of the random biases given to initial weights: with none, empty stretches of a spectrum are 0."""

Quantity = Literal["kernel", "bias", "cancelled", "gamma", "beta", "mean", "shift", "variance"]
"""What is compared, layer by layer: gradients of the kernels and biases of the convolutions, and of scale and offset
of batch normalisation; mean and variance of a batch. A bias that batch normalisation follows is *cancelled*: the mean
takes it away, so that its gradient is zero. *shift* is the error of the mean in standard deviations of the feature."""

Arrays = Mapping[str, NDArray[Any]]


class Way(Value):
    """A way to compute a step.

    Attributes
    ----------
    backend : str
        tensorflow or jax.
    sparse : bool
        Whether convolutions are computed only where a spectrum is not zero.
    precision : str
        Number format.
    """

    backend: str
    sparse: bool = False
    precision: Precision = "float32"


TRUTH = Way(backend="tensorflow", precision="float64")
"""What all others are compared with."""

CONTROL = Way(backend="tensorflow", sparse=True, precision="float64")
"""The same mathematics in another order: how far it is from `TRUTH` says how far that can be trusted."""

WAYS = (Way(backend="tensorflow"), Way(backend="tensorflow", sparse=True), Way(backend="jax"), CONTROL)


class SumErrors(Value):
    """One quantity of one network, computed in one way.

    Attributes
    ----------
    model, start : str
        The network and its weights: "initial" or "trained".
    way : Way
        How it was computed.
    quantity : str
        What was compared.
    sizes, errors : tuple of float
        For each layer that has it, in their order: root mean square of the true values and of the errors.
    """

    model: str
    start: str
    way: Way
    quantity: Quantity
    sizes: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def largest(self) -> float:
        """Largest error of a layer, relative to the true values; absolute for cancelled biases, whose truth is zero.

        Examples
        --------
        >>> about = {"model": "vgg", "start": "initial", "way": TRUTH}
        >>> SumErrors(quantity="bias", sizes=(1.0, 4.0), errors=(0.1, 0.2), **about).largest
        0.1
        """
        scales = (1.0,) * len(self.sizes) if self.quantity == "cancelled" else self.sizes
        return max(error / scale for error, scale in zip(self.errors, scales, strict=True))


class ShortRun(Value):
    """A few epochs of training in one way.

    Attributes
    ----------
    model : str
        The network.
    seed : int
        Of initial weights and order of the spectra.
    way : Way
        How it was computed.
    val_losses : tuple of float
        Validation loss after each epoch, in nats.
    val_errors : tuple of int
        Validation spectra that are classified wrongly.
    cancelled : float
        Root mean square of the biases that batch normalisation takes away, at the end; they began at 0.
    """

    model: str
    seed: int
    way: Way
    val_losses: tuple[float, ...]
    val_errors: tuple[int, ...]
    cancelled: float


class Float32Sums(Value):
    """All figures of one machine and dataset.

    Attributes
    ----------
    dataset, device, commit, measured : str
        Dataset whose spectra were used, processor, source of the library, date.
    versions : dict of str to str
        Of the packages.
    steps : tuple of SumErrors
        Errors of one step.
    runs : tuple of ShortRun
        A few epochs.
    """

    dataset: str
    device: str
    commit: str
    measured: str
    versions: dict[str, str]
    steps: tuple[SumErrors, ...] = ()
    runs: tuple[ShortRun, ...] = ()


Inputs = Callable[[Split, NDArray[np.integer]], Any]
"""From some rows of a split to the input of a network."""


def sparse_network(model: keras.Model, split: Split) -> tuple[keras.Model, Inputs]:
    """Give the sparse form of a network, which shares its weights, and what makes its inputs.

    Parameters
    ----------
    model : keras.Model
        From spectra to logits.
    split : Split
        Spectra on which it shall run.

    Returns
    -------
    (keras.Model, callable)
        Sparse network; and from a split and its rows to the inputs.

    Raises
    ------
    SpectraError
        If the network has none.
    """
    prepared = execute(model, split, BATCH, "sparse")
    plan = prepared.plan
    if plan is None:
        raise SpectraError(f"network {model.name!r} has no sparse form on these spectra; measure it as a whole")
    return prepared.trained, lambda of, rows: index_tables(plan, of.spectra(rows))


def build_for(model: str, dataset: Dataset, precision: Precision = "float32", **options: Any) -> keras.Model:
    """Build a network that gives logits, without dropout.

    Parameters
    ----------
    model : str
    dataset : Dataset
    precision : Precision
    **options : object
        Options of the network, by name; those that it does not have are left out.

    Returns
    -------
    keras.Model
        From spectra (batch, n_points, 1) to logits (batch, n_classes).
    """
    known = network(model).defaults
    changed = {key: value for key, value in ({"dropout": 0.0, "conv_dropout": 0.0} | options).items() if key in known}
    built = build_model(model, dataset.spec.n_points, dataset.spec.n_classes, precision=precision, **changed)
    return keras.Model(built.inputs, built.get_layer("logits").output, name=model)


def start_weights(model: str, dataset: Dataset, seed: int = 0, *, with_biases: bool = False) -> list[NDArray]:
    """Give initial weights of a network, the biases of its convolutions random if asked for.

    Parameters
    ----------
    model : str
    dataset : Dataset
    seed : int
        Seed of weights and biases.
    with_biases : bool
        Draw the biases from a normal distribution of standard deviation `BIAS_SCALE`.

    Returns
    -------
    list of ndarray
        Float32, in the order of the network's variables.
    """
    backend.seed_everything(seed)
    built = build_for(model, dataset)
    rng = np.random.default_rng(seed)
    for layer in built.layers if with_biases else ():
        if isinstance(layer, layers.Conv1D):
            layer.bias.assign(rng.normal(scale=BIAS_SCALE, size=layer.bias.shape))
    return backend.get_state(built.weights)


def measure_step(
    model: str, dataset: Dataset, weights: Sequence[NDArray], rows: NDArray[np.integer], way: Way
) -> dict[str, NDArray[np.float64]]:
    """Do one step of training and give its gradients and statistics.

    Parameters
    ----------
    model : str
        The network.
    dataset : Dataset
        Gives the spectra.
    weights : sequence of ndarray
        Weights of the network.
    rows : ndarray of int
        Training spectra of the batch.
    way : Way
        How to compute it; the backend is that of this process.

    Returns
    -------
    dict of str to ndarray of float64
        By ``QUANTITY:NUMBER``, the layers numbered in their order.

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("smoke")
    >>> found = measure_step("vgg", data, start_weights("vgg", data), np.arange(4), Way(backend="tensorflow"))
    >>> found["kernel:0"].shape, found["bias:6"].shape
    ((5, 1, 6), (64,))
    """
    # Without momentum the running statistics are those of the batch.
    built = build_for(model, dataset, way.precision, bn_momentum=0.0)
    backend.set_state(built.weights, list(weights))
    trained, inputs = _network(built, dataset, way)
    # The first step leaves minus the gradients in the optimizer's momenta, with all digits.
    optimizer = keras.optimizers.SGD(1.0, momentum=0.5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=way.precision)
    trained.compile(optimizer=optimizer, loss=loss, jit_compile=way.backend == "jax")
    trained.train_on_batch(inputs(dataset.train, rows), dataset.train.labels[rows])
    gradients = dict(zip((v.path for v in built.trainable_variables), optimizer.momentums, strict=True))
    found: dict[str, NDArray[np.float64]] = {}

    def keep(quantity: Quantity, variable: keras.Variable, sign: float = 1.0) -> None:
        number = sum(key.startswith(f"{quantity}:") for key in found)
        found[f"{quantity}:{number}"] = sign * np.asarray(variable.numpy(), np.float64)

    cancelled = _cancelled(built)
    for layer in built.layers:
        if isinstance(layer, layers.Conv1D):
            keep("kernel", gradients[layer.kernel.path], -1.0)
            keep("cancelled" if layer.name in cancelled else "bias", gradients[layer.bias.path], -1.0)
        elif isinstance(layer, layers.BatchNormalization):
            keep("gamma", gradients[layer.gamma.path], -1.0)
            keep("beta", gradients[layer.beta.path], -1.0)
            keep("mean", layer.moving_mean)
            keep("variance", layer.moving_variance)
    return found


def compare(truth: Arrays, found: Arrays) -> dict[Quantity, tuple[tuple[float, ...], tuple[float, ...]]]:
    """Compare what `measure_step` gave in two ways.

    Parameters
    ----------
    truth : Arrays
        Exact arrays, by quantity and number.
    found : Arrays
        Arrays to judge, by the same keys.

    Returns
    -------
    dict of str to (sizes, errors)
        As in `SumErrors`.

    Examples
    --------
    >>> compare({"bias:0": np.array([3.0, 4.0])}, {"bias:0": np.array([3.0, 4.5])})
    {'bias': ((3.54,), (0.354,))}
    """
    compared: dict[Any, tuple[tuple[float, ...], tuple[float, ...]]] = {}

    def keep(quantity: str, size: float, error: float) -> None:
        sizes, errors = compared.get(quantity, ((), ()))
        compared[quantity] = (*sizes, float(f"{size:.3g}")), (*errors, float(f"{error:.3g}"))

    for key, true in truth.items():
        quantity, number = key.split(":")
        error = found[key] - true
        keep(quantity, _rms(true), _rms(error))
        if quantity == "mean":
            keep("shift", 1.0, _rms(error / np.sqrt(truth[f"variance:{number}"] + np.finfo(np.float32).tiny)))
    return compared


def train_briefly(
    model: str, dataset: Dataset, weights: Sequence[NDArray], seed: int, epochs: int, way: Way
) -> tuple[ShortRun, list[NDArray]]:
    """Train a few epochs from given weights by the usual rules, but without dropout; give the weights, too.

    Parameters
    ----------
    model : str
    dataset : Dataset
    weights : sequence of ndarray
        First weights, as `start_weights` gives them.
    seed : int
        Seed of the order of the spectra.
    epochs : int
    way : Way
        Backend, number format and form of the network.

    Returns
    -------
    (ShortRun, list of ndarray)

    Examples
    --------
    >>> from spectra_lib.datasets.dataset import make_dataset
    >>> data = make_dataset("smoke")
    >>> run, _ = train_briefly("vgg", data, start_weights("vgg", data), 0, 2, Way(backend="tensorflow"))
    >>> len(run.val_losses), run.cancelled
    (2, 0.0)
    """
    rules = usual_rules()
    built = build_for(model, dataset, way.precision)
    backend.set_state(built.weights, list(weights))
    trained, inputs = _network(built, dataset, way)
    backend.compile_for_training(trained, rules["learning_rate"], backend.EXECUTIONS[way.backend][0])
    losses, errors = [], []
    size, split = rules["batch_size"], dataset.validation
    for epoch in range(epochs):
        order = epoch_order(seed, epoch, len(dataset.train))
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            trained.train_on_batch(inputs(dataset.train, rows), dataset.train.labels[rows])
        chunks = [np.arange(start, min(start + size, len(split))) for start in range(0, len(split), size)]
        logits = np.concatenate(
            [np.asarray(trained.predict_on_batch(inputs(split, rows)), np.float64) for rows in chunks]
        )
        losses.append(float(-log_softmax(logits, axis=1)[np.arange(len(split)), split.labels].mean()))
        errors.append(int(np.count_nonzero(logits.argmax(axis=1) != split.labels)))
    names = _cancelled(built)
    biases = [np.asarray(layer.bias.numpy(), np.float64) for layer in built.layers if layer.name in names]
    run = ShortRun(
        model=model,
        seed=seed,
        way=way,
        val_losses=tuple(losses),
        val_errors=tuple(errors),
        cancelled=_rms(np.concatenate(biases)) if biases else 0.0,
    )
    return run, backend.get_state(built.weights)


def _network(built: keras.Model, dataset: Dataset, way: Way) -> tuple[keras.Model, Inputs]:
    """Network that computes in this way, and what makes its inputs."""
    if way.backend != backend.backend_name():
        raise SpectraError(f"{way}: this process computes on {backend.backend_name()}; set KERAS_BACKEND={way.backend}")
    if way.sparse:
        return sparse_network(built, dataset.train)
    return built, lambda of, rows: of.spectra(rows)[..., None]


def _cancelled(model: keras.Model) -> set[str]:
    """Names of the convolutions that nothing but batch normalisation follows."""
    followers: dict[str, list[keras.Layer]] = {}
    for layer in model.layers:
        for source in sources_of(layer):
            followers.setdefault(source, []).append(layer)
    return {
        name
        for name, after in followers.items()
        if isinstance(model.get_layer(name), layers.Conv1D)
        and all(isinstance(layer, layers.BatchNormalization) for layer in after)
    }


def _rms(values: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def save_float32_sums(store: str | Path, sums: Float32Sums) -> Path:
    """Write ``STORE/precision/MACHINE/DATASET.json`` whole, and give its path.

    Parameters
    ----------
    store : str or Path
    sums : Float32Sums

    Returns
    -------
    Path
    """
    machine = "_".join("".join(c if c.isalnum() else " " for c in sums.device.lower()).split())
    path = Path(store) / FOLDER / machine / f"{sums.dataset}.json"
    write_whole(path, sums.model_dump_json(indent=1) + "\n")
    return path


def load_float32_sums(store: str | Path) -> Sequence[Float32Sums]:
    """Read the figures of all machines in a store, the newest first.

    Parameters
    ----------
    store : str or Path

    Returns
    -------
    sequence of Float32Sums

    Raises
    ------
    StoreError
        If a file is damaged.
    """
    found = []
    for path in Path(store).glob(f"{FOLDER}/[!.]*/[!.]*.json"):
        try:
            found.append(Float32Sums.model_validate_json(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise StoreError(
                f"{path}: not as benchmarks/float32_sums.py writes it ({error.errors()[0]['msg']}); delete it"
            ) from error
    return sorted(found, key=lambda sums: sums.measured, reverse=True)
