"""The port `DatasetHistory`: records of data sets in git's history, and the files that DVC's cache keeps of them.

Records and cache are read, and nothing is changed. Both of DVC's layouts of a cache are known: that of DVC 3, and the
one before.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from cv_yolo.adapters.dvc.git import Commit, GitRepository
from cv_yolo.errors import DatasetError
from cv_yolo.ports.revisions import LaidOutFiles, RecordedHistory, RecordedRevision, StoredFiles

DIRECTORY: Final = ".dir"
LOCK: Final = "dvc.lock"
DESCRIPTION: Final = "data.yaml"
RECORDS: Final = ("*.dvc", LOCK)
SHARDS: Final = ".shards"
HEAD: Final = "HEAD"
NO_DVC: Final = "DVC keeps no data of this project: `dvc init`, then `cv-yolo data push` the folder of the data set"
FETCH: Final = "`cv-yolo data pull` gets the files of the recorded revision, `dvc fetch --all-commits` those of all"
Records = dict[Path, str]  # DVC's hash by folder


class DvcHistory:
    """The project in `project`; `scratch` is where revisions are laid out."""

    def __init__(self, *, project: Path, scratch: Path) -> None:
        self._project, self._scratch = project, scratch
        self._git = GitRepository(project)
        self._parsed: dict[tuple[str, bytes], Records] = {}
        self._cache: Path | None = None

    def recorded(self, folder: Path | None = None, *, everywhere: bool = False) -> RecordedHistory:
        """The records of a folder, or of all that may hold a data set: models of stages do not."""
        found = self._recorded(folder, everywhere=everywhere)
        if folder is not None:
            return found
        others = {each.dvc_hash for each in found.revisions if not self._may_be_dataset(each.dvc_hash)}
        return replace(found, revisions=tuple(each for each in found.revisions if each.dvc_hash not in others))

    def _recorded(self, folder: Path | None, *, everywhere: bool) -> RecordedHistory:
        notes = [] if (self._project / ".dvc").is_dir() else [NO_DVC]
        current = self._current(folder, notes)
        problem = self._git.problem()
        if problem is not None:
            return RecordedHistory(revisions=tuple(current), notes=(*notes, problem))
        if self._git.is_shallow():
            notes.append("this clone is shallow: older commits are not here (`git fetch --unshallow`)")
        files = self._record_files(folder) if folder is not None else self._git.files(RECORDS)
        committed = self._committed(files, folder, notes, everywhere=everywhere)
        head = {
            place: dvc_hash
            for records in self._read([(HEAD, file) for file in files], folder, notes).values()
            for place, dvc_hash in records.items()
        }
        uncommitted = [
            replace(each, former=head.get(each.folder)) for each in current if head.get(each.folder) != each.dvc_hash
        ]
        return RecordedHistory(revisions=(*uncommitted, *committed), notes=tuple(dict.fromkeys(notes)))

    def at(self, folder: Path, commit: str) -> RecordedRevision:
        """What a commit records of a folder."""
        problem = self._git.problem()
        if problem is not None:
            raise DatasetError(f"{folder.name}@{commit}: {problem}")
        found = self._git.commit(commit)
        if found is None:
            raise DatasetError(
                f"{folder.name}@{commit}: git knows no commit {commit}",
                hint="`git log --oneline` lists the commits, `git tag` the tags",
            )
        files = self._record_files(folder)
        for (_, file), content in self._git.contents([(found.name, file) for file in files]).items():
            for dvc_hash in self._of(file, content, folder).values():
                return _revision(folder, dvc_hash, file, found)
        raise DatasetError(
            f"{folder.name}@{commit}: that commit records no revision of {folder}",
            hint=f"`cv-yolo data log {folder}` lists the commits that do",
        )

    def stored(self, dvc_hash: str) -> StoredFiles:
        """Whether this machine has the files."""
        try:
            listed = self._listed(dvc_hash)
        except DatasetError:
            return StoredFiles(files=None)
        missing = sum(self._object(md5) is None for md5 in {*listed.values()})
        return StoredFiles(files=len(listed), missing=missing)

    @contextmanager
    def laid_out(self, dvc_hash: str) -> Iterator[LaidOutFiles]:
        """Links to the files in DVC's cache, under the names that they had."""
        listed = self._listed(dvc_hash)
        objects = {path: self._object(md5) for path, md5 in listed.items()}
        missing = [path for path, place in objects.items() if place is None]
        if missing:
            raise DatasetError(
                f"{len(missing)} of {len(listed)} files are not in DVC's cache: {missing[0]}"
                + (", …" if len(missing) > 1 else ""),
                hint=FETCH,
            )
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="revision-", dir=self._scratch) as scratch:
            root = Path(scratch)
            for folder in {(root / path).parent for path in objects}:
                folder.mkdir(parents=True, exist_ok=True)
            for path, place in objects.items():
                if place is not None:
                    os.symlink(place, root / path)  # noqa: PTH211 - pathlib takes twice as long
            yield LaidOutFiles(root=root, md5=listed)

    def _may_be_dataset(self, dvc_hash: str) -> bool:
        try:
            return DESCRIPTION in self._listed(dvc_hash)
        except DatasetError:
            return True

    def _current(self, folder: Path | None, notes: list[str]) -> list[RecordedRevision]:
        """What the records say now, committed or not."""
        found = []
        for file in self._record_files(folder) if folder is not None else self._files_now():
            path = self._project / file
            if not path.is_file():
                continue
            try:
                records = self._of(file, path.read_bytes(), folder)
            except (OSError, DatasetError) as error:
                notes.append(f"{file}: cannot be read: {_reason(error)} (`git checkout {file}` restores it)")
                continue
            found += [
                RecordedRevision(folder=place, dvc_hash=dvc_hash, file=file) for place, dvc_hash in records.items()
            ]
        return found

    def _committed(
        self, files: Sequence[str], folder: Path | None, notes: list[str], *, everywhere: bool
    ) -> Iterator[RecordedRevision]:
        """What commits recorded that was not recorded in the commit before."""
        commits = self._git.commits(files, everywhere=everywhere) if files else ()
        names = dict.fromkeys(name for each in commits for name in (each.name, each.parent) if name is not None)
        records = self._read([(name, file) for name in names for file in files], folder, notes)
        for commit in commits:
            for file in files:
                former = records.get((commit.parent or "", file), {})
                for place, dvc_hash in records.get((commit.name, file), {}).items():
                    if former.get(place) != dvc_hash:
                        yield _revision(place, dvc_hash, file, commit, former.get(place))

    def _read(
        self, places: Sequence[tuple[str, str]], folder: Path | None, notes: list[str]
    ) -> dict[tuple[str, str], Records]:
        """What files record in commits; content that cannot be read is noted once."""
        records: dict[tuple[str, str], Records] = {}
        noted: set[tuple[str, bytes]] = set()
        for (name, file), content in self._git.contents(places).items():
            try:
                records[name, file] = self._of(file, content, folder)
            except DatasetError as error:
                if (file, content) in noted:
                    continue
                noted.add((file, content))
                notes.append(f"{file} in commit {name[:7]}: cannot be read: {_reason(error)}")
        return records

    def _record_files(self, folder: Path) -> tuple[str, ...]:
        """The files that may record a folder, as paths in the project; for one outside of it, all that there were."""
        for place, project in ((_plain(folder), _plain(self._project)), (folder.resolve(), self._project.resolve())):
            if place.is_relative_to(project):
                inside = place.relative_to(project).as_posix()
                return (f"{inside}.dvc", f"{inside}{SHARDS}.dvc", LOCK)
        return tuple(dict.fromkeys([*self._files_now(), *self._git.files(RECORDS)]))

    def _files_now(self) -> tuple[str, ...]:
        found = [path for path in (self._project / "data").glob("*.dvc") if path.is_file()]
        return (*sorted(path.relative_to(self._project).as_posix() for path in found), LOCK)

    def _of(self, file: str, content: bytes, folder: Path | None) -> Records:
        """What a file records, of that folder or of all."""
        if (file, content) not in self._parsed:
            self._parsed[file, content] = _records(self._project, file, content)
        records = self._parsed[file, content]
        if folder is None:
            return records
        found = [dvc_hash for place, dvc_hash in records.items() if _same(place, folder)]
        return {folder: found[-1]} if found else {}

    def _listed(self, dvc_hash: str) -> dict[str, str]:
        """The MD5 of each file of a revision, by path; raises `DatasetError` where the list is missing or damaged."""
        place = self._object(dvc_hash)
        if place is None:
            raise DatasetError(f"{dvc_hash}: not in DVC's cache", hint=FETCH)
        content = place.read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != dvc_hash.removesuffix(DIRECTORY):
            raise DatasetError(f"{place}: damaged: it does not have its MD5", hint=f"remove it; {FETCH}")
        try:
            listed = {str(each["relpath"]): str(each["md5"]) for each in json.loads(content)}
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{place}: not a list of files: {error}", hint=f"remove it; {FETCH}") from error
        for path in listed:
            parts = PurePosixPath(path).parts
            if not parts or path.startswith("/") or ".." in parts or "\0" in path:
                raise DatasetError(f"{place}: names a file outside the folder: {path!r}")
        return listed

    def _object(self, md5: str) -> Path | None:
        """Where the cache has this content; None where it does not."""
        if not md5.removesuffix(DIRECTORY).isalnum():
            return None
        if self._cache is None:
            self._cache = _cache_folder(self._project)
        for folder in (self._cache / "files" / "md5", self._cache):
            place = folder / md5[:2] / md5[2:]
            if place.is_file():
                return place
        return None


def _revision(folder: Path, dvc_hash: str, file: str, commit: Commit, former: str | None = None) -> RecordedRevision:
    return RecordedRevision(
        folder=folder,
        dvc_hash=dvc_hash,
        file=file,
        former=former,
        commit=commit.name,
        at=commit.at,
        author=commit.author,
        subject=commit.subject,
    )


def _records(project: Path, file: str, content: bytes) -> Records:
    """The folders and their hashes in a `.dvc` file or a `dvc.lock`."""
    try:
        read = yaml.load(content.decode("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(" ".join(str(error).split())) from error
    if not isinstance(read, dict):
        raise DatasetError("not a DVC file")
    folder = (project / file).parent
    try:
        if file.endswith(LOCK):
            stages = read.get("stages", read)
            outputs = [out for stage in stages.values() if isinstance(stage, dict) for out in stage.get("outs", [])]
            return _folders(folder, outputs)
        return _with_meta(project, file, read, _folders(folder / read.get("wdir", "."), read.get("outs", [])))
    except (AttributeError, KeyError, TypeError) as error:
        raise DatasetError(f"not a DVC file: {error}") from error


def _folders(base: Path, outputs: Sequence[dict[str, Any]]) -> Records:
    hashes = {_plain(base / str(each["path"])): str(each.get("md5", "")) for each in outputs}
    return {place: dvc_hash for place, dvc_hash in hashes.items() if dvc_hash.endswith(DIRECTORY)}


def _with_meta(project: Path, file: str, read: dict[str, Any], records: Records) -> Records:
    """The same for what `cv-yolo data push` records: sets in shards, by their content, and folders elsewhere."""
    ours = (read.get("meta") or {}).get("cv_yolo") or {}
    if not ours:
        return records
    source, content = ours.get("source"), ours.get("content")
    name = (project / file).name.removesuffix(".dvc").removesuffix(SHARDS)
    place = _plain((project / file).with_name(name) if source is None else project / str(source))
    return dict.fromkeys([place], str(content or next(iter(records.values())))) if records else {}


def _cache_folder(project: Path) -> Path:
    """Where DVC keeps files on this machine, as it is configured."""
    from dvc.config import Config, ConfigError

    folder = project / ".dvc"
    try:
        configured = Config(dvc_dir=str(folder))["cache"].get("dir") if folder.is_dir() else None
    except ConfigError as error:
        raise DatasetError(f"{folder / 'config'}: cannot be read: {error}") from error
    return folder / "cache" if configured is None else folder / str(configured)


def _plain(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _same(one: Path, other: Path) -> bool:
    return _plain(one) == _plain(other) or one.resolve() == other.resolve()


def _reason(error: OSError | DatasetError) -> str:
    return error.message if isinstance(error, DatasetError) else str(error.strerror)
