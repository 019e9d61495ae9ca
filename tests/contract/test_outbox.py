"""`Outbox`: undelivered events, run by run and in order; in memory, and in a folder."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.adapters.files.outbox import FolderOutbox
from cv_yolo.domain.training.runs import DatasetInput, RunStatus
from cv_yolo.domain.training.tracking_events import (
    LoggedModel,
    RunDetails,
    RunEnding,
    RunFiles,
    StepMetrics,
    TrackingEvent,
)
from cv_yolo.ports.records import Outbox
from tests.fakes import FakeOutbox

NOON = datetime(2025, 3, 4, 12, 30, 15, 123456, tzinfo=UTC)
RUN, OTHER = "0" * 31 + "1", "0" * 31 + "2"


@pytest.fixture(params=["fake", "folder"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Outbox:
    return FakeOutbox() if request.param == "fake" else FolderOutbox(tmp_path / "outbox")


def a_fact(note: str, run_id: str = RUN) -> TrackingEvent:
    return RunDetails(run_id=run_id, at=NOON, tags={"note": note})


def waiting(outbox: Outbox, run_id: str = RUN) -> tuple[TrackingEvent, ...]:
    with outbox.opened(run_id) as events:
        return events.waiting()


def test_an_outbox_is_empty_at_first(outbox: Outbox) -> None:
    assert outbox.runs() == ()
    assert waiting(outbox) == ()
    assert outbox.runs() == ()


def test_events_are_kept_in_order_and_read_back_unchanged(outbox: Outbox) -> None:
    events = (
        StepMetrics(run_id=RUN, at=NOON, step=3, values={"val/map_50": 0.1 + 0.2, "loss": float("inf")}),
        a_fact("straße\n☃"),
        LoggedModel(
            run_id=RUN,
            at=NOON,
            model_name="e3_s320",
            model_type="object detector",
            model_params={"epochs": "3"},
            model_tags={"weights_sha256": "a"},
        ),
        StepMetrics(
            run_id=RUN,
            at=NOON,
            step=0,
            values={"final/map_50": 0.5},
            data=DatasetInput(name="demo/val", digest="r" * 64, context="validation", profile={"images": 8}),
        ),
        RunEnding(run_id=RUN, at=NOON, status=RunStatus.FAILED, reason="TrainingFailedError: out of memory"),
        RunEnding(run_id=RUN, at=NOON, status=RunStatus.FINISHED, reason=None),
    )
    with outbox.opened(RUN) as kept:
        for event in events:
            kept.add(event)
    assert waiting(outbox) == events


def test_each_run_has_its_own_events(outbox: Outbox) -> None:
    for run_id in (OTHER, RUN):
        with outbox.opened(run_id) as events:
            events.add(a_fact(run_id, run_id))
    assert outbox.runs() == (RUN, OTHER)
    assert waiting(outbox, OTHER) == (a_fact(OTHER, OTHER),)


def test_the_first_is_delivered_first_and_after_the_last_nothing_is_left(outbox: Outbox) -> None:
    with outbox.opened(RUN) as events:
        for note in ("a", "b"):
            events.add(a_fact(note))
        events.delivered()
        assert events.waiting() == (a_fact("b"),)
        events.add(a_fact("c"))
        events.delivered()
        assert events.waiting() == (a_fact("c"),)
        events.delivered()
        assert events.waiting() == ()
    assert outbox.runs() == ()


def test_files_are_kept_as_they_were_and_until_they_are_delivered(outbox: Outbox, tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "best.pt", tmp_path / "two" / "best.pt"
    for path, content in ((one, b"\x00first"), (two, b"")):
        path.parent.mkdir()
        path.write_bytes(content)
    with outbox.opened(RUN) as events:
        events.add(a_fact("before"))
        events.add(RunFiles(run_id=RUN, at=NOON, paths=(one, two), folder="weights"))
    one.write_bytes(b"changed")
    two.unlink()
    with outbox.opened(RUN) as events:
        events.delivered()
        (kept,) = events.waiting()
        assert isinstance(kept, RunFiles)
        assert kept.folder == "weights"
        assert [(path.name, path.read_bytes()) for path in kept.paths] == [("best.pt", b"\x00first"), ("best.pt", b"")]


def test_an_undeliverable_event_is_set_aside_and_the_next_becomes_the_first(outbox: Outbox) -> None:
    with outbox.opened(RUN) as events:
        for note in ("a", "b"):
            events.add(a_fact(note))
        events.set_aside("RunFailedError: refused")
        assert events.waiting() == (a_fact("b"),)
        events.set_aside("RunFailedError: refused")
    assert (waiting(outbox), outbox.runs()) == ((), ())
