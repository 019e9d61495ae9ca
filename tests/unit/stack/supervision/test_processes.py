"""Processes of one folder, found by their mark and ended; all others are left alone."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cv_yolo_stack.supervision.processes import end, group, is_alive, mark, memory_bytes, process_of, processes_of
from tests.unit.stack.small import IGNORES_SIGTERM, WITH_WORKER


@pytest.fixture
def ours(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the folder's stack, in a group of its own, that does not listen when it is asked to end."""
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", IGNORES_SIGTERM],
        env={**os.environ, **mark(tmp_path)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_only_the_folders_own_are_found(ours: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    assert [process.pid for process in processes_of(tmp_path)] == [ours.pid]
    assert processes_of(tmp_path / "other") == []


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period(
    ours: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    (process,) = processes_of(tmp_path)
    end([process], grace_s=0.1)
    os.waitid(os.P_PID, ours.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.pid_exists(ours.pid), "a zombie, until its parent looks"
    assert not is_alive(process)
    assert processes_of(tmp_path) == []
    ours.wait()
    assert not is_alive(process)
    end([process], grace_s=0.1)


def test_a_process_is_known_by_its_number_and_its_mark(ours: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    found = process_of(tmp_path, ours.pid)
    assert found is not None
    assert found.pid == ours.pid
    assert process_of(tmp_path / "other", ours.pid) is None
    assert process_of(tmp_path, os.getpid()) is None, "the number is another's now"
    ours.kill()
    ours.wait()
    assert process_of(tmp_path, ours.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil does not add up when a process began")
def test_a_clock_change_does_not_affect_process_ownership(
    ours: "subprocess.Popen[bytes]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booted, began = psutil.boot_time(), psutil.Process(ours.pid).create_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: booted + 3600)
    assert psutil.Process(ours.pid).create_time() == began + 3600, "as psutil computes it now"
    assert process_of(tmp_path, ours.pid) is not None


def test_the_memory_of_a_group_is_that_of_all_its_members() -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", WITH_WORKER], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert leader.stdout is not None
        worker = int(leader.stdout.readline())
        assert {process.pid for process in group(leader.pid)} == {leader.pid, worker}
        assert memory_bytes(leader.pid) > psutil.Process(leader.pid).memory_info().rss > 1_000_000
    finally:
        end(group(leader.pid), grace_s=5.0)
        leader.communicate()
    assert memory_bytes(leader.pid) == 0
