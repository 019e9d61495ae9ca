"""What MLflow's pages show of our runs: kind of experiment, user, source, data, model; and what was deleted."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cv_yolo.adapters.mlflow import conventions
from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.training.runs import DatasetInput, RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.errors import NotFoundError, RunFailedError, ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from tests.builders import a_new_version

VAL = DatasetInput(name="demo/val", digest="r" * 64, context="validation", source="data/demo", profile={"images": 8})
RUN = NewRun(
    name="e3_s320",
    params={"epochs": "3"},
    tags={"git_commit": "c" * 40, "git_dirty": "false"},
    user="anna",
    source="cv-yolo grid",
    note="a **note**",
    inputs=(VAL,),
)


@pytest.fixture
def uri(store: Path) -> str:
    return f"sqlite:///{store}/mlflow.db"


@pytest.fixture
def client(uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def tracker(uri: str, store: Path, name: str) -> MlflowTracker:
    return MlflowTracker(uri=uri, experiment=name, artifacts=store / name)


def log_model(tracker: MlflowTracker, run_id: str) -> None:
    tracker.log_model(
        run_id, "e3_s320", model_type="object detector", params={"epochs": "3"}, tags={"weights_sha256": "a" * 64}
    )


def models(client: MlflowClient, name: str) -> list:
    return list(client.search_logged_models([client.get_experiment_by_name(name).experiment_id]))


def test_a_new_experiment_is_one_of_trainings(tracker: MlflowTracker, client: MlflowClient, name: str) -> None:
    tracker.connect()
    tags = client.get_experiment_by_name(name).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert tags["mlflow.note.content"]


@pytest.mark.parametrize("guess", ["", "no_inferred_type", "genai_development_inferred"])
def test_an_experiment_of_an_earlier_version_becomes_one_of_trainings(
    tracker: MlflowTracker, client: MlflowClient, name: str, guess: str
) -> None:
    made = client.create_experiment(name, tags={"mlflow.experimentKind": guess} if guess else {})
    tracker.connect()
    assert client.get_experiment(made).tags["mlflow.experimentKind"] == "custom_model_development"


def test_a_kind_that_a_person_chose_stays(tracker: MlflowTracker, client: MlflowClient, name: str) -> None:
    made = client.create_experiment(name, tags={"mlflow.experimentKind": "genai_development"})
    tracker.connect()
    assert client.get_experiment(made).tags["mlflow.experimentKind"] == "genai_development"


def test_the_page_of_an_experiment_opens_on_its_trainings(
    tracker: MlflowTracker, client: MlflowClient, name: str
) -> None:
    page = tracker.page()
    id = client.get_experiment_by_name(name).experiment_id
    assert page == f"/#/experiments/{id}/runs?workflowType=machine_learning"
    assert tracker.run_page("r") == f"/#/experiments/{id}/runs/r?workflowType=machine_learning"


def test_a_run_page_needs_no_server(tracker: MlflowTracker) -> None:
    assert tracker.run_page("r") == "/#/runs/r"


def test_an_experiment_that_was_found_is_not_requested_again(uri: str, name: str, monkeypatch) -> None:
    ids: dict[str, str] = {}
    MlflowTracker(uri=uri, experiment=name, ids=ids).connect()

    def asked(self: MlflowClient, name: str) -> None:
        raise AssertionError("asked for again")

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", asked)
    assert MlflowTracker(uri=uri, experiment=name, ids=ids).runs() == ()


def test_user_source_commit_and_description_are_where_mlflow_looks_for_them(
    tracker: MlflowTracker, client: MlflowClient
) -> None:
    run = client.get_run(tracker.start(RUN))
    assert run.info.user_id == "anna"
    assert {key: value for key, value in run.data.tags.items() if key.startswith("mlflow.")} == {
        "mlflow.runName": "e3_s320",
        "mlflow.user": "anna",
        "mlflow.source.name": "cv-yolo grid",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": "c" * 40,
        "mlflow.source.git.dirty": "false",
        "mlflow.note.content": "a **note**",
    }


def test_unknown_values_have_no_tag(tracker: MlflowTracker, client: MlflowClient) -> None:
    run = client.get_run(
        tracker.start(NewRun(name="x", params={}, tags={"git_commit": "unknown", "git_dirty": "unknown"}))
    )
    assert [key for key in run.data.tags if key.startswith("mlflow.")] == ["mlflow.runName"]


def test_the_data_of_a_run_are_dataset_inputs(tracker: MlflowTracker, client: MlflowClient) -> None:
    (found,) = client.get_run(tracker.start(RUN)).inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest, found.dataset.source_type) == ("demo/val", "r" * 36, "local")
    assert (found.dataset.source, found.dataset.profile) == ('{"uri": "data/demo"}', '{"images": 8}')
    assert [(tag.key, tag.value) for tag in found.tags] == [("mlflow.data.context", "validation")]


def test_inputs_that_another_program_logged_are_read(tracker: MlflowTracker, client: MlflowClient, name: str) -> None:
    from mlflow.entities import Dataset, DatasetInput

    tracker.connect()
    made = client.create_run(client.get_experiment_by_name(name).experiment_id)
    datasets = [
        Dataset(name="a", digest="1", source_type="code", source="not json", profile="[1]"),
        Dataset(name="b", digest="2", source_type="code", source="{}"),
    ]
    client.log_inputs(made.info.run_id, [DatasetInput(dataset=each, tags=[]) for each in datasets])
    read = tracker.get(made.info.run_id).inputs
    assert sorted((each.name, each.context, each.source) for each in read) == [("a", "", ""), ("b", "", "")]


def test_the_model_of_a_run_is_logged_once_ready_and_linked(
    tracker: MlflowTracker, client: MlflowClient, name: str
) -> None:
    run_id = tracker.start(RUN)
    for _ in range(3):
        log_model(tracker, run_id)
    (model,) = models(client, name)
    assert (model.name, model.source_run_id, str(model.status)) == ("e3_s320", run_id, "READY")
    assert (model.model_type, model.params) == ("object detector", {"epochs": "3"})
    assert model.tags["weights_sha256"] == "a" * 64
    assert (model.tags["mlflow.user"], model.tags["mlflow.source.name"]) == ("anna", "cv-yolo grid")
    assert [each.model_id for each in client.get_run(run_id).outputs.model_outputs] == [model.model_id]
    assert [each.path for each in client.list_logged_model_artifacts(model.model_id)] == ["weights.json"]


@pytest.mark.parametrize("step", ["log_model_artifacts", "finalize_logged_model", "log_outputs"])
def test_a_model_whose_logging_was_cut_short_is_completed_and_not_made_twice(
    tracker: MlflowTracker, client: MlflowClient, name: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(self: MlflowClient, *_: object, **__: object) -> None:
        raise MlflowException("the server went away")

    run_id = tracker.start(RUN)
    with monkeypatch.context() as broken:
        broken.setattr(MlflowClient, step, fail)
        with pytest.raises(ServiceUnavailableError):
            log_model(tracker, run_id)
    log_model(tracker, run_id)
    (model,) = models(client, name)
    assert str(model.status) == "READY"
    assert [each.model_id for each in client.get_run(run_id).outputs.model_outputs] == [model.model_id]


def test_figures_on_data_belong_to_the_model_and_to_the_data(
    tracker: MlflowTracker, client: MlflowClient, name: str
) -> None:
    run_id = tracker.start(RUN)
    log_model(tracker, run_id)
    tracker.log_metrics(run_id, {"final/map_50": 0.5}, data=VAL)
    tracker.log_metrics(run_id, {"duration_s": 4.0})
    (model,) = models(client, name)
    found = [(each.key, each.value, each.dataset_name, each.dataset_digest) for each in model.metrics]
    assert found == [("final/map_50", 0.5, "demo/val", "r" * 36)]
    assert tracker.get(run_id).metrics == {"final/map_50": 0.5, "duration_s": 4.0}


def test_figures_of_a_run_whose_model_was_never_logged_are_kept_with_the_run(tracker: MlflowTracker) -> None:
    run_id = tracker.start(RUN)
    tracker.log_metrics(run_id, {"final/map_50": 0.5}, data=VAL)
    assert tracker.get(run_id).metrics == {"final/map_50": 0.5}


def test_the_page_of_a_model_names_the_version_that_was_registered_of_it(
    tracker: MlflowTracker, client: MlflowClient, uri: str, name: str
) -> None:
    run_id = tracker.start(RUN)
    log_model(tracker, run_id)
    registry = MlflowRegistry(uri=uri, model=name)
    version = registry.register(a_new_version(run_id=run_id))
    conventions.link_version(client, client.get_run(run_id), name, version.version)  # once more changes nothing
    (model,) = models(client, name)
    assert model.tags["mlflow.modelVersions"] == f'[{{"name": "{name}", "version": "1"}}]'


def test_a_run_without_a_model_can_be_registered(tracker: MlflowTracker, uri: str, name: str) -> None:
    run_id = tracker.start(RUN)
    assert MlflowRegistry(uri=uri, model=name).register(a_new_version(run_id=run_id)).version == "1"


def test_a_deleted_experiment_is_found_before_anything_is_trained_and_the_command_restores_it(
    tracker: MlflowTracker, client: MlflowClient, uri: str, store: Path, name: str
) -> None:
    tracker.start(RUN)
    id = client.get_experiment_by_name(name).experiment_id
    client.delete_experiment(id)
    again = MlflowTracker(uri=uri, experiment=name, artifacts=store / name)
    for attempt in (again.connect, again.runs, again.page, lambda: again.start(RUN)):
        with pytest.raises(NotFoundError, match=f"experiment {name} was deleted") as raised:
            attempt()
        assert raised.value.exit_code == 2
    hint = str(raised.value.hint)
    assert f"`MLFLOW_TRACKING_URI={uri} mlflow experiments restore --experiment-id {id}`" in hint
    assert "`experiment:`" in hint
    restore = hint.split("`")[1].split(" ")[1:]
    done = subprocess.run(
        [sys.executable, "-m", *restore],
        env={"PATH": "", "MLFLOW_TRACKING_URI": uri},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [run.name for run in again.runs()] == ["e3_s320"]


def test_an_experiment_deleted_while_its_run_trains_is_named(
    tracker: MlflowTracker, client: MlflowClient, name: str
) -> None:
    run_id = tracker.start(RUN)
    id = client.get_experiment_by_name(name).experiment_id
    client.delete_experiment(id)
    with pytest.raises(RunFailedError, match=f"run {run_id} was deleted"):
        tracker.log_epoch(run_id, EpochMetrics(epoch=1, values={"x": 1.0}))
    with pytest.raises(RunFailedError, match=f"experiment {id} was deleted") as raised:
        tracker.start(RUN)
    assert f"mlflow experiments restore --experiment-id {id}" in str(raised.value.hint)


def test_a_run_deleted_while_it_trains_is_named_with_the_command_that_restores_it(
    tracker: MlflowTracker, client: MlflowClient
) -> None:
    run_id = tracker.start(RUN)
    client.delete_run(run_id)
    for attempt in (
        lambda: tracker.log_epoch(run_id, EpochMetrics(epoch=1, values={"x": 1.0})),
        lambda: tracker.tag(run_id, {"a": "b"}),
        lambda: log_model(tracker, run_id),
        lambda: tracker.finish(run_id, RunStatus.FINISHED),
    ):
        with pytest.raises(RunFailedError, match=f"run {run_id} was deleted") as raised:
            attempt()
        assert f"mlflow runs restore --run-id {run_id}" in str(raised.value.hint)


def test_an_experiment_that_was_renamed_is_another_one(
    tracker: MlflowTracker, client: MlflowClient, uri: str, store: Path, name: str
) -> None:
    run_id = tracker.start(RUN)
    client.rename_experiment(client.get_experiment_by_name(name).experiment_id, f"{name} renamed")
    tracker.finish(run_id, RunStatus.FINISHED)  # what has begun goes on
    assert MlflowTracker(uri=uri, experiment=name, artifacts=store / name).runs() == ()
    (run,) = MlflowTracker(uri=uri, experiment=f"{name} renamed").runs()
    assert (run.run_id, run.status) == (run_id, RunStatus.FINISHED)


def test_files_whose_place_is_gone_are_not_found_and_new_ones_are_kept(
    tracker: MlflowTracker, store: Path, name: str, tmp_path: Path
) -> None:
    (tmp_path / "best.pt").write_bytes(b"weights")
    run_id = tracker.start(RUN)
    tracker.log_artifacts(run_id, [tmp_path / "best.pt"], "weights")
    shutil.rmtree(store / name)
    assert tracker.artifacts(run_id, "weights") == ()
    with pytest.raises(NotFoundError):
        tracker.artifact(run_id, "weights/best.pt")
    tracker.log_artifacts(run_id, [tmp_path / "best.pt"], "weights")
    assert tracker.artifact(run_id, "weights/best.pt") == b"weights"


def test_runs_that_start_at_the_same_time_record_the_same_data(
    tracker: MlflowTracker, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that insert a data set at once, MLflow refuses one."""
    log_inputs, refusals = tracker._client.log_inputs, ["(sqlite3.IntegrityError) UNIQUE constraint failed", None]

    def log_once_more(*arguments: object) -> None:
        if reason := refusals.pop(0):
            raise MlflowException(reason)
        log_inputs(*arguments)

    monkeypatch.setattr(tracker._client, "log_inputs", log_once_more)
    run_id = tracker.start(RUN)
    assert [each.dataset.name for each in client.get_run(run_id).inputs.dataset_inputs] == [VAL.name]
    assert refusals == []


def test_other_refusals_of_data_fail_the_run(tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MlflowException("no such column")

    monkeypatch.setattr(tracker._client, "log_inputs", refuse)
    with pytest.raises(ServiceUnavailableError, match="no such column"):
        tracker.start(RUN)
