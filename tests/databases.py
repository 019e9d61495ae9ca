"""Databases without a database: `DatabaseServer` in memory, and `DatabaseFiles` that are JSON."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.ports.databases import RecordKind


@dataclass
class FakeDatabaseServer:
    """A server with these records in each of its databases; `down` is why it does not answer."""

    name: str = "10.11.6-MariaDB"
    databases: dict[str, Mapping[RecordKind, int]] = field(default_factory=dict)
    down: str | None = None

    def use(self) -> None:
        self._answer()

    def version(self) -> str:
        self._answer()
        return self.name

    def make_databases(self, names: Sequence[str]) -> None:
        self._answer()
        for name in names:
            self.databases.setdefault(name, {})

    def startup_script(self, names: Sequence[str]) -> str:
        return "".join(f"make {name}\n" for name in names)

    def size_bytes(self, names: Sequence[str]) -> int:
        self._answer()
        return sum(1000 * sum(self.databases.get(name, {}).values()) for name in names)

    def count_records(self, names: Sequence[str]) -> dict[RecordKind, int]:
        self._answer()
        found: Counter[RecordKind] = Counter()
        for name in names:
            found.update(self.databases.get(name, {}))
        return dict(found)

    def _answer(self) -> None:
        if self.down is not None:
            raise ServiceUnavailableError(self.down)


class FakeDatabaseFiles:
    """Files that say how many records they hold, and which texts."""

    def make(self, database: Path, records: Mapping[RecordKind, int], texts: Sequence[str] = ()) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        database.write_text(json.dumps({"records": records, "texts": list(texts)}), encoding="utf-8")

    def copy(self, source: Path, target: Path) -> None:
        target.write_text(json.dumps(self._read(source)), encoding="utf-8")

    def count_records(self, database: Path) -> dict[RecordKind, int]:
        if not database.is_file():
            return {}
        return {RecordKind(kind): number for kind, number in self._read(database)["records"].items()}

    def rewrite_text(self, database: Path, rewritten: Callable[[str], str]) -> int:
        kept = self._read(database)
        texts = [rewritten(text) for text in kept["texts"]]
        self.make(database, kept["records"], texts)
        return sum(text != former for text, former in zip(texts, kept["texts"], strict=True))

    def texts(self, database: Path) -> list[str]:
        """What a file says."""
        return list(self._read(database)["texts"])

    def _read(self, path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ServiceUnavailableError(f"{path}: {error}") from error
