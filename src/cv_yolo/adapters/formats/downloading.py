"""An address of an import as a local file: downloaded over https within limits, and resumed where it was cut off.

The query of an address may be a key: it is in no message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from cv_yolo.disk import in_words, room_at
from cv_yolo.domain.data.names import printable
from cv_yolo.errors import CvYoloError, DatasetError, ServiceUnavailableError
from cv_yolo.http import LOCAL, session_for

if TYPE_CHECKING:
    import requests

MOST_BYTES: Final = 500_000_000_000
KEPT_FREE_BYTES: Final = 200_000_000
CHUNK_BYTES: Final = 1 << 20
REPORTED_BYTES: Final = 50_000_000
MOST_REDIRECTS: Final = 10
MOST_ATTEMPTS: Final = 5  # each after the first only where the one before has brought something
WAIT_S: Final = 1.0
TIMEOUTS_S: Final = (10.0, 60.0)  # to connect; between two parts of an answer
BY_HAND: Final = "download it yourself, and give the file"
IN_A_BROWSER: Final = "run the command again; or download it in a browser, and give the file"
REFUSALS: Final = {
    HTTPStatus.UNAUTHORIZED: "it asks for a login",
    HTTPStatus.FORBIDDEN: "it denies access",
    HTTPStatus.NOT_FOUND: "it has no such file",
    HTTPStatus.GONE: "it no longer has this file",
}


@dataclass(slots=True, kw_only=True)
class _Download:
    """A file on its way; `validator` names the content on the server, so that the rest of the same can be asked for."""

    address: str
    shown: str
    target: Path
    report: Callable[[str], None]
    validator: str = ""
    reported: int = 0

    @property
    def done(self) -> int:
        """How many bytes are here."""
        return self.target.stat().st_size if self.target.exists() else 0


def downloaded(address: str, scratch: Path, report: Callable[[str], None]) -> Path:
    """Stream an address to a file below `scratch`."""
    import requests

    download = _Download(address=address, shown=_shown(address), target=scratch / "download.zip", report=report)
    try:
        with session_for(address) as session:
            _attempts(session, download)
    except requests.RequestException as error:
        raise _failed(download, error) from error
    report(f"downloaded {in_words(download.done)}")
    return download.target


def require_room(folder: Path, size: int, shown: str) -> None:
    """Refuse what the disk cannot hold; raises `DatasetError`."""
    room = room_at(folder)
    if room.free_bytes < size + KEPT_FREE_BYTES:
        raise DatasetError(
            f"{shown}: needs {in_words(size)}, and {room.sentence}",
            hint="free some space, or set CV_YOLO_HOME elsewhere",
        )


def _attempts(session: "requests.Session", download: _Download) -> None:
    """Ask until all of it is here; once more only if the last answer has brought something."""
    import requests

    for attempt in range(1, MOST_ATTEMPTS + 1):
        before = download.done
        try:
            return _attempt(session, download)
        except (requests.exceptions.ChunkedEncodingError, requests.ConnectionError):
            if attempt == MOST_ATTEMPTS or download.done <= before:
                raise
            download.report(f"{download.shown}: cut off after {in_words(download.done)}: asking for the rest")
            sleep(WAIT_S)
    return None


def _attempt(session: "requests.Session", download: _Download) -> None:
    asked = {"Accept-Encoding": "identity"}
    if download.done and download.validator:
        asked |= {"Range": f"bytes={download.done}-", "If-Range": download.validator}
    with _answer(session, download.address, asked) as answer:
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            raise _refusal(answer.status_code, download.shown)
        if answer.status_code != HTTPStatus.PARTIAL_CONTENT:
            download.target.unlink(missing_ok=True)
        elif not answer.headers.get("Content-Range", "").startswith(f"bytes {download.done}-"):
            raise DatasetError(f"{download.shown}: the server answers with another part of the file", hint=BY_HAND)
        etag = answer.headers.get("ETag", "")
        download.validator = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
        _stream(answer, download)


def _stream(answer: "requests.Response", download: _Download) -> None:
    shown, length = download.shown, answer.headers.get("Content-Length", "")
    here = download.done
    total = here + int(length) if length.isdecimal() else 0
    _require_size(total, shown)
    require_room(download.target.parent, total - here if total else 0, shown)
    download.report(f"downloading {shown}{f': {in_words(total)}' if total else ''}")
    with download.target.open("ab") as file:
        for chunk in answer.iter_content(CHUNK_BYTES):
            file.write(chunk)
            here += len(chunk)
            _require_size(here, shown)
            if here - download.reported >= REPORTED_BYTES:
                download.reported = here
                require_room(download.target.parent, 0, shown)
                download.report(f"downloading {shown}: {in_words(here)}{f' of {in_words(total)}' if total else ''}")


def _answer(session: "requests.Session", address: str, headers: dict[str, str]) -> "requests.Response":
    """The answer to an address, through redirects; each is checked before it is asked."""
    is_local = urlsplit(address).scheme == "http" and urlsplit(address).hostname in LOCAL
    for _ in range(MOST_REDIRECTS):
        parts = urlsplit(address)
        is_plain = is_local and parts.scheme == "http" and parts.hostname in LOCAL
        if (parts.scheme != "https" and not is_plain) or not parts.hostname:
            raise DatasetError(f"{_shown(address)}: only https addresses are downloaded", hint=BY_HAND)
        answer = _asked(session, address, headers)
        if not answer.is_redirect:
            return answer
        answer.close()
        address = urljoin(address, answer.headers["location"])
    raise DatasetError(f"{_shown(address)}: more than {MOST_REDIRECTS} redirects", hint=BY_HAND)


def _asked(session: "requests.Session", address: str, headers: dict[str, str]) -> "requests.Response":
    import requests

    try:
        return session.get(address, headers=headers, stream=True, timeout=TIMEOUTS_S, allow_redirects=False)
    except requests.RequestException:
        raise
    except OSError as error:  # the file of authorities that the environment names
        raise DatasetError(
            f"{_shown(address)}: cannot be downloaded: {error}",
            hint="correct REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE, which names the file",
        ) from error


def _refusal(status: int, shown: str) -> CvYoloError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return ServiceUnavailableError(f"{shown}: the server answers {status}", hint="run the command again later")
    words = f": {REFUSALS[HTTPStatus(status)]}" if status in REFUSALS else ""
    return DatasetError(
        f"{shown}: the server answers {status}{words}",
        hint="does the address still work in a browser? Links of labelling tools expire",
    )


def _failed(download: _Download, error: Exception) -> ServiceUnavailableError:
    from requests import exceptions

    hint = IN_A_BROWSER
    if isinstance(error, exceptions.SSLError):
        reason = "no TLS, or an untrusted certificate"
        hint = (
            "REQUESTS_CA_BUNDLE names the file of your own authorities; or download it in a browser, and give the file"
        )
    elif isinstance(error, exceptions.Timeout) or "Read timed out" in str(error):
        reason = f"no answer for {TIMEOUTS_S[0] if isinstance(error, exceptions.ConnectTimeout) else TIMEOUTS_S[1]:g} s"
    elif isinstance(error, exceptions.ChunkedEncodingError) or download.done:
        reason = "the connection was closed before the end"
    else:
        reason = "the server does not answer" if isinstance(error, exceptions.ConnectionError) else type(error).__name__
    after = f" (after {in_words(download.done)})" if download.done else ""
    return ServiceUnavailableError(f"{download.shown}: cannot be downloaded: {reason}{after}", hint=hint)


def _require_size(size: int, shown: str) -> None:
    if size > MOST_BYTES:
        raise DatasetError(f"{shown}: {in_words(size)}, more than {in_words(MOST_BYTES)}", hint=BY_HAND)


def _shown(address: str) -> str:
    return printable(address.partition("?")[0])
