"""A server that stays silent while the work waits for it is given up; one that nothing waits for is not."""

import threading

import pytest

from cv_yolo.workflows.time_limit import Watchdog, watching

PROBE_S = 10


class World:
    """A server and the work that may wait for it; a probe without an answer takes ten seconds."""

    def __init__(self):
        self.now, self.up, self.busy, self.asked = 0.0, True, False, 0

    def answers(self):
        self.asked += 1
        if not self.up:
            self.now += PROBE_S
        return self.up

    def watchdog(self):
        return Watchdog(answers=self.answers, busy=lambda: self.busy, clock=lambda: self.now)


def after_a_pause(world, watchdog, pause_s=5):
    world.now += pause_s
    return watchdog.unanswered_s()


def test_a_server_that_answers_is_responsive():
    world = World()
    watchdog = world.watchdog()
    assert [after_a_pause(world, watchdog) for _ in range(3)] == [0, 0, 0]


def test_the_time_counts_from_the_first_probe_without_an_answer():
    world = World()
    watchdog, world.up = world.watchdog(), False
    assert [after_a_pause(world, watchdog) for _ in range(3)] == [10, 25, 40]


def test_an_answer_ends_the_silence_and_the_next_one_counts_from_its_own_first_probe():
    world = World()
    watchdog, world.up = world.watchdog(), False
    after_a_pause(world, watchdog)
    world.up = True
    assert after_a_pause(world, watchdog) == 0
    world.up = False
    assert after_a_pause(world, watchdog) == PROBE_S


def test_while_a_training_is_at_work_the_server_is_not_asked_and_its_time_does_not_count():
    world = World()
    watchdog, world.up, world.busy = world.watchdog(), False, True
    assert [after_a_pause(world, watchdog, pause_s=1000) for _ in range(3)] == [0, 0, 0]
    assert world.asked == 0
    world.busy = False
    assert after_a_pause(world, watchdog) == PROBE_S


def test_a_training_that_began_during_the_probe_counts_too():
    world = World()

    def answers():
        world.busy = True
        return False

    watchdog = Watchdog(answers=answers, busy=lambda: world.busy, clock=lambda: world.now, since_s=-1000)
    assert (watchdog.unanswered_s(), watchdog.since_s) == (0, None)


def test_the_watch_gives_up_once():
    world, given_up = World(), threading.Semaphore(0)
    world.up = False
    with watching(world.watchdog(), given_up.release, after_s=25, every_s=0.001):
        assert given_up.acquire(timeout=10)
        assert world.asked == 3, "10, 20, 30 s"
        assert not given_up.acquire(timeout=0.05)


@pytest.mark.parametrize("after_s", [0, 1000])
def test_a_server_that_answers_is_never_given_up_even_without_retries(after_s):
    world, given_up = World(), threading.Event()
    with watching(world.watchdog(), given_up.set, after_s=after_s, every_s=0.001):
        assert not given_up.wait(0.05)
    assert world.asked > 1


def test_nothing_is_given_up_after_the_end_of_the_work():
    given_up, asked, end = threading.Event(), threading.Event(), threading.Event()

    def answers():
        asked.set()
        end.wait()
        return False

    watchdog = Watchdog(answers=answers, busy=lambda: False, since_s=-1000.0)
    with watching(watchdog, given_up.set, after_s=1, every_s=0.001):
        assert asked.wait(10)
    end.set()
    assert not given_up.wait(0.05)


def test_what_fails_in_the_block_is_raised():
    with pytest.raises(ValueError, match="wrong"), watching(World().watchdog(), pytest.fail, after_s=1):
        raise ValueError("wrong")
