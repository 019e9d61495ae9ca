"""What a push or a pull shows: lines with the remaining time, bars in a terminal, and the result."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.cli.output import transfer
from cv_yolo.cli.output.transfer import _TransferLines, print_pull, print_push, pull_json, push_json, transferring
from cv_yolo.ports.datasets import PulledDataset, PushedDataset, TransferProgress

FOLDER = Path("data/mine")
PUSHED = PushedDataset(
    record="data/mine.dvc",
    recorded=True,
    dvc_hash="0123.dir",
    files=3,
    bytes=2_500_000,
    uploaded_objects=2,
    uploaded_bytes=1_500_000,
    remote="minio",
)
PULLED = PulledDataset(
    folder=FOLDER,
    dvc_hash="0123.dir",
    files=3,
    bytes=2_500_000,
    downloaded_objects=0,
    downloaded_bytes=0,
    remote="minio",
)


def half_of(megabytes: int) -> TransferProgress:
    size = megabytes * 1_000_000
    return TransferProgress(stage="Uploading", done=50, files=100, done_bytes=size // 2, total_bytes=size)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_is_written_only_where_a_stage_takes_long_and_says_how_long_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0, 5.0, 30.0, 31.0])
    lines = _TransferLines(now_s=lambda: next(times))
    lines.show(replace(half_of(8), done=0, done_bytes=0))
    lines.show(half_of(8))
    assert capsys.readouterr().err == ""
    lines.show(half_of(8))
    lines.show(half_of(8))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("uploading: 50 of 100 files, 4.0 MB of 8.0 MB (about 30 s left)")


def test_without_known_bytes_files_are_counted_and_without_a_total_no_time_is_guessed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0, 20.0, 40.0])
    lines = _TransferLines(now_s=lambda: next(times))
    lines.show(TransferProgress(stage="Hashing", done=0, files=10))
    lines.show(TransferProgress(stage="Hashing", done=4, files=10))
    lines.show(TransferProgress(stage="Hashing", done=7, files=0))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("hashing: 4 of 10 files (about 30 s left)")
    assert second.endswith("hashing: 7 files")


def test_a_terminal_has_a_bar_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    with transferring(quiet=False) as on_progress:
        on_progress(TransferProgress(stage="Hashing", done=10, files=10))
        on_progress(half_of(8))
    shown = sys.stderr.getvalue()
    assert "Hashing" in shown
    assert "50 of 100 files, 4.0 MB of 8.0 MB" in shown


def test_programs_get_no_progress(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "QUIET_S", 0.0)
    with transferring(quiet=True) as on_progress:
        on_progress(half_of(8))
    assert capsys.readouterr().err == ""


def test_a_push_says_what_it_recorded_and_uploaded(capsys: pytest.CaptureFixture[str]) -> None:
    print_push(FOLDER, replace(PUSHED, shards=2, why="30000 files", repacked=1))
    assert capsys.readouterr().out.splitlines() == [
        "data/mine: recorded data/mine.dvc (3 files, 2.5 MB); commit it with git",
        "  as 2 shards: 30000 files",
        "  1 shard packed again, since much of it was out of date",
        "  uploaded 2 objects, 1.5 MB to the remote minio",
    ]


@pytest.mark.parametrize(
    ("recorded", "said"),
    [
        (True, "nothing to upload: the remote minio has all of it"),
        (False, "nothing to do: this content is recorded, and on the remote minio"),
    ],
)
def test_a_push_of_what_is_there_says_so(recorded: bool, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_push(FOLDER, replace(PUSHED, recorded=recorded, uploaded_objects=0, uploaded_bytes=0))
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("objects", "said"), [(0, "nothing to download"), (2, "downloaded 2 objects, 1.5 MB from the remote minio")]
)
def test_a_pull_says_what_it_downloaded(objects: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_pull(FOLDER, replace(PULLED, downloaded_objects=objects, downloaded_bytes=1_500_000))
    out = capsys.readouterr().out
    assert "data/mine: the recorded revision is here (3 files, 2.5 MB)." in out
    assert said in out


def test_both_are_json_for_programs() -> None:
    assert json.loads(json.dumps(push_json(PUSHED)))["uploaded_bytes"] == 1_500_000
    assert json.loads(json.dumps(pull_json(PULLED)))["folder"] == "data/mine"
