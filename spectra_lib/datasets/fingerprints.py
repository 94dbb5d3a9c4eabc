"""From a specification to the ideal peaks of each class.

Source: Schuetzke et al. 2023, Methods, "Synthetic dataset approach"; the count law is the
published code's (the text gives only a range).
"""

from __future__ import annotations

import numpy as np

from spectra_lib._base.errors import SpecificationError
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint


def make_fingerprints(spec: DatasetSpec) -> tuple[Fingerprint, ...]:
    """Give the fingerprints of all classes, drawn from the specification's seed or as given by hand.

    For each class in turn: the number of peaks, then all positions, integers in
    [boundary, n_points - boundary), then all heights, integers in [1, max_height]; positions and
    heights are cut to `max_peaks`, heights divided by their maximum and rounded to 3 decimals,
    and both sorted by position.

    Parameters
    ----------
    spec : DatasetSpec
        Gives the seed and the distribution of peaks, or the classes themselves.

    Returns
    -------
    tuple of Fingerprint
        One for each class, in the order of the labels.

    Raises
    ------
    SpecificationError
        If two drawn classes coincide, which happens only where there are few possible peaks.

    Examples
    --------
    >>> from spectra_lib.datasets.named import dataset_spec
    >>> make_fingerprints(dataset_spec("benchmark"))[5]
    Fingerprint(positions=(1034, 2977), heights=(0.58, 1.0))
    """
    if spec.fingerprints is not None:
        return spec.fingerprints
    rng = np.random.default_rng(spec.seed)
    fingerprints: dict[Fingerprint, int] = {}
    for label in range(spec.n_classes):
        fingerprint = _draw(spec, rng)
        if fingerprint in fingerprints:
            raise SpecificationError(
                f"dataset {spec.name!r}: classes {fingerprints[fingerprint]} and {label} were drawn with the "
                f"same fingerprint {fingerprint.positions}; raise n_points, max_peaks or max_height, or lower "
                f"n_classes={spec.n_classes}"
            )
        fingerprints[fingerprint] = label
    return tuple(fingerprints)


def _draw(spec: DatasetSpec, rng: np.random.Generator) -> Fingerprint:
    if spec.peak_count_law == "gamma":
        n_peaks = round(rng.gamma(spec.gamma_shape, spec.gamma_scale) + spec.min_peaks)
    else:
        n_peaks = int(rng.integers(spec.min_peaks, spec.max_peaks, endpoint=True))
    # Drawn in full and cut afterwards: the published order of draws.
    positions = rng.integers(spec.boundary, spec.n_points - spec.boundary, n_peaks)[: spec.max_peaks]
    heights = rng.integers(1, spec.max_height, n_peaks, endpoint=True)[: spec.max_peaks]
    order = np.argsort(positions)
    # A height that rounds to 0.000 would be no peak at all; it can occur only for max_height > 2000.
    relative = np.maximum(np.round(heights / heights.max(), 3), 0.001)
    return Fingerprint(positions=tuple(positions[order].tolist()), heights=tuple(relative[order].tolist()))
