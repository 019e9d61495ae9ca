"""The benchmark of crashes and races, small: it kills, lets processes race, and finds nothing lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and kills with SIGKILL")
REPOSITORY = Path(__file__).resolve().parents[2]
WRONG = ("lost", "extra", "doubled", "broken", "left", "failed")


def test_promotions_that_are_killed_and_that_come_at_once_lose_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.register_faults", "--promotions", "6", "--processes", "2", "--json"]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,  # checked by the next line
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    crashes, races, both = figures["studies"]
    assert [(study["study"], [study[each] for each in WRONG]) for study in figures["studies"]] == [
        ("crashes", [0] * 6),
        ("races", [0] * 6),
        ("both", [0] * 6),
    ]
    assert [study["rounds"] for study in figures["studies"]] == [6, 3, 2]
    assert crashes["killed"] + both["killed"] >= 1, "not all have finished before they were killed"
    assert (races["won"], races["conflicts"], races["killed"]) == (3, 3, 0)
    assert min(figures[each] for each in ("bare_s", "alone_s", "raced_s", "conflict_s")) > 0
