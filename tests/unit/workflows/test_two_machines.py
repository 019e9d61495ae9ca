"""Several machines at one register, each between any two calls of the others: one wins, all is as the log says."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import product
from threading import Semaphore, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.promotion.audit import Action, Entry
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import LogGrewError, PromotionConflictError
from cv_yolo.workflows.demote import rollback
from cv_yolo.workflows.register import Register, check, commit, examine, judge, registered
from tests.builders import NOON, a_new_version, a_proposal
from tests.fakes import a_fake_register

LAWS = settings(deadline=None, database=None, max_examples=40)
STAGING, PRODUCTION, ARCHIVED = Stage
Act = Callable[[Register, str], object]


class Told:
    """A port that waits for its machine's turn before it does anything; the locks of two machines are not the same."""

    def __init__(self, behind, wait):
        self._behind, self._wait = behind, wait

    def __getattr__(self, name):
        found = getattr(self._behind, name)
        return found if name == "locked" else lambda *given: (self._wait(), found(*given))[1]


class Machine:
    """One act on a register, which goes on by one call to a port at each step."""

    def __init__(self, name: str, act: Act, register: Register) -> None:
        self._turn, self._waits = Semaphore(0), Semaphore(0)
        self.done, self.outcome = False, None
        tracking = Told(register.tracking, self._wait)
        mine = replace(
            register,
            tracking=tracking,
            pipeline=Told(register.pipeline, self._wait),
            log=Told(register.log, self._wait),
            anchor=tracking,
        )
        Thread(target=self._work, args=(act, mine, name), daemon=True).start()
        self._waits.acquire()

    def step(self) -> None:
        if not self.done:
            self._turn.release()
            self._waits.acquire()

    def finish(self) -> int:
        steps = 0
        while not self.done:
            self.step()
            steps += 1
        return steps

    def _wait(self) -> None:
        self._waits.release()
        self._turn.acquire()

    def _work(self, act: Act, register: Register, name: str) -> None:
        try:
            self.outcome = act(register, name)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.outcome = error
        self.done = True
        self._waits.release()


def promote(version: str, stage: Stage = STAGING, *, expected: str | None = "1") -> Act:
    def act(register: Register, name: str) -> Entry:
        proposal = a_proposal(version=version, run_id=f"run-{version}", stage=stage, expected=expected)
        return commit(proposal, register, actor=name, now=NOON)

    return act


def judged(version: str) -> Act:
    proposal = a_proposal(version=version, run_id=f"run-{version}", expected="1")
    return lambda register, name: judge(proposal, register, actor=name, now=NOON)


def back(register: Register, name: str) -> Entry:
    return rollback(register, stage=STAGING, to=None, reason=None, actor=name, now=NOON)


def repaired(register: Register, _name: str) -> object:
    return check(register, repair=True)


def a_register(*, begun: bool, lagging: bool = False) -> Register:
    """Versions 1 to 4; 1 is in staging, as the log says, or although there is no log yet."""
    register = a_fake_register()
    for number in "1234":
        registered(a_new_version(run_id=f"run-{number}"), register)
    if not begun:
        for side, prefix in ((register.tracking, ""), (register.pipeline, "v")):
            side.set_stage(f"{prefix}1", STAGING)
            side.set_stage(f"{prefix}4", PRODUCTION)
        return register
    promote("2", expected=None)(register, "before")
    promote("1", expected="2")(register, "before")
    if lagging:
        register.tracking.set_stage("3", STAGING)
        register.pipeline.set_stage("v2", PRODUCTION)
    return register


def require_in_order(register: Register, outcomes: list[object], before: int) -> list[Entry]:
    """All is as the log says, the log is whole, and holds what was won and nothing else; returns what was won."""
    won = [each for each in outcomes if isinstance(each, Entry)]
    written = [entry for entry in register.log.entries()[before:] if entry.action is not Action.ADOPTED]
    assert sorted(won, key=lambda entry: entry.number) == written
    assert examine(register.log, register.anchor) == ()
    assert check(register, repair=False) == ()
    for side in (register.tracking, register.pipeline):
        held = [each.stage for each in side.versions() if each.stage in {STAGING, PRODUCTION}]
        assert len(held) == len(set(held))
    return won


SCENES = {
    "the same stage": ([promote("2"), promote("3")], 1),
    "the same version": ([promote("2"), promote("2")], 2),
    "two stages": ([promote("2"), promote("3", PRODUCTION, expected=None)], 2),
    "a promotion and a judgement": ([promote("2"), judged("3")], 2),
    "two judgements": ([judged("2"), judged("3")], 2),
    "a promotion and a repair": ([promote("2"), repaired], 1),
    "two repairs": ([repaired, repaired], 0),
}


def until_both_are_done(acts: list[Act], register: Register, first: int, second: int) -> list[object]:
    """The first machine goes so many steps, then the second, then the first to its end, then the second."""
    machines = [Machine(f"machine {number}", act, register) for number, act in enumerate(acts)]
    for machine, steps in zip(machines, (first, second), strict=True):
        for _ in range(steps):
            machine.step()
    for machine in machines:
        machine.finish()
    return [machine.outcome for machine in machines]


@pytest.mark.parametrize(
    ("scene", "state"),
    [
        *((scene, "begun") for scene in SCENES),
        *product(("the same stage", "two stages"), ("lagging", "older than its log")),
    ],
)
def test_two_machines_interrupt_each_other_anywhere_and_all_ends_in_order(scene, state):
    acts, wins = SCENES[scene]
    if (scene, state) == ("two stages", "older than its log"):
        acts = [acts[0], promote("3", PRODUCTION, expected="4")]
    how = {"begun": state != "older than its log", "lagging": state == "lagging"}
    alone = [Machine("alone", act, a_register(**how)).finish() for act in acts]
    for first, second in product(range(alone[0] + 1), range(alone[1] + 1)):
        if (first + second) % 5:  # each of these moments, with some of those
            continue
        register = a_register(**how)
        before = len(register.log.entries())
        outcomes = until_both_are_done(acts, register, first, second)
        assert len(require_in_order(register, outcomes, before)) == wins
        reported = [each for each in outcomes if isinstance(each, BaseException)]
        assert len(reported) == sum(act is not repaired for act in acts) - wins
        assert all(type(each) is PromotionConflictError and "is there since" in each.message for each in reported)


def test_a_rollback_that_another_entry_overtook_takes_nothing_back_and_is_reported():
    steps = Machine("alone", back, a_register(begun=True)).finish()
    overtaken = 0
    for first in range(steps + 1):
        register = a_register(begun=True)
        machine = Machine("slow", back, register)
        for _ in range(first):
            machine.step()
        with suppress(PromotionConflictError):
            promote("3")(register, "quick")
        machine.finish()
        if isinstance(machine.outcome, LogGrewError):
            overtaken += 1
            assert register.log.entries()[-1].actor == "quick"
        require_in_order(register, [*register.log.entries()[2:]], 2)
    assert overtaken


def test_a_writer_that_is_late_every_time_fails_in_the_end():
    register = a_register(begun=True)
    late = replace(register, log=Overtaken(register))
    with pytest.raises(LogGrewError):
        judged("3")(late, "slow")
    assert len(register.log.entries()) == 2 + 20


class Overtaken:
    """A log at whose end another process writes before each entry of ours."""

    def __init__(self, register):
        self._register = register

    def __getattr__(self, name):
        return getattr(self._register.log, name)

    def append(self, entry):
        judged("2")(self._register, "quick")
        self._register.log.append(entry)


@LAWS
@given(schedule=st.lists(st.integers(0, 3), max_size=90))
def test_four_machines_in_any_order_end_in_order(schedule):
    register = a_register(begun=True, lagging=True)
    acts = [promote("2"), promote("3"), promote("4", PRODUCTION, expected=None), repaired]
    machines = [Machine(f"machine {number}", act, register) for number, act in enumerate(acts)]
    for number in schedule:
        machines[number].step()
    for machine in machines:
        machine.finish()
    won = require_in_order(register, [machine.outcome for machine in machines], 2)
    assert [entry.stage for entry in sorted(won, key=lambda entry: entry.stage)] == [PRODUCTION, STAGING]
