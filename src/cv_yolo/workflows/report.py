"""Gather what a written decision shows, and keep it: in the project, and with the run that was chosen."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cv_yolo.domain.evaluation.annotated_images import AnnotatedImage, annotate_images
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.errors import CvYoloError
from cv_yolo.files import write_whole
from cv_yolo.ports.datasets import ImageRenderer, Thumbnail
from cv_yolo.ports.records import ExperimentTracker
from cv_yolo.reports.pages.decision import decision_html
from cv_yolo.reports.text.decision import decision_markdown
from cv_yolo.reports.view_models import MOST_IMAGES, DecisionReport, RunReport
from cv_yolo.workflows.decide import DecisionContext, DecisionResult
from cv_yolo.workflows.evaluate import DECISION_FOLDER, SAMPLES_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a decision comes from: commit and machine as tags, and ZenML's pipeline run (None: by hand)."""

    tags: Mapping[str, str]
    pipeline_run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvidence:
    """The tracked runs that were compared, their evaluations on val, and why others failed."""

    run_ids: Sequence[str]
    evaluations: Mapping[str, Evaluation]
    failures: dict[str, str]


def decision_path(decision: Decision, folder: Path) -> Path:
    """The page of a decision."""
    return folder / f"{decision.made_at:%Y-%m-%d}-{decision.id}.html"


def report_decision(
    result: DecisionResult,
    version: ModelVersion | None,
    context: DecisionContext,
    *,
    renderer: ImageRenderer,
    origin: Origin,
    evidence: RunEvidence,
) -> DecisionReport:
    """Everything that a reader needs to follow a decision."""
    decision, tracker = result.decision, context.examination.tracker
    annotated = _candidate_images(result)
    return DecisionReport(
        decision=decision,
        version=version,
        manifest=context.manifest,
        runs=run_reports(evidence.run_ids, evidence.evaluations, tracker, samples_of=decision.chosen),
        failures=evidence.failures,
        pipeline_run=origin.pipeline_run or "",
        git_commit=origin.tags["git_commit"],
        git_dirty=origin.tags["git_dirty"] != "false",
        comparison=result.comparison,
        annotated=annotated,
        thumbnails=_thumbnails(result, annotated, context, renderer),
    )


def write_decision(report: DecisionReport, folder: Path, tracker: ExperimentTracker) -> str:
    """Keep the written decision and its HTML twin in the folder and with the chosen run; returns the HTML."""
    page, html = decision_path(report.decision, folder), decision_html(report)
    pages = {page.with_suffix(".md"): decision_markdown(report), page: html}
    try:
        for path, text in pages.items():
            write_whole(path, text)
    except OSError as error:
        raise CvYoloError(
            f"decision {report.decision.id} is on record, but its page cannot be written: {error}",
            hint="`cv-yolo history` shows the decision; make room, or let the folder be written to",
        ) from error
    if report.decision.chosen is not None:
        tracker.log_artifacts(report.decision.chosen, pages, DECISION_FOLDER)
    return html


def keep_evaluation(decision: Decision, workdir: Path, tracker: ExperimentTracker) -> None:
    """Keep what the chosen run scored on the test images with the run, by the decision's id."""
    if decision.chosen is None or decision.evaluation is None:
        return
    file = decision_path(decision, workdir).with_suffix(".json")
    write_whole(file, json.dumps(asdict(decision.evaluation), indent=1))
    tracker.log_artifacts(decision.chosen, [file], DECISION_FOLDER)


def run_reports(
    run_ids: Sequence[str],
    evaluations: Mapping[str, Evaluation],
    tracker: ExperimentTracker,
    *,
    samples_of: str | None,
) -> tuple[RunReport, ...]:
    """Each run as it was tracked, with its curves; and one with its sheet of samples."""
    return tuple(
        _run_report(run_id, evaluations.get(run_id), tracker, with_samples=run_id == samples_of) for run_id in run_ids
    )


def _run_report(
    run_id: str, evaluation: Evaluation | None, tracker: ExperimentTracker, *, with_samples: bool
) -> RunReport:
    run = tracker.get(run_id)
    curves = [name for name in run.metrics if name.startswith(("train/", "val/", "lr/"))]
    return RunReport(
        run=run,
        history={name: tracker.history(run_id, name) for name in sorted(curves)},
        evaluation=evaluation,
        samples_jpeg=tracker.artifact(run_id, f"evaluation/{SAMPLES_NAME}") if with_samples else None,
    )


def _candidate_images(result: DecisionResult) -> tuple[AnnotatedImage, ...]:
    """Where there is no champion to compare with: what the candidate makes of the test images, worst first."""
    candidate = result.candidate
    if candidate is None or result.comparison is not None:
        return ()
    threshold = candidate.evaluation.confidence_threshold
    return worst_first(annotate_images(candidate.matched.table, confidence_threshold=threshold))


def worst_first(annotated: Sequence[AnnotatedImage]) -> tuple[AnnotatedImage, ...]:
    """The images with the most errors first."""
    return tuple(sorted(annotated, key=lambda each: (-each.errors, each.image)))


def _thumbnails(
    result: DecisionResult, annotated: Sequence[AnnotatedImage], context: DecisionContext, renderer: ImageRenderer
) -> dict[str, Thumbnail]:
    shown = [each.image for each in annotated[:MOST_IMAGES]]
    if result.comparison is not None:
        for changes in (result.comparison.broken, result.comparison.fixed):
            shown += [change.image for change in changes[:MOST_IMAGES]]
    return renderer.thumbnails(context.examination.dataset_root, dict.fromkeys(shown))
