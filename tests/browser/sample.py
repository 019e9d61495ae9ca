"""Realistic sample pages: two simulated detectors on drawn street scenes, scored by our own evaluator.

`python -m tests.browser.sample FOLDER` writes them all; the pictures of the README are made from these pages.
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.evaluation.annotated_images import annotate_images
from cv_yolo.domain.evaluation.evaluation import Scored
from cv_yolo.domain.promotion.checks import Outcome, ProofCheck
from cv_yolo.domain.promotion.decision import Champion, Decision
from cv_yolo.domain.promotion.judgement import GateInput, judge
from cv_yolo.domain.promotion.policy import Gate, PromotionPolicy
from cv_yolo.domain.promotion.selection import Selection, select
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.domain.training.runs import FINAL_PREFIX, Run, RunRow, RunStatus, row_of
from cv_yolo.reports.pages.comparison import comparison_html, evaluation_html
from cv_yolo.reports.pages.decision import decision_html
from cv_yolo.reports.text.decision import decision_markdown
from cv_yolo.reports.view_models import ComparisonReport, DecisionReport, EvaluationReport, RunReport
from tests.browser.scenes import CLASSES, HEIGHT_PX, WIDTH_PX
from tests.browser.simulation import (
    CANDIDATE,
    CHAMPION,
    IMAGES,
    RESAMPLING,
    THRESHOLD,
    comparison,
    scored,
    thumbnails,
)

MADE_AT = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
GRID = (("4f0c1d", 3, 320, 0.0), ("a81b3e", 3, 416, 0.005), ("b7e2a0", 5, 416, 0.06), ("c90d77", 8, 416, 0.065))


def sample_comparison() -> ComparisonReport:
    return ComparisonReport(
        first_name="staging (e3_s320)",
        second_name="e5_s416",
        comparison=comparison(),
        thumbnails=thumbnails(),
        made_at=MADE_AT,
    )


def sample_evaluation() -> EvaluationReport:
    found = scored(CANDIDATE)
    annotated = annotate_images(found.matched.table, confidence_threshold=THRESHOLD)
    return EvaluationReport(
        name="e5_s416",
        evaluation=found.evaluation,
        annotated=tuple(sorted(annotated, key=lambda each: -each.errors)),
        thumbnails=thumbnails(),
        made_at=MADE_AT,
    )


def sample_decision(*, images: int = IMAGES, gate: Gate | None = None, use: int = 7, **changes) -> DecisionReport:
    """A grid of four runs, of which one is judged against the champion on the scenes."""
    gate = gate or Gate(margin=0.02, class_margin=0.1, slice_margin=0.1, floors={"map_50": 0.5})
    policy = PromotionPolicy(
        model="cv_yolo_tiny",
        selection_metric="map_50",
        gates={Stage.STAGING: gate},
        resampling=RESAMPLING,
        source="configs/policy.yaml",
        sha256="c0de" * 16,
    )
    champion = Champion(version="2", run_id="4f0c1d", name="e3_s320")
    found = comparison(images)
    case = GateInput(
        stage=Stage.STAGING,
        policy=policy,
        candidate=scored(CANDIDATE, images),
        champion=champion,
        incumbent=scored(CHAMPION, images),
    )
    checks, judgement = judge(case, use=use)
    reports = _run_reports()
    rows = tuple(row_of(each.run) for each in reports)
    decision = Decision(
        id="3fa9c211",
        made_at=MADE_AT,
        stage=Stage.STAGING,
        policy=policy,
        rows=rows,
        selection=_selection(rows),
        chosen="b7e2a0",
        champion=champion,
        checks=(ProofCheck(outcome=Outcome.PASSED, proven=4, runs=4), *checks),
        judgement=judgement,
        **changes,
    )
    return DecisionReport(
        decision=decision,
        version=ModelVersion(
            model="cv_yolo_tiny", version="3", run_id="b7e2a0", weights_sha256="2e7a" * 16, stage=Stage.STAGING
        ),
        manifest=_manifest(images),
        runs=reports,
        failures={},
        pipeline_run="yolo_training_pipeline-2026_03_04-11_52",
        git_commit="c0ffee" * 6 + "c0ff",
        git_dirty=False,
        comparison=found,
        thumbnails=thumbnails(images),
    )


def sample_pages() -> dict[str, str]:
    """All sample pages by file name."""
    strict = Gate(margin=0.0, class_margin=0.02, slice_margin=0.02, floors={"map_50": 0.9}, max_latency_ms=10.0)
    unsure = Gate(metric="map_50_95", margin=0.0, floors={"class/dog/ap_50": 0.6})
    first = sample_decision()
    pages = {
        "comparison.html": comparison_html(sample_comparison()),
        "evaluation.html": evaluation_html(sample_evaluation()),
        "decision-promoted.html": decision_html(first),
        "decision-promoted.md": decision_markdown(first),
        "decision-rejected.html": decision_html(sample_decision(gate=strict, use=23)),
        "decision-inconclusive.html": decision_html(sample_decision(gate=unsure, images=32)),
        "decision-inconclusive.md": decision_markdown(sample_decision(gate=unsure, images=32)),
        "decision-accepted.html": decision_html(
            sample_decision(gate=unsure, images=32, accepted="release 2.1 needs the night scenes; agreed with QA")
        ),
    }
    alone = replace(first, comparison=None, decision=replace(first.decision, champion=None))
    return pages | {"decision-first.html": decision_html(_without_champion(alone))}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sample_pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


def _without_champion(report: DecisionReport) -> DecisionReport:
    """The same candidate, first of its kind: judged by its floors alone, on few images and so provisionally."""
    policy = replace(
        report.decision.policy,
        min_images=80,
        gates={Stage.STAGING: Gate(provisional=True, floors={"map_50": 0.5})},
    )
    case = GateInput(stage=Stage.STAGING, policy=policy, candidate=scored(CANDIDATE), champion=None, incumbent=None)
    checks, judgement = judge(case, use=1)
    annotated = annotate_images(case.candidate.matched.table, confidence_threshold=THRESHOLD)
    return replace(
        report,
        decision=replace(report.decision, policy=policy, checks=checks, judgement=judgement),
        version=replace(report.version, version="1"),
        annotated=tuple(sorted(annotated, key=lambda each: -each.errors)),
    )


def _run_reports() -> tuple[RunReport, ...]:
    return tuple(_run_report(*run) for run in GRID)


def _run_report(run_id: str, epochs: int, size_px: int, gain: float) -> RunReport:
    """A run that is better by `gain` than the first of the grid."""
    evaluation = _on_val(gain)
    metrics = {f"{FINAL_PREFIX}{name}": value for name, value in evaluation.evaluation.scores().items()}
    history = {
        "val/map_50": tuple((epoch, 0.55 + gain + 0.3 * (1 - 0.5**epoch)) for epoch in range(1, epochs + 1)),
        "train/box_loss": tuple((epoch, (1.9 - 2 * gain) * 0.85**epoch) for epoch in range(1, epochs + 1)),
        "train/cls_loss": tuple((epoch, (2.4 - 3 * gain) * 0.8**epoch) for epoch in range(1, epochs + 1)),
        "train/dfl_loss": tuple((epoch, (1.5 - gain) * 0.93**epoch) for epoch in range(1, epochs + 1)),
    }
    run = Run(
        run_id=run_id,
        name=f"e{epochs}_s{size_px}",
        status=RunStatus.FINISHED,
        reason=None,
        started_at=MADE_AT,
        ended_at=MADE_AT,
        params={"epochs": str(epochs), "image_size_px": str(size_px)},
        tags={"dataset_revision": _manifest().revision},
        metrics=metrics | {"duration_s": 8.3 * epochs * (size_px / 320) ** 2, "latency_ms": size_px / 32},
    )
    return RunReport(run=run, history=history, evaluation=evaluation.evaluation)


@cache
def _on_val(gain: float) -> Scored:
    habits = replace(CANDIDATE, seed=round(1000 * gain) + 9, misses_small=0.55 - 7 * gain, makes_up=0.9 - 10 * gain)
    found = scored(habits)
    return replace(
        found, evaluation=replace(found.evaluation, subject=replace(found.evaluation.subject, split=Split.VAL))
    )


def _selection(rows: tuple[RunRow, ...]) -> Selection | None:
    figures = {run_id: _on_val(better).bootstrapped for run_id, _, _, better in GRID}
    return select(rows, figures, metric="map_50", confidence=RESAMPLING.confidence)


def _manifest(images: int = IMAGES) -> DatasetManifest:
    counts = {Split.TRAIN: 240, Split.VAL: 40, Split.TEST: images}
    return DatasetManifest(
        name="street",
        classes=CLASSES,
        images=tuple(
            ImageRecord(
                split=split,
                image=f"images/{split}/{number:03d}.jpg",
                image_sha256=f"{split}{number}",
                label=f"labels/{split}/{number:03d}.txt",
                label_sha256=f"{split}{number}",
                boxes=4,
                width_px=WIDTH_PX,
                height_px=HEIGHT_PX,
            )
            for split, count in counts.items()
            for number in range(count)
        ),
        dvc_hash="0123456789abcdef0123456789abcdef.dir",
        versioned=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
