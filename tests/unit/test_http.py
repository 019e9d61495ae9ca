"""Asking a server: its response, the error if it does not answer, and that no secret is shown."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import Answer, ask, network_environment
from tests.certificates import a_certificate
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
        reported = ask("GET", at, name="it").at
    assert reported is not None
    assert abs(reported - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=5)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_server_may_return_no_time(headers: dict[str, str]) -> None:
    assert Answer(status=200, body="", headers=headers).at is None


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with loopback(lambda _: Reply(status=302, headers={"location": "http://elsewhere"})) as at:
        assert ask("GET", at, name="it").status == 302


def test_an_unresponsive_server_is_named_without_credentials_of_its_address() -> None:
    with loopback(lambda _: Reply(dropped=True)) as at, pytest.raises(ServiceUnavailableError) as caught:
        ask("GET", f"{at}/key?X-Amz-Signature=secret", name="the store")
    assert caught.value.message == f"the store at {at}/key: does not answer"


def test_a_request_waits_no_longer_than_its_time_limit() -> None:
    never = Event()
    with loopback(lambda _: Reply(after=never)) as at:
        with pytest.raises(ServiceUnavailableError, match="ReadTimeout"):
            ask("GET", at, name="it", timeout_s=0.2)
        never.set()


def test_an_https_address_without_tls_is_reported_as_such() -> None:
    with (
        loopback(lambda _: Reply()) as at,
        pytest.raises(ServiceUnavailableError, match="no TLS, or an untrusted certificate"),
    ):
        ask("GET", at.replace("http:", "https:"), name="it")


PROXIES = ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy")
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing of the network."""
    for name in (*PROXIES, *AUTHORITIES):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_proxy_is_used_for_other_hosts_only(plain: pytest.MonkeyPatch) -> None:
    came: list[str] = []
    with (
        loopback(lambda asked: came.append(asked.path) or json_reply("proxy")) as proxy,  # type: ignore[func-returns-value]
        loopback(lambda _: json_reply("server")) as server,
    ):
        plain.setenv("HTTP_PROXY", proxy)
        for name, value in network_environment().items():
            plain.setenv(name, value)
        assert ask("GET", "http://mlflow.example/health", name="it").body == "proxy"
        assert ask("GET", f"{server}/health", name="it").body == "server"
    assert came == ["http://mlflow.example/health"]


def test_hosts_in_no_proxy_are_kept_and_listed_once(plain: pytest.MonkeyPatch) -> None:
    plain.setenv("NO_PROXY", ".lan,localhost")
    for _ in range(2):
        reported = network_environment()
        assert reported == {"NO_PROXY": ".lan,localhost,127.0.0.1", "no_proxy": ".lan,localhost,127.0.0.1"}
        plain.setenv("no_proxy", reported["no_proxy"])


@pytest.mark.parametrize(("named", "expected"), [("*", "*"), ("a, localhost", "a,localhost,127.0.0.1")])
def test_nothing_is_made_of_a_list_that_says_everything_already(
    plain: pytest.MonkeyPatch, named: str, expected: str
) -> None:
    plain.setenv("NO_PROXY", named)
    assert network_environment()["no_proxy"] == expected


def test_a_missing_file_of_authorities_is_reported_with_the_variable_that_names_it(
    plain: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, context = a_certificate(tmp_path)
    plain.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with (
        loopback(lambda _: json_reply("here"), tls=context) as at,
        pytest.raises(ServiceUnavailableError, match=r"missing\.pem \(REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names it\)"),
    ):
        ask("GET", at, name="it")


def test_a_login_from_a_netrc_is_not_sent(plain: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n", encoding="utf-8")
    (tmp_path / "netrc").chmod(0o600)
    plain.setenv("NETRC", str(tmp_path / "netrc"))
    came: list[Asked] = []
    with loopback(lambda asked: came.append(asked) or Reply()) as at:  # type: ignore[func-returns-value]
        ask("GET", at, name="it")
    assert "authorization" not in came[0].headers


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(plain: pytest.MonkeyPatch, tmp_path: Path) -> None:
    certificate, context = a_certificate(tmp_path)
    with loopback(lambda _: json_reply("here"), tls=context) as at:
        with pytest.raises(ServiceUnavailableError, match="an untrusted certificate"):
            ask("GET", at, name="it")
        plain.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert ask("GET", at, name="it").body == "here"


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({}, None),
        ({"REQUESTS_CA_BUNDLE": "ours.pem"}, "ours.pem"),
        ({"CURL_CA_BUNDLE": "ours.pem"}, "ours.pem"),
        ({"REQUESTS_CA_BUNDLE": "ours.pem", "AWS_CA_BUNDLE": "amazon.pem"}, "amazon.pem"),
    ],
)
def test_s3_clients_use_the_common_authorities_unless_configured_otherwise(
    plain: pytest.MonkeyPatch, named: dict[str, str], expected: str | None
) -> None:
    for name, value in named.items():
        plain.setenv(name, value)
    assert network_environment().get("AWS_CA_BUNDLE") == expected
