"""The tutorial is run as it is printed, and prints what it shows: three formats, three models in Staging."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.project import REPOSITORY, Project

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="the tutorial's commands are for a shell")]
PAGE = REPOSITORY / "docs" / "tutorial" / "own-images.md"
STEP = re.compile(
    r"^```sh\n(?P<commands>.*?)^```$(?:\n\n```text\n(?P<shown>.*?)^```$)?", flags=re.MULTILINE | re.DOTALL
)
DATASETS = ("people_coco", "people_voc", "people_roboflow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Commands of the tutorial, what it shows of their output (`…` for what is left out), and what they printed."""

    commands: str
    shown: str
    exit_code: int
    printed: str

    @property
    def missing(self) -> list[str]:
        """Lines that are shown and were not printed, or not in this order."""
        left, missing = self.printed.splitlines(), []
        for line in self.shown.splitlines():
            pattern = re.compile(r"\s*" + ".*".join(map(_any_spaces, line.strip().split("…"))) + r"\s*")
            found = next((at for at, printed in enumerate(left) if pattern.fullmatch(printed)), None)
            if found is None:
                missing.append(line)
            else:
                left = left[found + 1 :]
        return missing


def _any_spaces(text: str) -> str:
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def run_as_printed(page: Path, project: Project, place: Path) -> list[Step]:
    """Every step in one shell after the other, each where the one before it has gone, until one fails."""
    done: list[Step] = []
    folder, ends_in = project.root, place / "ends-in"
    for each in STEP.finditer(page.read_text(encoding="utf-8")):
        ran = subprocess.run(
            ["bash", "-euc", f'{each["commands"]}pwd > "$ENDS_IN"'],
            cwd=folder,
            env=project.environment() | {"ENDS_IN": str(ends_in)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,  # the tests say which step it was, and what it printed
        )
        done.append(
            Step(
                commands=each["commands"],
                shown=each["shown"] or "",
                exit_code=ran.returncode,
                printed=ran.stdout,
            )
        )
        if ran.returncode:
            break
        folder = Path(ends_in.read_text(encoding="utf-8").strip())
    return done


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(root=tmp_path_factory.mktemp("tutorial"))


@pytest.fixture(scope="module")
def steps(project: Project, tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    return run_as_printed(PAGE, project, tmp_path_factory.mktemp("scratch"))


def test_every_step_succeeds_and_prints_what_the_page_shows(steps: list[Step]) -> None:
    for step in steps:
        assert step.exit_code == 0, f"{step.commands}\n{step.printed}"
        assert "Traceback" not in step.printed, step.commands
        assert step.missing == [], f"{step.commands}\n{step.printed}"


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize("name", DATASETS)
def test_each_source_ends_as_a_version_in_staging_that_is_handed_over(project: Project, name: str) -> None:
    folder = project.root / "detector" / "models" / name
    card = json.loads((folder / "model.json").read_text("utf-8"))
    assert (card["model"], card["stage"]["name"], card["data"]["name"]) == (name, "staging", name)
    assert (card["decision"]["verdict"], card["decision"]["provisional"]) == ("promote", True)
    assert (folder / "model.pt").stat().st_size == card["files"][0]["bytes"]
