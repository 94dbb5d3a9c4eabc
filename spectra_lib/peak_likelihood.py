"""How likely a peak list is under the law of each class: exact, up to the scale nobody knows.

A spectrum divided by its own maximum tells where its peaks are and how high they are *relative to
the highest*. For each class this module computes the density of that observation under the law of
the training spectra, summed over everything that stays hidden: which peak of the class made which
observed peak, which peaks vanished because their height was clipped at zero, which were
overwritten by a later peak on the same point, and the common scale of the heights.

How it is done. Let peak i of a class fall on point x with probability q_i(x), and have a height
with density f_i, vanishing with probability a_i. Given the scale m (the true height of the highest
peak), points are independent but for one condition: every peak of the class falls on exactly one
point. A set S of peaks falls on a point with probability prod q_i(x), and only its last member is
seen. The likelihood is therefore the coefficient of "every peak used once" in

    prod over observed x_j of sum_S q_S(x_j) m r_j f_last(S)(m r_j)
    prod over all other x  of (1 + sum_S q_S(x) a_last(S)),

found by a sweep over the points from left to right, which remembers only which of the peaks whose
ranges are still open have been used. As a function of m it is m^k (k observed peaks) times a step
function, so the integral over d(log m) is a finite sum. Heights that are not varied are atoms of
the height law: each fixes m. Densities are those of the logarithms of the relative heights, in
which all classes are measured alike: with A atoms seen the density lives on k - max(A, 1)
dimensions, and the class with the higher `order` max(A, 1) is infinitely more likely where its
atoms match.

The law: Schuetzke et al. 2023, Methods, doi:10.1038/s41524-023-01055-y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
from numpy.typing import NDArray

from spectra_lib.errors import SpectraError
from spectra_lib.peaks import PeakTable
from spectra_lib.specification import MAX_HEIGHT, DatasetSpec, Fingerprint

MAX_OVERLAP = 16
"""Most peaks of one class whose position ranges may share a point; the work doubles with each."""

ROUNDING = 1e-9
"""Heights that differ by less than this fraction of themselves are the same height."""


@dataclass(frozen=True)
class TrainingLaw:
    """The law of the training peaks of all classes, in flat arrays.

    Class c owns the peaks ``offsets[c]:offsets[c + 1]`` and the points
    ``cuts[cut_offsets[c]:cut_offsets[c + 1]]`` at which the set of its peaks that can be met changes.

    Attributes
    ----------
    n_points : int
        Points of a spectrum.
    offsets : ndarray of int64, shape (n_classes + 1,)
        Where each class begins.
    first, last : ndarray of int64, shape (n_peaks_total,)
        A peak falls on each point first..last with equal probability, before the position is
        clipped to the spectrum.
    low, high : ndarray of float64, shape (n_peaks_total,)
        Range of the continuous part of the height law.
    density : ndarray of float64, shape (n_peaks_total,)
        Probability density in that range; 0 if the height does not vary.
    vanishing : ndarray of float64, shape (n_peaks_total,)
        Probability of height zero.
    atom, atom_mass : ndarray of float64, shape (n_peaks_total,)
        The one height above zero that has a probability of its own, and that probability.
    cut_offsets, cuts : ndarray of int64
        See above.
    """

    n_points: int
    offsets: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    density: NDArray[np.float64]
    vanishing: NDArray[np.float64]
    atom: NDArray[np.float64]
    atom_mass: NDArray[np.float64]
    cut_offsets: NDArray[np.int64]
    cuts: NDArray[np.int64]

    @classmethod
    def from_spec(cls, spec: DatasetSpec, fingerprints: Sequence[Fingerprint]) -> TrainingLaw:
        """Write down the law by which `spec` varies the given fingerprints.

        Raises
        ------
        SpectraError
            If more than `MAX_OVERLAP` peaks of one class can fall on the same point, or if the dataset has
            strain or preferred orientation, which this law does not know.

        Examples
        --------
        >>> from spectra_lib.specification import dataset_spec
        >>> spec = dataset_spec("challenge")
        >>> law = TrainingLaw.from_spec(spec, spec.fingerprints)
        >>> law.first[:2], law.last[:2]
        (array([ 650, 2950]), array([ 749, 3049]))
        """
        if spec.realism.changes_peaks:
            raise SpectraError(
                f"dataset {spec.name!r} has realism.strain={spec.realism.strain} and realism.texture="
                f"{spec.realism.texture}, which couple its peaks; this law needs independent ones, set both to 0"
            )
        variation = spec.variation
        counts = [fingerprint.n_peaks for fingerprint in fingerprints]
        positions = np.concatenate([np.array(f.positions, dtype=np.int64) for f in fingerprints])
        heights = np.concatenate([np.array(f.heights, dtype=float) for f in fingerprints])
        shift, change = variation.position_shift, variation.height_change
        first, last = positions - shift, positions + max(shift - 1, 0)

        varied = np.full(len(heights), change > 0)
        if variation.keep_unit_heights:
            varied &= heights != 1.0
        density = np.where(varied, 0.5 / change if change else 0.0, 0.0)
        low, high = heights - change, heights + change
        above = np.where(varied, np.maximum(high - MAX_HEIGHT, 0.0) * density, 0.0)  # clipped to MAX_HEIGHT
        offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        cuts = [_cuts(first[begin:end], last[begin:end], spec.n_points) for begin, end in pairwise(offsets)]
        law = cls(
            n_points=spec.n_points,
            offsets=offsets,
            first=first,
            last=last,
            low=np.maximum(low, 0.0),
            high=np.minimum(high, MAX_HEIGHT),
            density=density,
            vanishing=np.maximum(-low, 0.0) * density,
            atom=np.where(varied, MAX_HEIGHT, heights),
            atom_mass=np.where(varied, above, 1.0),
            cut_offsets=np.concatenate(([0], np.cumsum([len(c) for c in cuts]))).astype(np.int64),
            cuts=np.concatenate(cuts),
        )
        if law.overlap > MAX_OVERLAP:
            raise SpectraError(
                f"dataset {spec.name!r}: {law.overlap} peaks of one class can fall on the same point, and the exact "
                f"sum over their assignments takes at most {MAX_OVERLAP}; lower position_shift={shift} or max_peaks"
            )
        return law

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.offsets) - 1

    @property
    def overlap(self) -> int:
        """Most peaks of one class that can fall on the same point."""
        most = 1
        for begin, end in pairwise(self.offsets):
            first = np.clip(self.first[begin:end], 0, self.n_points - 1)
            last = np.clip(self.last[begin:end], 0, self.n_points - 1)
            # Both ascend with the peak, so that the peaks which reach point first[i] are a run that ends at i.
            most = max(most, int((np.searchsorted(first, first, "right") - np.searchsorted(last, first)).max()))
        return most


def _cuts(first: NDArray[np.int64], last: NDArray[np.int64], n_points: int) -> NDArray[np.int64]:
    inside = np.clip(np.concatenate((first, last + 1)), 0, n_points)
    # The outermost points gather what was clipped, and are therefore segments of their own.
    ends = [point for point in (1, n_points - 1) if inside.min() <= point <= inside.max()]
    return np.unique(np.concatenate((inside, np.array(ends, dtype=np.int64))))


def observe(peaks: PeakTable) -> PeakTable:
    """Reduce peaks to what a spectrum divided by its maximum shows of them.

    Peaks of height zero and peaks overwritten by a later one on the same point are dropped, heights
    divided by the largest, and peaks sorted by position. Broadened peaks are taken as resolved
    exactly: with a known width the Gaussian filter can be inverted. A spectrum whose peaks have all
    vanished has none.

    Parameters
    ----------
    peaks : PeakTable
        Peaks of n_spectra spectra, in order of placement.

    Returns
    -------
    PeakTable
        Peaks that can be seen; at most as many.

    Examples
    --------
    >>> seen = observe(PeakTable.from_lists([[9, 4, 4, 7]], [[0.5, 0.3, 0.4, 0.0]], [2.0]))
    >>> seen.positions, seen.heights
    (array([4, 9], dtype=int32), array([0.8, 1. ]))
    """
    rows = np.repeat(np.arange(len(peaks)), peaks.counts)
    order = np.lexsort((peaks.positions, rows))  # stable: later peaks stay behind earlier ones
    positions, heights, rows = peaks.positions[order], peaks.heights[order], rows[order]
    final = np.ones(len(rows), dtype=bool)
    final[:-1] = (rows[1:] != rows[:-1]) | (positions[1:] != positions[:-1])
    seen = final & (heights > 0)
    positions, heights, rows = positions[seen], heights[seen], rows[seen]
    highest = np.zeros(len(peaks))
    np.maximum.at(highest, rows, heights)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(peaks))))).astype(np.int64)
    return PeakTable(offsets, positions, heights / highest[rows], peaks.widths)


@dataclass(frozen=True)
class Evidence:
    """The classes that can have made each spectrum, and how likely each was to make it.

    Spectrum i owns the entries ``offsets[i]:offsets[i + 1]``, one for each class whose law allows
    it, in the order of the labels.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_spectra + 1,)
        Where each spectrum begins.
    labels : ndarray of int64, shape (n_entries,)
        Classes.
    orders : ndarray of int64, shape (n_entries,)
        Number of heights that match an atom of the class's law, at least 1; of two classes the one
        of higher order is infinitely more likely.
    likelihoods : ndarray of float64, shape (n_entries,)
        Density of the observation, comparable between classes of one order.
    """

    offsets: NDArray[np.int64]
    labels: NDArray[np.int64]
    orders: NDArray[np.int64]
    likelihoods: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def rows(self) -> NDArray[np.int64]:
        """Spectrum of each entry, shape (n_entries,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))


def evidence(law: TrainingLaw, observed: PeakTable, tolerance: float = ROUNDING) -> Evidence:
    """Weigh every class for every observed peak list.

    Parameters
    ----------
    law : TrainingLaw
        Law of the classes.
    observed : PeakTable
        Peaks as `observe` returns them.
    tolerance : float
        Relative error of the heights: an observed height matches an atom, or the end of a range, to
        within this fraction of itself.

    Returns
    -------
    Evidence

    Examples
    --------
    >>> from spectra_lib.dataset import make_dataset
    >>> data = make_dataset("challenge")
    >>> found = evidence(TrainingLaw.from_spec(data.spec, data.fingerprints), observe(data.test.peaks))
    >>> found.labels[found.offsets[0] : found.offsets[1]]
    array([0, 1, 2])
    """
    overlap = law.overlap
    most_atoms = int(np.add.reduceat(law.atom_mass > 0, law.offsets[:-1], dtype=np.int64).max())
    state = np.empty((most_atoms + 1, overlap + 2, 1 << overlap))
    offsets, labels, orders, likelihoods = weigh_all(
        observed.offsets,
        observed.positions.astype(np.int64),
        observed.heights,
        law.n_points,
        law.offsets,
        law.first,
        law.last,
        law.low,
        law.high,
        law.density,
        law.vanishing,
        law.atom,
        law.atom_mass,
        law.cut_offsets,
        law.cuts,
        tolerance,
        state,
    )
    return Evidence(offsets, labels, orders, likelihoods)


@numba.njit(cache=True, nogil=True)
def _chance(first, last, x, n_points):  # type: ignore[no-untyped-def]
    """Probability that a peak falls on point x."""
    begin, end = max(first, x), min(last, x)
    if x == 0:
        begin = first
    if x == n_points - 1:
        end = last
    return max(end - begin + 1, 0) / (last - first + 1)


@numba.njit(cache=True, nogil=True)
def _possible(x, first, last, vanishing, begin, end, n_points):  # type: ignore[no-untyped-def]
    """Whether positions alone leave the class with peaks begin..end - 1 possible; only False is certain.

    Every observed peak needs a peak of the class that reaches it, and every peak of the class an observed peak to
    make or to hide under, unless it vanishes or a vanishing peak can wipe it out.
    """
    i = begin
    for j in range(len(x)):
        while i < end and last[i] < x[j]:
            i += 1
        if i == end or first[i] > x[j]:
            return False
    j = 0
    for i in range(begin, end):
        leftmost, rightmost = max(first[i], 0), min(last[i], n_points - 1)
        while j < len(x) and x[j] < leftmost:
            j += 1
        if j < len(x) and x[j] <= rightmost:
            continue
        wiped = vanishing[i] > 0
        for later in range(i + 1, end):
            if wiped or first[later] > rightmost:
                break
            wiped = vanishing[later] > 0
        if not wiped:
            return False
    return True


@numba.njit(cache=True, nogil=True)
def _sweep(  # type: ignore[no-untyped-def]
    x, r, m, atoms, n_points, first, last, low, high, density, vanishing, atom, atom_mass, cuts, tolerance, state
):
    """Sum over all assignments at scale m; leaves the weight with A atoms seen in state[A, 0, last mask].

    state[A, b, mask]: A atoms seen so far, b points of the present segment taken, peaks of the window used. The
    window holds the peaks low_peak..high_peak - 1, whose ranges are open. Returns the index of the final mask, or
    -1 if nothing is possible. With `atoms` false only the continuous part of the height laws counts.
    """
    n, k = len(first), len(x)
    n_atoms = state.shape[0] - 1 if atoms else 0
    slack = tolerance if atoms else 0.0  # scales between two steps meet no end of a range
    low_peak, high_peak = 0, 0
    state[: n_atoms + 1, 0, 0] = 0.0
    state[0, 0, 0] = 1.0
    seen = 0
    cut = 0
    position = cuts[0]
    while position < cuts[-1]:
        while cuts[cut] <= position:
            cut += 1
        end = cuts[cut]
        observed = seen < k and x[seen] == position
        if observed:
            end = position + 1
        elif seen < k:
            end = min(end, x[seen])
        # Close the ranges that have ended; their peaks must have been used.
        while low_peak < high_peak and last[low_peak] < position:
            half = 1 << (high_peak - low_peak - 1)
            alive = False
            for a in range(n_atoms + 1):
                for mask in range(half):
                    value = state[a, 0, 2 * mask + 1]
                    state[a, 0, mask] = value
                    alive = alive or value > 0.0
            if not alive:
                return -1
            low_peak += 1
        while high_peak < n and max(first[high_peak], 0) <= position:
            size = 1 << (high_peak - low_peak)
            state[: n_atoms + 1, 0, size : 2 * size] = 0.0
            high_peak += 1
        size = 1 << (high_peak - low_peak)
        length = end - position
        helpful = observed
        for i in range(low_peak, high_peak):
            helpful = helpful or vanishing[i] > 0.0
        if helpful:
            most = min(length, high_peak - low_peak)
            state[: n_atoms + 1, 1 : most + 1, :size] = 0.0
            height = m * r[seen] if observed else 0.0
            for i in range(high_peak - 1, low_peak - 1, -1):
                bit = 1 << (i - low_peak)
                chance = _chance(first[i], last[i], position, n_points)
                if chance == 0.0:
                    continue
                heads, heads_atom = vanishing[i], 0.0
                if observed:
                    inside = low[i] * (1.0 - slack) <= height <= high[i] * (1.0 + slack)
                    heads = height * density[i] if inside else 0.0
                    if atoms and abs(height - atom[i]) <= tolerance * height:
                        heads_atom = atom_mass[i]
                for mask in range(size):
                    if mask & bit:
                        continue
                    for b in range(most + 1):
                        for a in range(n_atoms + 1):
                            value = state[a, b, mask]
                            if value == 0.0:
                                continue
                            if b > 0:  # hidden under a later peak
                                state[a, b, mask | bit] += value * b * chance
                            if b < most:  # the last peak on a point not yet taken
                                free = (length - b) * chance
                                state[a, b + 1, mask | bit] += value * free * heads
                                if heads_atom > 0.0 and a < n_atoms:
                                    state[a + 1, b + 1, mask | bit] += value * free * heads_atom
            alive = False
            for a in range(n_atoms + 1):
                for mask in range(size):
                    value = 0.0 if observed else state[a, 0, mask]
                    for b in range(1, most + 1):
                        value += state[a, b, mask]
                    state[a, 0, mask] = value
                    alive = alive or value > 0.0
            if not alive:
                return -1
        if observed:
            seen += 1
        position = end
    if high_peak < n or seen < k:
        return -1
    return (1 << (high_peak - low_peak)) - 1


@numba.njit(cache=True, nogil=True)
def _weigh(  # type: ignore[no-untyped-def]
    x, r, n_points, first, last, low, high, density, vanishing, atom, atom_mass, cuts, tolerance, state
):
    """Order and likelihood of one peak list for one class; order 0 if it is impossible."""
    law = (n_points, first, last, low, high, density, vanishing, atom, atom_mass, cuts, tolerance, state)
    n, k = len(first), len(x)
    if k == 0:
        full = _sweep(x, r, 1.0, False, *law)
        weight = state[0, 0, full] if full >= 0 else 0.0
        return (1 if weight > 0.0 else 0), weight

    # Scales at which the step function may change, and those at which an atom is met.
    steps = np.empty(2 * n * k)
    atoms = np.empty(n * k)
    n_steps, n_atoms = 0, 0
    low_scale, high_scale = 0.0, np.inf  # where the continuous parts alone explain every observed peak
    atom_low, atom_high = 0.0, np.inf  # where anything does
    for j in range(k):
        own_low, own_high, any_low, any_high = np.inf, 0.0, np.inf, 0.0
        for i in range(n):
            if _chance(first[i], last[i], x[j], n_points) == 0.0:
                continue
            if density[i] > 0.0:
                steps[n_steps], steps[n_steps + 1] = low[i] / r[j], high[i] / r[j]
                own_low, own_high = min(own_low, low[i] / r[j]), max(own_high, high[i] / r[j])
                n_steps += 2
            if atom_mass[i] > 0.0:
                atoms[n_atoms] = atom[i] / r[j]
                any_low, any_high = min(any_low, atoms[n_atoms]), max(any_high, atoms[n_atoms])
                n_atoms += 1
        low_scale, high_scale = max(low_scale, own_low), min(high_scale, own_high)
        atom_low, atom_high = max(atom_low, min(own_low, any_low)), min(atom_high, max(own_high, any_high))

    order, total = 0, 0.0
    atoms = np.sort(atoms[:n_atoms])
    previous = 0.0
    for m in atoms:
        if m < atom_low * (1.0 - tolerance) or m > atom_high * (1.0 + tolerance) or m <= previous * (1.0 + tolerance):
            continue
        previous = m
        full = _sweep(x, r, m, True, *law)
        if full < 0:
            continue
        for a in range(state.shape[0] - 1, max(order, 1) - 1, -1):
            weight = state[a, 0, full]
            if weight > 0.0:
                total = total + weight if a == order else weight
                order = a
                break
    if order > 1 or low_scale >= high_scale:
        return order, total
    steps = np.sort(steps[:n_steps])
    begin = low_scale
    for step in steps:
        end = min(step, high_scale)
        if end <= begin * (1.0 + tolerance):
            continue
        middle = 0.5 * (begin + end)
        full = _sweep(x, r, middle, False, *law)
        if full >= 0 and state[0, 0, full] > 0.0:
            # The sweep counted middle^k; the integral of m^k d(log m) is (end^k - begin^k) / k.
            total += state[0, 0, full] * ((end / middle) ** k - (begin / middle) ** k) / k
            order = 1
        begin = end
    return order, total


@numba.njit(cache=True, nogil=True)
def weigh_all(  # type: ignore[no-untyped-def]
    offsets,
    positions,
    heights,
    n_points,
    class_offsets,
    first,
    last,
    low,
    high,
    density,
    vanishing,
    atom,
    atom_mass,
    cut_offsets,
    cuts,
    tolerance,
    state,
):
    """Order and likelihood of every peak list for every class that can have made it; see `evidence`."""
    n_spectra, n_classes = len(offsets) - 1, len(class_offsets) - 1
    room = 4 * n_spectra + 16
    labels = np.empty(room, dtype=np.int64)
    orders = np.empty(room, dtype=np.int64)
    likelihoods = np.empty(room)
    entries = np.zeros(n_spectra + 1, dtype=np.int64)
    used = 0
    for row in range(n_spectra):
        x = positions[offsets[row] : offsets[row + 1]]
        r = heights[offsets[row] : offsets[row + 1]]
        for label in range(n_classes):
            begin, end = class_offsets[label], class_offsets[label + 1]
            if not _possible(x, first, last, vanishing, begin, end, n_points):
                continue
            own = slice(begin, end)
            order, likelihood = _weigh(
                x,
                r,
                n_points,
                first[own],
                last[own],
                low[own],
                high[own],
                density[own],
                vanishing[own],
                atom[own],
                atom_mass[own],
                cuts[cut_offsets[label] : cut_offsets[label + 1]],
                tolerance,
                state,
            )
            if order == 0:
                continue
            if used == len(labels):
                labels = np.concatenate((labels, np.empty(used, dtype=np.int64)))
                orders = np.concatenate((orders, np.empty(used, dtype=np.int64)))
                likelihoods = np.concatenate((likelihoods, np.empty(used)))
            labels[used], orders[used], likelihoods[used] = label, order, likelihood
            used += 1
        entries[row + 1] = used
    return entries, labels[:used].copy(), orders[:used].copy(), likelihoods[:used].copy()
