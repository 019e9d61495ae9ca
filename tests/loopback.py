"""Small HTTP servers on this machine that answer as a test wants them to: honestly, wrongly, late, or not at all."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request; `path` has its query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer; `dropped` closes the connection instead, `after` waits for it first, `ahead` is the clock's lead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    ahead: timedelta = timedelta()
    tells_time: bool = True
    dropped: bool = False
    after: Event | None = None


Answer = Callable[[Asked], Reply]


def json_reply(content: Any, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(content).encode(), headers={"content-type": "application/json"})


def _handler_of(answer: Answer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(method=self.command, path=self.path, headers=headers, body=self.rfile.read(length))
            self.send(answer(asked))

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815 - the library's names

        def send(self, reply: Reply) -> None:
            if reply.after is not None:
                reply.after.wait()
            if reply.dropped:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            if reply.tells_time:
                self.send_header("Date", format_datetime(datetime.now(UTC) + reply.ahead, usegmt=True))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if "content-length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Some tests are about clients that time out: their closed connections are not reported."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def loopback(answer: Answer, *, tls: SSLContext | None = None) -> Iterator[str]:
    """A server that answers so, until the block ends; its address."""
    server = _Server(("127.0.0.1", 0), _handler_of(answer))
    scheme = "http"
    if tls is not None:
        scheme, server.socket = "https", tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def in_front_of(
    url: str,
    change: Callable[[Asked, Reply], Reply],
    *,
    host: str | None = None,
    alter: Callable[[Asked], Asked] = lambda asked: asked,
) -> Iterator[str]:
    """A server that hands everything on to the one at `url`, altered, and its answer back, changed.

    What it is called by its clients it calls the other, or `host`.
    """
    place = urlsplit(url)

    def answer(asked: Asked) -> Reply:
        asked = alter(asked)
        connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
        try:
            headers = asked.headers | ({"accept-encoding": "identity"} if "accept-encoding" in asked.headers else {})
            headers |= {} if host is None else {"host": host}
            connection.request(asked.method, asked.path, body=asked.body, headers=headers)
            got = connection.getresponse()
            reported = {name.lower(): value for name, value in got.getheaders()}
            kept = {name: value for name, value in reported.items() if name not in HOP_BY_HOP}
            if asked.method == "HEAD" and "content-length" in reported:
                kept["content-length"] = reported["content-length"]
            reply = Reply(status=got.status, body=got.read(), headers=kept)
        finally:
            connection.close()
        return change(asked, reply)

    with loopback(answer) as front:
        yield front


def twenty_minutes_ahead(_: Asked, reply: Reply) -> Reply:
    return replace(reply, ahead=timedelta(minutes=20))
