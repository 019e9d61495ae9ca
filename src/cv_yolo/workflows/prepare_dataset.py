"""Have the data set at hand, checked, and know exactly what it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.difference import diff_images
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind, Severity, finding_at
from cv_yolo.domain.data.gate import GatedImages, changed_test_set, gate_findings
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split, revision_of
from cv_yolo.domain.data.refusals import gathered
from cv_yolo.errors import CvYoloError, DatasetError, one_line
from cv_yolo.ports.datasets import DatasetFolder, DatasetStore, FoundDataset


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSource:
    """Where a data set is, who can bring it there, and what it must be like.

    `on_image` is called with the numbers of images that are read and that there are. `last_test_revision` is by which
    test images of this data set the last decision judged; None where that is not known, or nothing was decided.
    """

    root: Path
    folder: DatasetFolder
    store: DatasetStore
    report: Callable[[str], None]
    policy: DataPolicy = field(default_factory=DataPolicy)
    on_image: Callable[[int, int], None] = lambda done, total: None
    last_test_revision: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDataset:
    """A data set that can be trained and evaluated on, and what is odd about it."""

    manifest: DatasetManifest
    findings: tuple[DatasetFinding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InspectedDataset:
    """All findings about a data set; the manifest is None where there are errors, and `errors` says them in words.

    `excepted` counts what exceptions of the policy accept.
    """

    found: FoundDataset
    findings: tuple[DatasetFinding, ...]
    errors: tuple[DatasetError, ...]
    manifest: DatasetManifest | None
    excepted: int = 0

    @property
    def gated(self) -> GatedImages:
        """The images that can be read."""
        return GatedImages(classes=self.found.classes, images=self.found.images, details=self.found.details)


OF_WHOLE_SPLITS: Final = {  # says nothing while some images cannot be read
    FindingKind.MISSING_CLASSES,
    FindingKind.UNLEARNED_CLASSES,
    FindingKind.IMBALANCED_CLASSES,
    FindingKind.DIFFERENT_SPLITS,
    FindingKind.TEST_CHANGED,
}


def prepare_dataset(source: DatasetSource) -> DatasetManifest:
    """The manifest of the data set as it is now, checked; what is odd about it is reported."""
    checked = check_dataset(source)
    for finding in checked.findings:
        source.report(f"{source.root.name}: {finding.sentence}")
    return checked.manifest


def check_dataset(source: DatasetSource) -> CheckedDataset:
    """The manifest of the data set as it is now, and findings.

    What is missing is pulled, or made by its recipe. Content that differs from the recorded manifest is a new
    revision, and reported. Raises `DatasetError` where the data can be neither found nor made, or the data gate finds
    an error: all of them in one.
    """
    inspected = inspect_dataset(source)
    if inspected.manifest is None:
        raise gathered(inspected.errors)
    return CheckedDataset(manifest=inspected.manifest, findings=inspected.findings)


def inspect_dataset(source: DatasetSource) -> InspectedDataset:
    """The same, with the errors among the findings; raises only where there is no data set."""
    if not source.folder.exists(source.root):
        _obtain(source)
    found, recorded = _scan(source)
    unusable = [*found.refusals, *_incomplete(source, found, recorded)]
    findings = (*_gate_findings(source, found, is_whole=not unusable), *found.findings)
    applied = source.policy.applied(findings)
    against_policy = [_error(source, finding) for finding in applied if finding.severity is Severity.ERROR]
    manifest = None
    if not unusable and not against_policy:
        try:
            manifest = _manifest(source, found, recorded)
        except DatasetError as error:
            unusable.append(error)
    return InspectedDataset(
        found=found,
        findings=(*_unusable(source, unusable), *applied),
        errors=(*unusable, *against_policy),
        manifest=manifest,
        excepted=source.policy.excepted(findings),
    )


def _incomplete(
    source: DatasetSource, found: FoundDataset, recorded: tuple[ImageRecord, ...] | None
) -> Iterator[DatasetError]:
    """The refusal of data of which files are missing; what else differs from the manifest is reported."""
    if found.refusals:
        return
    difference = diff_images(recorded=found.images if recorded is None else recorded, found=found.images)
    if difference.missing:
        yield DatasetError(
            f"{source.root}: incomplete: {difference.sentence()}",
            hint="restore the files, `dvc checkout` them, or make the data set again",
        )
    elif difference:
        source.report(f"{source.root.name} differs from its manifest: {difference.sentence()}: a new revision")


def _gate_findings(source: DatasetSource, found: FoundDataset, *, is_whole: bool) -> tuple[DatasetFinding, ...]:
    """What the gate finds; of data that cannot all be read only what holds for those that can."""
    gated = GatedImages(classes=found.classes, images=found.images, details=found.details)
    findings = gate_findings(gated, source.policy)
    if not is_whole:
        return tuple(finding for finding in findings if finding.kind not in OF_WHOLE_SPLITS)
    test = [record for record in found.images if record.split is Split.TEST]
    try:
        judged = source.last_test_revision()
    except CvYoloError as error:
        source.report(f"whether the test images changed since the last decision is not known: {one_line(error)}")
        return findings
    return (*findings, *changed_test_set(revision_of(found.classes, test), judged))


def _manifest(source: DatasetSource, found: FoundDataset, recorded: tuple[ImageRecord, ...] | None) -> DatasetManifest:
    dvc_hash = source.store.content_hash(source.root, found.md5)
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
    return manifest


def _error(source: DatasetSource, finding: DatasetFinding) -> DatasetError:
    return DatasetError(f"{source.root.name}: {finding.sentence}", hint=finding.remedy)


def _unusable(source: DatasetSource, errors: Sequence[DatasetError]) -> tuple[DatasetFinding, ...]:
    """What training cannot use as one finding, each place with its reason."""
    places = sorted(error.message.removeprefix(f"{source.root}/") for error in errors)
    return (finding_at(FindingKind.UNUSABLE, places, severity=Severity.ERROR),) if places else ()


def _obtain(source: DatasetSource) -> None:
    """Pull what is recorded; make what was recorded and never pushed, or never recorded: that is no failure."""
    name = source.root.name
    if source.store.recorded_hash(source.root) is not None:
        source.report(f"{name} is not here: asking DVC for it")
        if source.store.pull(source.root) is not None and source.folder.exists(source.root):
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
    found, recorded = source.folder.inspect(source.root, source.on_image), source.folder.recorded(source.root)
    if recorded is None or found.refusals or not diff_images(recorded=recorded, found=found.images).missing:
        return found, recorded
    source.report(f"{source.root.name} is incomplete: asking DVC for the missing files")
    source.store.pull(source.root)
    return source.folder.inspect(source.root, source.on_image), recorded


def _with_attributes(found: tuple[ImageRecord, ...], recorded: tuple[ImageRecord, ...]) -> tuple[ImageRecord, ...]:
    """Columns that the manifest records for an image stay with it, beside those that the folder gives it now."""
    known = {record.image: record.attributes for record in recorded if record.attributes}
    if not known:
        return found
    return tuple(replace(record, attributes=known.get(record.image, {}) | record.attributes) for record in found)
