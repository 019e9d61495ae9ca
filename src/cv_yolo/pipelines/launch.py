"""Run the pipeline and return its decision."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter
from zenml.enums import ExecutionStatus
from zenml.integrations.registry import integration_registry
from zenml.models import PipelineRunResponse

from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.errors import CvYoloError, RunFailedError, ServiceUnavailableError, StoppedError
from cv_yolo.files import write_whole
from cv_yolo.pipelines import outages, runtime
from cv_yolo.pipelines.plan import ExperimentPlan
from cv_yolo.pipelines.training import yolo_training_pipeline
from cv_yolo.reports.text.checks import checks_json
from cv_yolo.reports.text.sentences import warnings_json
from cv_yolo.workflows.deliver import DeliveringTracker
from cv_yolo.workflows.report import decision_path
from cv_yolo.workflows.run_lease import beating, close_abandoned
from cv_yolo.workflows.time_limit import CLOSING_S

DRIVER_FILE: Final = "driver"
STOPPED_FILE: Final = "stopped"  # beside it: the person stopped the run, whether or not ZenML could record it
STOPPED: Final = "stopped by a signal"
UNUSED: Final = ("pytorch", "sklearn")  # no artifact of ours is theirs, and ZenML would import both, for seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOutcome:
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
            **warnings_json(self.decision),
            "decision": _decision_json(self.decision) if self.decision else None,
            "written": str(self.written) if self.written else None,
        }


def launch(plan: ExperimentPlan, run_name: str, *, leave: Callable[[CvYoloError], None]) -> PipelineOutcome:
    """Run the plan to its end, whatever earlier runs have left undone put in order before.

    `leave` exits this process with that error, from any thread: ZenML may wait forever for a store.
    Raises `StoppedError`, the pipeline run marked as stopped, when the person stops it, and `ServiceUnavailableError`
    where MLflow or the artifact store does not answer before anything is trained, or ZenML for too long.
    """
    outages.configure_clients()

    def give_up(error: ServiceUnavailableError) -> None:
        _record_failure(plan, run_name, error)
        leave(error)

    with outages.watching_store(give_up), outages.answering(), runtime.step_logs():
        outages.require_store()
        _put_in_order(plan)
        failure = _run(plan, run_name)
        run = runtime.find(run_name)
        if failure is None and (run is None or run.status != ExecutionStatus.COMPLETED):
            failure = RunFailedError(f"the pipeline run {run_name} ended as {run.status if run else 'unknown'}")
        decision = None if run is None else _decision(run)
    return PipelineOutcome(run_name=run_name, decision=decision, failure=failure, written=_page(decision))


def _put_in_order(plan: ExperimentPlan) -> None:
    """Deliver what waits, and end what is recorded as running though its process is gone."""
    container = runtime.container()
    tracker = container.records.tracker(plan.experiment)
    tracker.connect()
    for driver in container.settings.runs.glob(f"*/{DRIVER_FILE}"):
        if container.driver_is_gone(driver.read_text(encoding="utf-8")):
            stopped = driver.with_name(STOPPED_FILE).exists()
            runtime.end(driver.parent.name, ExecutionStatus.STOPPED if stopped else ExecutionStatus.FAILED)
            driver.unlink()
    for abandoned in close_abandoned(tracker, is_gone=container.driver_is_gone, now=container.records.now()):
        runtime.end(abandoned.tags[runtime.PIPELINE_RUN_TAG], ExecutionStatus.FAILED)


def _run(plan: ExperimentPlan, run_name: str) -> CvYoloError | None:
    """Run the plan, and return what made it fail; while it runs, a file says which process drives it."""
    container = runtime.container()
    driver = runtime.run_folder(run_name) / DRIVER_FILE
    write_whole(driver, container.driver_mark())
    failure: CvYoloError | None = None
    for name in UNUSED:
        integration_registry.integrations.pop(name, None)
    tracker = container.records.tracker(plan.experiment)
    try:
        with beating(lambda: tracker.beat(container.records.now())):
            yolo_training_pipeline.with_options(run_name=run_name)(plan=plan, run_name=run_name)
    except (KeyboardInterrupt, StoppedError):
        raise _stopped(run_name, driver, tracker) from None
    except CvYoloError as error:
        if container.stop.is_set():
            raise _stopped(run_name, driver, tracker) from error
        failure = error
    finally:
        waiting = tracker.deliver_waiting()
        if waiting:
            container.report(
                f"the tracker does not answer: {waiting} entries are kept, and delivered by the next command"
            )
    driver.unlink()
    return failure


def _stopped(run_name: str, driver: Path, tracker: DeliveringTracker) -> StoppedError:
    """Record that the run was stopped, as far as servers answer within the time that a stop leaves; the rest waits."""
    write_whole(driver.with_name(STOPPED_FILE), STOPPED)
    tracker.end_open_runs(RunStatus.STOPPED, STOPPED)
    if runtime.end_if_possible(run_name, ExecutionStatus.STOPPED):
        driver.unlink()
    return StoppedError(f"{run_name}: stopped", hint="run the same command again: finished runs are not trained again")


def _record_failure(plan: ExperimentPlan, run_name: str, failure: CvYoloError) -> None:
    """Record that the run failed, as far as servers answer within the closing time; the next command does the rest."""
    driver = runtime.run_folder(run_name) / DRIVER_FILE

    def record() -> None:
        runtime.container().records.tracker(plan.experiment).end_open_runs(RunStatus.FAILED, failure.message)
        if runtime.end_if_possible(run_name, ExecutionStatus.FAILED):
            driver.unlink(missing_ok=True)

    recording = threading.Thread(target=record, name="closing", daemon=True)
    recording.start()
    recording.join(CLOSING_S)


def _decision_json(decision: Decision) -> dict[str, Any]:
    return {
        **TypeAdapter(Decision).dump_python(decision, mode="json"),
        "checks": checks_json(decision.checks),
    }


def _decision(run: PipelineRunResponse) -> Decision | None:
    step = run.steps.get("decide_promotion")
    if step is None or step.status != ExecutionStatus.COMPLETED:
        return None
    decision = step.outputs["decision"][0].load()
    if not isinstance(decision, Decision):
        raise RunFailedError(f"{run.name}: the decision came back as {type(decision).__name__}")
    return decision


def _page(decision: Decision | None) -> Path | None:
    return None if decision is None else decision_path(decision, runtime.container().settings.decisions)
