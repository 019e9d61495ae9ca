"""What a drill makes of what restored records hand out: audit logs, files, objects."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.adapters.files.audit_log import AuditFile
from cv_yolo.domain.promotion.audit import Action, Proposal, chained
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.stack import ObjectStoreAddress, TrackingAddress
from cv_yolo.errors import RunFailedError
from cv_yolo.settings import Settings
from cv_yolo_stack.backup.content_store import Contents
from cv_yolo_stack.backup.objects import keep_objects
from cv_yolo_stack.backup.proof import audit_logs, embedded_artifacts, files, stored, verify_by_history
from cv_yolo_stack.backup.restore import restore
from cv_yolo_stack.backup.snapshot_source import entries_in_files
from cv_yolo_stack.backup.take import take_backup
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.domain.backup_manifest import BackupManifest, manifest_of
from tests.loopback import Asked, Reply, loopback
from tests.unit.stack.backup.records import RUN, a_project, quiet
from tests.unit.stack.backup.stacks import MemoryStore, a_stack

MODEL = "my det"


@pytest.fixture
def container(tmp_path: Path) -> StackContainer:
    return StackContainer(Settings(root=tmp_path / "project"))


def a_log(container: StackContainer) -> None:
    log = AuditFile(container.settings.audit / "my%20det.jsonl")
    for number in (1, 2):
        proposal = Proposal(stage=Stage.STAGING, version=str(number), run_id=f"run{number}")
        at = datetime(2026, 11, 26, number, tzinfo=UTC)
        log.append(chained(proposal, log.entries(), action=Action.PROMOTED, model=MODEL, actor="anna", at=at))


def test_an_audit_log_verifies_if_its_last_entry_is_the_expected_one(container: StackContainer) -> None:
    a_log(container)
    entries = entries_in_files(container, container.settings)
    assert list(entries) == ["my det 1", "my det 2"]
    last = entries["my det 2"]
    assert audit_logs([MODEL], entries, verify=lambda _: (True, last)).agrees
    assert audit_logs([MODEL], entries, verify=lambda _: (False, last)).different == (MODEL,)
    assert audit_logs([MODEL], entries, verify=lambda _: (True, entries["my det 1"])).different == (MODEL,)


def test_a_log_that_does_not_exist_yet_is_intact_and_a_lost_one_is_not() -> None:
    assert audit_logs([MODEL], {}, verify=lambda _: (True, None)).agrees
    assert not audit_logs([MODEL], {}, verify=lambda _: (False, None)).agrees


@pytest.fixture
def restored(tmp_path: Path) -> tuple[BackupManifest, Settings]:
    container, elsewhere = a_project(tmp_path / "source"), Settings(root=tmp_path / "elsewhere")
    manifest = take_backup(container, None, tmp_path / "backup", take_snapshot=None, report=quiet)
    restore(container, elsewhere, tmp_path / "backup", report=quiet)
    return manifest, elsewhere


def test_files_are_compared_as_they_are_on_the_disk(restored: tuple[BackupManifest, Settings]) -> None:
    manifest, settings = restored
    assert files(manifest, settings).agrees
    (settings.weights / "w.pt").write_text("other", encoding="utf-8")
    (settings.decisions / "one.md").unlink()
    found = files(manifest, settings)
    assert (found.different, found.missing) == (("home/weights/w.pt",), ("project/reports/decisions/one.md",))


def test_artifacts_of_embedded_runs_are_asked_of_their_server(restored: tuple[BackupManifest, Settings]) -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(body=b"weights") if f"run_uuid={RUN}&path=best.pt" in asked.path else Reply(status=404)

    with loopback(answer) as url:
        (found,) = embedded_artifacts(StackContainer(restored[1]), restored[0], TrackingAddress(uri=url), quiet)
    assert (found.expected, found.agrees) == (1, True)


def test_objects_come_through_mlflow_or_s3_and_what_does_not_is_missing(
    container: StackContainer, tmp_path: Path
) -> None:
    of_run = f"1/{'a' * 32}/artifacts/best.pt"
    store = MemoryStore(kept={"mlflow": {of_run: b"weights", "other": b"x"}, "dvc": {"lost": b"y"}})
    contents = Contents(tmp_path / "backup")
    contents.begin()
    kept = keep_objects(store.container(), a_stack(tmp_path / "services"), contents, quiet)
    manifest = manifest_of(kept, made_at=datetime(2026, 11, 26, tzinfo=UTC), home="/", software={})
    store.gone.add("lost")
    memory = store.container()
    objects = ObjectStoreAddress(endpoint_url=None, access_key="a", secret_key="b")
    with loopback(lambda _: Reply(body=b"weights")) as url:
        tracking = TrackingAddress(uri=url)
        memory.tracking_snapshot = container.tracking_snapshot
        runs, others = stored(memory, manifest, tracking=tracking, objects=objects, report=quiet)
    assert (runs.expected, runs.agrees) == (1, True)
    assert (others.expected, others.missing) == (2, ("objects/dvc/lost",))


def test_a_verification_without_a_result_is_not_a_broken_log(container: StackContainer) -> None:
    container.settings.root.mkdir(exist_ok=True)
    container.settings.connection_file.parent.mkdir(parents=True, exist_ok=True)
    container.settings.connection_file.write_text("no JSON", encoding="utf-8")
    with pytest.raises(RunFailedError, match=r"code 2 and no result: .*connection\.json"):
        verify_by_history(container.settings, MODEL)


def test_an_answer_of_a_verification_that_failed_afterwards_does_not_count(
    container: StackContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported = subprocess.CompletedProcess([], -9, stdout='{"findings": [], "head": null}', stderr="killed")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: reported)
    with pytest.raises(RunFailedError, match=r"code -9 and no result: killed"):
        verify_by_history(container.settings, MODEL)
