"""Content hashes, and files written in whole or not at all."""

import hashlib

import pytest

from cv_yolo.files import sha256_of, write_whole


def test_the_hash_is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a.pt").write_bytes(content)
    assert sha256_of(tmp_path / "a.pt") == hashlib.sha256(content).hexdigest()


def test_a_file_is_written_with_the_folders_above_it(tmp_path):
    path = tmp_path / "reports" / "deep" / "a.md"
    write_whole(path, "größer ≥ 0.5\n")
    assert path.read_bytes() == "größer ≥ 0.5\n".encode()


def test_a_file_that_was_there_is_replaced_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "a.md"
    write_whole(path, "the former, longer text")
    write_whole(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_former_content_and_no_scrap(tmp_path):
    path = tmp_path / "a.md"
    write_whole(path, "former")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "not text: \ud800")
    assert path.read_text(encoding="utf-8") == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_where_a_folder_is_in_the_way_the_scrap_is_removed(tmp_path):
    (tmp_path / "a.md" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.md"):
        write_whole(tmp_path / "a.md", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
