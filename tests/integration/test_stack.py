"""`stack` and `connect` on the real servers: registered once, left alone the second time, used by another machine."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.settings import Settings
from tests.servers import RunningStack, cv_yolo

SERVED = {
    "bucket zenml-artifacts",
    "secret minio_zenml_secret",
    "experiment tracker mlflow_tracker",
    "stack mlflow_stack",
}


@pytest.fixture(scope="module")
def home(local_stack: RunningStack) -> Path:
    """The folder of the project in which the servers run, registered."""
    root = local_stack.settings.root
    first = json.loads(cv_yolo(root, "stack", "register", "--json").stdout)
    assert {change["subject"] for change in first["changes"]} >= SERVED
    assert first["server"] == local_stack.addresses.pipelines.url
    return root


@pytest.fixture
def another_machine(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "another"
    root.mkdir()
    yield root
    cv_yolo(root, "connect", "--embedded")
    assert not Settings(root=root).connection_file.exists()


def test_registered_once_more_nothing_is_changed(home: Path) -> None:
    again = json.loads(cv_yolo(home, "stack", "register", "--json").stdout)
    assert {change["deed"] for change in again["changes"]} == {"unchanged"}
    reported = cv_yolo(home, "stack", "register")
    assert "= stack mlflow_stack: unchanged" in reported.stdout


def test_the_stack_is_shown_without_its_secrets(home: Path, local_stack: RunningStack) -> None:
    shown = cv_yolo(home, "stack", "show").stdout + cv_yolo(home, "stack", "show", "--json").stdout
    addresses = local_stack.addresses
    assert addresses.tracking.uri in shown
    assert addresses.objects.endpoint_url is not None
    assert addresses.objects.endpoint_url in shown
    for secret in (addresses.objects.secret_key, addresses.tracking.password, addresses.pipelines.password):
        assert secret
        assert secret not in shown


def test_another_machine_connects_with_a_key_and_no_browser(
    home: Path, another_machine: Path, local_stack: RunningStack
) -> None:
    url = local_stack.addresses.pipelines.url
    key = cv_yolo(home, "stack", "key", "another").stdout.strip()
    reported = cv_yolo(another_machine, "connect", f"{url}/", CV_YOLO_SERVER_API_KEY=key)
    assert f"Connected to {url}: runs go to {local_stack.addresses.tracking.uri}" in reported.stdout
    assert key not in reported.stdout + reported.stderr
    kept = Settings(root=another_machine).connection_file
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(cv_yolo(another_machine, "runs", "--json").stdout or "[]") is not None
    assert json.loads(cv_yolo(another_machine, "stack", "show", "--json").stdout)["mlflow_user"] == "cv-yolo"


def test_a_recreated_key_revokes_the_former_one(home: Path, another_machine: Path, local_stack: RunningStack) -> None:
    url = local_stack.addresses.pipelines.url
    former = cv_yolo(home, "stack", "key", "lost-laptop").stdout.strip()
    cv_yolo(another_machine, "connect", url, CV_YOLO_SERVER_API_KEY=former)
    cv_yolo(home, "stack", "key", "lost-laptop")
    reported = cv_yolo(another_machine, "runs", code=3)
    assert "401" in reported.stderr
    assert "hint:" in reported.stderr
    assert "Traceback" not in reported.stderr


def test_a_wrong_key_is_refused_and_not_kept(another_machine: Path, local_stack: RunningStack) -> None:
    reported = cv_yolo(
        another_machine, "connect", local_stack.addresses.pipelines.url, code=3, CV_YOLO_SERVER_API_KEY="ZENKEY_wrong"
    )
    assert "wrong" in reported.stderr
    assert "ZENKEY_wrong" not in reported.stderr
    assert not Settings(root=another_machine).connection_file.exists()


def test_a_missing_stack_is_reported_before_anything_runs(
    home: Path, another_machine: Path, local_stack: RunningStack
) -> None:
    key = cv_yolo(home, "stack", "key", "curious").stdout.strip()
    variables = {"CV_YOLO_SERVER_URL": local_stack.addresses.pipelines.url, "CV_YOLO_SERVER_API_KEY": key}
    reported = cv_yolo(another_machine, "runs", code=2, CV_YOLO_STACK="nobodys", **variables)
    assert "has no stack 'nobodys'" in reported.stderr
    assert cv_yolo(another_machine, "runs", **variables).returncode == 0


def test_external_servers_are_registered_by_address_and_environment(
    another_machine: Path, local_stack: RunningStack
) -> None:
    addresses = local_stack.addresses
    variables = {
        "CV_YOLO_ZENML_USER": addresses.pipelines.user,
        "CV_YOLO_ZENML_PASSWORD": addresses.pipelines.password,
        "CV_YOLO_MLFLOW_USER": addresses.tracking.user,
        "CV_YOLO_MLFLOW_PASSWORD": addresses.tracking.password,
        "CV_YOLO_S3_ACCESS_KEY": addresses.objects.access_key,
        "CV_YOLO_S3_SECRET_KEY": addresses.objects.secret_key,
    }
    options = ("--zenml-url", addresses.pipelines.url, "--mlflow-url", addresses.tracking.uri)
    reported = cv_yolo(
        another_machine,
        *("stack", "register", *options, "--s3-endpoint", str(addresses.objects.endpoint_url)),
        **{name: value or "" for name, value in variables.items()},
    )
    assert "+ API key of the service account cv-yolo: made" in reported.stdout
    assert Settings(root=another_machine).connection_file.exists()
