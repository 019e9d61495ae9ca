#!/usr/bin/env python3
"""Post what the CI job `grid` decided: in its log, in GitHub's summary, and as one note of the merge or pull request.

Runs after `tools/ci/grid.sh`, whatever its exit code, and needs only Python. The note of an earlier job is replaced, so
that a merge request has only the newest. The job's own result is that of the grid and does not change.

The note takes a token: CV_YOLO_GITLAB_TOKEN (scope `api`), or GITHUB_TOKEN (`pull-requests: write`).
Exit codes: 0 posted, or there is no merge or pull request; 3 the note could not be written.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

LEFT: Final = Path(__file__).resolve().parents[2] / "build" / "ci"
MARKER: Final = "<!-- cv-yolo: the decision of the grid -->"
MOST_CHARACTERS: Final = 60_000  # GitHub takes 65 536
PAGE_SIZE: Final = 100
MOST_PAGES: Final = 100
BOT: Final = "github-actions[bot]"  # the author of notes with GitHub's job token
MEANINGS: Final = {
    0: "🟢 The policy said yes",
    1: "🔴 A run failed",
    2: "🔴 The input cannot be used",
    3: "🔴 A service is down",
    4: "🟡 The policy said no",
    130: "🔴 Stopped",
    None: "🔴 The job ended before the grid did",
}
REASONS: Final = {
    **dict.fromkeys((301, 302, 303, 307, 308), "redirected; the token is not sent to another address"),
    401: "the token is not accepted: is it still valid?",
    403: "the token may not do that: it needs the scope `api` (GitLab) or `pull-requests: write` (GitHub)",
    404: "not found, or not visible with this token",
}


class PostError(Exception):
    """The server of the merge request did not accept the note; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the grid ended: its exit code (None: the job ended first), why it failed, and the written decision."""

    exit_code: int | None
    failure: str | None
    page: str | None

    @property
    def headline(self) -> str:
        """What the exit code means."""
        return MEANINGS.get(self.exit_code, f"🔴 Exit code {self.exit_code}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The notes of a merge or pull request: where they are listed and added, where one is changed, and who we are."""

    name: str
    notes: str
    note: str
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """GitLab's or GitHub's HTTP interface; the headers hold the token."""

    name: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    editing: str
    timeout_s: float

    def ask(self, method: str, path: str, body: Mapping[str, str] | None = None) -> Any:
        """Ask, and return the answer's JSON; raises `PostError`."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "cv-yolo", **self.headers}
        request = urllib.request.Request(f"{self.url}/{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=self.timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise PostError(f"{self.name}: {error.code}: {REASONS.get(error.code, error.reason)}") from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise PostError(f"{self.name} does not answer: {reason or type(error).__name__}") from None
        except ValueError:
            raise PostError(f"{self.name}: the answer is not JSON: is {self.url} its API?") from None

    def each(self, path: str) -> Iterator[dict[str, Any]]:
        """Everything of a list that comes in pages."""
        for number in range(1, MOST_PAGES + 1):
            page = self.ask("GET", f"{path}?per_page={PAGE_SIZE}&page={number}")
            yield from page
            if len(page) < PAGE_SIZE:
                return


def main(arguments: Sequence[str] | None = None) -> int:
    """Post the decision, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timeout-s", type=float, default=20, help="time limit for an answer (default: 20)")
    timeout_s, ending = parser.parse_args(arguments).timeout_s, read_ending(LEFT)
    text = as_text(ending, os.environ)
    print(ending.headline)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    try:
        put_notes(text, os.environ, timeout_s)
    except PostError as error:
        print(f"error: no note: {error}\nhint: the decision stands; it is in this job's reports", file=sys.stderr)
        return 3
    return 0


def read_ending(left: Path) -> Ending:
    """What `grid.sh` left behind."""
    try:
        exit_code = int((left / "exit_code").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        exit_code = None
    try:
        outcome = json.loads((left / "outcome.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # it failed before there was an outcome
        outcome = {}
    written = outcome.get("written")
    page = Path(written).with_suffix(".md") if written else None
    return Ending(
        exit_code=exit_code,
        failure=outcome.get("failure"),
        page=page.read_text(encoding="utf-8") if page is not None and page.is_file() else None,
    )


def as_text(ending: Ending, environment: Mapping[str, str]) -> str:
    """The note, in Markdown: what happened, the decision's first words, and all of it folded away."""
    blocks = [MARKER, f"{ending.headline} · {_link(environment)}"]
    if ending.failure:
        blocks.append(f"`{ending.failure.replace('`', chr(39))}`")
    if ending.page is None:
        blocks.append("No decision was written. The job's log says why; run the job again to continue.")
    else:
        first, _, rest = _harmless(ending.page).partition("\n## ")
        rest = _cut(f"## {rest}", MOST_CHARACTERS - len(first))
        blocks += [first.strip(), f"<details><summary>The whole decision</summary>\n\n{rest.strip()}\n\n</details>"]
    return "\n\n".join(blocks) + "\n"


def put_notes(text: str, environment: Mapping[str, str], timeout_s: float) -> None:
    """Write the note into each open merge or pull request of this job's branch, or print why there is none."""
    api = _api(environment, timeout_s)
    if api is None:
        print("No note: not a GitLab or GitHub job with a token for notes (docs/how-to/ci.md).")
        return
    threads = list((_merge_requests if api.name == "GitLab" else _pull_requests)(api, environment))
    if not threads:
        print("No note: this branch has no open merge or pull request.")
    for thread in threads:
        _put_note(api, thread, text)


def _put_note(api: Api, thread: Thread, text: str) -> None:
    for note in api.each(thread.notes):
        author = note.get("author") or note.get("user") or {}
        if MARKER in (note.get("body") or "") and thread.author in {author.get("username"), author.get("login")}:
            api.ask(api.editing, f"{thread.note}/{note['id']}", {"body": text})
            print(f"The note in {thread.name} is up to date.")
            return
    api.ask("POST", thread.notes, {"body": text})
    print(f"A note was written in {thread.name}.")


def _api(environment: Mapping[str, str], timeout_s: float) -> Api | None:
    """The server that this job belongs to; None without a token."""
    given = environment.get
    if (url := given("CI_API_V4_URL")) and (token := given("CV_YOLO_GITLAB_TOKEN")):
        return Api(name="GitLab", url=url, headers={"PRIVATE-TOKEN": token}, editing="PUT", timeout_s=timeout_s)
    if (url := given("GITHUB_API_URL")) and (token := given("GITHUB_TOKEN")):
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
        return Api(name="GitHub", url=url, headers=headers, editing="PATCH", timeout_s=timeout_s)
    return None


def _merge_requests(api: Api, environment: Mapping[str, str]) -> Iterator[Thread]:
    """The pipeline's merge request, or those that are open for its branch (`group/project!7,group/project!9`)."""
    iid, open_ones = environment.get("CI_MERGE_REQUEST_IID"), environment.get("CI_OPEN_MERGE_REQUESTS", "")
    names = [f"{environment['CI_MERGE_REQUEST_PROJECT_ID']}!{iid}"] if iid else list(filter(None, open_ones.split(",")))
    author = api.ask("GET", "user")["username"] if names else ""
    for name in names:
        project, _, number = name.rpartition("!")
        notes = f"projects/{quote(project, safe='')}/merge_requests/{number}/notes"
        yield Thread(name=f"merge request !{number}", notes=notes, note=notes, author=author)


def _pull_requests(api: Api, environment: Mapping[str, str]) -> Iterator[Thread]:
    """The job's pull request, or those that are open for its branch."""
    ref, repository = environment.get("GITHUB_REF", ""), environment["GITHUB_REPOSITORY"]
    numbers = re.findall(r"^refs/pull/(\d+)/", ref)
    if ref.startswith("refs/heads/"):
        head = quote(f"{repository.partition('/')[0]}:{ref.removeprefix('refs/heads/')}", safe="")
        numbers = [pull["number"] for pull in api.ask("GET", f"repos/{repository}/pulls?state=open&head={head}")]
    for number in numbers:
        issues = f"repos/{repository}/issues"
        notes = f"{issues}/{number}/comments"
        yield Thread(name=f"pull request #{number}", notes=notes, note=f"{issues}/comments", author=BOT)


def _link(environment: Mapping[str, str]) -> str:
    if job := environment.get("CI_JOB_URL"):
        return f"[job]({job}) · [reports]({job}/artifacts/browse)"
    if run := environment.get("GITHUB_RUN_ID"):
        repository = f"{environment['GITHUB_SERVER_URL']}/{environment['GITHUB_REPOSITORY']}"
        return f"[run and reports]({repository}/actions/runs/{run})"
    return "by hand"


def _harmless(text: str) -> str:
    """No line begins with a slash: GitLab would take it for a command and carry it out."""
    return re.sub(r"^(\s*)/", r"\1\\/", text, flags=re.MULTILINE)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return text[:most].rpartition("\n")[0] + "\n\n… shortened: the whole page is among the job's reports."


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    def redirect_request(self, *_given: Any, **_more: Any) -> None: ...


if __name__ == "__main__":
    sys.exit(main())
