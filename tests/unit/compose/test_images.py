"""The images that we build: hadolint is content, the versions are the locked ones, and nothing runs as root."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compose_file import ROOT, services

DOCKERFILES = sorted((ROOT / "docker").glob("*/Dockerfile"))
SCRIPTS = sorted((ROOT / "docker").glob("*/*.sh"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
ANY = dict.fromkeys(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")), "x")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCKERFILES, ids=named)
def test_hadolint_finds_nothing(path: Path) -> None:
    tool = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [str(tool), "--failure-threshold", "style", str(path)],
        capture_output=True,
        text=True,
        check=False,  # asserted below, with what it wrote
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
    assert "hadolint ignore" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCKERFILES, ids=named)
def test_an_image_starts_from_an_exact_tag_and_ends_as_a_user_without_rights(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE):
        assert re.fullmatch(r"[\w./-]+:\d+\.\d+(\.\d+)?(-\w+)*(@sha256:[0-9a-f]{64})?", base)
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE)[-1] == "10001:10001"


@pytest.mark.parametrize("path", DOCKERFILES, ids=named)
def test_installed_versions_match_the_lock(path: Path) -> None:
    wanted = re.findall(r'"([\w-]+)(?:\[\w+\])?==([\w.]+)"', path.read_text(encoding="utf-8"))
    for name, version in wanted:
        assert re.search(rf"^{name}=={re.escape(version)}$", LOCK, re.MULTILINE), name
    if "pip install" in path.read_text(encoding="utf-8"):
        assert wanted
        assert "--constraint" in path.read_text(encoding="utf-8")


def test_mlflow_has_the_drivers_that_its_addresses_name() -> None:
    text = (ROOT / "docker" / "mlflow" / "Dockerfile").read_text(encoding="utf-8")
    assert {"mlflow", "boto3", "cryptography", "pymysql"} <= set(re.findall(r'"([\w-]+)(?:\[auth\])?==', text))
    assert "mysql+pymysql://" in services(ANY)["mlflow"].environment["MLFLOW_BACKEND_STORE_URI"]


def test_minio_is_built_from_the_version_that_its_tag_names() -> None:
    text = (ROOT / "docker" / "minio" / "Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"github\.com/minio/minio@v0\.0\.0-(\S+)", text)
    assert services(ANY)["minio"].declared["image"] == f"cv-yolo/minio:{version}"


def test_minio_is_the_same_with_docker_and_without() -> None:
    (made,) = re.findall(r"^MINIO := (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert made in (ROOT / "docker" / "minio" / "Dockerfile").read_text(encoding="utf-8")


def test_every_image_that_we_build_has_its_dockerfile_and_no_other_is_there() -> None:
    built = set()
    for service in services(ANY).values():
        how = service.declared.get("build")
        if how:
            built.add(ROOT / how["context"] / how.get("dockerfile", "Dockerfile"))
        assert (how is not None) == service.declared["image"].startswith("cv-yolo/")
    assert {path.resolve() for path in built} == set(DOCKERFILES)


def test_no_image_can_take_in_a_secret_or_a_record() -> None:
    lines = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    assert lines[0] == "*"
    assert {line for line in lines if line.startswith("!")} == {
        *("!.env.example", "!LICENSE", "!README.md", "!pyproject.toml", "!requirements.lock", "!src")
    }
    assert "/.env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_a_script_is_plain_shell_and_stops_at_the_first_error(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/sh\n# ")
    assert "\nset -eu\n" in text
    assert subprocess.run(["/bin/sh", "-n", str(path)], check=False).returncode == 0
