"""The folder of a backup: whatever is done to a byte or a file of it is found before it is used."""

import errno
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.errors import CvYoloError, InputError, NotFoundError, ServiceUnavailableError
from cv_yolo_stack.backup.content_store import Contents, Progress, verified, writing
from cv_yolo_stack.domain.backup_manifest import BackupManifest, manifest_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)
FILES = {"home/a": b"abc", "home/b": b"", "home/c": b"abc", "objects/mlflow/x": bytes(range(256)) * 8}


def quiet(_: Progress) -> None:
    """Report nothing."""


def a_backup(folder: Path, files: dict[str, bytes] = FILES) -> BackupManifest:
    contents = Contents(folder)
    contents.begin()
    kept = [contents.keep(place, [content[:100], content[100:]]) for place, content in files.items()]
    manifest = manifest_of(kept, made_at=NOW, home="/home", software={})
    contents.finish(manifest)
    return manifest


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    a_backup(tmp_path / "backup")
    return tmp_path / "backup"


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_complete_backup_matches_its_source(tmp_path: Path) -> None:
    manifest = a_backup(tmp_path / "backup")
    seen: list[Progress] = []
    assert verified(tmp_path / "backup", seen.append) == manifest
    assert seen[-1].done == seen[-1].total == 3
    assert seen[-1].done_bytes == seen[-1].total_bytes == 2051


def test_the_same_content_is_kept_once(backup: Path) -> None:
    assert len(files_in(backup / "content")) == 3


def test_all_of_it_is_its_owners_alone(backup: Path) -> None:
    assert all(path.stat().st_mode & 0o077 == 0 for path in backup.rglob("*"))


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of which each example damages a copy."""
    folder = tmp_path_factory.mktemp("pattern") / "backup"
    a_backup(folder)
    return folder


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_flipped_byte_and_any_removed_added_or_truncated_file_is_found(pattern: Path, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        backup = Path(shutil.copytree(pattern, Path(folder) / "backup"))
        files = files_in(backup)
        victim = data.draw(st.sampled_from(files), label="file")
        damage(victim, data.draw(st.sampled_from(["flip", "remove", "add", "truncate", "append", "link"])), data)
        with pytest.raises(InputError):
            verified(backup, quiet)


def damage(victim: Path, way: str, data: st.DataObject) -> None:
    content = bytearray(victim.read_bytes())
    match way:
        case "flip" if content:
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] ^= 1 << data.draw(st.integers(0, 7))
            victim.write_bytes(content)
        case "truncate" if content:
            os.truncate(victim, data.draw(st.integers(0, len(content) - 1)))
        case "append":
            victim.write_bytes(content + b"\0")
        case "add":
            victim.with_name("another").write_bytes(data.draw(st.binary(max_size=3)))
        case "link":
            elsewhere = victim.parents[1] / "moved away"
            shutil.move(victim, elsewhere)
            victim.symlink_to(elsewhere)
        case _:
            victim.unlink()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("nothing", "no such folder"),
        ("empty", "not a backup"),
        ("unfinished", "unfinished backup"),
        ("file", "no such folder"),
    ],
)
def test_a_folder_that_is_not_a_backup_is_not_reported_as_damaged(tmp_path: Path, made: str, message: str) -> None:
    folder = tmp_path / "backup"
    if made == "file":
        folder.write_text("x", encoding="utf-8")
    elif made != "nothing":
        folder.mkdir()
    if made == "unfinished":
        Contents(folder).begin()
    with pytest.raises(NotFoundError, match=message):
        verified(folder, quiet)


def test_a_damaged_backup_names_the_first_of_what_is_wrong(tmp_path: Path) -> None:
    a_backup(tmp_path / "backup", {f"home/{number}": str(number).encode() for number in range(5)})
    for path in files_in(tmp_path / "backup" / "content"):
        path.unlink()
    with pytest.raises(InputError, match=r"home/\d is missing, .* and 2 more") as raised:
        verified(tmp_path / "backup", quiet)
    assert "nothing was changed" in str(raised.value.hint)


def test_a_file_that_cannot_be_read_is_a_fault(backup: Path) -> None:
    victim = files_in(backup / "content")[0]
    victim.unlink()
    victim.mkdir()
    with pytest.raises(InputError, match="is not a file"):
        verified(backup, quiet)


def test_a_content_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def chunks():
        yield b"abc"
        raise KeyboardInterrupt

    contents = Contents(tmp_path)
    contents.begin()
    with pytest.raises(KeyboardInterrupt):
        contents.keep("home/a", chunks())
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"), (errno.EACCES, "denied")],
)
def test_errors_of_the_disk_are_translated(code: int, message: str) -> None:
    with pytest.raises(ServiceUnavailableError, match=f"/there/x: .*{message}"), writing(Path("/there")):
        raise OSError(code, os.strerror(code), "/there/x")


def test_our_own_errors_pass(tmp_path: Path) -> None:
    with pytest.raises(CvYoloError, match="no"), writing(tmp_path):
        raise InputError("no")
