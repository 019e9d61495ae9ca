"""Sources of an import: folders, archives and addresses; what is hostile is refused before anything is written."""

import io
import os
import stat
import threading
import warnings
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from cv_yolo.adapters.formats import downloading, unpacking
from cv_yolo.adapters.formats.unpacking import opened
from cv_yolo.domain.data.refusals import GatheredError
from cv_yolo.errors import DatasetError, ServiceUnavailableError

Entry = tuple[str | zipfile.ZipInfo, bytes | str]


def packed(path: Path, *entries: Entry, compression: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in entries:
            archive.writestr(name, content)
    return path


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename, info.create_system, info.external_attr = name, 3, mode << 16
    return info


def content_of(source: Path | str, scratch: Path, **how: object) -> dict[str, str]:
    with opened(str(source), scratch=scratch, **how) as root:
        return {
            path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }


def refused(archive: Path, scratch: Path) -> DatasetError:
    with pytest.raises(DatasetError) as refusal, opened(str(archive), scratch=scratch):
        raise AssertionError("was opened")
    assert [path for path in scratch.rglob("*") if path.is_file()] == []
    return refusal.value


def test_a_folder_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("a", encoding="utf-8")
    with opened(str(tmp_path / "mine"), scratch=tmp_path / "scratch") as root:
        assert root == tmp_path / "mine"
    assert not (tmp_path / "scratch").exists()


def test_an_archive_is_unpacked_for_as_long_as_it_is_needed(tmp_path: Path) -> None:
    said: list[str] = []
    archive = packed(tmp_path / "a.zip", ("train/a.txt", "a"), ("val\\b.txt", "b"), ("./c.txt", "c"), ("empty/", ""))
    assert content_of(archive, tmp_path / "scratch", report=said.append) == {
        "c.txt": "c",
        "train/a.txt": "a",
        "val/b.txt": "b",
    }
    assert said == ["unpacking a.zip: 3 files, 0.0 MB"]
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_wraps_an_archive_and_what_macos_adds_is_left_aside(tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "a.zip",
        ("mine/v2/images/a.txt", "a"),
        ("mine/v2/b", "b"),
        ("__MACOSX/x", "x"),
        ("mine/.DS_Store", "x"),
    )
    assert content_of(archive, tmp_path / "s") == {"images/a.txt": "a", "b": "b"}
    images = packed(tmp_path / "b.zip", ("images/a.txt", "a"))
    assert content_of(images, tmp_path / "s") == {"images/a.txt": "a"}
    assert content_of(packed(tmp_path / "none.zip"), tmp_path / "s") == {}


def test_the_folder_is_removed_after_a_failure(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", ("a", "a"))
    with pytest.raises(KeyboardInterrupt), opened(str(archive), scratch=tmp_path / "s"):
        raise KeyboardInterrupt
    assert list((tmp_path / "s").iterdir()) == []


HOSTILE: dict[str, tuple[list[Entry], str]] = {
    "zip slip": ([("../evil.txt", "x")], r"leads out of the folder \(`\.\.`\)"),
    "zip slip inside": ([("a/../../evil.txt", "x")], "leads out of the folder"),
    "zip slip of Windows": ([(entry("a\\..\\..\\evil.txt"), "x")], "leads out of the folder"),
    "absolute": ([("/etc/evil", "x")], "an absolute path"),
    "absolute of Windows": ([(entry("C:\\evil"), "x"), (entry("\\\\host\\evil"), "x")], "an absolute path"),
    "nameless": ([("./", ""), ("./.", "x")], "no name"),
    "link": ([(entry("a", stat.S_IFLNK | 0o777), "/etc/passwd")], "a link"),
    "device": ([(entry("a", stat.S_IFCHR | 0o666), "")], "a device"),
    "control character": ([("a\nb.txt", "x")], "a control character in the name"),
    "escape sequence": ([("\x1b[2Ja.txt", "x")], "a control character in the name"),
    "twice": ([("a.txt", "x"), ("a.txt", "y")], "is there twice"),
    "case": ([("a/B.txt", "x"), ("A/b.txt", "y")], "A/b.txt is the same file as a/B.txt on some systems"),
    "accents": ([("caf\u00e9.txt", "x"), ("cafe\u0301.txt", "y")], "is the same file as"),
    "file and folder": ([("a", "x"), ("a/b", "y")], "a is a file and a folder"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_archives_are_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    entries, reason = HOSTILE[name]
    archive = packed(tmp_path / "evil.zip", ("good.txt", "good"), *entries)
    said = refused(archive, tmp_path / "scratch")
    with pytest.raises(DatasetError, match=reason):
        raise said
    assert "evil.zip: " in said.message
    assert said.hint
    assert said.message.isprintable() or "\n  " in said.message
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["evil.zip"]


def test_all_that_is_wrong_with_an_archive_is_refused_at_once(tmp_path: Path) -> None:
    archive = packed(tmp_path / "evil.zip", *(each for entries, _ in HOSTILE.values() for each in entries))
    said = refused(archive, tmp_path / "scratch")
    assert isinstance(said, GatheredError)
    assert len(said.refusals) >= len(HOSTILE)


def test_archives_that_unpack_to_far_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    zeros = bytes(unpacking.SMALL_BYTES + 1)
    archive = packed(tmp_path / "bomb.zip", ("zeros", zeros), compression=zipfile.ZIP_DEFLATED)
    assert "times what it holds: a decompression bomb" in refused(archive, tmp_path / "scratch").message


def test_many_small_bombs_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "SMALL_BYTES", 1_000_000)
    entries = [(f"{number}", bytes(900_000)) for number in range(3)]
    archive = packed(tmp_path / "bomb.zip", *entries, compression=zipfile.ZIP_DEFLATED)
    assert "bomb.zip: unpacks to 2.7 MB" in refused(archive, tmp_path / "scratch").message


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "bomb.zip", ("a", bytes(1000)), ("b", bytes(1000)), ("c", bytes(1000)))
    data = bytearray(archive.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at != -1:  # each entry of the list says that it holds the whole file
        data[at + 20 : at + 24] = len(data).to_bytes(4, "little")
        at = data.find(b"PK\x01\x02", at + 4)
    archive.write_bytes(bytes(data))
    assert "its entries overlap" in refused(archive, tmp_path / "scratch").message


@pytest.mark.parametrize(
    ("limit", "reason"), [("MOST_ENTRIES", "2 entries, more than 1"), ("MOST_BYTES", "unpacks to")]
)
def test_archives_that_are_too_large_are_refused(
    limit: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, limit, 1)
    archive = packed(tmp_path / "a.zip", ("a", "aa"), ("b", "b"))
    assert reason in refused(archive, tmp_path / "scratch").message


def test_an_archive_for_which_there_is_no_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "KEPT_FREE_BYTES", 1 << 62)
    said = refused(packed(tmp_path / "a.zip", ("a", "a")), tmp_path / "scratch")
    assert "are free on" in said.message


def test_an_encrypted_archive_is_refused_with_what_to_do(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", ("a.txt", "secret"))
    data = bytearray(archive.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(data))
    said = refused(archive, tmp_path / "scratch")
    assert "a.txt: encrypted" in said.message
    assert "password" in (said.hint or "")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", ("a.txt", b"0123456789" * 50))
    data = archive.read_bytes().replace(b"0123456789" * 50, b"9876543210" * 50)
    archive.write_bytes(data)
    with (
        pytest.raises(DatasetError, match=r"a\.zip: damaged: Bad CRC-32"),
        opened(str(archive), scratch=tmp_path / "s"),
    ):
        raise AssertionError("was opened")
    assert list((tmp_path / "s").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "reason", "hint"),
    [
        ("none", None, "no such folder or file", "give a folder, a .zip, or an https address"),
        ("a.tar.gz", b"\x1f\x8b", "neither a folder nor a zip archive", "unpack it"),
        ("instances.json", b"{}", "neither a folder nor a zip archive", "the folder that has the images"),
    ],
)
def test_what_is_no_source_is_refused_with_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, reason: str, hint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    said = refused(tmp_path / name, tmp_path / "scratch")
    assert reason in said.message
    assert hint in (said.hint or "")


def test_links_out_of_a_folder_are_refused_unless_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.txt").write_text("a", encoding="utf-8")
    root = tmp_path / "mine"
    (root / "x").mkdir(parents=True)
    (root / "x" / "b.txt").write_text("b", encoding="utf-8")
    (root / "inside.txt").symlink_to("x/b.txt")
    with opened(str(root), scratch=tmp_path / "s"):
        pass
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "x" / "a.txt").symlink_to("../../secret/a.txt")
    with pytest.raises(DatasetError, match="2 problems") as refusal, opened(str(root), scratch=tmp_path / "s"):
        pass
    assert "--follow-links" in (refusal.value.hint or "")
    with opened(str(root), scratch=tmp_path / "s", follow_links=True):
        pass


class _Server(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, dict[str, str], bytes]]] = {}

    def do_GET(self) -> None:
        status, headers, body = self.answers[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def zipped(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def test_an_address_is_downloaded_and_its_key_is_in_no_message(address: str, tmp_path: Path) -> None:
    data = zipped(a="1")
    _Server.answers = {
        "/ds/mine.zip?key=secret": (302, {"Location": "/other.zip?key=secret"}, b""),
        "/other.zip?key=secret": (200, {"Content-Length": str(len(data))}, data),
    }
    said: list[str] = []
    found = content_of(f"{address}/ds/mine.zip?key=secret", tmp_path / "s", report=said.append)
    assert found == {"a": "1"}
    assert any("downloading" in line and "0.0 MB" in line for line in said)
    assert "secret" not in "".join(said)
    assert list((tmp_path / "s").iterdir()) == []


def test_a_long_download_shows_how_far_it_is(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "REPORTED_BYTES", 10)
    _Server.answers = {"/a.zip": (200, {}, zipped(a="1" * 100))}
    said: list[str] = []
    content_of(f"{address}/a.zip", tmp_path / "s", report=said.append)
    assert len([line for line in said if line.startswith(f"downloading {address}/a.zip: ")]) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, {}, b""), "the server answers 404"),
        ((200, {}, b"<html>log in</html>"), "not a zip archive"),
        ((302, {"Location": "http://example.invalid/a.zip?key=secret"}, b""), "only https addresses"),
        ((302, {"Location": "/a.zip?key=secret"}, b""), "more than 10 redirects"),
    ],
)
def test_an_address_without_an_archive_is_refused(
    address: str, tmp_path: Path, answer: tuple[int, dict[str, str], bytes], reason: str
) -> None:
    _Server.answers = {"/a.zip?key=secret": answer}
    with pytest.raises((DatasetError, ServiceUnavailableError), match=reason) as refusal:
        content_of(f"{address}/a.zip?key=secret", tmp_path / "s")
    assert "secret" not in refusal.value.message
    assert refusal.value.hint


@pytest.mark.parametrize(
    "given", ["http://example.org/a.zip", "ftp://example.org/a.zip", "file:///etc/passwd", "https://"]
)
def test_only_https_addresses_are_downloaded(given: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="only https addresses"):
        content_of(given, tmp_path / "s")


def test_a_server_that_does_not_answer_is_a_service_that_is_down(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="cannot be downloaded") as refusal:
        content_of("http://127.0.0.1:9/a.zip", tmp_path / "s")
    assert "in a browser" in (refusal.value.hint or "")


def test_pipes_and_sockets_do_not_stop_the_look_at_links(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    os.mkfifo(tmp_path / "mine" / "pipe")
    with opened(str(tmp_path / "mine"), scratch=tmp_path / "s") as root:
        assert root.is_dir()
