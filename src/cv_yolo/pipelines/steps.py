"""ZenML's steps: each calls a workflow, without rules."""

from typing import Annotated

from zenml import ArtifactConfig, step
from zenml.enums import ArtifactType
from zenml.types import HTMLString

from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.policy import PromotionPolicy
from cv_yolo.domain.training.specs import TrainedModel, TrainingSpec
from cv_yolo.pipelines import context
from cv_yolo.pipelines.materializers import TrainedModelMaterializer
from cv_yolo.pipelines.plan import ExperimentPlan
from cv_yolo.workflows.check_policy import require_fit
from cv_yolo.workflows.evaluate import evaluate
from cv_yolo.workflows.prepare_dataset import prepare_dataset
from cv_yolo.workflows.train import train


@step(enable_cache=False)  # the files may have changed; the manifest's content decides what follows
def prepare_tiny_coco_dataset(dataset: str, policy: PromotionPolicy) -> Annotated[DatasetManifest, "dataset"]:
    """Fetch and check the data, make its manifest, and check that the policy and its model fit it."""
    source = context.dataset_source(dataset)
    manifest = prepare_dataset(source)
    require_fit(policy, manifest, root=source.root, folder=source.folder, report=source.report)
    return context.require_model_of(manifest, policy.model)


@step(output_materializers={"detector": TrainedModelMaterializer})
def train_yolo_tiny(
    manifest: DatasetManifest, dataset: str, experiment: str, spec: TrainingSpec
) -> Annotated[TrainedModel, ArtifactConfig(name="detector", artifact_type=ArtifactType.MODEL)]:
    """Train one detector in a child process, tracked by one run."""
    request, training = context.training_request(manifest, dataset, spec), context.training(dataset, experiment, spec)
    return context.link(train(request, training), experiment)


@step
def evaluate_yolo_tiny(
    model: TrainedModel,
    manifest: DatasetManifest,
    dataset: str,
    experiment: str,
    resampling: Resampling,
    evaluator_version: str,  # noqa: ARG001 - with another evaluator, what the cache holds is no evaluation
) -> Annotated[Evaluation, "evaluation"]:
    """Score the detector on the validation split and finish its tracked run."""
    examination = context.examination(model, dataset, experiment, resampling)
    return evaluate(model, manifest, context.renderer(), examination)


@step(enable_cache=False)
def decide_promotion(
    manifest: DatasetManifest,
    models: list[TrainedModel],
    evaluations: list[Evaluation],
    failed_runs: list[str],
    failures: dict[str, str],
    plan: ExperimentPlan,
) -> tuple[Annotated[Decision, "decision"], Annotated[HTMLString, "decision_report"]]:
    """Compare the runs as they were tracked, decide, promote, and write the decision down."""
    evidence = context.Evidence(
        manifest=manifest, models=models, evaluations=evaluations, failed_runs=failed_runs, failures=failures
    )
    decision, page = context.decide_and_write(evidence, plan)
    return decision, page  # ZenML takes two outputs from a tuple that it can see


@step(enable_cache=False)
def summarize_yolo_experiment(
    manifest: DatasetManifest,
    models: list[TrainedModel],
    evaluations: list[Evaluation],
    failed_runs: list[str],
    failures: dict[str, str],
    experiment: str,
) -> Annotated[HTMLString, "report"]:
    """One page about all runs, shown by ZenML's dashboard."""
    evidence = context.Evidence(
        manifest=manifest, models=models, evaluations=evaluations, failed_runs=failed_runs, failures=failures
    )
    return context.summary(evidence, experiment)
