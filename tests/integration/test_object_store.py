"""`ObjectStore`: buckets and objects, by the fake, by rclone and by MinIO, each as strict as the others."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.domain.stack import BUCKETS
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports.servers import ObjectStore, StoredObject
from tests.fake_servers import OBJECTS, FakeServers
from tests.loopback import Reply, loopback
from tests.stores import PROGRAMS, program, store_in


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The same store twice: with our key, and with a wrong one."""

    ours: ObjectStore
    refused: ObjectStore


@pytest.fixture(scope="module", params=["fake", *PROGRAMS])
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    if request.param == "fake":
        clients = FakeServers().clients()
        yield Stores(ours=clients.objects(OBJECTS), refused=clients.objects(replace(OBJECTS, secret_key="wrong")))
        return
    if program(request.param) is None:
        pytest.skip(f"no {request.param}: neither on the PATH nor named by {PROGRAMS[request.param]}")
    with store_in(tmp_path_factory.mktemp(request.param), request.param) as address:
        yield Stores(ours=S3Store(address), refused=S3Store(replace(address, secret_key="wrong")))


@pytest.fixture
def bucket(stores: Stores) -> str:
    name = f"test-{secrets.token_hex(6)}"
    assert stores.ours.make_bucket(name) is True
    return name


def test_a_bucket_is_made_once(stores: Stores, bucket: str) -> None:
    assert stores.ours.make_bucket(bucket) is False
    assert bucket in stores.ours.buckets()


def test_an_object_can_be_read_listed_and_replaced(stores: Stores, bucket: str) -> None:
    for content in (b"first", b"the second"):
        stores.ours.put(bucket, "a/b.bin", content)
        assert stores.ours.get(bucket, "a/b.bin") == content
    assert list(stores.ours.objects(bucket)) == [StoredObject(key="a/b.bin", size_bytes=10)]


def test_objects_are_listed_by_prefix_in_the_order_of_their_keys(stores: Stores, bucket: str) -> None:
    for key in ("b/2", "a/1", "b/1"):
        stores.ours.put(bucket, key, b"x")
    assert [each.key for each in stores.ours.objects(bucket, "b/")] == ["b/1", "b/2"]
    assert [each.key for each in stores.ours.objects(bucket)] == ["a/1", "b/1", "b/2"]


def test_an_object_is_removed_and_removed_again(stores: Stores, bucket: str) -> None:
    stores.ours.put(bucket, "key", b"x")
    stores.ours.delete(bucket, "key")
    stores.ours.delete(bucket, "key")
    assert list(stores.ours.objects(bucket)) == []


def test_a_missing_object_is_not_found(stores: Stores, bucket: str) -> None:
    with pytest.raises(NotFoundError):
        stores.ours.get(bucket, "nothing")


def test_use_leaves_nothing(stores: Stores, bucket: str) -> None:
    stores.ours.use(bucket)
    assert list(stores.ours.objects(bucket)) == []


def test_a_wrong_key_is_refused(stores: Stores, bucket: str) -> None:
    with pytest.raises(ServiceUnavailableError):
        stores.refused.put(bucket, "key", b"x")
    assert list(stores.ours.objects(bucket)) == []


SKEWED = b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>"


def test_a_clock_that_is_off_is_named() -> None:
    with loopback(lambda _: Reply(status=403, body=SKEWED)) as at, pytest.raises(ServiceUnavailableError) as caught:
        S3Store(replace(OBJECTS, endpoint_url=at), timeout_s=2).get(BUCKETS[0], "key")
    assert caught.value.hint == "its clock and ours differ: run `timedatectl set-ntp true` on both machines"


def test_an_object_with_changed_content_is_reported() -> None:
    with (
        loopback(lambda asked: Reply(body=b"other" if asked.method == "GET" else b"")) as at,
        pytest.raises(ServiceUnavailableError, match="returned with other content"),
    ):
        S3Store(replace(OBJECTS, endpoint_url=at), timeout_s=2).use(BUCKETS[0])


def test_the_unresponsive_service_is_named() -> None:
    with pytest.raises(ServiceUnavailableError, match="put mlflow/key"):
        S3Store(replace(OBJECTS, endpoint_url="http://127.0.0.1:1"), timeout_s=1, attempts=1).put("mlflow", "key", b"")
