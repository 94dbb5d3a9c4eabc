"""The protocol's bookkeeping: the published runs as golden sequences, and sequences made by hand."""

import math

import pandas as pd
import pytest

from spectra_lib._base.errors import UnknownNameError
from spectra_lib.paper.published import published_runs, published_validation_losses
from spectra_lib.runs.protocol import Progress, Protocol, list_protocols, protocol

CURVES = {key: curve.val_loss.tolist() for key, curve in published_validation_losses().groupby(["model", "seed"])}
RUNS = published_runs().set_index(["model", "seed"])


def follow(rules: Protocol, losses, accuracies=None, rate: float = 3e-4) -> list[Progress]:
    """States after each epoch, until the protocol stops."""
    states = [Progress(learning_rate=rate)]
    for loss, accuracy in zip(losses, accuracies or [0.0] * len(losses), strict=True):
        states.append(states[-1].after_epoch(rules, loss, accuracy))
        if states[-1].stopped:
            break
    return states[1:]


@pytest.mark.parametrize("run", CURVES, ids=lambda run: f"{run[0]}-{run[1]}")
def test_published_runs_follow_protocol_code(run):
    states = follow(protocol("code"), CURVES[run])
    expected = RUNS.loc[run]
    assert states[-1].stopped
    assert len(states) == len(CURVES[run])
    assert states[-1].epoch - 1 == expected.last_epoch
    assert states[-1].kept_epoch == expected.best_epoch
    assert states[-1].learning_rate == pytest.approx(expected.final_learning_rate, rel=1e-5)


def test_packaged_curves_are_the_published_ones(reference):
    wide = pd.read_csv(reference / "published_val_loss.csv", index_col="epoch")
    assert len(CURVES) == wide.shape[1] == 15
    for (model, seed), losses in CURVES.items():
        assert wide[f"{model}-{seed}"].dropna().tolist() == losses


def test_the_two_protocols():
    assert list_protocols() == ["paper", "code"]
    paper, code = protocol("paper"), protocol("code")
    assert (paper.plateau_factor, code.plateau_factor) == (0.5, 0.1)
    assert (paper.plateau_patience, paper.stop_patience) == (code.plateau_patience, code.stop_patience) == (10, 25)
    assert (paper.min_gain, code.min_gain) == (0.0, 1e-4)
    assert (paper.keep, code.keep) == ("val_accuracy", "val_loss")


@pytest.mark.parametrize(("name", "factor"), [("paper", 0.5), ("code", 0.1)])
def test_rate_falls_after_ten_epochs_and_training_ends_after_25(name, factor):
    states = follow(protocol(name), [1.0] * 100)
    rates = [state.learning_rate for state in states]
    # The first epoch is the best one; ten epochs later the rate falls, and again ten epochs after that.
    assert rates[:10] == [3e-4] * 10
    assert rates[10:20] == pytest.approx([3e-4 * factor] * 10)
    assert rates[20:] == pytest.approx([3e-4 * factor**2] * 6)
    assert len(states) == 26
    assert states[-1].kept_epoch == 0


def test_a_better_loss_starts_both_counts_anew():
    losses = [1.0] * 10 + [0.9] + [1.0] * 100
    states = follow(protocol("paper"), losses)
    assert states[19].learning_rate == 3e-4
    assert states[20].learning_rate == 1.5e-4
    assert len(states) == 11 + 25


def test_small_gains_count_in_paper_and_not_in_code():
    falling = [1.0 - 5e-5 * epoch for epoch in range(60)]
    assert not follow(protocol("paper"), falling)[-1].stopped
    states = follow(protocol("code"), falling)
    # Three such gains add up to more than 1e-4, so that every third epoch counts.
    assert not states[-1].stopped
    assert states[-1].kept_epoch == 59
    tiny = [1.0 - 1e-6 * epoch for epoch in range(60)]
    assert not follow(protocol("paper"), tiny)[-1].stopped
    states = follow(protocol("code"), tiny)
    assert len(states) == 26
    assert states[-1].kept_epoch == 25  # kept is the lowest loss, however small the gain


def test_paper_keeps_the_first_epoch_of_highest_accuracy():
    states = follow(protocol("paper"), [3.0, 2.0, 1.0, 0.5], [0.2, 0.9, 0.9, 0.8])
    assert [state.kept_epoch for state in states] == [0, 1, 1, 1]


def test_code_keeps_the_first_epoch_of_lowest_loss():
    states = follow(protocol("code"), [3.0, 1.0, 1.0, 2.0], [0.2, 0.1, 0.9, 0.8])
    assert [state.kept_epoch for state in states] == [0, 1, 1, 1]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_never_better(bad):
    states = follow(protocol("code"), [bad] * 30)
    assert len(states) == 25
    assert states[-1].kept_epoch == 0
    states = follow(protocol("code"), [bad, 1.0, bad])
    assert [state.kept_epoch for state in states] == [0, 1, 1]
    assert states[-1].best_loss == 1.0


def test_state_goes_through_json():
    for state in (Progress(learning_rate=1e-3), follow(protocol("paper"), [1.0, math.nan, 0.5])[-1]):
        assert Progress.model_validate(state.model_dump()) == state


def test_unknown_protocol():
    with pytest.raises(UnknownNameError, match="unknown protocol 'papre'; known: paper, code. Did you mean 'paper'"):
        protocol("papre")
