"""What is tried on each service, and what each failure says."""

from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.ports.probes import Detour
from cv_yolo_stack.workflows.doctor.database import database_checkup
from cv_yolo_stack.workflows.doctor.every_server import quick, same_time
from cv_yolo_stack.workflows.doctor.examine import Checkup, examine
from cv_yolo_stack.workflows.doctor.local import datasets_checkup, machine_checkup
from cv_yolo_stack.workflows.doctor.objects import object_store_checkup
from cv_yolo_stack.workflows.doctor.pipelines import pipeline_checkup
from cv_yolo_stack.workflows.doctor.tracking import tracking_checkup
from tests.probes import (
    FakeDatabaseProbe,
    FakeDatasetProbe,
    FakeMachineProbe,
    FakeObjectStoreProbe,
    FakePipelineProbe,
    FakeTrackingProbe,
)


def failures(checkup: Checkup) -> dict[str, CheckResult]:
    return {each.name: each for each in examine([checkup]) if each.passed is False}


def findings(checkup: Checkup) -> dict[str, CheckResult]:
    return {each.name: each for each in examine([checkup])}


def pipelines(probe: FakePipelineProbe, stored: object = None) -> Checkup:
    return pipeline_checkup(probe, stack="mlflow_stack", stored=stored)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "checkup",
    [
        object_store_checkup(FakeObjectStoreProbe()),
        database_checkup(FakeDatabaseProbe()),
        pipelines(FakePipelineProbe()),
        tracking_checkup(FakeTrackingProbe()),
        datasets_checkup(FakeDatasetProbe(), connected=True),
        machine_checkup(FakeMachineProbe(), server="http://zenml"),
    ],
    ids=lambda checkup: checkup.service,
)
def test_a_sound_service_passes_everything(checkup: Checkup) -> None:
    found = examine([checkup])
    assert not [each for each in found if each.passed is False]
    assert {each.service for each in found} == {checkup.service}


@pytest.mark.parametrize("make", [object_store_checkup, database_checkup, pipelines, tracking_checkup])
def test_a_server_that_is_down_is_not_tried_further(make: object) -> None:
    probe = {
        "object_store_checkup": FakeObjectStoreProbe,
        "database_checkup": FakeDatabaseProbe,
        "pipelines": FakePipelineProbe,
        "tracking_checkup": FakeTrackingProbe,
    }[make.__name__](trouble={"greet": "nothing listens at 127.0.0.1:1"})  # type: ignore[attr-defined]
    first, *rest = examine([make(probe)])  # type: ignore[operator]
    assert (first.name, first.passed, first.found) == ("reachable", False, "nothing listens at 127.0.0.1:1")
    assert first.remedy is not None
    assert "cv-yolo up" in first.remedy
    assert {each.passed for each in rest} == {None}
    assert probe.tried == ["greet"]


def test_a_clock_that_is_off_says_how_to_set_it() -> None:
    found = failures(object_store_checkup(FakeObjectStoreProbe(ahead=timedelta(minutes=20))))
    assert found["clock"].found == "20 min ahead of ours"
    assert "timedatectl" in str(found["clock"].remedy)


def test_a_server_without_a_clock_does_not_fail_the_check() -> None:
    assert same_time(FakeObjectStoreProbe(ahead=None)).attempt().passed is None


@pytest.mark.parametrize(
    ("checkup", "name"),
    [
        (object_store_checkup(FakeObjectStoreProbe(anonymous={"list mlflow": 200})), "no credentials"),
        (object_store_checkup(FakeObjectStoreProbe(wrong={"wrong secret": 200})), "wrong credentials"),
        (database_checkup(FakeDatabaseProbe(anonymous={"no password": 0})), "no credentials"),
        (database_checkup(FakeDatabaseProbe(wrong={"wrong password": 0})), "wrong credentials"),
        (pipelines(FakePipelineProbe(anonymous={"/stacks": 200})), "no credentials"),
        (pipelines(FakePipelineProbe(wrong={"wrong key": 200})), "wrong credentials"),
        (tracking_checkup(FakeTrackingProbe(anonymous={"/experiments": 200})), "no credentials"),
        (tracking_checkup(FakeTrackingProbe(wrong={"wrong password": 200})), "wrong credentials"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.service,
)
def test_a_server_that_accepts_missing_or_wrong_credentials_fails(checkup: Checkup, name: str) -> None:
    found = failures(checkup)
    assert list(found) == [name]
    assert found[name].expected == "refused"


def test_a_refused_key_leaves_untried_what_only_it_may_do() -> None:
    probe = FakeObjectStoreProbe(trouble={"log_in": "SignatureDoesNotMatch"})
    found = findings(object_store_checkup(probe))
    assert found["our credentials"].found == "SignatureDoesNotMatch"
    assert found["multipart upload"].found == "not tried: our credentials failed"
    assert "multipart" not in probe.tried


def test_missing_buckets_are_named() -> None:
    found = findings(object_store_checkup(FakeObjectStoreProbe(missing=("mlflow", "dvc"))))
    assert found["buckets"].found == "no mlflow, dvc"
    assert "stack register" in str(found["buckets"].remedy)
    assert found["presigned get"].passed is None


@pytest.mark.parametrize(
    ("trial", "name"),
    [
        ("exchange", "put, get, list, delete"),
        ("multipart", "multipart upload"),
        ("presigned_put", "presigned put"),
        ("presigned_get", "presigned get"),
        ("checksums", "checksums"),
    ],
)
def test_what_a_store_cannot_do_is_reported_and_the_rest_tried(trial: str, name: str) -> None:
    probe = FakeObjectStoreProbe(trouble={trial: "NotImplemented"})
    assert list(failures(object_store_checkup(probe))) == [name]
    assert probe.tried[-1] == "clean_up"


def test_an_address_that_never_expires_fails() -> None:
    assert failures(object_store_checkup(FakeObjectStoreProbe(expired=200)))["expired address"].found == (
        "presigned get: 200"
    )
    assert not failures(object_store_checkup(FakeObjectStoreProbe(expired=400)))


def test_conditional_puts_are_informational() -> None:
    for keeps, reported in ((True, "kept"), (False, "ignored")):
        found = findings(object_store_checkup(FakeObjectStoreProbe(conditions=keeps)))["conditional put"]
        assert (found.passed, found.found) == (None, reported)


def test_leftovers_are_reported() -> None:
    assert findings(object_store_checkup(FakeObjectStoreProbe(left=2)))["cleaned up"].found == "2 left over, removed"


def test_a_slow_server_fails_by_its_best_answer() -> None:
    times = iter([0, 3, 10, 11.2, 20, 22])
    outcome = quick(FakeObjectStoreProbe(), remedy="nearer", clock=times.__next__).attempt()
    assert (outcome.passed, outcome.found) == (False, "1200 ms")


def test_an_untested_database_version_is_reported() -> None:
    found = findings(database_checkup(FakeDatabaseProbe(server="12.1.2-MariaDB")))["version"]
    assert (found.passed, found.found) == (None, "12.1.2-MariaDB: untested version")
    assert findings(database_checkup(FakeDatabaseProbe()))["version"].passed


def test_a_zenml_of_another_version_fails() -> None:
    found = failures(pipelines(FakePipelineProbe(server="0.97.0", client="0.98.0")))["version"]
    assert found.found == "0.97.0, and the client here is 0.98.0"
    assert "pip install zenml" in str(found.remedy)


def test_a_zenml_without_administrator_says_how_to_make_one() -> None:
    found = findings(pipelines(FakePipelineProbe(active=False)))
    assert "ZENML_SERVER_AUTO_ACTIVATE=1" in str(found["activated"].remedy)
    assert found["our credentials"].found == "not tried: activated failed"


def test_secrets_that_can_be_read_in_the_database_fail() -> None:
    found = failures(pipelines(FakePipelineProbe(readable=True), stored=lambda _: b"value"))["secrets"]
    assert found.found.startswith("plain base64")
    assert "ZENML_SECRETS_STORE_ENCRYPTION_KEY" in str(found.remedy)


def test_encrypted_secrets_pass() -> None:
    found = findings(pipelines(FakePipelineProbe(), stored=lambda _: b"value"))["secrets"]
    assert (found.passed, found.found) == (True, "encrypted")


def test_secrets_in_a_vault_are_its_own_business() -> None:
    assert findings(pipelines(FakePipelineProbe(store="hashicorp")))["secrets"].found == (
        "kept by hashicorp, not in its database"
    )


def test_without_its_database_secrets_are_not_tried() -> None:
    assert findings(pipelines(FakePipelineProbe()))["secrets"].passed is None


def test_a_stack_that_is_missing_or_incomplete_fails() -> None:
    assert failures(pipelines(FakePipelineProbe(container=None)))["stack"].found == "no stack mlflow_stack"
    found = failures(pipelines(FakePipelineProbe(container=("default",))))["stack"]
    assert found.found == "mlflow_stack has no mlflow_tracker and no minio_artifacts"
    assert "stack register" in str(found.remedy)


def test_a_host_name_that_mlflow_refuses_skips_the_remaining_checks() -> None:
    probe = FakeTrackingProbe(host="mlflow:5000")
    found = findings(tracking_checkup(probe))
    assert found["host name"].found == "the server refuses the host name mlflow:5000"
    assert "--allowed-hosts" in str(found["host name"].remedy)
    assert found["our credentials"].passed is None


def test_another_minor_version_of_mlflow_is_informational() -> None:
    found = findings(tracking_checkup(FakeTrackingProbe(server="3.18.0")))["version"]
    assert (found.passed, found.found) == (None, "3.18.0, and the client here is 3.17.2")


def test_a_login_that_is_hashed_at_every_request_says_how_to_keep_it() -> None:
    class SlowLogin(FakeTrackingProbe):
        ticks = count()
        now = 0.0

        def log_in(self) -> str:
            self.now += 0.7
            return "anna"

    probe = SlowLogin()
    found = failures(tracking_checkup(probe, clock=lambda: probe.now))["login kept"]
    assert found.found == "700 ms"
    assert "auth_cache_ttl_seconds" in str(found.remedy)


@pytest.mark.parametrize(
    ("sent", "follows", "passed", "found"),
    [
        (None, True, True, "through the server"),
        (Detour(server="http://s3:9000"), True, True, "redirected to http://s3:9000, which works"),
        (Detour(server="http://s3:9000", trouble="no such name"), True, False, "http://s3:9000: no such name"),
        (Detour(server="http://s3:9000", trouble="no such name"), False, None, "our commands use the server instead"),
    ],
)
def test_a_redirect_to_an_unreachable_store_fails_for_clients_that_follow_it(
    sent: Detour | None, follows: bool, passed: bool | None, found: str
) -> None:
    it = findings(tracking_checkup(FakeTrackingProbe(sent=sent, follows=follows)))["presigned download"]
    assert it.passed is passed
    assert found in it.found
    assert passed is not False or "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false" in str(it.remedy)


def test_a_metric_that_is_lost_fails() -> None:
    found = failures(tracking_checkup(FakeTrackingProbe(trouble={"log_metric": "came back other than logged"})))
    assert list(found) == ["metric"]


def test_a_folder_without_data_revisions_is_left_alone() -> None:
    (found,) = examine([datasets_checkup(FakeDatasetProbe(project=False), connected=True)])
    assert (found.passed, found.found) == (None, "not tried: this folder keeps no data revisions (no `.dvc`)")


def test_without_a_remote_nothing_of_it_is_tried() -> None:
    found = findings(datasets_checkup(FakeDatasetProbe(default=None), connected=False))
    assert found["remote"].found == "none"
    assert found["data sets"].passed is None


def test_a_home_that_has_not_used_the_servers_remote_yet_says_when_it_will() -> None:
    assert findings(datasets_checkup(FakeDatasetProbe(), connected=True))["remote"].passed
    found = findings(datasets_checkup(FakeDatasetProbe(default=None), connected=True))
    assert found["remote"].passed is None
    assert found["remote"].found.endswith("the next run that needs data uses minio")
    assert found["data sets"].passed is None, "nothing was tried"


def test_a_remote_that_does_not_answer_fails() -> None:
    found = findings(datasets_checkup(FakeDatasetProbe(trouble="Forbidden"), connected=True))
    assert (found["remote answers"].passed, found["remote answers"].found) == (False, "Forbidden")


def test_data_that_only_the_remote_could_bring_must_be_there() -> None:
    found = findings(datasets_checkup(FakeDatasetProbe(missing={"a": True, "b": False}), connected=True))["data sets"]
    assert (found.passed, found.found) == (False, "incomplete: b")
    found = findings(datasets_checkup(FakeDatasetProbe(missing={"a": True}), connected=True))["data sets"]
    assert (found.passed, found.found) == (None, "not there yet, and a recipe makes them: a")


def test_without_a_server_this_machine_says_how_to_get_one_and_tries_its_own_stores() -> None:
    probe = FakeMachineProbe(stores={"MLflow's records": Path("mlflow.db")})
    found = findings(machine_checkup(probe, server=None))
    assert found["server"].passed is None
    assert "cv-yolo up" in found["server"].found
    assert found["MLflow's records"].passed
    assert "MLflow's records" not in findings(machine_checkup(probe, server="http://zenml"))


def test_a_damaged_store_a_full_disk_and_missing_packages_fail() -> None:
    probe = FakeMachineProbe(
        free=1_900_000_000, packages=("torch",), stores={"records": Path("mlflow.db")}, trouble="mlflow.db: damaged"
    )
    found = failures(machine_checkup(probe, server=None))
    assert {name: each.found for name, each in found.items()} == {
        "disk": "1.9 GB free",
        "packages": "no torch",
        "records": "mlflow.db: damaged",
    }


def test_a_disk_without_room_is_called_full() -> None:
    found = failures(machine_checkup(FakeMachineProbe(free=1_000), server=None))
    assert found["disk"].found.startswith("full: ")


def test_a_deleted_experiment_fails_with_the_command_that_restores_it() -> None:
    found = failures(tracking_checkup(FakeTrackingProbe(deleted="7")))
    (experiment,) = [each for each in found.values() if each.found.startswith("cv_yolo_tiny was deleted")]
    assert "mlflow experiments restore --experiment-id 7" in str(experiment.remedy)
