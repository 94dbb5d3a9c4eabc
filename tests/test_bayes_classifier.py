"""The Bayes classifier against brute force, and against the known figures of the published datasets."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest

import spectra_lib as sl
from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.bayes.class_centres import ClassCentres
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.bayes.likelihood import evidence
from spectra_lib.bayes.posterior import posterior, relative_probabilities
from spectra_lib.bayes.training_distribution import MAX_OVERLAP, TrainingDistribution, observe
from spectra_lib.datasets.dataset import Dataset, Split, make_dataset
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.specification import MAX_HEIGHT, DatasetSpec, Fingerprint, Variation


@pytest.fixture(scope="module")
def benchmark() -> Dataset:
    return make_dataset("benchmark")


@pytest.fixture(scope="module")
def challenge() -> Dataset:
    return make_dataset("challenge")


def tiny(*classes: tuple[tuple[int, ...], tuple[float, ...]], n_points: int = 9, **variation: object) -> DatasetSpec:
    fingerprints = tuple(Fingerprint(positions=positions, heights=heights) for positions, heights in classes)
    return DatasetSpec(
        name="tiny",
        n_points=n_points,
        n_classes=len(fingerprints),
        boundary=0,
        variation=Variation(**variation),
        fingerprints=fingerprints,
    )


# Peaks that swap, hide under one another, vanish, wipe one another out, pile up at the ends, or tie.
LAWS = {
    "overlapping": tiny(
        ((3, 4, 6), (1.0, 0.4, 0.2)),
        ((3, 5), (1.0, 0.5)),
        ((4, 5, 6), (0.5, 1.0, 0.25)),
        position_shift=2,
        height_change=0.3,
    ),
    "unit heights kept": tiny(
        ((3, 4, 6), (1.0, 0.4, 0.2)),
        ((3, 5), (1.0, 0.5)),
        ((3, 4, 5), (1.0, 1.0, 0.3)),
        ((4, 4), (0.9, 1.0)),
        position_shift=2,
        height_change=0.3,
        keep_unit_heights=True,
    ),
    "ends": tiny(
        ((0, 1, 5), (1.0, 0.6, 0.1)),
        ((0, 5), (1.0, 0.2)),
        ((1, 4, 5), (0.6, 1.0, 0.1)),
        n_points=6,
        position_shift=3,
        height_change=0.2,
    ),
    "vanishing": tiny(
        ((3, 3, 4), (0.1, 0.2, 0.1)), ((3,), (0.3,)), ((4, 4), (0.2, 0.3)), position_shift=2, height_change=0.5
    ),
    "largest height": tiny(
        ((2, 3), (1.0, 0.9)), ((2, 4), (0.7, 1.0)), ((3,), (1.0,)), n_points=7, position_shift=2, height_change=1.3
    ),
    "positions fixed": tiny(
        ((2, 5), (1.0, 0.5)), ((2, 5), (0.6, 1.0)), ((2,), (1.0,)), position_shift=0, height_change=0.5
    ),
}


def draw(spec: DatasetSpec, n: int, rng: np.random.Generator) -> tuple[PeakTable, np.ndarray, np.ndarray]:
    """Observe n spectra of each class, written independently of the library, on lines of points.

    Returns the peaks, the labels, and the lines divided by their maximum, shape (n_spectra, n_points).
    """
    law = spec.variation
    lines = []
    for fingerprint in spec.fingerprints or ():
        line = np.zeros((n, spec.n_points))
        for position, height in zip(fingerprint.positions, fingerprint.heights, strict=True):
            shift = rng.integers(-law.position_shift, law.position_shift, n) if law.position_shift else 0
            heights = np.full(n, height)
            if not (law.keep_unit_heights and height == 1.0):
                heights += law.height_change * (2 * rng.random(n) - 1)
            x = np.minimum(np.maximum(position + shift, 0), spec.n_points - 1)
            line[np.arange(n), x] = np.minimum(np.maximum(heights, 0), MAX_HEIGHT)
        lines.append(line)
    line = np.concatenate(lines)
    highest = line.max(axis=1, keepdims=True)
    line /= np.where(highest > 0, highest, 1)
    rows, positions = np.nonzero(line)
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(line)))))
    peaks = PeakTable(offsets, positions.astype(np.int32), line[rows, positions], np.ones(len(line)))
    return peaks, np.repeat(np.arange(spec.n_classes), n), line


@pytest.mark.parametrize("name", LAWS)
def test_posterior_is_calibrated_on_every_kind_of_spectrum(name: str) -> None:
    """Among spectra with one set of peak positions and like heights, classes occur as often as the posterior says.

    Tolerance: every count within 5.5 standard errors, their mean square within 15 % of 1.
    """
    spec = LAWS[name]
    n = 15_000
    peaks, labels, line = draw(spec, n, np.random.default_rng(7))
    found = evidence(TrainingDistribution.from_spec(spec, spec.fingerprints), peaks)
    probability = posterior(found, spec.n_classes)
    assert np.all(probability[np.arange(len(labels)), labels] > 0), "the true class is always possible"

    bins = np.where(line > 0, 1 + np.digitize(line, np.linspace(0.1, 1, 10)), 0)
    _, kind = np.unique(bins, axis=0, return_inverse=True)
    kind = kind.ravel()
    scores = []
    for label in range(spec.n_classes):
        p = probability[:, label]
        expected = np.bincount(kind, weights=p)
        variance = np.bincount(kind, weights=p * (1 - p))
        counted = np.bincount(kind, weights=labels == label)
        certain = variance < 1e-9
        np.testing.assert_allclose(counted[certain], expected[certain], atol=1e-6)
        large = variance > 10
        scores.append((counted - expected)[large] / np.sqrt(variance[large]))
    score = np.concatenate(scores)
    assert len(score) > 10
    assert np.abs(score).max() < 5.5
    assert (score**2).mean() == pytest.approx(1, abs=max(0.15, 4 * np.sqrt(2 / len(score))))


def test_likelihood_of_a_class_that_does_not_exist() -> None:
    observer = bayes_classifier(make_dataset("smoke"))
    with pytest.raises(SpectraError, match="label: expected a class from 0 to 3, received 4"):
        observer.likelihood(observer.dataset.test.peaks, 4)


def test_likelihood_of_discrete_law_equals_enumeration() -> None:
    """With heights that do not vary, each observation has a probability, found here by trying all placements."""
    spec = tiny(
        ((2, 3, 3, 5), (0.5, 1.0, 0.25, 0.5)),
        ((0, 1, 6), (1.0, 0.5, 0.5)),
        n_points=7,
        position_shift=2,
        height_change=0,
    )
    law = TrainingDistribution.from_spec(spec, spec.fingerprints)
    for label, fingerprint in enumerate(spec.fingerprints or ()):
        outcomes: dict[tuple, int] = {}
        placements = list(itertools.product(*(range(p - 2, p + 2) for p in fingerprint.positions)))
        for placement in placements:
            line = dict(zip((min(max(x, 0), 6) for x in placement), fingerprint.heights, strict=True))
            outcomes[tuple(sorted(line.items()))] = outcomes.get(tuple(sorted(line.items())), 0) + 1
        by_ratio: dict[tuple, int] = {}
        for line, count in outcomes.items():
            highest = max(height for _, height in line)
            key = tuple((x, height / highest) for x, height in line)
            by_ratio[key] = by_ratio.get(key, 0) + count
        table = PeakTable.from_lists(
            [[x for x, _ in line] for line in by_ratio],
            [[h for _, h in line] for line in by_ratio],
            np.ones(len(by_ratio)),
        )
        found = evidence(law, table)
        own = found.labels == label
        # Observations whose heights match at two scales have two orders; only the highest counts and is compared.
        top = {
            row: (order, weight)
            for row, order, weight in zip(found.rows[own], found.orders[own], found.likelihoods[own], strict=True)
        }
        assert len(top) == len(by_ratio)
        for row, (line, count) in enumerate(by_ratio.items()):
            assert top[row][0] == len(line)
            assert top[row][1] == pytest.approx(count / len(placements), rel=1e-12)


def test_likelihood_is_the_density_of_the_log_ratio() -> None:
    """Integrated over a range of height ratios it gives the probability of that range.

    Tolerance: 4 standard errors of a Monte-Carlo sample of 400,000 plus 1e-3 for the integration.
    """
    spec = tiny(((2, 6), (1.0, 0.5)), ((4,), (1.0,)), position_shift=1, height_change=0.3)
    n = 400_000
    _, labels, line = draw(spec, n, np.random.default_rng(3))
    pair = line[labels == 0][:, [2, 6]]
    pair = pair[(pair > 0).all(axis=1)]
    ratio = np.log(pair[:, 1] / pair[:, 0])
    edges = np.linspace(np.log(0.2), np.log(1.1), 13)
    law = TrainingDistribution.from_spec(spec, spec.fingerprints)
    for low, high in itertools.pairwise(edges):
        counted = np.count_nonzero((ratio >= low) & (ratio < high)) / n
        u = low + (np.arange(200) + 0.5) * (high - low) / 200
        heights = np.stack((np.exp(-np.maximum(u, 0)), np.exp(np.minimum(u, 0))), axis=1)
        found = evidence(law, PeakTable.from_lists([[2, 6]] * 200, list(heights), np.ones(200)))
        integral = found.likelihoods.sum() * (high - low) / 200
        assert integral == pytest.approx(counted, abs=1e-3 * integral + 4 * np.sqrt(integral / n) + 1e-9)


def test_matching_atom_beats_any_density() -> None:
    spec = tiny(
        ((2, 6), (1.0, 1.0)), ((2, 6), (1.0, 0.98)), height_change=0.05, position_shift=1, keep_unit_heights=True
    )
    found = evidence(
        TrainingDistribution.from_spec(spec, spec.fingerprints),
        PeakTable.from_lists([[2, 6]] * 2, [[1, 1], [1, 0.99]], [2, 2]),
    )
    assert posterior(found, 2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert found.orders.tolist() == [2, 1, 1]
    assert relative_probabilities(found).tolist() == [1.0, 0.0, 1.0]


def test_observation_drops_vanished_and_overwritten_peaks() -> None:
    seen = observe(PeakTable.from_lists([[5, 3, 5], [4, 4], [7]], [[0.4, 0.2, 0.1], [0.8, 0.0], [0.5]], [2, 2, 2]))
    assert [x.tolist() for x, _ in seen] == [[3, 5], [], [7]]
    np.testing.assert_allclose(seen.heights, [1.0, 0.5, 1.0])


def test_general_benchmark_has_nine_expected_errors(benchmark: Dataset) -> None:
    observer = bayes_classifier(benchmark)
    support = observer.in_support(benchmark.test)
    assert int((support.sum(axis=1) == 2).sum()) == int((support.sum(axis=1) > 1).sum()) == 32
    assert np.all(support[np.arange(len(benchmark.test)), benchmark.test.labels])
    shared = {tuple(np.flatnonzero(row).tolist()) for row in support if row.sum() > 1}
    assert shared == {(8, 318), (164, 281), (219, 347), (15, 482), (206, 403)}
    assert observer.expected_errors(benchmark.test) == pytest.approx(9.0, abs=1e-9)


def test_challenge_has_thirty_six_expected_errors(challenge: Dataset) -> None:
    observer = bayes_classifier(challenge)
    assert observer.expected_errors(challenge.test) == pytest.approx(36.0, abs=1e-9)
    ceiling = observer.ceiling(challenge.test)
    assert (ceiling.n_spectra, ceiling.shared) == (162, 96)
    assert ceiling.accuracy == pytest.approx(0.7778, abs=5e-5)
    assert ceiling.standard_error == 0
    probability = observer.posterior(challenge.test)
    tied = (probability >= probability.max(axis=1, keepdims=True) * (1 - 1e-9)).sum(axis=1) > 1
    assert tied.sum() == 72


def test_nearest_centre_breaks_ties(benchmark: Dataset, challenge: Dataset) -> None:
    """What a smoothness bias buys. The figure for the general set depends on what counts as a tie."""
    observer = bayes_classifier(challenge)
    for centre in ("ideal", "mid_range"):
        assert np.array_equal(observer.classify(challenge.test, centre), challenge.test.labels)
    observer = bayes_classifier(benchmark)
    errors = {
        tie: int((observer.classify(benchmark.test, tie=tie) != benchmark.test.labels).sum())
        for tie in (1e-9, 0.15, 1.0)
    }
    assert errors == {1e-9: 6, 0.15: 2, 1.0: 4}


def test_nearest_mid_range_of_training_peaks(benchmark: Dataset, challenge: Dataset) -> None:
    for data, errors in ((benchmark, 7), (challenge, 0)):
        labels, _ = ClassCentres.mid_range(data).nearest(observe(data.test.peaks))
        assert int((labels != data.test.labels).sum()) == errors


def test_nearest_class_equals_exhaustive_search(challenge: Dataset) -> None:
    centres = ClassCentres.ideal(challenge)
    observed = observe(challenge.validation.peaks).take(slice(0, None, 5))
    labels, distances = centres.nearest(observed)
    for row, (x, r) in enumerate(observed):
        everything = [centres.distance(x, r, label) for label in range(27)]
        assert distances[row] == pytest.approx(min(everything))
        assert everything[labels[row]] == min(everything)


def test_ceiling_in_the_limit_agrees_with_the_training_set(challenge: Dataset) -> None:
    observer = bayes_classifier(challenge)
    limit = observer.ceiling_in_the_limit(per_class=100, seed=5)
    train = observer.ceiling(challenge.train)
    spread = np.hypot(limit.standard_error, np.sqrt(0.14 * 0.86 / len(challenge.train)))
    assert 0 < limit.standard_error < 0.004
    assert abs(limit.accuracy - train.accuracy) < 4 * spread
    again = observer.ceiling_in_the_limit(per_class=100, seed=6)
    assert again != limit
    assert abs(again.accuracy - limit.accuracy) < 4 * np.sqrt(2) * limit.standard_error


def test_limit_keeps_the_classes_when_fingerprints_are_drawn() -> None:
    data = make_dataset(DatasetSpec(name="drawn", n_points=300, n_classes=6, boundary=60, n_train=4, seed=3))
    limit = bayes_classifier(data).ceiling_in_the_limit(per_class=50)
    assert limit.accuracy > 0.5  # spectra of other classes would lie in no support at all


def test_spectra_no_class_can_make_leave_all_classes_equal(challenge: Dataset) -> None:
    strange = Split(np.array([0, 3]), PeakTable.from_lists([[10], [7]], [[1.0], [0.0]], [2, 2]), 5000)
    observer = bayes_classifier(challenge)
    assert not observer.in_support(strange).any()
    np.testing.assert_allclose(observer.posterior(strange), 1 / 27)
    assert observer.expected_errors(strange) == pytest.approx(2 * 26 / 27)
    assert observer.classify(strange).shape == (2,)


def test_the_posterior_of_the_benchmark_takes_little_memory(benchmark: Dataset) -> None:
    observer = bayes_classifier(benchmark)
    observer.posterior(make_dataset("smoke").test)  # compiled
    for split in (benchmark.test, benchmark.validation):
        tracemalloc.start()
        result = observer.posterior(split)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert result.shape == (len(split), 500)
        assert result.dtype == np.float64
        np.testing.assert_allclose(result.sum(axis=1), 1)
        assert peak < 500e6


def test_package_name_stays_a_function() -> None:
    """The function must not be shadowed by a module of its name once that is imported."""
    assert sl.bayes_classifier is sl.bayes_classifier is bayes_classifier


def test_errors_explain_themselves(challenge: Dataset) -> None:
    observer = bayes_classifier(challenge)
    with pytest.raises(SpectraError, match="another seed"):
        observer.ceiling_in_the_limit(seed=challenge.spec.seed)
    with pytest.raises(SpectraError, match="at least 2"):
        observer.ceiling_in_the_limit(per_class=1)
    with pytest.raises(SpectraError, match=r"tie=2: expected a fraction"):
        observer.classify(challenge.test, tie=2)
    with pytest.raises(UnknownNameError, match="mid_range"):
        observer.classify(challenge.test, "midrange")  # type: ignore[arg-type]
    crowd = tuple(range(20, 20 + MAX_OVERLAP + 1))
    with pytest.raises(SpectraError, match="17 peaks of one class can fall on the same point"):
        bayes_classifier(make_dataset(tiny((crowd, (1.0,) * len(crowd)), ((5,), (1.0,)), n_points=60)))


def test_the_earlier_name_keeps_working():
    assert sl.ideal_observer is sl.bayes_classifier
    assert {"ideal_observer", "bayes_classifier"} <= set(sl.__all__)
