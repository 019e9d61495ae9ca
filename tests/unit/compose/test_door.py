"""The forwarder: bytes pass in both directions, closed targets are reported, and it exits when none is reachable."""

import asyncio
import errno
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from types import ModuleType
from unittest.mock import Mock

import pytest

from tests.compose_file import ROOT

DOOR = ROOT / "docker" / "door" / "door.py"
TIMEOUT_S = 10


def load_door() -> ModuleType:
    spec = importlib.util.spec_from_file_location("door", DOOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


door = load_door()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def heard_from(visitor: socket.socket) -> bytes:
    return b"".join(iter(lambda: visitor.recv(65536), b""))


@contextmanager
def echo() -> Iterator[int]:
    """A server that says everything back once it has heard all of it."""

    def serve() -> None:
        while True:
            try:
                visitor, _ = listener.accept()
            except OSError:
                return
            with visitor, suppress(ConnectionError):
                visitor.sendall(heard_from(visitor))

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(TIMEOUT_S)


@contextmanager
def opened(clients: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, str(DOOR)], env=os.environ | {"DOORS": clients}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in clients.split():
        assert " leads to " in process.stdout.readline()
    yield process
    process.terminate()
    process.wait(TIMEOUT_S)
    process.stdout.close()


def checked(clients: str) -> int:
    environment = os.environ | {"DOORS": clients}
    return subprocess.run([sys.executable, str(DOOR), "check"], env=environment, check=False).returncode


def say(port: int, text: bytes) -> bytes:
    """What comes back; nothing where the door is shut in our face."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as visitor:
        try:
            visitor.sendall(text)
            visitor.shutdown(socket.SHUT_WR)
            return heard_from(visitor)
        except OSError as shut:
            if shut.errno not in {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}:
                raise
            return b""


def test_bytes_are_forwarded_completely_in_both_directions() -> None:
    here, text = free_port(), os.urandom(3_000_000)
    with echo() as there, opened(f"127.0.0.1:{here}=127.0.0.1:{there}"):
        assert say(here, text) == text
        assert say(here, b"") == b""


def test_each_port_forwards_to_its_own_target() -> None:
    first, second = free_port(), free_port()
    with echo() as there, opened(f"127.0.0.1:{first}=127.0.0.1:{there} 127.0.0.1:{second}=127.0.0.1:{free_port()}"):
        assert say(first, b"hello") == b"hello"
        assert say(second, b"hello") == b""
        assert say(first, b"still here") == b"still here"


def test_the_check_reports_whether_every_port_reaches_its_target() -> None:
    here = free_port()
    with echo() as there:
        way = f"127.0.0.1:{here}=127.0.0.1:{there}"
        assert checked(way) == 1
        with opened(way):
            assert checked(way) == 0
            assert checked(f"{way} 127.0.0.1:{here}=127.0.0.1:{free_port()}") == 1


def test_a_client_that_disconnects_early_affects_no_other() -> None:
    here = free_port()
    with echo() as there, opened(f"127.0.0.1:{here}=127.0.0.1:{there}"):
        with socket.create_connection(("127.0.0.1", here), TIMEOUT_S) as visitor:
            visitor.sendall(b"x" * 100_000)
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert say(here, b"next") == b"next"


def test_a_connection_error_during_half_close_closes_the_forwarder() -> None:
    async def ended() -> bool:
        source, target = asyncio.StreamReader(), Mock(spec=asyncio.StreamWriter)
        source.feed_eof()
        target.write_eof.side_effect = OSError(errno.ENOTCONN, "not connected")
        await door.pump(source, target)
        return bool(target.close.called)

    assert asyncio.run(ended())


def test_it_exits_when_no_target_is_reachable_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ROUND_S", 0.01)
    ways = door.forwards(f"127.0.0.1:{free_port()}=127.0.0.1:{free_port()}")
    assert asyncio.run(door.serve(ways)) == 1


def test_it_stays_while_something_is_behind_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ROUND_S", 0.01)
    with echo() as there:
        clients = f"127.0.0.1:{free_port()}=127.0.0.1:{there} 127.0.0.1:{free_port()}=127.0.0.1:{free_port()}"
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(door.serve(door.forwards(clients)), 0.5))
        assert time.monotonic() - started >= 0.5


def test_an_address_is_a_host_and_a_port() -> None:
    assert door.forwards("127.0.0.1:9000=object-store:9000 0.0.0.0:1=b:2") == [
        (("127.0.0.1", 9000), ("object-store", 9000)),
        (("0.0.0.0", 1), ("b", 2)),
    ]
