"""Claims: each is decided rightly where evidence is plainly for it, plainly against it, and too little."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from spectra_lib._base.errors import SpectraError, UnknownNameError
from spectra_lib.analysis.confusable import Cause, cause_of_confusion
from spectra_lib.analysis.curves import jumpiness, loss_jumps, never_improved
from spectra_lib.analysis.linear_layers import HIDDEN_LAYERS, collapse_gap
from spectra_lib.analysis.paired_comparison import backend_of, pairs_by_seed
from spectra_lib.analysis.probe_answers import match_occluded
from spectra_lib.analysis.statistics import Comparison
from spectra_lib.claims import GROUPS, Outcome, claim_rows, gather_evidence, judge, list_claims
from spectra_lib.claims.benchmark import CONVOLUTIONS, published_networks
from spectra_lib.claims.causes import _moved_away, _nearest_to_other
from spectra_lib.claims.challenge import POOLING_OPTION, without_failed_pairs
from spectra_lib.claims.comparison import conclude
from spectra_lib.claims.dataset import judge_generation
from spectra_lib.claims.evidence import Evidence, GenerationCost
from spectra_lib.claims.registry import claim
from spectra_lib.claims.verdict import Verdict
from spectra_lib.cli.app import app
from spectra_lib.cli.claims import as_text, summary
from spectra_lib.datasets.dataset import Split, make_dataset
from spectra_lib.datasets.named import dataset_spec
from spectra_lib.datasets.peaks import place_test_peaks
from spectra_lib.datasets.probes import GRID_SIZE, occlusion
from spectra_lib.datasets.specification import DatasetSpec, Fingerprint, TestRule, Variation
from spectra_lib.datasets.statistics import coverage_of_test_peaks
from spectra_lib.networks.catalogue import PUBLISHED, has_hidden_layers, published_activation, relu_activation
from spectra_lib.paper.published import published_validation_losses
from spectra_lib.runs.record import History, Metrics, Predictions, RunRecord, Session, data_digests
from spectra_lib.runs.records import RunRecords
from spectra_lib.runs.specification import TRUSTED, RunSpec

SUPPORTED, CONTRADICTED, UNDECIDED = Outcome.SUPPORTED, Outcome.CONTRADICTED, Outcome.UNDECIDED

Confused = Sequence[tuple[int, int, int]]
"""Class, answer and number of spectra."""

SESSION = Session(
    started="", first_epoch=0, machine="", device="", backend="tensorflow", execution="", versions={}, commit=""
)

SMOOTH = tuple(np.geomspace(1.0, 0.02, 40).tolist())
JAGGED = tuple(loss * (1 + 9 * (epoch % 2)) for epoch, loss in enumerate(SMOOTH))


@pytest.fixture(scope="module")
def nothing() -> Evidence:
    """Real datasets, and no record at all."""
    return gather_evidence(RunRecords(()), measured={})


@pytest.fixture(scope="module")
def labels(nothing):
    return {"benchmark": nothing.general.test.labels, "challenge": nothing.challenge.test.labels}


def answers_to(labels, rows=(), confused: Confused = ()):
    """Answers that are right but for the rows given (to the next class) and the confusions given."""
    answers = labels.copy()
    answers[list(rows)] = (labels[list(rows)] + 1) % (labels.max() + 1)
    for true, answered, count in confused:
        answers[np.flatnonzero(labels == true)[:count]] = answered
    return answers


def predicted(answers) -> Predictions:
    return Predictions(labels=tuple(np.asarray(answers).tolist()), probabilities=(0.5,) * len(answers))


def make_run(
    labels,
    model: str,
    seed: int = 0,
    *,
    dataset: str = "benchmark",
    activation: str | None = "published",
    errors: int = 0,
    answers=None,
    train_errors: int = 0,
    running: float = 1.0,
    losses: tuple[float, ...] = SMOOTH,
    probes: Mapping[str, Predictions] | None = None,
    options: Mapping[str, object] | None = None,
    backends: Sequence[str] = ("tensorflow",),
    failed: bool = False,
) -> RunRecord:
    """Make a record up; rows with errors are spread over the test set; one session for each backend."""
    own = labels[dataset]
    if activation == "published":
        activation = published_activation(model)
    fields = {"dataset": dataset, "model": model, "seed": seed, "hidden_activation": activation}
    spec = RunSpec.model_validate(fields | {"options": dict(options or {})}, context=TRUSTED)
    if answers is None:
        answers = answers_to(own, rows=np.arange(errors) * (len(own) // max(errors, 1)))
    n_train = {"benchmark": 25_000, "challenge": 1350}[dataset]
    ones = (1.0,) * len(losses)
    history = {"loss": losses, "accuracy": (running,) * len(losses), "val_loss": losses, "val_accuracy": ones}
    return record_of(
        spec,
        data_digests={},
        history=History(**history, learning_rate=ones, seconds=ones),
        sessions=tuple(SESSION.model_copy(update={"backend": name}) for name in backends),
        kept_epoch=0 if failed else len(losses) - 1,
        train=Metrics(n=n_train, errors=train_errors, loss=0.0),
        validation=Metrics(n=1, errors=int(failed), loss=losses[-1]),
        test=Metrics(n=len(own), errors=int(np.count_nonzero(answers != own)), loss=0.0),
        validation_predictions=predicted([0]),
        test_predictions=predicted(answers),
        probes=dict(probes or {}),
    )


def record_of(spec: RunSpec, **fields) -> RunRecord:
    """Fill in what no claim looks at."""
    fields = {
        "schema_version": 1,
        "spec": spec,
        "digest": spec.digest,
        "sessions": (SESSION,),
        "ended": "early_stopping",
        "reevaluation_gap": 0.0,
        "probes": {},
        "weights_sha256": "",
        "wall_seconds": 1.0,
        "peak_memory_bytes": 1,
    } | fields
    return RunRecord.model_validate(fields, context=TRUSTED)  # networks, and with them Keras, are not looked up


class Bench:
    """Makes up groups of runs."""

    def __init__(self, evidence: Evidence, labels) -> None:
        self.evidence, self.labels = evidence, labels

    def run(self, model: str, seed: int = 0, **more) -> RunRecord:
        return make_run(self.labels, model, seed, **more)

    def errors(self, default: Sequence[int] | None = None, /, **errors: Sequence[int]) -> list[RunRecord]:
        """One run for each number of errors; networks not named get the default, if there is one."""
        every = dict.fromkeys(PUBLISHED, default) | errors if default is not None else errors
        return [self.run(m, seed, errors=e) for m, each in every.items() for seed, e in enumerate(each)]

    def same(self, models: Sequence[str] = PUBLISHED, seeds: int = 3, **more) -> list[RunRecord]:
        return [self.run(model, seed, **more) for model in models for seed in range(seeds)]

    def challenge(self, activation: str = "relu", /, **errors: Sequence[int]) -> list[RunRecord]:
        return [
            self.run(m, seed, dataset="challenge", activation=activation if has_hidden_layers(m) else None, errors=e)
            for m, each in errors.items()
            for seed, e in enumerate(each)
        ]

    def confused(self, *pairs: tuple[int, int, int]):
        return answers_to(self.labels["benchmark"], confused=pairs)

    def rows(self, label: int):
        return np.flatnonzero(self.labels["benchmark"] == label)

    def map_of(self, kind: str) -> dict[str, Predictions]:
        """Decision map of classes 164 and 281, by height, by position or by both."""
        height, position = np.divmod(np.arange(GRID_SIZE**2), GRID_SIZE)
        first = {"height": height > 15, "position": position % 6 < 3, "both": height + 2 * (position % 6) > 18}[kind]
        return {"map-164-281": predicted(np.where(first, 164, 281))}

    def occluded(self, largest: bool) -> dict[str, Predictions]:
        """Answers that change only when the largest peak, or only when any other, is taken away."""
        split, missing = occlusion(self.evidence.general)
        highest = np.array([int(np.argmax(f.heights)) for f in self.evidence.general.fingerprints])
        changed = (highest[split.labels] == missing) == largest
        return {"occlusion": predicted(np.where(changed, (split.labels + 1) % 500, split.labels))}

    def degraded(self, errors: int, dataset: str = "benchmark") -> dict[str, Predictions]:
        answers = answers_to(self.labels[dataset], rows=range(errors))
        return {"noise": predicted(answers), "background": predicted(self.labels[dataset])}

    def next_to(self, near: bool, model: str, seed: int) -> RunRecord:
        """Errors between classes 8 and 318 whose nearest training spectrum is, or is not, in the other class."""
        answers = self.labels["benchmark"].copy()
        for true, other in ((8, 318), (318, 8), (164, 281), (281, 164), (219, 347), (347, 219)):
            rows = self.rows(true)
            hits = np.array(list(_nearest_to_other(self.evidence.general, (true, other), set(rows.tolist()))))
            answers[rows[hits == near]] = other
        return self.run(model, seed, answers=answers)


MINOR_PAIRS = ((39, 305, 1), (123, 247, 1), (222, 482, 1), (336, 421, 1), (428, 468, 1), (133, 358, 1))
UNLIKE = (0, 1, 1)
"""Two classes that have nothing in common."""

Case = Callable[[Bench], list[RunRecord]]

CASES: dict[int, tuple[Case, Case, Case]] = {
    5: (
        lambda b: b.same(probes=b.degraded(20)),
        lambda b: [b.run("vgg", dataset="challenge", activation="relu", probes=b.degraded(30, "challenge"))],
        lambda b: b.same(["cnn2"], probes=b.degraded(0)),
    ),
    6: (
        lambda b: b.errors([40] * 5),
        lambda b: b.errors(vgg=[51]),
        lambda b: b.errors([40] * 4),
    ),
    7: (
        lambda b: b.errors([20, 22, 24], cnn6=[7, 8, 9]),
        lambda b: b.errors([20, 22, 24], cnn6=[7, 8, 9], inc6=[1, 2, 3]),
        lambda b: b.errors([20, 22, 24], cnn6=[7, 8, 9], inc6=[6, 9, 12]),
    ),
    8: (
        lambda b: b.errors([12, 20, 39]),
        lambda b: b.errors([2, 3, 60]),
        lambda b: b.errors([5, 20, 39], cnn2=[5, 5, 20], cnn3=[5, 5, 20]),
    ),
    9: (
        lambda b: b.errors([20, 21, 22, 23, 24], cnn_bn=[40, 45, 50, 55, 60]),
        lambda b: b.errors([20, 21, 22, 23, 24], cnn_bn=[80, 81, 80, 81, 80]),
        lambda b: b.errors([20, 21, 22], cnn_bn=[40, 50, 60]),
    ),
    10: (
        lambda b: b.errors(cnn2=[36, 38, 40], cnn3=[26, 28, 30]),
        lambda b: b.errors(cnn2=[26, 28, 30], cnn3=[36, 38, 40]),
        lambda b: b.errors(cnn2=[36, 38, 40], cnn3=[35, 38, 41]),
    ),
    11: (
        lambda b: b.errors(cnn2=[36, 38, 40], cnn3=[36, 38, 40], inc3=[10, 11, 12], inc6=[10, 11, 12]),
        lambda b: b.errors(cnn2=[36, 38, 40], cnn3=[36, 38, 40], inc3=[10, 11, 12], inc6=[34, 35, 36]),
        lambda b: b.errors(cnn2=[36, 38, 40], cnn3=[36, 38, 40], inc3=[10, 11, 12]),
    ),
    12: (
        lambda b: b.errors(**{m: [2 * c + 9, 2 * c + 10, 2 * c + 11] for m, c in CONVOLUTIONS.items()}),
        lambda b: b.errors(**{m: [99 - 2 * c, 100 - 2 * c, 101 - 2 * c] for m, c in CONVOLUTIONS.items()}),
        lambda b: b.errors(**{m: [20, 20, 20] for m in PUBLISHED if m != "inc6"}),
    ),
    13: (
        lambda b: b.errors([20, 21, 22], vgg=[24, 25, 26], resnet=[18, 19, 20]),
        lambda b: b.errors([20, 21, 22], vgg=[4, 5, 6]),
        lambda b: b.errors([20, 21, 22], vgg=[12, 16, 20]),
    ),
    14: (
        lambda b: [r for m in PUBLISHED for r in b.same([m], losses=JAGGED if m in ("cnn_bn", "resnet") else SMOOTH)],
        lambda b: b.same(["cnn2"], losses=JAGGED) + b.same(["resnet"], losses=SMOOTH),
        lambda b: b.same(["cnn2"], losses=SMOOTH) + b.same(["resnet"], losses=JAGGED),
    ),
    15: (
        lambda b: b.same(["cnn2"], losses=(0.5, 0.04)) + b.same(["resnet"], losses=(0.5, 0.01)),
        lambda b: b.same(["cnn2"], losses=(0.5, 0.01)) + b.same(["resnet"], losses=(0.5, 0.04)),
        lambda b: b.same(["cnn2"], losses=(0.5, 0.04)) + b.same(["resnet"], losses=(0.5, 0.01), seeds=1),
    ),
    16: (
        lambda b: [r for m in PUBLISHED for r in b.same([m], train_errors=150 if m == "cnn6" else 40)],
        lambda b: b.same(["cnn6"], train_errors=0, running=0.994),
        lambda b: b.same(["cnn6"], train_errors=150),
    ),
    17: (
        lambda b: [r for m in PUBLISHED for r in b.same([m], train_errors=0 if m == "resnet" else 9)],
        lambda b: b.same(["resnet"], train_errors=9) + b.same(["vgg"], train_errors=2),
        lambda b: b.same(train_errors=0),
    ),
    18: (
        lambda b: b.errors([10, 20, 30]),
        lambda b: b.errors([20, 20, 20]),
        lambda b: b.errors([10, 20, 30], inc6=[10]),
    ),
    19: (
        lambda b: b.same(seeds=5, answers=b.confused((8, 318, 2), (164, 281, 1), (246, 382, 1))),
        lambda b: [b.run("vgg", answers=b.confused((8, 318, 2), UNLIKE))],
        lambda b: b.same(["vgg"], seeds=5, answers=b.confused((8, 318, 2))),
    ),
    20: (
        lambda b: b.same(seeds=5, answers=b.confused((8, 318, 2))),
        lambda b: [b.run("vgg", answers=b.confused((many_peaks(b.evidence), 8, 1)))],
        lambda b: b.same(["vgg"], seeds=5, answers=b.confused((8, 318, 2))),
    ),
    21: (
        lambda b: b.same(answers=called_382(b, right_where_away=True)),
        lambda b: b.same(["cnn2", "vgg"], answers=b.labels["benchmark"]),
        lambda b: b.same(["cnn2", "vgg"], answers=called_382(b, right_where_away=True)),
    ),
    22: (
        lambda b: b.same(probes=b.occluded(largest=True)),
        lambda b: b.same(["vgg"], probes=b.occluded(largest=False)),
        lambda b: b.same(["vgg"], probes=b.occluded(largest=True)),
    ),
    23: (
        lambda b: [b.run("vgg", answers=b.confused(*MINOR_PAIRS))],
        lambda b: b.same(seeds=5, answers=b.confused(*MINOR_PAIRS[:5])),
        lambda b: [b.run("vgg", answers=b.confused(*MINOR_PAIRS[:5], (246, 382, 4)))],
    ),
    24: (
        lambda b: b.same(answers=b.confused((8, 318, 3))),
        lambda b: b.same(answers=b.labels["benchmark"]),
        lambda b: b.same(["cnn6"], answers=b.confused((8, 318, 3))),
    ),
    25: (
        lambda b: [b.next_to(True, model, seed) for model in PUBLISHED for seed in range(3)],
        lambda b: [b.next_to(False, model, seed) for model in PUBLISHED for seed in range(3)],
        lambda b: [b.next_to(True, "vgg", 0)],
    ),
    27: (
        lambda b: maps(b, cnn2="position", cnn6="height", inc6="both"),
        lambda b: maps(b, cnn2="height", cnn6="position", inc6="both"),
        lambda b: maps(b, cnn2="position", cnn6="height"),
    ),
    29: (
        lambda b: both(b, {m: [40, 42, 44] for m in WITH_HIDDEN}, {m: [30, 33, 36] for m in WITH_HIDDEN}),
        lambda b: both(b, {"vgg": [40, 42, 44]}, {"vgg": [50, 53, 56]}),
        lambda b: both(b, {m: [40, 42, 44] for m in WITH_HIDDEN}, {m: [30, 33] for m in WITH_HIDDEN}),
    ),
    30: (
        lambda b: b.challenge(**dict.fromkeys(PUBLISHED, (50, 52, 54)) | {"cnn6": (15, 16, 17)}),
        lambda b: b.challenge(**dict.fromkeys(PUBLISHED, (50, 52, 54)) | {"cnn6": (15, 16, 17), "vgg": (1, 2, 3)}),
        lambda b: b.challenge(cnn6=[15, 16, 17], cnn2=[50, 52, 54]),
    ),
    31: (
        lambda b: b.challenge(cnn6=[15, 16, 17], inc3=[50, 52, 54], inc6=[40, 42, 44]),
        lambda b: b.challenge(cnn6=[45, 46, 47], inc3=[50, 52, 54], inc6=[20, 22, 24]),
        lambda b: b.challenge(cnn6=[15, 16, 17], inc3=[50, 52, 54], inc6=[10, 16, 22]),
    ),
    32: (
        lambda b: b.challenge(cnn2=[54, 55, 56], cnn3=[62, 63, 64], inc3=[54, 55, 56]),
        lambda b: b.challenge(cnn2=[54, 55, 56], cnn3=[62, 63, 64], inc3=[34, 35, 36]),
        lambda b: b.challenge(cnn2=[54, 55, 56], cnn3=[62, 63, 64]),
    ),
    33: (
        lambda b: b.challenge(resnet=[156, 156, 155, 157, 158]),
        lambda b: b.challenge(resnet=[60]),
        lambda b: b.challenge(resnet=[156, 156]),
    ),
    34: (
        lambda b: both(b, {"cnn_bn": [70, 72, 74]}, {"cnn_bn": [69, 72, 74]}),
        lambda b: both(b, {"cnn_bn": [70, 72, 74]}, {"cnn_bn": [30, 31, 33]}),
        lambda b: both(b, {"cnn_bn": [70, 72, 74]}, {"cnn_bn": [69, 72]}),
    ),
    35: (
        lambda b: poor_vgg(b, [90, 92, 94]),
        lambda b: poor_vgg(b, [20, 22, 24]),
        lambda b: poor_vgg(b, [90, 92]),
    ),
    36: (
        lambda b: ablations(b, simple=[20, 22, 24], other=[40, 42, 44]),
        lambda b: b.challenge(cnn6=[40, 42, 44], cnn6_bn=[20, 22, 24]),
        lambda b: b.challenge(cnn6=[20, 22, 24], cnn6_bn=[40, 42, 44]),
    ),
    37: (
        lambda b: [r for m in ABLATED for r in on_challenge(b, m, JAGGED if m in NORMALISED else SMOOTH)],
        lambda b: on_challenge(b, "cnn6", JAGGED) + on_challenge(b, "cnn6_bn", SMOOTH),
        lambda b: on_challenge(b, "cnn6", SMOOTH) + on_challenge(b, "cnn6_bn", JAGGED),
    ),
    38: (
        lambda b: pooled(b, published=30, less=10),
        lambda b: pooled(b, published=10, less=30),
        lambda b: pooled(b, published=30, less=10, seeds=2),
    ),
}

WITH_HIDDEN = tuple(model for model in PUBLISHED if has_hidden_layers(model))
ABLATED = ("cnn6", "cnn6_bn", "cnn_bn", "cnnbn_mod", "resnet", "resnet_mod")
NORMALISED = ("cnn6_bn", "cnn_bn", "resnet")


def many_peaks(evidence: Evidence) -> int:
    return next(k for k, f in enumerate(evidence.general.fingerprints) if f.n_peaks > 4)


def called_382(bench: Bench, right_where_away: bool):
    answers = bench.labels["benchmark"].copy()
    away = _moved_away(bench.evidence.general, (246, 382))
    answers[bench.rows(246)[~away if right_where_away else away]] = 382
    return answers


def maps(bench: Bench, **kinds: str) -> list[RunRecord]:
    return [run for model, kind in kinds.items() for run in bench.same([model], probes=bench.map_of(kind))]


def both(bench: Bench, linear, relu) -> list[RunRecord]:
    return bench.challenge("linear", **linear) + bench.challenge("relu", **relu)


def poor_vgg(bench: Bench, errors) -> list[RunRecord]:
    runs = {"vgg": errors, "cnn2": [50, 52, 54], "cnn3": [60, 62, 64], "cnn6": [30, 32, 34]}
    return both(bench, runs, runs)


def ablations(bench: Bench, simple, other) -> list[RunRecord]:
    better = dict.fromkeys(("cnn6", "cnnbn_mod", "vgg_mod", "resnet_mod"), simple)
    return bench.challenge(**better, **dict.fromkeys(("cnn6_bn", "cnn6_convdo", "cnn_bn", "vgg", "resnet"), other))


def on_challenge(bench: Bench, model: str, losses) -> list[RunRecord]:
    return bench.same([model], dataset="challenge", activation=relu_activation(model), losses=losses)


def pooled(bench: Bench, published: int, less: int, seeds: int = 3) -> list[RunRecord]:
    labels = bench.labels["challenge"]
    positions = np.flatnonzero((labels >= 9) & (labels <= 17))
    runs = []
    for seed in range(seeds):
        for errors, options in ((published + seed, {}), (less, {POOLING_OPTION: 0.5})):
            answers = answers_to(labels, rows=positions[:errors])
            runs.append(
                bench.run("cnn6", seed, dataset="challenge", activation="relu", answers=answers, options=options)
            )
    return runs


@pytest.mark.parametrize("outcome", [SUPPORTED, CONTRADICTED, UNDECIDED])
@pytest.mark.parametrize("number", CASES)
def test_made_up_records_give_the_verdict_that_they_must(nothing, labels, number, outcome):
    case = CASES[number][(SUPPORTED, CONTRADICTED, UNDECIDED).index(outcome)]
    records = RunRecords(tuple(case(Bench(nothing, labels))))
    (finding,) = judge(replace(nothing, records=records), [number])
    verdict = finding.verdict
    assert verdict.outcome is outcome, verdict
    assert 0 < verdict.n <= len(records)
    if outcome is SUPPORTED and number != 23:  # which one run can support
        assert verdict.n >= verdict.needed
    if verdict.interval is not None:
        assert verdict.interval[0] <= verdict.effect <= verdict.interval[1]
    assert verdict.sentence.endswith(".") and verdict.sentence[0] != " " and "nan" not in verdict.sentence


def test_every_claim_is_tested_with_made_up_evidence():
    on_data = {1, 2, 3, 4, 26, 28}
    assert set(CASES) | on_data == {claim.number for claim in list_claims()} == set(range(1, 39))
    assert not set(CASES) & on_data


def test_without_records_nothing_about_networks_is_decided(nothing):
    for finding in judge(nothing):
        if finding.claim.number in CASES:
            assert finding.verdict.outcome is UNDECIDED
            assert finding.verdict.n == 0 < finding.verdict.needed
            assert finding.verdict.effect is None
            assert "Insufficient data" in finding.verdict.sentence


def test_a_verdict_flips_when_a_record_arrives(nothing, labels):
    bench = Bench(nothing, labels)
    records = bench.errors(cnn2=[36, 38, 40], cnn3=[26, 28])
    outcomes = []
    for more in ([], [bench.run("cnn3", 2, errors=30)]):
        (finding,) = judge(replace(nothing, records=RunRecords((*records, *more))), [10])
        outcomes.append(finding.verdict.outcome)
    assert outcomes == [UNDECIDED, SUPPORTED]


def test_cnn6_may_be_best_and_yet_not_make_eight_errors(nothing, labels):
    records = RunRecords(tuple(Bench(nothing, labels).errors([40, 42, 44], cnn6=[19, 20, 21])))
    (finding,) = judge(replace(nothing, records=records), [7])
    assert finding.verdict.outcome is CONTRADICTED
    assert "does not agree with eight" in finding.verdict.sentence


def test_one_right_answer_without_a_shift_contradicts_claim_21(nothing, labels):
    bench = Bench(nothing, labels)
    run = bench.run("vgg", answers=called_382(bench, right_where_away=False))
    (finding,) = judge(replace(nothing, records=RunRecords((run,))), [21])
    assert finding.verdict.outcome is CONTRADICTED


# Datasets


def test_golden_values_of_the_published_datasets(nothing):
    verdicts = {finding.claim.number: finding.verdict for finding in judge(nothing, [2, 3, 26, 28])}
    assert (verdicts[2].outcome, verdicts[2].effect) == (CONTRADICTED, 4)
    assert "500 of 500 ideal spectra are different" in verdicts[2].sentence
    assert (
        "reaches 4 ideal spectra, and 32 of 4,500 test spectra fit more than one class (5 pairs" in verdicts[2].sentence
    )
    assert verdicts[3].outcome is SUPPORTED
    assert "4,500 of 4,500 test spectra; 15,717 of 15,741 test peaks" in verdicts[3].sentence
    assert (verdicts[26].outcome, verdicts[26].effect, verdicts[26].n) == (CONTRADICTED, 3, 18)
    assert "0.265" in verdicts[26].sentence and "0.248" in verdicts[26].sentence
    assert "misassigns 6 of 18" in verdicts[26].sentence
    assert verdicts[28].outcome is SUPPORTED


@pytest.mark.parametrize(
    ("cost", "outcome"),
    [
        (GenerationCost(30_000, 2.0, 2.0), SUPPORTED),
        (GenerationCost(30_000, 14.0, 27.0), SUPPORTED),
        (GenerationCost(30_000, 20.0, 19.0), CONTRADICTED),
        (GenerationCost(30_000, 20.0, 3.0), UNDECIDED),
        (GenerationCost(1_620, 0.1, 0.1), UNDECIDED),
    ],
)
def test_time_of_generation(cost, outcome):
    verdict = judge_generation(cost)
    assert verdict.outcome is outcome
    assert verdict.effect == cost.seconds


def with_general(evidence: Evidence, **fields) -> Evidence:
    """Evidence with a general set of two classes."""
    apart = (Fingerprint(positions=(300,), heights=(1.0,)), Fingerprint(positions=(600,), heights=(1.0,)))
    fields = {"name": "two", "n_points": 1000, "n_classes": 2, "fingerprints": apart} | fields
    return replace(evidence, general=make_dataset(DatasetSpec(**fields)))


def test_ambiguity_of_made_up_classes(nothing):
    near = (Fingerprint(positions=(300,), heights=(1.0,)), Fingerprint(positions=(340,), heights=(1.0,)))
    for fields, outcome, reached in (({}, SUPPORTED, 0), ({"fingerprints": near}, CONTRADICTED, 2)):
        (finding,) = judge(with_general(nothing, **fields), [2])
        assert (finding.verdict.outcome, finding.verdict.effect) == (outcome, reached)


def test_coverage_of_made_up_test_spectra(nothing):
    for shift, outcome in ((20, SUPPORTED), (80, CONTRADICTED)):
        evidence = with_general(nothing, test=TestRule(shift=shift, height_change=0.0))
        (finding,) = judge(evidence, [3])
        assert finding.verdict.outcome is outcome
        covered = coverage_of_test_peaks(evidence.general)
        share = 100 * (covered.position_inside & covered.height_inside).mean()
        assert finding.verdict.effect == pytest.approx(share)


def with_test_rule(evidence: Evidence, rule: TestRule) -> Evidence:
    """The general benchmark with other test spectra."""
    spec = evidence.general.spec.model_copy(update={"test": rule})
    peaks, labels = place_test_peaks(spec, evidence.general.fingerprints)
    return replace(evidence, general=replace(evidence.general, spec=spec, test=Split(labels, peaks, spec.n_points)))


def test_boundaries_of_made_up_test_spectra(nothing):
    flat = with_test_rule(nothing, TestRule(height_change=0.01))
    (finding,) = judge(flat, [26])
    assert (finding.verdict.outcome, finding.verdict.effect) == (SUPPORTED, 0)
    wide = with_test_rule(nothing, TestRule(shift=45))
    (finding,) = judge(wide, [24])
    assert finding.verdict.outcome is CONTRADICTED
    assert "leaves 6 test spectra on the wrong side" in finding.verdict.sentence


def test_measured_spectra(nothing):
    x = np.arange(1000.0)

    def spectrum(width, *centres):
        return sum(np.exp(-0.5 * ((x - centre) / width) ** 2) for centre in centres)

    fine = {"XRD": [spectrum(4, 200, 500)], "Raman": [spectrum(6, 100, 300, 700)], "NMR": [spectrum(3, 400, 450)]}
    crowded = fine | {"NMR": [spectrum(3, *range(100, 900, 100))]}
    broad = fine | {"Raman": [spectrum(30, 200, 700)]}
    for measured, outcome in (
        (fine, SUPPORTED),
        (crowded, CONTRADICTED),
        (broad, CONTRADICTED),
        ({"XRD": fine["XRD"]}, UNDECIDED),
        ({}, UNDECIDED),
    ):
        (finding,) = judge(replace(nothing, measured=measured), [4])
        assert finding.verdict.outcome is outcome, finding.verdict
        assert finding.verdict.n == len(measured)


def test_causes_of_confusions(nothing):
    fingerprints, law = nothing.general.fingerprints, nothing.general.spec.variation
    expected = {
        (246, 382): Cause.MINOR,
        (133, 358): Cause.MINOR,
        (8, 318): Cause.POSITION,
        (94, 215): Cause.POSITION,
        (164, 281): Cause.POSITION,  # whose largest peaks, not those of Fig. 6, are 48 points apart
        (206, 403): Cause.INTENSITY,
        (219, 347): Cause.INTENSITY,
        UNLIKE[:2]: None,
    }
    for (a, b), cause in expected.items():
        assert cause_of_confusion(fingerprints[a], fingerprints[b], law) is cause
        assert cause_of_confusion(fingerprints[b], fingerprints[a], law) is cause
    challenge = dataset_spec("challenge")
    named = [Cause.MINOR] * 9 + [Cause.POSITION] * 9 + [Cause.INTENSITY] * 9
    for first in range(0, 27, 3):
        for a, b in ((first, first + 1), (first + 1, first + 2)):
            found = cause_of_confusion(challenge.fingerprints[a], challenge.fingerprints[b], challenge.variation)
            assert found is named[first], (a, b)


def test_a_dataset_without_variation_has_causes_too():
    one, two = (Fingerprint(positions=(100, 200), heights=(1.0, h)) for h in (0.8, 0.5))
    still = Variation(position_shift=0, height_change=0.0)
    assert cause_of_confusion(one, two, still) is Cause.INTENSITY


def test_only_linear_layers_collapse():
    for hidden in HIDDEN_LAYERS.values():
        assert collapse_gap([max(2, width // 20) for width in hidden], 5, "linear") < 1e-12
        assert collapse_gap([max(2, width // 20) for width in hidden], 5, "relu") > 1e-3


def test_the_linear_layers_of_a_trained_network_collapse():
    """Records keep no weights, so a small network is trained here."""
    import keras

    from spectra_lib.networks import build_model
    from spectra_lib.networks.linear_stack import predict_collapsed

    data = make_dataset("smoke")
    keras.utils.set_random_seed(0)
    spectra, targets = data.train.spectra(), np.eye(data.spec.n_classes)[data.train.labels]
    model = build_model(
        "cnn2", data.spec.n_points, data.spec.n_classes, hidden_activation="linear", hidden_units=(40, 20)
    )
    before = model.get_weights()
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy")
    model.fit(spectra[..., None], targets, batch_size=8, epochs=10, verbose=0)
    assert all(np.abs(old - new).max() > 1e-3 for old, new in zip(before, model.get_weights(), strict=True))
    asked = model.predict(data.test.spectra()[..., None], verbose=0)
    assert (asked.argmax(axis=1) == data.test.labels).mean() > 0.9
    assert np.allclose(predict_collapsed(model, data.test.spectra()), asked, atol=1e-5)


def test_convolutions_and_linear_layers_are_the_published_ones():
    published = {"cnn2": 2, "cnn3": 3, "cnn6": 6, "vgg": 7, "resnet": 31, "cnn_bn": 3, "inc3": 21, "inc6": 39}
    assert published == CONVOLUTIONS
    assert set(HIDDEN_LAYERS) == {"cnn2", "cnn3", "vgg", "cnn_bn", "inc3", "inc6"}
    assert HIDDEN_LAYERS["vgg"] == (120, 84, 186)


# Evidence


def smoke_run(**changes) -> RunRecord:
    """A sound record on the smallest dataset: the loss is best in epoch 0, and 25 more epochs end training."""
    data = make_dataset("smoke")
    spec = RunSpec.model_validate(
        {"dataset": "smoke", "model": "cnn2", "hidden_activation": "linear", **changes.pop("spec", {})}, context=TRUSTED
    )
    losses = (0.1, *[0.2] * 25)
    ones = (1.0,) * len(losses)
    fields = {
        "data_digests": data_digests(data),
        "history": History(
            loss=losses, accuracy=ones, val_loss=losses, val_accuracy=ones, learning_rate=ones, seconds=ones
        ),
        "kept_epoch": 0,
        "train": Metrics(n=len(data.train), errors=0, loss=0.1),
        "validation": Metrics(n=len(data.validation), errors=0, loss=0.1),
        "test": Metrics(n=len(data.test), errors=0, loss=0.1),
        "validation_predictions": predicted(data.validation.labels),
        "test_predictions": predicted(data.test.labels),
    }
    return record_of(spec, **fields | changes)


def test_only_sound_records_of_comparable_runs_count():
    good = smoke_run()
    assert good.faults(make_dataset("smoke")) == []
    others = [
        smoke_run(spec={"seed": 1, **more})
        for more in (
            {"precision": "mixed_bfloat16"},
            {"max_epochs": 30},
            {"protocol": "code"},
            {"batch_size": 64},
            {"learning_rate": 1e-3},
            {"dataset": "laptop"},
        )
    ]
    wrong = smoke_run(spec={"seed": 2}, test=Metrics(n=36, errors=5, loss=0.1))
    evidence = gather_evidence(RunRecords((good, *others, wrong)), "smoke", "smoke")
    assert list(evidence.records) == [good]
    assert len(evidence.set_aside) == 1
    assert "errors by the predictions: 0, by the metrics: 5" in evidence.set_aside[0]
    assert list(evidence.on_general("cnn2")) == [good]
    code = gather_evidence(RunRecords((good, *others)), "smoke", "smoke", rules="code")
    assert [record.spec.protocol for record in code.records] == ["code"]


def test_runs_with_options_are_not_runs_as_published(nothing, labels):
    run = make_run(labels, "cnn2", options={"dropout": 0.5})
    evidence = replace(nothing, records=RunRecords((run,)))
    assert sum(map(len, published_networks(evidence).values())) == 0


def test_an_unknown_protocol_or_dataset_is_refused():
    with pytest.raises(UnknownNameError, match="unknown protocol 'papers'"):
        gather_evidence(RunRecords(()), "smoke", "smoke", rules="papers")
    with pytest.raises(UnknownNameError, match="unknown dataset 'smok'"):
        gather_evidence(RunRecords(()), "smok")


def test_other_datasets_leave_claims_on_named_classes_undecided():
    evidence = gather_evidence(RunRecords(()), "laptop", "laptop")
    verdicts = {finding.claim.number: finding.verdict for finding in judge(evidence)}
    for number in (21, 24, 26, 27):
        assert verdicts[number].outcome is UNDECIDED
        assert "not in the dataset at hand" in verdicts[number].sentence


# Jumps of the validation loss

EPOCHS = np.arange(60)
FALLING = 0.8 * np.exp(-EPOCHS / 12) + 0.01
RISING = 0.5 * 1.08**EPOCHS
TURNING = np.exp(((EPOCHS - 30) / 20) ** 2) / 10
JUMPING = FALLING * np.where(EPOCHS % 7 == 3, 10.0, 1.0)


def test_only_a_loss_that_goes_up_and_down_jumps():
    assert jumpiness(FALLING.tolist()) == jumpiness(RISING.tolist()) == 0.0
    assert jumpiness(TURNING.tolist()) < 0.002
    # one decade upwards and back, every seventh epoch
    assert jumpiness(JUMPING.tolist()) == pytest.approx(np.count_nonzero(EPOCHS % 7 == 3) / len(EPOCHS), rel=0.1)
    # whichever way the curve tends, the same jumps are as large
    onto_rising = RISING * JUMPING / FALLING
    assert jumpiness(onto_rising.tolist()) == pytest.approx(jumpiness(JUMPING.tolist()), rel=0.1)
    # an excursion of two epochs is a jump, too
    assert jumpiness([0.1] * 10 + [1.0, 1.0] + [0.1] * 8) == pytest.approx(2 / 20)


def test_a_loss_that_is_not_finite_stands_out(labels):
    run = make_run(labels, "cnn2")
    run = run.model_copy(update={"history": run.history.model_copy(update={"val_loss": (0.5, None, 0.5, 0.5, 0.5)})})
    assert loss_jumps(run) == pytest.approx(1 / 5)
    assert jumpiness([0.5, 0.5, None, None, None, None]) == jumpiness([None, None]) == jumpiness([]) == 0.0


def test_published_curves_with_batch_normalisation_jump_more_than_those_without():
    curves = published_validation_losses()
    jumps = curves.groupby(["model", "seed"]).val_loss.apply(lambda losses: jumpiness(losses.tolist()))
    assert min(jumps["cnn_bn"].min(), jumps["resnet"].min()) > 2 * jumps["cnn2"].max()


def test_a_loss_that_only_rises_is_named_and_no_jump(nothing, labels):
    bench = Bench(nothing, labels)
    runs = on_challenge(bench, "cnn_bn", tuple(RISING.tolist())) + on_challenge(bench, "cnnbn_mod", SMOOTH)
    assert [never_improved(run) for run in runs] == [True] * 3 + [False] * 3
    (finding,) = judge(replace(nothing, records=RunRecords(tuple(runs))), [37])
    assert finding.verdict.outcome is UNDECIDED and finding.verdict.effect == 0.0
    assert "3 of 3 runs never falls below that of the first epoch: CNN BN (ReLU), seeds 0, 1 and 2" in (
        finding.verdict.sentence
    )


# Pairs of runs


def test_runs_are_paired_by_seed_on_the_same_backend(labels):
    def run(seed, activation, errors, *backends):
        more = {"dataset": "challenge", "activation": activation, "errors": errors, "backends": backends}
        return make_run(labels, "vgg", seed, **more)

    linear = [run(0, "linear", 50, "tensorflow"), run(1, "linear", 51, "jax"), run(2, "linear", 52, "jax")]
    relu = [run(0, "relu", 40, "tensorflow"), run(1, "relu", 41, "tensorflow"), run(2, "relu", 42, "jax", "tensorflow")]
    assert [backend_of(each) for each in relu] == ["tensorflow", "tensorflow", None]
    assert backend_of(run(0, "relu", 40)) is None  # without any session
    assert backend_of(run(0, "relu", 40, "jax", "jax")) == "jax"  # interrupted, and resumed on the same
    assert pairs_by_seed(relu, linear) == [(relu[0], linear[0])]
    assert pairs_by_seed([relu[2]], [relu[2]]) == []


def test_pairs_across_backends_do_not_count(nothing, labels):
    bench = Bench(nothing, labels)
    runs = bench.challenge("relu", vgg=[50, 53, 56])
    runs += [
        bench.run("vgg", seed, dataset="challenge", activation="linear", errors=40 + seed, backends=[backend])
        for seed, backend in enumerate(("tensorflow", "tensorflow", "jax"))
    ]
    (finding,) = judge(replace(nothing, records=RunRecords(tuple(runs))), [29])
    assert finding.verdict.outcome is UNDECIDED and finding.verdict.n == 4
    assert "2 of 3 runs of VGG (ReLU), VGG (linear)" in finding.verdict.sentence


def with_failed(bench: Bench) -> list[RunRecord]:
    """CNN BN, of which two runs with linear layers never trained, and VGG, which does not gain."""
    never = [
        bench.run("cnn_bn", seed, dataset="challenge", activation="linear", errors=145 - seed, failed=True)
        for seed in (0, 1)
    ]
    return [
        *bench.challenge("linear", vgg=[50, 52, 54]),
        *bench.challenge("relu", vgg=[50, 53, 53], cnn_bn=[70, 74, 80]),
        *never,
        bench.run("cnn_bn", 2, dataset="challenge", activation="linear", errors=81),
    ]


def test_gains_over_runs_that_never_trained_are_named(nothing, labels):
    records = RunRecords(tuple(with_failed(Bench(nothing, labels))))
    for number in (29, 34):
        (finding,) = judge(replace(nothing, records=records), [number])
        assert "Runs that failed to converge: CNN BN (linear), seeds 0 and 1." in finding.verdict.sentence
    (finding,) = judge(replace(nothing, records=records), [29])
    gains = 100 * np.array([0, -1, 1, 75, 70, 1]) / 162
    assert f"by +{gains.mean():.1f} points on average, by +{np.median(gains):.1f} at the median" in (
        finding.verdict.sentence
    )
    assert "two-sided sign-flip test of the mean, p = 0.25" in finding.verdict.sentence  # 16 of 64 means are as large
    assert "Without their pairs the mean change is +0.2 points (4 pairs)." in finding.verdict.sentence
    assert "percentage points, CNN BN (" in finding.verdict.effect_text
    paired = [(records[0], records[0])]
    assert without_failed_pairs(paired) == ""


# Several comparisons


def test_the_number_of_planned_comparisons_widens_what_can_contradict():
    against = Comparison("a against b", -4.0, 1.0, freedom=4.0)
    one, two, twenty = (conclude([against], {}, "errors", planned=planned) for planned in (1, 2, 20))
    assert [verdict.outcome for verdict in (one, two, twenty)] == [CONTRADICTED, CONTRADICTED, UNDECIDED]
    # shown is the interval that decides, with its confidence where that is not 95 %
    assert one.effect_text.startswith("−4 errors, a against b (−6.78 to")
    assert two.effect_text.startswith("−4 errors, a against b (97.5 % interval −")
    assert two.interval[1] < 0 < twenty.interval[1]
    assert twenty.level == pytest.approx(1 - 0.05 / 20)
    assert all(verdict.interval == against.interval(verdict.level) for verdict in (one, two, twenty))
    # the same evidence, and further comparisons that say nothing: the verdict stays
    others = [Comparison(f"{name} against b", 0.0, 1.0, freedom=4.0) for name in "cdefghijklmnopqrstu"]
    assert conclude([against, *others], {}, "errors", planned=20).outcome is UNDECIDED
    assert conclude([against, *others], {}, "errors", planned=20).interval == twenty.interval
    support = conclude([replace(against, difference=4.0)], {}, "errors", planned=1)
    assert (support.outcome, support.level) == (SUPPORTED, 0.95)


def test_what_is_shown_is_the_difference_and_not_the_distance_from_the_margin(nothing, labels):
    runs = Bench(nothing, labels).challenge(cnn2=[54, 55, 56], cnn3=[62, 63, 64], inc3=[44, 45, 46])
    (finding,) = judge(replace(nothing, records=RunRecords(tuple(runs))), [32])
    assert finding.verdict.outcome is CONTRADICTED  # 6.2 points behind, where 3 are allowed
    assert finding.verdict.effect == pytest.approx(-1000 / 162)
    assert finding.verdict.meaning == "percentage points, CNN2 against INC3"
    assert "claimed above −3" in finding.verdict.sentence


# The largest peak


def test_a_network_that_weighs_peaks_as_peak_matching_does_is_no_evidence(nothing, labels):
    """It answers otherwise more often without the largest peak than without another one, and rightly so."""
    matched = predicted(match_occluded(nothing.general))
    records = RunRecords(tuple(Bench(nothing, labels).same(probes={"occlusion": matched})))
    (finding,) = judge(replace(nothing, records=records), [22])
    assert (finding.verdict.outcome, finding.verdict.effect) == (UNDECIDED, 0.0)
    assert "by 31.4 percentage points for peak matching" in finding.verdict.sentence
    assert "31.4 for VGG (3 runs)" in finding.verdict.sentence


# How verdicts read


def test_numbers_and_plurals_read_well(nothing, labels):
    assert Verdict(SUPPORTED, 1.0, "m", 1, 2, "classes", "").n_text == "1 class, 2 needed"
    assert Verdict(SUPPORTED, 3.7e-5, "m", 0, 2, "networks", "").n_text == "0 networks, 2 needed"
    assert Verdict(SUPPORTED, 3.7e-5, "m", 0, 2, "runs", "", (-1e-6, 1.0)).effect_text == "3.7·10⁻⁵ m (−1·10⁻⁶ to 1)"
    bench = Bench(nothing, labels)
    runs = [bench.run("vgg", errors=3), bench.run("resnet", dataset="challenge", activation=None, errors=156)]
    for finding in judge(replace(nothing, records=RunRecords(tuple(runs)))):
        text = f"{finding.verdict.effect_text} {finding.verdict.n_text} {finding.verdict.sentence}"
        for odd in (" 1 runs", "0 of 0", " 1 errors", " 1 pairs", "e-0", "e-1", "(-", " -1", " -0"):
            assert odd not in f" {text}", text


# List and command


def test_claims_say_where_they_come_from_and_when_they_hold():
    claims = list_claims()
    assert [claim.number for claim in claims] == list(range(1, 39))
    assert {claim.group for claim in claims} == set(GROUPS)
    assert len({claim.name for claim in claims}) == len({claim.wording for claim in claims}) == 38
    for each in claims:
        assert each.section.split(",")[0] in ("Results", "Methods")
        assert len(each.wording) > 20 and len(each.rule) > 40 and each.uses


def test_a_number_can_be_given_once():
    with pytest.raises(SpectraError, match="claim 6 is every_network_is_accurate already"):
        claim(6, "", "", uses="")(lambda evidence: None)


def test_an_unknown_number_is_refused():
    with pytest.raises(UnknownNameError, match="unknown claim 39"):
        list_claims([39])


def test_rows_and_text(nothing):
    findings = judge(nothing, [10, 26])
    assert claim_rows(findings).iloc[1].tolist()[:-1] == [
        26,
        "Results, Overlapping peak intensities",
        "A threshold on one relative intensity classifies all test spectra of classes 164 and 281.",
        "contradicted",
        "3 test spectra on the wrong side of the best split",
        "18 spectra, 18 needed",
    ]
    assert claim_rows(findings)["Why"].tolist() == [finding.verdict.sentence for finding in findings]
    assert summary(findings) == "2 claims: 0 supported, 1 contradicted, 1 undecided"
    text = as_text(findings[0])
    assert text.startswith("10  UNDECIDED    Results, Benchmark results; 0 runs, 6 needed\n")
    assert "Insufficient data: 0 of 3 runs of CNN2, CNN3." in text


def test_the_command_prints_a_table(tmp_path):
    result = CliRunner().invoke(app, ["claims", "--store", str(tmp_path), "--only", "26", "--markdown"])
    assert result.exit_code == 0, result.output
    assert "| No. | Section | Claim | Verdict | Effect | n |" in result.output
    assert "| 26 | Results, Overlapping peak intensities |" in result.output
    assert ":::{table} Claims of the paper: 1 claims: 0 supported, 1 contradicted, 0 undecided." in result.output


def test_every_verdict_is_drawn(nothing):
    import matplotlib.pyplot as plt

    from spectra_lib.figures import style
    from spectra_lib.figures.claims import draw_verdicts

    findings = judge(nothing, [1, 2, 6, 26, 38])
    figure, (axes,) = style.new_figure(3.0)
    draw_verdicts(axes, findings)
    texts = [text.get_text() for text in axes.texts]
    assert sorted(int(text) for text in texts if text.isdigit()) == [1, 2, 6, 26, 38]
    assert [text for text in texts if not text.isdigit()] == list(GROUPS.values())
    assert sum(len(line.get_xdata()) for line in axes.lines) == 5
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [f"{o.value} ({sum(f.verdict.outcome is o for f in findings)})" for o in Outcome]
    plt.close(figure)
