"""Pin the images of compose.yaml and docker/*/Dockerfile to digests: `python tools/resolve_image_digests.py --write`.

A tag can be moved, a digest cannot: `name:tag@sha256:…` is what was looked at, for ever. Asks each image's registry by
the distribution API, with a token from where the registry sends us (Docker Hub, ghcr.io and quay.io need no account),
and makes sure that the answer has the digest it claims. Without an option it only prints; `--check` fails where a tag
has moved on from the digest that is written, which is how one learns of security updates.
"""

import argparse
import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = "cv-yolo/"
HUB = "https://registry-1.docker.io"
REFERENCE = re.compile(
    r"""(?P<before>^[ ]*(?:image:|FROM)[ ]+)
        (?P<name>[a-z0-9][\w./:-]*?):(?P<tag>[\w.-]+)
        (?:@(?P<digest>sha256:[0-9a-f]{64}))?(?=\s|$)""",
    re.MULTILINE | re.VERBOSE,
)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
MANIFESTS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        *("oci.image.index.v1", "docker.distribution.manifest.list.v2"),
        *("oci.image.manifest.v1", "docker.distribution.manifest.v2"),
    )
)
TIMEOUT_S = 20
UNAUTHORIZED = 401


class RegistryError(Exception):
    """A registry that does not answer, refuses, or contradicts itself."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """A reference as it is written in a file; `digest` is None where only the tag is."""

    name: str
    tag: str
    digest: str | None = None

    @property
    def registry(self) -> str:
        """Where its registry answers."""
        host = self.name.split("/")[0]
        return f"https://{host}" if "/" in self.name and ("." in host or ":" in host) else HUB

    @property
    def repository(self) -> str:
        """What its registry calls it."""
        if self.registry != HUB:
            return self.name.split("/", 1)[1]
        return self.name if "/" in self.name else f"library/{self.name}"


def images_in(text: str) -> list[Image]:
    """The images of others that a file names; what we build ourselves has no digest yet."""
    found = (match.groupdict() for match in REFERENCE.finditer(text))
    return [
        Image(name=each["name"], tag=each["tag"], digest=each["digest"])
        for each in found
        if not each["name"].startswith(OURS)
    ]


def pinned(text: str, digests: dict[tuple[str, str], str]) -> str:
    """The same file with the digest behind each name and tag that we have one for."""

    def pin(match: re.Match[str]) -> str:
        digest = digests.get((match["name"], match["tag"]))
        return f"{match['before']}{match['name']}:{match['tag']}@{digest}" if digest else match[0]

    return REFERENCE.sub(pin, text)


def resolve(image: Image, *, registry: str | None = None) -> str:
    """The digest of what the tag means today, for all platforms; raises `RegistryError`."""
    url = f"{registry or image.registry}/v2/{image.repository}/manifests/{image.tag}"
    accept = {"Accept": MANIFESTS}
    status, headers, body = _get(url, accept)
    if status == UNAUTHORIZED:
        token = _token(headers.get("WWW-Authenticate", ""), url)
        status, headers, body = _get(url, accept | {"Authorization": f"Bearer {token}"})
    if status != 200:  # noqa: PLR2004 - HTTP's own number
        raise RegistryError(f"{image.name}:{image.tag}: the registry answered {status}")
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    claimed = headers.get("Docker-Content-Digest", digest)
    if claimed != digest:
        raise RegistryError(f"{image.name}:{image.tag}: the registry says {claimed}, and sent {digest}")
    return digest


def _token(challenge: str, url: str) -> str:
    """A token from where the registry sends us, which must be as well protected as the registry is."""
    said = dict(CHALLENGE.findall(challenge))
    realm = said.pop("realm", "")
    if not challenge.startswith("Bearer ") or urllib.parse.urlsplit(realm).scheme != urllib.parse.urlsplit(url).scheme:
        raise RegistryError(f"{url}: no way to get a token: {challenge or 'the registry names none'}")
    query = urllib.parse.urlencode({key: said[key] for key in ("service", "scope") if key in said})
    status, _, body = _get(f"{realm}?{query}", {})
    answer = json.loads(body) if status == 200 else {}  # noqa: PLR2004
    token = answer.get("token") or answer.get("access_token")
    if not token:
        raise RegistryError(f"{realm} was answered {status}, without a token")
    return str(token)


def _get(url: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
    except OSError as error:
        raise RegistryError(f"{url}: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Returns 0; 1 where `--check` finds a tag that has moved; 3 where a registry does not answer as it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the digests into the files")
    parser.add_argument("--check", action="store_true", help="fail where a tag has moved on, or has no digest")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    parser.add_argument("--registry", help="ask this registry for all images, such as a mirror")
    wanted = parser.parse_args(arguments)
    files = [wanted.root / "compose.yaml", *sorted((wanted.root / "docker").glob("*/Dockerfile"))]
    texts = {path: path.read_text(encoding="utf-8") for path in files}
    images = {each for text in texts.values() for each in images_in(text)}
    try:
        digests = {(each.name, each.tag): resolve(each, registry=wanted.registry) for each in images}
    except RegistryError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    moved = [each for each in images if each.digest != digests[each.name, each.tag]]
    for name, tag in sorted(digests):
        print(f"{name}:{tag}@{digests[name, tag]}")
    if wanted.write:
        for path, text in texts.items():
            path.write_text(pinned(text, digests), encoding="utf-8")
    for each in sorted(moved, key=lambda each: each.name) if wanted.check else ():
        print(f"{each.name}:{each.tag} is {'another image now' if each.digest else 'not pinned'}", file=sys.stderr)
    return 1 if wanted.check and moved else 0


if __name__ == "__main__":
    sys.exit(main())
