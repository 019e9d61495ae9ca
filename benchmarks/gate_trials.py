"""Trials of the gate: simulated test sets on which models of known truth are scored, compared and judged.

A trial draws new images, lets the models detect, scores them with the evaluator, bootstraps as an evaluation does, and
asks `judge` for a verdict. Many trials show how often intervals cover the truth and how often the gate is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing import Pool
from typing import Final

import numpy as np

from benchmarks.simulation import Floats, Model, World, detect, draw_scenes
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.all_metrics import Matched, main_measure
from cv_yolo.domain.evaluation.comparison import difference_of
from cv_yolo.domain.evaluation.evaluation import Evaluation, Scored, Subject
from cv_yolo.domain.evaluation.intervals import Estimate, Measure, Resampling, bootstrap, estimates, together
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.metrics import average_precision, rank_matches
from cv_yolo.domain.evaluation.operating_point import in_use_measure
from cv_yolo.domain.evaluation.split_boxes import MAX_DETECTIONS, SplitBoxes
from cv_yolo.domain.promotion.decision import Champion, Decision, Verdict
from cv_yolo.domain.promotion.judgement import GateInput, judge
from cv_yolo.domain.promotion.policy import Gate, PromotionPolicy, Rule
from cv_yolo.domain.promotion.versions import Stage

METRIC: Final = "map_50"
MARGIN: Final = 0.02
CLASS_MARGIN: Final = 0.05
CONFIDENCE_THRESHOLD: Final = 0.5
CHAMPION: Final = Champion(version="1", run_id="champion", name="champion")
GATES: Final = {
    "superiority": Gate(metric=METRIC, rule=Rule.SUPERIORITY),
    "non-inferiority": Gate(metric=METRIC, rule=Rule.NON_INFERIORITY, margin=MARGIN),
    "class guard": Gate(metric=METRIC, rule=Rule.NON_INFERIORITY, margin=1.0, class_margin=CLASS_MARGIN),
}
CANDIDATES: Final = {
    "superiority": ("equal", "better"),
    "non-inferiority": ("worse", "equal"),
    "class guard": ("equal",),
}
IMAGES_AT_ONCE: Final = 20_000
TWELVE: Final = tuple(0.8**rank * (1 - 0.8) / (1 - 0.8**12) for rank in range(12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A world, and models that are judged in it against the champion: their skills make the differences."""

    name: str
    world: World
    models: dict[str, Model]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """The true figures, by `champion/map_50`, `better-champion/map_50` …, and their own standard errors."""

    value: dict[str, float]
    error: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What one test set said: estimates by the names of `Truth`, and each gate's verdict: `superiority/better`."""

    estimates: dict[str, Estimate]
    verdicts: dict[str, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Trials of one scenario with the same number of images; `light` leaves `map_50_95` out and has classes."""

    scenario: Scenario
    images: int
    resampling: Resampling
    seed: int
    light: bool = False


SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="one class",
            world=World(),
            models={"champion": Model(), "equal": Model(), "better": Model(skill=0.32), "worse": Model(skill=-0.115)},
        ),
        Scenario(
            name="three classes",
            world=World(classes=(0.6, 0.3, 0.1)),
            models={"champion": Model(), "equal": Model(), "better": Model(skill=0.36), "worse": Model(skill=-0.13)},
        ),
        Scenario(
            name="three even classes",
            world=World(classes=(1 / 3, 1 / 3, 1 / 3)),
            models={"champion": Model(), "equal": Model(), "better": Model(skill=0.353), "worse": Model(skill=-0.13)},
        ),
        Scenario(
            name="twelve classes",  # of which the rarest is one object in 54
            world=World(classes=TWELVE),
            models={"champion": Model(), "equal": Model(), "better": Model(skill=0.36), "worse": Model(skill=-0.13)},
        ),
    )
}


def true_figures(scenario: Scenario, *, images: int, seed: int) -> Truth:
    """The metrics of the models on so many simulated images, in parts, whose spread gives the error."""
    container = [_true_part(scenario, np.random.default_rng([seed, part])) for part in range(images // IMAGES_AT_ONCE)]
    return Truth(
        value={name: float(np.mean([part[name] for part in container])) for name in container[0]},
        error={
            name: float(np.std([part[name] for part in container], ddof=1) / len(container) ** 0.5)
            for name in container[0]
        },
    )


def run_trials(study: Study, count: int, *, processes: int = 1) -> Iterator[Trial]:
    """Independent trials, in no particular order."""
    if processes == 1:
        yield from map(partial(run_trial, study), range(count))
        return
    with Pool(processes) as pool:
        yield from pool.imap_unordered(partial(run_trial, study), range(count))


def run_trial(study: Study, number: int) -> Trial:
    """Draw test images, score all models on them, and judge the candidates against the champion."""
    scenario, rng = study.scenario, np.random.default_rng([study.seed, study.images, number])
    scenes = draw_scenes(scenario.world, study.images, rng)
    tables = {name: detect(model, scenario.world, scenes, rng) for name, model in scenario.models.items()}
    scored = {
        name: _scored(table, study, seed=number, light=study.light or name not in {"champion", "better"})
        for name, table in tables.items()
    }
    champion = scored["champion"]
    found = {"champion": champion.bootstrapped, "better-champion": difference_of(champion, scored["better"])}
    return Trial(
        estimates={
            f"{who}/{figure}": estimate
            for who, bootstrapped in found.items()
            for figure, estimate in estimates(bootstrapped, confidence=study.resampling.confidence).items()
            if "/" not in figure
        },
        verdicts={
            f"{gate}/{name}": verdict(champion, scored[name], GATES[gate])
            for gate, names in CANDIDATES.items()
            for name in names
        },
    )


def verdict(champion: Scored, candidate: Scored, gate: Gate) -> Verdict:
    """What the gate says about the candidate, by the product's own rules and nothing else."""
    resampling = candidate.evaluation.resampling
    policy = PromotionPolicy(
        model="simulated", selection_metric=METRIC, gates={Stage.STAGING: gate}, resampling=resampling
    )
    case = GateInput(stage=Stage.STAGING, policy=policy, candidate=candidate, champion=CHAMPION, incumbent=champion)
    checks, judgement = judge(case, use=1)
    return Decision(
        id="simulated",
        made_at=datetime(2025, 1, 1, tzinfo=UTC),
        stage=Stage.STAGING,
        policy=policy,
        rows=(),
        selection=None,
        chosen=None,
        champion=CHAMPION,
        checks=checks,
        judgement=judgement,
    ).verdict


def _true_part(scenario: Scenario, rng: np.random.Generator) -> dict[str, float]:
    scenes = draw_scenes(scenario.world, IMAGES_AT_ONCE, rng)
    found = {}
    for who in ("champion", "better", "worse"):
        measure = _whole_measure(detect(scenario.models[who], scenario.world, scenes, rng))
        found[who] = measure.compute(np.ones((1, IMAGES_AT_ONCE)))[0]
    found |= {f"{who}-champion": found[who] - found["champion"] for who in ("better", "worse")}
    return {
        f"{who}/{name}": float(value)
        for who, figures in found.items()
        for name, value in zip(measure.names, figures, strict=True)
    }


def _scored(table: SplitBoxes, study: Study, *, seed: int, light: bool) -> Scored:
    resampling = replace(study.resampling, seed=seed)
    measure = _light_measure(table) if light else _whole_measure(table)
    found = bootstrap(measure, images=study.images, resampling=resampling)
    subject = Subject(
        revision="simulated",
        split_revision="simulated",
        split=Split.TEST,
        classes=tuple(map(str, range(table.classes))),
        predictor="simulated",
        weights_sha256="simulated",
    )
    evaluation = Evaluation(
        subject=subject,
        images=study.images,
        truths=len(table.truths.image),
        resampling=resampling,
        confidence_threshold=CONFIDENCE_THRESHOLD,
        figures=estimates(found, confidence=resampling.confidence),
        curves=(),
    )
    return Scored(evaluation=evaluation, matched=Matched(table=table, matchings={}), bootstrapped=found)


def _whole_measure(table: SplitBoxes) -> Measure:
    return main_measure(table, confidence_threshold=CONFIDENCE_THRESHOLD)


def _light_measure(table: SplitBoxes) -> Measure:
    """All but `map_50_95`, and each class's AP at IoU 0.5, from the evaluator's parts: a fifth of the work."""
    first = IOU_THRESHOLDS[:1]
    matching = match(table, find_overlaps(table, least=float(first[0])), iou_thresholds=first)
    ranking = rank_matches(table, matching, max_detections=MAX_DETECTIONS, thresholds=1)

    def compute(draws: Floats) -> Floats:
        by_class = average_precision(ranking, draws)[:, 0]
        with np.errstate(invalid="ignore"):
            mean = np.nansum(by_class, axis=1, keepdims=True) / (~np.isnan(by_class)).sum(axis=1, keepdims=True)
        return np.concatenate([mean, by_class], axis=1)

    names = (METRIC, *(f"class/{index}/ap_50" for index in range(table.classes)))
    cells = len(ranking.wrong_image) + len(ranking.claim_image)
    in_use = in_use_measure(table, {"": matching}, (), confidence_threshold=CONFIDENCE_THRESHOLD)
    return together([Measure(names=names, compute=compute, cells=cells), in_use])
