"""JSON over HTTP: short waits, our own errors, no secret in any message; proxies and authorities of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

from cv_yolo.errors import ServiceUnavailableError

if TYPE_CHECKING:
    import requests

LOCAL: Final = ("127.0.0.1", "localhost")


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
        """The server's time, to a second; None without a valid one."""
        date = next((value for name, value in self.headers.items() if name.lower() == "date"), "")
        try:
            return parsedate_to_datetime(date).astimezone(UTC)
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
    timeout_s: float = 10.0,
) -> Answer:
    """Ask the server called `name`; raises `ServiceUnavailableError` where it does not answer at all."""
    import requests

    try:
        with session_for(url) as session:
            got = session.request(
                method,
                url,
                headers=headers,
                auth=login,
                json=json,
                data=form if content is None else content,
                timeout=timeout_s,
                allow_redirects=False,
            )
    except requests.RequestException as error:
        tls = isinstance(error, requests.exceptions.SSLError)
        silent = "no TLS, or an untrusted certificate" if tls else "does not answer"
        late = isinstance(error, requests.exceptions.ReadTimeout)
        silent = f"does not answer (ReadTimeout after {timeout_s:g} s)" if late else silent
        reason = silent if late or isinstance(error, requests.ConnectionError) else type(error).__name__
        raise _unavailable(name, url, reason) from error
    except OSError as error:  # the file of authorities that the environment names
        raise _unavailable(name, url, f"{error} (REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names it)") from error
    try:
        body = got.json()
    except ValueError:
        body = got.text
    return Answer(status=got.status_code, body=body, headers=dict(got.headers))


def is_answering(url: str, *, timeout_s: float = 10.0) -> bool:
    """Whether a server responds there, even with a refusal; a busy one gets ten seconds."""
    try:
        ask("GET", url, name="", timeout_s=timeout_s)
    except ServiceUnavailableError:
        return False
    return True


def session_for(url: str) -> "requests.Session":
    """A session with the environment's proxies and authorities, and without any login from a `.netrc`."""
    import requests

    session = requests.Session()
    session.trust_env = False
    session.proxies = dict(requests.utils.get_environ_proxies(url))
    session.verify = _authorities() or True
    return session


def network_environment() -> dict[str, str]:
    """Network variables for all libraries: no proxy for this machine, and the same certificate authorities.

    Otherwise S3 clients ignore the file of authorities that `REQUESTS_CA_BUNDLE` names.
    """
    named = [host.strip() for host in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")]
    missing = [] if named == ["*"] else [host for host in LOCAL if host not in named]  # alone, `*` is everything
    no_proxy = ",".join(filter(None, [*named, *missing]))
    authorities = os.environ.get("AWS_CA_BUNDLE") or _authorities()
    return {"NO_PROXY": no_proxy, "no_proxy": no_proxy} | ({"AWS_CA_BUNDLE": authorities} if authorities else {})


def _authorities() -> str | None:
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")


def _unavailable(name: str, url: str, reason: str) -> ServiceUnavailableError:
    place = url.partition("?")[0]  # a presigned address is a credential
    return ServiceUnavailableError(f"{name} at {place}: {reason}", hint="is it up? `cv-yolo status` shows it")
