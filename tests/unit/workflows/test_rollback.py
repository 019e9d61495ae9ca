"""The way back: to the earlier holder of a stage, or to a named one that was there before."""

import pytest

from cv_yolo.domain.promotion.audit import Action, holders
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import InputError, NotFoundError
from cv_yolo.workflows.demote import rollback
from cv_yolo.workflows.register import commit, registered
from tests.builders import NOON, a_new_version, a_proposal
from tests.fakes import a_fake_register

STAGING, PRODUCTION, ARCHIVED = Stage


@pytest.fixture
def register():
    """Versions 1 to 4, of which 1, 2 and 3 came to staging one after the other."""
    made = a_fake_register()
    for number in "1234":
        registered(a_new_version(run_id=f"run-{number}"), made)
    for number in "123":
        promote(made, number)
    return made


def promote(register, version, stage=STAGING, **changes):
    expected = holders(register.log.entries()).get(stage)
    proposal = a_proposal(version=version, run_id=f"run-{version}", stage=stage, expected=expected, **changes)
    return commit(proposal, register, actor="anna@desk", now=NOON)


def back(register, *, stage=None, to=None, reason=None):
    return rollback(register, stage=stage, to=to, reason=reason, actor="bo@desk", now=NOON)


def where(register):
    return {each.version: each.stage for each in register.tracking.versions() if each.stage}


def test_a_stage_goes_back_to_its_earlier_holder(register):
    entry = back(register, stage=STAGING, reason="misses small persons")
    assert (entry.action, entry.stage, entry.version, entry.former) == (Action.ROLLED_BACK, STAGING, "2", "3")
    assert (entry.actor, entry.reason, entry.run_id, entry.decision) == (
        "bo@desk",
        "misses small persons",
        "run-2",
        None,
    )
    assert where(register) == {"1": ARCHIVED, "2": STAGING, "3": ARCHIVED}
    assert [each.stage for each in register.pipeline.versions()] == [ARCHIVED, STAGING, ARCHIVED, None]


@pytest.mark.parametrize("provisional", [True, False])
def test_a_version_comes_back_as_well_proven_as_it_was(register, provisional):
    promote(register, "4", provisional=provisional)
    promote(register, "1")
    assert back(register, to="4").provisional is provisional


def test_going_back_twice_goes_back_two_steps_and_no_further(register):
    back(register)
    assert back(register).version == "1"
    with pytest.raises(NotFoundError, match="no version to which staging could be given back"):
        back(register)


def test_a_stage_goes_back_to_a_named_version_that_was_there_before(register):
    assert back(register, to="1").version == "1"
    assert back(register, to="3").version == "3"
    assert where(register) == {"1": ARCHIVED, "2": ARCHIVED, "3": STAGING}


def test_the_stage_that_was_moved_last_goes_back_unless_another_is_named(register):
    promote(register, "1", PRODUCTION)
    promote(register, "2", PRODUCTION)
    assert back(register).stage is PRODUCTION
    assert where(register) == {"1": PRODUCTION, "2": ARCHIVED, "3": STAGING}
    with pytest.raises(NotFoundError, match="no version to which production"):
        back(register, stage=PRODUCTION)
    assert back(register, stage=STAGING).version == "2"


def test_production_goes_back_even_to_a_version_that_is_in_staging_by_now(register):
    promote(register, "1", PRODUCTION)
    promote(register, "4", PRODUCTION)
    back(register, stage=STAGING, to="1")
    assert back(register, stage=PRODUCTION).version == "1"
    assert where(register) == {"1": PRODUCTION, "2": ARCHIVED, "3": ARCHIVED, "4": ARCHIVED}


@pytest.mark.parametrize(
    ("to", "message", "hint"),
    [
        ("3", "version 3 is in staging already", "there before: 1, 2"),
        ("4", "version 4 was never in staging", "there before: 1, 2"),
        ("9", "version 9 was never in staging", "there before: 1, 2"),
    ],
)
def test_only_a_version_that_was_there_before_can_be_named(register, to, message, hint):
    with pytest.raises(InputError) as caught:
        back(register, to=to)
    assert (caught.value.message, caught.value.hint) == (message, hint)
    assert where(register) == {"1": ARCHIVED, "2": ARCHIVED, "3": STAGING}


def test_staging_does_not_take_a_named_version_out_of_production(register):
    promote(register, "2", PRODUCTION)
    with pytest.raises(InputError, match="version 2 is in production, which would be left empty"):
        back(register, stage=STAGING, to="2")


def test_an_empty_stage_before_the_change_is_shown(register):
    with pytest.raises(InputError) as caught:
        back(register, stage=PRODUCTION, to="1")
    assert caught.value.hint == "there before: none"


def test_a_version_that_was_deleted_cannot_come_back(register):
    del register.tracking._versions["2"]
    with pytest.raises(NotFoundError, match="version 2 is no longer registered"):
        back(register)


def test_without_a_promotion_there_is_no_stage_to_give_back():
    empty = a_fake_register("m")
    with pytest.raises(NotFoundError, match="no promotion is on record"):
        back(empty)
