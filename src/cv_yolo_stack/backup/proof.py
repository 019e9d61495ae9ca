"""What restored servers return: every object as a client gets it, audit logs as `history` verifies them."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from cv_yolo.domain.stack import TRACKING_BUCKET, ObjectStoreAddress, TrackingAddress
from cv_yolo.errors import NotFoundError, RunFailedError
from cv_yolo.files import sha256_of
from cv_yolo.settings import Settings
from cv_yolo_stack.backup.content_store import Report
from cv_yolo_stack.backup.objects import bucket_and_key, together
from cv_yolo_stack.backup.records import RECORDS, ZENML_CONFIGURATION
from cv_yolo_stack.backup.sources import target_of
from cv_yolo_stack.domain.backup_manifest import HOME, OBJECTS, PROJECT, BackupManifest, Kept
from cv_yolo_stack.domain.snapshot import KindComparison, entry_name, model_of_entry, tally
from cv_yolo_stack.servers.service import clean_environment

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

OF_RUN: Final = re.compile(r"\d+/[0-9a-f]{32}/artifacts/.+")
OF_EMBEDDED_RUN: Final = re.compile(rf"{HOME}/mlflow/artifacts/[^/]+/([0-9a-f]{{32}})/artifacts/(.+)")
ADAPTED: Final = frozenset(
    f"{HOME}/{name}" for name in (*RECORDS, ZENML_CONFIGURATION, "connection.json", "services/stack.json")
)
RECORDS_OF_SERVERS: Final = f"{HOME}/services/data/"
ARTIFACTS: Final = "artifacts of runs"
OTHER_OBJECTS: Final = "other objects"
FILES: Final = "files"
LOGS: Final = "audit logs that verify"

Verify = Callable[[str], tuple[bool, str | None]]
Fetch = Callable[[], Iterable[bytes]]


def stored(
    container: "StackContainer",
    manifest: BackupManifest,
    *,
    tracking: TrackingAddress,
    objects: ObjectStoreAddress,
    report: Report,
) -> tuple[KindComparison, ...]:
    """The objects of a stack: artifacts of runs through MLflow's server, the others through S3."""
    snapshot, copies = container.tracking_snapshot(tracking), container.object_copies(objects)
    runs, others = [], []
    for each in manifest.area(OBJECTS):
        bucket, key = bucket_and_key(each)
        if bucket == TRACKING_BUCKET and OF_RUN.fullmatch(key):
            runs.append((each, partial(snapshot.artifact, key)))
        else:
            others.append((each, partial(copies.chunks, bucket, key)))
    return _tally(ARTIFACTS, runs, report), _tally(OTHER_OBJECTS, others, report)


def embedded_artifacts(
    container: "StackContainer", manifest: BackupManifest, tracking: TrackingAddress, report: Report
) -> tuple[KindComparison, ...]:
    """The artifacts of runs in the embedded records, through a server on them."""
    snapshot = container.tracking_snapshot(tracking)
    found = [(each, OF_EMBEDDED_RUN.fullmatch(each.place)) for each in manifest.area(HOME)]
    wanted = [(each, partial(snapshot.run_artifact, *of_run.groups())) for each, of_run in found if of_run]
    return (_tally(ARTIFACTS, wanted, report),)


def files(manifest: BackupManifest, settings: Settings) -> KindComparison:
    """The files of the project as they are on disk, except databases, which servers read, and adapted addresses."""
    kept = [
        each
        for each in (*manifest.area(HOME), *manifest.area(PROJECT))
        if each.place not in ADAPTED and not each.place.startswith(RECORDS_OF_SERVERS)
    ]
    targets = {each.place: target_of(each.place, root=settings.root, home=settings.home) for each in kept}
    found = {place: sha256_of(path) for place, path in targets.items() if path.is_file()}
    return tally(FILES, {each.place: each.sha256 for each in kept}, found)


def audit_logs(models: Sequence[str], entries: Mapping[str, str], *, verify: Verify) -> KindComparison:
    """Whether each log is found whole, and ending with the last of these entries."""
    broken = [model for model in models if verify(model) != (True, _last(model, entries))]
    return KindComparison(kind=LOGS, expected=len(models), different=tuple(broken))


def verify_by_history(settings: Settings, model: str) -> tuple[bool, str | None]:
    """Whether `cv-yolo history --verify` finds a log whole, and the hash of its last entry.

    Raises `RunFailedError` where it returns no result: that is not a broken log.
    """
    home = {"CV_YOLO_ROOT": str(settings.root), "CV_YOLO_HOME": str(settings.home)}
    done = subprocess.run(
        [sys.executable, "-m", "cv_yolo", "history", "--verify", "--json", "--model", model],
        cwd=settings.root,
        env=clean_environment() | home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,  # 0 is a whole log, 1 a broken one, or no answer at all: raised below, like every other exit code
    )
    try:
        answer = json.loads(done.stdout if done.returncode in (0, 1) else "")
    except ValueError as error:
        ended = f"`cv-yolo history --verify` exited with code {done.returncode} and no result"
        raise RunFailedError(f"{ended}: {done.stderr.strip()}") from error
    return not answer["findings"], answer["head"]


def _last(model: str, entries: Mapping[str, str]) -> str | None:
    numbers = (int(name.rpartition(" ")[2]) for name in entries if model_of_entry(name) == model)
    last = max(numbers, default=0)
    return entries.get(entry_name(model, last))


def _tally(kind: str, wanted: Sequence[tuple[Kept, Fetch]], report: Report) -> KindComparison:
    jobs = [(partial(_hash, fetch), each.size_bytes) for each, fetch in wanted]
    hashes = list(together(f"fetch the {kind}", jobs, report))
    expected = {each.place: each.sha256 for each, _ in wanted}
    pairs = zip(expected, hashes, strict=True)
    return tally(kind, expected, {place: digest for place, digest in pairs if digest is not None})


def _hash(fetch: Fetch) -> str | None:
    """The hash of what is returned; None where nothing is."""
    digest = hashlib.sha256()
    try:
        for chunk in fetch():
            digest.update(chunk)
    except NotFoundError:
        return None
    return digest.hexdigest()
