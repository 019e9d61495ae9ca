"""Stacks that never run, and an object store in memory, for tests of those who keep and restore them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports.servers import StoredObject
from cv_yolo_stack.configuration.choice import DatabaseKind, StackChoice, StoreKind, keep_choice
from cv_yolo_stack.configuration.credentials import keep_credentials, new_credentials
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.configuration.local_stack import LocalStack
from tests.databases import FakeDatabaseServer


def a_stack(folder: Path, **choice: Any) -> LocalStack:
    """A stack with SQLite files and rclone, unless said otherwise; written down, never started."""
    chosen = StackChoice(**{"store": StoreKind.RCLONE, "database": DatabaseKind.SQLITE} | choice)
    stack = LocalStack(folder=StackFolder(root=folder), choice=chosen, credentials=new_credentials())
    stack.folder.make()
    keep_credentials(stack.folder.credentials, stack.credentials)
    keep_choice(stack.folder.choice, stack.choice)
    return stack


@dataclass
class MemoryStore:
    """Objects by bucket and key. `breaks` connections break in the middle; `gone` objects are removed after listing."""

    kept: dict[str, dict[str, bytes]] = field(default_factory=dict)
    breaks: int = 0
    gone: set[str] = field(default_factory=set)
    forgets: set[str] = field(default_factory=set)

    def buckets(self) -> tuple[str, ...]:
        return tuple(sorted(self.kept))

    def make_bucket(self, bucket: str) -> bool:
        return self.kept.setdefault(bucket, {}) is None

    def objects(self, bucket: str) -> Iterator[StoredObject]:
        return (StoredObject(key=key, size_bytes=len(content)) for key, content in sorted(self.kept[bucket].items()))

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        if key in self.gone:
            raise NotFoundError(f"{bucket}/{key}: not there")
        content = self.kept[bucket][key]
        yield content[:1]
        if self.breaks:
            self.breaks -= 1
            raise ServiceUnavailableError("the connection broke")
        yield content[1:]

    def put(self, bucket: str, key: str, file: Path) -> None:
        if key not in self.forgets:
            self.kept[bucket][key] = file.read_bytes()

    def container(self, server: FakeDatabaseServer | None = None) -> Any:
        """What `StackContainer` gives of a store, and of a database server."""
        servers = SimpleNamespace(object_store=lambda _: self)
        return SimpleNamespace(servers=servers, object_copies=lambda _: self, sql_database=lambda _: server)
