"""What happens during a grid, as events."""

from cv_yolo.domain.training.progress import Event, EventKind


def test_an_event_of_the_grid_itself_names_no_run_and_no_epoch():
    event = Event(kind=EventKind.NOTE, text="two runs at a time")
    assert (event.run, event.epoch, event.epochs) == ("", 0, 0)


def test_the_kinds_are_written_as_they_always_were():
    """The journal keeps these words: files of former versions must stay readable."""
    assert [kind.value for kind in EventKind] == [
        "note",
        "planned",
        "training",
        "epoch",
        "evaluating",
        "finished",
        "failed",
    ]
