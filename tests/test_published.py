"""The published figures: complete, consistent with one another, and with what the paper's text says."""

import numpy as np

from spectra_lib.paper.published import (
    published_challenge,
    published_confusions,
    published_runs,
    published_validation_losses,
)


def test_runs_are_five_seeds_of_eight_networks():
    runs = published_runs()
    assert len(runs) == 40
    assert (runs.groupby("model").seed.apply(list).apply(sorted) == [[0, 1, 2, 3, 4]] * 8).all()
    assert round(runs.gpu_seconds.sum() / 3600, 1) == 11.8


def test_runs_agree_with_the_text():
    runs = published_runs()
    means = runs.groupby("model").test_errors.mean()
    assert means["cnn6"] == 8.4 and means.idxmin() == "cnn6" and means.idxmax() == "cnn_bn"
    assert runs.test_errors.max() == 50  # "at least 4450 of 4500"
    # Every final learning rate is a power of ten times 3e-4: the runs followed protocol "code".
    steps = np.log10(runs.final_learning_rate / 3e-4)
    assert np.allclose(steps, steps.round(), atol=1e-3)


def test_best_loss_is_the_minimum_of_its_curve():
    runs = published_runs().set_index(["model", "seed"])
    for key, curve in published_validation_losses().groupby(["model", "seed"]):
        assert len(curve) == runs.loc[key, "last_epoch"] + 1
        best = runs.loc[key, "best_epoch"]
        assert curve.val_loss.min() == curve.set_index("epoch").val_loss[best]
        assert np.isclose(curve.val_loss.min(), runs.loc[key, "best_val_loss"], rtol=1e-4)


def test_challenge_counts():
    counts = published_challenge()
    assert (counts.groupby(["model", "hidden_activation"]).size() == 5).all()
    assert counts.correct.between(0, 162).all()
    medians = counts.groupby(["model", "hidden_activation"]).correct.median().unstack()
    assert (medians.relu > medians.linear).all()


def test_confusions_add_up_to_the_errors_of_their_run():
    runs = published_runs().set_index(["model", "seed"]).test_errors
    for key, pairs in published_confusions().groupby(["model", "seed"]):
        assert (pairs.class_a < pairs.class_b).all()
        missing = {("resnet", 2): 2}  # as published: the listed pairs account for 18 of its 20 errors
        assert pairs.errors.sum() == runs[key] - missing.get(key, 0), key


def test_readers_give_copies():
    changed = published_runs()
    changed["test_errors"] = 0
    assert published_runs().test_errors.min() > 0
