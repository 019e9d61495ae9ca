"""The driver of open runs is seen, again and again, until its work is done."""

import threading

import pytest

from cv_yolo.workflows.run_lease import beating


def test_it_beats_until_the_block_ends():
    beats = threading.Semaphore(0)
    with beating(beats.release, every_s=0.01):
        for _ in range(3):
            assert beats.acquire(timeout=10)
    (thread,) = [each for each in threading.enumerate() if each.name == "heartbeat"] or [None]
    if thread is not None:
        thread.join(10)
    while beats.acquire(blocking=False):
        continue
    assert not beats.acquire(timeout=0.1)


def test_a_heartbeat_that_hangs_blocks_nothing():
    hung, entered = threading.Event(), threading.Event()

    def beat():
        entered.set()
        hung.wait()

    with beating(beat, every_s=0.01):
        assert entered.wait(10)
    hung.set()


def test_what_fails_in_the_block_is_raised():
    with pytest.raises(ValueError, match="wrong"), beating(lambda: None):
        raise ValueError("wrong")
