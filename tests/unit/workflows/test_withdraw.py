"""A stage is emptied, on the record: for a version that must go where no other is to take its place."""

import pytest

from cv_yolo.domain.promotion.audit import Action, holders
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import InputError, NotFoundError, PromotionConflictError, ServiceUnavailableError
from cv_yolo.workflows.demote import held_now, rollback, withdraw
from cv_yolo.workflows.register import check, commit, examine, holder, registered
from tests.builders import NOON, a_new_version, a_proposal
from tests.fakes import a_fake_register

STAGING, PRODUCTION, ARCHIVED = Stage


@pytest.fixture
def register():
    """Versions 1 to 3, of which 1 came to staging."""
    made = a_fake_register()
    for number in "123":
        registered(a_new_version(run_id=f"run-{number}"), made)
    promote(made, "1")
    return made


def promote(register, version, stage=STAGING, **changes):
    expected = holders(register.log.entries()).get(stage)
    proposal = a_proposal(version=version, run_id=f"run-{version}", stage=stage, expected=expected, **changes)
    return commit(proposal, register, actor="anna@desk", now=NOON)


def out(register, stage=STAGING, *, version=None, reason="misses every helmet"):
    return withdraw(register, stage=stage, version=version, reason=reason, actor="bo@desk", now=NOON)


def back(register, *, stage=None, to=None):
    return rollback(register, stage=stage, to=to, reason=None, actor="bo@desk", now=NOON)


def where(register):
    return {each.version: each.stage for each in register.tracking.versions() if each.stage}


def test_a_first_version_leaves_its_stage_empty_and_both_registries_follow(register):
    entry = out(register)
    assert (entry.action, entry.stage, entry.version, entry.former) == (Action.WITHDRAWN, STAGING, "1", "1")
    assert (entry.run_id, entry.reason, entry.decision) == ("run-1", "misses every helmet", None)
    assert where(register) == {"1": ARCHIVED}
    assert [each.stage for each in register.pipeline.versions()] == [ARCHIVED, None, None]
    assert holder(STAGING, register) is None
    assert examine(register.log, register.anchor) == ()
    assert check(register, repair=False) == ()


def test_production_is_emptied_and_staging_stays_as_it_is(register):
    promote(register, "1", PRODUCTION)
    promote(register, "2")
    out(register, PRODUCTION)
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


def test_a_withdrawal_needs_a_reason(register):
    for reason in ("", "  \n"):
        with pytest.raises(InputError, match="a withdrawal needs a reason"):
            out(register, reason=reason)
    assert where(register) == {"1": STAGING}


def test_an_empty_stage_cannot_be_emptied(register):
    with pytest.raises(NotFoundError) as caught:
        out(register, PRODUCTION)
    assert caught.value.message == "no version is in production"
    with pytest.raises(NotFoundError, match="no version is in production"):
        held_now(PRODUCTION, register)


def test_a_stage_that_was_emptied_says_by_whom_and_why(register):
    out(register)
    with pytest.raises(NotFoundError) as caught:
        out(register)
    assert caught.value.message == (
        "no version is in staging: bo@desk withdrew version 1 at 2025-03-04 12:00 UTC (entry 2): misses every helmet"
    )
    assert len(register.log.entries()) == 2


def test_a_version_that_took_the_stage_since_the_question_was_asked_is_not_withdrawn(register):
    promote(register, "2")
    with pytest.raises(PromotionConflictError) as caught:
        out(register, version="1")
    assert caught.value.message == "version 1 was to be withdrawn from staging, but version 2 is there by now"
    assert where(register) == {"1": ARCHIVED, "2": STAGING}
    assert out(register, version="2").version == "2"


def test_after_a_withdrawal_a_promotion_is_a_first_promotion(register):
    out(register)
    assert promote(register, "2").former is None
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


def test_a_decision_made_against_the_withdrawn_version_conflicts(register):
    out(register)
    proposal = a_proposal(version="2", run_id="run-2", stage=STAGING, expected="1")
    with pytest.raises(PromotionConflictError, match=r"but no version is there since .*entry 2, by bo@desk"):
        commit(proposal, register, actor="anna@desk", now=NOON)


def test_the_withdrawn_version_may_be_promoted_again(register):
    out(register)
    promote(register, "1")
    assert where(register) == {"1": STAGING}


def test_a_rollback_takes_a_withdrawal_back(register):
    promote(register, "2", provisional=True)
    out(register)
    entry = back(register)
    assert (entry.stage, entry.version, entry.former, entry.provisional) == (STAGING, "2", None, True)
    assert where(register) == {"1": ARCHIVED, "2": STAGING}
    assert back(register).version == "1"


def test_a_rollback_does_not_fall_back_on_a_withdrawn_version(register):
    out(register)
    promote(register, "2")
    with pytest.raises(NotFoundError) as caught:
        back(register)
    assert "version 1 was withdrawn (entry 2)" in caught.value.message
    assert "cv-yolo withdraw staging" in caught.value.hint
    assert back(register, to="1").version == "1"


def test_a_version_that_was_withdrawn_and_promoted_again_is_not_named_as_withdrawn(register):
    out(register)
    promote(register, "1")
    with pytest.raises(NotFoundError) as caught:
        back(register)
    assert caught.value.message == "there is no version to which staging could be given back"


def test_where_only_one_version_ever_was_the_rollback_names_the_withdrawal(register):
    with pytest.raises(NotFoundError) as caught:
        back(register)
    assert caught.value.message == "there is no version to which staging could be given back"
    assert "`cv-yolo withdraw staging --reason TEXT` empties it" in caught.value.hint


def test_a_version_that_the_registry_has_lost_can_be_withdrawn_all_the_same(register):
    del register.tracking._versions["1"]
    assert held_now(STAGING, register) == "1"
    out(register)
    assert holders(register.log.entries()) == {}
    assert check(register, repair=False) == ()


def test_a_project_that_is_older_than_its_log_is_put_on_record_first():
    made = a_fake_register()
    registered(a_new_version(run_id="run-1"), made)
    made.tracking.set_stage("1", STAGING)
    assert held_now(STAGING, made) == "1"
    entry = out(made)
    assert [each.action for each in made.log.entries()] == [Action.ADOPTED, Action.WITHDRAWN]
    assert (entry.version, entry.run_id) == ("1", "run-1")
    assert where(made) == {"1": ARCHIVED}


def test_a_registry_that_fails_meanwhile_is_caught_up_by_the_check(register):
    register.tracking.refuses = ServiceUnavailableError("MLflow does not answer")
    with pytest.raises(ServiceUnavailableError) as caught:
        out(register)
    register.tracking.refuses = None
    assert caught.value.message.startswith("version 1 is withdrawn from staging by entry 2 of the log, but the regis")
    assert where(register) == {"1": STAGING}
    assert check(register, repair=True)
    assert where(register) == {"1": ARCHIVED}


def test_a_stage_that_was_filled_by_hand_after_the_withdrawal_is_emptied_by_the_check(register):
    out(register)
    register.tracking.set_stage("1", STAGING)
    register.pipeline.set_stage("v1", STAGING)
    check(register, repair=True)
    assert where(register) == {"1": ARCHIVED}
