"""The home, the folder of all state: created private, or made private and reported if other users could open it.

The folder's own mode is the barrier: no other user gets past it, whatever modes the libraries give to what they write
inside. The content of a folder that was open is closed too, since another user's process may still be in it.

The schema version of a home: which form its files have, and how a home of an earlier version is migrated.

A change that an earlier version of the project could not read, or would read wrongly, increments the version and adds
a migration. A migration is repeatable: it may be interrupted, and two commands may run it at once.
"""

import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cv_yolo.errors import ConfigError
from cv_yolo.files import OTHERS, PRIVATE, owner_of, private_folder, write_whole

READ: Final = stat.S_IRGRP | stat.S_IROTH
WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
ENTER: Final = stat.S_IXGRP | stat.S_IXOTH
KEYS: Final = {"connection.json", "credentials.json", "credentials.yaml", "auth.ini", "database_grants.sql"}
DVC_KEYS: Final = Path("dvc", "global", "config")
DVC_STATE: Final = Path("dvc", "site")  # DVC loads pickles from it
NAMED: Final = 3


@dataclass(slots=True)
class _Found:
    """The paths inside a folder that other users could access."""

    keys: list[str] = field(default_factory=list)
    writable: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def keep_private(home: Path) -> Iterator[str]:
    """Make the folder of all state private; yields what the user must know.

    Raises `ConfigError` if it belongs to another user, or cannot be closed. If it can be neither found nor created,
    nothing happens: nothing can be written there either, and the code that writes reports it.
    """
    try:
        former = private_folder(home)
    except OSError:
        if home.exists():
            raise
        return
    home = home.resolve()
    if former & OTHERS:
        found = _Found()
        _close_inside(home, Path(), found)
        _forget_dvc_state(home)
        yield _sentence(home, former, found)
    (home / "tmp").mkdir(mode=PRIVATE, exist_ok=True)
    inner = home
    for name in (*DVC_STATE.parts, "repo"):  # DVC would make it world-writable
        inner /= name
        inner.mkdir(mode=PRIVATE, exist_ok=True)


def weak_places(home: Path) -> Iterator[str]:
    """The folders above the home whose other users could put another one in its place, each with what to do."""
    if not hasattr(os, "geteuid"):
        return
    for folder in home.absolute().parents:
        found = folder.stat() if folder.is_dir() else None
        if found is None:
            continue
        if found.st_uid not in {0, os.geteuid()}:
            yield f"{folder} belongs to {owner_of(found.st_uid)}, who can replace {home}: use another (CV_YOLO_HOME)"
        elif _others_may_replace(found):
            yield f"{folder}: other users can write there, and replace {home}: `chmod go-w {folder}`"


def _others_may_replace(found: os.stat_result) -> bool:
    if found.st_mode & stat.S_ISVTX:
        return False
    return bool(found.st_mode & stat.S_IWOTH) or bool(found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid))


def _is_own_group(group_id: int) -> bool:
    """Whether it is the group that many systems give each user for himself."""
    import grp

    try:
        group = grp.getgrgid(group_id)
    except KeyError:
        return False
    return group.gr_name == owner_of(os.geteuid()) and set(group.gr_mem) <= {group.gr_name}


def _close_inside(home: Path, folder: Path, found: _Found) -> None:
    """Close what is in an open folder; closed folders inside have protected their own content."""
    for path in sorted((home / folder).iterdir()):
        with suppress(FileNotFoundError):  # a running server removes files meanwhile
            _close_one(home, folder / path.name, found)


def _close_one(home: Path, path: Path, found: _Found) -> None:
    known = (home / path).lstat()
    kind, mode = stat.S_IFMT(known.st_mode), stat.S_IMODE(known.st_mode)
    if kind == stat.S_IFLNK:
        return
    if known.st_uid not in {0, os.geteuid()}:
        _set_aside(home / path)
        found.foreign.append(str(path))
        return
    if mode & READ and (path.name in KEYS or path == DVC_KEYS) and known.st_size:
        found.keys.append(str(path))
    if mode & WRITE:
        found.writable.append(str(path))
    if known.st_uid != os.geteuid() or kind not in {stat.S_IFREG, stat.S_IFDIR}:
        return  # root's, or no content: the barrier is enough
    if mode & OTHERS:
        _close(home / path)
    if kind == stat.S_IFDIR and mode & (READ | ENTER):
        _close_inside(home, path, found)


def _close(path: Path) -> None:
    """By descriptor, never through a link that was put in its place a moment ago."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        os.fchmod(handle, stat.S_IMODE(os.fstat(handle).st_mode) & ~OTHERS)
    finally:
        os.close(handle)


def _set_aside(path: Path) -> None:
    """Set aside under a name that nothing reads: the user should look at what another user put there."""
    path.rename(path.with_name(f"{path.name}.of-another-user-{secrets.token_hex(4)}"))


def _forget_dvc_state(home: Path) -> None:
    """Remove DVC's own state, which it recreates: others could write pickles in it, which DVC would load."""
    state = home / DVC_STATE
    if state.is_dir():
        apart = state.with_name(f"{state.name}.removed-{secrets.token_hex(4)}")
        state.rename(apart)
        shutil.rmtree(apart, ignore_errors=True)  # what another user owns in it stays, under a name that nothing reads


def _sentence(home: Path, mode: int, found: _Found) -> str:
    parts = [f"{home} was open to other users of this machine (mode {mode:04o}); it is now private."]
    if found.writable:
        parts.append(f"They could write: {_some(found.writable)}.")
    if found.foreign:
        parts.append(f"Set aside, since another user put it there: {_some(found.foreign)}.")
    if found.keys:
        parts.append(
            f"They could read keys: {_some(found.keys)}. Replace these: `cv-yolo stack key NAME`, where the servers "
            "run, creates a new key for `cv-yolo connect` and revokes the old one; see SECURITY.md for the others."
        )
    return " ".join(parts)


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ", ".join(found[:NAMED]) + more


HOME_SCHEMA: Final = 2
FILE: Final = "schema.json"
UPGRADE: Final = "install that version of zenml-cv-yolo or a newer one, or use another home: CV_YOLO_HOME=…"


def migrate(home: Path) -> None:
    """Migrate a home to the current schema; raises `ConfigError` for one written by a newer version of the project.

    Without a home, it could not be created, and the code that needs it reports that.
    """
    if not home.is_dir():
        return
    found = schema_of(home)
    if found > HOME_SCHEMA:
        raise ConfigError(
            f"{home}: written by a newer version (schema {found}; this version reads up to {HOME_SCHEMA})", hint=UPGRADE
        )
    if found < HOME_SCHEMA:
        for version in range(found, HOME_SCHEMA):
            MIGRATIONS[version](home)
        write_whole(home / FILE, json.dumps({"schema": HOME_SCHEMA}) + "\n")


def schema_of(home: Path) -> int:
    """The home's schema; version 1 did not write it down."""
    path = home / FILE
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["schema"])
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a schema version: {error}", hint="restore the home from a backup") from error


def _name_models(home: Path) -> None:
    """1 → 2: a finished training is a model with artifacts; it used to be the model alone."""
    for path in sorted((home / "trained").glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # such a record was none before, either
        if "model" not in record:
            write_whole(path, json.dumps({"model": record, "artifacts": []}, indent=1))


MIGRATIONS: Final[Mapping[int, Callable[[Path], None]]] = {1: _name_models}
