"""How the files of a large data set are packed into shards: what is packed, what stays, and what is packed again.

One object per image costs a remote 6 to 8 ms each, whatever its size; a shard is one object for thousands of images.
Shards are append-only: a push packs what no shard holds yet, and leaves the others as they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

SHARD_BYTES: Final = 256_000_000
SHARDED_FROM: Final = 20_000  # files: about two minutes as single objects
MOST_DEAD: Final = 0.3  # of a shard's content; the rest is packed again
SMALL_SHARE: Final = 0.125  # a shard that is smaller is small
MOST_SMALL: Final = 16
MOST_LISTS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of a data set; the path is relative, with forward slashes."""

    path: str
    bytes: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSlot:
    """Where in which shard the content of a file begins, its size and its hash."""

    shard: str
    offset: int
    bytes: int
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard's file: its size and hash, and how many bytes of it are content of files."""

    bytes: int
    md5: str
    content_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardIndex:
    """A data set in shards: where each of its files is, by path; `lists` are the names of the lists that say so."""

    files: Mapping[str, ShardSlot]
    shards: Mapping[str, Shard]
    lists: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardPlan:
    """What a push does: `kept` files stay where they are, `packed` go into new shards, `repacked` shards are left."""

    kept: Mapping[str, ShardSlot]
    packed: Mapping[str, tuple[StoredFile, ...]]
    repacked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """One list of a data set in shards: where files are that the lists before it do not name, and which are gone."""

    files: Mapping[str, ShardSlot]
    removed: tuple[str, ...] = field(default=())


def use_shards(files: int, *, asked: bool | None, recorded: bool | None) -> tuple[bool, str]:
    """Whether a data set goes into shards, and why; `recorded` says how it was pushed before, None if it was not."""
    if asked is not None:
        return asked, "as asked"
    if recorded is not None:
        return recorded, "as before"
    many = files >= SHARDED_FROM
    return (
        many,
        f"{_spaced(files)} files, {'' if many else 'less than '}{_spaced(SHARDED_FROM)}{' or more' if many else ''}",
    )


def plan_shards(files: Iterable[StoredFile], former: ShardIndex | None, *, shard_bytes: int = SHARD_BYTES) -> ShardPlan:
    """Divide files between the shards that there are and new ones; the same arguments give the same plan."""
    ordered = sorted(files, key=lambda file: file.path)
    former = former or ShardIndex(files={}, shards={})
    by_content = {(slot.md5, slot.bytes): slot for slot in former.files.values()}
    held = {file.path: slot for file in ordered if (slot := _slot_of(file, former, by_content)) is not None}
    left = _to_repack(held, former, shard_bytes)
    kept = {path: slot for path, slot in held.items() if slot.shard not in left}
    groups = _grouped([file for file in ordered if file.path not in kept], shard_bytes)
    number = 1 + max((_number(name) for name in former.shards), default=-1)
    packed = {f"shard-{number + place:05}.tar": group for place, group in enumerate(groups)}
    return ShardPlan(kept=kept, packed=packed, repacked=tuple(sorted(left)))


def changes_since(former: ShardIndex | None, now: Mapping[str, ShardSlot], *, whole: bool) -> FileChanges:
    """The list that turns the former files into those of now; with `whole` a list that needs no other."""
    before = {} if former is None or whole else former.files
    return FileChanges(
        files={path: slot for path, slot in now.items() if before.get(path) != slot},
        removed=tuple(sorted(set(before) - set(now))),
    )


def needs_whole_list(former: ShardIndex | None, plan: ShardPlan) -> bool:
    """Whether the next list names all files: where shards were left or lost, or the lists have become many."""
    return former is None or not 0 < len(former.lists) < MOST_LISTS or bool(plan.repacked)


def files_of(lists: Sequence[FileChanges]) -> dict[str, ShardSlot]:
    """Where the files are that several lists name, the oldest list first."""
    files: dict[str, ShardSlot] = {}
    for each in lists:
        for path in each.removed:
            files.pop(path, None)
        files |= each.files
    return files


def _slot_of(file: StoredFile, former: ShardIndex, by_content: Mapping[tuple[str, int], ShardSlot]) -> ShardSlot | None:
    """Where the content of a file is: preferably under its own path, else under another, as after a move."""
    own = former.files.get(file.path)
    if own is not None and (own.md5, own.bytes) == (file.md5, file.bytes):
        return own
    return by_content.get((file.md5, file.bytes))


def _to_repack(held: Mapping[str, ShardSlot], former: ShardIndex, shard_bytes: int) -> set[str]:
    """The shards that are left: those without a file, mostly dead ones, and small ones where they are many."""
    live = dict.fromkeys(former.shards, 0)
    for slot in set(held.values()):
        live[slot.shard] += slot.bytes
    used = {slot.shard for slot in held.values()}
    left = {
        name
        for name, shard in former.shards.items()
        if name not in used or live[name] < (1 - MOST_DEAD) * shard.content_bytes
    }
    small = {name for name in set(former.shards) - left if former.shards[name].bytes < SMALL_SHARE * shard_bytes}
    return left | small if len(small) >= MOST_SMALL else left


def _grouped(files: Sequence[StoredFile], shard_bytes: int) -> Iterator[tuple[StoredFile, ...]]:
    group: list[StoredFile] = []
    size = 0
    for file in files:
        if group and size + file.bytes > shard_bytes:
            yield tuple(group)
            group, size = [], 0
        group.append(file)
        size += file.bytes
    if group:
        yield tuple(group)


def _spaced(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _number(name: str) -> int:
    return int(name.removeprefix("shard-").removesuffix(".tar"))
