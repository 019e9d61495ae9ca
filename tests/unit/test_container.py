"""The wiring: each part speaks its port, is made on first use, and finds the same folders."""

import os
import platform
import sys
from pathlib import Path

import numpy as np
import pytest

from cv_yolo.adapters.zenml.audit_log import ZenmlAuditLog
from cv_yolo.container import Container
from cv_yolo.container.records import Records
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.progress import Event, EventKind
from cv_yolo.settings import Settings
from cv_yolo.workflows.deliver import DeliveringTracker
from cv_yolo.workflows.run_lease import DRIVER_TAG
from tests.builders import an_entry
from tests.loopback import json_reply, loopback


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(Settings(root=tmp_path))


def test_parts_that_hold_state_are_made_once(container: Container) -> None:
    assert container.children is container.children
    assert container.datasets.folder is container.datasets.folder
    assert container.datasets.store is container.datasets.store
    assert container.pretrained_weights is container.pretrained_weights
    assert container.renderer is container.renderer
    assert container.prediction_file is container.prediction_file


def test_children_find_the_same_project_and_may_cache_their_bytecode(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    children = container.children._starter
    assert children._command[:4] == (sys.executable, "-m", "cv_yolo", "worker")
    assert children._environment["CV_YOLO_ROOT"] == str(container.settings.root)
    assert children._environment["CV_YOLO_HOME"] == str(container.home)
    assert children._environment["PYTHONPATH"].endswith(os.pathsep + "somewhere")
    assert "PYTHONDONTWRITEBYTECODE" not in children._environment
    assert container.settings.isolation().items() <= children._environment.items()


def test_waiting_threads_of_children_let_others_work_unless_the_user_wants_them_to_spin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert Container(Settings(root=tmp_path)).children._starter._environment["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert Container(Settings(root=tmp_path)).children._starter._environment["OMP_WAIT_POLICY"] == "ACTIVE"


def test_children_get_no_server_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("GITHUB_TOKEN", "HF_TOKEN", "PGPASSWORD", "MY_SECRET", "OPENAI_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS")
    for name in ("CV_YOLO_SERVER_URL", "CV_YOLO_SERVER_API_KEY", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", *keys):
        monkeypatch.setenv(name, "http://of-the-server.test")
    environment = Container(Settings(root=tmp_path)).children._starter._environment
    assert [name for name, value in environment.items() if value == "http://of-the-server.test"] == []


def test_the_painter_paints_the_requested_size(container: Container) -> None:
    pixels, boxes = container.datasets.paint(np.random.default_rng(0), size_px=96)
    assert pixels.shape == (96, 96, 3)
    assert boxes.shape[1] == 4


def test_the_journal_of_a_pipeline_run_is_in_its_folder(container: Container) -> None:
    container.journal("grid-1").write(Event(kind=EventKind.NOTE, text="hello"))
    assert (container.settings.runs / "grid-1" / "journal.jsonl").is_file()


def test_each_model_has_its_own_log_file_whatever_its_name(container: Container) -> None:
    for model, name in (("cv_yolo_tiny", "cv_yolo_tiny.jsonl"), ("../a b", "..%2Fa%20b.jsonl")):
        container.records.audit_log(model).append(an_entry())
        assert (container.settings.audit / name).is_file()
        assert container.records.audit_log(model).entries() == (an_entry(),)


def test_a_connected_machine_has_its_log_on_the_server_and_its_own_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Records, "limit_pipeline_client", lambda _: None)  # the server here is none of ZenML's
    with loopback(lambda _: json_reply({"version": "1"})) as url:
        container = Container(Settings(root=tmp_path, server_url=url, server_api_key="key"))
        log = container.records.audit_log("../a b")
    assert isinstance(log, ZenmlAuditLog)
    with log.locked():
        assert [path.name for path in container.settings.audit.iterdir()] == ["..%2Fa%20b.lock"]


def test_the_register_of_a_model_is_anchored_in_the_tracking_registry(container: Container) -> None:
    register = container.records.register("another")
    assert register.model == "another"
    assert register.anchor is register.tracking
    assert register.log.entries() == ()


def test_origin_and_code_version_are_those_of_the_project(container: Container) -> None:
    assert container.origin_tags()["git_commit"] == "unknown"
    assert container.code_version().startswith("training ")
    assert container.evaluator_version().startswith("evaluation ")


def test_the_actor_has_a_name_and_a_machine(container: Container) -> None:
    user, _, machine = container.actor().partition("@")
    assert user
    assert machine == platform.node()


def test_this_process_is_the_one_that_drives(container: Container) -> None:
    assert not container.driver_is_gone(container.origin_tags()[DRIVER_TAG])


def test_an_examination_uses_the_requested_folder_and_experiment(container: Container, tmp_path: Path) -> None:
    resampling = Resampling(resamples=200)
    made = container.examination(
        tmp_path / "data", workdir=tmp_path / "work", resampling=resampling, experiment="another"
    )
    assert (made.dataset_root, made.workdir, made.resampling) == (tmp_path / "data", tmp_path / "work", resampling)
    assert made.predictor is container.children
    assert made.predictions is container.prediction_file
    assert made.folder is container.datasets.folder
    assert isinstance(made.tracker, DeliveringTracker)
    assert made.tracker._recorder._experiment == "another"


def test_detectors_come_from_the_requested_model_and_experiment(container: Container) -> None:
    sources = container.sources("a model", "another")
    assert (sources.register.model, sources.tracker._recorder._experiment) == ("a model", "another")
    assert sources.weights == container.settings.weights


def test_fetching_a_data_set_reports_progress(container: Container, tmp_path: Path) -> None:
    reported: list[str] = []
    source = container.datasets.source(tmp_path / "data", reported.append)
    source.report("fetched")
    assert (source.root, reported) == (tmp_path / "data", ["fetched"])
    assert source.folder is container.datasets.folder
    assert source.store is container.datasets.store
