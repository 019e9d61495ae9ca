"""The log says which version holds which stage, by replay alone, and never two at a time."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.promotion.audit import (
    Action,
    chained,
    earlier_holder,
    held,
    holders,
    judgements_on,
    last_moved_stage,
    read_entry,
    settled_by,
    stages,
)
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage
from tests.builders import NOON, a_log, a_proposal, an_entry

LAWS = settings(deadline=None, database=None)
ADOPTED, JUDGED, PROMOTED, BACK, WITHDRAWN = Action
STAGING, PRODUCTION, ARCHIVED = Stage
ANY_MOVES = st.lists(
    st.tuples(st.sampled_from(Action), st.sampled_from(HELD_BY_ONE), st.sampled_from("12345")), max_size=12
)


def promoted(stage, *versions):
    return tuple((PROMOTED, stage, version) for version in versions)


def test_an_entry_is_chained_to_the_one_before():
    first = chained(a_proposal(), (), action=PROMOTED, model="m", actor="anna@desk", at=NOON)
    second = chained(a_proposal(version="4", expected="3"), (first,), action=JUDGED, model="m", actor="bo@x", at=NOON)
    assert (first.number, first.previous) == (1, "")
    assert (second.number, second.previous) == (2, first.sha256)
    assert (second.action, second.actor, second.at, second.former) == (JUDGED, "bo@x", NOON, "3")


def test_an_entry_carries_all_of_its_proposal():
    proposal = a_proposal(expected="2", reason="looked at by hand", provisional=True)
    entry = chained(proposal, (), action=PROMOTED, model="m", actor="a@b", at=NOON)
    for name in ("stage", "version", "run_id", "decision", "verdict", "policy", "policy_sha256", "evaluations"):
        assert getattr(entry, name) == getattr(proposal, name)
    assert (entry.test_revision, entry.reason, entry.provisional) == (proposal.test_revision, "looked at by hand", True)


def test_the_hash_is_that_of_the_canonical_line():
    entry = an_entry()
    assert entry.sha256 == hashlib.sha256(entry.canonical.encode()).hexdigest()
    said = json.loads(entry.canonical)
    assert list(said) == sorted(said)
    assert " " not in entry.canonical
    assert said["at"] == "2025-03-04T12:00:00.000000+00:00"


def test_what_is_not_known_is_left_out_so_that_a_field_added_later_changes_no_hash():
    assert "reason" not in json.loads(an_entry(reason=None).canonical)
    assert json.loads(an_entry(reason="").canonical)["reason"] == ""


def test_entries_are_numbered_from_one():
    with pytest.raises(ValueError, match="numbered from 1"):
        an_entry(number=0)


@pytest.mark.parametrize("at", [datetime(2025, 3, 4, 12), NOON.astimezone(timezone(timedelta(hours=1)))])  # noqa: DTZ001
def test_the_time_of_an_entry_is_in_utc(at):
    with pytest.raises(ValueError, match="in UTC"):
        an_entry(at=at)


def test_all_stages_are_empty_before_the_first_entry():
    assert (stages(()), holders(())) == ({}, {})
    assert earlier_holder((), STAGING) is None
    assert last_moved_stage(()) is None
    assert settled_by((), STAGING) is None


def test_the_former_holder_of_a_stage_becomes_archived():
    entries = a_log(*promoted(STAGING, "1", "2"))
    assert stages(entries) == {"1": ARCHIVED, "2": STAGING}
    assert holders(entries) == {STAGING: "2"}


def test_a_version_that_moves_to_production_leaves_staging_empty():
    entries = a_log(*promoted(STAGING, "1"), *promoted(PRODUCTION, "1"))
    assert stages(entries) == {"1": PRODUCTION}
    assert holders(entries) == {PRODUCTION: "1"}


def test_staging_and_production_are_held_side_by_side():
    entries = a_log(*promoted(STAGING, "1"), *promoted(PRODUCTION, "1"), *promoted(STAGING, "2"))
    assert holders(entries) == {PRODUCTION: "1", STAGING: "2"}


def test_a_judgement_moves_no_version():
    entries = a_log((PROMOTED, STAGING, "1"), (JUDGED, STAGING, "2"), (JUDGED, STAGING, "1"))
    assert stages(entries) == {"1": STAGING, "2": None}


def test_rolling_back_archives_the_one_that_leaves():
    entries = a_log(*promoted(STAGING, "1", "2"), (BACK, STAGING, "1"))
    assert stages(entries) == {"1": STAGING, "2": ARCHIVED}


def test_an_archived_version_can_be_adopted_as_such():
    entries = a_log((ADOPTED, ARCHIVED, "1"), (ADOPTED, ARCHIVED, "2"), (ADOPTED, STAGING, "3"))
    assert stages(entries) == {"1": ARCHIVED, "2": ARCHIVED, "3": STAGING}


@LAWS
@given(moves=ANY_MOVES)
def test_replay_never_has_two_holders_of_a_stage(moves):
    entries = a_log(*moves)
    counts = Counter(stages(entries).values())
    assert all(counts[stage] <= 1 for stage in HELD_BY_ONE)
    assert holders(entries) == {stage: version for version, stage in stages(entries).items() if stage in HELD_BY_ONE}


@LAWS
@given(moves=ANY_MOVES)
def test_who_was_moved_last_holds_the_stage(moves):
    entries = a_log(*moves)
    last = next((entry for entry in reversed(entries) if entry.action is not JUDGED), None)
    if last is not None and last.moves:
        assert holders(entries)[last.stage] == last.version
    elif last is not None:
        assert holders(entries).get(last.stage) != last.version


@LAWS
@given(moves=ANY_MOVES, stage=st.sampled_from(HELD_BY_ONE))
def test_the_earlier_holder_once_held_the_stage_and_does_not_hold_it_now(moves, stage):
    entries = a_log(*moves)
    earlier = earlier_holder(entries, stage)
    assert earlier is None or earlier in held(entries, stage)
    assert earlier is None or earlier != holders(entries).get(stage)
    assert earlier is None or earlier != holders(entries).get(PRODUCTION)


def test_going_back_twice_goes_back_two_steps():
    log = promoted(STAGING, "1", "2", "3")
    assert earlier_holder(a_log(*log), STAGING) == "2"
    assert earlier_holder(a_log(*log, (BACK, STAGING, "2")), STAGING) == "1"
    assert earlier_holder(a_log(*log, (BACK, STAGING, "2"), (BACK, STAGING, "1")), STAGING) is None


def test_after_a_step_back_a_promotion_is_the_next_step():
    log = (*promoted(STAGING, "1", "2"), (BACK, STAGING, "1"), *promoted(STAGING, "3"))
    assert earlier_holder(a_log(*log), STAGING) == "1"


def test_going_forward_again_to_a_version_that_was_left_is_a_step_of_its_own():
    log = (*promoted(STAGING, "1", "2"), (BACK, STAGING, "1"), (BACK, STAGING, "2"))
    assert earlier_holder(a_log(*log), STAGING) == "1"


def test_a_version_promoted_twice_in_a_row_is_one_step():
    assert earlier_holder(a_log(*promoted(STAGING, "1", "2", "2")), STAGING) == "1"


def test_staging_does_not_take_back_what_is_in_production_by_now():
    log = (*promoted(STAGING, "1", "2"), *promoted(PRODUCTION, "2"), *promoted(STAGING, "3"))
    assert earlier_holder(a_log(*log), STAGING) == "1"
    assert earlier_holder(a_log(*log[:3]), STAGING) == "1"


def test_a_stage_that_only_one_version_held_has_no_earlier_holder():
    assert earlier_holder(a_log(*promoted(STAGING, "1"), *promoted(PRODUCTION, "2")), STAGING) is None


def test_all_holders_of_a_stage_are_shown_once_each():
    log = (*promoted(STAGING, "1", "2", "1"), (JUDGED, STAGING, "4"), *promoted(PRODUCTION, "5"))
    assert held(a_log(*log), STAGING) == ("1", "2")


def test_the_stage_that_moved_last_is_that_of_a_promotion_or_a_step_back():
    log = ((ADOPTED, PRODUCTION, "1"), (PROMOTED, STAGING, "2"), (JUDGED, PRODUCTION, "3"))
    assert last_moved_stage(a_log(*log)) is STAGING
    assert last_moved_stage(a_log(*log, (BACK, PRODUCTION, "1"))) is PRODUCTION
    assert last_moved_stage(a_log(log[0])) is None


def test_a_stage_is_settled_by_who_came_into_it_or_who_left_it_last():
    came = (*promoted(STAGING, "1"), (JUDGED, STAGING, "2"), *promoted(STAGING, "1"))
    assert settled_by(a_log(*came), STAGING).number == 1
    assert settled_by(a_log(*came, *promoted(PRODUCTION, "1")), STAGING).number == 4


def test_every_entry_that_carries_a_test_revision_is_a_judgement_on_it():
    entries = a_log((JUDGED, STAGING, "1"), (PROMOTED, STAGING, "2"), (BACK, STAGING, "1"))
    entries = (*entries[:2], replace(entries[2], test_revision=None))
    revision = entries[0].test_revision
    assert (judgements_on(entries, revision), judgements_on(entries, "another")) == (2, 0)


def test_a_withdrawal_leaves_the_stage_empty_and_archives_its_version():
    entries = a_log(*promoted(STAGING, "1"), (WITHDRAWN, STAGING, "1"))
    assert stages(entries) == {"1": ARCHIVED}
    assert holders(entries) == {}
    assert settled_by(entries, STAGING).number == 2


def test_a_withdrawal_leaves_the_other_stage_as_it_is():
    entries = a_log(*promoted(PRODUCTION, "1"), *promoted(STAGING, "2"), (WITHDRAWN, PRODUCTION, "1"))
    assert holders(entries) == {STAGING: "2"}


def test_a_withdrawal_of_a_version_that_holds_another_stage_moves_nothing():
    entries = a_log(*promoted(PRODUCTION, "1"), (WITHDRAWN, STAGING, "1"))
    assert holders(entries) == {PRODUCTION: "1"}


def test_a_withdrawal_puts_no_version_into_a_stage():
    entries = a_log((WITHDRAWN, STAGING, "1"))
    assert not entries[0].moves
    assert held(entries, STAGING) == ()


def test_right_after_a_withdrawal_the_way_back_leads_to_the_withdrawn_version():
    log = (*promoted(STAGING, "1", "2"), (WITHDRAWN, STAGING, "2"))
    assert earlier_holder(a_log(*log), STAGING) == "2"
    assert last_moved_stage(a_log(*log)) is STAGING
    assert earlier_holder(a_log(*log, (BACK, STAGING, "2")), STAGING) == "1"


def test_once_another_version_is_there_the_way_back_passes_a_withdrawn_one_over():
    log = (*promoted(STAGING, "1", "2"), (WITHDRAWN, STAGING, "2"), *promoted(STAGING, "3"))
    assert earlier_holder(a_log(*log), STAGING) == "1"
    first = (*promoted(STAGING, "1"), (WITHDRAWN, STAGING, "1"), *promoted(STAGING, "2"))
    assert earlier_holder(a_log(*first), STAGING) is None


def test_a_withdrawn_version_that_was_promoted_again_is_a_step_like_any_other():
    log = (*promoted(STAGING, "1"), (WITHDRAWN, STAGING, "1"), *promoted(STAGING, "1", "2"))
    assert earlier_holder(a_log(*log), STAGING) == "1"


def test_going_back_past_a_withdrawn_version_forgets_it():
    log = (*promoted(STAGING, "1", "2"), (WITHDRAWN, STAGING, "2"), (BACK, STAGING, "1"), *promoted(STAGING, "3"))
    assert earlier_holder(a_log(*log), STAGING) == "1"


def test_two_withdrawals_in_a_row_lead_back_one_at_a_time():
    log = (*promoted(STAGING, "1"), (WITHDRAWN, STAGING, "1"), *promoted(STAGING, "2"), (WITHDRAWN, STAGING, "2"))
    assert earlier_holder(a_log(*log), STAGING) == "2"
    assert earlier_holder(a_log(*log, (BACK, STAGING, "2")), STAGING) is None


OLD_LINES = (
    '{"action":"promoted","actor":"anna@desk","at":"2025-03-04T12:00:00.000000+00:00","evaluations":["run-1"],'
    '"model":"cv_yolo_tiny","number":1,"previous":"","provisional":false,"run_id":"run-1","stage":"staging",'
    '"version":"1"}',
    '{"action":"rolled_back","actor":"anna@desk","at":"2025-03-05T12:00:00.000000+00:00","evaluations":[],'
    '"model":"cv_yolo_tiny","number":2,"previous":"c62a6d2e5fd02c3b6b77fa7a1e7b0ad1e0be9b3ad3cbd9cbcd2ef8b5bc0f5d8a",'
    '"provisional":false,"run_id":"run-0","stage":"staging","version":"0"}',
)


def test_lines_that_were_written_before_there_were_withdrawals_read_as_they_were_written():
    assert [read_entry(line).canonical for line in OLD_LINES] == list(OLD_LINES)


def test_an_action_that_only_a_newer_version_knows_is_named_as_such():
    line = OLD_LINES[0].replace('"promoted"', '"retired"')
    with pytest.raises(ValueError, match="the action 'retired' is unknown: a newer version of cv-yolo wrote it"):
        read_entry(line)
