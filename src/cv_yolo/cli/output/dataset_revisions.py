"""What `cv-yolo data log` and `where` print: as text, and as JSON with everything."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo.domain.data.names import printable
from cv_yolo.reports.text.difference import counts_text
from cv_yolo.reports.text.formatting import ABSENT, count_text

if TYPE_CHECKING:
    from cv_yolo.ports.revisions import RecordedRevision, RevisionSummary, StoredFiles
    from cv_yolo.workflows.dataset_revisions import DatasetLog, LoggedRevision, WorkspaceState
    from cv_yolo.workflows.find_revision import RevisionUse

SHORT: Final = 12
SHORT_COMMIT: Final = 7


def print_log(folder: Path, log: "DatasetLog") -> None:
    """The revisions, two lines each; then the folder as it is now, and what is not known."""
    click.echo(f"{folder}: {count_text(len(log.revisions), 'recorded revision')}")
    for row in log.revisions:
        known = ABSENT if row.revision is None else row.revision[:SHORT]
        click.echo(f"  {known:{SHORT}}  {_record_text(row.recorded)}")
        for line in _details(row):
            click.echo(f"    {line}")
    click.echo(f"  workspace: {_workspace_text(log.workspace, has_records=bool(log.revisions))}")
    for revision, runs in log.unrecorded.items():
        click.echo(f"  {revision[:SHORT]}  not recorded by DVC; used by {_runs_text(runs)}")
    for note in log.notes:
        click.echo(f"  note: {printable(note)}")


def log_json(log: "DatasetLog") -> dict[str, Any]:
    """All of it for programs."""
    return {
        "folder": str(log.folder),
        "revisions": [
            _record_json(row.recorded)
            | {
                "revision": row.revision,
                **_summary_json(row.summary),
                "changes": None if row.counts is None else dict(row.counts),
                "files": _stored_json(row.stored) | {"workspace": row.in_workspace},
                "runs": row.runs,
                "problem": row.problem,
            }
            for row in log.revisions
        ],
        "workspace": {
            "revision": None if log.workspace.summary is None else log.workspace.summary.revision,
            **_summary_json(log.workspace.summary),
            "changes": None if log.workspace.counts is None else dict(log.workspace.counts),
            "problem": log.workspace.problem,
        },
        "unrecorded": [{"revision": revision, "runs": list(runs)} for revision, runs in log.unrecorded.items()],
        "notes": list(log.notes),
    }


def print_use(use: "RevisionUse") -> None:
    """Where a revision is, and what used it, a line each."""
    click.echo(f"revision {use.revision or 'not known: its files are not at hand'}")
    for dvc_hash, stored in use.stored.items():
        click.echo(f"  DVC {dvc_hash}: {_stored_text(stored)}")
    for folder in use.folders:
        click.echo(f"  folder {folder}")
    for record in use.records:
        click.echo(f"  recorded in {record.file}: {_record_text(record)}")
    for run in use.runs:
        click.echo(f"  run {run.run_id[:8]} {printable(run.name)} ({run.status}, {run.started_at:%Y-%m-%d})")
    for version in use.versions:
        stage = use.stages.get(version.version) or version.stage
        click.echo(f"  version {version.version} of {version.model}{'' if stage is None else f', {stage}'}")
    for decision in use.decisions:
        entry = decision.entry
        how = [word for word, holds in (("trained on it", decision.trained_on), ("judged by its test images",
               decision.judged_on)) if holds]  # fmt: skip
        click.echo(
            f"  decision {entry.number} ({entry.at:%Y-%m-%d}): version {entry.version} "
            f"{entry.action.replace('_', ' ')} ({entry.stage}), {' and '.join(how)}"
        )
    for note in use.notes:
        click.echo(f"  note: {printable(note)}")


def use_json(use: "RevisionUse") -> dict[str, Any]:
    """All of it for programs."""
    return {
        "revision": use.revision,
        "dvc": [{"dvc_hash": dvc_hash} | _stored_json(stored) for dvc_hash, stored in use.stored.items()],
        "folders": [str(folder) for folder in use.folders],
        "records": [_record_json(record) for record in use.records],
        "runs": [
            {"run_id": run.run_id, "name": run.name, "status": run.status, "started_at": run.started_at.isoformat()}
            for run in use.runs
        ],
        "versions": [
            {"model": each.model, "version": each.version, "run_id": each.run_id}
            | {"stage": use.stages.get(each.version) or each.stage}
            for each in use.versions
        ],
        "decisions": [
            {
                "number": each.entry.number,
                "at": each.entry.at.isoformat(),
                "action": each.entry.action,
                "stage": each.entry.stage,
                "version": each.entry.version,
                "decision": each.entry.decision,
                "trained_on": each.trained_on,
                "judged_on": each.judged_on,
            }
            for each in use.decisions
        ],
        "notes": list(use.notes),
    }


def _details(row: "LoggedRevision") -> Iterator[str]:
    if row.summary is not None:
        images = ", ".join(f"{split} {count}" for split, count in row.summary.images.items())
        changes = _changes(row)
        yield f"{images} images, {count_text(row.summary.boxes, 'box', 'boxes')}; {changes}"
    if row.problem is not None:
        yield f"not known: {printable(row.problem.splitlines()[0])}"
    places = ["workspace"] if row.in_workspace else []
    used = [] if not row.runs else [count_text(row.runs, "run")]
    yield f"DVC {row.recorded.dvc_hash[:SHORT]}; files: {', '.join([*places, _stored_text(row.stored), *used])}"


def _changes(row: "LoggedRevision") -> str:
    if row.recorded.former is None:
        return "no earlier record is known" if row.recorded.commit is None else "no record in the commit before"
    return "what changed is not known" if row.counts is None else counts_text(row.counts)


def _workspace_text(state: "WorkspaceState", *, has_records: bool) -> str:
    if state.summary is None:
        return f"not known: {printable((state.problem or '').splitlines()[0])}"
    revision = f"revision {state.summary.revision[:SHORT]}"
    if not has_records:
        return f"{revision}, not recorded"
    if state.counts is None:
        problem = printable((state.problem or "").splitlines()[0])
        differs = (
            "whether it is the last recorded one" if state.differs is None else "what changed since the last record"
        )
        return f"{revision}; {differs} is not known: {problem}"
    if not any(state.counts.values()):
        return f"{revision}, as last recorded"
    return f"{revision} differs from the last recorded one: {counts_text(state.counts)}"


def _record_text(record: "RecordedRevision") -> str:
    if record.commit is None or record.at is None:
        return f"{record.file}, not committed"
    said = f"{printable(record.author or '')}: {printable(record.subject or '')}"
    return f"{record.at:%Y-%m-%d %H:%M}  {record.commit[:SHORT_COMMIT]}  {said}"


def _stored_text(stored: "StoredFiles") -> str:
    """What this machine has; remotes are not asked."""
    if stored.files is None:
        return "not in DVC's cache, remote not asked"
    if stored.missing:
        return f"{stored.missing} of {stored.files} not in DVC's cache, remote not asked"
    return "DVC cache"


def _runs_text(runs: Sequence[str]) -> str:
    return ", ".join(map(printable, runs[:3])) + (f" and {len(runs) - 3} more" if len(runs) > 3 else "")  # noqa: PLR2004


def _record_json(record: "RecordedRevision") -> dict[str, Any]:
    return {
        "folder": str(record.folder),
        "dvc_hash": record.dvc_hash,
        "file": record.file,
        "commit": record.commit,
        "at": None if record.at is None else record.at.isoformat(),
        "author": record.author,
        "subject": record.subject,
    }


def _summary_json(summary: "RevisionSummary | None") -> dict[str, Any]:
    if summary is None:
        return {"images": None, "boxes": None, "classes": None}
    images = {split.value: count for split, count in summary.images.items()}
    return {"images": images, "boxes": summary.boxes, "classes": list(summary.classes)}


def _stored_json(stored: "StoredFiles") -> dict[str, Any]:
    missing = None if stored.files is None else stored.missing
    return {"cache": stored.complete, "files": stored.files, "missing": missing}
