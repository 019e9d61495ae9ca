"""Both registries say what the log says, from whatever state they are in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.promotion.audit import Action, holders, stages
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage
from cv_yolo.errors import AuditLogError
from cv_yolo.workflows.follow_log import Side, repairs
from tests.builders import a_log, a_new_version
from tests.fakes import FakeModelRegistry

LAWS = settings(deadline=None, database=None)
STAGING, PRODUCTION, ARCHIVED = Stage
PROMOTED = Action.PROMOTED
STATES = st.lists(st.tuples(st.sampled_from("1234"), st.none() | st.sampled_from(Stage)), max_size=6)


def two_registries(*numbers, twins=None):
    """The versions of these numbers in both registries, or, in the second, of `twins`."""
    tracking, pipeline = FakeModelRegistry(), FakeModelRegistry()
    for number in numbers:
        tracking.register(a_new_version(run_id=f"run-{number}", confidence_threshold=0.2))
    for number in numbers if twins is None else twins:
        pipeline.register(a_new_version(run_id=f"run-{number}"), version=number)
    return tracking, pipeline


def follow(entries, tracking, pipeline):
    done = repairs(entries, tracking=tracking, pipeline=pipeline)
    for each in done:
        each.act()
    return [(each.difference.registry, each.difference.subject, each.difference.wanted) for each in done]


@LAWS
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(Action), st.sampled_from(HELD_BY_ONE), st.sampled_from("1234")),
        min_size=1,
        max_size=6,
    ),
    first=STATES,
    second=STATES,
)
def test_from_any_state_both_registries_end_where_the_log_says(moves, first, second):
    entries = a_log(*moves)
    tracking, pipeline = two_registries("1", "2", "3", "4")
    for registry, state, prefix in ((tracking, first, ""), (pipeline, second, "v")):
        for version, stage in state:
            registry.set_stage(f"{prefix}{version}", stage)
    kept = {} if any(entry.action is not Action.ADOPTED for entry in entries) else tracking.versions()
    named = {entry.version for entry in entries}
    held = {each.stage: each.version for each in kept if each.stage in HELD_BY_ONE and each.version not in named}
    follow(entries, tracking, pipeline)
    for registry in (tracking, pipeline):
        found = {each.run_id[-1]: each.stage for each in registry.versions()}
        assert {stage: version for version, stage in found.items() if stage in HELD_BY_ONE} == held | holders(entries)
        placed = {version: stage for version, stage in stages(entries).items() if stage is not None}
        assert {version: found[version] for version in placed} == placed
    assert follow(entries, tracking, pipeline) == []


def test_a_version_that_the_second_registry_lacks_is_registered_there_as_in_the_first():
    tracking, pipeline = two_registries("1", "2", twins=())
    entries = a_log((PROMOTED, STAGING, "1"))
    assert follow(entries, tracking, pipeline) == [
        (Side.TRACKING, "version 1", "staging"),
        (Side.PIPELINE, "version 1", "staging"),
        (Side.PIPELINE, "version 2", "registered"),
    ]
    made = pipeline.versions()
    assert [(each.version, each.run_id, each.stage, each.confidence_threshold) for each in made] == [
        ("v1", "run-1", STAGING, 0.2),
        ("v2", "run-2", None, 0.2),
    ]
    assert made[0].weights_sha256 == tracking.versions()[0].weights_sha256


def test_who_is_to_hold_a_stage_is_put_there_first_so_that_it_is_never_empty():
    tracking, pipeline = two_registries("1", "2")
    tracking.set_stage("1", STAGING)
    wanted = follow(a_log((PROMOTED, STAGING, "1"), (PROMOTED, STAGING, "2")), tracking, pipeline)
    assert [subject for side, subject, _ in wanted if side is Side.TRACKING] == ["version 2", "version 1"]


def test_what_others_archived_by_hand_may_stay_archived():
    tracking, pipeline = two_registries("1", "2")
    tracking.set_stage("2", ARCHIVED)
    entries = a_log((PROMOTED, STAGING, "1"), (Action.JUDGED, STAGING, "2"))
    follow(entries, tracking, pipeline)
    assert [each.stage for each in tracking.versions()] == [STAGING, ARCHIVED]


def test_a_version_of_the_second_registry_that_is_unknown_leaves_its_stage():
    tracking, pipeline = two_registries("1", twins="19")
    pipeline.set_stage("v9", PRODUCTION)
    assert (Side.PIPELINE, "version v9", "archived") in follow(a_log((PROMOTED, STAGING, "1")), tracking, pipeline)
    assert [each.stage for each in pipeline.versions()] == [STAGING, ARCHIVED]


def test_a_holder_that_the_first_registry_has_lost_is_shown_and_stays_in_the_second():
    tracking, pipeline = two_registries("1", twins="12")
    entries = a_log((PROMOTED, STAGING, "1"), (PROMOTED, STAGING, "2"))
    follow(entries, tracking, pipeline)
    (left,) = repairs(entries, tracking=tracking, pipeline=pipeline)
    assert left.difference.lost
    assert (left.difference.subject, left.difference.found) == ("version 2", "not registered")
    assert [each.stage for each in pipeline.versions()] == [ARCHIVED, STAGING]


def test_an_archived_version_that_was_deleted_is_not_missed():
    tracking, pipeline = two_registries("1", "2")
    entries = a_log((PROMOTED, STAGING, "1"), (PROMOTED, STAGING, "2"))
    follow(entries, tracking, pipeline)
    del tracking._versions["1"]
    assert repairs(entries, tracking=tracking, pipeline=pipeline) == ()


def test_a_registry_that_was_recreated_is_not_mistaken_for_the_one_in_the_log():
    tracking, pipeline = FakeModelRegistry(), FakeModelRegistry()
    tracking.register(a_new_version(run_id="another"))
    with pytest.raises(AuditLogError, match="version 1 is of run another, but by the log of run run-1") as caught:
        repairs(a_log((PROMOTED, STAGING, "1")), tracking=tracking, pipeline=pipeline)
    assert "recreated" in caught.value.hint
