"""What the steps pass to the workflows: the container's ports, and the folders of their pipeline run."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from zenml import log_metadata
from zenml.metadata.metadata_types import Uri
from zenml.types import HTMLString

from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.lease import heartbeat
from cv_yolo.domain.training.progress import Event, EventKind
from cv_yolo.domain.training.specs import EpochMetrics, TrainedModel, TrainingRequest, TrainingSpec
from cv_yolo.pipelines import runtime
from cv_yolo.pipelines.plan import ExperimentPlan
from cv_yolo.ports.datasets import ImageRenderer
from cv_yolo.reports.pages.summary import summary_html
from cv_yolo.workflows import model_classes as models
from cv_yolo.workflows.decide import DecisionContext
from cv_yolo.workflows.evaluate import Examination
from cv_yolo.workflows.judged_data import in_folder
from cv_yolo.workflows.prepare_dataset import DatasetSource
from cv_yolo.workflows.promote import GridCandidates, promote
from cv_yolo.workflows.report import Origin, RunEvidence, run_reports
from cv_yolo.workflows.train import DATASET_PATH_TAG, Training

PIPELINE_RUN_PAGE_TAG: Final = "zenml_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The results of a pipeline run: its models with their evaluations, and what failed.

    `failed_runs` are tracked runs that ended without proof; `failures` the reason for each failed cell.
    """

    manifest: DatasetManifest
    models: list[TrainedModel]
    evaluations: list[Evaluation]
    failed_runs: list[str]
    failures: dict[str, str]


def dataset_source(dataset: str) -> DatasetSource:
    """The data set at that path, and where it can be fetched from; its progress goes to the journal."""
    container = runtime.container()
    return container.datasets.source(container.settings.root / dataset, container.report)


def require_model_of(manifest: DatasetManifest, registered_model: str) -> DatasetManifest:
    """The manifest, if the registered model is one of its classes: before anything is trained for it."""
    models.require_model_of(manifest, runtime.container().sources(registered_model))
    return manifest


def training_request(manifest: DatasetManifest, dataset: str, spec: TrainingSpec) -> TrainingRequest:
    """The training of one cell, in its own work folder."""
    root = runtime.container().settings.root
    return TrainingRequest(
        spec=spec,
        manifest=manifest,
        dataset_root=root / dataset,
        weights=root / spec.weights,
        workdir=_cell_folder(spec) / "training",
    )


def training(dataset: str, experiment: str, spec: TrainingSpec) -> Training:
    """The ports that a training needs; its epochs go to the journal too."""
    container, run = runtime.container(), runtime.pipeline_run()
    journal = container.journal(run)

    def on_start() -> None:
        journal.write(Event(kind=EventKind.TRAINING, run=spec.name, epochs=spec.epochs))

    def on_epoch(epoch: EpochMetrics) -> None:
        score = epoch.values.get("val/map_50")
        text = "" if score is None else f"val mAP50 {score:.3f}"
        journal.write(Event(kind=EventKind.EPOCH, run=spec.name, epoch=epoch.epoch, epochs=spec.epochs, text=text))

    page = runtime.pipeline_run_page()
    tags = (
        container.origin_tags()
        | {runtime.PIPELINE_RUN_TAG: run, DATASET_PATH_TAG: dataset}
        | heartbeat(container.records.now())
    )
    tags |= {} if page is None else {PIPELINE_RUN_PAGE_TAG: page}
    return Training(
        trainer=container.children,
        tracker=container.records.tracker(experiment),
        finished=container.records.finished_trainings,
        experiment=experiment,
        tags=tags,
        user=container.actor().partition("@")[0],
        source=f"cv-yolo {run.partition('-')[0]}",
        system_metrics=container.system_meter().read,
        on_start=on_start,
        on_epoch=on_epoch,
        report=container.report,
    )


def link(model: TrainedModel, experiment: str) -> TrainedModel:
    """Link ZenML's record of the step to the tracked run."""
    page = runtime.container().records.run_page(model.run_id, experiment)
    log_metadata({"mlflow_run": model.run_id if page is None else Uri(page)})
    return model


def examination(model: TrainedModel, dataset: str, experiment: str, resampling: Resampling) -> Examination:
    """The ports that an evaluation needs."""
    container, spec = runtime.container(), model.spec
    container.journal(runtime.pipeline_run()).write(
        Event(kind=EventKind.EVALUATING, run=spec.name, epoch=spec.epochs, epochs=spec.epochs)
    )
    return container.examination(
        container.settings.root / dataset,
        workdir=_cell_folder(spec) / "evaluation",
        resampling=resampling,
        experiment=experiment,
    )


def renderer() -> ImageRenderer:
    """Makes the pictures."""
    return runtime.container().renderer


def decide_and_write(evidence: Evidence, plan: ExperimentPlan) -> tuple[Decision, HTMLString]:
    """Decide over the tracked runs, carry the decision out, and keep it as Markdown and HTML."""
    container = runtime.container()
    container.report("comparing the runs, and judging the chosen one on the test images")
    done = promote(
        GridCandidates(
            models=evidence.models,
            evidence=RunEvidence(
                run_ids=_run_ids(evidence), evaluations=_evaluations(evidence), failures=evidence.failures
            ),
        ),
        _decision_context(evidence, plan),
        actor=container.actor(),
        origin=Origin(tags=container.origin_tags(), pipeline_run=runtime.pipeline_run()),
        renderer=container.renderer,
        folder=container.settings.decisions,
    )
    return done.decision, HTMLString(done.html)


def summary(evidence: Evidence, experiment: str) -> HTMLString:
    """The experiment's summary page."""
    tracker = runtime.container().records.tracker(experiment)
    runs = run_reports(_run_ids(evidence), _evaluations(evidence), tracker, samples_of=None)
    return HTMLString(summary_html(runs, evidence.manifest, evidence.failures))


def _decision_context(evidence: Evidence, plan: ExperimentPlan) -> DecisionContext:
    container, policy = runtime.container(), plan.policy
    root = container.settings.root / plan.dataset
    return DecisionContext(
        policy=policy,
        stage=Stage.STAGING,
        manifest=evidence.manifest,
        examination=container.examination(
            root,
            workdir=runtime.run_folder(runtime.pipeline_run()) / "decision",
            resampling=policy.resampling,
            experiment=plan.experiment,
        ),
        sources=container.sources(policy.model, plan.experiment),
        id=runtime.pipeline_run_id()[:8],
        now=datetime.now(UTC),
        accepted=plan.accept_inconclusive,
        data_policy=container.datasets.policy(),
        is_this_dataset=in_folder(root, project=container.settings.root),
    )


def _run_ids(evidence: Evidence) -> list[str]:
    return [model.run_id for model in evidence.models] + evidence.failed_runs


def _evaluations(evidence: Evidence) -> dict[str, Evaluation]:
    return dict(zip([model.run_id for model in evidence.models], evidence.evaluations, strict=True))


def _cell_folder(spec: TrainingSpec) -> Path:
    return runtime.run_folder(runtime.pipeline_run()) / spec.name
