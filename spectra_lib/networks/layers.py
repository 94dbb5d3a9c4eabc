"""The layers that published networks consist of, as data: what Keras builds, and what sizes are computed from.

Convolutions pad with zeros, so that their stride alone shortens a spectrum; maximum pools do not pad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spectra_lib._base.errors import SpecificationError


@dataclass(frozen=True)
class Conv:
    """Convolution with `filters` kernels of `kernel` points, `stride` points apart.

    Attributes
    ----------
    filters : int
        Output channels.
    kernel, stride : int
        In points of the input.
    activation : {"relu"} or None
        Activation of the convolution itself.
    """

    filters: int
    kernel: int
    stride: int = 1
    activation: Literal["relu"] | None = "relu"


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation with a momentum of its running statistics.

    Attributes
    ----------
    momentum : float
        In [0, 1).
    """

    momentum: float


@dataclass(frozen=True)
class ReLU:
    """Rectifier, with a slope for negative values where it is leaky.

    Attributes
    ----------
    negative_slope : float
        0 for a plain rectifier.
    """

    negative_slope: float = 0.0


@dataclass(frozen=True)
class MaxPool:
    """Maximum over windows of `size` points, `stride` apart, both scaled by `scale` (see `scaled_pool`).

    Attributes
    ----------
    size, stride : int
        In points of the input.
    scale : float
        Factor on both.
    """

    size: int
    stride: int
    scale: float = 1.0

    def numbers(self, n_points: int) -> tuple[int, int]:
        """Window and stride as scaled.

        Parameters
        ----------
        n_points : int
            Points that come in.

        Returns
        -------
        size, stride : int
            In points.

        Raises
        ------
        SpecificationError
            If there are fewer points than a window has.
        """
        size, stride = scaled_pool(self.size, self.stride, self.scale)
        if n_points < size:
            raise SpecificationError(
                f"the network pools the spectrum to nothing: {n_points} points are left before a pool of size "
                f"{size}; raise n_points"
            )
        return size, stride


@dataclass(frozen=True)
class AveragePool:
    """Mean over windows of `size` points around each point.

    Attributes
    ----------
    size : int
        In points of the input.
    """

    size: int


@dataclass(frozen=True)
class Dropout:
    """Dropout; a rate of 0 is no layer.

    Attributes
    ----------
    rate : float
        Fraction that is dropped, in [0, 1).
    """

    rate: float


@dataclass(frozen=True)
class Parallel:
    """Branches side by side, their channels put together.

    Attributes
    ----------
    branches : tuple of tuple of Layer
        All of the same number of points at their ends.
    """

    branches: tuple[Layers, ...]


@dataclass(frozen=True)
class Residual:
    """Layers whose output is added to that of a shortcut, which may be empty, with a rectifier behind.

    Attributes
    ----------
    layers : tuple of Layer
        The main path.
    shortcut : tuple of Layer
        The other path; empty for the identity.
    """

    layers: Layers
    shortcut: Layers = ()


Layer = Conv | BatchNorm | ReLU | MaxPool | AveragePool | Dropout | Parallel | Residual
Layers = tuple[Layer, ...]


def scaled_pool(size: int, stride: int, scale: float) -> tuple[int, int]:
    """Window and stride of a pool, both multiplied by `scale` and rounded (half up) to 1 or more.

    This is what the option `pool_scale` of a network does to each of its pools. Kernels, channels and
    strides of the convolutions stay as they are. At 1 the network is the published one. Below 1 there
    is less pooling: features lie closer together, so that there are more of them, and the first dense
    layer, whose width stays the same, has more parameters in proportion; above 1 all this is the other
    way round. The factors of successive pools multiply: half the scale makes a network with three
    pools of stride 2 keep eight times as many features. A pool of window 1 and stride 1 does nothing.

    Parameters
    ----------
    size, stride : int
        Window and stride as published, in points.
    scale : float
        Factor on both.

    Returns
    -------
    size, stride : int
        In points of the input.

    Examples
    --------
    >>> scaled_pool(3, 2, 1.0), scaled_pool(3, 2, 0.5), scaled_pool(3, 2, 2.0), scaled_pool(1, 2, 0.5)
    ((3, 2), (2, 1), (6, 4), (1, 1))
    """
    return max(1, int(scale * size + 0.5)), max(1, int(scale * stride + 0.5))
