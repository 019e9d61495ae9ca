"""A release is a section of the changelog, a version in the code, a commit and a tag: all of them or none."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.tools.loading import ROOT, load_tool

TOOL = load_tool(ROOT / "tools" / "release.py")
CHANGES = "# Changelog\n\n## Unreleased\n\n### Added\n\n- Something.\n\n## 0.1.0 (2026-01-01)\n\n- The first.\n"
DATE = "2026-12-24"


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    module = tmp_path / TOOL.VERSION_FILE
    module.parent.mkdir(parents=True)
    module.write_text('"""The package."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / TOOL.COMPOSE_FILE).write_text("services:\n  stack:\n    image: cv-yolo/setup:0.1.0\n    build: .\n")
    (tmp_path / TOOL.CHANGELOG).write_text(CHANGES)
    git(tmp_path, "init", "--quiet")
    for name, value in {"user.name": "Anna", "user.email": "anna@example.org"}.items():
        git(tmp_path, "config", name, value)
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "Everything")
    return tmp_path


def test_a_release_renames_the_section_sets_the_version_and_tags_the_commit(repository: Path) -> None:
    assert TOOL.release("0.2.0", repository, date=DATE) == "v0.2.0"
    text = (repository / TOOL.CHANGELOG).read_text()
    assert text == CHANGES.replace("## Unreleased\n", f"## Unreleased\n\n## 0.2.0 ({DATE})\n")
    assert '__version__ = "0.2.0"' in (repository / TOOL.VERSION_FILE).read_text()
    assert "image: cv-yolo/setup:0.2.0\n" in (repository / TOOL.COMPOSE_FILE).read_text()
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "rev-parse", "v0.2.0^{commit}") == git(repository, "rev-parse", "HEAD")
    assert git(repository, "tag", "--list", "--format=%(contents)", "v0.2.0").strip() == (
        "v0.2.0\n\n### Added\n\n- Something."
    )


def test_the_first_release_has_no_earlier_section() -> None:
    text, notes = TOOL.released("# Changelog\n\n## Unreleased\n\n- One.\n", "0.1.0", DATE)
    assert (text, notes) == (f"# Changelog\n\n## Unreleased\n\n## 0.1.0 ({DATE})\n\n- One.\n", "- One.")


def test_without_changes_there_is_no_release(repository: Path) -> None:
    TOOL.release("0.2.0", repository, date=DATE)
    with pytest.raises(TOOL.ReleaseError, match="nothing is listed under Unreleased"):
        TOOL.release("0.3.0", repository, date=DATE)
    assert git(repository, "tag").split() == ["v0.2.0"]


def test_a_file_without_the_version_is_named_and_nothing_is_changed(repository: Path) -> None:
    (repository / TOOL.COMPOSE_FILE).write_text("services: {}\n")
    git(repository, "commit", "--quiet", "--all", "--message", "No services")
    with pytest.raises(TOOL.ReleaseError, match=r"compose\.yaml: 0 versions found, not one"):
        TOOL.release("0.2.0", repository, date=DATE)
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize(("version", "reason"), [("next", "not a version"), ("0.1", "not a version")])
def test_what_is_no_version_is_refused(repository: Path, version: str, reason: str) -> None:
    with pytest.raises(TOOL.ReleaseError, match=reason):
        TOOL.release(version, repository, date=DATE)


def test_uncommitted_changes_and_a_tag_that_exists_are_refused(repository: Path) -> None:
    git(repository, "tag", "v0.2.0")
    with pytest.raises(TOOL.ReleaseError, match=r"v0\.2\.0 exists already"):
        TOOL.release("0.2.0", repository, date=DATE)
    (repository / TOOL.CHANGELOG).write_text("changed")
    with pytest.raises(TOOL.ReleaseError, match="uncommitted changes"):
        TOOL.release("0.3.0", repository, date=DATE)


def test_the_command_reports_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert TOOL.main(["next"]) == 2
    assert capsys.readouterr().err == "error: next: not a version; write it as 0.2.0\n"
