"""What a CI job posts about the grid, and where; the note's server is a real one on the loopback."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tools.forges import ANOTHER, GITHUB_US, TOKEN, US, Forge, serving

SCRIPT = Path(__file__).resolve().parents[3] / "tools" / "ci" / "post_decision.py"
MARKER = "<!-- cv-yolo: the decision of the grid -->"
PAGE = "# Inconclusive\n\n**e5_s320 is not promoted.**\n\n## How sure\n\nNot very.\n\n## Checks\n\n| a | b |\n"
JOB = "https://gitlab.example/team/detector/-/jobs/77"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """How the script ended, and all that it said."""

    exit_code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job's folder after the grid."""

    root: Path

    def ended(self, exit_code: int, *, page: str | None = PAGE, failure: str | None = None) -> "Job":
        left, decision = self.root / "build" / "ci", self.root / "reports" / "decisions" / "2026-11-26-d1.html"
        left.mkdir(parents=True, exist_ok=True)
        decision.parent.mkdir(parents=True, exist_ok=True)
        (left / "exit_code").write_text(f"{exit_code}\n", encoding="utf-8")
        outcome = {"failure": failure, "written": None if page is None else str(decision)}
        (left / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
        if page is not None:
            decision.with_suffix(".md").write_text(page, encoding="utf-8")
        return self

    def post(self, environment: dict[str, str], *arguments: str) -> Posted:
        foreign = ("CI_", "GITHUB_", "CV_YOLO_")
        own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        command = [sys.executable, "-S", str(self.root / "tools" / "ci" / "post_decision.py"), *arguments]
        done = subprocess.run(
            command,
            env=own | environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,  # each test asserts the exit code
        )
        text = done.stdout + done.stderr
        assert TOKEN not in text
        assert "Traceback" not in text, text
        return Posted(exit_code=done.returncode, text=text)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    script = tmp_path / "tools" / "ci" / "post_decision.py"
    script.parent.mkdir(parents=True)
    shutil.copy(SCRIPT, script)
    return Job(root=tmp_path)


@pytest.fixture
def forge() -> Iterator[Forge]:
    with serving("12!7", "team/detector!9", "team/detector!7") as forge:
        yield forge


def gitlab(forge: Forge, **more: str) -> dict[str, str]:
    """The variables of a job in the pipeline of merge request 7 of project 12."""
    return {
        "CI_API_V4_URL": f"{forge.url}/api/v4",
        "CI_MERGE_REQUEST_PROJECT_ID": "12",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_JOB_URL": JOB,
        "CV_YOLO_GITLAB_TOKEN": TOKEN,
    } | more


def github(forge: Forge, **more: str) -> dict[str, str]:
    """The variables of a job for pull request 7."""
    return {
        "GITHUB_API_URL": forge.url,
        "GITHUB_SERVER_URL": "https://github.example",
        "GITHUB_REPOSITORY": "team/detector",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_RUN_ID": "55",
        "GITHUB_TOKEN": TOKEN,
    } | more


@pytest.mark.parametrize(
    ("exit_code", "headline"),
    [
        (0, "🟢 The policy said yes"),
        (1, "🔴 A run failed"),
        (2, "🔴 The input cannot be used"),
        (3, "🔴 A service is down"),
        (4, "🟡 The policy said no"),
        (130, "🔴 Stopped"),
        (137, "🔴 Exit code 137"),
    ],
)
def test_the_exit_code_is_explained_and_changes_nothing(job: Job, exit_code: int, headline: str) -> None:
    message = job.ended(exit_code).post({})
    assert (message.exit_code, message.text.splitlines()[0]) == (0, headline)
    assert "No note" in message.text


def test_outside_a_merge_request_no_note_is_written_and_that_is_said(job: Job, forge: Forge) -> None:
    environment = gitlab(forge)
    del environment["CI_MERGE_REQUEST_IID"]
    reported = job.ended(0).post(environment)
    assert (reported.exit_code, forge.asked) == (0, [])
    assert "No note: this branch has no open merge or pull request." in reported.text


def test_without_a_token_no_note_is_written_and_that_is_said(job: Job, forge: Forge) -> None:
    reported = job.ended(0).post(gitlab(forge, CV_YOLO_GITLAB_TOKEN=""))
    assert (reported.exit_code, forge.asked) == (0, [])
    assert "No note" in reported.text


def test_the_note_has_the_colour_the_links_the_first_words_and_the_rest_folded(job: Job, forge: Forge) -> None:
    reported = job.ended(4).post(gitlab(forge))
    assert reported.exit_code == 0, reported.text
    (body,) = forge.bodies("12!7")
    assert body == (
        f"{MARKER}\n\n🟡 The policy said no · [job]({JOB}) · [reports]({JOB}/artifacts/browse)\n\n"
        "# Inconclusive\n\n**e5_s320 is not promoted.**\n\n"
        "<details><summary>The whole decision</summary>\n\n## How sure\n\nNot very.\n\n## Checks\n\n| a | b |\n\n"
        "</details>\n"
    )


def test_the_note_of_an_earlier_job_is_replaced_however_many_others_there_are(job: Job, forge: Forge) -> None:
    for number in range(150):
        forge.note("12!7", ANOTHER, f"remark {number}")
    job.ended(4).post(gitlab(forge))
    for number in range(100):
        forge.note("12!7", ANOTHER, f"another remark {number}")
    reported = job.ended(0, page="# Promoted\n\n## Checks\n").post(gitlab(forge))
    assert reported.exit_code == 0, reported.text
    (body,) = forge.bodies("12!7")
    assert "🟢" in body
    assert "# Promoted" in body
    assert len(forge.threads["12!7"]) == 251


def test_pages_that_are_just_full_are_read_to_the_end(job: Job, forge: Forge) -> None:
    for number in range(100):
        forge.note("12!7", ANOTHER, f"remark {number}")
    assert job.ended(0).post(gitlab(forge)).exit_code == 0
    assert job.ended(4).post(gitlab(forge)).exit_code == 0
    assert len(forge.bodies("12!7")) == 1


def test_another_users_note_is_not_edited_even_with_our_marker(job: Job, forge: Forge) -> None:
    copied = f"{MARKER}\n\nlook what the bot said"
    forge.note("12!7", ANOTHER, copied)
    assert job.ended(0).post(gitlab(forge)).exit_code == 0
    assert forge.bodies("12!7", ANOTHER) == [copied]
    assert len(forge.bodies("12!7", US)) == 1


def test_a_branch_pipeline_comments_on_its_open_merge_requests(job: Job, forge: Forge) -> None:
    environment = gitlab(forge, CI_OPEN_MERGE_REQUESTS="team/detector!7,team/detector!9")
    del environment["CI_MERGE_REQUEST_IID"]
    reported = job.ended(0).post(environment)
    assert reported.exit_code == 0, reported.text
    assert [len(forge.bodies(f"team/detector!{number}")) for number in (7, 9)] == [1, 1]


def test_a_job_that_was_cancelled_says_so_in_place_of_an_old_decision(job: Job, forge: Forge) -> None:
    job.ended(0).post(gitlab(forge))
    shutil.rmtree(job.root / "build")
    reported = job.post(gitlab(forge))
    assert reported.exit_code == 0, reported.text
    (body,) = forge.bodies("12!7")
    assert "🔴 The job ended before the grid did" in body
    assert "No decision was written" in body


def test_a_grid_that_was_killed_while_writing_is_reported(job: Job, forge: Forge) -> None:
    job.ended(3)
    (job.root / "build" / "ci" / "outcome.json").write_text('{"verdict": "prom', encoding="utf-8")
    assert job.post(gitlab(forge)).exit_code == 0
    assert "No decision was written" in forge.bodies("12!7")[0]


def test_the_reason_of_a_failed_run_is_shown_with_the_decision(job: Job, forge: Forge) -> None:
    job.ended(1, failure="e40_s64: the child process `worker` was killed by signal 9").post(gitlab(forge))
    (body,) = forge.bodies("12!7")
    assert "`e40_s64: the child process 'worker' was killed by signal 9`" in body
    assert "# Inconclusive" in body


def test_a_page_that_was_not_written_is_not_a_decision(job: Job, forge: Forge) -> None:
    job.ended(1)
    next((job.root / "reports" / "decisions").glob("*.md")).unlink()
    assert job.post(gitlab(forge)).exit_code == 0
    assert "No decision was written" in forge.bodies("12!7")[0]


def test_a_line_that_gitlab_would_execute_is_escaped(job: Job, forge: Forge) -> None:
    job.ended(0, page="# Promoted\n\n/approve\n\n## Checks\n\n/merge\n  /close\n").post(gitlab(forge))
    assert forge.commands == []
    assert "\n\\/approve\n" in forge.bodies("12!7")[0]


def test_a_long_page_is_shortened_and_says_so(job: Job, forge: Forge) -> None:
    page = "# Promoted\n\n## Slices\n\n" + "| slice | 0.5 |\n" * 10_000
    assert job.ended(0, page=page).post(github(forge)).exit_code == 0
    (body,) = forge.bodies("team/detector!7", GITHUB_US)
    assert len(body) < 65_536
    assert body.endswith("| slice | 0.5 |\n\n… shortened: the whole page is among the job's reports.\n\n</details>\n")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "GitLab: 401: the token is not accepted"),
        (403, "GitLab: 403: the token may not do that: it needs the scope `api`"),
        (404, "GitLab: 404: not found"),
        (500, "GitLab: 500: Internal Server Error"),
        (503, "GitLab: 503"),
        (200, "GitLab: the answer is not JSON"),
    ],
)
def test_a_note_that_is_refused_is_said_with_the_reason(job: Job, forge: Forge, status: int, message: str) -> None:
    forge.status = status
    output = job.ended(4).post(gitlab(forge))
    assert output.exit_code == 3
    assert f"error: no note: {message}" in output.text
    assert "the decision stands" in output.text


def test_a_wrong_token_and_an_unknown_merge_request_are_refused(job: Job, forge: Forge) -> None:
    assert "401" in job.ended(0).post(gitlab(forge, CV_YOLO_GITLAB_TOKEN="wrong")).text
    assert "404" in job.post(gitlab(forge, CI_MERGE_REQUEST_IID="8")).text


def test_the_token_follows_no_redirect(job: Job, forge: Forge) -> None:
    with serving("12!7") as elsewhere:
        forge.status, forge.headers = 302, {"Location": f"{elsewhere.url}/api/v4/user"}
        reported = job.ended(0).post(gitlab(forge))
        assert (reported.exit_code, elsewhere.asked) == (3, [])
    assert "GitLab: 302: redirected; the token is not sent to another address" in reported.text


def test_a_server_that_does_not_answer_is_not_waited_for(job: Job, forge: Forge) -> None:
    forge.silent = True
    reported = job.ended(0).post(gitlab(forge), "--timeout-s", "0.2")
    assert reported.exit_code == 3
    assert "GitLab does not answer: timed out" in reported.text


def test_a_server_that_is_not_there_is_said(job: Job, forge: Forge) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        reported = job.ended(0).post(gitlab(forge, CI_API_V4_URL=f"http://127.0.0.1:{taken.getsockname()[1]}/api/v4"))
    assert reported.exit_code == 3
    assert "GitLab does not answer" in reported.text
    assert "Connection refused" in reported.text


def test_on_github_the_report_goes_to_the_summary_and_the_pull_request(job: Job, forge: Forge, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    environment: dict[str, Any] = github(forge, GITHUB_STEP_SUMMARY=str(summary))
    forge.note("team/detector!7", ANOTHER, f"{MARKER} copied")
    assert job.ended(4).post(environment).exit_code == 0
    assert job.ended(0).post(environment).exit_code == 0
    (body,) = forge.bodies("team/detector!7", GITHUB_US)
    assert "🟢 The policy said yes · [run and reports](https://github.example/team/detector/actions/runs/55)" in body
    assert summary.read_text(encoding="utf-8").endswith(body)


def test_on_github_a_manual_run_comments_on_the_pull_requests_of_its_branch(job: Job, forge: Forge) -> None:
    forge.pulls["team:try/more-epochs"] = [9]
    assert job.ended(0).post(github(forge, GITHUB_REF="refs/heads/try/more-epochs")).exit_code == 0
    assert len(forge.bodies("team/detector!9", GITHUB_US)) == 1
    reported = job.post(github(forge, GITHUB_REF="refs/heads/main"))
    assert "No note: this branch has no open merge or pull request." in reported.text


def test_its_help_names_the_variables(job: Job) -> None:
    reported = job.post({}, "--help")
    assert reported.exit_code == 0
    assert {"CV_YOLO_GITLAB_TOKEN", "GITHUB_TOKEN"} <= set(reported.text.replace(",", " ").split())
