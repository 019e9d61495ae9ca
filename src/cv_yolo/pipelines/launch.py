"""Run the pipeline and bring back what it decided."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from zenml.enums import ExecutionStatus
from zenml.models import PipelineRunResponse

from cv_yolo.domain.promotion import Decision
from cv_yolo.errors import CvYoloError, RunFailedError, StoppedError
from cv_yolo.pipelines import runtime
from cv_yolo.pipelines.plan import ExperimentPlan
from cv_yolo.pipelines.training import yolo_training_pipeline
from cv_yolo.workflows.close_abandoned import close_abandoned
from cv_yolo.workflows.report import decision_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a pipeline run ended with; `decision` is None where it failed before it could decide.

    `failure` is what made the run fail, `written` the decision's page.
    """

    run_name: str
    decision: Decision | None
    failure: CvYoloError | None
    written: Path | None

    def as_json(self) -> dict[str, Any]:
        """The outcome for machines."""
        return {
            "pipeline_run": self.run_name,
            "status": "failed" if self.failure else "completed",
            "failure": self.failure.message if self.failure else None,
            "verdict": self.decision.verdict if self.decision else None,
            "promoted": self.decision is not None and self.decision.promotes,
            "provisional": self.decision is not None and self.decision.provisional,
            "decision": TypeAdapter(Decision).dump_python(self.decision, mode="json") if self.decision else None,
            "written": str(self.written) if self.written else None,
        }


def new_run_name(kind: str, now: datetime) -> str:
    """A name for a pipeline run that sorts by time: `grid-20261123-094500-1a2b`."""
    return f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def launch(plan: ExperimentPlan, run_name: str) -> Outcome:
    """Run the plan to its end; raises `StoppedError`, the pipeline run marked as stopped, when the person stops it."""
    failure: CvYoloError | None = None
    tracker = runtime.parts().tracker(plan.experiment)
    tracker.connect()
    for abandoned in close_abandoned(tracker, is_gone=runtime.parts().driver_is_gone):
        runtime.end(abandoned.tags[runtime.PIPELINE_RUN_TAG], ExecutionStatus.FAILED)
    try:
        yolo_training_pipeline.with_options(run_name=run_name)(plan=plan, run_name=run_name)
    except (KeyboardInterrupt, StoppedError):
        raise StoppedError(
            f"{run_name}: stopped", hint="the same command goes on: finished runs are not trained again"
        ) from None
    except CvYoloError as error:
        failure = error
    run = runtime.find(run_name)
    if failure is None and (run is None or run.status != ExecutionStatus.COMPLETED):
        failure = RunFailedError(f"the pipeline run {run_name} ended as {run.status if run else 'unknown'}")
    decision = None if run is None else _decision(run)
    return Outcome(run_name=run_name, decision=decision, failure=failure, written=_page(decision))


def _decision(run: PipelineRunResponse) -> Decision | None:
    step = run.steps.get("decide_promotion")
    if step is None or step.status != ExecutionStatus.COMPLETED:
        return None
    decision = step.outputs["decision"][0].load()
    if not isinstance(decision, Decision):
        raise RunFailedError(f"{run.name}: the decision came back as {type(decision).__name__}")
    return decision


def _page(decision: Decision | None) -> Path | None:
    return None if decision is None else decision_path(decision, runtime.parts().settings.decisions)
