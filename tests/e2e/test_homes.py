"""What earlier versions recorded is read as they read it: their homes (`tests/homes/`) answer as they did."""

import importlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cv_yolo.domain.training.progress import EventKind
from tests.e2e.project import REPOSITORY, Project, make_project
from tests.homes.make import PLACE, import_paths

V1 = REPOSITORY / "tests" / "homes" / "v1"
PROSE = frozenset({"expected", "found", "remedy"})  # doctor's sentences
CHECKS = frozenset({"required", "measured", "sentence"})  # of a decision: sentences, beside the numbers
LATER = frozenset({"kind", "data", "gate", "data_findings"})  # keys that later versions added
MEASURED = frozenset({"took_s", "took_ms", "latency_ms", "disk"})
MADE_NOW = frozenset({"id", "made_at", "sha256", "files"})  # a backup of today holds the schema, too
DONE_NOW = frozenset(  # `ended_at`: the evaluations' version has a new form, and they are recorded again
    {"at", "recorded_at", "actor", "previous", "head", "pipeline_run", "written", "ended_at"}
)
READ_AGAIN = PROSE | CHECKS | LATER | MEASURED | MADE_NOW
CLOSE = 1e-3  # other processors round differently


@pytest.fixture(scope="module")
def project() -> Iterator[Project]:
    """The project of the home, in the folder that its records name: one at a time on a machine."""
    with FileLock(PLACE.with_suffix(".lock")):
        shutil.rmtree(PLACE, ignore_errors=True)
        made = make_project(PLACE)
        subprocess.run(["tar", "-xf", str(V1 / "home.tar.xz")], cwd=PLACE, check=True)
        yield made
        shutil.rmtree(PLACE)


def recorded(name: str) -> Any:
    return json.loads((V1 / f"{name}.json").read_text(encoding="utf-8"))


def differences(then: Any, now: Any, besides: frozenset[str] = READ_AGAIN, place: str = "") -> Iterator[str]:
    if isinstance(then, dict) and isinstance(now, dict):
        for name in sorted({*then, *now} - besides):
            if name in then and name in now:
                yield from differences(then[name], now[name], besides, f"{place}.{name}")
            else:
                yield f"{place}.{name} is {'gone' if name in then else 'new'}"
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, pair in enumerate(zip(then, now, strict=True)):
            yield from differences(*pair, besides, f"{place}[{number}]")
    elif not _close(then, now):
        yield f"{place}: {then!r} then, {now!r} now"


def _close(then: Any, now: Any) -> bool:
    if isinstance(then, bool) or not isinstance(then, int | float) or not isinstance(now, int | float):
        return bool(then == now)
    return abs(then - now) <= CLOSE * max(1, abs(then))


def test_import_paths_in_a_home_can_be_loaded(project: Project) -> None:
    named = recorded("import_paths")
    assert import_paths(project.root / ".cv-yolo") == named
    from cv_yolo.pipelines import runtime  # noqa: F401 - makes former paths known

    for path in named:
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name)


def test_commands_that_read_answer_as_they_did(project: Project) -> None:
    now = project.run_module("tests.homes.commands", "reading").json
    assert list(differences(recorded("reading"), now)) == []


def test_a_backup_is_restored(project: Project, tmp_path: Path) -> None:
    restored = make_project(tmp_path / "restored")
    assert restored.run("restore", str(project.root / "backup"), "--json").exit_code == 0
    then = {" ".join(each["command"]): each["json"] for each in recorded("reading")}
    for command in ("runs --json", "models --json", "history --json"):
        assert list(differences(then[command], restored.run(*command.split()).json)) == []
    assert restored.run("history", "--verify").exit_code == 0


def test_commands_that_change_it_do_as_they_did_and_a_repeated_grid_trains_nothing(project: Project) -> None:
    now = project.run_module("tests.homes.commands", "moving").json
    assert list(differences(recorded("moving"), now, READ_AGAIN | DONE_NOW)) == []
    *_, (_, journal) = sorted(project.journals().items())
    assert EventKind.FINISHED in journal
    assert f'"{EventKind.TRAINING}"' not in journal
