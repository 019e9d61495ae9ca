"""The clients that the probes try servers with: those that our commands use, handed in by `bootstrap`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

from cv_yolo.http import Answer
from cv_yolo.ports import StoredObject


class ObjectClient(Protocol):
    """An object store, and the S3 client under it."""

    @property
    def client(self) -> Any: ...
    def translated(self, deed: str) -> AbstractContextManager[None]:
        """What goes wrong in the client, in our words."""

    def put(self, bucket: str, key: str, content: bytes) -> None: ...
    def get(self, bucket: str, key: str) -> bytes: ...
    def delete(self, bucket: str, key: str) -> None: ...
    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]: ...


class TrackingClient(Protocol):
    """MLflow's REST interface, asked as one user."""

    def use(self) -> None: ...
    def scratch_run(self) -> tuple[str, str]:
        """The ids of a scratch experiment and of its run, which are used again each time."""

    def ask(self, method: str, path: str, json: Any = None, *, content: bytes | None = None) -> Answer: ...


class PipelineClient(Protocol):
    """ZenML's REST interface, asked as one person or service account."""

    def info(self) -> dict[str, Any]: ...
    def done(self, method: str, path: str, json: Any = None) -> Any: ...
    def ask(self, method: str, path: str, json: Any = None, *, authenticated: bool = True) -> Answer: ...
    def ask_login(self) -> Answer: ...


class DatabaseClient(Protocol):
    """One database, asked as its user."""

    def use(self) -> None: ...
    def version(self) -> str: ...
    def clock(self) -> datetime: ...
    def answer_to(self, password: str) -> int:
        """What our user is told with that password: the number of the refusal, 0 where it is let in."""

    def cursor(self) -> AbstractContextManager[Any]: ...
