"""Shards on disk: plain tar files, the same bytes for the same files, and the JSON that says where each file is.

A shard's members are files under their paths, so that every tar program reads it. The lists (`files-00000.json`) and
`index.json`, which names the shards and the lists in order, say which members count: a later list overrides an earlier.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from cv_yolo.domain.data.shards import FileChanges, Shard, ShardIndex, ShardSlot, StoredFile, files_of
from cv_yolo.errors import DatasetError

FORMAT: Final = 1
INDEX: Final = "index.json"
SHARD_NAME: Final = re.compile(r"shard-\d{5,9}\.tar")
LIST_NAME: Final = re.compile(r"files-\d{5,9}\.json")
DAMAGED_HINT: Final = "push the data again from a machine that has them: `cv-yolo data push FOLDER --no-shards`"


def pack(files: Iterable[StoredFile], root: Path, out: Path) -> tuple[Shard, dict[str, int]]:
    """Write a shard; returns it, and where the content of each file begins.

    Raises `DatasetError` for a file that is no longer what it was when it was hashed.
    """
    offsets: dict[str, int] = {}
    content = 0
    with out.open("wb") as written:
        hashed = _Hashed(written)
        with tarfile.open(fileobj=cast("IO[bytes]", hashed), mode="w", format=tarfile.PAX_FORMAT) as tar:
            for file in files:
                offsets[file.path] = _add(tar, file, root)
                content += file.bytes
    return Shard(bytes=hashed.bytes, md5=hashed.md5.hexdigest(), content_bytes=content), offsets


def _add(tar: tarfile.TarFile, file: StoredFile, root: Path) -> int:
    """Add a file without its owner, mode and time; returns where its content begins."""
    member = tarfile.TarInfo(file.path)
    member.size, member.mode = file.bytes, 0o644
    path = root / file.path
    try:
        with path.open("rb") as opened:
            read = _Hashed(opened)
            tar.addfile(member, cast("IO[bytes]", read))
    except OSError as error:
        if not isinstance(error, FileNotFoundError) and error.errno is not None:
            raise
        raise changed(path) from error  # it is gone, or shorter
    if read.md5.hexdigest() != file.md5:
        raise changed(path)
    return tar.offset - -(-file.bytes // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def unpack(shard: Path, slots: Mapping[str, ShardSlot], root: Path) -> None:
    """Write files of a shard below `root`, each verified; raises `DatasetError` for a damaged one."""
    with shard.open("rb") as opened:
        for path, slot in sorted(slots.items(), key=lambda each: each[1].offset):
            opened.seek(slot.offset)
            content = opened.read(slot.bytes)
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != slot.md5:
                raise DatasetError(
                    f"{slot.shard}: damaged: the content of {path} is not what was recorded",
                    hint=DAMAGED_HINT,
                )
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def md5_of(path: Path) -> str:
    """The MD5 of a file, by which DVC names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def changed(path: Path) -> DatasetError:
    """The error for a file that changed while its folder was pushed."""
    return DatasetError(
        f"{path}: changed while the folder was pushed; nothing was recorded",
        hint="run the same command again when nothing writes there: what was uploaded is not uploaded again",
    )


def index_text(index: ShardIndex, content: str) -> str:
    """`index.json`; `content` is DVC's hash of the folder that the shards hold."""
    shards = {
        name: {"bytes": shard.bytes, "md5": shard.md5, "content_bytes": shard.content_bytes}
        for name, shard in sorted(index.shards.items())
    }
    return _text({"format": FORMAT, "content": content, "shards": shards, "lists": list(index.lists)})


def list_text(changes: FileChanges) -> str:
    """One list of files: `[shard, offset, bytes, md5]` by path."""
    files = {path: [slot.shard, slot.offset, slot.bytes, slot.md5] for path, slot in sorted(changes.files.items())}
    return _text({"format": FORMAT, "files": files, "removed": list(changes.removed)})


def read_index(where: str, read: Callable[[str], bytes]) -> ShardIndex:
    """The index of a data set in shards; `read` returns one of its files by name. Raises `DatasetError`."""
    content = _parsed(f"{where}/{INDEX}", read(INDEX))
    try:
        lists = tuple(str(name) for name in content["lists"])
        shards = {
            str(name): Shard(bytes=each["bytes"], md5=each["md5"], content_bytes=each["content_bytes"])
            for name, each in content["shards"].items()
        }
        if not all(map(SHARD_NAME.fullmatch, shards)) or not all(map(LIST_NAME.fullmatch, lists)):
            raise ValueError("a shard or a list has another name than ours")
        files = files_of([_read_list(_parsed(f"{where}/{name}", read(name))) for name in lists])
        if any(slot.shard not in shards for slot in files.values()):
            raise ValueError("a file is in a shard that the index does not name")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{where}: its index is damaged: {error}", hint=DAMAGED_HINT) from error
    return ShardIndex(files=files, shards=shards, lists=lists)


def _read_list(content: Mapping[str, Any]) -> FileChanges:
    files = {
        _safe(path): ShardSlot(shard=shard, offset=int(offset), bytes=int(size), md5=str(md5))
        for path, (shard, offset, size, md5) in content["files"].items()
    }
    return FileChanges(files=files, removed=tuple(map(str, content["removed"])))


def _safe(path: str) -> str:
    """A path that stays in its folder: the index may come from another person's project."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or {"..", "."} & set(path.split("/")) or "\0" in path or "\\" in path:
        raise ValueError(f"the path {path!r} leaves its folder")
    return path


def _parsed(where: str, content: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
        found = parsed["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{where}: damaged: {error}", hint=DAMAGED_HINT) from error
    if found != FORMAT:
        raise DatasetError(
            f"{where}: format {found!r}, this version reads {FORMAT}", hint="upgrade zenml-cv-yolo on this machine"
        )
    return dict(parsed)


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True) + "\n"


class _Hashed:
    """A file whose content is hashed while it is read or written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.bytes = file, 0
        self.md5 = hashlib.md5(usedforsecurity=False)

    def read(self, size: int = -1) -> bytes:
        """Read, and hash what was read."""
        return self._note(self._file.read(size))

    def write(self, content: bytes) -> int:
        """Hash, and write."""
        return self._file.write(self._note(content))

    def tell(self) -> int:
        """Where the file is."""
        return self._file.tell()

    def _note(self, content: bytes) -> bytes:
        self.md5.update(content)
        self.bytes += len(content)
        return content
