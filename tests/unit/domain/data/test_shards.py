"""Files are packed into shards once; what changes is appended, and mostly dead shards are packed again."""

from cv_yolo.domain.data.shards import (
    MOST_LISTS,
    MOST_SMALL,
    SHARDED_FROM,
    Shard,
    ShardIndex,
    ShardPlan,
    ShardSlot,
    StoredFile,
    changes_since,
    files_of,
    needs_whole_list,
    plan_shards,
    use_shards,
)


def a_file(path: str, *, size: int = 10, md5: str | None = None) -> StoredFile:
    return StoredFile(path=path, bytes=size, md5=md5 or f"md5 of {path}")


def packed(plan: ShardPlan, former: ShardIndex | None = None) -> ShardIndex:
    """The index after the plan was carried out."""
    files = dict(plan.kept)
    shards = {} if former is None else {n: s for n, s in former.shards.items() if n not in plan.repacked}
    for name, group in plan.packed.items():
        size = sum(file.bytes for file in group)
        shards[name] = Shard(bytes=size, md5=name, content_bytes=size)
        offset = 0
        for file in group:
            files[file.path] = ShardSlot(shard=name, offset=offset, bytes=file.bytes, md5=file.md5)
            offset += file.bytes
    return ShardIndex(files=files, shards=shards, lists=("files-00000.json",))


def test_files_are_packed_in_the_order_of_their_paths_whatever_order_they_come_in() -> None:
    files = [a_file(path) for path in ("c", "a", "b")]
    plan = plan_shards(files, None, shard_bytes=20)
    assert plan == plan_shards(files[::-1], None, shard_bytes=20)
    assert [[file.path for file in group] for group in plan.packed.values()] == [["a", "b"], ["c"]]
    assert list(plan.packed) == ["shard-00000.tar", "shard-00001.tar"]


def test_a_file_that_is_larger_than_a_shard_has_one_of_its_own() -> None:
    plan = plan_shards([a_file("a", size=5), a_file("b", size=50)], None, shard_bytes=20)
    assert [len(group) for group in plan.packed.values()] == [1, 1]


def test_new_files_go_into_new_shards_and_the_others_stay() -> None:
    files = [a_file(path) for path in "abc"]
    former = packed(plan_shards(files, None))
    plan = plan_shards([*files, a_file("d")], former)
    assert [file.path for file in plan.packed["shard-00001.tar"]] == ["d"]
    assert plan.kept == former.files
    assert plan.repacked == ()


def test_a_file_that_was_moved_is_not_packed_again() -> None:
    former = packed(plan_shards([a_file("train/a", md5="same"), a_file("b")], None))
    plan = plan_shards([a_file("val/a", md5="same"), a_file("b")], former)
    assert not plan.packed
    assert plan.kept["val/a"] == former.files["train/a"]


def test_a_shard_that_is_mostly_dead_is_packed_again() -> None:
    files = [a_file(f"{number}") for number in range(9)]
    former = packed(plan_shards(files, None))
    assert plan_shards(files[:7], former).repacked == ()
    plan = plan_shards(files[:6], former)
    assert plan.repacked == ("shard-00000.tar",)
    assert plan.kept == {}
    assert sum(map(len, plan.packed.values())) == 6


def test_a_shard_without_a_file_is_left() -> None:
    former = packed(plan_shards([a_file("a"), a_file("b")], None, shard_bytes=10), None)
    assert plan_shards([a_file("b")], former, shard_bytes=10).repacked == ("shard-00000.tar",)


def test_many_small_shards_become_one() -> None:
    former, files = None, list[StoredFile]()
    for number in range(MOST_SMALL):
        files.append(a_file(f"{number:03}"))
        former = packed(plan_shards(files, former), former)
    assert len(former.shards if former else {}) == MOST_SMALL
    plan = plan_shards(files, former)
    assert len(plan.repacked) == MOST_SMALL
    assert list(plan.packed) == [f"shard-{MOST_SMALL:05}.tar"]


def test_a_list_says_what_changed_and_the_lists_together_where_everything_is() -> None:
    first = packed(plan_shards([a_file(path) for path in "abxyz"], None))
    second = packed(plan_shards([a_file(path) for path in "bcxyz"], first), first)
    whole = changes_since(None, first.files, whole=True)
    changes = changes_since(first, second.files, whole=False)
    assert (set(changes.files), changes.removed) == ({"c"}, ("a",))
    assert files_of([whole, changes]) == second.files
    assert changes_since(first, second.files, whole=True).files == second.files


def test_a_whole_list_is_written_at_first_after_packing_again_and_now_and_then() -> None:
    index = packed(plan_shards([a_file("a")], None))
    plan = ShardPlan(kept={}, packed={})
    assert needs_whole_list(None, plan)
    assert not needs_whole_list(index, plan)
    assert needs_whole_list(index, ShardPlan(kept={}, packed={}, repacked=("shard-00000.tar",)))
    for lists in ((), ("files-00000.json",) * MOST_LISTS):
        assert needs_whole_list(ShardIndex(files={}, shards={}, lists=lists), plan)


def test_shards_are_used_as_asked_else_as_before_else_by_the_number_of_files() -> None:
    assert use_shards(3, asked=True, recorded=False) == (True, "as asked")
    assert use_shards(3, asked=None, recorded=True) == (True, "as before")
    assert use_shards(SHARDED_FROM, asked=None, recorded=None) == (True, "20 000 files, 20 000 or more")
    assert use_shards(81, asked=None, recorded=None) == (False, "81 files, less than 20 000")
