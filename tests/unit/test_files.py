"""Content hashes, and files written in whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest

from cv_yolo.errors import ConfigError, WeightsError
from cv_yolo.files import (
    LARGEST_WEIGHTS_BYTES,
    owner_of,
    private_folder,
    read_weights,
    sha256_of,
    write_bytes_whole,
    write_whole,
)
from tests.disks import files_up_to


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


def test_if_the_target_is_a_folder_the_temporary_file_is_removed(tmp_path):
    (tmp_path / "a.md" / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"a\.md"):
        write_whole(tmp_path / "a.md", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_bytes_are_written_as_they_are(tmp_path):
    write_bytes_whole(tmp_path / "weights" / "a.pt", b"\x00\xff\r\n")
    assert (tmp_path / "weights" / "a.pt").read_bytes() == b"\x00\xff\r\n"


@pytest.mark.skipif(os.name != "posix", reason="modes as POSIX has them")
def test_the_users_umask_decides_who_can_read_a_file(tmp_path):
    former = os.umask(0o022)
    try:
        write_whole(tmp_path / "a.html", "a page for the team")
    finally:
        os.umask(former)
    assert (tmp_path / "a.html").stat().st_mode & 0o777 == 0o644


def test_a_temporary_file_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "reports").write_text("a file, not a folder", encoding="utf-8")
    with pytest.raises(OSError, match="reports"):
        write_whole(tmp_path / "reports" / "a.md", "text")


def test_a_file_for_which_there_is_no_room_is_named_and_the_former_one_stays(tmp_path):
    path = tmp_path / "record.json"
    write_whole(path, "former")
    with files_up_to(10), pytest.raises(OSError, match=r"record\.json") as raised:
        write_whole(path, "longer than there is room for")
    assert raised.value.filename == str(path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["former"]


def test_a_place_that_cannot_be_written_is_named_by_the_system_itself(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_whole(tmp_path / "folder", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_weights_are_read_once_and_only_where_they_are_those_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(b"weights")
    assert read_weights(path, sha256_of(path)) == b"weights"
    with pytest.raises(WeightsError, match=r"a\.pt: the file is not the one that was recorded"):
        read_weights(path, "0" * 64)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"a\.pt: no such weights file"):
        read_weights(tmp_path / "a.pt", "0" * 64)


def test_weights_that_are_too_large_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with path.open("wb") as file:
        os.truncate(file.fileno(), LARGEST_WEIGHTS_BYTES + 1)
    with pytest.raises(WeightsError, match=r"a\.pt: larger than 2 GB"):
        read_weights(path, "0" * 64)


OTHER_USER = 4321


def mode_of(path):
    return path.stat().st_mode & 0o777


def test_a_private_folder_is_created_or_made_private_and_its_former_mode_returned(tmp_path):
    folder = tmp_path / "above" / "private"
    assert private_folder(folder) == 0o700
    folder.chmod(0o755)
    assert private_folder(folder) == 0o755
    assert mode_of(folder) == 0o700
    assert private_folder(folder) == 0o700


def test_a_folder_of_another_user_is_not_private(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(ConfigError, match=r"belongs to .*, and it would be open to that user"):
        private_folder(tmp_path / "private")


def test_root_does_not_work_in_another_users_folder(tmp_path, monkeypatch):
    (tmp_path / "private").mkdir()
    if os.geteuid() == 0:
        os.chown(tmp_path / "private", OTHER_USER, OTHER_USER)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="this process runs as root"):
        private_folder(tmp_path / "private")


def test_a_link_of_another_user_is_not_private(tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(tmp_path)
    if os.geteuid() == 0:
        os.lchown(tmp_path / "link", OTHER_USER + 1, OTHER_USER + 1)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
    with pytest.raises(ConfigError, match="a link that belongs to"):
        private_folder(tmp_path / "link")


def test_a_file_is_not_a_private_folder(tmp_path):
    (tmp_path / "private").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a folder"):
        private_folder(tmp_path / "private")


@pytest.mark.parametrize("refuses", [True, False])
def test_a_file_system_without_permissions_keeps_no_private_folder(tmp_path, monkeypatch, refuses):
    def fchmod(handle, mode):
        if refuses:
            raise PermissionError

    (tmp_path / "private").mkdir(mode=0o755)
    monkeypatch.setattr(os, "fchmod", fchmod)
    with pytest.raises(ConfigError, match="cannot keep other users out"):
        private_folder(tmp_path / "private")


def test_without_user_ids_the_folder_is_created(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "geteuid")
    assert private_folder(tmp_path / "private") == 0o700
    assert (tmp_path / "private").is_dir()


def test_a_user_without_a_name_is_named_by_the_number():
    assert owner_of(2**31 - 7) == "the user with number 2147483641"
    assert owner_of(os.geteuid())
