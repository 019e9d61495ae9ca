"""A call that may never return is waited for as long as allowed, and hardly any longer once the person stopped."""

import threading
import time

import pytest

from cv_yolo.errors import ServiceUnavailableError, WeightsError
from cv_yolo.workflows import time_limit
from cv_yolo.workflows.time_limit import CLOSING_S, StopSignal, TimeLimit, within


@pytest.fixture
def never():
    """What a hung server waits for; set at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


def a_limit(seconds, stop=None):
    return TimeLimit(stop=stop or StopSignal(), limit_s=lambda: seconds)


def test_an_answer_comes_back():
    assert a_limit(5).run(lambda: "here", name="MLflow") == "here"


def test_what_is_raised_is_raised():
    def question():
        raise WeightsError("no weights")

    with pytest.raises(WeightsError, match="no weights"):
        a_limit(5).run(question, name="MLflow")


def test_a_call_that_does_not_return_is_given_up_with_the_name_of_who_was_asked(never):
    began = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match=r"MLflow at x does not answer \(waited 0.3 s\)") as raised:
        a_limit(0.3).run(never.wait, name="MLflow at x")
    assert time.monotonic() - began < 5
    assert raised.value.exit_code == 3
    assert "cv-yolo status" in str(raised.value.hint)


def test_a_call_that_moves_files_goes_on_as_long_as_the_servers_answer(never):
    asked = []

    def alive():
        asked.append(1)
        return len(asked) < 3

    with pytest.raises(ServiceUnavailableError):
        a_limit(0.1).run(never.wait, name="the store", alive=alive)
    assert len(asked) == 3


def test_one_that_ends_meanwhile_is_fine(never):
    def alive():
        never.set()
        return True

    assert a_limit(0.1).run(never.wait, name="the store", alive=alive) is True


def test_after_a_stop_the_closing_time_is_all_there_is_for_all_calls_together(never, monkeypatch):
    monkeypatch.setattr(time_limit, "CLOSING_S", 0.4)
    stop, began = StopSignal(), time.monotonic()
    threading.Timer(0.1, stop.set).start()
    for _ in range(3):
        with pytest.raises(ServiceUnavailableError, match="the work was stopped"):
            a_limit(600, stop).run(never.wait, name="MLflow")
    assert time.monotonic() - began < 5
    assert a_limit(600, stop).run(lambda: "a server that answers", name="ZenML") == "a server that answers"


def test_who_is_asked_whether_it_lives_is_not_waited_for_after_a_stop(never):
    stop = StopSignal()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(ServiceUnavailableError):
        a_limit(0.05, stop).run(never.wait, name="the store", alive=never.wait)


def test_the_first_stop_counts():
    now = [10.0]
    stop = StopSignal(clock=lambda: now[0])
    assert stop.closing_until_s is None
    stop.set()
    now[0] = 20.0
    stop.set()
    assert stop.closing_until_s == 10.0 + CLOSING_S


class Server:
    def __init__(self):
        self.asked = []

    def get(self, key, *, default=None):
        self.asked.append(key)
        return default

    def hang(self, event):
        event.wait()


def test_every_call_of_a_target_has_the_limit_and_what_it_needs_is_loaded_once_before(never):
    reported, target = [], Server()
    limited = within(
        target,
        a_limit(0.2),
        name="MLflow",
        load=lambda: reported.append("loaded"),
        answered=lambda: reported.append("back"),
    )
    assert limited.get("a", default=1) == 1
    assert limited.get("b") is None
    assert (target.asked, reported) == (["a", "b"], ["loaded", "back", "back"])
    with pytest.raises(ServiceUnavailableError, match="MLflow does not answer"):
        limited.hang(never)
    assert reported == ["loaded", "back", "back"]


def test_calls_that_take_long_name_who_shows_that_the_servers_live(never):
    asked = []

    def alive(method, arguments):
        return (lambda: bool(asked.append(arguments))) if method == "hang" else None

    limited = within(Server(), a_limit(0.1), name="MLflow", alive=alive)
    assert limited.get("a") is None
    with pytest.raises(ServiceUnavailableError):
        limited.hang(never)
    assert asked == [(never,)]
