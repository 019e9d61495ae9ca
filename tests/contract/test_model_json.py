"""`model.json` follows its schema, whether the records are fakes or MLflow's and an audit log on disk."""

import json
from pathlib import Path

import jsonschema
import pytest

from cv_yolo.adapters.files.audit_log import AuditFile
from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.files import sha256_of
from cv_yolo.ports.records import NewRun, Recorder
from cv_yolo.workflows.deliver import DeliveringTracker, TrackerState
from cv_yolo.workflows.detectors import Sources
from cv_yolo.workflows.get_model import find_model, write_model
from cv_yolo.workflows.register import Register, commit, registered
from cv_yolo.workflows.retry import RetryPolicy
from tests.builders import NOON, a_new_version, a_proposal
from tests.fakes import FakeExperimentTracker, FakeInspector, FakeModelRegistry, FakeOutbox, a_fake_register

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
SCHEMA = json.loads((REFERENCE / "model.schema.json").read_text("utf-8"))
PARAMS = {"epochs": "3", "image_size_px": "320", "device": "cpu", "threads": "1", "images_val": "10"}
TAGS = {"dataset": "demo", "dataset_revision": "r" * 64, "dvc_hash": "d.dir"}
TEST_EVALUATION = {
    "images": 40,
    "resampling": {"confidence": 0.95},
    "figures": {"map_50": {"value": 0.5, "interval": {"low": 0.3, "high": 0.7, "method": "bca"}}},
}
METRICS = {"final/map_50": 0.6, "interval/map_50/low": 0.4, "interval/map_50/high": 0.8, "final/map_large": 0.5}


@pytest.fixture(params=["fake", "mlflow"])
def sources(request: pytest.FixtureRequest, store: Path, tmp_path: Path) -> Sources:
    register, recorder = records(request, store, tmp_path)
    tracker = DeliveringTracker(
        recorder,
        FakeOutbox(),
        line=TrackerState(),
        retry=RetryPolicy(total_s=0, wait=lambda _: False),
        report=print,
        reader=recorder,
    )
    made = Sources(
        tracker=tracker,
        register=register,
        weights=tmp_path / "weights",
        inspector=FakeInspector(),
        workdir=tmp_path / "inspection",
    )
    train(made, tmp_path)
    return made


def records(request: pytest.FixtureRequest, store: Path, tmp_path: Path) -> tuple[Register, Recorder]:
    """The register and the tracker, each test with a model and an experiment of its own."""
    model = f"card_{abs(hash(request.node.name)) % 10**9}"
    if request.param == "fake":
        return a_fake_register(model), FakeExperimentTracker()
    uri = f"sqlite:///{store}/mlflow.db"
    recorder = MlflowTracker(uri=uri, experiment=model, artifacts=store / model)
    recorder.connect()
    tracking = MlflowRegistry(uri=uri, model=model)
    log = AuditFile(tmp_path / "audit.jsonl")
    register = Register(
        model=model, tracking=tracking, pipeline=FakeModelRegistry(model=model), log=log, anchor=tracking
    )
    return register, recorder


def train(sources: Sources, tmp_path: Path) -> None:
    """A finished run with weights, an evaluation and a version in staging."""
    tracker, weights, evaluation = sources.tracker, tmp_path / "best.pt", tmp_path / "evaluation.json"
    weights.write_bytes(b"weights")
    evaluation.write_text('{"resampling": {"confidence": 0.95}}', encoding="utf-8")
    run_id = tracker.start(NewRun(name="e3_s320", params=PARAMS, tags=TAGS))
    tracker.log_artifacts(run_id, [weights], "weights")
    tracker.log_artifacts(run_id, [evaluation], "evaluation/val")
    tracker.tag(run_id, {"weights_sha256": sha256_of(weights)})
    tracker.log_metrics(run_id, METRICS | {"final/confidence_threshold": 0.25})
    decided = tmp_path / "2025-03-04-decision-7.json"
    decided.write_text(json.dumps(TEST_EVALUATION), encoding="utf-8")
    tracker.log_artifacts(run_id, [decided], "decision")
    tracker.finish(run_id, RunStatus.FINISHED)
    version = registered(a_new_version(run_id=run_id, weights_sha256=sha256_of(weights)), sources.register)
    proposal = a_proposal(stage=Stage.STAGING, version=version.version, run_id=run_id)
    commit(proposal, sources.register, actor="anna@desk", now=NOON)


@pytest.mark.parametrize("name", ["staging", "1", "e3_s320"])
def test_what_is_written_follows_the_schema_and_says_what_was_recorded(
    sources: Sources, tmp_path: Path, name: str
) -> None:
    found = find_model(name, sources, experiment="demo")
    write_model(found, tmp_path / "out")
    card = json.loads((tmp_path / "out" / "model.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(card)
    assert (card["version"], card["stage"]["name"], card["stage"]["by"]) == ("1", "staging", "anna@desk")
    assert (card["confidence_threshold"], card["metrics"]["images"], card["metrics"]["interval_confidence"]) == (
        0.25,
        10,
        0.95,
    )
    assert card["metrics"]["values"] == {
        "map_50": {"value": 0.6, "low": 0.4, "high": 0.8},
        "map_large": {"value": 0.5, "low": None, "high": None},
    }
    assert card["test_metrics"]["values"] == {"map_50": {"value": 0.5, "low": 0.3, "high": 0.7}}
    assert (card["data"], card["decision"]["id"]) == (
        {"name": "demo", "revision": "r" * 64, "dvc_hash": "d.dir"},
        "decision-7",
    )
    assert card["files"] == [{"name": "model.pt", "sha256": sha256_of(tmp_path / "out" / "model.pt"), "bytes": 7}]


def test_a_run_that_is_not_registered_follows_the_schema_too(sources: Sources, tmp_path: Path) -> None:
    weights = tmp_path / "other.pt"
    weights.write_bytes(b"other weights")
    run_id = sources.tracker.start(NewRun(name="e5_s320", params=PARAMS, tags={}))
    sources.tracker.log_artifacts(run_id, [weights], "weights")
    sources.tracker.tag(run_id, {"weights_sha256": sha256_of(weights)})
    sources.tracker.finish(run_id, RunStatus.FINISHED)
    card = find_model("e5_s320", sources, experiment="demo").card.as_json()
    jsonschema.Draft202012Validator(SCHEMA).validate(card)
    assert (card["version"], card["stage"], card["decision"], card["metrics"]["values"]) == (None, None, None, {})


def test_the_schema_is_one_and_forbids_what_it_does_not_name() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["required"] == list(SCHEMA["properties"])


def test_the_reference_describes_every_key_in_the_words_of_the_schema() -> None:
    page = (REFERENCE / "model-json.md").read_text("utf-8")
    for name, value in SCHEMA["properties"].items():
        assert f"| `{name}` | {value['description']} |" in page
