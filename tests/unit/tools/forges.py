"""GitLab's and GitHub's interfaces for notes, on the loopback: lists in pages, authors, refusals, commands in notes."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "a-token-that-must-stay-hidden"
US, ANOTHER = "project_12_bot", "ada"
GITHUB_US = "github-actions[bot]"
GITLAB_THREAD = re.compile(r"/api/v4/projects/([^/]+)/merge_requests/(\d+)/notes(?:/(\d+))?")
GITHUB_LIST = re.compile(r"/repos/(team/detector)/issues/(\d+)/comments")
GITHUB_ONE = re.compile(r"/repos/(team/detector)/issues/comments/(\d+)")


@dataclass(kw_only=True)
class Forge:
    """A server's notes, by thread (`12!7`), and how it answers: `status` for every request, or not at all."""

    url: str
    threads: dict[str, list[dict[str, Any]]]
    pulls: dict[str, list[int]] = field(default_factory=dict)
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b"<html>sorry</html>"
    silent: bool = False
    asked: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1000, 2000)))

    def note(self, thread: str, author: str, body: str) -> dict[str, Any]:
        """A user writes a note; lines that begin with a slash are executed, as GitLab does."""
        self.commands += re.findall(r"^/\w+", body, re.MULTILINE)
        note = {"id": next(self.numbers), "body": body, "author": {"username": author}, "user": {"login": author}}
        self.threads[thread].append(note)
        return note

    def bodies(self, thread: str, author: str = US) -> list[str]:
        """What that author has written."""
        return [str(note["body"]) for note in self.threads[thread] if note["author"]["username"] == author]


@contextmanager
def serving(*threads: str) -> Iterator[Forge]:
    """A server with these threads, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    forge = Forge(url=f"http://127.0.0.1:{server.server_port}", threads={name: [] for name in threads})
    server.forge = forge  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield forge
    finally:
        forge.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    @property
    def forge(self) -> Forge:
        found: Forge = self.server.forge  # type: ignore[attr-defined]
        return found

    def _answer(self) -> None:
        forge = self.forge
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        forge.asked.append(f"{self.command} {self.path}")
        if forge.silent:
            forge.ended.wait()
            return
        if forge.status is not None:
            self._send(forge.status, forge.answer)
            return
        given = self.headers.get("PRIVATE-TOKEN") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        status, found = self._route(body) if given == TOKEN else (401, {"message": "401 Unauthorized"})
        self._send(status, json.dumps(found).encode())

    def _route(self, body: dict[str, str]) -> tuple[int, Any]:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/api/v4/user":
            return 200, {"username": US}
        if url.path == "/repos/team/detector/pulls":
            return 200, [{"number": number} for number in self.forge.pulls.get(asked["head"], [])]
        if found := GITLAB_THREAD.fullmatch(url.path):
            project, number, note = found.groups()
            return self._notes(f"{unquote(project)}!{number}", note, body, asked, author=US, editing="PUT")
        if found := GITHUB_LIST.fullmatch(url.path):
            return self._notes(f"{found[1]}!{found[2]}", None, body, asked, author=GITHUB_US, editing="PATCH")
        if found := GITHUB_ONE.fullmatch(url.path):
            holders = [name for name, notes in self.forge.threads.items() if found[2] in {str(n["id"]) for n in notes}]
            return self._notes(holders[0], found[2], body, asked, author=GITHUB_US, editing="PATCH")
        return 404, {"message": "404 Not Found"}

    def _notes(
        self, name: str, note: str | None, body: dict[str, str], asked: dict[str, str], *, author: str, editing: str
    ) -> tuple[int, Any]:
        if name not in self.forge.threads:
            return 404, {"message": "404 Not Found"}
        notes = self.forge.threads[name]
        if self.command == "GET":
            size, number = min(int(asked.get("per_page", 20)), 100), int(asked.get("page", 1))
            return 200, notes[(number - 1) * size : number * size]
        if self.command == "POST" and note is None:
            return 201, self.forge.note(name, author, body["body"])
        (found,) = [each for each in notes if str(each["id"]) == note]
        if self.command != editing or found["author"]["username"] != author:
            return 403, {"message": "403 Forbidden"}
        found["body"] = body["body"]
        return 200, found

    def _send(self, status: int, answer: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **self.forge.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)
