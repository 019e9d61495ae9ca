"""Trying MLflow: a sound server, and each way in which one goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.clients import installed
from cv_yolo_stack.adapters.mlflow import MlflowProbe, MlflowServer
from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.workflows.doctor.examine import examine
from cv_yolo_stack.workflows.doctor.tracking import tracking_checkup
from tests.canned_servers import PASSWORD, USER, CannedMlflow
from tests.loopback import Asked, Reply, json_reply, loopback

FOLLOW = "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"


@contextmanager
def probe_of(server: Any, *, password: str | None = PASSWORD, user: str | None = USER) -> Iterator[MlflowProbe]:
    with loopback(server) as at:
        address = TrackingAddress(uri=at, user=user, password=password)
        yield MlflowProbe(address, partial(MlflowServer, timeout_s=2), timeout_s=2)


def failures(server: Any, **changes: Any) -> dict[str, CheckResult]:
    with probe_of(server, **changes) as probe:
        return {each.name: each for each in examine([tracking_checkup(probe)]) if each.passed is False}


def test_a_sound_server_passes_and_keeps_nothing_of_what_was_tried() -> None:
    server = CannedMlflow(version=installed("mlflow"))
    assert failures(server) == {}
    (run,) = server.runs.values()
    assert (run["status"], run["tags"], server.artifacts) == ("FINISHED", {}, {})
    before = deepcopy((server.experiment, server.runs))
    assert failures(server) == {}
    assert (server.experiment, server.runs, server.artifacts) == (*before, {})


def test_a_server_without_authentication() -> None:
    found = failures(CannedMlflow(lets_anybody_in=True))
    assert set(found) == {"no credentials", "wrong credentials"}
    assert "/api/2.0/mlflow/experiments/search: 200" in found["no credentials"].found
    assert "--app-name basic-auth" in str(found["no credentials"].remedy)


def test_a_server_that_takes_any_password() -> None:
    found = failures(CannedMlflow(takes_any_password=True))
    assert {name: each.found for name, each in found.items()} == {"wrong credentials": "wrong password: 200"}


def test_a_server_that_refuses_its_own_host_name() -> None:
    found = failures(CannedMlflow(refuses_host=True))
    assert list(found) == ["host name"]
    assert found["host name"].found.startswith("the server refuses the host name 127.0.0.1:")
    assert "--allowed-hosts" in str(found["host name"].remedy)


def test_a_server_whose_clock_is_off() -> None:
    found = failures(CannedMlflow(ahead=timedelta(minutes=-20)))
    assert {name: each.found for name, each in found.items()} == {"clock": "20 min behind ours"}


def test_a_server_that_does_not_know_us() -> None:
    found = failures(CannedMlflow(), password="another")
    assert list(found) == ["our credentials"]
    assert "401" in found["our credentials"].found
    assert "another" not in repr(found)


def test_without_a_login_a_server_without_users_still_fails_the_access_check() -> None:
    found = failures(CannedMlflow(lets_anybody_in=True), user=None, password=None)
    assert set(found) == {"no credentials", "wrong credentials"}


def test_a_server_that_sends_clients_to_a_store_they_cannot_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLLOW, raising=False)
    server = CannedMlflow(sends_away=True, detour="http://minio.invalid:9000")
    found = failures(server)["presigned download"]
    assert found.found == (
        "redirected to http://minio.invalid:9000: the name 'minio.invalid' does not resolve on this machine"
    )
    assert f"{FOLLOW}=false" in str(found.remedy)
    assert "signature" not in repr(found)
    assert server.artifacts == {}


def test_clients_that_ask_the_server_instead_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLLOW, "false")
    assert failures(CannedMlflow(sends_away=True, detour="http://minio.invalid:9000")) == {}


def test_a_store_that_clients_reach_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLLOW, raising=False)
    with loopback(CannedMlflow(sends_away=True, lets_anybody_in=True)) as at:
        probe = MlflowProbe(TrackingAddress(uri=at), partial(MlflowServer, timeout_s=2), timeout_s=2)
        found = probe.detour()
    assert found is not None
    assert (found.server, found.trouble) == (at, None)


def test_a_store_that_returns_other_content() -> None:
    with loopback(lambda _: Reply(status=403)) as store, probe_of(CannedMlflow(sends_away=True, detour=store)) as probe:
        found = probe.detour()
    assert found is not None
    assert found.trouble == "it returns something else (403)"


def test_changed_artifacts_or_metrics_are_reported() -> None:
    assert failures(CannedMlflow(spoils_artifacts=True))["artifact"].found == (
        "an artifact was returned with other content"
    )
    assert failures(CannedMlflow(spoils_metrics=True))["metric"].found.endswith(
        "a logged metric was returned with another value"
    )


@pytest.mark.parametrize("broken", ["GET", "DELETE"])
def test_an_artifact_is_removed_though_the_trial_fails_and_the_next_doctor_removes_what_a_killed_one_left(
    broken: str,
) -> None:
    sound = CannedMlflow()

    def failing(asked: Asked) -> Reply:
        if asked.path.startswith("/api/2.0/mlflow-artifacts/artifacts/") and asked.method == broken:
            return Reply(status=500)
        return sound(asked)

    assert "artifact" in failures(failing)
    assert len(sound.artifacts) == (1 if broken == "DELETE" else 0)
    assert failures(sound) == {}
    assert sound.artifacts == {}


def test_a_deleted_experiment_is_reported_with_the_command_that_restores_it() -> None:
    found = failures(CannedMlflow(deleted="cv_yolo_tiny"))
    assert list(found) == ["experiment"]
    assert "mlflow experiments restore --experiment-id 4" in str(found["experiment"].remedy)


def test_permanent_scratch_records_are_reported() -> None:
    with probe_of(CannedMlflow()) as probe:
        (found,) = [each for each in examine([tracking_checkup(probe)]) if each.name == "cleaned up"]
    assert found.found == f"reused: experiment cv_yolo_probe_{USER}, with one run"


def test_another_server_than_mlflow() -> None:
    found = failures(CannedMlflow(talks_nonsense=True))
    assert "unexpected response from MLflow" in found["our credentials"].found


def test_a_server_that_breaks_down_at_some_requests() -> None:
    sound = CannedMlflow()
    found = failures(lambda asked: Reply(status=500, body=b"oh") if "version" in asked.path else sound(asked))
    assert found["version"].found == "/version returned 500: oh"


def test_a_server_that_drops_connections() -> None:
    found = failures(lambda _: Reply(dropped=True))
    assert list(found) == ["reachable"]
    assert found["reachable"].found.endswith("does not answer")


def test_a_server_without_capabilities_hands_artifacts_out_itself() -> None:
    with probe_of(lambda _: json_reply(["odd"])) as probe:
        assert probe.detour() is None


def test_a_library_that_is_not_installed_has_no_version() -> None:
    assert installed("cv-yolo-no-such-library") == "none"


def test_nothing_listens() -> None:
    probe = MlflowProbe(TrackingAddress(uri="http://127.0.0.1:1"), MlflowServer, timeout_s=1)
    assert probe.address == "http://127.0.0.1:1"
    with pytest.raises(ServiceUnavailableError, match="nothing listens"):
        probe.greet()
