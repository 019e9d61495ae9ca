"""A service that does not answer is waited for, for a while."""

import pytest

from cv_yolo.errors import AccessRefusedError, DiskFullError, ServiceUnavailableError, StoppedError, WeightsError
from cv_yolo.workflows.retry import GOES_ON, LONGEST_PAUSE_S, CircuitBreaker, Outage, RetryPolicy, resumable


class Clock:
    """Time that passes by waiting only; the person stops the work at `stops_at`."""

    def __init__(self, stops_at=None):
        self.now, self.pauses, self._stops_at = 0.0, [], stops_at

    def wait(self, seconds):
        self.now += seconds
        self.pauses.append(seconds)
        return self._stops_at is not None and self.now >= self._stops_at

    def retry(self, total_s):
        return RetryPolicy(total_s=total_s, wait=self.wait, clock=lambda: self.now)


def silent_until(clock, back_at):
    def question():
        if clock.now < back_at:
            raise ServiceUnavailableError("MLflow at http://x does not answer", hint="is it up?")
        return "here"

    return question


def test_a_service_that_answers_is_not_waited_for():
    clock, reported = Clock(), []
    assert clock.retry(60).ask(silent_until(clock, 0), report=reported.append) == "here"
    assert (clock.pauses, reported) == ([], [])


def test_one_that_comes_back_in_time_is_asked_again_with_growing_pauses_and_the_waiting_is_reported_once():
    clock, reported = Clock(), []
    assert clock.retry(60).ask(silent_until(clock, 20), report=reported.append) == "here"
    assert clock.pauses == [0.5, 1, 2, 4, 8, 8]
    assert max(clock.pauses) == LONGEST_PAUSE_S
    assert reported == ["MLflow at http://x does not answer; waiting up to 60 s"]


def test_when_the_time_is_over_the_error_says_how_to_go_on():
    clock = Clock()
    with pytest.raises(ServiceUnavailableError, match=r"does not answer \(waited 10 s\)") as raised:
        clock.retry(10).ask(silent_until(clock, 1000))
    assert raised.value.hint == f"is it up?; {GOES_ON}"
    assert clock.now <= 10


def test_an_error_without_a_hint_gets_one():
    def question():
        raise ServiceUnavailableError("gone")

    with pytest.raises(ServiceUnavailableError) as raised:
        Clock().retry(1).ask(question)
    assert raised.value.hint == GOES_ON


def test_without_retries_the_error_is_raised_at_once_and_unchanged():
    clock = Clock()
    with pytest.raises(ServiceUnavailableError, match=r"does not answer$") as raised:
        clock.retry(0).ask(silent_until(clock, 1000))
    assert (raised.value.hint, clock.pauses) == ("is it up?", [])


def test_waiting_ends_when_the_person_stops_the_work():
    clock = Clock(stops_at=1)
    with pytest.raises(StoppedError, match="stopped while waiting: MLflow"):
        clock.retry(60).ask(silent_until(clock, 1000))


def test_what_waiting_cannot_mend_is_raised_at_once():
    clock = Clock()

    def question():
        raise WeightsError("no weights")

    with pytest.raises(WeightsError):
        clock.retry(60).ask(question)
    assert clock.pauses == []


def test_a_service_that_refuses_our_key_is_not_waited_for():
    clock = Clock()

    def question():
        raise AccessRefusedError("MLflow at http://x: user or password is wrong")

    with pytest.raises(AccessRefusedError):
        clock.retry(60).ask(question)
    assert clock.pauses == []


def test_all_who_wait_share_the_time_from_the_first_request_that_was_not_answered():
    clock, outage = Clock(), Outage()
    shared = RetryPolicy(total_s=20, wait=clock.wait, clock=lambda: clock.now, outage=outage)
    assert shared.remaining_s == 20
    with pytest.raises(ServiceUnavailableError):
        shared.ask(silent_until(clock, 1000), service="MLflow")
    given_up_at = clock.now
    assert 10 < given_up_at <= 20
    assert shared.remaining_s == 20 - given_up_at
    clock.now = 25
    with pytest.raises(ServiceUnavailableError, match="waited 20 s"):
        shared.ask(silent_until(clock, 1000), service="ZenML")
    assert clock.now == 25, "no service has time left"
    assert shared.remaining_s == 0


def test_an_answer_gives_the_service_its_time_back_and_the_others_none():
    clock, outage = Clock(), Outage()
    shared = RetryPolicy(total_s=20, wait=clock.wait, clock=lambda: clock.now, outage=outage)
    outage.unanswered("ZenML", asked_at_s=0)
    assert shared.ask(silent_until(clock, 5), service="MLflow") == "here"
    assert outage.began_s == 0, "ZenML is still away"
    outage.answered("ZenML")
    assert (outage.began_s, shared.remaining_s) == (None, 20)


def test_the_time_that_a_request_without_an_answer_took_counts():
    clock = Clock()

    def hung():
        clock.now += 30
        raise ServiceUnavailableError("MLflow does not answer")

    with pytest.raises(ServiceUnavailableError):
        clock.retry(60).ask(hung)
    assert clock.now <= 90


def test_when_the_time_is_over_nothing_more_is_begun_and_what_did_not_answer_is_named():
    clock, outage = Clock(), Outage()
    shared = RetryPolicy(total_s=20, wait=clock.wait, clock=lambda: clock.now, outage=outage)
    shared.require_time()
    outage.unanswered("object store", asked_at_s=0)
    outage.unanswered("MLflow", asked_at_s=5)
    clock.now = 19
    shared.require_time()
    clock.now = 20
    with pytest.raises(ServiceUnavailableError, match="MLflow and object store did not answer for 20 s") as raised:
        shared.require_time()
    assert raised.value.hint == GOES_ON


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (ServiceUnavailableError("gone", hint="is it up?"), f"is it up?; {GOES_ON}"),
        (ServiceUnavailableError("gone", hint=f"is it up?; {GOES_ON}"), f"is it up?; {GOES_ON}"),
        (ServiceUnavailableError("gone"), GOES_ON),
        (AccessRefusedError("refused", hint="renew the key"), "renew the key"),
        (DiskFullError("full", hint="make room"), "make room"),
        (WeightsError("no weights", hint="train some"), "train some"),
    ],
)
def test_work_that_an_unresponsive_service_ended_says_that_it_can_be_resumed(error, hint):
    with pytest.raises(type(error)) as raised, resumable():
        raise error
    assert raised.value.hint == hint


def test_a_circuit_breaker_fails_at_once_until_a_growing_pause_is_over():
    now = [0.0]
    breaker = CircuitBreaker(first_s=2, longest_s=5, clock=lambda: now[0])
    breaker.require_closed()
    for pause_s in (2, 4, 5, 5):
        assert breaker.failed(ServiceUnavailableError("MLflow does not answer", hint="is it up?")) is (pause_s == 2)
        now[0] += pause_s - 0.1
        with pytest.raises(ServiceUnavailableError, match="MLflow does not answer") as raised:
            breaker.require_closed()
        assert raised.value.hint == "is it up?"
        now[0] += 0.1
        breaker.require_closed()
    breaker.answered()
    assert breaker.failed(ServiceUnavailableError("again")), "after an answer, the pauses start again"
    now[0] += 2
    breaker.require_closed()
