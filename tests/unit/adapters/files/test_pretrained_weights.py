"""Weights to start from: a file of the person's, one in the cache, or one that is downloaded (from this machine)."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cv_yolo.adapters.files.weights import SMALLEST_BYTES, PretrainedWeights
from cv_yolo.errors import ServiceUnavailableError, WeightsError

CONTENT = b"weights " * (SMALLEST_BYTES // 8 + 1)


@dataclass
class Release:
    """A server of weights files; `status`, `content` and `announced` (bytes) are what it answers."""

    url: str = ""
    status: int = 200
    content: bytes = CONTENT
    announced: int | None = None
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def release() -> Iterator[Release]:
    answer = Release()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.asked.append(self.path)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(answer.announced or len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    answer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def finder(tmp_path: Path, url: str = "http://127.0.0.1:9") -> PretrainedWeights:
    (tmp_path / "root").mkdir(exist_ok=True)
    return PretrainedWeights(root=tmp_path / "root", cache=tmp_path / "cache", release=url)


def test_a_file_of_the_project_is_used_unchanged(tmp_path: Path) -> None:
    weights = finder(tmp_path)
    mine = tmp_path / "root" / "weights" / "mine.pt"
    mine.parent.mkdir()
    mine.write_bytes(b"small, and mine")
    assert weights.find("weights/mine.pt") == mine
    assert weights.find(str(mine)) == mine


def test_a_file_that_was_downloaded_once_is_not_downloaded_again(tmp_path: Path, release: Release) -> None:
    weights = finder(tmp_path, release.url)
    first = weights.find("yolo11n.pt")
    assert weights.find("yolo11n.pt") == first == tmp_path / "cache" / "yolo11n.pt"
    assert release.asked == ["/yolo11n.pt"]
    assert first.read_bytes() == CONTENT


def test_the_projects_own_file_goes_before_the_published_one(tmp_path: Path, release: Release) -> None:
    weights = finder(tmp_path, release.url)
    (tmp_path / "root" / "yolo11n.pt").write_bytes(b"mine")
    assert weights.find("yolo11n.pt").read_bytes() == b"mine"
    assert release.asked == []


@pytest.mark.parametrize("name", ["weights/missing.pt", "missing.pt", "yolo11n", "../yolo11n.pt", "yolo11n.pt.zip"])
def test_an_unpublished_name_is_not_requested(tmp_path: Path, release: Release, name: str) -> None:
    with pytest.raises(WeightsError, match="no such file") as caught:
        finder(tmp_path, release.url).find(name)
    assert release.asked == []
    assert caught.value.hint is not None
    assert "yolo11n.pt" in caught.value.hint


def test_a_name_that_ultralytics_does_not_know_is_the_persons_error(tmp_path: Path, release: Release) -> None:
    release.status = 404
    with pytest.raises(WeightsError, match="publishes no such file"):
        finder(tmp_path, release.url).find("yolo99z.pt")


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_server_in_trouble_is_not_the_persons_error(tmp_path: Path, release: Release, status: int) -> None:
    release.status = status
    with pytest.raises(ServiceUnavailableError, match=str(status)):
        finder(tmp_path, release.url).find("yolo11n.pt")


def test_being_offline_is_reported_quickly_and_with_a_way_out(tmp_path: Path, closed_port: int) -> None:
    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError) as caught:
        finder(tmp_path, f"http://127.0.0.1:{closed_port}").find("yolo11n.pt")
    assert time.monotonic() - started < 5
    assert caught.value.exit_code == 3
    assert caught.value.hint is not None
    assert "weights/bootstrap-yolo11n.pt" in caught.value.hint
    assert str(tmp_path / "cache") in caught.value.hint


def test_an_error_page_is_not_a_weights_file(tmp_path: Path, release: Release) -> None:
    release.content = b"<html>please log in</html>"
    with pytest.raises(ServiceUnavailableError, match="incomplete download: 26 bytes"):
        finder(tmp_path, release.url).find("yolo11n.pt")


def test_a_download_that_breaks_off_is_not_kept(tmp_path: Path, release: Release) -> None:
    release.announced = len(CONTENT) + 1000
    weights = finder(tmp_path, release.url)
    with pytest.raises(ServiceUnavailableError):
        weights.find("yolo11n.pt")
    assert list((tmp_path / "cache").iterdir()) == []
    release.announced = None
    assert weights.find("yolo11n.pt").read_bytes() == CONTENT


def test_an_answer_that_is_not_http_is_a_service_in_trouble(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail server ready\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ServiceUnavailableError):
            finder(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}").find("yolo11n.pt")
        thread.join()
