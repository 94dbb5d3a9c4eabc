"""The chapters on the challenging set and on ablations: right without records, with few and with all of them."""

import re
from pathlib import Path

import jupytext
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

mpl.use("agg")

import matplotlib.pyplot as plt

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.analysis import ablations, statistics, table_2
from spectra_lib.analysis import paired_comparison as paired
from spectra_lib.analysis.challenge_categories import (
    CATEGORIES,
    category_accuracy,
    category_of,
    decisive_ranges,
    errors_by_triplet,
    ideal_errors_by_triplet,
    triplets,
)
from spectra_lib.datasets.dataset import make_dataset
from spectra_lib.experiments.campaign import campaign
from spectra_lib.experiments.profiles import Profile, choose_profile
from spectra_lib.experiments.single_changes import SINGLE_CHANGES, Part, Variant, variants
from spectra_lib.figures import ablations as ablation_figures
from spectra_lib.figures import challenge as challenge_figures
from spectra_lib.figures import effects, style
from spectra_lib.figures.tables import Table
from spectra_lib.networks import network, resolve_options
from spectra_lib.runs.record import History, Metrics, Predictions, RunRecord, Session, data_digests
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import TRUSTED, RunSpec
from spectra_lib.runs.store import RunStore

PROJECT = Path(__file__).parents[1]

SESSION = Session(
    started="2026-01-01T00:00:00+00:00",
    first_epoch=0,
    machine="made up",
    device="made up",
    backend="tensorflow",
    execution="graph",
    versions={},
    commit="unknown",
)

LOSSES = (0.5, *[0.6] * 25)


def made_up(spec: RunSpec, answers, data, backends=("tensorflow",)) -> RunRecord:
    """Make up a sound record on the challenging set with these answers to the test spectra."""
    ones = (1.0,) * len(LOSSES)
    rates = (3e-4,) * len(LOSSES)
    fields = {
        "schema_version": 1,
        "spec": spec,
        "digest": spec.digest,
        "data_digests": data_digests(data),
        "sessions": tuple(SESSION.model_copy(update={"backend": name}) for name in backends),
        "history": History(
            loss=LOSSES, accuracy=ones, val_loss=LOSSES, val_accuracy=ones, learning_rate=rates, seconds=ones
        ),
        "kept_epoch": 0,
        "ended": "early_stopping",
        "train": Metrics(n=len(data.train), errors=0, loss=0.5),
        "validation": Metrics(n=len(data.validation), errors=0, loss=0.5),
        "test": Metrics(n=len(data.test), errors=int((answers != data.test.labels).sum()), loss=0.5),
        "reevaluation_gap": 0.0,
        "validation_predictions": predicted(data.validation.labels),
        "test_predictions": predicted(answers),
        "probes": {},
        "weights_sha256": "",
        "wall_seconds": 26.0,
        "peak_memory_bytes": 1,
    }
    return RunRecord.model_validate(fields, context=TRUSTED)


def predicted(answers) -> Predictions:
    return Predictions(labels=tuple(np.asarray(answers).tolist()), probabilities=(0.5,) * len(answers))


def spec_of(variant: Variant, seed: int = 0) -> RunSpec:
    return RunSpec.model_validate({"dataset": "challenge", "seed": seed, **variant.fields()}, context=TRUSTED)


def run_of(variant: Variant, seed: int, errors: int, data, classes=range(27), **more) -> RunRecord:
    """Make up a run with so many errors, all on these classes and within their triplets."""
    labels = data.test.labels
    answers = labels.copy()
    rows = np.flatnonzero(np.isin(labels, list(classes)))[:errors]
    answers[rows] = labels[rows] // 3 * 3 + (labels[rows] + 1) % 3
    return made_up(spec_of(variant, seed), answers, data, **more)


# Paired comparison


def test_an_exact_test_counts_signs():
    effect = statistics.paired_effect([2.0, 3.0, 4.0, 5.0, -1.0])
    # of 32 sums four are as large: 13 and 15, and both with all signs turned
    assert effect.p == pytest.approx(4 / 32)
    assert (effect.n, effect.ups, effect.downs, effect.least_p) == (5, 4, 1, 2 / 32)
    assert effect.mean == pytest.approx(2.6) and effect.low < 0 < effect.high


def test_few_pairs_say_little():
    assert statistics.paired_effect([]) is statistics.NO_EFFECT
    assert (statistics.NO_EFFECT.text, statistics.NO_EFFECT.p_text) == ("–", "–")
    one = statistics.paired_effect([4.0])
    assert (one.mean, one.p, one.text, one.p_text) == (4.0, 1.0, "+4", "–")
    assert np.isnan([one.low, one.high]).all()
    equal = statistics.paired_effect([4.0, 4.0])
    assert (equal.low, equal.high, equal.p) == (4.0, 4.0, 0.5)


def test_the_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    found = [statistics.paired_effect(rng.normal(3.0, 2.0, 4)) for _ in range(400)]
    assert 0.92 < np.mean([effect.low <= 3.0 <= effect.high for effect in found]) < 0.98


def test_groups_without_seeds():
    effect = statistics.unpaired_effect([1, 2, 3], [2, 3, 4, 5])
    assert effect.mean == 1.5 and effect.least_p == 1 / 35 and effect.p > effect.least_p
    assert statistics.unpaired_effect([], [1.0]) is statistics.NO_EFFECT
    assert np.isnan(statistics.unpaired_effect([1.0], [2.0]).low)


def test_runs_are_paired_by_seed_and_by_options(challenge):
    before, after = Variant("vgg"), Variant("vgg", options={"conv_dropout": 0.0})
    runs = RunRecords(
        (
            *(run_of(before, seed, 50 + seed, challenge) for seed in (0, 1)),
            *(run_of(after, seed, 40, challenge) for seed in (1, 2)),
            run_of(Variant("vgg", options={"kernel": 20}), 1, 0, challenge),
        )
    )
    table = paired.pair_runs(runs, before, after, lambda record: record.test.errors)
    assert table.to_numpy().tolist() == [[1, 51, 40, -11]]


def test_runs_of_different_backends_are_no_pair(challenge):
    before, after = Variant("vgg"), Variant("vgg", options={"conv_dropout": 0.0})
    on_both = ("jax", "tensorflow")
    sides = (("tensorflow",), ("tensorflow",)), (("tensorflow",), ("jax",)), (on_both, on_both), (("jax",), ("jax",))
    runs = [
        run_of(variant, seed, errors, challenge, backends=backends)
        for seed, side in enumerate(sides)
        for variant, errors, backends in zip((before, after), (50, 40 + seed), side, strict=True)
    ]
    table = paired.pair_runs(RunRecords(tuple(runs)), before, after, lambda record: record.test.errors)
    assert table.to_numpy().tolist() == [[0, 50, 40, -10], [3, 50, 43, -7]]


# Categories


def test_triplets_and_categories_cover_the_classes():
    assert [label for triplet in triplets() for label in triplet] == list(range(27))
    assert {category_of(label) for triplet in triplets("intensity") for label in triplet} == {"intensity"}


@pytest.mark.parametrize("name", ["challenge", "laptop"])
def test_decisive_ranges_are_where_the_spectra_differ(name):
    data = make_dataset(name)
    for triplet in triplets():
        spectra = data.ideal.spectra(list(triplet))
        unlike = np.abs(np.diff(spectra, axis=0)).max(axis=0)
        inside = np.zeros(data.spec.n_points, dtype=bool)
        reach = 2 * data.spec.variation.position_shift
        for first, last in decisive_ranges(data, triplet):
            inside[max(first - reach, 0) : last + reach + 1] = True
            assert unlike[max(first - reach, 0) : last + reach + 1].max() > 0.02
        assert inside.mean() < 0.2


def test_errors_are_counted_by_triplet(challenge):
    answers = challenge.test.labels.copy()
    answers[:6] = 1  # class 0, within its triplet
    answers[54:56] = 26  # class 9, far away
    (found,) = [errors_by_triplet(challenge, [made_up(spec_of(Variant("cnn2")), answers, challenge)])]
    assert found.errors.tolist() == [6, 0, 0, 2, 0, 0, 0, 0, 0]
    assert found.outside.tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0]
    assert set(found.n) == {18}
    run = made_up(spec_of(Variant("cnn2")), answers, challenge)
    shares = [category_accuracy(challenge, name)(run) for name in CATEGORIES]
    assert shares == pytest.approx([100 * 48 / 54, 100 * 52 / 54, 100.0])


def test_other_datasets_have_no_triplets():
    with pytest.raises(SpectraError, match="dataset 'smoke' has 4 classes; expected the 27"):
        ideal_errors_by_triplet(make_dataset("smoke"))


# Single changes and the study


def test_a_single_change_changes_one_thing():
    moved = ".2 moved to dense layers"
    for change in SINGLE_CHANGES:
        changed = table_2.differences(change.before, change.after)
        # a network without hidden layers has no activation; dropout that moves is taken away and put elsewhere
        assert len(set(changed) - {"hidden_activation"}) == (2 if change.text == moved else 1), change
        expected = change.before.model == "resnet" and "hidden_units" in changed
        assert ("hidden_activation" in changed) == expected
        entry = network(change.after.model)
        assert change.base in (entry.name, entry.variant_of)


def test_variants_are_as_resolving_gives():
    for variant in variants(SINGLE_CHANGES):
        activation, options = resolve_options(variant.model, variant.hidden_activation, variant.options)
        plain = {key: list(v) if isinstance(v, tuple) else v for key, v in options.items()}
        assert (activation, plain) == (variant.hidden_activation, dict(variant.options))


def test_the_studys_runs_are_in_the_campaign():
    paper = choose_profile("paper")
    runs = ablations.choose_study(paper).runs(paper)
    assert len({run.digest for run in runs}) == len(runs)
    assert {run.digest for run in runs} <= {task.spec.digest for task in campaign()}


def test_the_laptops_study_is_small_and_may_be_widened():
    laptop = choose_profile("laptop")
    study = ablations.choose_study(laptop)
    assert len(study.runs(laptop)) == 8
    assert {run.dataset for run in study.runs(laptop)} == {"laptop"}
    assert {run.max_epochs for run in study.runs(laptop)} == {laptop.max_epochs}
    assert {change.part for change in study.changes} == {Part.BATCH_NORMALIZATION, Part.DROPOUT, Part.POOLING}
    assert len(ablations.choose_study(laptop, ["vgg"]).changes) == 6


def test_profiles_are_narrowed_with_clear_errors():
    paper, laptop = choose_profile("paper"), choose_profile("laptop")
    assert (paper.narrowed(["vgg"], [3]).models, paper.narrowed(["vgg"], [3]).seeds) == (("vgg",), (3,))
    assert laptop.narrowed(seeds=[7, 8]).seeds == (7, 8)
    with pytest.raises(UnknownNameError, match="unknown published network 'vgg_mod'; known: cnn2"):
        paper.narrowed(["vgg_mod"])
    for profile, seeds in ((paper, [5]), (paper, [1, 1]), (laptop, [-1])):
        with pytest.raises(SpectraError, match="seeds: expected .* each once, received"):
            profile.narrowed(seeds=seeds)
    with pytest.raises(UnknownNameError, match="unknown protocol 'codes'.*paper, code"):
        paper.narrowed(protocol="codes")
    assert {run.protocol for run in paper.narrowed(["vgg"], protocol="code").challenge_runs()} == {"code"}
    with pytest.raises(UnknownNameError, match="known: cnn2, cnn3, cnn6, vgg, resnet, cnn_bn"):
        ablations.choose_study(paper, ["inc6"])


def test_differences_are_those_of_the_modified_networks():
    pairs = {pair.modified.model: pair for pair in table_2.table_2()}
    found = {name: set(table_2.differences(pair.original, pair.modified)) for name, pair in pairs.items()}
    published = {name: set(table_2.differences(pair.published, pair.modified)) for name, pair in pairs.items()}
    activation = {"cnnbn_mod": {"hidden_activation"}, "vgg_mod": {"hidden_activation"}}
    assert published == {name: found[name] | activation.get(name, set()) for name in found}
    assert found == {
        "cnn6_bn": {"batch_normalization"},
        "cnn6_convdo": {"dropout", "conv_dropout"},
        "cnnbn_mod": {"batch_normalization"},
        "vgg_mod": {"kernel", "conv_dropout", "hidden_units", "dropout"},
        "resnet_mod": {"batch_normalization", "stem_relu", "hidden_units", "hidden_activation"},
    }
    assert {name: pair.simpler for name, pair in pairs.items()} == {
        "cnn6_bn": "cnn6",
        "cnn6_convdo": "cnn6",
        "cnnbn_mod": "cnnbn_mod",
        "vgg_mod": "vgg_mod",
        "resnet_mod": "resnet_mod",
    }


# Figures


@pytest.fixture
def axes():
    with style.style():
        yield style.new_figure(3.0)[1][0]
    plt.close("all")


def test_ranges_show_every_run_with_its_median(axes):
    groups = {"linear": ({"A": [1.0, 2.0, 9.0]}, {}), "ReLU": ({}, {"A": [4.0], "B": [5.0, 6.0]})}
    effects.draw_ranges(axes, ["A", "B"], groups, "x")
    drawn = [line.get_xdata() for line in axes.lines if line.get_marker() in ("o", "D")]
    assert sorted(float(x) for xs in drawn for x in xs) == [1.0, 2.0, 4.0, 5.0, 6.0, 9.0]
    bars = [line.get_xdata()[0] for line in axes.lines if line.get_linewidth() == 2.2]
    assert sorted(bars) == [2.0, 4.0, 5.5]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["linear, published", "ReLU, ours"]


def test_effects_show_pairs_mean_and_interval(axes):
    changes = [1.0, 2.0, 3.0]
    rows = {"A": (changes, statistics.paired_effect(changes)), "B": ([], statistics.NO_EFFECT)}
    effects.draw_effects(axes, rows, "x", {"A": statistics.unpaired_effect([1.0, 2.0, 3.0], [3.0, 4.0, 5.0])})
    intervals = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 1.2 and len(line.get_xdata()) == 2]
    assert [tuple(np.round(x, 2)) for x in intervals] == [(-0.27, 4.27), (-0.48, 4.48)]
    (points,) = [line.get_xdata() for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata()) == 3]
    assert points.tolist() == changes


def test_figures_without_runs_say_so(axes):
    effects.draw_ranges(axes, ["A"], {"linear": ({}, {})}, "x")
    effects.draw_effects(axes, {"A": ([], statistics.NO_EFFECT)}, "x")
    curves = pd.DataFrame(columns=["run", "model", "seed", "epoch", "val_loss"])
    ablation_figures.draw_losses(axes, curves, "cnn_bn", "cnnbn_mod")
    said = {text.get_text() for text in axes.texts}
    assert said == {"no run of ours yet", "no pair of ours yet"}


def test_triplet_errors_are_means_over_runs(axes, challenge):
    runs = [run_of(Variant("cnn2"), seed, errors, challenge, range(3)) for seed, errors in enumerate((2, 4))]
    table = errors_by_triplet(challenge, runs)
    challenge_figures.draw_triplet_errors(axes, ["cnn2", "vgg"], table, ideal_errors_by_triplet(challenge), "t", True)
    cells = axes.images[0].get_array()
    assert cells[0, 0] == 3 and np.ma.is_masked(cells[0, 1]) and cells[:, 2].tolist() == [0] * 3 + [6] * 6


def test_losses_with_and_without_are_told_apart(axes):
    curves = pd.DataFrame(
        [
            (f"{model} {run}", model, 0, e, 0.1)
            for model in ("resnet", "resnet_mod")
            for run in (0, 1)
            for e in range(3)
        ],
        columns=["run", "model", "seed", "epoch", "val_loss"],
    )
    ablation_figures.draw_losses(axes, curves, "resnet", "resnet_mod")
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["without (2)", "with (2)"]
    assert [len(line.get_xdata()) for line in axes.lines] == [3, 3, 3, 3]  # no line joins two runs of one seed


def test_batch_normalisation_is_compared_with_relu_alone(challenge):
    """Runs with linear layers do not count, nor do those with a changed option."""
    wanted = [run_of(Variant("cnn_bn"), 0, 60, challenge), run_of(Variant("resnet", None), 0, 60, challenge)]
    others = [run_of(Variant("cnn_bn", "linear"), 0, 60, challenge)]
    others += [run_of(Variant("cnn_bn", options={"bn_momentum": 0.9}), 0, 60, challenge)]
    runs = RunRecords((*wanted, *others))
    assert list(ablations.with_relu(runs)) == wanted
    assert ablations.jump_table(runs).model.tolist() == ["cnn_bn", "resnet"]


def test_an_interval_that_goes_far_is_cut_off(axes):
    far, near = [0.0, 8.0], [1.0, 2.0, 3.0]
    rows = {"A": (far, statistics.paired_effect(far)), "B": (near, statistics.paired_effect(near))}
    effects.draw_effects(axes, rows, "x", inside=True)
    assert axes.get_xlim()[0] > -4 and axes.get_xlim()[1] < 12
    assert [line.get_marker() for line in axes.lines if line.get_marker() in "<>"] == ["<", ">"]
    assert effects.cut_off(rows) == f"A, {statistics.paired_effect(far).text}"


def test_runs_that_failed_to_converge_are_named_and_left_out(challenge):
    def failed(run):
        return run.model_copy(update={"validation": Metrics(n=270, errors=260, loss=3.3)})

    before, after = Variant("cnn_bn", "linear"), Variant("cnn_bn")
    runs = [
        run_of(before, 1, 60, challenge),
        *(run_of(after, seed, 44, challenge) for seed in (0, 1)),
    ]
    runs += [failed(run_of(before, 0, 140, challenge)), failed(run_of(Variant("vgg", "linear"), 3, 60, challenge))]
    said = challenge_figures.relu_reading(RunRecords(tuple(runs)), ["cnn_bn", "vgg"])
    assert said.startswith(
        "Of 2 pairs of runs with the same seed on the same backend the ReLU raises the accuracy in 2 "
    )
    assert "+34.6 percentage points on average" in said
    assert "That counts 1 pair with a run that failed to converge: CNN BN (linear), seed 0." in said
    assert "VGG" not in said  # that run is in no pair
    assert said.endswith("Without them it is +9.9 percentage points on average and +9.9 in the median.")


# The chapters themselves


def all_runs(data) -> list[RunRecord]:
    """Make up every run of the two chapters: the ReLU, and whatever a single change does, takes away errors."""
    paper = choose_profile("paper")
    improved = [change.after for change in SINGLE_CHANGES if change.after.options]
    runs, seen = [], set()
    for spec in (*paper.challenge_runs(), *ablations.choose_study(paper).runs(paper)):
        if spec.digest in seen:
            continue
        seen.add(spec.digest)
        variant = Variant(spec.model, spec.hidden_activation, spec.options)
        errors = 60 + 2 * spec.seed - 12 * (spec.hidden_activation == "relu") - 6 * (variant in improved)
        runs.append(run_of(variant, spec.seed, errors, data, range(3, 27)))
    return runs


@pytest.fixture(scope="module")
def full_store(tmp_path_factory, challenge) -> Path:
    """A store with all these runs, not to be changed."""
    store = RunStore(tmp_path_factory.mktemp("full"))
    for record in all_runs(challenge):
        store.save(record)
    return store.path


def run_chapter(name: str, project: Path, monkeypatch, **parameters) -> dict[str, str]:
    """Run the code of a chapter in this process; give what it puts into the text, and its tables."""
    (project / "notebooks").mkdir(exist_ok=True)
    monkeypatch.chdir(project / "notebooks")
    monkeypatch.setattr(style, "use_in_notebook", lambda: None)
    glued: dict[str, str] = {}
    monkeypatch.setattr("myst_nb.glue", lambda key, value, display=True: glued.__setitem__(key, value))
    text = (PROJECT / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    shell = InteractiveShell()
    for cell in jupytext.read(PROJECT / "notebooks" / f"{name}.md").cells:
        if cell.cell_type == "code":
            outcome = shell.run_cell(cell.source)
            outcome.raise_error()
            if "parameters" in cell.metadata.get("tags", []):
                shell.push(parameters)
            if "style.new_" in cell.source:
                assert outcome.result is None, "a figure's cell that shows something else too gets its label twice"
            if isinstance(outcome.result, Table):
                glued[outcome.result.name] = outcome.result.markdown()
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()  # a layout that does not fit warns here
    plt.close("all")
    used = set(re.findall(r"\{glue:text\}`([a-z0-9_]+)`", text))
    assert used <= set(glued), used - set(glued)
    assert all(isinstance(glued[key], str) for key in used)
    assert not [key for key, words in glued.items() if "nan" in words.replace("(", " ").split()]
    assert set(glued) - {key for key in glued if key.startswith("tab-")} <= used
    return glued


def test_challenge_chapter_without_records(tmp_path, monkeypatch):
    said = run_chapter("challenge", tmp_path, monkeypatch)
    assert (said["here"], said["missing"], said["list"]) == ("0", "75", "none yet")
    assert said["effect_reading"] == "None of our runs can be compared in pairs yet."
    assert "| CNN6 | ReLU | 85.2" in said["tab-linear-relu"]


def test_challenge_chapter_with_all_records(tmp_path, monkeypatch, full_store):
    (tmp_path / "results").symlink_to(full_store)
    said = run_chapter("challenge", tmp_path, monkeypatch)
    assert (said["here"], said["missing"]) == ("75", "0")
    assert (
        "Of 35 pairs of ours so far, the ReLU raises the accuracy in 35 and lowers it in 0." in said["effect_reading"]
    )
    assert "+7.4 (+7.4 to +7.4) points" in said["effect_reading"]
    assert "| CNN2 | +7.4 (+7.4 to +7.4) | 5 | 5 / 0 | 0.0625 (least 0.0625) |" in said["tab-relu-effect"]
    narrow = run_chapter("challenge", tmp_path, monkeypatch, models=["vgg"], seeds=[0, 1])
    assert narrow["here"] == "4" and "VGG" in narrow["tab-relu-effect"] and "CNN2" not in narrow["tab-relu-effect"]


def test_ablations_chapter_without_records(tmp_path, monkeypatch):
    said = run_chapter("ablations", tmp_path, monkeypatch)
    assert said["here"] == "0"
    assert said["single_reading"] == "None of the 15 changes has runs on both sides yet."
    assert said["jump_reading"].startswith("No pair of networks")
    assert "| Resnet modified | ReLU | – | 0 | – | 0 |" in said["tab-table-2"]
    assert "| CNN BN | linear | – | 0 | – | 0 |" in said["tab-table-2"]
    assert said["tab-table-2"].count("\n| ") == 16  # head, 13 networks with ReLU or none, two with linear layers
    assert (said["several"], said["several_relu"]) == ("4", "3")
    assert "convolutional dropout: 0.2 → 0.0" in said["tab-pairs-2"]


def test_ablations_chapter_with_all_records(tmp_path, monkeypatch, full_store):
    (tmp_path / "results").symlink_to(full_store)
    said = run_chapter("ablations", tmp_path, monkeypatch)
    assert said["missing"] == "0" and said["n_single"] == said["n_single_planned"]
    assert said["n_pooled"] == said["n_pooled_planned"] == "40"
    assert "15 of 15 changes have runs on both sides, 15 of them intervals." in said["single_reading"]
    assert "in 0 of 5 where the original is as published" not in said["pair_reading"]
    assert said["failed_reading"] == ""  # these are right at once
    narrow = run_chapter("ablations", tmp_path, monkeypatch, models=["vgg"], seeds=[2])
    assert narrow["tab-table-2"].count("\n| ") == 4 and "Resnet" not in narrow["tab-pairs-2"]


@pytest.mark.parametrize(("name", "runs"), [("challenge", 4), ("ablations", 8)])
def test_chapters_on_the_small_copy(tmp_path, monkeypatch, name, runs):
    """What the laptop profile trains is made up here."""
    data = make_dataset("laptop")

    def gather(_profile, specs, _project):
        return RunRecords(tuple(made_up(spec, data.test.labels, data) for spec in specs))

    monkeypatch.setattr(Profile, "gather", gather)
    said = run_chapter(name, tmp_path, monkeypatch, profile="laptop")
    assert (said["dataset"], said["here"], said["missing"]) == ("laptop", str(runs), "0")


def test_benchmark_chapter_without_records(tmp_path, monkeypatch):
    said = run_chapter("benchmark", tmp_path, monkeypatch)
    assert (said["general_here"], said["challenge_missing"], said["general_runs"]) == ("0", "75", "0 runs")
    assert said["challenge_reading"] == "None of our runs can be compared in pairs yet."
    assert said["tab-test-errors"].count("\n| ") == 9


def test_benchmark_chapter_of_some_networks_and_seeds(tmp_path, monkeypatch, full_store):
    (tmp_path / "results").symlink_to(full_store)
    said = run_chapter("benchmark", tmp_path, monkeypatch, models=["cnn3", "vgg"], seeds=[0, 1])
    assert (said["general_planned"], said["challenge_planned"], said["challenge_here"]) == ("4 runs", "8 runs", "8")
    assert said["tab-test-errors"].count("\n| ") == 3 and "CNN6" not in said["tab-runs"]
    assert said["challenge_reading"].startswith("Of 4 pairs of runs")
    assert "made up, tensorflow" in said["tab-runs"]


@pytest.mark.parametrize("name", ["benchmark", "challenge"])
def test_chapters_refuse_what_there_is_not(tmp_path, monkeypatch, name):
    with pytest.raises(UnknownNameError, match="unknown published network 'cnn6_bn'; known: cnn2"):
        run_chapter(name, tmp_path, monkeypatch, models=["cnn6_bn"])
    with pytest.raises(SpectraError, match=r"seeds: expected some of 0, 1, 2, 3, 4, each once, received \[1, 1\]"):
        run_chapter(name, tmp_path, monkeypatch, seeds=[1, 1])
