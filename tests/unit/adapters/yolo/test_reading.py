"""Files are read by several threads, ahead of what is done with them, and come in the order that was asked for."""

import threading
import time

import pytest

from cv_yolo.adapters.yolo import reading
from cv_yolo.adapters.yolo.reading import read_ahead


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BATCH", 4)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 17])
def test_results_come_in_order_whichever_is_read_first(count: int) -> None:
    def read(number: int) -> int:
        time.sleep(0.002 * (number % 3))
        return number * 10

    assert list(read_ahead(range(count), read)) == [number * 10 for number in range(count)]


def test_only_the_next_batch_is_read_ahead() -> None:
    seen: set[int] = set()
    results = read_ahead(range(40), lambda number: seen.add(number) or number)  # type: ignore[func-returns-value]
    assert next(results) == 0
    time.sleep(0.05)
    assert seen <= set(range(8))


def test_another_thread_than_the_callers_reads() -> None:
    assert threading.get_ident() not in set(read_ahead(range(8), lambda _: threading.get_ident()))
