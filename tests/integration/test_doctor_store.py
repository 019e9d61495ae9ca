"""Trying real S3 servers, sound and broken: each trap is found, with its fix, and nothing is left behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.domain.stack import ARTIFACTS_BUCKET, BUCKETS, ObjectStoreAddress
from cv_yolo_stack.adapters.s3 import S3Probe
from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.workflows.doctor.examine import examine
from cv_yolo_stack.workflows.doctor.objects import object_store_checkup
from tests.loopback import Asked, Reply, in_front_of, loopback, twenty_minutes_ahead
from tests.stores import PROGRAMS, program, store_in

Change = Callable[[Asked, Reply], Reply]
connect = partial(S3Store, timeout_s=3, attempts=1)


@pytest.fixture(scope="module", params=list(PROGRAMS))
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreAddress]:
    if program(request.param) is None:
        pytest.skip(f"no {request.param}: neither on the PATH nor named by {PROGRAMS[request.param]}")
    with store_in(tmp_path_factory.mktemp(request.param), request.param) as address:
        yield address


def findings(address: ObjectStoreAddress, *, deadline_s: float = 30, timeout_s: float = 3) -> dict[str, CheckResult]:
    probe = S3Probe(address, S3Store(address, timeout_s=timeout_s, attempts=1), timeout_s=timeout_s)
    return {each.name: each for each in examine([object_store_checkup(probe)], deadline_s=deadline_s)}


def failures(address: ObjectStoreAddress) -> dict[str, str]:
    return {name: each.found for name, each in findings(address).items() if each.passed is False}


@contextmanager
def tampered(address: ObjectStoreAddress, change: Change) -> Iterator[ObjectStoreAddress]:
    with in_front_of(str(address.endpoint_url), change) as front:
        yield replace(address, endpoint_url=front)


def objects(address: ObjectStoreAddress) -> list[str]:
    return [each.key for bucket in BUCKETS for each in connect(address).objects(bucket)]


def on(method: str, part: str, **changes: object) -> Change:
    """A server that answers otherwise where the method is this and the address has that part."""
    return lambda asked, reply: (
        replace(reply, **changes) if asked.method == method and part in asked.path else reply  # type: ignore[arg-type]
    )


def test_a_sound_store_passes_and_nothing_is_left(address: ObjectStoreAddress) -> None:
    found = findings(address)
    assert {name: each.found for name, each in found.items() if each.passed is False} == {}
    assert {name for name, each in found.items() if each.passed is None} == {"conditional put"}
    assert found["checksums"].found.startswith("accepted")
    assert objects(address) == []


def test_through_another_server_it_passes_too(address: ObjectStoreAddress) -> None:
    with tampered(address, lambda _, reply: reply) as front:
        assert failures(front) == {}


@pytest.mark.parametrize("wrong", [{"secret_key": "wrong"}, {"access_key": "unknown"}], ids=["secret", "key"])
def test_wrong_credentials_skip_the_remaining_checks(address: ObjectStoreAddress, wrong: dict[str, str]) -> None:
    found = findings(replace(address, **wrong))  # type: ignore[arg-type]
    assert found["our credentials"].passed is False
    assert "stack register" in str(found["our credentials"].remedy)
    assert found["multipart upload"].found == "not tried: our credentials failed"
    assert address.secret_key not in repr(found)


def test_a_bucket_that_is_missing_is_named(address: ObjectStoreAddress) -> None:
    connect(address).client.delete_bucket(Bucket="dvc")
    assert failures(address) == {"buckets": "no dvc"}
    connect(address).make_bucket("dvc")


def test_a_wrong_clock_is_reported(address: ObjectStoreAddress) -> None:
    with tampered(address, twenty_minutes_ahead) as front:
        assert failures(front) == {"clock": "20 min ahead of ours"}


def test_addresses_that_never_expire_are_reported(address: ObjectStoreAddress) -> None:
    with tampered(address, on("GET", "/expired?", status=200, body=b"cv-yolo")) as front:
        assert failures(front) == {"expired address": "presigned get: 200"}


def test_a_public_bucket_is_reported(address: ObjectStoreAddress) -> None:
    with tampered(address, on("GET", "/mlflow?list-type=2&max-keys=1", status=200)) as front:
        found = findings(front)["no credentials"]
    assert (found.passed, found.found) == (False, "list mlflow: 200")
    assert "public policy" in str(found.remedy)


def test_a_store_that_accepts_any_signature_fails(address: ObjectStoreAddress) -> None:
    with tampered(address, on("GET", "X-Amz-Credential", status=200, body=b"<x/>")) as front:
        assert findings(front)["wrong credentials"].found == "wrong secret: 200, unknown key: 200"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (on("GET", "/object", body=b"x" * 1024), "put, get, list, delete"),
        (on("POST", "/parts?uploadId", status=501, body=b""), "multipart upload"),
        (on("PUT", "/presigned?X-Amz", status=501), "presigned put"),
        (on("GET", "/presigned?X-Amz", status=501), "presigned get"),
        (on("PUT", "/checksum", status=400, body=b""), "checksums"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_missing_feature_is_named_and_nothing_is_left(address: ObjectStoreAddress, change: Change, name: str) -> None:
    with tampered(address, change) as front:
        assert list(failures(front)) == [name]
    assert objects(address) == []
    uploads = connect(address).client.list_multipart_uploads(Bucket=ARTIFACTS_BUCKET)
    assert uploads.get("Uploads", []) == []


def test_a_store_that_drops_connections_is_reported_at_once() -> None:
    with loopback(lambda _: Reply(dropped=True)) as at:
        found = findings(ObjectStoreAddress(endpoint_url=at, access_key="a", secret_key="b"))
    assert (found["reachable"].passed, found["reachable"].found) == (
        False,
        f"the object store at {at}: does not answer",
    )
    assert {each.passed for name, each in found.items() if name != "reachable"} == {None}


def test_an_unresponsive_store_blocks_no_other_checkup() -> None:
    never = Event()
    with loopback(lambda _: Reply(after=never)) as at:
        found = findings(ObjectStoreAddress(endpoint_url=at, access_key="a", secret_key="b"), timeout_s=0.3)
        never.set()
    assert found["reachable"].passed is False
    assert "ReadTimeout" in found["reachable"].found


def test_waiting_for_a_store_is_limited_by_the_shared_deadline() -> None:
    never = Event()
    with loopback(lambda _: Reply(after=never)) as at:
        address = ObjectStoreAddress(endpoint_url=at, access_key="a", secret_key="b")
        first, *rest = findings(address, deadline_s=1, timeout_s=60).values()
        never.set()
    assert (first.passed, first.found) == (False, "no answer after 1 s in all")
    assert {each.found for each in rest} == {"not tried: the time limit was reached"}


def test_a_stale_listing_is_reported_and_its_entries_removed(address: ObjectStoreAddress) -> None:
    lists: list[bytes] = []

    def stale(asked: Asked, reply: Reply) -> Reply:
        if asked.method != "GET" or "prefix=.cv-yolo-probe" not in asked.path:
            return reply
        lists.append(reply.body)
        return replace(reply, body=lists[0])

    with tampered(address, stale) as front:
        found = findings(front)
    assert found["put, get, list, delete"].found == "an object is still listed after it was deleted"
    assert found["cleaned up"].found == "1 left over, removed"


def test_a_listing_without_a_new_object_is_reported(address: ObjectStoreAddress) -> None:
    with tampered(address, on("GET", "prefix=.cv-yolo-probe", body=b"<ListBucketResult/>")) as front:
        assert failures(front) == {"put, get, list, delete": "an object of 1024 bytes is listed as []"}


def test_a_server_with_malformed_responses_is_not_a_store() -> None:
    with loopback(lambda _: Reply(body=b"hello")) as at:
        found = findings(ObjectStoreAddress(endpoint_url=at, access_key="a", secret_key="b"))
    assert not all(each.passed for each in found.values())
    assert found["no credentials"].passed is False


def test_leftovers_of_killed_trials_are_removed_and_those_of_running_ones_kept(
    address: ObjectStoreAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, place = connect(address), {"Bucket": ARTIFACTS_BUCKET, "Key": ".cv-yolo-probe/doctor-killed/parts"}
    store.put(ARTIFACTS_BUCKET, ".cv-yolo-probe/doctor-killed/object", b"left")
    upload = store.client.create_multipart_upload(**place)["UploadId"]
    try:
        assert findings(address)["cleaned up"].found == "nothing left"
        assert objects(address) == [".cv-yolo-probe/doctor-killed/object"]
        monkeypatch.setattr("cv_yolo_stack.adapters.s3.STALE_AFTER", timedelta(days=-1))
        assert "left over, removed" in findings(address)["cleaned up"].found
        assert objects(address) == []
        left = store.client.list_multipart_uploads(Bucket=ARTIFACTS_BUCKET, Prefix=".cv-yolo-probe/")
        assert left.get("Uploads", []) == []
    finally:
        with suppress(store.client.exceptions.ClientError):
            store.client.abort_multipart_upload(**place, UploadId=upload)


def test_no_folder_is_left_where_the_store_keeps_its_files(tmp_path: Path) -> None:
    if program("rclone") is None:
        pytest.skip(f"no rclone: neither on the PATH nor named by {PROGRAMS['rclone']}")
    with store_in(tmp_path / "files", "rclone") as address:
        before = sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*"))
        findings(address)
        assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*")) == before
