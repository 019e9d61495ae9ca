"""Addresses of an import, over TLS: what is refused says why, and what was cut off is resumed."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from ssl import SSLContext
from threading import Event

import pytest

from cv_yolo.adapters.formats import downloading
from cv_yolo.adapters.formats.downloading import downloaded
from cv_yolo.errors import CvYoloError, DatasetError, ServiceUnavailableError
from tests.certificates import a_certificate
from tests.loopback import Answer, Asked, Reply, loopback


def a_zip() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.txt", bytes(range(256)) * 400)
    return made.getvalue()


ZIP = a_zip()
HALF = len(ZIP) // 2
TAG = {"ETag": '"one"'}
QUERY = "?key=secret"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "WAIT_S", 0.0)
    monkeypatch.setattr(downloading, "CHUNK_BYTES", 1000)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SSLContext:
    """A server's certificate by an authority that is trusted here."""
    authority, context = a_certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    return context


@pytest.fixture
def got(tls: SSLContext, tmp_path: Path) -> Callable[[Answer], bytes]:
    """What is downloaded from a server that answers so."""

    def get(answer: Answer) -> bytes:
        said: list[str] = []
        with loopback(answer, tls=tls) as address:
            try:
                return downloaded(f"{address}/mine.zip{QUERY}", tmp_path, said.append).read_bytes()
            finally:
                assert "secret" not in " ".join(said)

    return get


@pytest.fixture
def refused(got: Callable[[Answer], bytes]) -> Callable[[Answer], CvYoloError]:
    """The error for a server that answers so."""

    def refuse(answer: Answer) -> CvYoloError:
        with pytest.raises(CvYoloError) as refusal:
            got(answer)
        assert "secret" not in f"{refusal.value.message} {refusal.value.hint}"
        assert refusal.value.hint
        return refusal.value

    return refuse


def cut_off(body: bytes, *, of: int = len(ZIP), headers: dict[str, str] = TAG, status: int = 200) -> Reply:
    """A part of what the answer promises, before the connection is closed."""
    return Reply(status=status, body=body, headers={"content-length": str(of), "Connection": "close", **headers})


def in_turn(*replies: Reply, asked: list[Asked]) -> Answer:
    """One reply after the other, the last one again and again; what was asked is kept."""

    def answer(request: Asked) -> Reply:
        asked.append(request)
        return replies[min(len(asked), len(replies)) - 1]

    return answer


def test_an_archive_comes_over_tls(got: Callable[[Answer], bytes]) -> None:
    assert got(lambda asked: Reply(body=ZIP)) == ZIP


def test_a_certificate_of_an_unknown_authority_is_refused(
    refused: Callable[[Answer], CvYoloError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    said = refused(lambda asked: Reply(body=ZIP))
    assert isinstance(said, ServiceUnavailableError)
    assert "cannot be downloaded: no TLS, or an untrusted certificate" in said.message
    assert "REQUESTS_CA_BUNDLE" in (said.hint or "")


def test_a_file_of_authorities_that_is_not_there_is_named(
    refused: Callable[[Answer], CvYoloError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "nowhere.pem")
    said = refused(lambda asked: Reply(body=ZIP))
    assert "nowhere.pem" in said.message
    assert "REQUESTS_CA_BUNDLE" in (said.hint or "")


def test_a_server_without_tls_is_refused(tmp_path: Path) -> None:
    with loopback(lambda asked: Reply(body=ZIP)) as address, pytest.raises(ServiceUnavailableError, match="no TLS"):
        downloaded(address.replace("http:", "https:") + "/mine.zip", tmp_path, lambda text: None)


def test_a_redirect_stays_with_tls(got: Callable[[Answer], bytes], refused: Callable[[Answer], CvYoloError]) -> None:
    moved = Reply(status=302, headers={"Location": f"/there.zip{QUERY}"})
    assert got(lambda asked: Reply(body=ZIP) if "there" in asked.path else moved) == ZIP
    with loopback(lambda asked: Reply(body=ZIP)) as plain:
        said = refused(lambda asked: Reply(status=302, headers={"Location": f"{plain}/there.zip{QUERY}"}))
    assert said.message == f"{plain}/there.zip: only https addresses are downloaded"


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, DatasetError, "the server answers 401: it asks for a login"),
        (403, DatasetError, "the server answers 403: it denies access"),
        (404, DatasetError, "the server answers 404: it has no such file"),
        (410, DatasetError, "the server answers 410: it no longer has this file"),
        (418, DatasetError, "the server answers 418"),
        (429, ServiceUnavailableError, "the server answers 429"),
        (503, ServiceUnavailableError, "the server answers 503"),
    ],
)
def test_a_refusal_of_the_server_is_a_sentence(
    refused: Callable[[Answer], CvYoloError], status: int, kind: type[CvYoloError], words: str
) -> None:
    said = refused(lambda asked: Reply(status=status))
    assert type(said) is kind
    assert said.message.endswith(f"/mine.zip: {words}")


def test_what_was_cut_off_is_resumed_where_it_ended(got: Callable[[Answer], bytes]) -> None:
    asked: list[Asked] = []

    def answer(request: Asked) -> Reply:
        asked.append(request)
        if "range" not in request.headers:
            return cut_off(ZIP[:HALF])
        start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        part = f"bytes {start}-{len(ZIP) - 1}/{len(ZIP)}"
        return Reply(status=206, body=ZIP[start:], headers={"Content-Range": part, **TAG})

    assert got(answer) == ZIP
    assert len(asked) == 2
    assert 0 < int(asked[1].headers["range"][len("bytes=") : -1]) <= HALF
    assert asked[1].headers["if-range"] == '"one"'


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": 'W/"weak"'}, TAG], ids=["without a tag", "with a weak tag", "with a tag that changed"]
)
def test_what_cannot_be_resumed_begins_again(got: Callable[[Answer], bytes], headers: dict[str, str]) -> None:
    asked: list[Asked] = []
    assert got(in_turn(cut_off(ZIP[:HALF], headers=headers), Reply(body=ZIP), asked=asked)) == ZIP
    assert ("range" in asked[1].headers) == (headers is TAG)


def test_another_part_than_the_one_asked_for_is_refused(refused: Callable[[Answer], CvYoloError]) -> None:
    asked: list[Asked] = []
    other = Reply(status=206, body=ZIP, headers={"Content-Range": f"bytes 7-{len(ZIP) - 1}/{len(ZIP)}"})
    said = refused(in_turn(cut_off(ZIP[:HALF]), other, asked=asked))
    assert said.message.endswith("the server answers with another part of the file")


def test_a_download_that_is_always_cut_off_ends(refused: Callable[[Answer], CvYoloError]) -> None:
    asked: list[Asked] = []
    said = refused(in_turn(cut_off(ZIP[:HALF], headers={}), asked=asked))
    assert "cannot be downloaded: the connection was closed before the end (after 0.1 MB)" in said.message
    assert len(asked) == 2, "the second answer has brought nothing more"


def test_a_length_that_is_not_that_of_the_content_is_noticed(refused: Callable[[Answer], CvYoloError]) -> None:
    assert "closed before the end" in refused(lambda asked: cut_off(ZIP, of=len(ZIP) + 1, headers={})).message


def test_a_server_that_never_answers_costs_a_bounded_time(
    refused: Callable[[Answer], CvYoloError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "TIMEOUTS_S", (5.0, 0.2))
    never = Event()
    try:
        said = refused(lambda asked: Reply(after=never))
    finally:
        never.set()
    assert isinstance(said, ServiceUnavailableError)
    assert said.message.endswith("cannot be downloaded: no answer for 0.2 s")


def test_an_answer_that_stops_midway_costs_a_bounded_time(
    refused: Callable[[Answer], CvYoloError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "TIMEOUTS_S", (5.0, 0.2))
    said = refused(lambda asked: Reply(body=ZIP[:HALF], headers={"content-length": str(len(ZIP))}))
    assert "cannot be downloaded: no answer for 0.2 s (after 0.1 MB)" in said.message


def test_more_than_the_limit_is_refused_before_or_while_it_comes(
    refused: Callable[[Answer], CvYoloError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "MOST_BYTES", 50_000)
    assert "more than 0.1 MB" in refused(lambda asked: Reply(body=ZIP)).message
    endless = Reply(body=ZIP, headers={"content-length": "", "Connection": "close"})
    assert "more than 0.1 MB" in refused(lambda asked: endless).message
    monkeypatch.setattr(downloading, "KEPT_FREE_BYTES", 1 << 62)
    monkeypatch.setattr(downloading, "MOST_BYTES", 500_000)
    assert "are free on" in refused(lambda asked: Reply(body=ZIP)).message
