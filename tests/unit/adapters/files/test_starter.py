"""What a new project starts with: one source for what it shares with the repository, and nothing that leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo import __version__
from cv_yolo.adapters.files.starter import STARTER, PackagedStarter, in_package, shared_paths
from cv_yolo.config import ExperimentConfig, load_experiment, load_policy
from cv_yolo.errors import CvYoloError

ROOT = Path(__file__).resolve().parents[4]
FILES = {each.path: each for each in PackagedStarter().files()}
NAMED = re.compile(r"(?:configs|weights|tools/ci)/[\w.-]+\.\w+|dvc\.yaml|params\.yaml|requirements\.txt")


def text(path: str) -> str:
    return FILES[path].content.decode()


def grid_job(content: str) -> dict[str, Any]:
    """The job without its setup, which differs."""
    job: dict[str, Any] = yaml.safe_load(content)["grid"]
    left = {name: value for name, value in job.items() if name not in {"stage", "script"}}
    return left | {"cache": job["cache"][1:]}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for each in FILES.values():
        (tmp_path / each.path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each.path).write_bytes(each.content)
    return tmp_path


def test_shared_files_are_those_of_the_repository() -> None:
    for path in shared_paths():
        assert FILES[path].content == (ROOT / path).read_bytes()
    own = {path.relative_to(STARTER / "own").as_posix() for path in (STARTER / "own").rglob("*") if path.is_file()}
    assert not own & set(map(in_package, shared_paths())), "each file has one source"


def test_every_configuration_of_the_repository_is_shared_or_has_a_counterpart() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "configs"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,  # without git, the folder is listed
    )
    tracked = set(listed.stdout.split()) or {f"configs/{each.name}" for each in (ROOT / "configs").glob("*.yaml")}
    assert tracked <= set(FILES)


def test_its_experiments_and_policies_are_valid_and_name_files_that_it_has(project: Path) -> None:
    for path in sorted((project / "configs").glob("*.yaml")):
        if path.name.startswith("policy"):
            load_policy(path)
        elif "policy" not in path.name:
            config = load_experiment(path, {})
            assert {config.policy, config.model} <= set(FILES)


def test_the_grid_shows_every_key_of_an_experiment_with_its_default(tmp_path: Path) -> None:
    shown = re.sub(r"^# (?= *\w+:)", "", text("configs/grid.yaml").partition("\n\n")[2], flags=re.MULTILINE)
    path = tmp_path / "grid.yaml"
    path.write_text(text("configs/grid.yaml").partition("\n\n")[0] + "\n" + shown, encoding="utf-8")
    everything = load_experiment(path, {})
    assert everything.model_fields_set == set(ExperimentConfig.model_fields)
    assert everything.training.model_fields_set == set(type(everything.training).model_fields)
    assert everything.resources.model_fields_set == set(type(everything.resources).model_fields)
    assert everything.training == load_experiment(ROOT / "configs" / "demo.yaml", {}).training


def test_the_demos_data_are_made_as_in_the_repository() -> None:
    here, there = yaml.safe_load(text("dvc.yaml")), yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))
    stage = there["stages"]["draw_demo"]
    del stage["deps"]  # code of this repository, which a project does not have
    assert here["stages"] == {"draw_demo": stage}
    params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    assert yaml.safe_load(text("params.yaml")) == {"draw_demo": params["draw_demo"]}


def test_the_ci_job_is_that_of_the_repository() -> None:
    assert grid_job(text(".gitlab-ci.yml")) == grid_job((ROOT / ".gitlab-ci.yml").read_text("utf-8"))
    script = yaml.safe_load(text(".gitlab-ci.yml"))["grid"]["script"]
    assert script[-1] == "tools/ci/grid.sh"
    mine = yaml.safe_load(text(".github/workflows/grid.yml"))
    theirs = yaml.safe_load((ROOT / ".github" / "workflows" / "grid.yml").read_text("utf-8"))
    assert {name: value for name, value in mine.items() if name not in {"jobs", "env"}} == {
        name: value for name, value in theirs.items() if name not in {"jobs", "env"}
    }
    steps = {each.get("name", each.get("run", each.get("uses"))): each for each in mine["jobs"]["grid"]["steps"]}
    for step in theirs["jobs"]["grid"]["steps"]:
        if step.get("name"):
            assert steps[step["name"]] == step


@pytest.mark.parametrize(
    ("schema", "path"),
    [("vendor.gitlab-ci", ".gitlab-ci.yml"), ("vendor.github-workflows", ".github/workflows/grid.yml")],
)
def test_the_ci_files_are_valid_by_the_published_schemas(schema: str, path: str, project: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(project / path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,  # asserted by the next line
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted(path for path in FILES if not path.endswith((".pt", ".py"))))
def test_every_file_that_is_named_in_it_exists(path: str) -> None:
    named = set(NAMED.findall(text(path))) if path != "weights/README.md" else set()
    assert named <= set(FILES) | {f"{Path(path).parent}/{each}" for each in FILES}


def test_it_says_which_version_made_it() -> None:
    assert f"\nzenml-cv-yolo[all]=={__version__}\n" in text("requirements.txt")
    assert not [path for path, each in FILES.items() if b"@VERSION@" in each.content]


def test_programs_can_be_run() -> None:
    assert {path for path, each in FILES.items() if each.executable} == {
        path for path in shared_paths() if path.startswith("tools/ci/")
    }


def test_what_is_local_or_secret_stays_out_of_git() -> None:
    ignored = text(".gitignore").splitlines()
    assert {"/.cv-yolo/", "/.venv/", "/.env"} <= set(ignored)


@pytest.mark.parametrize(
    ("path", "stays_out"),
    [("data/demo/data.yaml", True), ("data/mine/images/a.jpg", True), ("data/mine.dvc", False), ("dvc.lock", False)],
)
def test_data_sets_stay_out_of_git_also_those_that_were_made_before_it(
    project: Path, path: str, stays_out: bool
) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    asked = subprocess.run(["git", "check-ignore", "-q", path], cwd=project, check=False)  # its exit code is the answer
    assert (asked.returncode == 0) == stays_out


def test_in_the_package_no_name_begins_with_a_dot(tmp_path: Path) -> None:
    assert in_package(".dvc/.gitignore") == "dot_dvc/dot_gitignore"
    starter = tmp_path / "cv_yolo" / "starter"
    for path in shared_paths():
        target = starter / "shared" / in_package(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"of the package")
    (starter / "own").mkdir()
    (starter / "shared.txt").write_bytes((STARTER / "shared.txt").read_bytes())
    assert {each.path for each in PackagedStarter(starter=starter).files()} == set(shared_paths())


def test_a_package_without_the_shared_files_says_what_it_lacks(tmp_path: Path) -> None:
    starter = tmp_path / "site-packages" / "cv_yolo" / "starter"
    (starter / "own").mkdir(parents=True)
    (starter / "shared.txt").write_text("# shared\nconfigs/demo.yaml\n", encoding="utf-8")
    with pytest.raises(CvYoloError, match=r"installed without configs/demo.yaml"):
        PackagedStarter(starter=starter).files()
