"""Processes that promote on real registries: one that kills itself at a given moment, and two that promote at once.

    python -m tests.integration.register_child ROOT kill|race MODEL…

The libraries are imported once and the processes are forked from here; each opens its own connections. `kill` promotes
the second version of each model, and dies before the n-th thing that it would write, n being the model's place in the
line; what it was about to do is in `ROOT/MODEL.steps`. `race` promotes the second and the third version of each model
at once, and prints how the two processes ended.
"""

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cv_yolo.bootstrap import Bootstrap
from cv_yolo.domain.audit import Proposal
from cv_yolo.domain.versions import Stage
from cv_yolo.errors import CvYoloError
from cv_yolo.settings import Settings
from cv_yolo.workflows.register import Register, commit

HEAVY = (
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "zenml.zen_stores.sql_zen_store",
)
WRITES = ("set_", "delete_", "register", "append")


class Mortal:
    """A port, or a client behind it, whose writes are counted, told and, when the time has come, not survived."""

    def __init__(self, behind: Any, name: str, step: Callable[[str], None]) -> None:
        self._behind, self._name, self._step = behind, name, step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if not name.startswith(WRITES):
            return found

        def told(*arguments: Any, **named: Any) -> Any:
            self._step(f"{self._name}.{name}")
            return found(*arguments, **named)

        return told


def promote(register: Register, run_number: int) -> None:
    """Promote that version to staging, as one that was judged against the first."""
    version = register.tracking.versions()[run_number - 1]
    proposal = Proposal(stage=Stage.STAGING, version=version.version, run_id=version.run_id, expected="1")
    commit(proposal, register, actor=f"process {os.getpid()}", now=datetime.now(UTC))


def promote_and_die(register: Register, *, at: int, told: Path) -> None:
    """Promote the second version, but die before write number `at`."""
    count = 0

    def step(name: str) -> None:
        nonlocal count
        count += 1
        with told.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    tracking: Any = register.tracking
    tracking.__dict__["_client"] = Mortal(tracking._client, "mlflow", step)
    flush = os.fsync

    def fsync(descriptor: int) -> None:
        step("log.fsync")
        flush(descriptor)

    os.fsync = fsync
    promote(
        Register(
            model=register.model,
            tracking=tracking,
            pipeline=Mortal(register.pipeline, "zenml", step),
            log=Mortal(register.log, "log", step),
            anchor=tracking,
        ),
        2,
    )


def forked(work: Callable[[], None]) -> int:
    """Do the work in a process of its own, which ends with the exit code of its error."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except CvYoloError as error:
        code = error.exit_code
        print(error.message, file=sys.stderr)
    finally:
        os._exit(code)


def ended(child: int) -> int:
    """How the process ended: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def race(parts: Bootstrap, model: str) -> list[int]:
    """Two processes, ready and waiting, promote different versions at the same moment."""
    start = time.time() + 1.5

    def work(number: int) -> None:
        register = parts.register(model)
        register.tracking.versions(), register.pipeline.versions()
        time.sleep(max(0.0, start - time.time()))
        promote(register, number)

    children = [forked(lambda number=number: work(number)) for number in (2, 3)]
    return [ended(child) for child in children]


def main(root: str, mode: str, *models: str) -> None:
    """Do what is asked for and print the outcome of each model as JSON."""
    parts = Bootstrap(Settings(root=Path(root)))
    for library in HEAVY:
        importlib.import_module(library)
    outcome: dict[str, Any] = {}
    for number, model in enumerate(models, 1):
        if mode == "race":
            outcome[model] = race(parts, model)
            continue
        told = Path(root) / f"{model}.steps"
        outcome[model] = ended(
            forked(lambda at=number, model=model, told=told: promote_and_die(parts.register(model), at=at, told=told))
        )
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
