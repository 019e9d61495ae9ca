"""The runs are compared as they were tracked, and the best is promoted: in both registries or in neither."""

from pathlib import Path

import pytest

from cv_yolo.domain.promotion import Verdict
from cv_yolo.domain.runs import RunStatus
from cv_yolo.domain.versions import Alias
from cv_yolo.errors import CvYoloError, NotFoundError, ServiceUnavailableError
from cv_yolo.ports import NewRun
from cv_yolo.workflows.decide import Registries, carry_out, compare, holder, make_decision, promote
from tests.builders import NOON, a_decision, a_failed_row, a_policy, a_row
from tests.fakes import FakeExperimentTracker, FakeModelRegistry

WEIGHTS = Path("best.pt")


def tracked(tracker, *, map_50, epochs=3, status=RunStatus.FINISHED, reason=None, revision="r1"):
    """A run in the tracker, ended; returns its id."""
    params = {"epochs": str(epochs), "image_size_px": "320"}
    run_id = tracker.start(NewRun(name=f"e{epochs}_s320", params=params, tags={"dataset_revision": revision}))
    tracker.log_metrics(run_id, {"final/map_50": map_50, "duration_s": 9.0})
    tracker.finish(run_id, status, reason)
    return run_id


@pytest.fixture
def tracker():
    return FakeExperimentTracker()


@pytest.fixture
def registries():
    return Registries(tracking=FakeModelRegistry(), pipeline=FakeModelRegistry())


def holders(registries, alias=Alias.STAGING):
    """The runs whose versions hold the alias in the two registries."""
    held = [holder(alias, registry) for registry in (registries.tracking, registries.pipeline)]
    return tuple(None if version is None else version.run_id for version in held)


def a_verdict(run_id, *, verdict=Verdict.PROMOTE, **changes):
    row = a_row(run_id=run_id, map_50=0.6 if verdict is Verdict.PROMOTE else 0.4)
    decision = a_decision(rows=(row,), **changes)
    assert decision.verdict is verdict
    return decision


def test_the_table_is_made_from_the_tracked_runs_in_the_order_asked(tracker):
    first, second = tracked(tracker, map_50=0.5), tracked(tracker, map_50=0.6, epochs=5)
    rows = compare([second, first], tracker)
    assert [(row.run_id, row.epochs, row.scores) for row in rows] == [
        (second, 5, {"map_50": 0.6}),
        (first, 3, {"map_50": 0.5}),
    ]
    assert {row.duration_s for row in rows} == {9.0}


def test_a_failed_run_is_in_the_table_with_its_reason_and_without_scores(tracker):
    run_id = tracked(tracker, map_50=0.9, status=RunStatus.FAILED, reason="RuntimeError: out of memory")
    (row,) = compare([run_id], tracker)
    assert (row.status, row.reason, row.scores) == (RunStatus.FAILED, "RuntimeError: out of memory", {})


def test_a_run_that_nobody_tracked_cannot_be_compared(tracker):
    with pytest.raises(NotFoundError):
        compare(["nowhere"], tracker)


def decided(rows, registries, tracker, **policy):
    return make_decision(
        rows, policy=a_policy(**policy), registry=registries.tracking, tracker=tracker, id="d", now=NOON
    )


def test_the_first_decision_has_no_champion(tracker, registries):
    rows = compare([tracked(tracker, map_50=0.7)], tracker)
    decision = decided(rows, registries, tracker)
    assert (decision.champion, decision.verdict, decision.made_at, decision.id) == (None, Verdict.PROMOTE, NOON, "d")


def test_the_champion_is_the_holder_of_the_policys_alias_as_tracked(tracker, registries):
    old, other, new = (tracked(tracker, map_50=score) for score in (0.8, 0.1, 0.7))
    version = registries.tracking.register(run_id=old, weights=WEIGHTS, weights_sha256="a")
    elsewhere = registries.tracking.register(run_id=other, weights=WEIGHTS, weights_sha256="b")
    registries.tracking.set_alias(Alias.STAGING, version.version)
    registries.tracking.set_alias(Alias.PRODUCTION, elsewhere.version)
    rows = compare([new], tracker)
    decision = decided(rows, registries, tracker)
    assert (decision.champion.version, decision.champion.row) == (version.version, compare([old], tracker)[0])
    assert decision.verdict is Verdict.REJECT
    assert decided(rows, registries, tracker, alias=Alias.PRODUCTION).verdict is Verdict.PROMOTE


def test_a_promoted_run_is_one_version_with_the_alias_in_both_registries(registries):
    version = carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    assert holders(registries) == ("run-1", "run-1")
    assert (version.version, version.run_id, version.weights_sha256) == ("1", "run-1", "a" * 64)
    assert [each.version for each in registries.pipeline.versions()] == ["v1"]


def test_the_alias_goes_from_the_former_holder_to_the_new_one(registries):
    carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    carry_out(a_verdict("run-2"), WEIGHTS, "b" * 64, registries)
    assert holders(registries) == ("run-2", "run-2")
    for registry in (registries.tracking, registries.pipeline):
        assert [version.aliases for version in registry.versions()] == [(), (Alias.STAGING,)]


def test_the_alias_of_the_policy_is_given_and_no_other(registries):
    carry_out(a_verdict("run-1", policy=a_policy(alias=Alias.PRODUCTION)), WEIGHTS, "a" * 64, registries)
    assert holders(registries, Alias.PRODUCTION) == ("run-1", "run-1")
    assert holders(registries, Alias.STAGING) == (None, None)


def test_a_rejected_run_becomes_a_version_but_is_not_promoted(registries):
    carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    version = carry_out(a_verdict("run-2", verdict=Verdict.REJECT), WEIGHTS, "b" * 64, registries)
    assert version.run_id == "run-2"
    assert len(registries.pipeline.versions()) == 2
    assert holders(registries) == ("run-1", "run-1")


def test_where_nothing_was_chosen_nothing_is_registered(registries):
    decision = a_decision(rows=(a_failed_row(),))
    assert carry_out(decision, WEIGHTS, "a" * 64, registries) is None
    assert (registries.tracking.versions(), registries.pipeline.versions()) == ((), ())


def test_the_same_decision_carried_out_twice_makes_one_version(registries):
    decision = a_verdict("run-1")
    first, again = (carry_out(decision, WEIGHTS, "a" * 64, registries) for _ in range(2))
    assert first.version == again.version
    assert len(registries.tracking.versions()) == len(registries.pipeline.versions()) == 1
    assert holders(registries) == ("run-1", "run-1")


def test_where_the_second_registry_refuses_the_first_goes_back_to_the_former_holder(registries):
    carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    registries.pipeline.refuses = ServiceUnavailableError("ZenML does not answer")
    with pytest.raises(CvYoloError, match=r"version 2 was not promoted: ServiceUnavailableError: ZenML does not") as e:
        carry_out(a_verdict("run-2"), WEIGHTS, "b" * 64, registries)
    assert "both registries are as before" in e.value.hint
    assert e.value.__cause__ is registries.pipeline.refuses
    assert holders(registries) == ("run-1", "run-1")


def test_where_the_second_registry_refuses_a_first_promotion_nobody_holds_the_alias(registries):
    registries.pipeline.refuses = RuntimeError("no stage")
    with pytest.raises(CvYoloError, match="RuntimeError: no stage"):
        carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    assert holders(registries) == (None, None)


def test_a_refused_promotion_can_be_repeated_once_the_cause_is_mended(registries):
    registries.pipeline.refuses = ServiceUnavailableError("down")
    with pytest.raises(CvYoloError):
        carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    registries.pipeline.refuses = None
    carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    assert holders(registries) == ("run-1", "run-1")
    assert len(registries.tracking.versions()) == 1


def test_where_the_first_registry_refuses_the_second_is_not_asked(registries):
    registries.tracking.refuses = ServiceUnavailableError("MLflow does not answer")
    with pytest.raises(ServiceUnavailableError):
        carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    assert holders(registries) == (None, None)


def test_a_version_that_the_second_registry_does_not_know_is_not_promoted_in_the_first(registries):
    version = registries.tracking.register(run_id="run-1", weights=WEIGHTS, weights_sha256="a" * 64)
    with pytest.raises(
        CvYoloError, match="version 1 was not promoted: NotFoundError: the second registry has no version"
    ):
        promote(version, Alias.STAGING, registries)
    assert holders(registries) == (None, None)


def test_ctrl_c_between_the_registries_puts_the_first_back_and_goes_on_its_way(registries):
    carry_out(a_verdict("run-1"), WEIGHTS, "a" * 64, registries)
    registries.pipeline.refuses = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        carry_out(a_verdict("run-2"), WEIGHTS, "b" * 64, registries)
    assert holders(registries) == ("run-1", "run-1")
