"""What a backup holds: everything by its place, with size and SHA-256; written down last, and in one form only.

A place is an area and a path in it: `home/…` and `project/…` are files of the project, `objects/BUCKET/KEY` is an
object of the store, `databases/…` a dump, `census/…` a snapshot of the servers. Contents are kept by their hash, once.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cv_yolo.errors import InputError

FORMAT: Final = 1
HOME: Final = "home"
PROJECT: Final = "project"
OBJECTS: Final = "objects"
DATABASES: Final = "databases"
SNAPSHOT: Final = "census"
AREAS: Final = (SNAPSHOT, DATABASES, HOME, OBJECTS, PROJECT)
CREDENTIALS: Final = f"{HOME}/services/credentials.json"
SAME_NEEDED: Final = ("zenml", "mlflow")  # each reads the records of its own version for certain


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file or object of the backup."""

    place: str
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        """A place stays inside its area: a backup must not be able to write elsewhere when it is restored."""
        parts = self.path.split("/")
        if self.area not in AREAS or not self.path or "\0" in self.place:
            raise ValueError(f"not a place in a backup: {self.place!r}")
        if self.area != OBJECTS and {"", ".", ".."} & set(parts):
            raise ValueError(f"not a path inside {self.area}: {self.place!r}")
        if self.size_bytes < 0 or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.place}: no size and SHA-256")

    @property
    def area(self) -> str:
        """What kind of thing it is."""
        return self.place.partition("/")[0]

    @property
    def path(self) -> str:
        """Where it is in its area: a relative path, or bucket and key."""
        return self.place.partition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupManifest:
    """A whole backup: when it was made, of which home, with which versions of the software, and all that it holds."""

    made_at: datetime
    home: str
    software: Mapping[str, str]
    kept: tuple[Kept, ...]

    def __post_init__(self) -> None:
        """Each place holds one thing."""
        if self.made_at.utcoffset() != timedelta(0):
            raise ValueError(f"a backup's time is in UTC, not {self.made_at.isoformat()}")
        places = [each.place for each in self.kept]
        if places != sorted(set(places)):
            raise ValueError("the places are not sorted, or not unique")

    @property
    def has_servers(self) -> bool:
        """Whether it is of servers that `cv-yolo up` runs; else it is of the embedded records alone."""
        return self.find(CREDENTIALS) is not None

    @property
    def size_bytes(self) -> int:
        """What all of it needs when it is restored."""
        return sum(each.size_bytes for each in self.kept)

    @property
    def sha256(self) -> str:
        """The hash that stands for everything in the backup."""
        return hashlib.sha256(json.dumps(self._said(), sort_keys=True).encode()).hexdigest()

    @property
    def text(self) -> str:
        """The one form in which a manifest is written."""
        return json.dumps(self._said() | {"sha256": self.sha256}, indent=1, sort_keys=True) + "\n"

    def area(self, name: str) -> Iterator[Kept]:
        """Its contents in one area."""
        return (each for each in self.kept if each.area == name)

    def find(self, place: str) -> Kept | None:
        """The content at that place."""
        return next((each for each in self.kept if each.place == place), None)

    def _said(self) -> dict[str, Any]:
        return asdict(self) | {"format": FORMAT, "made_at": self.made_at.isoformat()}


def manifest_of(kept: Sequence[Kept], *, made_at: datetime, home: str, software: Mapping[str, str]) -> BackupManifest:
    """The manifest of these, in order."""
    ordered = tuple(sorted(kept, key=lambda each: each.place))
    return BackupManifest(made_at=made_at, home=home, software=dict(software), kept=ordered)


def read_manifest(text: str) -> BackupManifest:
    """Parse a manifest; raises `ValueError` if a single character has changed."""
    try:
        said = json.loads(text)
        _require_known(said["format"])
        found = BackupManifest(
            made_at=datetime.fromisoformat(said["made_at"]),
            home=str(said["home"]),
            software=dict(said["software"]),
            kept=tuple(Kept(**each) for each in said["kept"]),
        )
        whole = found.text == text
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not the manifest of a backup: {error}") from error
    if not whole:
        raise ValueError("it was changed: the hash does not match")
    return found


def _require_known(written: int) -> None:
    """Every format up to today's is read; raises `InputError` for that of a newer version."""
    if written > FORMAT:
        raise InputError(
            f"the backup was made by a newer version (format {written}; this version reads up to {FORMAT})",
            hint="restore it with that version of zenml-cv-yolo or a newer one",
        )
    if written < 1:
        raise ValueError(f"no format: {written}")


def unlike(manifest: BackupManifest, software: Mapping[str, str]) -> tuple[str, ...]:
    """Which software is needed in another version than the one here: `zenml 0.98.0 (here: 0.99.0)`."""
    pairs = ((name, manifest.software.get(name), software.get(name)) for name in SAME_NEEDED)
    return tuple(f"{name} {theirs} (here: {ours or 'none'})" for name, theirs, ours in pairs if theirs != ours)


def relocation(former: str, now: str) -> Callable[[str], str]:
    """What names `now` wherever a text names the folder `former`, as a path or as a `file:` address."""
    names = {former: now, _address(former): _address(now)}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    expression = re.compile(rf"(?<![\w.-])({pattern})(?![\w.-])")  # in a longer name it is part of another folder
    return lambda text: expression.sub(lambda found: names[found[1]], text)


def _address(folder: str) -> str:
    return Path(folder).as_uri()
