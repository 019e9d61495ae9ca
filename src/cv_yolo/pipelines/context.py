"""What the steps hand to the workflows: the wired parts, and folders of the pipeline run they belong to."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from zenml.types import HTMLString

from cv_yolo.domain.dataset import DatasetManifest
from cv_yolo.domain.evaluation import Evaluation
from cv_yolo.domain.progress import Event, EventKind
from cv_yolo.domain.promotion import Decision, PromotionPolicy
from cv_yolo.domain.training import EpochMetrics, TrainedModel, TrainingRequest, TrainingSpec
from cv_yolo.files import write_whole
from cv_yolo.pipelines import runtime
from cv_yolo.ports import ExperimentTracker
from cv_yolo.reports.content import DecisionReport, RunReport
from cv_yolo.reports.decision_html import decision_html
from cv_yolo.reports.decision_markdown import decision_markdown
from cv_yolo.reports.summary import summary_html
from cv_yolo.workflows.decide import Registries, carry_out, compare, make_decision
from cv_yolo.workflows.evaluate import SAMPLES_NAME, Examination
from cv_yolo.workflows.prepare_dataset import DatasetSource
from cv_yolo.workflows.train import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a pipeline run has to show: its models with their evaluations, and what failed.

    `failed_runs` are tracked runs that ended without proof; `failures` the reason for each failed cell.
    """

    manifest: DatasetManifest
    models: list[TrainedModel]
    evaluations: list[Evaluation]
    failed_runs: list[str]
    failures: dict[str, str]


def dataset_source(dataset: str) -> DatasetSource:
    """The data set of that path, with who can bring it there."""
    parts = runtime.parts()
    journal = parts.journal(runtime.pipeline_run())

    def report(text: str) -> None:
        journal.write(Event(kind=EventKind.NOTE, text=text))

    return DatasetSource(
        root=parts.settings.root / dataset, folder=parts.dataset_folder, store=parts.dataset_store, report=report
    )


def training_request(manifest: DatasetManifest, dataset: str, spec: TrainingSpec) -> TrainingRequest:
    """The training of one cell, in a work folder of its own."""
    root = runtime.parts().settings.root
    return TrainingRequest(
        spec=spec,
        manifest=manifest,
        dataset_root=root / dataset,
        weights=root / spec.weights,
        workdir=_cell_folder(spec) / "training",
    )


def training(experiment: str, spec: TrainingSpec) -> Training:
    """What a training needs of the world; its epochs go to the journal too."""
    parts, run = runtime.parts(), runtime.pipeline_run()
    journal = parts.journal(run)
    journal.write(Event(kind=EventKind.TRAINING, run=spec.name, epochs=spec.epochs))

    def on_epoch(epoch: EpochMetrics) -> None:
        score = epoch.values.get("val/map_50")
        text = "" if score is None else f"val mAP50 {score:.3f}"
        journal.write(Event(kind=EventKind.EPOCH, run=spec.name, epoch=epoch.epoch, epochs=spec.epochs, text=text))

    tags = parts.origin_tags() | {runtime.PIPELINE_RUN_TAG: run}
    return Training(trainer=parts.children, tracker=parts.tracker(experiment), tags=tags, on_epoch=on_epoch)


def examination(model: TrainedModel, dataset: str, experiment: str) -> Examination:
    """What an evaluation needs of the world."""
    parts, spec = runtime.parts(), model.spec
    parts.journal(runtime.pipeline_run()).write(
        Event(kind=EventKind.EVALUATING, run=spec.name, epoch=spec.epochs, epochs=spec.epochs)
    )
    return Examination(
        predictor=parts.children,
        folder=parts.dataset_folder,
        gallery=parts.gallery,
        tracker=parts.tracker(experiment),
        dataset_root=parts.settings.root / dataset,
        workdir=_cell_folder(spec) / "evaluation",
    )


def decide_and_write(evidence: Evidence, experiment: str, policy: PromotionPolicy) -> tuple[Decision, HTMLString]:
    """Decide over the tracked runs, carry the decision out, and keep it as Markdown and HTML."""
    parts, now = runtime.parts(), datetime.now(UTC)
    tracker = parts.tracker(experiment)
    registries = Registries(
        tracking=parts.tracking_registry(policy.model), pipeline=parts.pipeline_registry(policy.model)
    )
    decision = make_decision(
        compare(_run_ids(evidence), tracker),
        policy=policy,
        registry=registries.tracking,
        tracker=tracker,
        id=runtime.pipeline_run_id()[:8],
        now=now,
    )
    chosen = next((model for model in evidence.models if model.run_id == decision.chosen), None)
    version = None if chosen is None else carry_out(decision, chosen.weights, chosen.weights_sha256, registries)
    origin = parts.origin_tags()
    report = DecisionReport(
        decision=decision,
        version=version,
        manifest=evidence.manifest,
        runs=_run_reports(evidence, tracker, samples_of=decision.chosen),
        failures=evidence.failures,
        pipeline_run=runtime.pipeline_run(),
        git_commit=origin["git_commit"],
        git_dirty=origin["git_dirty"] != "false",
    )
    return decision, HTMLString(_write(report, tracker))


def summary(evidence: Evidence, experiment: str) -> HTMLString:
    """The experiment's summary page."""
    runs = _run_reports(evidence, runtime.parts().tracker(experiment), samples_of=None)
    return HTMLString(summary_html(runs, evidence.manifest, evidence.failures))


def _write(report: DecisionReport, tracker: ExperimentTracker) -> str:
    """Keep the written decision and its HTML twin in the project and with the chosen run; returns the HTML."""
    decision = report.decision
    stem = runtime.parts().settings.decisions / f"{decision.made_at:%Y-%m-%d}-{decision.id}"
    html = decision_html(report)
    pages = {stem.with_suffix(".md"): decision_markdown(report), stem.with_suffix(".html"): html}
    for path, text in pages.items():
        write_whole(path, text)
    if decision.chosen is not None:
        tracker.log_artifacts(decision.chosen, pages, "decision")
    return html


def _run_ids(evidence: Evidence) -> list[str]:
    return [model.run_id for model in evidence.models] + evidence.failed_runs


def _run_reports(evidence: Evidence, tracker: ExperimentTracker, *, samples_of: str | None) -> tuple[RunReport, ...]:
    evaluations = dict(zip([model.run_id for model in evidence.models], evidence.evaluations, strict=True))
    return tuple(
        _run_report(run_id, evaluations.get(run_id), tracker, with_samples=run_id == samples_of)
        for run_id in _run_ids(evidence)
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


def _cell_folder(spec: TrainingSpec) -> Path:
    return runtime.run_folder(runtime.pipeline_run()) / spec.name
