"""Asking a server: what it said, how its silence is told, and that no secret is."""

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import Answer, ask
from tests.loopback import Asked, Reply, json_reply, loopback


def test_an_answer_is_json_where_it_can_be_read_as_such_and_text_otherwise() -> None:
    with loopback(
        lambda asked: json_reply({"path": asked.path}, 201) if asked.path == "/a" else Reply(body=b"b")
    ) as at:
        assert ask("GET", f"{at}/a", name="it").body == {"path": "/a"}
        assert ask("GET", f"{at}/b", name="it").body == "b"


def test_bytes_are_sent_as_they_are() -> None:
    came: list[Asked] = []
    with loopback(lambda asked: came.append(asked) or Reply()) as at:  # type: ignore[func-returns-value]
        ask("PUT", at, name="it", content=b"\x00\xff")
    assert (came[0].method, came[0].body) == ("PUT", b"\x00\xff")


def test_the_server_s_clock_is_read_whatever_the_header_s_case() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    for name in ("Date", "date", "DATE"):
        assert Answer(status=200, body="", headers={name: "Fri, 02 Jan 2026 12:00:00 GMT"}).at == noon
    with loopback(lambda _: Reply(ahead=timedelta(hours=1))) as at:
        told = ask("GET", at, name="it").at
    assert told is not None
    assert abs(told - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=5)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_server_may_tell_no_time(headers: dict[str, str]) -> None:
    assert Answer(status=200, body="", headers=headers).at is None


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with loopback(lambda _: Reply(status=302, headers={"location": "http://elsewhere"})) as at:
        assert ask("GET", at, name="it").status == 302


def test_who_does_not_answer_is_named_without_what_the_address_carried() -> None:
    with loopback(lambda _: Reply(dropped=True)) as at, pytest.raises(ServiceUnavailableError) as caught:
        ask("GET", f"{at}/key?X-Amz-Signature=secret", name="the store")
    assert caught.value.message == f"the store at {at}/key: does not answer"


def test_nobody_is_waited_for_longer_than_patience_lasts() -> None:
    never = Event()
    with loopback(lambda _: Reply(after=never)) as at:
        with pytest.raises(ServiceUnavailableError, match="ReadTimeout"):
            ask("GET", at, name="it", patience_s=0.2)
        never.set()


def test_an_address_without_the_tls_it_promises_is_told_as_such() -> None:
    with loopback(lambda _: Reply()) as at, pytest.raises(ServiceUnavailableError, match="no TLS there"):
        ask("GET", at.replace("http:", "https:"), name="it")
