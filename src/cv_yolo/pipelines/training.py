"""`yolo_training_pipeline`: one dynamic pipeline run for one training or for a whole grid."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from zenml import pipeline
from zenml.enums import ExecutionStatus

from cv_yolo.domain.training.progress import Event, EventKind
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import TrainingSpec
from cv_yolo.errors import RunFailedError, StoppedError, one_line
from cv_yolo.pipelines import runtime
from cv_yolo.pipelines.plan import ExperimentPlan
from cv_yolo.pipelines.steps import (
    decide_promotion,
    evaluate_yolo_tiny,
    prepare_tiny_coco_dataset,
    summarize_yolo_experiment,
    train_yolo_tiny,
)

POLL_S: Final = 0.2
GOES_ON: Final = "fix it and run the same command again: finished trainings are not repeated"
STARTED_TWICE: Final = "started, but the tracker's answer was lost: the cell was tracked by another run"
STEPS: Final = [
    prepare_tiny_coco_dataset,
    train_yolo_tiny,
    evaluate_yolo_tiny,
    decide_promotion,
    summarize_yolo_experiment,
]


@pipeline(dynamic=True, execution_mode="continue_on_failure", depends_on=STEPS)
def yolo_training_pipeline(plan: ExperimentPlan, run_name: str) -> None:
    """Prepare the data, train and evaluate a cell for each spec, compare, decide, summarise.

    A failed cell does not end the others: the comparison names it, and the pipeline run fails at its end.
    """
    manifest = prepare_tiny_coco_dataset(dataset=plan.dataset, policy=plan.policy)
    cells = Cells(plan=plan, manifest=manifest, run_name=run_name)
    try:
        cells.run()
    except (KeyboardInterrupt, StoppedError):
        runtime.end_if_possible(run_name, ExecutionStatus.STOPPED)  # before ZenML would record it as failed
        raise
    evidence = cells.evidence()
    decide_promotion(**evidence, plan=plan)
    summarize_yolo_experiment(**evidence, experiment=plan.experiment)
    if cells.failures:
        raise RunFailedError("; ".join(f"{name}: {reason}" for name, reason in cells.failures.items()), hint=GOES_ON)


@dataclass(slots=True, kw_only=True)
class Cells:
    """The cells of a grid on their way: waiting, training, evaluating, done or failed."""

    plan: ExperimentPlan
    manifest: Any
    run_name: str
    models: dict[str, Any] = field(default_factory=dict)
    evaluations: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def run(self) -> None:
        """Work through all cells, `parallel_runs` at a time; raises `StoppedError` when the user stops."""
        waiting = deque(self.plan.specs)
        active: dict[str, tuple[TrainingSpec, Any]] = {}
        self._note(
            *[
                Event(kind=EventKind.PLANNED, run=spec.name, epochs=spec.epochs, cost=spec.cost)
                for spec in self.plan.specs
            ]
        )
        while waiting or active:
            while waiting and len(active) < self.plan.parallel_runs:
                spec = waiting.popleft()
                future = train_yolo_tiny.submit(
                    manifest=self.manifest,
                    dataset=self.plan.dataset,
                    experiment=self.plan.experiment,
                    spec=spec,
                    id=f"train_yolo_tiny_{spec.name}",
                )
                active[spec.name] = (spec, future)
            for name, (spec, future) in list(active.items()):
                if not future.running():
                    del active[name]
                    following = self._after(spec, future)
                    active |= {} if following is None else {name: (spec, following)}
            time.sleep(POLL_S)

    def evidence(self) -> dict[str, Any]:
        """The input of the comparison; a model without an evaluation counts as failed."""
        done = [name for name in self.models if name in self.evaluations]
        return {
            "manifest": self.manifest,
            "models": [self.models[name] for name in done],
            "evaluations": [self.evaluations[name] for name in done],
            "failed_runs": self._failed_runs(),
            "failures": self.failures,
        }

    def _evaluate(self, spec: TrainingSpec, model: Any) -> Any:
        plan = self.plan
        return evaluate_yolo_tiny.submit(
            model=model,
            manifest=self.manifest,
            dataset=plan.dataset,
            experiment=plan.experiment,
            resampling=plan.policy.resampling,
            evaluator_version=plan.evaluator_version,
            id=f"evaluate_yolo_tiny_{spec.name}",
        )

    def _after(self, spec: TrainingSpec, future: Any) -> Any | None:
        """Take a finished future's outcome; returns the future that follows it, if any."""
        try:
            future.wait()
        except StoppedError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a step raised: the others continue, the comparison names it
            self.failures[spec.name] = one_line(error)
            self._note(Event(kind=EventKind.FAILED, run=spec.name, epochs=spec.epochs, text=one_line(error)))
            # ZenML would ask a hung store for minutes, at each of its requests.
            runtime.container().retry.require_time()
            return None
        if spec.name not in self.models:
            self.models[spec.name] = future
            return self._evaluate(spec, future)
        self.evaluations[spec.name] = future
        self._note(self._finished(spec))
        return None

    def _finished(self, spec: TrainingSpec) -> Event:
        events = runtime.container().journal(self.run_name).events()
        trained = any(event.kind is EventKind.TRAINING and event.run == spec.name for event in events)
        text = "" if trained else "reused: the same data, code and settings as before"
        return Event(kind=EventKind.FINISHED, run=spec.name, epoch=spec.epochs, epochs=spec.epochs, text=text)

    def _failed_runs(self) -> list[str]:
        """Tracked runs of failed cells: those this pipeline run started, and those whose evaluation failed.

        No cell is running any more, so no run is: one that is still open is of a model that could not be stored, or was
        started twice because the tracker's answer was lost.
        """
        tracker = runtime.container().records.tracker(self.plan.experiment)
        unevaluated = [self.models[name].load().run_id for name in self.models if name in self.failures]
        started = [run for run in tracker.runs() if run.tags.get(runtime.PIPELINE_RUN_TAG) == self.run_name]
        for run in started:
            if run.status is RunStatus.RUNNING:
                tracker.finish(run.run_id, RunStatus.FAILED, self.failures.get(run.name, STARTED_TWICE))
        return sorted(set(unevaluated) | {run.run_id for run in started if run.name in self.failures})

    def _note(self, *events: Event) -> None:
        journal = runtime.container().journal(self.run_name)
        for event in events:
            journal.write(event)
