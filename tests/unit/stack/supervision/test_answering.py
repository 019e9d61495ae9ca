"""Who says anything at its address, and who is hung."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest

from cv_yolo_stack.supervision.health_watch import unresponsive
from cv_yolo_stack.supervision.state import ServiceState, Status
from tests.loopback import Reply, loopback


def a_state(url: str, *, name: str = "it", status: Status = Status.READY) -> ServiceState:
    return ServiceState(name=name, title="It", url=url, status=status)


@contextmanager
def database(greeting: bytes) -> Iterator[str]:
    """A server that speaks first, as MySQL's do, or says nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection, suppress(ConnectionResetError):
                connection.sendall(greeting)
                connection.recv(1)

        thread = Thread(target=greet)
        thread.start()
        yield f"mysql://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.mark.parametrize("status", [200, 302, 401, 403, 500])
def test_any_response_counts_as_an_answer(status: int) -> None:
    with loopback(lambda _: Reply(status=status)) as url:
        assert unresponsive([a_state(url)]) == frozenset()


def test_a_server_that_accepts_connections_and_sends_nothing_is_unresponsive() -> None:
    never = Event()
    with loopback(lambda _: Reply(after=never)) as hung, loopback(lambda _: Reply()) as well:
        found = unresponsive([a_state(hung, name="hung"), a_state(well, name="well")], timeout_s=0.2)
        never.set()
    assert found == {"hung"}


@pytest.mark.parametrize(("greeting", "expected"), [(b"5.5.5-MariaDB", frozenset()), (b"", frozenset({"it"}))])
def test_a_database_answers_with_its_greeting(greeting: bytes, expected: frozenset[str]) -> None:
    with database(greeting) as url:
        assert unresponsive([a_state(url)], timeout_s=0.2) == expected


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "mysql://127.0.0.1:1"])
def test_a_closed_port_does_not_answer(url: str) -> None:
    assert unresponsive([a_state(url)]) == {"it"}


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.READY}))
def test_a_service_that_is_not_ready_is_not_asked(status: Status) -> None:
    assert unresponsive([a_state("http://127.0.0.1:1", status=status)]) == frozenset()


def test_a_store_without_an_address_is_not_asked() -> None:
    assert unresponsive([a_state("Amazon S3")]) == frozenset()
    assert unresponsive([]) == frozenset()
