"""Processes that promote on real registries, and die on request.

The libraries are imported once, by the process that forks; it opens no connection, and each fork opens its own.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from cv_yolo.container import Container
from cv_yolo.domain.promotion.audit import Proposal, holders
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage
from cv_yolo.errors import CvYoloError, InputError, PromotionConflictError
from cv_yolo.ports.records import NewRun
from cv_yolo.ports.registry import NewVersion
from cv_yolo.settings import Settings
from cv_yolo.workflows.demote import rollback, withdraw
from cv_yolo.workflows.register import Register, check, commit, examine, registered

HEAVY: Final = (
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "zenml.zen_stores.sql_zen_store",
)
WRITES: Final = ("set_", "delete_", "register", "append")
Message = dict[str, Any]


def load_libraries() -> None:
    """Import what every fork needs, once; a `Container` before it has set the libraries' variables."""
    for library in HEAVY:
        importlib.import_module(library)


def forked(work: Callable[[], None]) -> int:
    """Do the work in a separate process, which exits with the code of its error; returns its id."""
    sys.stdout.flush()
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
    except Exception:  # noqa: BLE001 - nothing above reports it: the process exits here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(child: int) -> int:
    """How the process ended: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Mortal:
    """A port, or a client behind it, that reports its writes before they happen."""

    def __init__(self, behind: Any, name: str, step: Callable[[str], None]) -> None:
        self._behind, self._name, self._step = behind, name, step

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if not name.startswith(WRITES):
            return found

        def reported(*arguments: Any, **named: Any) -> Any:
            self._step(f"{self._name}.{name}")
            return found(*arguments, **named)

        return reported


def mortal(register: Register, *, at: int, report: Callable[[str], None] = lambda _: None) -> Register:
    """The same register, for a process that dies before write number `at`; each write is reported before."""
    count = 0

    def step(name: str) -> None:
        nonlocal count
        count += 1
        report(name)
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    tracking: Any = register.tracking
    tracking.__dict__["_client"] = Mortal(tracking._client, "mlflow", step)  # noqa: SLF001 - no port is that fine
    flush = os.fsync

    def fsync(fd: Any) -> None:
        step("log.fsync")
        flush(fd)

    os.fsync = fsync
    pipeline, log = Mortal(register.pipeline, "zenml", step), Mortal(register.log, "log", step)
    return replace(register, tracking=tracking, pipeline=pipeline, log=log, anchor=tracking)


class Worker:
    """A process that does what it is ordered to do at a register, one order after the other, until it is killed."""

    def __init__(self, settings: Settings, model: str) -> None:
        orders, answers = os.pipe(), os.pipe()
        self.pid = forked(lambda: serve(settings, model, os.fdopen(orders[0]), os.fdopen(answers[1], "w")))
        os.close(orders[0])
        os.close(answers[1])
        self._orders, self._answers = os.fdopen(orders[1], "w"), os.fdopen(answers[0])

    def ready(self) -> "Worker":
        """Wait until it has opened its connections."""
        if self.answer() is None:
            raise ChildProcessError(f"worker {self.pid} did not come up")
        return self

    def order(self, **what: Any) -> None:
        """Send an order; it starts at once."""
        self._orders.write(json.dumps(what) + "\n")
        self._orders.flush()

    def answer(self) -> Message | None:
        """What it says next; None where it died before it said anything."""
        line = self._answers.readline()
        said: Message | None = json.loads(line) if line.endswith("\n") else None
        return said

    def end(self) -> int:
        """Kill it, if it lives; returns how it ended."""
        self._answers.close()
        os.kill(self.pid, signal.SIGKILL)
        status = ended(self.pid)
        self._orders.close()
        return status


def serve(settings: Settings, model: str, orders: IO[str], answers: IO[str]) -> None:
    """Do what each line orders, and answer it by a line, until there are no more."""
    container = Container(settings)
    register = container.records.register(model)
    register.log.entries(), register.tracking.versions(), register.pipeline.versions()
    _say(answers, {"ready": True})
    for line in orders:
        order = json.loads(line)
        _say(answers, _made(container, register, **order) if order["do"] == "make" else _obey(register, order))


def _say(answers: IO[str], what: Message) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _made(container: Container, register: Register, *, do: str, versions: int) -> Message:  # noqa: ARG001 - the order
    tracker = container.records.tracker("register")
    for number in range(versions):
        run_id = tracker.start(NewRun(name=f"run {number}", params={}, tags={}))
        registered(NewVersion(run_id=run_id, weights=Path("best.pt"), weights_sha256="a" * 64), register)
    return {"made": versions}


def _obey(register: Register, order: Mapping[str, Any]) -> Message:
    if order["do"] == "inspect":
        return inspection(register)
    doomed = mortal(register, at=order["die_at"]) if order.get("die_at") else register
    began = time.monotonic()
    try:
        done = _ACTS[order["do"]](doomed, order)
    except PromotionConflictError as error:
        done = {"outcome": "conflict", "said": error.message}
    except InputError as error:
        done = {"outcome": "refused", "said": error.message}
    except CvYoloError as error:
        done = {"outcome": "failed", "said": f"{type(error).__name__}: {error.message}"}
    return done | {"seconds": time.monotonic() - began}


def _promote(register: Register, order: Mapping[str, Any]) -> Message:
    named = {name: order[name] for name in ("version", "run_id", "expected")}
    proposal = Proposal(stage=Stage(order["stage"]), **named)
    entry = commit(proposal, register, actor=f"process {os.getpid()}", now=datetime.now(UTC))
    return {"outcome": "won", "sha256": entry.sha256}


def _roll_back(register: Register, order: Mapping[str, Any]) -> Message:
    stage, actor = Stage(order["stage"]), f"process {os.getpid()}"
    entry = rollback(register, stage=stage, to=None, reason=None, actor=actor, now=datetime.now(UTC))
    return {"outcome": "won", "sha256": entry.sha256}


def _withdraw(register: Register, order: Mapping[str, Any]) -> Message:
    stage, actor = Stage(order["stage"]), f"process {os.getpid()}"
    entry = withdraw(register, stage=stage, version=None, reason="recalled", actor=actor, now=datetime.now(UTC))
    return {"outcome": "won", "sha256": entry.sha256}


def _bare(register: Register, order: Mapping[str, Any]) -> Message:
    """The same move without log, check or repair: what the two registries take by themselves."""
    register.tracking.set_stage(order["version"], Stage(order["stage"]))
    register.pipeline.set_stage(f"v{order['version']}", Stage(order["stage"]))
    return {"outcome": "moved"}


_ACTS: Final = {"promote": _promote, "roll back": _roll_back, "withdraw": _withdraw, "bare": _bare}


def inspection(register: Register) -> Message:
    """How the register is found, and how it is after `cv-yolo models check`; who holds which stage then."""
    findings = [each.sentence for each in examine(register.log, register.anchor)]
    doubled = _doubly_staged(register)
    began = time.monotonic()
    found = [] if findings else check(register, repair=True)
    seconds = time.monotonic() - began
    left = [] if findings else check(register, repair=False)
    entries = () if findings else register.log.entries()
    return {
        "findings": findings,
        "doubled": doubled + _doubly_staged(register),
        "found": len(found),
        "left": [f"{each.registry}: {each.subject} is {each.found}, not {each.wanted}" for each in left],
        "hashes": [entry.sha256 for entry in entries],
        "holders": dict(holders(entries)),
        "versions": {each.version: each.run_id for each in register.tracking.versions()},
        "seconds": seconds,
    }


def _doubly_staged(register: Register) -> int:
    """Versions too many in staging or production, in either registry."""
    held = Counter(
        (id(side), each.stage) for side in (register.tracking, register.pipeline) for each in side.versions()
    )
    return sum(count - 1 for (_, stage), count in held.items() if stage in HELD_BY_ONE)
