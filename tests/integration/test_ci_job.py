"""The CI job `grid` as GitLab's runner runs it: its lines are read from `.gitlab-ci.yml`, on a small drawn data set.

The tests build on each other, on the real servers: trained and judged in one checkout, known in the next.
"""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import killpg
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.project import REPOSITORY, Project, make_project, wait_for, workers_of
from tests.servers import RunningStack, cv_yolo
from tests.unit.tools.forges import TOKEN, Forge, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None or shutil.which("bash") is None, reason="needs make and bash"),
    pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a virtual environment to lend to the job"),
]
THREAD = "12!7"
NEEDED = (".gitignore", ".gitlab-ci.yml", "Makefile", "pyproject.toml", "requirements.lock")
NAME = "ci_job"  # of experiment and model: the servers are shared with other tests
EXPERIMENT: dict[str, Any] = {
    "experiment": NAME,
    "dataset": "data/own",
    "model": "weights/bootstrap-yolo11n.pt",
    "grid": {"epochs": 1, "image_size_px": 64},
    "training": {"batch_size": 4},
    "resources": {"threads_per_run": 1},
}
GATE: dict[str, Any] = {"metric": "map_50", "margin": 0.02, "floors": {"map_50": 0.0}}
WITHOUT_SERVER = {"CV_YOLO_CI_WITHOUT_SERVER": "yes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a shell ended, and what it wrote into the job's log."""

    exit_code: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The job `grid` in one checkout; `settings` are the project's variables, `secrets` what no log may show."""

    project: Project
    forge: Forge
    settings: dict[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def run(self, experiment: str, **variables: str) -> Ended:
        """The job's `script`."""
        return self._shell("script", self.environment(experiment, **variables))

    def post(self) -> Ended:
        """Its `after_script`, which GitLab runs in a shell of its own, whatever came of the script."""
        return self._shell("after_script", self.environment("configs/none.yaml"))

    def lines(self, part: str) -> list[str]:
        """What the runner hands to bash: its own options first."""
        return ["bash", "-c", "\n".join(["set -eo pipefail", "set +o noclobber", *self.declared[part]])]

    def environment(self, experiment: str, **variables: str) -> dict[str, str]:
        """The variables of the file, of the project's settings, and of the pipeline."""
        declared = {**self._file["variables"], **self.declared["variables"]}
        plain = {name: each["value"] if isinstance(each, dict) else each for name, each in declared.items()}
        pipeline = {
            "CI_API_V4_URL": f"{self.forge.url}/api/v4",
            "CI_MERGE_REQUEST_PROJECT_ID": "12",
            "CI_MERGE_REQUEST_IID": "7",
            "CI_JOB_URL": "https://gitlab.example/team/detector/-/jobs/77",
            "CV_YOLO_GITLAB_TOKEN": TOKEN,
            "CV_YOLO_GRID_CONFIG": experiment,
        }
        return self.project.environment() | plain | self.settings | pipeline | variables

    def colour(self, exit_code: int) -> str:
        """What the file says that this exit code means."""
        allowed = self.declared["allow_failure"]["exit_codes"]
        return "green" if exit_code == 0 else "amber" if exit_code in allowed else "red"

    def artifacts(self) -> list[Path]:
        """The files that are kept of the job."""
        kept = [self.project.root / path for path in self.declared["artifacts"]["paths"]]
        return [file for path in kept for file in (path.iterdir() if path.is_dir() else [path]) if file.is_file()]

    def outcome(self) -> dict[str, Any]:
        """The outcome that was kept."""
        found: dict[str, Any] = json.loads((self.project.root / "build" / "ci" / "outcome.json").read_text("utf-8"))
        return found

    @property
    def declared(self) -> dict[str, Any]:
        """The job as the file has it."""
        found: dict[str, Any] = self._file["grid"]
        return found

    @property
    def _file(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((self.project.root / ".gitlab-ci.yml").read_text(encoding="utf-8"))
        return found

    def _shell(self, part: str, environment: dict[str, str]) -> Ended:
        done = subprocess.run(
            self.lines(part),
            cwd=self.project.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,  # each test asserts the exit code: its colour in CI is what is tested
        )
        assert not [secret for secret in self.secrets if secret in done.stdout], "the log is public"
        return Ended(exit_code=done.returncode, log=done.stdout)


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with serving(THREAD) as forge:
        yield forge


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, forge: Forge) -> Job:
    """A job whose project names no server; its data were drawn here."""
    checkout = _checkout(tmp_path_factory.mktemp("ci") / "first")
    drawn = checkout.run("data", "synth", "--out", "data/own", "--counts", "8", "4", "4", "--size", "64")
    assert drawn.exit_code == 0, drawn.err
    return Job(project=checkout, forge=forge, settings={}, secrets=(TOKEN,))


@pytest.fixture(scope="module")
def served(job: Job, local_stack: RunningStack) -> Job:
    """The same with the address of a server and a key for it, and nothing else; a person has pushed the data."""
    url, root = local_stack.addresses.pipelines.url, job.project.root
    cv_yolo(local_stack.settings.root, "stack", "register")
    key = cv_yolo(local_stack.settings.root, "stack", "key", "ci").stdout.strip()
    cv_yolo(root, "connect", url, CV_YOLO_SERVER_API_KEY=key)
    for done in (job.project.dvc("add", "data/own"), job.project.run("data", "push", "data/own")):
        assert done.exit_code == 0, done.err
    settings = {"CV_YOLO_SERVER_URL": url, "CV_YOLO_SERVER_API_KEY": key}
    return replace(job, settings=settings, secrets=(TOKEN, key, local_stack.addresses.objects.secret_key))


@pytest.fixture
def unheard() -> Iterator[str]:
    """An unused address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _checkout(root: Path) -> Project:
    """The project, with three experiments and two policies."""
    project = make_project(root)
    for name in NEEDED:
        shutil.copy(REPOSITORY / name, root / name)
    _lend_environment(root)
    files = {
        "whole": EXPERIMENT | {"policy": "configs/policy.whole.yaml"},
        "provisional": EXPERIMENT | {"policy": "configs/policy.provisional.yaml"},
        "long": EXPERIMENT | {"grid": {"epochs": 500, "image_size_px": 64}},
        "policy.whole": {"model": NAME, "gates": {"staging": GATE}},
        "policy.provisional": {"model": NAME, "gates": {"staging": GATE | {"provisional": True}}},
    }
    for name, values in files.items():
        (root / "configs" / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return project


def _lend_environment(root: Path) -> None:
    """The environment of these tests, as `make setup` would have left it in that checkout."""
    (root / ".venv").mkdir()
    for entry in Path(sys.prefix).iterdir():
        if entry.name != ".installed":
            (root / ".venv" / entry.name).symlink_to(entry)
    fingerprint = "import setup_environment; print(setup_environment._fingerprint(), end='')"
    done = subprocess.run([sys.executable, "-c", fingerprint], cwd=root / "tools", capture_output=True, check=True)
    (root / ".venv" / ".installed").write_bytes(done.stdout)


def test_without_a_server_the_job_is_red_and_says_which_variable_it_needs(job: Job) -> None:
    ended = job.run("configs/whole.yaml")
    assert (ended.exit_code, job.colour(ended.exit_code)) == (2, "red"), ended.log
    assert "error: CV_YOLO_SERVER_URL is not set: the decision would be lost with this job" in ended.log


def test_a_server_that_is_down_fails_at_once_and_is_named(job: Job, unheard: str) -> None:
    ended = job.run("configs/whole.yaml", CV_YOLO_SERVER_URL=unheard, CV_YOLO_SERVER_API_KEY="ZENKEY_unknown")
    assert (ended.exit_code, job.colour(ended.exit_code)) == (3, "red"), ended.log
    assert unheard in ended.log
    assert not list((job.project.root / ".cv-yolo").glob("runs/grid-*")), "nothing was started"
    assert job.post().exit_code == 0
    assert "🔴 A service is down" in job.forge.bodies(THREAD)[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds child processes in /proc")
def test_a_cancelled_job_leaves_no_training_running_and_reports_no_decision(job: Job) -> None:
    root, environment = job.project.root, job.environment("configs/long.yaml", **WITHOUT_SERVER)
    with subprocess.Popen(
        job.lines("script"),
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as shell:
        wait_for(lambda: workers_of(root), what="the training")
        killpg(shell.pid, signal.SIGTERM)
        shell.wait(timeout=60)
    wait_for(lambda: not workers_of(root), what="the end of the training")
    assert job.post().exit_code == 0
    assert "No decision was written" in job.forge.bodies(THREAD)[0]


def test_a_key_that_is_not_accepted_is_red_at_once(served: Job) -> None:
    ended = served.run("configs/whole.yaml", CV_YOLO_SERVER_API_KEY="ZENKEY_unknown")
    assert (ended.exit_code, served.colour(ended.exit_code)) == (3, "red"), ended.log
    assert "ZENKEY_unknown" not in ended.log


def test_a_refusal_is_amber_even_where_the_note_cannot_be_written(served: Job) -> None:
    ended = served.run("configs/whole.yaml")
    assert (ended.exit_code, served.colour(ended.exit_code)) == (4, "amber"), ended.log
    outcome = served.outcome()
    assert (outcome["verdict"], outcome["promoted"]) == ("inconclusive", False)
    served.forge.status = 500
    reported = served.post()
    served.forge.status = None
    assert (reported.exit_code, "error: no note: GitLab: 500" in reported.log) == (3, True)
    assert served.post().exit_code == 0
    (body,) = served.forge.bodies(THREAD)
    assert "🟡 The policy said no" in body
    assert outcome["decision"]["id"] in body


def test_a_bare_checkout_pulls_its_data_trains_nothing_again_and_replaces_the_note(
    served: Job, tmp_path_factory: pytest.TempPathFactory
) -> None:
    job = replace(served, project=_checkout(tmp_path_factory.mktemp("ci") / "second"))
    (job.project.root / "data").mkdir()
    shutil.copy(served.project.root / "data" / "own.dvc", job.project.root / "data")
    ended = job.run("configs/provisional.yaml")
    assert (ended.exit_code, job.colour(ended.exit_code)) == (0, "green"), ended.log
    assert {file.suffix for file in job.artifacts()} >= {".html", ".md", ".json"}
    assert not [file for file in job.artifacts() for secret in job.secrets if secret in file.read_text("utf-8")]
    assert job.post().exit_code == 0
    (body,) = job.forge.bodies(THREAD)
    assert "🟢 The policy said yes" in body
    assert job.outcome()["decision"]["id"] in body
    assert job.outcome()["decision"]["chosen"] == served.outcome()["decision"]["chosen"], "the same run"
