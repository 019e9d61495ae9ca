"""The audit log on ZenML's server, where several machines write it: one row per entry, and a copy with the artifacts.

An entry is a version `entry_<number>` of the ZenML model `audit_log_<model>`, with its canonical form as description:
one row, written in one step, and of its name there can be one only. So the row is the commit, and the server decides
which of two writers came first. The copy is written before, under a name that says number and hash: what a killed or a
slower writer leaves behind is no part of the log.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from cv_yolo.domain.promotion.audit import AuditFinding, Entry, read_entry
from cv_yolo.errors import AuditLogError, LogGrewError, ServiceUnavailableError

if TYPE_CHECKING:
    from zenml.client import Client

PAGE: Final = 500
READERS: Final = 8


class ZenmlAuditLog:
    """The log of one model on the server that is connected to, with copies in the artifact store of a stack there.

    `locked` keeps the processes of this machine apart; without a `stack` it is the active one.
    """

    def __init__(
        self, *, model: str, locked: Callable[[], AbstractContextManager[None]], stack: str | None = None
    ) -> None:
        self._model, self._name, self._locked, self._stack = model, f"audit_log_{model}", locked, stack

    def entries(self) -> tuple[Entry, ...]:
        """All entries in the order of their numbers."""
        entries, damage = self._read()
        if damage:
            raise AuditLogError(
                damage[0].sentence,
                hint="bring the database back from a copy; `cv-yolo history --verify` names all that was changed",
            )
        return entries

    def damage(self) -> tuple[AuditFinding, ...]:
        """The rows that are no entries, and the entries whose copies are not as they were written."""
        entries, damage = self._read()
        with _translated(self._name), ThreadPoolExecutor(READERS) as readers:
            paths, stores = map(self._copy_of, entries), repeat(self._store)
            return (*damage, *filter(None, readers.map(_damage_of_copy, entries, paths, stores)))

    def append(self, entry: Entry) -> None:
        """Write the copy, then the row; the entry is part of the log when the server has taken the row."""
        with self._locked():
            try:
                with _translated(self._name):
                    self._keep_copy(entry)
                    there = self._row_beside(entry)
            except ServiceUnavailableError as error:
                hint = "fix the cause; `cv-yolo history` then shows whether the entry was written"
                raise ServiceUnavailableError(error.message, hint=hint) from error
        if there != entry.canonical:
            raise LogGrewError(
                f"entry {entry.number} of {self._name} was written by another process in the meantime",
                hint="nothing was moved; `cv-yolo history` shows it; then run the same command again",
            )

    def locked(self) -> AbstractContextManager[None]:
        """Exclude every other process of this machine; on other machines, `append` fails when they were too late."""
        return self._locked()

    def _row_beside(self, entry: Entry) -> str | None:
        """Make the entry's row; returns what the row of its number says then: another writer may have made it."""
        from zenml.exceptions import EntityExistsError

        name = f"entry_{entry.number}"
        try:
            row = self._client.create_model_version(self._model_of_rows(), name=name, description=entry.canonical)
        except EntityExistsError:  # ours too, where the client asked once more because no answer came
            row = self._client.get_model_version(self._name, name)
        return None if row.description is None else str(row.description)

    def _model_of_rows(self) -> Any:
        from zenml.exceptions import EntityExistsError

        try:
            return self._client.get_model(self._name).id
        except KeyError:
            said = f"The audit log of {self._model}, an entry a version; read it with `cv-yolo history`"
        try:
            return self._client.create_model(self._name, description=said).id
        except EntityExistsError:
            return self._client.get_model(self._name).id

    def _read(self) -> tuple[tuple[Entry, ...], tuple[AuditFinding, ...]]:
        entries, damage = [], []
        for number, row in self._rows():
            try:
                entries.append(_entry(row, number))
            except ValueError as error:
                damage.append(AuditFinding(number=number, sentence=f"{self._name}, {row.name}: {error}"))
        return tuple(entries), tuple(damage)

    def _rows(self) -> list[tuple[int, Any]]:
        """The rows by their numbers; a row of another name, which is no entry, has the number 0."""
        with _translated(self._name):
            page = self._client.list_model_versions(model=self._name, size=PAGE, hydrate=True)
            rows = list(page.items)
            for index in range(2, page.total_pages + 1):
                rows += self._client.list_model_versions(model=self._name, size=PAGE, page=index, hydrate=True).items
        return sorted(((_number(row.name), row) for row in rows), key=lambda each: each[0])

    def _keep_copy(self, entry: Entry) -> None:
        path = self._copy_of(entry)
        self._store.makedirs(path.rpartition("/")[0])
        with self._store.open(path, "wb") as file:
            file.write(entry.canonical.encode())

    def _copy_of(self, entry: Entry) -> str:
        return f"{self._store.path}/audit_log/{quote(self._model, safe='')}/{entry.number:06}-{entry.sha256}.json"

    @property
    def _client(self) -> "Client":
        from zenml.client import Client

        return Client()

    @cached_property
    def _store(self) -> Any:
        """The artifact store alone: a whole stack would import the libraries of all its components."""
        from zenml.enums import StackComponentType
        from zenml.stack import StackComponent

        stack = self._client.get_stack(self._stack) if self._stack else self._client.active_stack_model
        return StackComponent.from_model(stack.components[StackComponentType.ARTIFACT_STORE][0])


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ZenML raises RuntimeError, KeyError and its own kinds, each store those of its library
        raise ServiceUnavailableError(f"{name} on ZenML's server: {' '.join(str(error).split())}") from error


def _damage_of_copy(entry: Entry, path: str, store: Any) -> AuditFinding | None:
    try:
        with store.open(path, "rb") as file:
            changed = file.read() != entry.canonical.encode()
    except FileNotFoundError:
        said = f"Entry {entry.number} has no copy at {path}: one of the two was changed or removed."
        return AuditFinding(number=entry.number, sentence=said)
    said = f"The copy of entry {entry.number} at {path} was changed."
    return AuditFinding(number=entry.number, sentence=said) if changed else None


def _number(name: str) -> int:
    found = re.fullmatch(r"entry_([1-9][0-9]{0,8})", name)
    return int(found[1]) if found else 0


def _entry(row: Any, number: int) -> Entry:
    if not number:
        raise ValueError("not an entry of the log: no entry is named so")
    return read_entry(row.description or "")
