"""JSON over HTTP: short waits, our own errors, no proxy, no secret in any message."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from cv_yolo.errors import ServiceUnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: status, headers, and the JSON or text of the body."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the server did what was asked."""
        return self.status < 400  # noqa: PLR2004 - HTTP's own border

    @property
    def at(self) -> datetime | None:
        """What the server's clock said, to a second; None where it does not tell, or tells no time."""
        told = next((value for name, value in self.headers.items() if name.lower() == "date"), "")
        try:
            return parsedate_to_datetime(told).astimezone(UTC)
        except (TypeError, ValueError):
            return None


def ask(
    method: str,
    url: str,
    *,
    name: str,
    headers: Mapping[str, str] | None = None,
    login: tuple[str, str] | None = None,
    json: Any = None,
    form: Mapping[str, str] | None = None,
    content: bytes | None = None,
    patience_s: float = 10.0,
) -> Answer:
    """Ask the server called `name`; raises `ServiceUnavailableError` where it does not answer at all."""
    import requests

    try:
        with requests.Session() as session:
            session.trust_env = False  # neither a proxy nor a .netrc has a say
            got = session.request(
                method,
                url,
                headers=headers,
                auth=login,
                json=json,
                data=form if content is None else content,
                timeout=patience_s,
                allow_redirects=False,
            )
    except requests.RequestException as error:
        tls = isinstance(error, requests.exceptions.SSLError)
        silent = "no TLS there, or a certificate that we do not trust" if tls else "does not answer"
        reason = silent if isinstance(error, requests.ConnectionError) else type(error).__name__
        raise _unavailable(name, url, reason) from error
    try:
        body = got.json()
    except ValueError:
        body = got.text
    return Answer(status=got.status_code, body=body, headers=dict(got.headers))


def _unavailable(name: str, url: str, reason: str) -> ServiceUnavailableError:
    place = url.partition("?")[0]  # a presigned address is a credential
    return ServiceUnavailableError(f"{name} at {place}: {reason}", hint="is it up? `cv-yolo status` tells")
