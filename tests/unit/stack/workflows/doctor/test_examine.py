"""Trying: in order, side by side, with an end whatever the server does."""

import os
import signal
from collections.abc import Callable
from itertools import count
from threading import Barrier, Event

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.domain.health import CheckOutcome, CheckResult
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck, examine


def works() -> CheckOutcome:
    return CheckOutcome(passed=True, found="works")


def fails() -> CheckOutcome:
    raise ServiceUnavailableError("does not answer")


def a_check(name: str = "it", attempt: Callable[[], CheckOutcome] = works, *, vital: bool = False) -> ServiceCheck:
    return ServiceCheck(name=name, expected="works", remedy="start it", attempt=attempt, vital=vital)


def a_checkup(*checks: ServiceCheck, service: str = "store") -> Checkup:
    return Checkup(service=service, checks=checks)


def test_each_trial_is_reported_with_its_duration() -> None:
    found = examine([a_checkup(a_check())], clock=count().__next__)
    assert found == (
        CheckResult(service="store", name="it", passed=True, expected="works", found="works", took_ms=1000),
    )


def test_a_failure_shows_expected_found_and_fix() -> None:
    (found,) = examine([a_checkup(a_check(attempt=fails))], clock=count().__next__)
    assert (found.passed, found.expected, found.found, found.remedy) == (False, "works", "does not answer", "start it")


def test_an_outcome_may_know_a_better_remedy() -> None:
    outcome = CheckOutcome(passed=False, found="full", remedy="make room")
    (found,) = examine([a_checkup(a_check(attempt=lambda: outcome))])
    assert found.remedy == "make room"


def test_without_a_vital_one_nothing_that_follows_is_tried() -> None:
    found = examine([a_checkup(a_check("reachable", fails, vital=True), a_check("clock"), a_check("version", fails))])
    assert [(each.name, each.passed, each.found) for each in found[1:]] == [
        ("clock", None, "not tried: reachable failed"),
        ("version", None, "not tried: reachable failed"),
    ]


def test_another_failure_does_not_block() -> None:
    found = examine([a_checkup(a_check("clock", fails), a_check("version"))])
    assert [each.passed for each in found] == [False, True]


def test_services_are_tried_in_parallel_and_reported_in_order() -> None:
    meet = Barrier(2, timeout=10)

    def waits() -> CheckOutcome:
        meet.wait()
        return works()

    checkups = [a_checkup(a_check(attempt=waits), service=name) for name in ("store", "zenml")]
    assert [(each.service, each.passed) for each in examine(checkups)] == [("store", True), ("zenml", True)]


def test_an_unresponsive_server_stops_only_its_own_checkup() -> None:
    never = Event()

    def hangs() -> CheckOutcome:
        never.wait()
        return works()

    checkups = [
        a_checkup(a_check("clock"), a_check("version", hangs), a_check("buckets")),
        a_checkup(a_check(), service="zenml"),
    ]
    found = examine(checkups, deadline_s=2)
    assert [(each.service, each.name, each.passed, each.found) for each in found] == [
        ("store", "clock", True, "works"),
        ("store", "version", False, "no answer after 2 s in all"),
        ("store", "buckets", None, "not tried: the time limit was reached"),
        ("zenml", "it", True, "works"),
    ]
    never.set()


def test_after_the_deadline_nothing_new_is_tried() -> None:
    tried = []
    check = a_check(attempt=lambda: tried.append(1) or works())
    (found,) = examine([a_checkup(check)], deadline_s=0)
    assert (tried, found.passed, found.remedy) == ([], False, "start it")


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_an_interrupt_waits_for_what_is_being_tried_and_begins_nothing_new() -> None:
    ended = []

    def is_interrupted() -> CheckOutcome:
        os.kill(os.getpid(), signal.SIGINT)
        ended.append("cleaned up")
        Event().wait(1)  # so that the interrupt comes first
        return works()

    checks = a_check(attempt=is_interrupted), a_check(attempt=lambda: ended.append("another") or works())
    with pytest.raises(KeyboardInterrupt):
        examine([a_checkup(*checks)])
    assert ended == ["cleaned up"]


def test_a_bug_is_not_a_finding() -> None:
    def breaks() -> CheckOutcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine([a_checkup(a_check(attempt=breaks))])
