"""Reading a project's stores from outside, with the libraries' own clients in a process of its own.

The process stays until another project is read: to import the libraries takes it ten seconds, to read again two.
"""

import atexit
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.e2e.project import TIMEOUT_S, Project

READ = """
import json, sys
answers, sys.stdout = sys.stdout, sys.stderr
from cv_yolo.container import Container
parts = Container()
from mlflow import MlflowClient
from zenml.client import Client
uri = parts.settings.tracking_uri
mlflow = MlflowClient(tracking_uri=uri, registry_uri=uri)
from cv_yolo.pipelines import runtime
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.training.specs import TrainedModel
zenml = Client()
def typed(run, step, output):
    found = run.steps.get(step)
    return type(found.outputs[output][0].load()).__module__ if found and found.status == "completed" else None
def files(run_id, folder=None):
    for each in mlflow.list_artifacts(run_id, folder):
        yield from files(run_id, each.path) if each.is_dir else [each.path]
def shown(step):
    return [str(v.type) for v in step.outputs["report"][0].visualizations] if step and step.outputs else []
for _ in sys.stdin:
    experiment = mlflow.get_experiment_by_name("cv_yolo_tiny")
    runs = mlflow.search_runs([experiment.experiment_id]) if experiment else []
    models = mlflow.search_registered_models()
    pipeline_runs = zenml.list_pipeline_runs(sort_by="desc:created", hydrate=True).items
    print(json.dumps({
        "runs": [{
            "id": run.info.run_id, "name": run.info.run_name, "status": run.info.status, "tags": run.data.tags,
            "params": run.data.params, "metrics": run.data.metrics,
            "steps": {name: [m.step for m in mlflow.get_metric_history(run.info.run_id, name)]
                      for name in run.data.metrics},
            "files": list(files(run.info.run_id)),
        } for run in runs],
        "aliases": {model.name: dict(model.aliases) for model in models},
        "versions": [[v.version, v.run_id] for v in mlflow.search_model_versions("name = 'cv_yolo_tiny'")],
        "pipelines": [{
            "name": run.name, "pipeline": run.pipeline.name, "status": str(run.status),
            "steps": {name: str(step.status) for name, step in run.steps.items()},
            "decision_type": typed(run, "decide_promotion", "decision"),
            "visualisations": shown(run.steps.get("summarize_yolo_experiment")),
        } for run in pipeline_runs],
        "stages": {v.name: v.stage for v in zenml.list_model_versions(hydrate=True).items},
    }), file=answers, flush=True)
"""


class Reader:
    """A process that reads the stores of one project as often as it is asked."""

    def __init__(self, project: Project) -> None:
        self._log = project.root.with_suffix(".records.log")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", READ],
                cwd=project.root,
                env=project.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def read(self) -> dict[str, Any]:
        """What MLflow and ZenML hold now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("read\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has exited, as its empty answer shows
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(answer)
        return found

    def end(self) -> None:
        """End it, as the end of its questions does."""
        try:
            self._process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


_readers: dict[Path, Reader] = {}


def read_records(project: Project) -> dict[str, Any]:
    """What MLflow and ZenML hold."""
    if project.root not in _readers:
        end_reading()
        _readers[project.root] = Reader(project)
    return _readers[project.root].read()


@atexit.register
def end_reading() -> None:
    """Leave no process behind."""
    while _readers:
        _readers.popitem()[1].end()
