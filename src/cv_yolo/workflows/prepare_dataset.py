"""Have the data set at hand, checked, and know exactly what it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cv_yolo.domain.dataset import DatasetManifest, ImageRecord, diff_images
from cv_yolo.errors import DatasetError
from cv_yolo.ports import DatasetFolder, DatasetStore, FoundDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """Where a data set is, and who can bring it there."""

    root: Path
    folder: DatasetFolder
    store: DatasetStore
    report: Callable[[str], None]


def prepare_dataset(source: DatasetSource) -> DatasetManifest:
    """The manifest of the data set as it is now.

    What is missing is pulled, or made by its recipe. Content that differs from the recorded manifest is a new
    revision, and reported. Raises `DatasetError` where the data can be neither found nor made, or is wrong.
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
    return DatasetManifest(
        name=source.root.name,
        classes=found.classes,
        images=_with_attributes(found.images, recorded or ()),
        dvc_hash=dvc_hash,
        versioned=dvc_hash is not None and dvc_hash == source.store.recorded_hash(source.root),
    )


def _obtain(source: DatasetSource) -> None:
    source.report(f"{source.root.name} is not here: asking DVC for it")
    if source.store.pull(source.root) and source.folder.exists(source.root):
        return
    source.report(f"{source.root.name} could not be pulled (`dvc pull` says why): making it")
    if source.store.make(source.root) and source.folder.exists(source.root):
        return
    raise DatasetError(
        f"{source.root}: no data set here, DVC could pull none, and no DVC stage makes it",
        hint="name a folder with a data.yaml (train, val, names), or make one: `cv-yolo data synth --help`, "
        "`python tools/make_tiny_person_from_coco128.py --help`",
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
