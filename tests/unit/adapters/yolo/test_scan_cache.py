"""A second check reads only what changed, and never takes a changed file for the former one."""

import hashlib
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from cv_yolo.adapters.yolo import reading, scan_cache
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.ports.datasets import FoundDataset
from tests.yolo_data import LABEL, a_small_data_set, noise, put_data_yaml, put_image, put_label


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_cache, "SETTLED_NS", -1_000_000_000)


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    real = reading.read_picture

    def noted(path: Path, *, most_px: int) -> object:
        names.append(path.name)
        return real(path, most_px=most_px)

    monkeypatch.setattr(reading, "read_picture", noted)
    return names


def check(root: Path) -> FoundDataset:
    return YoloFolder(caches=root.parent / "caches").inspect(root)


def assert_same(one: FoundDataset, other: FoundDataset) -> None:
    assert one == other
    assert one.details.brightness == other.details.brightness
    assert one.details.similar == other.details.similar
    for name, rows in one.details.boxes.items():
        np.testing.assert_array_equal(rows, other.details.boxes[name])


def test_a_second_check_reads_no_image_and_finds_the_same(root: Path, read_files: list[str]) -> None:
    put_image(root, "train/copy.jpg")
    noise(1).resize((200, 150)).save(root / "images" / "train" / "one.jpg", quality=95)
    noise(1).resize((200, 150)).save(root / "images" / "val" / "two.jpg", quality=60)
    put_label(root, "train/one.jpg", "0 0.95 0.5 0.2 0.2\n0 0.3 0.3 0.2 0.2\n0 0.3 0.3 0.2 0.2\n0 0.5 0.5 0.001 0.2\n")
    put_label(root, "val/two.jpg")
    first = check(root)
    read_files.clear()
    second = check(root)
    assert read_files == []
    assert_same(first, second)
    assert first.details.similar == (("images/train/one.jpg", "images/val/two.jpg"),)
    assert_same(second, YoloFolder().inspect(root))


def test_what_was_added_is_read_and_compared_with_what_is_known(root: Path, read_files: list[str]) -> None:
    check(root)
    read_files.clear()
    shutil.copy(root / "images" / "train" / "a.jpg", root / "images" / "val" / "again.jpg")
    put_label(root, "val/again.jpg")
    found = check(root)
    assert read_files == ["again.jpg"]
    assert found.details.similar == (("images/train/a.jpg", "images/val/again.jpg"),)
    assert_same(found, YoloFolder().inspect(root))


def test_what_was_removed_is_forgotten(root: Path) -> None:
    shutil.copy(root / "images" / "train" / "a.jpg", root / "images" / "val" / "again.jpg")
    put_label(root, "val/again.jpg")
    assert check(root).details.similar
    (root / "images" / "val" / "again.jpg").unlink()
    (root / "labels" / "val" / "again.txt").unlink()
    assert_same(check(root), YoloFolder().inspect(root))


def test_a_changed_picture_of_the_same_size_and_time_is_read_again(root: Path, read_files: list[str]) -> None:
    image = root / "images" / "train" / "b.png"
    before, state = check(root), image.stat()
    data = bytearray(image.read_bytes())
    data[-20] ^= 1
    image.write_bytes(data)
    os.utime(image, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (image.stat().st_size, image.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    read_files.clear()
    after = check(root)
    assert read_files == ["b.png"], "the time of change of the inode cannot be set"
    assert after != before


def test_a_changed_label_is_read_again(root: Path) -> None:
    check(root)
    put_label(root, "train/a.jpg", LABEL + "0 0.2 0.2 0.1 0.1\n")
    record = next(each for each in check(root).images if each.image.endswith("a.jpg"))
    assert record.boxes == 2


def test_a_label_that_is_gone_is_noticed(root: Path) -> None:
    check(root)
    (root / "labels" / "train" / "a.txt").unlink()
    record = next(each for each in check(root).images if each.image.endswith("a.jpg"))
    assert (record.boxes, record.label_sha256) == (0, "")


def test_what_has_just_changed_is_not_kept(root: Path, monkeypatch: pytest.MonkeyPatch, read_files: list[str]) -> None:
    monkeypatch.setattr(scan_cache, "SETTLED_NS", 2_000_000_000)
    check(root)
    read_files.clear()
    check(root)
    assert sorted(read_files) == ["a.jpg", "b.png", "c.jpg"]
    old = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(reading.time, "time_ns", lambda: old)
    check(root)
    read_files.clear()
    check(root)
    assert read_files == []


def test_other_classes_make_labels_be_read_again(root: Path) -> None:
    put_data_yaml(root, names=["person", "dog"])
    put_label(root, "train/a.jpg", "1 0.5 0.5 0.4 0.6\n")
    assert not check(root).refusals
    put_data_yaml(root)
    (refusal,) = check(root).refusals
    assert "class 1, but data.yaml names the class 0" in refusal.message


def test_what_is_refused_is_refused_again(root: Path) -> None:
    image = root / "images" / "train" / "a.jpg"
    image.write_bytes(image.read_bytes()[:300])
    first = check(root).refusals
    assert [each.message for each in check(root).refusals] == [each.message for each in first]
    assert "does not decode" in first[0].message


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\x93NUMPY"])
def test_a_damaged_cache_is_no_cache(root: Path, content: bytes) -> None:
    first = check(root)
    (cache,) = (root.parent / "caches").iterdir()
    assert cache.stat().st_mode & 0o077 == 0
    cache.write_bytes(content)
    assert_same(check(root), first)


def test_a_cache_of_another_version_is_no_cache(
    root: Path, monkeypatch: pytest.MonkeyPatch, read_files: list[str]
) -> None:
    check(root)
    monkeypatch.setattr(scan_cache, "FORMAT", 99)
    read_files.clear()
    check(root)
    assert len(read_files) == 3


def test_without_a_folder_for_caches_nothing_is_kept(root: Path, read_files: list[str]) -> None:
    YoloFolder().inspect(root)
    YoloFolder().inspect(root)
    assert len(read_files) == 6


def test_progress_counts_the_images(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 2)
    seen: list[tuple[int, int]] = []
    YoloFolder().inspect(root, lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]


def test_the_hashes_for_dvc_are_those_of_all_images_and_labels_from_files_and_from_the_cache(root: Path) -> None:
    first = check(root)
    expected = {
        path.relative_to(root).as_posix(): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in root.rglob("*/*/*")
        if path.is_file()
    }
    assert first.md5 == expected
    assert check(root).md5 == expected
