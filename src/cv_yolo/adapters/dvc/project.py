"""A DVC project opened in the child process that transfers: its cache, its remote, a folder's files by hash."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dvc.repo import Repo
from dvc.repo.add import get_or_create_stage
from dvc_data.hashfile.build import build
from dvc_data.hashfile.db import get_index
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.meta import Meta
from dvc_data.hashfile.transfer import transfer
from dvc_data.hashfile.tree import Tree
from dvc_objects.fs.local import LocalFileSystem
from fsspec.callbacks import Callback  # type: ignore[import-untyped]

from cv_yolo.adapters.dvc.meters import ProgressMeter
from cv_yolo.adapters.dvc.packing import changed, md5_of, read_index
from cv_yolo.adapters.dvc.records import META, SHARDS, DatasetRecord
from cv_yolo.domain.data.shards import ShardIndex, StoredFile
from cv_yolo.errors import DatasetError

DIRECTORY: Final = ".dir"
FAILED: Final = "dvc_data.hashfile.transfer"  # the logger that names what could not be transferred, and why
Stats = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True, kw_only=True, eq=False)
class HashedFolder:
    """A folder whose files DVC has hashed: `tree` lists them, `staging` refers to them, `stats` is how they were."""

    root: Path
    tree: Any
    staging: Any
    stats: Stats

    @property
    def hash(self) -> str:
        """DVC's hash of the folder."""
        return str(self.tree.hash_info.value)

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """Its files."""
        return files_in(self.tree)

    def changed(self) -> tuple[str, ...]:
        """The files that are not as they were before they were hashed: changed, new, or gone."""
        now = stats_of(self.root)
        return tuple(sorted(path for path in {*now, *self.stats} if now.get(path) != self.stats.get(path)))

    def require_unchanged(self) -> None:
        """Raise `DatasetError` where something changed in the folder since it was hashed."""
        for path in self.changed():
            raise changed(self.root / path)


def files_in(tree: Any, cache: Any = None) -> tuple[StoredFile, ...]:
    """The files of one of DVC's lists of a folder; a list that was read has no sizes, they are those in the cache."""
    return tuple(
        StoredFile(path="/".join(key), bytes=_size(meta.size, hash.value, cache), md5=hash.value)
        for key, meta, hash in tree
    )


def _size(known: int | None, md5: str, cache: Any) -> int:
    if known is not None or cache is None:
        return known or 0
    path = Path(cache.oid_to_path(md5))
    return path.stat().st_size if path.is_file() else 0


def tree_of(files: Iterable[StoredFile]) -> Any:
    """DVC's list of a folder with these files."""
    tree = Tree()
    for file in files:
        tree.add(tuple(file.path.split("/")), Meta(size=file.bytes), HashInfo("md5", file.md5))
    tree.digest()
    return tree


def stats_of(root: Path) -> Stats:
    """Size, time and number of every file below a folder."""
    found: dict[str, tuple[int, int, int]] = {}
    for folder, _, names in os.walk(root, onerror=_refuse):
        inside = os.path.relpath(folder, root)
        for name in names:
            status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - pathlib takes twice as long
            found[os.path.normpath(f"{inside}/{name}")] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def _refuse(error: OSError) -> None:
    raise error


class DvcProject:
    """The project in the current folder; `remote` names the remote, None for the project's own."""

    def __init__(self, remote: str | None) -> None:
        self.repo = Repo()
        self._remote = remote

    @property
    def cache(self) -> Any:
        """Where this machine keeps what DVC knows."""
        return self.repo.cache.local

    def remote(self, output: Any = None, command: str = "push") -> Any:
        """The objects on the remote; an output may name a remote of its own."""
        return self.repo.cloud.get_remote_odb(self._remote or getattr(output, "remote", None), command)

    def has_remote(self, output: Any = None) -> bool:
        """Whether there is a remote at all."""
        return self.remote_name(output) != ""

    def remote_name(self, output: Any = None) -> str:
        """The name of the remote."""
        return str(self._remote or getattr(output, "remote", None) or self.repo.config["core"].get("remote") or "")

    def output(self, target: Path) -> Any:
        """The output of a `.dvc` file for a folder; the file need not be there yet.

        Raises DVC's errors where the folder overlaps with another output, or is tracked by git.
        """
        output = self._recorded(target)
        if output is None:
            stage = get_or_create_stage(self.repo, os.path.relpath(target)).stage
            self.repo.check_graph(stages=[stage])
            output = stage.outs[0]
        if output.use_scm_ignore and self.repo.scm.is_tracked(output.fspath):
            raise DatasetError(
                f"{os.path.relpath(target)}: git tracks its files, and DVC would keep them, too",
                hint=f"take them out of git, they stay on disk: git rm -r --cached {os.path.relpath(target)}",
            )
        return output

    def known_output(self, target: Path) -> Any:
        """The output that a `.dvc` file or a stage records for a folder."""
        recorded = self._recorded(target)
        return self.repo.find_outs_by_path(str(target))[0] if recorded is None else recorded

    def _recorded(self, target: Path) -> Any:
        """The output of the `.dvc` file next to a folder: DVC finds none that it believes to be ignored by git."""
        pointer = Path(f"{os.path.relpath(target)}.dvc")
        return self.repo.stage.load_one(str(pointer)).outs[0] if pointer.is_file() else None

    def hashed(self, root: Path, *, ignore: Any = None, stage: str = "Hashing") -> HashedFolder:
        """Hash every file of a folder; those that did not change since are not read again."""
        stats = stats_of(root)
        if not stats:
            raise DatasetError(f"{root}: no files in it", hint="give the folder that has data.yaml, images and labels")
        meter = ProgressMeter(stage, files=len(stats))
        staging, _, tree = build(self.cache, str(root), LocalFileSystem(), "md5", ignore=ignore, callback=meter)
        return HashedFolder(root=root, tree=tree, staging=staging, stats=stats)

    def record(self, output: Any, tree: Any, meta: Mapping[str, Any], *, ignored: Path | None = None) -> bool:
        """Write the `.dvc` file of an output, and have git ignore its folder; False where it says so already."""
        files = files_in(tree)
        size = sum(file.bytes for file in files)
        others = {key: value for key, value in (output.stage.meta or {}).items() if key != META}
        wanted = (others | ({META: dict(meta)} if meta else {})) or None
        known = output.hash_info and output.hash_info.value == tree.hash_info.value and output.stage.meta == wanted
        if known and Path(output.stage.path).is_file():
            return False
        output.hash_info, output.obj, output.files = tree.hash_info, tree, None
        output.meta = Meta(size=size, nfiles=len(files), isdir=True)
        output.stage.meta = wanted
        with self.repo.scm_context(quiet=True):
            output.ignore()
            if ignored is not None and output.use_scm_ignore:
                self.repo.scm_context.ignore(str(ignored))
            output.stage.dump()
        return True

    def upload(self, source: Any, tree: Any, to: Any, *, stage: str = "Uploading") -> tuple[set[str], int]:
        """Copy what is missing of a folder's objects, its list last; returns the hashes that were new, their bytes."""
        sizes = {file.md5: file.bytes for file in files_in(tree, self.cache)}
        meter = ProgressMeter("Comparing")

        def found(status: Any) -> None:
            meter.begin(stage, files=len(status.new), total_bytes=sum(sizes.get(each.value, 0) for each in status.new))
            if status.missing:
                raise MissingObjectsError(len(status.missing))

        with failures() as reasons, self._index(to) as index:
            done = transfer(
                *(source, to, {tree.hash_info}),
                shallow=False,
                dest_index=index,
                validate_status=found,
                callback=meter,
            )
        if done.failed:
            raise reasons[0] if reasons else OSError(f"{len(done.failed)} objects could not be transferred")
        new = {each.value for each in done.transferred}
        return new, sum(sizes.get(each, 0) for each in new)

    def _index(self, to: Any) -> AbstractContextManager[Any]:
        """What is known of a remote, by which it is asked less; the cache may have a list without its files."""
        return nullcontext() if to == self.cache else closing(get_index(to))

    def put(self, path: Path, md5: str, to: Any, callback: Any = None) -> None:
        """Upload one file as an object."""
        to.add(str(path), LocalFileSystem(), md5, check_exists=False, callback=callback or Callback())

    def put_tree(self, tree: Any, to: Any) -> None:
        """Upload the list of a folder's files, whose files are there."""
        to.add(tree.path, tree.fs, tree.hash_info.value, check_exists=False)

    def small(self, md5: str, remote: Any) -> bytes | None:
        """A small object from the cache, else from the remote, which is then cached; None where neither has it."""
        path = Path(self.cache.oid_to_path(md5))
        if not path.is_file():
            with _scratch_file(self.scratch) as scratch:
                try:
                    remote.fs.get_file(remote.oid_to_path(md5), str(scratch))
                except FileNotFoundError:
                    return None
                if md5_of(scratch) != md5.removesuffix(DIRECTORY):
                    raise DatasetError(f"{md5}: damaged on the remote", hint="push the data again: --no-shards")
                self.keep(scratch, md5)
        return path.read_bytes()

    def keep(self, path: Path, md5: str) -> None:
        """Have the cache know a small file."""
        self.cache.add(str(path), LocalFileSystem(), md5, hardlink=False)

    def keep_tree(self, tree: Any) -> None:
        """Have the cache know the list of a folder's files."""
        self.cache.add(tree.path, tree.fs, tree.hash_info.value, hardlink=False)

    def tree(self, hash: str, remote: Any) -> Any | None:
        """The list of a folder's files; None where neither cache nor remote has it."""
        if self.small(hash, remote) is None:
            return None
        return Tree.load(self.cache, HashInfo("md5", hash))

    @property
    def scratch(self) -> Path:
        """Where shards are while a command runs."""
        return Path(self.repo.tmp_dir, "cv-yolo")

    def clear_scratch(self) -> None:
        """Remove what a command that was killed left there."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)


def read_shards(project: DvcProject, record: DatasetRecord, tree: Any, remote: Any) -> ShardIndex | None:
    """The index of recorded shards; `tree` lists their files. None where neither cache nor remote has it."""
    contents = {file.path: project.small(file.md5, remote) for file in files_in(tree) if file.path.endswith(".json")}
    if any(content is None for content in contents.values()):
        return None
    return read_index(record.folder.name + SHARDS, lambda name: contents[name] or b"")


class MissingObjectsError(Exception):
    """Recorded files are neither here nor on the remote."""

    def __init__(self, count: int) -> None:
        super().__init__(f"Missing cache files: {count}")
        self.count = count


@contextmanager
def _scratch_file(folder: Path) -> Iterator[Path]:
    path = folder / f"{os.getpid()}.part"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def failures() -> Iterator[list[BaseException]]:
    """The reasons why objects could not be transferred, which DVC only logs."""
    found: list[BaseException] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
                found.append(record.exc_info[1])

    handler, logger = Keep(), logging.getLogger(FAILED)
    logger.addHandler(handler)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
