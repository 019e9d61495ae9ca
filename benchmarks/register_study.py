"""One register under fire: rounds of promotions, some of them killed, and what the inspector finds after each."""

import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from benchmarks.register_processes import Message, Worker
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.settings import Settings

WRITES: Final = 12  # of a promotion, about; a process that is to die later than it has writes lives
HALF: Final = 0.5
ROLLBACKS: Final = 0.25
WITHDRAWALS: Final = 0.15
STAGES: Final = (Stage.STAGING.value, Stage.PRODUCTION.value)


@dataclass(kw_only=True)
class StudyCounts:
    """What happened in a study, and what must not have."""

    study: str
    rounds: int = 0
    killed: int = 0
    won: int = 0
    conflicts: int = 0
    unanswered: int = 0
    repaired: int = 0
    lost: int = 0
    extra: int = 0
    doubled: int = 0
    broken: int = 0
    left: int = 0
    failed: int = 0
    won_seconds: list[float] = field(default_factory=list)
    conflict_seconds: list[float] = field(default_factory=list)
    repair_seconds: list[float] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """Everything that must not happen."""
        return self.lost + self.extra + self.doubled + self.broken + self.left + self.failed


@contextmanager
def a_study(name: str, settings: Settings, *, processes: int, rng: random.Random) -> "Iterator[Study]":
    """A separate register, and processes that end with it."""
    study = Study(name, settings, processes, rng)
    try:
        yield study
    finally:
        study.end()


class Study:
    """One register, its inspector, and the workers that are about to promote there."""

    def __init__(self, name: str, settings: Settings, processes: int, rng: random.Random) -> None:
        self.tally, self._rng, self._processes = StudyCounts(study=name), rng, processes
        self._settings, self._model = settings, name
        self._inspector = Worker(self._settings, self._model).ready()
        self._inspector.order(do="make", versions=processes + 4)
        if self._inspector.answer() is None:
            raise ChildProcessError(f"{name}: the register could not be made")
        self._crew: list[Worker] = []
        self._spares = [Worker(self._settings, self._model)]
        self._seen = self._inspected()

    def end(self) -> None:
        """End all processes of this study."""
        for worker in (self._inspector, *self._crew, *self._spares):
            worker.end()

    def crash(self, horizon_s: float) -> None:
        """One process promotes, rolls back or withdraws, and is killed."""
        order, chance = self._orders(1)[0], self._rng.random()
        if chance < ROLLBACKS + WITHDRAWALS:
            order = {"do": "roll back" if chance < ROLLBACKS else "withdraw", "stage": order["stage"]}
        self._round([order], doomed=1, horizon_s=horizon_s)

    def race(self, horizon_s: float, *, doomed: int) -> None:
        """All promote at once; so many of them are killed."""
        self._round(self._orders(self._processes), doomed=doomed, horizon_s=horizon_s * self._processes)

    def alone(self, what: str) -> float:
        """Seconds of one undisturbed promotion, or of the bare calls."""
        order = self._orders(1)[0] | {"do": what, "stage": Stage.STAGING.value}
        order["expected"] = self._seen["holders"].get(order["stage"])
        self._complete(1)
        self._crew[0].order(**order)
        said = self._crew[0].answer()
        if said is None or said["outcome"] not in {"won", "moved"}:
            raise ChildProcessError(f"an undisturbed {what} ended with {said}")
        self._seen = self._inspected()
        return float(said["seconds"])

    def _round(self, orders: Sequence[Message], *, doomed: int, horizon_s: float) -> None:
        self._complete(len(orders))
        victims = set(self._rng.sample(range(len(orders)), doomed))
        by_time = {each for each in victims if self._rng.random() < HALF}
        for number, order in enumerate(orders):
            die_at = self._rng.randint(1, WRITES) if number in victims - by_time else None
            self._crew[number].order(**order, die_at=die_at)
        began = time.monotonic()
        for moment, number in sorted((self._rng.uniform(0, horizon_s), number) for number in by_time):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            os.kill(self._crew[number].pid, signal.SIGKILL)
        answers = [self._crew[number].answer() for number in range(len(orders))]
        for number in victims:  # the others continue with the next round
            self.tally.killed += answers[number] is None
            self._crew[number].end()
        self._crew = [worker for number, worker in enumerate(self._crew) if number not in victims]
        self._count(orders, answers)

    def _count(self, orders: Sequence[Message], answers: Sequence[Message | None]) -> None:
        tally, before = self.tally, self._seen["hashes"]
        self._seen = now = self._inspected()
        tally.rounds += 1
        given = [each for each in answers if each is not None]
        won, late = ([each for each in given if each["outcome"] == said] for said in ("won", "conflict"))
        failed = [each["said"] for each in given if each["outcome"] == "failed"]
        new, acknowledged = now["hashes"][len(before) :], {each["sha256"] for each in won}
        dead = len(orders) - len(given)
        tally.won += len(won)
        tally.conflicts += len(late)
        tally.unanswered += len(set(new) - acknowledged)
        tally.won_seconds += [each["seconds"] for each in won]
        tally.conflict_seconds += [each["seconds"] for each in late]
        tally.lost += (now["hashes"][: len(before)] != before) + len(acknowledged - set(new))
        goals = len({order["stage"] for order in orders})
        tally.extra += max(0, len(new) - goals) + max(0, len(set(new) - acknowledged) - dead)
        if not dead and not failed and all(each["outcome"] != "refused" for each in given):
            tally.lost += max(0, goals - len(won))
        tally.failed += len(failed)
        tally.complaints += failed

    def _inspected(self) -> Message:
        self._inspector.order(do="inspect")
        said = self._inspector.answer()
        if said is None:
            raise ChildProcessError(f"the inspector of {self._model} died")
        tally = self.tally
        tally.doubled += said["doubled"]
        tally.broken += len(said["findings"])
        tally.left += len(said["left"])
        tally.repaired += said["found"]
        tally.repair_seconds += [said["seconds"]] if said["found"] else []
        tally.complaints += [*said["findings"], *said["left"]]
        if said["findings"]:
            raise ChildProcessError(f"the log of {self._model} is broken: {said['findings']}")
        return said

    def _orders(self, number: int) -> list[Message]:
        """Promotions of different versions, none of which holds a stage: all to one stage, or half of them to each."""
        held, versions = self._seen["holders"], self._seen["versions"]
        free = [version for version in versions if version not in held.values()]
        both = number >= 2 * len(STAGES) and self._rng.random() < HALF
        stages = [*STAGES] * number if both else [self._rng.choice(STAGES)] * number
        return [
            {
                "do": "promote",
                "version": version,
                "run_id": versions[version],
                "stage": stage,
                "expected": held.get(stage),
            }
            for version, stage in zip(self._rng.sample(free, number), stages[:number], strict=True)
        ]

    def _complete(self, number: int) -> None:
        """Have so many workers ready, and begin to start one more for each that was taken."""
        while len(self._crew) < number:
            self._crew.append(self._spares.pop(0).ready())
            self._spares.append(Worker(self._settings, self._model))
