"""The log is written first and is the truth; the registries follow, and whoever comes next mends what a crash left."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from cv_yolo.domain.promotion.audit import Action, AuditFinding, head
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import (
    AuditLogError,
    InputError,
    NotFoundError,
    PolicyRefusedError,
    PromotionConflictError,
    ServiceUnavailableError,
)
from cv_yolo.workflows.follow_log import Side
from cv_yolo.workflows.register import check, commit, examine, holder, judge, registered
from tests.builders import NOON, a_log, a_new_version, a_proposal
from tests.fakes import FakeAuditLog, FakeModelRegistry, a_fake_register

STAGING, PRODUCTION, ARCHIVED = Stage
DOWN = ServiceUnavailableError("ZenML does not answer")
WHO = {"actor": "anna@desk", "now": NOON}


@pytest.fixture
def register():
    """Versions 1, 2 and 3 of run-1, run-2 and run-3, none in a stage, and an empty log."""
    made = a_fake_register()
    for number in "123":
        registered(a_new_version(run_id=f"run-{number}"), made)
    return made


def proposed(version, *, expected=None, **changes):
    return a_proposal(version=version, run_id=f"run-{version}", expected=expected, **changes)


def promote(register, version, **changes):
    return commit(proposed(version, **changes), register, **WHO)


def where(register):
    """Where each version stands, in the two registries, by the number of its run."""
    sides = [
        {each.run_id[-1]: each.stage for each in side.versions()} for side in (register.tracking, register.pipeline)
    ]
    assert sides[0] == sides[1]
    return {number: stage for number, stage in sides[0].items() if stage}


def test_a_version_of_other_classes_is_refused_and_one_of_the_same_in_another_order_is_not():
    register = a_fake_register()
    registered(a_new_version(run_id="run-1", classes=("raccoon", "fox")), register)
    with pytest.raises(InputError) as refused:
        registered(a_new_version(run_id="run-2-of-kangaroos", classes=("kangaroo",)), register)
    assert refused.value.message == (
        "the registered model cv_yolo_tiny detects raccoon, fox (version 1), run run-2-of kangaroo: "
        "versions of other classes cannot be compared"
    )
    assert "use another registered model: `registered_model: NAME`" in refused.value.hint
    assert [len(side.versions()) for side in (register.tracking, register.pipeline)] == [1, 1]
    assert registered(a_new_version(run_id="run-3", classes=("fox", "raccoon")), register).version == "2"


def test_a_version_is_registered_in_both_registries_and_named_by_the_first(register):
    made = registered(a_new_version(run_id="run-4", confidence_threshold=0.2), register)
    assert (made.version, made.run_id, made.confidence_threshold) == ("4", "run-4", 0.2)
    twin = register.pipeline.versions()[-1]
    assert (twin.version, twin.run_id, twin.confidence_threshold) == ("v4", "run-4", 0.2)


def test_a_run_is_registered_once_however_often_it_is_asked_for(register):
    assert registered(a_new_version(run_id="run-2"), register).version == "2"
    assert len(register.tracking.versions()) == len(register.pipeline.versions()) == 3


def test_a_promotion_is_on_record_and_in_both_registries(register):
    entry = promote(register, "1")
    assert register.log.entries() == (entry,)
    assert (entry.action, entry.version, entry.former, entry.actor, entry.at) == (
        Action.PROMOTED,
        "1",
        None,
        "anna@desk",
        NOON,
    )
    assert where(register) == {"1": STAGING}
    assert register.anchor.anchor() == head([entry])


def test_a_second_promotion_archives_the_first(register):
    promote(register, "1")
    entry = promote(register, "2", expected="1")
    assert (entry.number, entry.former) == (2, "1")
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


def test_staging_and_production_are_held_side_by_side_and_one_leaves_for_the_other(register):
    promote(register, "1")
    promote(register, "1", stage=PRODUCTION)
    assert where(register) == {"1": PRODUCTION}
    promote(register, "2")
    assert where(register) == {"1": PRODUCTION, "2": STAGING}
    promote(register, "2", stage=PRODUCTION, expected="1")
    assert where(register) == {"1": ARCHIVED, "2": PRODUCTION}


def test_the_time_of_an_entry_is_shown_in_utc_wherever_it_was_made(register):
    entry = commit(proposed("1"), register, actor="anna@desk", now=NOON.astimezone(timezone(timedelta(hours=9))))
    assert entry.at.isoformat() == "2025-03-04T12:00:00+00:00"


def test_a_version_judged_against_another_holder_than_there_is_now_is_refused(register):
    promote(register, "1")
    promote(register, "2", expected="1")
    with pytest.raises(PromotionConflictError) as caught:
        promote(register, "3", expected="1")
    assert caught.value.message == (
        "version 3 was judged against version 1 in staging, but version 2 is there "
        "since 2025-03-04 12:00 UTC (entry 2, by anna@desk)"
    )
    assert caught.value.hint.startswith("nothing was moved; run the same command again")
    assert len(register.log.entries()) == 2
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


def test_a_version_judged_without_a_champion_is_refused_once_there_is_one(register):
    promote(register, "1")
    with pytest.raises(PromotionConflictError, match="judged against no version in staging, but version 1 is there"):
        promote(register, "2")


def test_a_version_judged_against_a_holder_that_left_is_refused(register):
    promote(register, "1")
    promote(register, "1", stage=PRODUCTION)
    with pytest.raises(PromotionConflictError, match=r"but no version is there since .* \(entry 2, by anna@desk\)"):
        promote(register, "2", expected="1")


def test_a_version_judged_against_an_unknown_champion_is_refused(register):
    with pytest.raises(PromotionConflictError, match=r"judged against version 7 in staging, but no version is there$"):
        promote(register, "1", expected="7")


def test_the_same_promotion_once_more_changes_nothing_but_the_record(register):
    promote(register, "1")
    promote(register, "2", expected="1")
    again = promote(register, "2", expected="1")
    assert (again.number, again.former) == (3, "2")
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


@pytest.mark.parametrize(("version", "run_id"), [("9", "run-9"), ("1", "run-2")])
@pytest.mark.parametrize("act", [commit, judge])
def test_what_is_not_registered_is_neither_promoted_nor_judged(register, act, version, run_id):
    with pytest.raises(NotFoundError, match=f"version {version} of run {run_id} is not registered"):
        act(a_proposal(version=version, run_id=run_id), register, **WHO)
    assert register.log.entries() == ()


def test_a_version_is_not_taken_out_of_production_into_staging(register):
    promote(register, "1", stage=PRODUCTION)
    with pytest.raises(PolicyRefusedError, match="version 1 is in production, which would be left empty"):
        promote(register, "1")
    assert where(register) == {"1": PRODUCTION}


def test_a_judgement_is_on_record_and_moves_no_version(register):
    promote(register, "1")
    entry = judge(proposed("2", expected="1", verdict="reject"), register, **WHO)
    assert (entry.number, entry.action, entry.version, entry.former) == (2, Action.JUDGED, "2", "1")
    assert where(register) == {"1": STAGING}
    assert register.anchor.anchor() == head(register.log.entries())


@pytest.mark.parametrize("side", ["tracking", "pipeline"])
def test_a_registry_that_is_down_is_noticed_before_anything_is_written(register, side):
    promote(register, "1")
    getattr(register, side).down = DOWN
    for act in (commit, judge):
        with pytest.raises(ServiceUnavailableError, match=r"^ZenML does not answer$"):
            act(proposed("2", expected="1"), register, **WHO)
    getattr(register, side).down = None
    assert len(register.log.entries()) == 1
    assert where(register) == {"1": STAGING}


@pytest.mark.parametrize("side", ["tracking", "pipeline"])
def test_a_registry_that_refuses_after_the_entry_lags_behind_and_is_reported(register, side):
    promote(register, "1")
    getattr(register, side).refuses = DOWN
    with pytest.raises(ServiceUnavailableError) as caught:
        promote(register, "2", expected="1")
    assert caught.value.message == (
        "version 2 is in staging by entry 2 of the log, but the registries lag behind: ZenML does not answer"
    )
    assert "run `cv-yolo models check` to update the registries" in caught.value.hint
    assert caught.value.__cause__ is DOWN
    assert holder(STAGING, register).version == "2"
    getattr(register, side).refuses = None
    assert check(register, repair=True)
    assert where(register) == {"1": ARCHIVED, "2": STAGING}
    assert check(register, repair=False) == ()


def test_the_next_promotion_brings_lagging_registries_up_to_date_too(register):
    register.pipeline.refuses = DOWN
    with pytest.raises(ServiceUnavailableError):
        promote(register, "1")
    register.pipeline.refuses = None
    judge(proposed("2", expected="1"), register, **WHO)
    assert where(register) == {"1": STAGING}


def test_a_judgement_whose_anchor_could_not_be_kept_is_reported(register, monkeypatch):
    def refuse(_text):
        raise DOWN

    monkeypatch.setattr(register.anchor, "set_anchor", refuse)
    with pytest.raises(ServiceUnavailableError, match="version 1 is judged for staging by entry 1 of the log, but"):
        judge(proposed("1"), register, **WHO)


@pytest.mark.parametrize("side", ["tracking", "pipeline"])
def test_a_registry_that_does_not_do_what_it_is_asked_is_given_up_in_the_end(register, side, monkeypatch):
    monkeypatch.setattr(getattr(register, side), "set_stage", lambda _version, _stage: None)
    with pytest.raises(ServiceUnavailableError, match="version 1 was set to staging 20 times and is in no stage"):
        promote(register, "1")


def test_a_log_that_cannot_be_written_moves_no_version(register):
    register.log.fails = AuditLogError("no space left on device")
    with pytest.raises(AuditLogError, match=r"^no space left"):
        promote(register, "1")
    assert where(register) == {}


def test_ctrl_c_after_the_entry_is_raised_and_can_be_repaired(register):
    register.pipeline.refuses = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        promote(register, "1")
    register.pipeline.refuses = None
    check(register, repair=True)
    assert where(register) == {"1": STAGING}


def begun_before_the_log(register):
    """A project in which version 1 is in production and version 2 in staging, and nothing is on record."""
    for side, prefix in ((register.tracking, ""), (register.pipeline, "v")):
        side.set_stage(f"{prefix}1", PRODUCTION)
        side.set_stage(f"{prefix}2", STAGING)
        side.set_stage(f"{prefix}3", ARCHIVED)


def test_who_held_a_stage_before_the_log_was_begun_is_adopted(register):
    begun_before_the_log(register)
    assert holder(STAGING, register).version == "2"
    promote(register, "3", expected="2")
    reported = [(entry.action, entry.stage, entry.version, entry.reason) for entry in register.log.entries()]
    assert reported[:2] == [
        (Action.ADOPTED, PRODUCTION, "1", "in production before the log was begun"),
        (Action.ADOPTED, STAGING, "2", "in staging before the log was begun"),
    ]
    assert reported[2][:3] == (Action.PROMOTED, STAGING, "3")
    assert where(register) == {"1": PRODUCTION, "2": ARCHIVED, "3": STAGING}


@pytest.mark.parametrize("act", ["promote", "check", "holder"])
def test_a_process_killed_in_the_middle_of_adopting_loses_no_stage(register, act):
    begun_before_the_log(register)
    judge(proposed("3", expected="2"), register, **WHO)
    register.log.written[1:] = []  # it put on record who was in production, and died
    register.tracking.set_anchor(head(register.log.written))
    if act == "check":
        assert check(register, repair=True) == ()
    elif act == "promote":
        assert promote(register, "3", expected="2").former == "2"
        assert [entry.version for entry in register.log.entries()] == ["1", "2", "3"]
    assert holder(PRODUCTION, register).version == "1"
    assert holder(STAGING, register).version == ("3" if act == "promote" else "2")
    assert where(register) == {"1": PRODUCTION, "2": STAGING, "3": ARCHIVED} | (
        {"2": ARCHIVED, "3": STAGING} if act == "promote" else {}
    )


def test_what_was_adopted_is_moved_by_the_log_alone(register):
    begun_before_the_log(register)
    judge(proposed("3", expected="2"), register, **WHO)
    register.log.written[1:] = []
    register.tracking.set_anchor(head(register.log.written))
    register.tracking.set_stage("1", STAGING)  # by hand, after it was put on record in production
    assert holder(PRODUCTION, register).version == "1"
    assert holder(STAGING, register) is None
    check(register, repair=True)
    assert where(register) == {"1": PRODUCTION, "2": ARCHIVED, "3": ARCHIVED}


def test_a_judgement_adopts_too_since_after_it_the_log_is_begun(register):
    begun_before_the_log(register)
    judge(proposed("3", expected="2"), register, **WHO)
    assert [entry.action for entry in register.log.entries()] == [Action.ADOPTED, Action.ADOPTED, Action.JUDGED]
    assert where(register) == {"1": PRODUCTION, "2": STAGING, "3": ARCHIVED}


def test_a_project_older_than_its_log_is_adopted_only_where_both_registries_answer(register):
    begun_before_the_log(register)
    register.pipeline.down = DOWN
    with pytest.raises(ServiceUnavailableError):
        promote(register, "3", expected="2")
    assert register.log.entries() == ()


def test_without_a_log_the_second_registry_follows_the_first(register):
    register.tracking.set_stage("2", STAGING)
    register.pipeline.set_stage("v1", STAGING)
    assert len(check(register, repair=True)) == 2
    assert [each.stage for each in register.tracking.versions()] == [None, STAGING, None]
    assert [each.stage for each in register.pipeline.versions()] == [ARCHIVED, STAGING, None]


def test_the_stages_of_an_empty_register_are_empty(register):
    assert holder(STAGING, register) is None


def test_the_log_decides_who_holds_a_stage_even_where_the_registry_says_otherwise(register):
    promote(register, "1")
    register.tracking.set_stage("3", STAGING)
    assert holder(STAGING, register).version == "1"
    assert holder(PRODUCTION, register) is None


def test_a_holder_that_the_registry_has_lost_does_not_count_and_can_be_followed(register):
    promote(register, "1")
    del register.tracking._versions["1"]
    assert holder(STAGING, register) is None
    entry = promote(register, "2", expected=None)
    assert entry.former is None
    assert holder(STAGING, register).version == "2"


def test_a_log_that_was_changed_is_not_followed(register):
    promote(register, "1")
    promote(register, "2", expected="1")
    register.log.written[0] = replace(register.log.written[0], version="3")
    for act in (
        lambda: promote(register, "3", expected="2"),
        lambda: judge(proposed("3"), register, **WHO),
        lambda: check(register, repair=True),
    ):
        with pytest.raises(AuditLogError, match="log of cv_yolo_tiny does not hold together: Entry 1 is not the") as e:
            act()
        assert "history --verify" in e.value.hint
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


def test_a_log_that_was_taken_away_is_not_restarted(register):
    promote(register, "1")
    register.log.written.clear()
    with pytest.raises(AuditLogError, match="Entry 1 is missing at the end"):
        promote(register, "2", expected="1")


def test_another_log_can_be_begun_in_the_open(register):
    promote(register, "1")
    register.log.written.clear()
    register.tracking._anchor = None
    promote(register, "2", expected="1")
    assert [entry.action for entry in register.log.entries()] == [Action.ADOPTED, Action.PROMOTED]
    assert where(register) == {"1": ARCHIVED, "2": STAGING}


def test_a_whole_register_has_no_differences(register):
    promote(register, "1")
    assert check(register, repair=False) == ()


def test_looking_repairs_nothing(register):
    promote(register, "1")
    register.tracking.set_stage("2", STAGING)
    first = check(register, repair=False)
    assert check(register, repair=False) == first
    assert [(each.registry, each.subject, each.wanted, each.found) for each in first] == [
        (Side.TRACKING, "version 1", "staging", "archived"),
        (Side.TRACKING, "version 2", "archived", "staging"),
    ]


def test_an_anchor_that_lags_behind_is_set_to_the_end_of_the_log(register):
    first = promote(register, "1")
    promote(register, "2", expected="1")
    register.anchor.set_anchor(head([first]))
    (found,) = check(register, repair=True)
    assert (found.registry, found.subject, found.wanted, found.found) == (
        Side.TRACKING,
        "end of the log",
        "entry 2",
        "entry 1",
    )
    assert register.anchor.anchor() == head(register.log.entries())


def test_an_anchor_that_was_never_set_is_set(register):
    promote(register, "1")
    register.tracking._anchor = None
    (found,) = check(register, repair=True)
    assert (found.found, found.wanted) == ("nothing", "entry 1")
    assert check(register, repair=False) == ()


def test_a_log_is_examined_without_the_registries(register):
    promote(register, "1")
    promote(register, "2", expected="1")
    assert examine(register.log, register.anchor) == ()
    register.log.written.pop()
    assert [finding.number for finding in examine(register.log, register.anchor)] == [2]


def test_lines_that_are_no_entries_are_findings():
    damaged = FakeAuditLog(a_log((Action.PROMOTED, STAGING, "1")))
    damaged.damaged = (AuditFinding(number=1, sentence="line 1: no entry"),)
    assert examine(damaged, FakeModelRegistry()) == damaged.damaged
