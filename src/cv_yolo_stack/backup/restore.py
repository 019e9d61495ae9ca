"""Restore a backup into an empty project.

Everything is first prepared in its own folder, `restoring/` in the home; moving it into place is the last step, and
instant. So an interrupted restore has changed nothing yet, or only has to continue moving.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from cv_yolo.errors import InputError, ServiceUnavailableError
from cv_yolo.files import write_whole
from cv_yolo.settings import Settings
from cv_yolo_stack.backup.content_store import Contents, Progress, Report, require_room, verified, writing
from cv_yolo_stack.backup.preconditions import make_way, require_empty
from cv_yolo_stack.backup.records import adapt_connection, adapt_records
from cv_yolo_stack.backup.sources import target_of
from cv_yolo_stack.backup.stack import fill_servers, kept_stack, require_able
from cv_yolo_stack.backup.take import software
from cv_yolo_stack.configuration.choice import keep_choice
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.configuration.local_stack import LocalStack, read_stack
from cv_yolo_stack.domain.backup_manifest import HOME, PROJECT, BackupManifest, unlike
from cv_yolo_stack.supervision.processes import end, processes_of

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

MARGIN_BYTES: Final = 500_000_000  # the system tables and logs of a new database server among it
GRACE_S: Final = 10.0
NO_PORTS: Final[Mapping[str, int]] = {}
SECRETS: Final = ("connection.json", "credentials.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored; `moved` where the servers get other addresses than before."""

    manifest: BackupManifest
    stack: LocalStack | None
    moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Staging:
    """Where everything is made ready: `home/` and `project/`, and the file `ready` once nothing is missing."""

    folder: Path

    @property
    def home(self) -> Path:
        """What will be the home."""
        return self.folder / HOME

    @property
    def project(self) -> Path:
        """What will be in the project's folder."""
        return self.folder / PROJECT

    @property
    def services(self) -> StackFolder:
        """What will be the stack's folder."""
        return StackFolder(root=self.home / "services")

    @property
    def ready(self) -> Path:
        """The hash of the backup of which everything is here."""
        return self.folder / "ready"

    def ready_of(self) -> str | None:
        """The backup that only has to be moved into place."""
        return self.ready.read_text(encoding="utf-8") if self.ready.is_file() else None

    def clear(self) -> None:
        """Remove what an interrupted restore has left, its servers first."""
        end(processes_of(self.services.root), grace_s=GRACE_S)
        if self.folder.exists():
            shutil.rmtree(self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is restored, and through which folder; `stack` is the stack of its servers."""

    manifest: BackupManifest
    contents: Contents
    staging: Staging
    stack: LocalStack | None


def restore(
    container: "StackContainer",
    settings: Settings,
    backup: Path,
    *,
    report: Report,
    ports: Mapping[str, int] = NO_PORTS,
    own: bool = False,
) -> Restored:
    """Restore a whole backup into an empty project; nothing is changed before all of it was verified.

    `ports` are other ports than the servers had; with `own`, servers of this machine stand in for external ones.

    Raises `InputError` for a damaged backup, a project that is not empty, or software of another version.
    """
    manifest = verified(backup, report)
    staging = Staging(folder=settings.home / "restoring")
    contents = Contents(backup)
    with writing(settings.home), _alone(settings.home):
        if not _is_ready(staging, manifest):
            stack = kept_stack(manifest, contents, staging.services, ports, own=own)
            plan = Plan(manifest=manifest, contents=contents, staging=staging, stack=stack)
            _prepare(container, settings, plan, report)
        report(Progress(what="move everything into place"))
        _move(staging.home, settings.home)
        _move(staging.project, settings.root)
        staging.clear()
    return _restored(settings, manifest, contents)


def _is_ready(staging: Staging, manifest: BackupManifest) -> bool:
    ready = staging.ready_of()
    if ready not in {None, manifest.sha256}:
        raise InputError(
            f"{staging.folder}: the restore of another backup was interrupted just before its end",
            hint=f"restore that backup again to finish it; its hash is {ready}",
        )
    return ready is not None


def _prepare(container: "StackContainer", settings: Settings, plan: Plan, report: Report) -> None:
    """Make everything ready; then, and only then, make way for it."""
    manifest, staging = plan.manifest, plan.staging
    _require_same_software(container, manifest)
    if plan.stack is not None:
        require_able(container, plan.stack, manifest)
    require_empty(container, settings, manifest)
    require_room(settings.home, manifest.size_bytes + MARGIN_BYTES)
    staging.clear()
    _copy_files(plan, report)
    container.detector.migrate(staging.home)
    adapt_records(staging.home, container.database_files, former=manifest.home, home=settings.home)
    if plan.stack is not None:
        fill_servers(container, plan.stack, manifest, plan.contents, report)
        _settle(plan.stack, staging, former_url=_former(manifest, plan.contents).pipelines.url)
    make_way(settings)
    write_whole(staging.ready, manifest.sha256)


def _copy_files(plan: Plan, report: Report) -> None:
    contents, staging = plan.contents, plan.staging
    files = [*plan.manifest.area(HOME), *plan.manifest.area(PROJECT)]
    for folder in (staging.home, staging.project):
        folder.mkdir(mode=0o700, parents=True)
    for number, each in enumerate(files, 1):
        target = target_of(each.place, root=staging.project, home=staging.home)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(contents.path(each.sha256), target)
        if target.name in SECRETS:
            target.chmod(0o600)
        report(Progress(what="copy the files", done=number, total=len(files)))


def _settle(stack: LocalStack, staging: Staging, *, former_url: str) -> None:
    """Leave the stack as after `cv-yolo down`, with its own ports."""
    keep_choice(stack.folder.choice, stack.choice)
    stack.folder.state.unlink(missing_ok=True)
    shutil.rmtree(stack.folder.log("store").parent)
    adapt_connection(staging.home / "connection.json", former_url=former_url, url=stack.pipelines.url)


def _restored(settings: Settings, manifest: BackupManifest, contents: Contents) -> Restored:
    stack = read_stack(settings)
    if stack is None or not manifest.has_servers:
        return Restored(manifest=manifest, stack=None, moved=False)
    former = _former(manifest, contents)
    return Restored(manifest=manifest, stack=stack, moved=former.choice.ports != stack.choice.ports)


def _former(manifest: BackupManifest, contents: Contents) -> LocalStack:
    stack = kept_stack(manifest, contents, StackFolder(root=Path(manifest.home) / "services"), {})
    assert stack is not None, "asked of a backup of servers only"
    return stack


def _require_same_software(container: "StackContainer", manifest: BackupManifest) -> None:
    others = unlike(manifest, software(container, None))
    if others:
        raise InputError(
            f"the backup was made with {', '.join(others)}",
            hint="restore with the same versions (see requirements.lock of that time), and upgrade afterwards",
        )


def _move(source: Path, target: Path) -> None:
    """Move a file or a folder; into a folder that is there already, what is in it."""
    if not source.exists():
        return  # moved before, by a restore that was interrupted
    if source.is_dir() and target.is_dir():
        for each in sorted(source.iterdir()):
            _move(each, target / each.name)
        source.rmdir()
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(home / "restoring.lock", blocking=False):
            yield
    except Timeout as error:
        raise ServiceUnavailableError(
            f"{home}: another restore is running here", hint="wait until it has finished"
        ) from error
