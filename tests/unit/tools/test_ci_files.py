"""GitLab's and GitHub's jobs: valid by their published schemas, the same in both, with few rights and no secret."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo.errors import InputError, PolicyRefusedError, RunFailedError, ServiceUnavailableError, StoppedError

ROOT = Path(__file__).resolve().parents[3]
GITLAB = ROOT / ".gitlab-ci.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FILES = (GITLAB, *WORKFLOWS)
OURS = re.compile(r"\bmake [a-z-]+|\.ci/run|tools/ci/\w+\.(?:sh|py)")
SECRETS = re.compile(
    r"glpat-|gh[pousr]_\w{20}|github_pat_|ZENKEY_|AKIA\w{12}|eyJ\w{10}|://[^/\s]+:[^/\s]+@", re.IGNORECASE
)


def _load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


gitlab = _load(GITLAB)
github = {name: job for path in WORKFLOWS for name, job in _load(path)["jobs"].items()}
JOBS = ("lint", "test", "python", "grid")


def _gitlab_lines(job: str) -> list[str]:
    return [line for part in ("before_script", "script", "after_script") for line in gitlab[job].get(part, [])]


def _github_lines(job: str) -> list[str]:
    return [step["run"] for step in github[job]["steps"] if "run" in step]


def _gitlab_images(job: str) -> list[str]:
    image = gitlab[job].get("image", gitlab["default"]["image"])
    matrix = gitlab[job].get("parallel", {}).get("matrix", [{}])
    return [image.replace("$PYTHON", version) for each in matrix for version in each.get("PYTHON", [""])]


def _github_images(job: str) -> list[str]:
    versions = github[job].get("strategy", {}).get("matrix", {}).get("python", [""])
    return [github[job]["container"].replace("${{ matrix.python }}", version) for version in versions]


def _commands(lines: list[str]) -> list[str]:
    return [command for line in lines for command in OURS.findall(line)]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.gitlab-ci", [GITLAB]),
        ("vendor.github-workflows", WORKFLOWS),
        ("custom.github-workflows-require-timeout", WORKFLOWS),
    ],
)
def test_the_files_are_valid_by_the_published_schemas(schema: str, paths: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_file_is_found_by_the_schema(tmp_path: Path) -> None:
    wrong = tmp_path / ".gitlab-ci.yml"
    wrong.write_text(GITLAB.read_text(encoding="utf-8").replace("exit_codes: [4]", "exit_code: [4]"), encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(wrong)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("job", JOBS)
def test_both_services_run_the_same_commands_in_the_same_image(job: str) -> None:
    assert _commands(_gitlab_lines(job)) == _commands(_github_lines(job)) != []
    assert _github_images(job) == _gitlab_images(job)
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-\w+", image) for image in _github_images(job)), "exact versions"


def test_every_supported_python_is_tested() -> None:
    images = [image for job in ("test", "python") for image in _gitlab_images(job)]
    assert [image.split(".")[1] for image in images] == ["11", "12", "13"]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"] == ">=3.11,<3.14"


def test_there_is_no_other_job() -> None:
    assert set(github) == set(JOBS)
    assert {name for name, job in gitlab.items() if "script" in job} == set(JOBS)


@pytest.mark.parametrize("command", sorted({each for job in JOBS for each in _commands(_gitlab_lines(job))}))
def test_each_command_exists(command: str) -> None:
    if command.startswith("make "):
        assert re.search(rf"^{command.removeprefix('make ')}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    else:
        assert (ROOT / command).stat().st_mode & 0o111 or command.endswith(".py")


def test_the_tests_are_those_that_a_newcomer_runs() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_secret_is_in_the_file(path: Path) -> None:
    assert not SECRETS.search(path.read_text(encoding="utf-8"))


def test_gitlab_takes_secrets_from_its_settings_only_and_shows_them_to_the_grid_only() -> None:
    given = [name for part in (gitlab, *(gitlab[job] for job in JOBS)) for name in part.get("variables", {})]
    assert not [name for name in given if re.search("KEY|TOKEN|SECRET|PASSWORD|URL", name)]
    assert gitlab["grid"]["environment"] == {"name": "cv-yolo", "action": "access"}
    assert not any("environment" in gitlab[job] for job in ("lint", "test", "python"))


def test_github_takes_secrets_from_its_settings_only_and_each_in_one_step_only() -> None:
    holders = [
        (name, value) for job in github.values() for step in job["steps"] for name, value in step.get("env", {}).items()
    ]
    secret = [(name, value) for name, value in holders if re.search("KEY|TOKEN|SECRET|PASSWORD", name)]
    assert secret == [
        ("CV_YOLO_SERVER_API_KEY", "${{ secrets.CV_YOLO_SERVER_API_KEY }}"),
        ("GITHUB_TOKEN", "${{ github.token }}"),
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_no_more_and_its_actions_are_pinned(path: Path) -> None:
    workflow, text = _load(path), path.read_text(encoding="utf-8")
    assert workflow["permissions"] == {"contents": "read"}
    extra = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert extra == ({"grid": {"contents": "read", "pull-requests": "write"}} if "grid" in workflow["jobs"] else {})
    used = re.findall(r"uses: (.+)", text)
    assert used
    assert all(re.fullmatch(r"actions/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used), used
    assert not any("${{" in line for job in workflow["jobs"] for line in _github_lines(job)), "values come by `env`"


def test_a_refusal_is_amber_and_everything_else_is_red() -> None:
    assert gitlab["grid"]["allow_failure"] == {"exit_codes": [PolicyRefusedError.exit_code]}
    assert not any("allow_failure" in rule for rule in gitlab["grid"]["rules"]), "a rule's word would be the last"


def test_one_grid_runs_at_a_time_and_is_not_cancelled_by_the_next_push() -> None:
    assert (gitlab["grid"]["resource_group"], gitlab["grid"]["interruptible"]) == ("cv-yolo-grid", False)
    assert _load(ROOT / ".github" / "workflows" / "grid.yml")["concurrency"]["cancel-in-progress"] is False


def test_gitlab_links_the_reports_in_the_merge_request() -> None:
    artifacts = gitlab["grid"]["artifacts"]
    assert (artifacts["when"], artifacts["expose_as"]) == ("always", "Decision")
    assert not [path for path in artifacts["paths"] if "*" in path or path.startswith("./")], (
        "GitLab would show no link"
    )
    assert artifacts["paths"] == _github_upload("Decision")


def test_the_cache_for_the_next_job_contains_no_login() -> None:
    """ZenML's client keeps its token under `.cv-yolo`, so that folder is never kept as a whole."""
    kept = [path for cache in gitlab["grid"]["cache"] for path in cache["paths"] if path.startswith(".cv-yolo")]
    assert kept == [".cv-yolo/outbox/", ".cv-yolo/trained/", ".cv-yolo/weights/"]
    for step in github["grid"]["steps"]:
        if "cache" in step.get("uses", "") and "cv-yolo" in step["with"]["path"]:
            assert step["with"]["path"].split() == [path.rstrip("/") for path in kept]


@pytest.mark.parametrize(
    ("exit_code", "ends", "warns"),
    [
        (0, 0, False),
        (PolicyRefusedError.exit_code, 0, True),
        (ServiceUnavailableError.exit_code, 3, False),
        (InputError.exit_code, 2, False),
        (RunFailedError.exit_code, 1, False),
        (StoppedError.exit_code, 130, False),
    ],
)
def test_on_github_a_refusal_is_a_warning(tmp_path: Path, exit_code: int, ends: int, warns: bool) -> None:
    (step,) = [step for step in github["grid"]["steps"] if step.get("name") == "Grid"]
    script = tmp_path / "tools" / "ci" / "grid.sh"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\nexit {exit_code}\n", encoding="utf-8")
    script.chmod(0o755)
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]  # as GitHub calls it
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "::warning" in done.stdout) == (ends, warns)


@pytest.mark.parametrize(
    ("known", "installed"),
    [
        ("libGL.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libGL.so.1", []),
        ("libc.so.6 (libc6,x86-64) => /lib/x86_64-linux-gnu/libc.so.6", ["libgl1", "libglib2.0-0"]),
    ],
)
def test_only_what_is_missing_is_installed(tmp_path: Path, known: str, installed: list[str]) -> None:
    for name, does in {"ldconfig": f"echo '{known}'", "apt-get": f'echo "$*" >> {tmp_path}/asked'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    search = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run([ROOT / "tools" / "ci" / "debian.sh"], env={"PATH": search}, check=True)
    asked = (tmp_path / "asked").read_text("utf-8").split() if (tmp_path / "asked").exists() else []
    assert [word for word in asked if word.startswith("lib")] == installed


def _github_upload(name: str) -> list[str]:
    (found,) = [step["with"]["path"] for step in github["grid"]["steps"] if step.get("with", {}).get("name") == name]
    return str(found).split()
