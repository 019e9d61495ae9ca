"""Reading a project's stores from outside, with the libraries' own clients in a process of its own."""

import json
from typing import Any

from tests.e2e.project import Project

READ = """
import json, sys
from cv_yolo.container import Container
parts = Container()
from mlflow import MlflowClient
from zenml.client import Client
uri = parts.settings.tracking_uri
mlflow = MlflowClient(tracking_uri=uri, registry_uri=uri)
experiment = mlflow.get_experiment_by_name("cv_yolo_tiny")
runs = mlflow.search_runs([experiment.experiment_id]) if experiment else []
models = mlflow.search_registered_models()
from cv_yolo.pipelines import runtime
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.training.specs import TrainedModel
zenml = Client()
pipeline_runs = zenml.list_pipeline_runs(sort_by="desc:created", hydrate=True).items
def typed(run, step, output):
    found = run.steps.get(step)
    return type(found.outputs[output][0].load()).__module__ if found and found.status == "completed" else None
def files(run_id, folder=None):
    for each in mlflow.list_artifacts(run_id, folder):
        yield from files(run_id, each.path) if each.is_dir else [each.path]
def shown(step):
    return [str(v.type) for v in step.outputs["report"][0].visualizations] if step and step.outputs else []
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
}))
"""


def read_records(project: Project) -> dict[str, Any]:
    """What MLflow and ZenML hold."""
    script = project.root / ".cv-yolo" / "read_records.py"
    script.write_text(READ, encoding="utf-8")
    done = project.run_script(str(script))
    assert done.exit_code == 0, done.err
    found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return found
