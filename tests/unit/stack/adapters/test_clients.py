"""Whether a port accepts connections, and if not, why."""

import socket

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.clients import reach, sense


def test_a_listening_port_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reach(f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=1)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://no-such-name.invalid:9000", "the name 'no-such-name.invalid' does not resolve on this machine"),
        ("http://127.0.0.1:1", "nothing listens at 127.0.0.1:1"),
        ("http://255.255.255.255:9", "255.255.255.255:9 cannot be reached: "),
    ],
)
def test_an_unreachable_host_is_reported_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ServiceUnavailableError) as caught:
        reach(url, timeout_s=1)
    assert caught.value.message.startswith(reason)


def test_a_server_that_sends_nothing_times_out() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        place = server.getsockname()
        filling = [socket.socket() for _ in range(3)]  # a full queue accepts no connection
        for each in filling:
            each.setblocking(False)
            each.connect_ex(place)
        with pytest.raises(ServiceUnavailableError, match=r"no answer from 127\.0\.0\.1:\d+ within 0\.2 s"):
            reach(f"http://127.0.0.1:{place[1]}", timeout_s=0.2)
        for each in filling:
            each.close()


def test_a_malformed_response_is_reported_and_our_own_errors_are_kept() -> None:
    with (
        pytest.raises(ServiceUnavailableError, match=r"unexpected response from ZenML \(KeyError: 'items'\)"),
        sense("ZenML"),
    ):
        raise KeyError("items")
    with pytest.raises(ServiceUnavailableError, match="down"), sense("ZenML"):
        raise ServiceUnavailableError("down")
