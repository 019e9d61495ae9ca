"""How a finding is judged: clocks, refusals, versions, round trips."""

import pytest

from cv_yolo_stack.domain.health import (
    CheckOutcome,
    CheckResult,
    duration_in_words,
    healthy,
    judge_clock,
    judge_refusal,
    judge_round_trip,
    judge_version,
)


def a_finding(passed: bool | None, remedy: str | None = None) -> CheckResult:
    return CheckResult(service="store", name="clock", passed=passed, expected="a", found="b", remedy=remedy)


def test_a_failure_shows_its_fix() -> None:
    with pytest.raises(ValueError, match="store: clock: a failed finding needs a remedy"):
        a_finding(passed=False)
    assert a_finding(passed=False, remedy="set it").remedy == "set it"


def test_an_untried_check_does_not_fail() -> None:
    assert healthy((a_finding(passed=True), a_finding(passed=None)))
    assert not healthy((a_finding(passed=True), a_finding(passed=False, remedy="set it")))


@pytest.mark.parametrize(
    ("ahead_s", "passed", "found"),
    [
        (None, None, "not tried: the server does not return its time"),
        (1.4, True, "as ours"),
        (-59, True, "59 s behind ours"),
        (61, False, "61 s ahead of ours"),
        (-1200, False, "20 min behind ours"),
    ],
)
def test_a_clock_may_be_a_minute_off(ahead_s: float | None, passed: bool | None, found: str) -> None:
    assert judge_clock(ahead_s) == CheckOutcome(passed=passed, found=found)


def test_one_open_door_is_enough_to_fail() -> None:
    assert judge_refusal({"list a": 403, "list b": 401}) == CheckOutcome(passed=True, found="refused (401, 403)")
    assert judge_refusal({"list a": 403, "list b": 200}) == CheckOutcome(passed=False, found="list b: 200")
    assert judge_refusal({"log in": 1045}, refusals={1045}).passed


def test_an_error_is_not_a_refusal() -> None:
    assert judge_refusal({"list": 500}) == CheckOutcome(passed=False, found="list: 500")


@pytest.mark.parametrize(
    ("server", "exactly", "passed"),
    [
        ("3.17.2", True, True),
        ("3.17.3", True, False),
        ("3.17.3", False, True),
        ("3.18.0", False, None),
        ("2.17.2", False, False),
        ("3", False, None),
    ],
)
def test_a_version_is_that_of_the_client(server: str, exactly: bool, passed: bool | None) -> None:
    outcome = judge_version(server, "3.17.2", exactly=exactly)
    assert outcome.passed is passed
    assert outcome.found.startswith(server)
    assert ("the client here is 3.17.2" in outcome.found) is (server != "3.17.2")


def test_a_second_is_too_long_for_a_small_request() -> None:
    assert judge_round_trip(1000).passed
    assert judge_round_trip(1001) == CheckOutcome(passed=False, found="1001 ms")


def test_long_durations_are_shown_in_seconds() -> None:
    assert duration_in_words(9_999) == "9999 ms"
    assert duration_in_words(12_540) == "12.5 s"
