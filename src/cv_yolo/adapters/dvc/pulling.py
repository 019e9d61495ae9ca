"""Pulling in the child process: fetch what this machine lacks, verify every file, and swap the folder in whole."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dvc_data.hashfile.db import get_index
from dvc_data.hashfile.transfer import transfer
from dvc_data.hashfile.tree import Tree

from cv_yolo.adapters.dvc.meters import ProgressMeter, ShardMeter
from cv_yolo.adapters.dvc.packing import md5_of, unpack
from cv_yolo.adapters.dvc.project import (
    DvcProject,
    failures,
    files_in,
    read_shards,
    stats_of,
    tree_of,
)
from cv_yolo.adapters.dvc.records import DatasetRecord
from cv_yolo.domain.data.shards import ShardIndex, ShardSlot, StoredFile
from cv_yolo.errors import DatasetError

PULLING: Final = "pulling"
FORMER: Final = "former"
Fill = Callable[[Path, Sequence[StoredFile]], None]  # writes files into a folder


@dataclass(kw_only=True)
class Pulled:
    """What a pull did, for the parent process; with `found` False neither cache nor remote has what is recorded."""

    found: bool = False
    hash: str = ""
    files: int = 0
    bytes: int = 0
    downloaded_objects: int = 0
    downloaded_bytes: int = 0
    remote: str = ""

    @property
    def message(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def cached(project: DvcProject, output: Any) -> Pulled:
    """What the cache has of a folder's objects, where there is no remote."""
    pulled = Pulled(hash=output.hash_info.value)
    if project.cache.exists(pulled.hash):
        files = files_in(Tree.load(project.cache, output.hash_info), project.cache)
        pulled.found = all(project.cache.exists(file.md5) for file in files)
        pulled.files, pulled.bytes = len(files), sum(file.bytes for file in files)
    return pulled


def fetch_objects(project: DvcProject, output: Any, hash: str) -> tuple[Pulled, Any]:
    """Have the cache hold a folder's objects, each verified; returns what was done, and the list of files."""
    remote = project.remote(output, "pull")
    pulled = Pulled(hash=hash, remote=project.remote_name(output))
    tree = project.tree(hash, remote)
    if tree is None:
        return pulled, None
    meter = ProgressMeter("Comparing")
    missing: set[Any] = set()

    def found(status: Any) -> None:
        missing.update(status.missing)
        whole = len(status.new) == len({each.value for _, _, each in tree})
        size = output.meta.size or 0 if whole and output.hash_info == tree.hash_info else 0
        meter.begin("Downloading", files=len(status.new), total_bytes=size)

    with failures() as reasons, closing(get_index(remote)) as index:
        done = transfer(
            *(remote, project.cache, {tree.hash_info}),
            shallow=False,
            src_index=index,
            cache_odb=project.cache,
            verify=True,
            validate_status=found,
            callback=meter,
        )
    if done.failed and not all(isinstance(each, FileNotFoundError) for each in reasons):
        raise next(each for each in reasons if not isinstance(each, FileNotFoundError))
    files = files_in(tree, project.cache)
    sizes = {file.md5: file.bytes for file in files}
    lost = {each.value for each in (*missing, *done.failed)}
    damaged = sorted(file.path for file in files if file.md5 not in lost and not project.cache.exists(file.md5))
    if damaged:
        raise DatasetError(
            f"{len(damaged)} files on the remote are damaged, as {damaged[0]}",
            hint="remove them there, and push the data again from a machine that has them",
        )
    new = {each.value for each in done.transferred}
    pulled.found, pulled.files, pulled.bytes = not lost, len(files), sum(file.bytes for file in files)
    pulled.downloaded_objects, pulled.downloaded_bytes = len(new), sum(sizes.get(each, 0) for each in new)
    return pulled, tree


def fetch_shards(project: DvcProject, record: DatasetRecord, folder: Path) -> Pulled:
    """Unpack recorded shards into a folder: each file verified, a shard at a time, and the folder swapped in whole."""
    remote = project.remote(command="pull")
    pulled = Pulled(hash=record.content, remote=project.remote_name())
    tree = project.tree(record.stored, remote)
    index = None if tree is None else read_shards(project, record, tree, remote)
    if tree is None or index is None:
        return pulled
    wanted = {path: StoredFile(path=path, bytes=slot.bytes, md5=slot.md5) for path, slot in index.files.items()}

    def fill(staging: Path, left: Sequence[StoredFile]) -> None:
        slots = {file.path: index.files[file.path] for file in left}
        meter = ProgressMeter("Downloading", files=len(left), total_bytes=sum(file.bytes for file in left))
        for name, inside in sorted(_by_shard(slots).items()):
            _fetch_shard(project, remote, index, name, inside, staging, meter)
            pulled.downloaded_objects += 1
            pulled.downloaded_bytes += index.shards[name].bytes

    bring(project, wanted, folder, fill)
    project.keep_tree(tree_of(wanted.values()))
    pulled.found, pulled.files, pulled.bytes = True, len(wanted), sum(file.bytes for file in wanted.values())
    return pulled


def lay_out(project: DvcProject, tree: Any, folder: Path) -> None:
    """Copy a folder's objects from the cache to where they are wanted, which may be outside the project."""

    def fill(staging: Path, left: Sequence[StoredFile]) -> None:
        meter = ProgressMeter("Copying", files=len(left), total_bytes=sum(file.bytes for file in left))
        for file in left:
            place = staging / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(project.cache.oid_to_path(file.md5), place)
            if md5_of(place) != file.md5:
                raise DatasetError(f"{file.path}: damaged in DVC's cache", hint="remove the cache, and pull again")
            meter.step(files=1, size=file.bytes)

    bring(project, {file.path: file for file in files_in(tree, project.cache)}, folder, fill)


def bring(project: DvcProject, wanted: Mapping[str, StoredFile], folder: Path, fill: Fill) -> None:
    """Make the folder hold exactly these files; a pull that is interrupted leaves it as it was, and is continued.

    Raises `DatasetError` where the folder has files that are neither wanted nor known to DVC.
    """
    same = _same_files(project, wanted, folder)
    if same is None:
        return
    staging = folder.with_name(f".{folder.name}.{PULLING}")
    staging.mkdir(parents=True, exist_ok=True)
    _clean(staging, wanted)
    for path in same:
        _link(folder / path, staging / path)
    left = [file for path, file in sorted(wanted.items()) if not (staging / path).is_file()]
    fill(staging, left)
    found = {path: size for path, (size, _, _) in stats_of(staging).items()}
    if found != {path: file.bytes for path, file in wanted.items()}:
        raise DatasetError(f"{staging}: changed while the data were pulled", hint="pull them again")
    _swap(staging, folder)


def _same_files(project: DvcProject, wanted: Mapping[str, StoredFile], folder: Path) -> list[str] | None:
    """The files of the folder that are as wanted; None where it has these files and no others."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return []
    local = project.hashed(folder)
    same = [file.path for file in local.files if wanted.get(file.path) == file]
    other = sorted({file.path for file in local.files} - set(same))
    if not other and len(same) == len(wanted):
        return None
    if other and not project.cache.exists(local.hash):
        raise DatasetError(
            f"{folder}: {len(other)} files in it were never pushed, as {other[0]}; pulling would remove them",
            hint=f"push them (`cv-yolo data push {folder}`), or move the folder away, and pull again",
        )
    return same


def _clean(staging: Path, wanted: Mapping[str, StoredFile]) -> None:
    """Remove what an earlier pull left that is not wanted, or not whole."""
    found = stats_of(staging)
    meter = ProgressMeter("Verifying", files=len(found))
    for path in found:
        place, file = staging / path, wanted.get(path)
        if file is None or place.is_symlink() or md5_of(place) != file.md5:
            place.unlink()
        meter.step(files=1)


def _link(here: Path, place: Path) -> None:
    """Have a file of the folder in the next one, too, if possible without a copy."""
    if place.is_file():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        if here.is_symlink():
            raise OSError("a link")
        place.hardlink_to(here)
    except OSError:  # another file system, or one without links
        shutil.copyfile(here, place)


def _swap(staging: Path, folder: Path) -> None:
    former = folder.with_name(f".{folder.name}.{FORMER}")
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    staging.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def _by_shard(slots: Mapping[str, ShardSlot]) -> dict[str, dict[str, ShardSlot]]:
    inside: dict[str, dict[str, ShardSlot]] = {}
    for path, slot in slots.items():
        inside.setdefault(slot.shard, {})[path] = slot
    return inside


def _fetch_shard(
    project: DvcProject,
    remote: Any,
    index: ShardIndex,
    name: str,
    slots: Mapping[str, ShardSlot],
    staging: Path,
    meter: ProgressMeter,
) -> None:
    """Download a shard, and unpack what is wanted of it."""
    scratch = project.scratch / name
    counted = ShardMeter(meter, most=sum(slot.bytes for slot in slots.values()))
    try:
        remote.fs.get_file(remote.oid_to_path(index.shards[name].md5), str(scratch), callback=counted)
        unpack(scratch, slots, staging)
    except FileNotFoundError as error:
        raise DatasetError(
            f"{name}: the remote has lost this shard, with {len(slots)} files",
            hint="push the data again from a machine that has them: `cv-yolo data push FOLDER` packs the shard again",
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    counted.finish(len(slots))
