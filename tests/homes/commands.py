"""What is asked of a recorded home, and what the commands answer.

`python -m tests.homes.commands reading` runs the commands that leave it as it is, `moving` those that change it, in the
current folder and in one process, and prints their answers as JSON.
"""

import contextlib
import io
import json
import sys
from typing import Any, Final

from cv_yolo.cli.main import run

DATA: Final = ("data", "synth", "--counts", "12", "6", "8", "--size", "192")
GRID: Final = (
    *("grid", "--config", "configs/demo.yaml", "--epochs", "1", "--image-size", "192"),
    *("--set", "training.batch_size=4", "--set", "resources.threads_per_run=1", "--json"),
)
ACCEPTED: Final = ("--accept-inconclusive", "the only version there is")
MADE_BY: Final = (  # what a home goes through before it is kept; the backup is taken at its end
    DATA,
    GRID,
    ("withdraw", "staging", "--reason", "recalled", "--yes"),
    ("promote", "1", "--to", "production"),
    ("promote", "1", "--to", "staging", *ACCEPTED),
    ("backup", "backup"),
)
COMMANDS: Final = {
    "reading": (
        ("runs", "--json"),
        ("show", "e1_s192", "--json"),
        ("show", "nothing", "--json"),
        ("models", "--json"),
        ("models", "check", "--json"),
        ("models", "check", "--dry-run", "--json"),
        ("history", "--json"),
        ("history", "--verify", "--json"),
        ("data", "check", "data/demo", "--json"),
        ("data", "check", "data/nothing", "--json"),
        ("evaluate", "staging", "--json"),
        ("compare", "staging", "weights/bootstrap-yolo11n.pt", "--image-size", "192", "--json"),
        ("status", "--json"),
        ("stack", "show", "--json"),
        ("doctor", "--json"),
        ("backup", "another-backup", "--json"),
        ("restore", "backup", "--json"),
        ("logs", "mlflow"),
        ("down",),
        ("restart", "mlflow"),
        ("init-env",),
        ("connect", "--embedded"),
    ),
    "moving": (
        ("promote", "1", "--to", "production", "--json"),
        ("rollback", "--json"),
        ("withdraw", "staging", "--reason", "recalled again", "--yes", "--json"),
        ("withdraw", "production", "--reason", "nothing is there", "--yes", "--json"),
        ("history", "--verify", "--json"),
        GRID,
        ("models", "--json"),
        ("runs", "--json"),
    ),
}


def answers(kind: str) -> list[dict[str, Any]]:
    """Each command with its exit code, and its JSON where it printed any."""
    return [_answer(command) for command in COMMANDS[kind]]


def _answer(command: tuple[str, ...]) -> dict[str, Any]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exit_code = run(command)
    text = out.getvalue()
    return {
        "command": list(command),
        "exit_code": exit_code,
        "json": json.loads(text) if "--json" in command and text else None,
    }


if __name__ == "__main__":
    found = answers(sys.argv[1])
    print(json.dumps(found, indent=1, ensure_ascii=False))
