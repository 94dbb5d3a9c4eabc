"""Realism dials: nothing changes when they are off, and each does what it says and no more."""

import numpy as np
import pytest
from scipy.signal import peak_widths

from spectra_lib._base.errors import SpectraError
from spectra_lib.baselines import fit_baseline
from spectra_lib.bayes.classifier import bayes_classifier
from spectra_lib.datasets.dataset import SPLITS, RealisticSplit, Split, export_dataset, make_dataset
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import PeakTable
from spectra_lib.datasets.rendering import render
from spectra_lib.datasets.specification import DatasetSpec, Realism
from spectra_lib.networks import build_logits
from spectra_lib.runs.specification import RunSpec
from spectra_lib.training.execution import execute
from spectra_lib.training.trainer import train

NOISE, BACKGROUND, LORENTZIAN = {"noise": (0.01, 0.03)}, {"background": (0.1, 0.3)}, {"lorentzian": (0.2, 0.8)}
STRAIN, TEXTURE = {"strain": 0.02}, {"texture": 0.5}


def turned(*dials, name="smoke"):
    merged = {key: value for dial in dials for key, value in dial.items()}
    return make_dataset(dataset_spec(name).with_realism("turned", **merged))


@pytest.fixture(scope="module")
def clean():
    return make_dataset("smoke")


def test_dials_that_are_off_change_nothing(clean):
    off = dataset_spec("smoke").with_realism("smoke", noise=(0, 0), strain=0.0)
    assert off == dataset_spec("smoke") and off.digest == dataset_spec("smoke").digest
    assert off.to_json() == dataset_spec("smoke").to_json()
    for name in SPLITS:
        split = make_dataset(off).split(name)
        assert type(split) is Split and split.digest == clean.split(name).digest


def test_a_turned_dial_enters_digest_and_file():
    spec = dataset_spec("smoke").with_realism("smoke", **NOISE, **TEXTURE)
    assert DatasetSpec.from_json(spec.to_json()) == spec
    assert spec.digest != dataset_spec("smoke").digest
    assert make_dataset(spec).train.digest != turned(BACKGROUND).train.digest


@pytest.mark.parametrize("dials", [(NOISE,), (BACKGROUND,), (LORENTZIAN,), (NOISE, BACKGROUND, LORENTZIAN)])
def test_what_fills_spectra_leaves_the_peaks_alone(clean, dials):
    data = turned(*dials)
    for name in SPLITS:
        ours, theirs = data.split(name), clean.split(name)
        for field in ("offsets", "positions", "heights", "widths"):
            np.testing.assert_array_equal(getattr(ours.peaks, field), getattr(theirs.peaks, field))
        assert ours.digest != theirs.digest and not ours.is_sparse
        assert np.abs(ours.spectra() - theirs.spectra()).max() > 0.005
        assert ours.spectra().max(axis=1) == pytest.approx(1.0)


def test_spectra_depend_on_their_row_only_and_splits_differ():
    data = turned(NOISE, BACKGROUND, LORENTZIAN)
    whole = data.train.spectra()
    np.testing.assert_array_equal(whole, make_dataset(data.spec).train.spectra())
    np.testing.assert_array_equal(data.train.spectra([7, 3]), whole[[7, 3]])
    np.testing.assert_array_equal(data.train.spectra(slice(5, 9)), whole[5:9])
    noise = [turned(NOISE).split(name).spectra([0], dtype=np.float64)[0, -20:] for name in SPLITS]
    assert len({tuple(line) for line in noise}) == 3


def test_one_dial_does_not_disturb_the_pattern_of_another(clean):
    """Noise and background add up: turning one leaves the other as it was."""

    def added(*dials):
        split = turned(*dials).train
        spectra = split.spectra(normalize=False, dtype=np.float64)
        plain = clean.train.spectra(normalize=False, dtype=np.float64)
        return (spectra - plain) / plain.max(axis=1, keepdims=True)

    np.testing.assert_allclose(added(NOISE, BACKGROUND), added(NOISE) + added(BACKGROUND), atol=1e-12)


def test_levels_span_their_range():
    data = turned({"noise": (0.01, 0.03)}, name="laptop")
    clean = make_dataset("laptop").train.spectra(dtype=np.float64)
    noise = data.train.spectra(normalize=False, dtype=np.float64)
    noise /= make_dataset("laptop").train.spectra(normalize=False, dtype=np.float64).max(axis=1, keepdims=True)
    levels = (noise - clean).std(axis=1)
    assert 0.009 < levels.min() < 0.011 and 0.029 < levels.max() < 0.033
    assert levels.mean() == pytest.approx(0.02, abs=0.0005)


def test_a_background_is_smooth_and_no_higher_than_asked():
    data = turned({"background": (0.3, 0.3)}, name="laptop")
    clean = make_dataset("laptop").train
    highest = clean.spectra(normalize=False, dtype=np.float64).max(axis=1, keepdims=True)
    curve = data.train.spectra(normalize=False, dtype=np.float64) / highest - clean.spectra(dtype=np.float64)
    assert curve.min() >= -1e-12 and 0.29 < curve.max() <= 0.3 + 1e-12
    assert np.abs(np.diff(curve, axis=1)).max() < 0.3 * np.pi / 1000


def test_a_pseudo_voigt_peak_keeps_height_and_width_and_gets_tails():
    table = PeakTable.from_lists([[500]] * 3, [[1.0]] * 3, [4.0] * 3)
    shares = np.array([0.0, 0.5, 1.0])
    plain = render(table, 1001, normalize=False, dtype=np.float64)
    mixed = render(table, 1001, normalize=False, dtype=np.float64, lorentzian=shares)
    np.testing.assert_allclose(mixed[0], plain[0], atol=1e-15)
    assert mixed.max(axis=1) == pytest.approx(plain.max(axis=1))
    widths = [peak_widths(line, [500])[0][0] for line in mixed]
    assert widths == pytest.approx([widths[0]] * 3, abs=0.05)
    half = 4.0 * np.sqrt(2 * np.log(2))
    lorentzian = 1 / (1 + ((np.arange(1001) - 500) / half) ** 2)
    np.testing.assert_allclose(mixed[2] / mixed[2].max(), lorentzian, atol=1e-12)
    np.testing.assert_allclose(mixed[1], (mixed[0] + mixed[2]) / 2, atol=1e-15)


def test_overwritten_peaks_stay_overwritten_with_tails():
    table = PeakTable.from_lists([[5, 5]], [[1.0, 0.25]], [1.0])
    single = PeakTable.from_lists([[5]], [[0.25]], [1.0])
    share = np.array([0.7])
    np.testing.assert_allclose(
        render(table, 11, normalize=False, lorentzian=share), render(single, 11, normalize=False, lorentzian=share)
    )


def test_a_spectrum_without_peaks_survives_the_dials():
    split = RealisticSplit(
        np.array([0]), PeakTable.from_lists([[5]], [[0.0]], [1.0]), 20, Realism(lorentzian=(1, 1)), (3, 1)
    )
    assert (split.spectra() == 0).all()


def test_strain_moves_all_peaks_of_a_spectrum_in_proportion(clean):
    strained = turned(STRAIN)
    assert type(strained.train) is Split and strained.train.is_sparse
    stretches = []
    for (ours, heights), (theirs, same) in zip(strained.train.peaks, clean.train.peaks, strict=True):
        np.testing.assert_array_equal(heights, same)
        stretches.append(ours[-1] / theirs[-1] - 1)
        np.testing.assert_allclose(ours, theirs * (1 + stretches[-1]), atol=1.1)
    assert -0.025 < min(stretches) < -0.01 and 0.01 < max(stretches) < 0.025


def test_preferred_orientation_multiplies_heights_by_correlated_factors(clean):
    textured, fingerprints = turned(TEXTURE), clean.fingerprints
    for label, fingerprint in enumerate(fingerprints):
        rows = np.flatnonzero(clean.train.labels == label)
        ours = np.array([textured.train.peaks.peaks(row)[1] for row in rows])
        theirs = np.array([clean.train.peaks.peaks(row)[1] for row in rows])
        highest = int(np.argmax(fingerprint.heights))
        np.testing.assert_allclose(ours[:, highest], theirs[:, highest])
        cut = (ours <= 0) | (ours >= 2) | (theirs <= 0)
        factors = np.where(cut, np.nan, ours / np.where(theirs > 0, theirs, 1))
        for peak in set(range(fingerprint.n_peaks)) - {highest}:
            own = factors[:, peak]
            known = np.isfinite(own)
            assert np.ptp(own[known]) > 0.01
            # one parameter r a spectrum: the order of the factors is the same, or reversed, for every peak
            other = next(p for p in range(fingerprint.n_peaks) if p != highest)
            both = known & np.isfinite(factors[:, other])
            order = np.corrcoef(np.log(own[both]), np.log(factors[both, other]))[0, 1]
            assert abs(order) > 0.8
    np.testing.assert_array_equal(textured.train.peaks.positions, clean.train.peaks.positions)


def test_strain_and_texture_do_not_disturb_each_other():
    both, strained, textured = turned(STRAIN, TEXTURE), turned(STRAIN), turned(TEXTURE)
    np.testing.assert_array_equal(both.test.peaks.positions, strained.test.peaks.positions)
    np.testing.assert_array_equal(both.test.peaks.heights, textured.test.peaks.heights)


@pytest.mark.parametrize("dial", [NOISE, BACKGROUND, LORENTZIAN])
def test_spectra_that_are_not_zero_are_computed_whole(dial, tmp_path):
    """Sparse execution needs exact zeros between peaks; without it, and where it is asked for, spectra are whole."""
    data = turned(dial, name="laptop")
    model = build_logits("cnn2", 1000, 27)
    assert execute(model, make_dataset("laptop").train, 128, "sparse").plan is not None
    assert execute(model, turned(STRAIN, name="laptop").train, 128, "sparse").plan is not None
    assert execute(model, data.train, 128, "sparse").plan is None
    small = dataset_spec("smoke").with_realism("small", **dial)
    record = train(RunSpec(dataset=small, model="vgg", max_epochs=1), tmp_path, execution="auto", quiet=True)
    assert record.sessions[0].execution == "graph"
    assert not record.faults(make_dataset(small))


def test_what_needs_clean_peaks_says_so():
    with pytest.raises(SpectraError, match="strain=0.02 .* needs independent ones, set both to 0"):
        bayes_classifier(turned(STRAIN))
    noisy = turned(NOISE)
    assert bayes_classifier(noisy).expected_errors(noisy.test) == bayes_classifier(turned()).expected_errors(noisy.test)
    with pytest.raises(SpectraError, match="peak matchers need spectra without noise"):
        fit_baseline("peak_matcher", noisy).predict(noisy.test)


def test_export_writes_what_networks_see(tmp_path):
    data = turned(NOISE)
    with np.load(export_dataset(data, tmp_path / "noisy.npz"), allow_pickle=False) as written:
        np.testing.assert_array_equal(written["test_spectra"], data.test.spectra())
