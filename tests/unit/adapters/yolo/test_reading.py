"""Files are read by several threads, ahead of what is done with them, and come in the order that was asked for."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain

import pytest

from cv_yolo.adapters.yolo import reading
from cv_yolo.adapters.yolo.reading import read_ahead


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 4)


def read_each(count: int, read: Callable[[int], int]) -> Iterator[int]:
    batches = read_ahead(range(count), lambda pool, batch: pool.map(read, batch))
    return chain.from_iterable(results for _, results in batches)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 17])
def test_results_come_in_order_whichever_is_read_first(count: int) -> None:
    def read(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * 10

    assert list(read_each(count, read)) == [number * 10 for number in range(count)]


def test_only_the_next_batch_is_read_ahead() -> None:
    seen: set[int] = set()

    def read(number: int) -> int:
        seen.add(number)
        return number

    assert next(read_each(40, read)) == 0
    time.sleep(0.05)
    assert seen <= set(range(8))


def test_another_thread_than_the_callers_reads() -> None:
    assert threading.get_ident() not in set(read_each(8, lambda _: threading.get_ident()))
