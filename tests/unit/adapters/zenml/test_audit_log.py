"""The log on ZenML's server: what was edited or removed there is found; what a killed writer left is no part of it."""

from contextlib import nullcontext
from typing import Any

import pytest

from cv_yolo.adapters.zenml import audit_log as zenml_audit_log
from cv_yolo.adapters.zenml.audit_log import ZenmlAuditLog
from cv_yolo.domain.promotion.audit import Action, AuditFinding, Entry, verify
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import AuditLogError, LogGrewError, ServiceUnavailableError
from tests.builders import a_log

pytestmark = pytest.mark.usefixtures("zenml_container")
THREE = a_log(*[(Action.PROMOTED, Stage.STAGING, version) for version in "123"])


@pytest.fixture
def log(request: pytest.FixtureRequest) -> ZenmlAuditLog:
    """A log of three entries."""
    made = ZenmlAuditLog(model=f"zlog_{abs(hash(request.node.name)) % 10**9}", locked=nullcontext)
    for entry in THREE:
        made.append(entry)
    return made


def row(log: ZenmlAuditLog, number: int) -> Any:
    return log._client.get_model_version(log._name, f"entry_{number}")


def edit(log: ZenmlAuditLog, number: int, text: str | None) -> None:
    """Write something else into a row, past the server, as somebody with the database's password can."""
    from sqlmodel import Session
    from zenml.zen_stores.schemas import ModelVersionSchema

    with Session(log._client.zen_store.engine) as session:
        kept = session.get(ModelVersionSchema, row(log, number).id)
        assert kept is not None
        kept.description = text
        session.add(kept)
        session.commit()


def sentences(log: ZenmlAuditLog) -> list[str]:
    return [finding.sentence for finding in log.damage()]


def test_the_copy_of_an_entry_is_kept_with_the_artifacts_under_its_number_and_hash(log: ZenmlAuditLog) -> None:
    path = log._copy_of(THREE[1])
    assert path.startswith(log._client.active_stack.artifact_store.path)
    assert path.endswith(f"/audit_log/{log._model}/000002-{THREE[1].sha256}.json")
    with log._store.open(path, "rb") as file:
        assert file.read() == THREE[1].canonical.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "not an entry of the log: "),
        ("looked at by hand", "not an entry of the log: "),
        (THREE[1].canonical.replace('"number":2', '"number": 2'), "not in the form in which entries are written"),
    ],
)
def test_a_row_that_is_no_entry_is_named(log: ZenmlAuditLog, text: str | None, reason: str) -> None:
    edit(log, 2, text)
    with pytest.raises(AuditLogError) as caught:
        log.entries()
    assert caught.value.message.startswith(f"audit_log_{log._model}, entry_2: {reason}")
    assert sentences(log) == [caught.value.message]


def test_a_row_that_was_changed_into_another_entry_has_no_copy(log: ZenmlAuditLog) -> None:
    edit(log, 2, THREE[1].canonical.replace('"version":"2"', '"version":"9"'))
    changed = log.entries()
    assert [entry.version for entry in changed] == ["1", "9", "3"]
    assert sentences(log) == [
        f"Entry 2 has no copy at {log._copy_of(changed[1])}: one of the two was changed or removed."
    ]
    assert [finding.number for finding in verify(changed, None)] == [2]


def test_rows_that_were_exchanged_are_found_by_the_chain(log: ZenmlAuditLog) -> None:
    edit(log, 2, THREE[2].canonical)
    edit(log, 3, THREE[1].canonical)
    assert "Entry 2 stands after entry 3." in [finding.sentence for finding in verify(log.entries(), None)]


def test_a_row_that_was_removed_is_found_by_the_chain(log: ZenmlAuditLog) -> None:
    log._client.delete_model_version(row(log, 2).id)
    assert log.entries() == (THREE[0], THREE[2])
    assert verify(log.entries(), None) == (AuditFinding(number=2, sentence="Entry 2 is missing."),)


def test_a_log_that_was_removed_whole_is_found_by_its_anchor(log: ZenmlAuditLog) -> None:
    log._client.delete_model(log._name)
    assert log.entries() == ()
    findings = verify(log.entries(), f"3 {THREE[2].sha256}")
    assert [each.sentence for each in findings] == [
        "Entries 1 to 3 are missing at the end: the registry has seen entry 3."
    ]


def test_a_row_that_we_did_not_make_is_damage(log: ZenmlAuditLog) -> None:
    log._client.create_model_version(log._name, name="by_hand", description=THREE[0].canonical)
    assert sentences(log) == [f"audit_log_{log._model}, by_hand: not an entry of the log: no entry is named so"]


def test_a_copy_that_was_changed_or_removed_is_found_and_hinders_nobody(log: ZenmlAuditLog) -> None:
    with log._store.open(log._copy_of(THREE[0]), "wb") as file:
        file.write(THREE[1].canonical.encode())
    log._store.remove(log._copy_of(THREE[2]))
    first, third = log.damage()
    assert (first.number, third.number) == (1, 3)
    assert first.sentence == f"The copy of entry 1 at {log._copy_of(THREE[0])} was changed."
    assert "has no copy" in third.sentence
    assert log.entries() == THREE


def test_what_a_writer_left_that_was_killed_before_the_row_is_no_part_of_the_log(log: ZenmlAuditLog) -> None:
    (*_, fourth) = a_log(*[(Action.PROMOTED, Stage.STAGING, version) for version in "1231"])
    log._keep_copy(fourth)
    assert log.entries() == THREE
    assert log.damage() == ()
    log.append(fourth)
    assert log.entries() == (*THREE, fourth)


def test_an_entry_whose_row_was_made_although_no_answer_came_is_ours(log: ZenmlAuditLog) -> None:
    log.append(THREE[2])
    assert log.entries() == THREE


def test_whoever_lost_is_shown_what_to_do(log: ZenmlAuditLog) -> None:
    (*_, other) = a_log(*[(Action.PROMOTED, Stage.STAGING, version) for version in "124"])
    with pytest.raises(
        LogGrewError, match=rf"entry 3 of {log._name} was written by another process in the meantime"
    ) as caught:
        log.append(other)
    assert caught.value.hint == "nothing was moved; `cv-yolo history` shows it; then run the same command again"


def test_more_entries_than_fit_on_a_page_are_all_read_in_their_order(
    log: ZenmlAuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zenml_audit_log, "PAGE", 2)
    eleven = a_log(*[(Action.PROMOTED, Stage.STAGING, version) for version in "123" * 4])[:11]
    for entry in eleven[3:]:
        log.append(entry)
    assert log.entries() == eleven  # ten sorts before nine, as text


def test_logs_do_not_know_each_others_entries(log: ZenmlAuditLog) -> None:
    for model in (f"{log._model}0", log._model[:-1]):
        assert ZenmlAuditLog(model=model, locked=nullcontext).entries() == ()


def test_the_copies_are_in_the_artifact_store_of_the_stack_that_is_named(log: ZenmlAuditLog) -> None:
    store = ZenmlAuditLog(model=log._model, locked=nullcontext, stack="default")._store
    assert store.path == log._store.path
    with pytest.raises(ServiceUnavailableError, match="nobodys"):
        ZenmlAuditLog(model=log._model, locked=nullcontext, stack="nobodys").append(THREE[2])


def test_two_that_begin_a_log_at_once_begin_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (ZenmlAuditLog(model="zlog_begun_twice", locked=nullcontext) for _ in range(2))
    get_model, asked = type(first._client).get_model, list[str]()

    def overtaken(client: Any, name: str) -> Any:
        asked.append(name)
        if len(asked) == 1:
            monkeypatch.setattr(type(first._client), "get_model", get_model)
            first.append(THREE[0])
            raise KeyError(name)
        return get_model(client, name)

    monkeypatch.setattr(type(first._client), "get_model", overtaken)
    second.append(THREE[0])
    second.append(THREE[1])
    assert asked
    assert first.entries() == THREE[:2]


@pytest.mark.parametrize(
    ("call", "act"),
    [
        ("create_model_version", lambda log: log.append(Entry(**(_fields(THREE[2]) | {"number": 4})))),
        ("list_model_versions", lambda log: log.entries()),
        ("list_model_versions", lambda log: log.damage()),
    ],
)
def test_a_server_that_does_not_answer_is_an_unavailable_service(
    log: ZenmlAuditLog, monkeypatch: pytest.MonkeyPatch, call: str, act: Any
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("connection\nrefused")

    monkeypatch.setattr(type(log._client), call, refuse)
    with pytest.raises(ServiceUnavailableError, match="on ZenML's server: connection refused") as caught:
        act(log)
    reported = "fix the cause; `cv-yolo history` then shows whether the entry was written"
    assert caught.value.hint == (reported if call == "create_model_version" else None)


def _fields(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}
