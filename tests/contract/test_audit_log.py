"""`AuditLog`: entries in order, kept for good, by the fake, by the file and by ZenML."""

from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.adapters.files.audit_log import AuditFile
from cv_yolo.adapters.zenml.audit_log import ZenmlAuditLog
from cv_yolo.domain.promotion.audit import Action
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import LogGrewError
from cv_yolo.ports.registry import AuditLog
from tests.builders import a_log, an_entry
from tests.fakes import FakeAuditLog

THREE = a_log(*[(Action.PROMOTED, Stage.STAGING, version) for version in "123"])


@pytest.fixture(params=["fake", "file", "zenml"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> AuditLog:
    if request.param == "fake":
        return FakeAuditLog()
    file = AuditFile(tmp_path / "audit" / "cv_yolo_tiny.jsonl")
    if request.param == "file":
        return file
    request.getfixturevalue("zenml_container")
    return ZenmlAuditLog(model=f"log_{abs(hash(request.node.name)) % 10**9}", locked=file.locked)


def test_a_new_log_is_empty(log: AuditLog) -> None:
    assert (log.entries(), log.damage()) == ((), ())


def test_entries_are_read_back_unchanged_and_in_order(log: AuditLog) -> None:
    with log.locked():
        for entry in THREE:
            log.append(entry)
    assert log.entries() == THREE
    assert log.damage() == ()


def test_an_entry_is_read_back_with_every_field(log: AuditLog) -> None:
    full = an_entry(
        former="2", reason="naïve – but 良い\n, looked at by hand", provisional=True, evaluations=("a", "b")
    )
    nothing: dict[str, None] = dict.fromkeys(("decision", "verdict", "policy", "policy_sha256", "test_revision"))
    bare = an_entry(number=2, evaluations=(), **nothing)
    with log.locked():
        log.append(full)
        log.append(bare)
    assert log.entries() == (full, bare)
    assert [entry.sha256 for entry in log.entries()] == [full.sha256, bare.sha256]


def test_one_process_may_ask_for_the_lock_it_has(log: AuditLog) -> None:
    with log.locked(), log.locked():
        log.append(THREE[0])
    with log.locked():
        log.append(THREE[1])
    assert log.entries() == THREE[:2]


def test_of_two_entries_with_one_number_the_first_stays_and_the_second_is_reported(log: AuditLog) -> None:
    with log.locked():
        log.append(THREE[0])
        for late in (replace(THREE[0], actor="bo@desk"), replace(THREE[0], reason="the same, but later")):
            with pytest.raises(LogGrewError, match="entry 1 "):
                log.append(late)
        log.append(THREE[1])
    assert log.entries() == THREE[:2]
    assert log.damage() == ()
