"""Objects on their way into a backup and back: all of them, whatever breaks meanwhile."""

from pathlib import Path

import pytest

from cv_yolo.domain.stack import BUCKETS
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.backup.content_store import Contents, Progress
from cv_yolo_stack.backup.objects import keep_objects, list_objects, put_objects
from cv_yolo_stack.configuration.choice import StoreKind
from tests.unit.stack.backup.records import quiet
from tests.unit.stack.backup.stacks import MemoryStore, a_stack

ODD = "../a//b c ä"


def a_store(**more: object) -> MemoryStore:
    kept = {bucket: {} for bucket in BUCKETS} | {"theirs": {"x": b"theirs"}}
    store = MemoryStore(kept=kept, **more)
    store.kept["mlflow"] = {f"{number:03}": bytes([number]) * number for number in range(40)} | {ODD: b"odd"}
    store.kept["dvc"] = {".cv-yolo-probe/1": b"a probe's"}
    return store


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    contents = Contents(tmp_path / "backup")
    contents.begin()
    return contents


def test_all_objects_are_backed_up_and_restored_without_probes(tmp_path: Path, contents: Contents) -> None:
    store, stack, seen = a_store(), a_stack(tmp_path / "services"), list[Progress]()
    kept = keep_objects(store.container(), stack, contents, seen.append)
    assert len(kept) == 42
    assert (seen[-1].done, seen[-1].done_bytes) == (42, seen[-1].total_bytes)
    restored = MemoryStore()
    put_objects(restored.container(), stack, kept, contents, quiet)
    assert restored.kept == store.kept | {"dvc": {}}


def test_a_connection_that_breaks_is_tried_again(tmp_path: Path, contents: Contents) -> None:
    store, stack = a_store(breaks=2), a_stack(tmp_path / "services")
    assert len(keep_objects(store.container(), stack, contents, quiet)) == 42
    with pytest.raises(ServiceUnavailableError, match="broke"):
        keep_objects(a_store(breaks=999).container(), stack, contents, quiet)


def test_an_object_that_is_removed_meanwhile_is_not_in_the_backup(tmp_path: Path, contents: Contents) -> None:
    kept = keep_objects(a_store(gone={"007"}).container(), a_stack(tmp_path / "services"), contents, quiet)
    assert len(kept) == 41
    assert "objects/mlflow/007" not in {each.place for each in kept}


def test_of_a_store_that_others_use_too_only_our_buckets_are_kept(tmp_path: Path) -> None:
    stack = a_stack(tmp_path / "services", store=StoreKind.EXTERNAL, store_url="http://s3.test")
    store = a_store()
    del store.kept["zenml-artifacts"]
    assert {bucket for bucket, _ in list_objects(store.container(), stack)} == {"mlflow"}


def test_a_store_that_loses_objects_is_reported(tmp_path: Path, contents: Contents) -> None:
    stack = a_stack(tmp_path / "services")
    kept = keep_objects(a_store().container(), stack, contents, quiet)
    with pytest.raises(ServiceUnavailableError, match="did not keep mlflow/007"):
        put_objects(MemoryStore(forgets={"007"}).container(), stack, kept, contents, quiet)
