"""Pages that are served on this machine: ports, readiness, and an end with the block."""

import os
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.servers import pages
from cv_yolo_stack.servers.pages import HOST, Page, free_port, mlflow_page, serving, zenml_page

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404); self.end_headers(); self.wfile.write(b"OK")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def page(tmp_path: Path, *command: str, port: int = 0) -> Page:
    return Page(name="Test", port=port, command=command, environment=os.environ, log=tmp_path / "logs" / "test.log")


def test_a_port_that_is_free_is_taken() -> None:
    port = free_port(0)
    assert free_port(port) == port


def test_where_the_preferred_port_is_in_use_another_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = free_port(port)
    assert other not in {0, port}


def test_without_any_free_port_the_service_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoSocket(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError("in use")

    monkeypatch.setattr(socket, "socket", NoSocket)
    with pytest.raises(ServiceUnavailableError, match="no free port"):
        free_port(5000)


def test_a_page_answers_inside_the_block_and_is_gone_after_it(tmp_path: Path) -> None:
    port = free_port(0)
    wanted = page(tmp_path, sys.executable, "-c", SERVER, str(port), port=port)
    with serving(wanted) as server, urllib.request.urlopen(f"{wanted.url}/health") as answer:
        assert answer.read() == b"OK"
        assert server.poll() is None
    assert server.poll() is not None
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{wanted.url}/health", timeout=2)


def test_a_page_is_gone_after_an_error_in_the_block_too(tmp_path: Path) -> None:
    port = free_port(0)
    with (
        pytest.raises(KeyboardInterrupt),
        serving(page(tmp_path, sys.executable, "-c", SERVER, str(port), port=port)) as server,
    ):
        raise KeyboardInterrupt
    assert server.poll() is not None


def test_a_server_that_exits_at_its_start_is_reported_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServiceUnavailableError, match="Test exited with code 3") as caught,
        serving(page(tmp_path, "sh", "-c", "echo broken; exit 3", port=free_port(0))),
    ):
        pass
    assert caught.value.hint == f"see {tmp_path / 'logs' / 'test.log'}"
    assert (tmp_path / "logs" / "test.log").read_text(encoding="utf-8") == "broken\n"


def test_a_server_that_never_answers_is_given_up_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "READY_WITHIN_S", 0.5)
    monkeypatch.setattr(pages, "GRACE_S", 0.2)
    ignoring = 'trap "" TERM; while :; do sleep 0.1; done'
    with (
        pytest.raises(ServiceUnavailableError, match="did not respond at http"),
        serving(page(tmp_path, "sh", "-c", ignoring, port=free_port(0))),
    ):
        pass


def test_both_pages_listen_on_this_machine_only_and_read_our_stores(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    mlflow, zenml = mlflow_page(settings, 5000), zenml_page(settings, 8237)
    for each in (mlflow, zenml):
        assert each.command[each.command.index("--host") + 1] == "127.0.0.1"
        assert each.command[each.command.index("--port") + 1] == str(each.port)
        assert each.log.is_relative_to(settings.home)
    assert settings.tracking_uri in mlflow.command
    assert str(settings.home) in zenml.environment["ZENML_STORE_URL"]
    assert (mlflow.url, zenml.url) == ("http://127.0.0.1:5000", "http://127.0.0.1:8237")
