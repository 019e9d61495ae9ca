"""Have the data set at hand, checked, and know exactly what it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cv_yolo.domain.data.findings import DatasetFinding, FindingKind
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, diff_images
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import DatasetFolder, DatasetStore, FoundDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """Where a data set is, and who can bring it there."""

    root: Path
    folder: DatasetFolder
    store: DatasetStore
    report: Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDataset:
    """A data set that can be trained and evaluated on, and what is odd about it."""

    manifest: DatasetManifest
    findings: tuple[DatasetFinding, ...]


def prepare_dataset(source: DatasetSource) -> DatasetManifest:
    """The manifest of the data set as it is now, checked; what is odd about it is reported."""
    checked = check_dataset(source)
    for finding in checked.findings:
        source.report(f"{source.root.name}: {finding.sentence}")
    return checked.manifest


def check_dataset(source: DatasetSource) -> CheckedDataset:
    """The manifest of the data set as it is now, and findings.

    What is missing is pulled, or made by its recipe. Content that differs from the recorded manifest is a new
    revision, and reported. Raises `DatasetError` where the data can be neither found nor made, or is wrong, and where a
    split has images and no boxes.
    """
    if not source.folder.exists(source.root):
        _obtain(source)
    found, recorded = _scan(source)
    difference = diff_images(recorded=found.images if recorded is None else recorded, found=found.images)
    if difference.missing:
        raise DatasetError(
            f"{source.root}: incomplete: {difference.sentence()}",
            hint="restore the files, `dvc checkout` them, or make the data set again",
        )
    if difference:
        source.report(f"{source.root.name} differs from its manifest: {difference.sentence()}: a new revision")
    dvc_hash = source.store.content_hash(source.root)
    manifest = DatasetManifest(
        name=source.root.name,
        classes=found.classes,
        images=_with_attributes(found.images, recorded or ()),
        dvc_hash=dvc_hash,
        category_ids=found.category_ids,
        versioned=dvc_hash is not None
        and dvc_hash == source.store.recorded_hash(source.root)
        and all(finding.kind is not FindingKind.LINKED_FOLDERS for finding in found.findings),
    )
    manifest.require_boxes()
    return CheckedDataset(manifest=manifest, findings=found.findings)


def pull_dataset(source: DatasetSource) -> None:
    """Fetch the recorded revision; raises `DatasetError` where none is recorded, or it was never pushed."""
    _require_recorded(source)
    if not source.store.pull(source.root):
        raise DatasetError(
            f"{source.root}: neither DVC's cache nor its remote has the recorded revision",
            hint="`cv-yolo data push`, on a machine that has it",
        )


def push_dataset(source: DatasetSource) -> None:
    """Keep the recorded revision on the remote; raises `DatasetError` where none is recorded."""
    _require_recorded(source)
    source.store.push(source.root)


def _require_recorded(source: DatasetSource) -> None:
    if source.store.recorded_hash(source.root) is None:
        raise DatasetError(
            f"{source.root}: DVC has recorded no revision of it", hint=f"`dvc add {source.root}` records one"
        )


def _obtain(source: DatasetSource) -> None:
    """Pull what is recorded; make what was recorded and never pushed, or never recorded: that is no failure."""
    name = source.root.name
    if source.store.recorded_hash(source.root) is not None:
        source.report(f"{name} is not here: asking DVC for it")
        if source.store.pull(source.root) and source.folder.exists(source.root):
            return
    recipe = source.store.recipe(source.root)
    if recipe is not None:
        source.report(f"{name} is not here yet: making it (stage {recipe} of dvc.yaml)")
        if source.store.make(source.root) and source.folder.exists(source.root):
            return
    raise DatasetError(
        f"{source.root}: no data set here, DVC could pull none, and no DVC stage makes it",
        hint="name a folder with a data.yaml (train, val, names), or make one: `cv-yolo data synth --help`",
    )


def _scan(source: DatasetSource) -> tuple[FoundDataset, tuple[ImageRecord, ...] | None]:
    """Read the folder; where files of the manifest are missing, ask the store for them once."""
    found, recorded = source.folder.scan(source.root), source.folder.recorded(source.root)
    if recorded is None or not diff_images(recorded=recorded, found=found.images).missing:
        return found, recorded
    source.report(f"{source.root.name} is incomplete: asking DVC for the missing files")
    source.store.pull(source.root)
    return source.folder.scan(source.root), recorded


def _with_attributes(found: tuple[ImageRecord, ...], recorded: tuple[ImageRecord, ...]) -> tuple[ImageRecord, ...]:
    """Columns that the manifest records for an image stay with it, beside those that the folder gives it now."""
    known = {record.image: record.attributes for record in recorded}
    return tuple(replace(record, attributes=known.get(record.image, {}) | record.attributes) for record in found)
