"""Before a pipeline run, what earlier ones have left undone is put in order; behind it, nothing is left running."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from zenml.enums import ExecutionStatus

from cv_yolo.container import Container
from cv_yolo.domain.training.lease import heartbeat, last_seen, reason_of
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.errors import ServiceUnavailableError, StoppedError
from cv_yolo.pipelines import launch, runtime
from cv_yolo.pipelines.plan import ExperimentPlan
from cv_yolo.pipelines.training import Cells
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.run_lease import DRIVER_TAG, beating
from tests.builders import a_policy, a_spec
from tests.e2e.project import wait_for

GONE = "2147483000 0"  # no process has that number


@pytest.fixture
def container(zenml_container: Container) -> Iterator[Container]:
    with runtime.using(zenml_container):
        yield zenml_container


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> ExperimentPlan:
    return ExperimentPlan(
        dataset="data/demo",
        experiment=request.node.name,
        specs=(a_spec(),),
        policy=a_policy(),
        parallel_runs=1,
        evaluator_version="1",
    )


def gone_mark(container: Container) -> str:
    return f"{container.driver_mark().split(' ')[0]} {GONE}"


def a_started_run(container: Container, plan: ExperimentPlan, **tags: str) -> str:
    return container.records.tracker(plan.experiment).start(NewRun(name="e3_s320", params={}, tags=tags))


def test_events_of_a_killed_process_are_delivered_before_its_run_is_closed(
    container: Container, plan: ExperimentPlan
) -> None:
    marks = {DRIVER_TAG: gone_mark(container), runtime.PIPELINE_RUN_TAG: "grid-of-a-killed-process"}
    ended, cut_off = a_started_run(container, plan, **marks), a_started_run(container, plan, **marks)
    tracker = container.records.tracker(plan.experiment)
    held_up = container.records.tracker(plan.experiment)
    held_up._line.breaker.failed(
        ServiceUnavailableError("silent")
    )  # the killed process had no answer: what it wrote is in the outbox
    held_up.log_epoch(ended, EpochMetrics(epoch=1, values={"val/map_50": 0.5}))
    held_up.finish(ended, RunStatus.FINISHED)
    held_up.log_epoch(cut_off, EpochMetrics(epoch=1, values={"val/map_50": 0.4}))
    container.records._tracking_line.breaker.answered()
    launch._put_in_order(plan)
    assert (tracker.get(ended).status, tracker.get(ended).metrics) == (RunStatus.FINISHED, {"val/map_50": 0.5})
    assert (tracker.get(cut_off).status, tracker.get(cut_off).metrics) == (RunStatus.FAILED, {"val/map_50": 0.4})
    assert "abandoned" in str(tracker.get(cut_off).reason)


def test_pipeline_runs_of_exited_processes_are_closed_and_others_left_alone(
    container: Container, plan: ExperimentPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, str]] = []
    monkeypatch.setattr(runtime, "end", lambda name, status: ended.append((name, status.value)))
    marks = {"killed": gone_mark(container), "alive": container.driver_mark(), "elsewhere": f"another-machine {GONE}"}
    files = {name: runtime.run_folder(name) / launch.DRIVER_FILE for name in marks}
    for name, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(marks[name], encoding="utf-8")
    launch._put_in_order(plan)
    assert ended == [("killed", "failed")]
    assert {name for name, file in files.items() if file.exists()} == {"alive", "elsewhere"}


def test_a_training_whose_model_could_not_be_kept_leaves_a_failed_run(
    container: Container, plan: ExperimentPlan
) -> None:
    run_id = a_started_run(container, plan, **{runtime.PIPELINE_RUN_TAG: "grid-1"})
    other = a_started_run(container, plan, **{runtime.PIPELINE_RUN_TAG: "grid-2"})
    reason = "ServiceUnavailableError: the artifact store does not keep or give s3://zenml-artifacts/x"
    cells = Cells(plan=plan, manifest=None, run_name="grid-1", failures={"e3_s320": reason})
    assert cells._failed_runs() == [run_id]
    run = container.records.tracker(plan.experiment).get(run_id)
    assert (run.status, run.reason) == (RunStatus.FAILED, reason)
    assert container.records.tracker(plan.experiment).get(other).status is RunStatus.RUNNING


def test_a_run_that_was_started_twice_is_not_left_running(container: Container, plan: ExperimentPlan) -> None:
    tags = {runtime.PIPELINE_RUN_TAG: "grid-1"}
    lost, evaluated = a_started_run(container, plan, **tags), a_started_run(container, plan, **tags)
    tracker = container.records.tracker(plan.experiment)
    tracker.finish(evaluated, RunStatus.FINISHED)
    assert Cells(plan=plan, manifest=None, run_name="grid-1")._failed_runs() == []
    assert (tracker.get(lost).status, tracker.get(evaluated).status) == (RunStatus.FAILED, RunStatus.FINISHED)
    assert "answer was lost" in str(tracker.get(lost).reason)


def test_a_failed_run_keeps_its_reason(container: Container, plan: ExperimentPlan) -> None:
    run_id = a_started_run(container, plan, **{runtime.PIPELINE_RUN_TAG: "grid-1"})
    container.records.tracker(plan.experiment).finish(run_id, RunStatus.FAILED, "out of memory")
    cells = Cells(plan=plan, manifest=None, run_name="grid-1", failures={"e3_s320": "StepFailed"})
    assert cells._failed_runs() == [run_id]
    assert container.records.tracker(plan.experiment).get(run_id).reason == "out of memory"


class Stopped:
    """A pipeline that has started a run when it is stopped, by an error of that kind."""

    def __init__(self, container: Container, plan: ExperimentPlan, error: BaseException) -> None:
        self.container, self.plan, self.error, self.run_id = container, plan, error, ""

    def with_options(self, **_: str) -> "Stopped":
        return self

    def __call__(self, **_: object) -> None:
        self.run_id = a_started_run(self.container, self.plan, **{runtime.PIPELINE_RUN_TAG: "grid-stopped"})
        self.container.stop.set()
        raise self.error


@pytest.mark.parametrize("zenml_answers", [True, False])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), StoppedError("stopped"), ServiceUnavailableError("ZenML: the work was stopped")]
)
def test_a_stop_closes_the_open_runs_and_the_next_command_updates_zenml(
    container: Container,
    plan: ExperimentPlan,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    zenml_answers: bool,
) -> None:
    ended: list[tuple[str, str]] = []

    def end(name: str, status: ExecutionStatus) -> None:
        if not zenml_answers and container.stop.is_set():
            raise ServiceUnavailableError("ZenML does not answer")
        ended.append((name, status.value))

    pipeline = Stopped(container, plan, error)
    monkeypatch.setattr(launch, "yolo_training_pipeline", pipeline)
    monkeypatch.setattr(runtime, "end", end)
    monkeypatch.setattr(container, "report", lambda text: None)
    driver = runtime.run_folder("grid-stopped") / launch.DRIVER_FILE
    with pytest.raises(StoppedError, match="grid-stopped: stopped") as raised:
        launch._run(plan, "grid-stopped")
    assert "run the same command again" in str(raised.value.hint)
    run = container.records.tracker(plan.experiment).get(pipeline.run_id)
    assert (run.status, run.reason) == (RunStatus.STOPPED, launch.STOPPED)
    assert driver.exists() is not zenml_answers
    if driver.exists():
        container.stop.clear()
        driver.write_text(gone_mark(container), encoding="utf-8")
        launch._put_in_order(plan)
    assert ended == [("grid-stopped", "stopped")]


def test_a_run_of_another_machine_whose_driver_is_lost_is_closed_with_its_pipeline_run(
    container: Container, plan: ExperimentPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, str]] = []
    monkeypatch.setattr(runtime, "end", lambda name, status: ended.append((name, status.value)))
    seen = datetime.now(UTC) - timedelta(hours=1)
    tags = {DRIVER_TAG: "ci-runner-7 1 1700000000", runtime.PIPELINE_RUN_TAG: "grid-in-ci"}
    lost = a_started_run(container, plan, **tags, **heartbeat(seen))
    alive = a_started_run(container, plan, **tags, **heartbeat(datetime.now(UTC)))
    launch._put_in_order(plan)
    tracker = container.records.tracker(plan.experiment)
    assert (tracker.get(lost).status, tracker.get(lost).reason) == (RunStatus.FAILED, reason_of(seen))
    assert tracker.get(alive).status is RunStatus.RUNNING
    assert ended == [("grid-in-ci", "failed")]


def test_while_the_pipeline_runs_its_driver_is_seen(
    container: Container, plan: ExperimentPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waiting(Stopped):
        def __call__(self, **_: object) -> None:
            self.run_id = a_started_run(self.container, self.plan)
            tracker = self.container.records.tracker(self.plan.experiment)
            wait_for(lambda: last_seen(tracker.get(self.run_id)), what="a heartbeat")
            tracker.finish(self.run_id, RunStatus.FINISHED)

    monkeypatch.setattr(launch, "yolo_training_pipeline", Waiting(container, plan, KeyboardInterrupt()))
    monkeypatch.setattr(launch, "beating", partial(beating, every_s=0.05))
    assert launch._run(plan, "grid-seen") is None


@pytest.mark.parametrize("zenml", ["answers", "is down", "hangs"])
def test_a_run_that_is_given_up_is_recorded_as_failed_as_far_as_servers_answer(
    container: Container, plan: ExperimentPlan, monkeypatch: pytest.MonkeyPatch, zenml: str
) -> None:
    ended, back = [], threading.Event()

    def end(name: str, status: ExecutionStatus) -> None:
        if zenml == "is down":
            raise ServiceUnavailableError("ZenML does not answer")
        if zenml == "hangs":
            back.wait(30)
        ended.append((name, status.value))

    monkeypatch.setattr(runtime, "end", end)
    monkeypatch.setattr(launch, "CLOSING_S", 0.5)
    monkeypatch.setattr(container, "report", lambda text: None)
    driver = runtime.run_folder("grid-given-up") / launch.DRIVER_FILE
    driver.parent.mkdir(parents=True, exist_ok=True)
    driver.write_text(container.driver_mark(), encoding="utf-8")
    run_id = a_started_run(container, plan, **{runtime.PIPELINE_RUN_TAG: "grid-given-up"})
    launch._record_failure(plan, "grid-given-up", ServiceUnavailableError("the object store does not answer"))
    run = container.records.tracker(plan.experiment).get(run_id)
    assert (run.status, run.reason) == (RunStatus.FAILED, "the object store does not answer")
    assert ended == ([("grid-given-up", "failed")] if zenml == "answers" else [])
    assert driver.exists() is (zenml != "answers"), "the next command records it"
    back.set()


def test_a_run_whose_store_stays_unresponsive_exits_with_the_error_after_recording_what_it_can(
    container: Container, plan: ExperimentPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    error = ServiceUnavailableError("the object store does not answer")

    @contextmanager
    def silent(give_up: Callable[[ServiceUnavailableError], None]) -> Iterator[None]:
        give_up(error)
        yield

    monkeypatch.setattr(launch.outages, "configure_clients", lambda: None)
    monkeypatch.setattr(launch.outages, "watching_store", silent)
    monkeypatch.setattr(launch, "_record_failure", lambda plan, name, failure: reported.append(f"{name}: {failure}"))
    monkeypatch.setattr(launch, "_put_in_order", lambda plan: None)
    monkeypatch.setattr(launch, "_run", lambda plan, name: error)
    monkeypatch.setattr(runtime, "find", lambda name: None)
    outcome = launch.launch(plan, "grid-silent", leave=lambda failure: reported.append(f"left: {failure}"))
    assert reported == ["grid-silent: the object store does not answer", "left: the object store does not answer"]
    assert outcome.failure is error
