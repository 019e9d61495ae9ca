"""Data sets are pushed from outside the project and in shards; lost, damaged or unknown shards are found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.errors import DatasetError
from cv_yolo.settings import Settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A DVC project with a remote, and a data set that it has not recorded."""
    folder = tmp_path / "project"
    folder.mkdir()
    environment = os.environ | Settings(root=folder).isolation()
    dvc = (sys.executable, "-m", "dvc")
    for command in (
        ("git", "init", "-q"),
        (*dvc, "init", "-q"),
        (*dvc, "remote", "add", "-q", "-d", "local", "../remote"),
    ):
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    write(folder / "data" / "mine")
    return folder


def write(data: Path, count: int = 6) -> None:
    for number in range(count):
        image = data / "images" / f"{number}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(bytes([number]) * 2000)
    (data / "data.yaml").write_text("names: [person]\n", encoding="utf-8")


def store_of(root: Path) -> DvcStore:
    return DvcStore(root=root, environment=os.environ | Settings(root=root).isolation())


def the_shard(root: Path) -> Path:
    (found,) = [path for path in (root.parent / "remote").rglob("*") if path.is_file() and path.stat().st_size > 9000]
    found.chmod(0o644)
    return found


def without(root: Path) -> Path:
    """The same project without its data and cache, as in a fresh clone."""
    for lost in (root / "data" / "mine", root / ".dvc" / "cache"):
        shutil.rmtree(lost)
    return root / "data" / "mine"


def test_what_is_added_goes_into_a_new_shard_and_nothing_else_is_uploaded(root: Path) -> None:
    data, store = root / "data" / "mine", store_of(root)
    first = store.push(data, shards=True)
    (data / "images" / "new.jpg").write_bytes(b"new")
    second = store.push(data)
    assert (first.shards, second.shards, second.why) == (1, 2, "as before")
    assert second.uploaded_bytes < first.uploaded_bytes
    content = store.content_hash(data)
    assert store.pull(without(root)) is not None
    assert store.content_hash(data) == content


def test_a_damaged_shard_is_refused_and_leaves_no_data_set(root: Path) -> None:
    store = store_of(root)
    store.push(root / "data" / "mine", shards=True)
    shard = the_shard(root)
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)
    data = without(root)
    with pytest.raises(DatasetError, match=r"shard-00000\.tar: damaged"):
        store.pull(data)
    assert not data.exists()


def test_a_lost_shard_is_named_and_packed_again_by_the_next_push(root: Path, tmp_path: Path) -> None:
    data, store = root / "data" / "mine", store_of(root)
    store.push(data, shards=True)
    shutil.copytree(data, tmp_path / "kept")
    the_shard(root).unlink()
    with pytest.raises(DatasetError, match="the remote has lost this shard"):
        store.pull(without(root))
    shutil.copytree(tmp_path / "kept", data)
    store.push(data)
    assert store.pull(without(root)) is not None


def test_files_that_were_never_pushed_are_not_removed(root: Path) -> None:
    data, store = root / "data" / "mine", store_of(root)
    store.push(data, shards=True)
    (data / "own.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"never pushed, as own\.txt"):
        store.pull(data)
    assert (data / "own.txt").is_file()


def test_shards_of_a_newer_format_are_refused(root: Path) -> None:
    data, store = root / "data" / "mine", store_of(root)
    store.push(data, shards=True)
    record = root / "data" / "mine.shards.dvc"
    record.write_text(record.read_text(encoding="utf-8").replace("format: 1", "format: 2"), encoding="utf-8")
    for work in (store.pull, store.push, store.recorded_hash):
        with pytest.raises(DatasetError, match="shards of format 2"):
            work(data)


@pytest.mark.parametrize("shards", [False, True])
def test_a_folder_outside_is_recorded_and_pulled_into_the_project(root: Path, tmp_path: Path, shards: bool) -> None:
    outside, store = tmp_path / "disk" / "theirs", store_of(root)
    write(outside)
    pushed = store.push(outside, shards=shards)
    assert pushed.record == f"data/theirs{'.shards' if shards else ''}.dvc"
    assert not (root / "data" / "theirs").exists()
    assert store.recorded_hash(outside) == store.content_hash(outside) == pushed.dvc_hash
    assert store.pull(root / "data" / "theirs") is not None
    assert store.content_hash(root / "data" / "theirs") == pushed.dvc_hash
    shutil.rmtree(outside)
    assert store.pull(outside) is not None
    assert store.content_hash(outside) == pushed.dvc_hash


def test_two_outside_folders_of_one_name_need_another_name(root: Path, tmp_path: Path) -> None:
    one, other, store = tmp_path / "one" / "theirs", tmp_path / "other" / "theirs", store_of(root)
    write(one)
    write(other, count=3)
    store.push(one)
    with pytest.raises(DatasetError, match=r"records .*one/theirs, another folder"):
        store.push(other)
    assert store.push(other, name="second").record == "data/second.dvc"
    assert store.recorded_hash(other) == store.content_hash(other)


def test_a_folder_of_the_project_is_not_replaced_by_one_outside(root: Path, tmp_path: Path) -> None:
    write(tmp_path / "disk" / "mine")
    with pytest.raises(DatasetError, match="data/mine is a folder of this project"):
        store_of(root).push(tmp_path / "disk" / "mine")
    with pytest.raises(DatasetError, match="holds this project"):
        store_of(root).push(tmp_path)


def test_a_project_without_a_remote_says_so(root: Path) -> None:
    (root / ".dvc" / "config").write_text("", encoding="utf-8")
    with pytest.raises(DatasetError, match="no remote to push to"):
        store_of(root).push(root / "data" / "mine")
    assert not (root / "data" / "mine.dvc").exists()


def test_records_are_found_where_git_ignores_all_of_data_but_them(root: Path) -> None:
    (root / ".gitignore").write_text("/data/*\n!/data/*.dvc\n", encoding="utf-8")
    data, store = root / "data" / "mine", store_of(root)
    assert store.push(data).recorded
    assert not store.push(data).recorded
    assert store.pull(without(root)) is not None
    assert (data / "data.yaml").is_file()
