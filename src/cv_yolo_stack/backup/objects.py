"""The objects of a stack's store: listed, copied into a backup, and put back."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from cv_yolo.domain.stack import BUCKETS
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports.servers import StoredObject
from cv_yolo_stack.backup.content_store import Contents, Progress, Report
from cv_yolo_stack.configuration.choice import StoreKind
from cv_yolo_stack.configuration.local_stack import LocalStack
from cv_yolo_stack.domain.backup_manifest import OBJECTS, Kept

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

SCRATCH: Final = ".cv-yolo-probe/"
COPIERS: Final = 8
TRIES: Final = 3
Result = TypeVar("Result")


def list_objects(container: "StackContainer", stack: LocalStack) -> list[tuple[str, StoredObject]]:
    """All objects, with their buckets; of a store that others use too, those in our buckets."""
    store = container.servers.object_store(stack.objects)
    there = store.buckets()
    ours = [name for name in BUCKETS if name in there] if stack.choice.store is StoreKind.EXTERNAL else there
    found = ((bucket, each) for bucket in ours for each in store.objects(bucket))
    return [(bucket, each) for bucket, each in found if not each.key.startswith(SCRATCH)]


def keep_objects(container: "StackContainer", stack: LocalStack, contents: Contents, report: Report) -> list[Kept]:
    """Copy all objects into a backup, except those that are removed meanwhile."""
    copies, listed = container.object_copies(stack.objects), list_objects(container, stack)

    def keep(bucket: str, key: str) -> Kept | None:
        try:
            return contents.keep(f"{OBJECTS}/{bucket}/{key}", copies.chunks(bucket, key))
        except NotFoundError:
            return None

    kept = together(
        "copy the objects",
        [(partial(keep, bucket, found.key), found.size_bytes) for bucket, found in listed],
        report,
    )
    return [each for each in kept if each is not None]


def put_objects(
    container: "StackContainer", stack: LocalStack, objects: Sequence[Kept], contents: Contents, report: Report
) -> None:
    """Put the objects of a backup into a store, and check that all are there with the right sizes."""
    store, copies = container.servers.object_store(stack.objects), container.object_copies(stack.objects)

    def put(each: Kept) -> None:
        copies.put(*bucket_and_key(each), contents.path(each.sha256))

    for bucket in sorted({*BUCKETS, *(bucket_and_key(each)[0] for each in objects)}):
        store.make_bucket(bucket)
    for _ in together(
        "restore the objects",
        [(partial(put, each), each.size_bytes) for each in objects],
        report,
    ):
        pass
    wanted = {bucket_and_key(each): each.size_bytes for each in objects}
    there = {(bucket, found.key): found.size_bytes for bucket, found in list_objects(container, stack)}
    if there != wanted:
        name = "/".join(sorted({*there.items()} ^ {*wanted.items()})[0][0])
        raise ServiceUnavailableError(f"the object store did not keep {name}")


def bucket_and_key(kept: Kept) -> tuple[str, str]:
    """Where an object of a backup belongs."""
    bucket, _, key = kept.path.partition("/")
    return bucket, key


def together(what: str, jobs: Sequence[tuple[Callable[[], Result], int]], report: Report) -> Iterator[Result]:
    """Do the jobs, several at a time, each with the bytes that it moves; one that fails is tried again."""
    total_bytes, done_bytes = sum(size for _, size in jobs), 0
    with ThreadPoolExecutor(COPIERS) as copiers:
        try:
            futures = [copiers.submit(_tried, job) for job, _ in jobs]
            for number, (future, (_, size)) in enumerate(zip(futures, jobs, strict=True), 1):
                yield future.result()
                done_bytes += size
                report(
                    Progress(what=what, done=number, total=len(jobs), done_bytes=done_bytes, total_bytes=total_bytes)
                )
        finally:
            copiers.shutdown(cancel_futures=True)


def _tried(job: Callable[[], Result]) -> Result:
    """A connection may break in the middle of an object."""
    for _ in range(TRIES - 1):
        with suppress(ServiceUnavailableError):
            return job()
    return job()
