"""Processes that promote on real registries: one that kills itself at a given moment, and two that promote at once.

    python -m tests.integration.register_child ROOT kill|withdraw|race MODEL…

The libraries are imported once and the processes are forked from here; each opens its own connections. `kill` promotes
the second version of each model, and dies before the n-th thing that it would write, n being the model's place in the
line; what it was about to do is in `ROOT/MODEL.steps`. `withdraw` does the same while it empties staging. `race`
promotes the second and the third version of each model at once, and prints how the two processes ended.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.register_processes import ended, forked, load_libraries, mortal
from cv_yolo.container import Container
from cv_yolo.domain.promotion.audit import Proposal
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.settings import Settings
from cv_yolo.workflows.demote import withdraw
from cv_yolo.workflows.register import Register, commit


def promote(register: Register, run_number: int) -> None:
    """Promote that version to staging, as one that was judged against the first."""
    version = register.tracking.versions()[run_number - 1]
    proposal = Proposal(stage=Stage.STAGING, version=version.version, run_id=version.run_id, expected="1")
    commit(proposal, register, actor=f"process {os.getpid()}", now=datetime.now(UTC))


def take_out(register: Register) -> None:
    """Withdraw the version that is in staging."""
    actor, now = f"process {os.getpid()}", datetime.now(UTC)
    withdraw(register, stage=Stage.STAGING, version=None, reason="recalled", actor=actor, now=now)


def act_and_die(act: Callable[[Register], None], register: Register, *, at: int, steps: Path) -> None:
    """Act, but die before write number `at`."""

    def report(name: str) -> None:
        with steps.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")

    act(mortal(register, at=at, report=report))


def race(container: Container, model: str) -> list[int]:
    """Two processes, ready and waiting, promote different versions at the same moment."""
    start = time.time() + 1.5

    def work(number: int) -> None:
        register = container.records.register(model)
        register.tracking.versions(), register.pipeline.versions()
        time.sleep(max(0.0, start - time.time()))
        promote(register, number)

    children = [forked(lambda number=number: work(number)) for number in (2, 3)]
    return [ended(child) for child in children]


ACTS: Final[dict[str, Callable[[Register], None]]] = {
    "kill": lambda register: promote(register, 2),
    "withdraw": take_out,
}


def main(root: str, mode: str, *models: str) -> None:
    """Do what is asked for and print the outcome of each model as JSON."""
    container = Container(Settings(root=Path(root)))
    load_libraries()
    outcome: dict[str, Any] = {}
    for number, model in enumerate(models, 1):
        if mode == "race":
            outcome[model] = race(container, model)
            continue
        steps = Path(root) / f"{model}.steps"

        def die(at: int = number, model: str = model, steps: Path = steps) -> None:
            act_and_die(ACTS[mode], container.records.register(model), at=at, steps=steps)

        outcome[model] = ended(forked(die))
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(*sys.argv[1:])
