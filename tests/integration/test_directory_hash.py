"""The hash of a folder is the one that DVC's own library computes, whatever lies in the folder."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from dvc_data.hashfile.build import IgnoreInCollectedDirError, build
from dvc_data.hashfile.db.local import LocalHashFileDB
from dvc_objects.fs.local import LocalFileSystem

from cv_yolo.adapters.dvc.directory_hash import directory_hash
from cv_yolo.errors import DatasetError


def nested(root: Path) -> None:
    for name in ("images/train/a.jpg", "images/b.jpg", "images-2/a", "images/train-2/a", "z", "A"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name, encoding="utf-8")


def empty_files(root: Path) -> None:
    (root / "a").touch()
    (root / "empty folder").mkdir()


def odd_names(root: Path) -> None:
    for name in ("é.txt", "e\u0301.txt", "图像.jpg", "😀.png", 'quote"d', "back\\slash", "line\nbreak", "a b"):
        (root / name).write_text(name, encoding="utf-8")
    (root / os.fsdecode(b"\xff.txt")).write_text("not UTF-8", encoding="utf-8")


def links(root: Path) -> None:
    (root / "real").mkdir()
    (root / "real" / "a.txt").write_text("a", encoding="utf-8")
    (root / "to-file").symlink_to("real/a.txt")
    (root / "to-folder").symlink_to("real")


def line_ends(root: Path) -> None:
    (root / "windows.txt").write_bytes(b"one\r\ntwo\r\n")
    (root / "binary").write_bytes(bytes(range(256)) * 8192)


def nothing(root: Path) -> None:
    """An empty folder."""


def of_dvc(root: Path) -> str:
    files = LocalFileSystem()
    _, _, built = build(LocalHashFileDB(files, os.devnull), str(root.resolve()), files, "md5", dry_run=True)
    return str(built.hash_info.value)


@pytest.mark.parametrize("lay", [nested, empty_files, odd_names, links, line_ends, nothing])
def test_the_hash_is_that_of_dvc(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    root = tmp_path / "data"
    root.mkdir()
    lay(root)
    known = {
        path.relative_to(root).as_posix(): hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }
    assert directory_hash(root, {}) == of_dvc(root)
    assert directory_hash(root, known) == of_dvc(root)
    (tmp_path / "link").symlink_to(root)
    assert directory_hash(tmp_path / "link", {}) == of_dvc(root)


def test_files_of_known_hash_are_not_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    (tmp_path / "b.txt").write_text("b", encoding="utf-8")
    expected = directory_hash(tmp_path, {})
    known = {"a.txt": hashlib.md5(b"a", usedforsecurity=False).hexdigest(), "gone.txt": "0" * 32}
    (tmp_path / "a.txt").write_text("changed since it was read", encoding="utf-8")
    assert directory_hash(tmp_path, known) == expected


def test_an_ignore_file_of_dvc_inside_is_refused_as_dvc_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / ".dvcignore").write_text("*.tmp\n", encoding="utf-8")
    with pytest.raises(IgnoreInCollectedDirError):
        of_dvc(tmp_path)
    with pytest.raises(DatasetError, match=r"images/\.dvcignore") as caught:
        directory_hash(tmp_path, {})
    assert caught.value.hint is not None
