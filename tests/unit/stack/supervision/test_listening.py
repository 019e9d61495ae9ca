"""Ports: free, or in use by a named process."""

import os
import socket
import sys
from collections.abc import Iterator

import psutil
import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.supervision.listening import holder, require_free
from tests.unit.stack.small import a_service

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def test_free_ports_are_fine() -> None:
    require_free([a_service(ports={"zenml": free_port(0)}), a_service(ports={})], HOST)


def test_a_port_that_a_server_has_just_left_is_free() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        server.bind((HOST, 0))
        server.listen()
        port = server.getsockname()[1]
        with socket.create_connection((HOST, port)), server.accept()[0]:
            pass
    require_free([a_service(ports={"zenml": port})], HOST)


def test_a_port_in_use_is_reported_with_its_holder_and_the_option_for_another(taken: int) -> None:
    with pytest.raises(ServiceUnavailableError) as caught:
        require_free([a_service(name="mlflow", ports={"mlflow": taken})], HOST)
    assert caught.value.message.startswith(f"port {taken} for Mlflow is in use by process {os.getpid()} (")
    assert f"cv-yolo up --mlflow-port {taken + 1}" in str(caught.value.hint)


def test_a_holder_that_we_may_not_see_is_another_process(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert holder(free_port(0)) == "another process"

    def refused(**_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refused)
    assert holder(taken) == "another process"


def test_a_port_holder_that_exits_during_the_lookup_is_reported(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(pid: int) -> None:
        raise psutil.NoSuchProcess(pid)

    monkeypatch.setattr(psutil, "Process", gone)
    assert holder(taken) == f"process {os.getpid()} (just exited)"


def test_an_address_of_another_machine_is_reported() -> None:
    with pytest.raises(ServiceUnavailableError, match=r"on 192\.0\.2\.1: Cannot assign"):
        require_free([a_service(ports={"zenml": free_port(0)})], "192.0.2.1")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may take every port")
def test_a_privileged_port_is_reported() -> None:
    with pytest.raises(ServiceUnavailableError, match="administrator"):
        require_free([a_service(ports={"zenml": 80})], HOST)
