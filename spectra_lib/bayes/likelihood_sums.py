"""Sums over all assignments of peaks, compiled by Numba; `bayes.likelihood` says what they compute."""

from __future__ import annotations

import numba
import numpy as np


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
    """Order and likelihood of every peak list for every class that can have made it; see `evidence`.

    Parameters
    ----------
    offsets : ndarray of int64, shape (n_spectra + 1,)
        Where the peaks of each spectrum begin.
    positions : ndarray of int64, shape (n_observed,)
        Points, ascending within a spectrum.
    heights : ndarray of float64, shape (n_observed,)
        Relative to the highest peak of the spectrum.
    n_points : int
        Points of a spectrum.
    class_offsets : ndarray of int64, shape (n_classes + 1,)
        `offsets` of `TrainingDistribution`.
    first, last : ndarray of int64, shape (n_peaks_total,)
        As in `TrainingDistribution`, in points.
    low, high, density, vanishing, atom, atom_mass : ndarray of float64, shape (n_peaks_total,)
        As in `TrainingDistribution`.
    cut_offsets, cuts : ndarray of int64
        As in `TrainingDistribution`.
    tolerance : float
        Relative error of the heights.
    state : ndarray of float64, shape (most_atoms + 1, overlap + 2, 2**overlap)
        Working memory, overwritten; most_atoms: largest number of atoms in a class.

    Returns
    -------
    offsets : ndarray of int64, shape (n_spectra + 1,)
        Where the entries of each spectrum begin.
    labels, orders : ndarray of int64, shape (n_entries,)
    likelihoods : ndarray of float64, shape (n_entries,)
    """
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
