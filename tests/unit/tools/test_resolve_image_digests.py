"""Digests of images: asked of a registry that wants a token, as Docker Hub's does, and written where the tags are."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.unit.tools.loading import ROOT, load_tool

TOOL = ROOT / "tools" / "resolve_image_digests.py"

tool = load_tool(TOOL)
COMPOSE = """services:
  mysql:
    image: mysql:8.4.10  # LTS
  door:
    image: ghcr.io/example/door:1.2
  ours:
    build: .
    image: cv-yolo/setup:0.1.0
"""
DOCKERFILE = "FROM golang:1.26 AS build\nRUN true\n\nFROM golang:1.26\nCOPY --from=build /a /b\n"


class FakeRegistry(ThreadingHTTPServer):
    """Manifests by repository and tag; hands out a token for each repository, and wants it back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.manifests = {
            name: json.dumps({"schemaVersion": 2, "of": name}).encode()
            for name in ("library/mysql:8.4.10", "library/golang:1.26", "example/door:1.2")
        }
        self.claims: dict[str, str] = {}
        self.realm = f"{self.url}/token"
        self.broken_tokens = False
        self.accepted: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def digest(self, name: str) -> str:
        return f"sha256:{hashlib.sha256(self.manifests[name]).hexdigest()}"


class RegistryHandler(BaseHTTPRequestHandler):
    server: FakeRegistry

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/token":
            scope = parse_qs(url.query)["scope"][0]
            return self.answer(200, {} if self.server.broken_tokens else {"token": f"for {scope}"})
        repository, _, tag = url.path.removeprefix("/v2/").partition("/manifests/")
        if self.headers.get("Authorization") != f"Bearer for repository:{repository}:pull":
            challenge = f'Bearer realm="{self.server.realm}",service="fake",scope="repository:{repository}:pull"'
            return self.answer(401, {}, {"WWW-Authenticate": challenge})
        self.server.accepted.add(self.headers["Accept"])
        name = f"{repository}:{tag}"
        if name not in self.server.manifests:
            return self.answer(404, {})
        claim = self.server.claims.get(name, self.server.digest(name))
        return self.answer(200, self.server.manifests[name], {"Docker-Content-Digest": claim})

    def answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docker" / "built").mkdir(parents=True)
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    (tmp_path / "docker" / "built" / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return tmp_path


def run(root: Path, registry: FakeRegistry, *options: str) -> int:
    return int(tool.main(["--root", str(root), "--registry", registry.url, *options]))


def texts(root: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in root.rglob("*") if path.is_file()}


def test_without_an_option_the_digests_are_printed_and_nothing_is_written(
    root: Path, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    before = texts(root)
    assert run(root, registry) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ghcr.io/example/door:1.2@{registry.digest('example/door:1.2')}",
        f"golang:1.26@{registry.digest('library/golang:1.26')}",
        f"mysql:8.4.10@{registry.digest('library/mysql:8.4.10')}",
    ]
    assert texts(root) == before
    assert all("manifest.list.v2" in each and "oci.image.index" in each for each in registry.accepted)


def test_digests_are_appended_to_the_tags_and_nothing_else_changes(root: Path, registry: FakeRegistry) -> None:
    assert run(root, registry, "--write") == 0
    found = texts(root)
    mysql, golang = registry.digest("library/mysql:8.4.10"), registry.digest("library/golang:1.26")
    assert f"image: mysql:8.4.10@{mysql}  # LTS\n" in found["compose.yaml"]
    assert "image: cv-yolo/setup:0.1.0\n" in found["compose.yaml"]
    assert found["Dockerfile"] == DOCKERFILE.replace("golang:1.26", f"golang:1.26@{golang}")
    assert run(root, registry, "--write", "--check") == 0
    assert texts(root) == found


def test_a_moved_tag_is_reported_and_updated(
    root: Path, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, registry, "--check") == 1
    assert "mysql:8.4.10 is not pinned" in capsys.readouterr().err
    run(root, registry, "--write")
    registry.manifests["library/mysql:8.4.10"] = b'{"a": "security update"}'
    assert run(root, registry, "--check") == 1
    assert capsys.readouterr().err == "mysql:8.4.10 is another image now\n"
    assert run(root, registry, "--write") == 0
    assert run(root, registry, "--check") == 0


def test_an_unknown_tag_is_an_error_that_names_it(
    root: Path, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    del registry.manifests["library/golang:1.26"]
    before = texts(root)
    assert run(root, registry, "--write") == 3
    assert capsys.readouterr().err == "error: golang:1.26: the registry answered 404\n"
    assert texts(root) == before


def test_a_registry_that_sends_another_manifest_than_it_claims_is_not_believed(
    root: Path, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.claims["library/mysql:8.4.10"] = f"sha256:{'0' * 64}"
    assert run(root, registry) == 3
    assert f"the registry says sha256:{'0' * 64}, and sent {registry.digest('library/mysql:8.4.10')}" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("realm", ["https://elsewhere.example/token", "file:///etc/passwd", ""])
def test_a_token_is_fetched_by_the_registry_s_own_scheme_only(
    root: Path, registry: FakeRegistry, realm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.realm = realm
    assert run(root, registry) == 3
    assert "no way to get a token" in capsys.readouterr().err


def test_an_answer_without_a_token_is_an_error(
    root: Path, registry: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.broken_tokens = True
    assert run(root, registry) == 3
    assert "was answered 200, without a token" in capsys.readouterr().err


def test_a_registry_that_is_down_is_an_error(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeRegistry() as closed:
        address = closed.url
    assert tool.main(["--root", str(root), "--registry", address]) == 3
    assert capsys.readouterr().err.startswith(f"error: {address}/v2/")


@pytest.mark.parametrize(
    ("name", "registry_url", "repository"),
    [
        ("mysql", "https://registry-1.docker.io", "library/mysql"),
        ("rustfs/rustfs", "https://registry-1.docker.io", "rustfs/rustfs"),
        ("ghcr.io/versity/versitygw", "https://ghcr.io", "versity/versitygw"),
        ("quay.io/minio/minio", "https://quay.io", "minio/minio"),
        ("localhost:5001/mine", "https://localhost:5001", "mine"),
    ],
)
def test_the_name_says_which_registry_is_asked(name: str, registry_url: str, repository: str) -> None:
    image = tool.Image(name=name, tag="1")
    assert (image.registry, image.repository) == (registry_url, repository)


def test_every_image_of_this_project_is_found() -> None:
    files = [ROOT / "compose.yaml", *(ROOT / "docker").glob("*/Dockerfile")]
    found = {image.name for path in files for image in tool.images_in(path.read_text(encoding="utf-8"))}
    assert found == {
        *("chrislusf/seaweedfs", "curlimages/curl", "golang", "mysql", "python"),
        *("rustfs/rustfs", "zenmldocker/zenml-server"),
    }
