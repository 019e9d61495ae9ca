"""Pushing in the child process: hash the folder, upload what the remote lacks, and record it last.

What is recorded is therefore always on the remote, and a push that was interrupted is continued by the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cv_yolo.adapters.dvc.meters import ProgressMeter, ShardMeter
from cv_yolo.adapters.dvc.packing import INDEX, index_text, list_text, md5_of, pack
from cv_yolo.adapters.dvc.project import (
    DvcProject,
    HashedFolder,
    MissingObjectsError,
    files_in,
    read_shards,
    tree_of,
)
from cv_yolo.adapters.dvc.records import FORMAT, SHARDS, DatasetRecord, record_beside
from cv_yolo.domain.data.shards import (
    Shard,
    ShardIndex,
    ShardPlan,
    ShardSlot,
    StoredFile,
    changes_since,
    needs_whole_list,
    plan_shards,
    use_shards,
)


@dataclass(frozen=True, kw_only=True)
class PushJob:
    """What is to be pushed: the folder whose record is written, and where its files are."""

    folder: Path
    source: Path
    outside: bool
    shards: bool | None

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the record says of where the files came from."""
        return {"source": str(self.source)} if self.outside else {}


@dataclass(kw_only=True)
class Pushed:
    """What a push did, for the parent process."""

    hash: str
    files: int
    bytes: int
    remote: str
    record: str | None = None
    recorded: bool = False
    uploaded_objects: int = 0
    uploaded_bytes: int = 0
    shards: int = 0
    repacked: int = 0
    why: str = ""

    @property
    def message(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def push_recorded(project: DvcProject, folder: Path) -> Pushed:
    """Upload what is recorded from the cache: the output of a stage, or a folder that is not here."""
    output = project.known_output(folder)
    remote = project.remote(output)
    tree = project.tree(output.hash_info.value, remote)
    if tree is None:
        raise MissingObjectsError(1)
    new, size = project.upload(project.cache, tree, remote)
    files = files_in(tree, project.cache)
    return Pushed(
        hash=output.hash_info.value,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        remote=project.remote_name(output),
        uploaded_objects=len(new),
        uploaded_bytes=size,
    )


def push_folder(project: DvcProject, job: PushJob) -> Pushed:
    """Record and upload a folder as it is now, as single objects or in shards."""
    former = record_beside(job.folder)
    output = project.output(job.folder)
    remote = project.remote(output)
    folder = project.hashed(job.source, ignore=None if job.outside else output.dvcignore)
    files = folder.files
    sharded, why = use_shards(len(files), asked=job.shards, recorded=None if former is None else former.sharded)
    pushed = Pushed(
        hash=folder.hash,
        files=len(files),
        bytes=sum(file.bytes for file in files),
        remote=project.remote_name(output),
        why=why,
    )
    if sharded:
        _in_shards(project, job, folder, former, pushed)
    else:
        _as_objects(project, job, folder, output, remote, pushed)
    if former is not None and former.sharded != sharded:
        former.pointer.unlink()
    return pushed


def _as_objects(
    project: DvcProject, job: PushJob, folder: HashedFolder, output: Any, remote: Any, pushed: Pushed
) -> None:
    source = folder.staging
    if not job.outside:  # the cache keeps the project's own data, as `dvc add` does
        new, _ = project.upload(folder.staging, folder.tree, project.cache, stage="Recording")
        _require_unchanged(folder, project.cache, new)
        source = project.cache
    new, pushed.uploaded_bytes = project.upload(source, folder.tree, remote)
    pushed.uploaded_objects = len(new)
    if job.outside:
        _require_unchanged(folder, remote, new)
        project.keep_tree(folder.tree)
    pushed.recorded = project.record(output, folder.tree, job.meta)
    pushed.record = output.stage.relpath


def _require_unchanged(folder: HashedFolder, store: Any, new: set[str]) -> None:
    """Raise `DatasetError` where files changed; what was copied of them under a wrong hash is removed first."""
    different = set(folder.changed())
    for file in folder.files:
        if file.path in different and file.md5 in new:
            store.delete(file.md5)
    if different:
        if folder.hash in new:
            store.delete(folder.hash)
        folder.require_unchanged()


@dataclass(frozen=True, kw_only=True)
class _RecordedShards:
    """What the record says: the index without lost shards, and the objects of the folder of shards by name."""

    index: ShardIndex
    objects: Mapping[str, StoredFile]


@dataclass(kw_only=True)
class _Shards:
    """The folder of shards that a push makes: where each file is, and the objects that it consists of."""

    project: DvcProject
    remote: Any
    shards: dict[str, Shard] = field(default_factory=dict)
    files: dict[str, ShardSlot] = field(default_factory=dict)
    uploaded: list[int] = field(default_factory=list)

    def pack(self, name: str, files: tuple[StoredFile, ...], root: Path, meter: ProgressMeter) -> None:
        """Pack a shard, and upload it unless the remote has it."""
        path = self.project.scratch / name
        counted = ShardMeter(meter, most=sum(file.bytes for file in files))
        try:
            self.shards[name], offsets = pack(files, root, path)
            self._put(path, self.shards[name].md5, self.shards[name].bytes, counted)
        finally:
            path.unlink(missing_ok=True)
        counted.finish(len(files))
        for file in files:
            self.files[file.path] = ShardSlot(shard=name, offset=offsets[file.path], bytes=file.bytes, md5=file.md5)

    def write(self, name: str, text: str) -> StoredFile:
        """Upload a small file, and keep it in the cache."""
        path = self.project.scratch / name
        try:
            path.write_text(text, encoding="utf-8")
            file = StoredFile(path=name, bytes=path.stat().st_size, md5=md5_of(path))
            self._put(path, file.md5, file.bytes)
            self.project.keep(path, file.md5)
        finally:
            path.unlink(missing_ok=True)
        return file

    def _put(self, path: Path, md5: str, size: int, callback: Any = None) -> None:
        if not self.remote.exists(md5):
            self.project.put(path, md5, self.remote, callback)
            self.uploaded.append(size)


def _in_shards(
    project: DvcProject, job: PushJob, folder: HashedFolder, former: DatasetRecord | None, pushed: Pushed
) -> None:
    output = project.output(job.folder.with_name(f"{job.folder.name}{SHARDS}"))
    remote = project.remote(output)
    known = None if former is None or not former.sharded else _known(project, former, remote)
    plan = plan_shards(folder.files, None if known is None else known.index)
    made = _packed(project, folder, plan, known, remote)
    tree = _listed(made, known, plan, folder.hash)
    folder.require_unchanged()
    if not remote.exists(tree.hash_info.value):
        project.put_tree(tree, remote)
    project.keep_tree(tree)
    project.keep_tree(folder.tree)
    meta = {"format": FORMAT, "content": folder.hash, "files": pushed.files, "bytes": pushed.bytes, **job.meta}
    pushed.recorded = project.record(output, tree, meta, ignored=job.folder.absolute())
    pushed.record = output.stage.relpath
    pushed.uploaded_objects, pushed.uploaded_bytes = len(made.uploaded), sum(made.uploaded)
    pushed.shards, pushed.repacked = len(made.shards), len(plan.repacked)


def _known(project: DvcProject, record: DatasetRecord, remote: Any) -> _RecordedShards | None:
    """What is recorded, without shards that the remote has lost or has in part; None where it has lost the lists."""
    tree = project.tree(record.stored, remote)
    if tree is None:
        return None
    index = read_shards(project, record, tree, remote)
    if index is None:
        return None
    objects = {file.path: file for file in files_in(tree, project.cache)}
    whole = {name for name, shard in index.shards.items() if _size(remote, shard.md5) == shard.bytes}
    if whole != set(index.shards):
        index = ShardIndex(
            shards={name: shard for name, shard in index.shards.items() if name in whole},
            files={path: slot for path, slot in index.files.items() if slot.shard in whole},
        )
    return _RecordedShards(index=index, objects=objects)


def _size(remote: Any, md5: str) -> int | None:
    try:
        return int(remote.fs.info(remote.oid_to_path(md5))["size"])
    except FileNotFoundError:
        return None


def _packed(
    project: DvcProject, folder: HashedFolder, plan: ShardPlan, known: _RecordedShards | None, remote: Any
) -> _Shards:
    there = {} if known is None else known.index.shards
    made = _Shards(
        project=project,
        remote=remote,
        shards={name: each for name, each in there.items() if name not in plan.repacked},
        files=dict(plan.kept),
    )
    packed = [file for files in plan.packed.values() for file in files]
    meter = ProgressMeter("Uploading", files=len(packed), total_bytes=sum(file.bytes for file in packed))
    for name, files in plan.packed.items():
        made.pack(name, files, folder.root, meter)
    return made


def _listed(made: _Shards, known: _RecordedShards | None, plan: ShardPlan, content: str) -> Any:
    """Write the next list and the index; returns DVC's list of the folder of shards."""
    former = None if known is None else known.index
    whole = needs_whole_list(former, plan)
    changes = changes_since(former, made.files, whole=whole)
    kept = () if former is None or whole else former.lists
    objects = [] if known is None else [known.objects[name] for name in kept]
    if whole or changes.files or changes.removed:
        name = f"files-{len(kept):05}.json"
        objects.append(made.write(name, list_text(changes)))
        kept = (*kept, name)
    index = ShardIndex(files=made.files, shards=made.shards, lists=kept)
    objects.append(made.write(INDEX, index_text(index, content)))
    objects += [StoredFile(path=name, bytes=each.bytes, md5=each.md5) for name, each in made.shards.items()]
    return tree_of(objects)
