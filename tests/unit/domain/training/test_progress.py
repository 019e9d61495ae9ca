"""What happens during a grid, as events, and how long it will still take."""

from cv_yolo.domain.training.progress import Event, EventKind, RemainingTime


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


def planned(run, cost=1):
    return Event(kind=EventKind.PLANNED, run=run, epochs=4, cost=cost)


def of(kind, run, epoch=0):
    return Event(kind=kind, run=run, epoch=epoch, epochs=4)


def remaining(*events):
    """An estimate after events, each with its time."""
    estimate = RemainingTime()
    for event, at_s in events:
        estimate.note(event, at_s)
    return estimate


BEGUN = (planned("a", 2), 0), (planned("b", 1), 0), (of(EventKind.NOTE, ""), 5), (of(EventKind.TRAINING, "a"), 10)


def test_before_an_epoch_is_done_nothing_is_known_of_the_remaining_time():
    assert remaining().seconds(0) is None
    assert remaining(*BEGUN).seconds(60) is None


def test_the_remaining_time_follows_what_the_trainings_cost_and_took_so_far():
    """Half of a run of cost 2 took 20 s, so the other half takes 20 s and a run of cost 1 takes 20 s."""
    estimate = remaining(*BEGUN, (of(EventKind.EPOCH, "a", 2), 30))
    assert estimate.seconds(30) == 40
    assert estimate.seconds(36) == 34, "it counts down between two epochs"
    assert estimate.seconds(100) == 0, "and is never negative"


def test_once_all_trainings_are_done_there_is_nothing_to_estimate():
    done = [
        (of(EventKind.EVALUATING, "a", 4), 50),
        (of(EventKind.TRAINING, "b"), 50),
        (of(EventKind.FAILED, "b", 1), 60),
    ]
    assert remaining(*BEGUN, *done[:2]).seconds(50) == 20
    assert remaining(*BEGUN, *done).seconds(60) is None


def test_a_run_that_is_reused_costs_nothing():
    reused = (of(EventKind.FINISHED, "b", 4), 12)
    assert remaining(*BEGUN, reused, (of(EventKind.EPOCH, "a", 2), 30)).seconds(30) == 20
