"""How two revisions of a data set differ: classes, images, their splits, and their boxes one by one."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath

from cv_yolo.domain.data.annotations import GroundTruth
from cv_yolo.domain.data.box_changes import BoxChange, NamedBox, NamedBoxes, box_changes
from cv_yolo.domain.data.manifest import ImageRecord, Split, revision_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetContent:
    """All that a revision holds; `truths` are the boxes by the path of their image, crowds among them."""

    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    truths: Mapping[str, GroundTruth] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """The same hash as `DatasetManifest.revision`."""
        return revision_of(self.classes, self.images)

    def split(self, split: Split) -> tuple[ImageRecord, ...]:
        """The images of one split."""
        return tuple(record for record in self.images if record.split is split)

    def named_boxes(self, record: ImageRecord, names: Mapping[str, str]) -> NamedBoxes:
        """The boxes of an image; `names` are other names that classes go by."""
        truth = self.truths.get(record.image)
        boxes: tuple[NamedBox, ...] = ()
        if truth is not None:
            crowds = [False] * len(truth.class_ids) if truth.crowds is None else truth.crowds.tolist()
            categories = [self.classes[each] for each in truth.class_ids.tolist()]
            boxes = tuple(
                NamedBox(category=names.get(name, name), xyxy=(x1, y1, x2, y2), is_crowd=crowd)
                for name, (x1, y1, x2, y2), crowd in zip(categories, truth.boxes_xyxy.tolist(), crowds, strict=True)
            )
        return NamedBoxes(boxes=boxes, size_px=(record.width_px, record.height_px))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChanges:
    """How the classes differ; `renamed` are pairs of names, `renumbered` names (the new ones) with both numbers."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    renumbered: tuple[tuple[str, int, int], ...] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.renamed or self.renumbered)


class ImageChangeKind(StrEnum):
    """What became of an image; one may be moved, renamed and relabelled at once."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    RENAMED = "renamed"
    REPLACED = "replaced"
    RELABELLED = "relabelled"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDifference:
    """One image that differs: `before` is absent where it was added, `after` where it was removed.

    `boxes` are the boxes that differ, of an image that both revisions have. Those of the former revision are named by
    the classes of the later one.
    """

    before: ImageRecord | None
    after: ImageRecord | None
    boxes: tuple[BoxChange, ...] = ()

    @property
    def image(self) -> str:
        """Its path in the later revision, else in the former one."""
        record = self.after or self.before
        return "" if record is None else record.image

    @property
    def kinds(self) -> tuple[ImageChangeKind, ...]:
        """What became of it; nothing where it is the same."""
        if self.before is None:
            return (ImageChangeKind.ADDED,)
        if self.after is None:
            return (ImageChangeKind.REMOVED,)
        moved = self.before.split is not self.after.split
        differs = {
            ImageChangeKind.MOVED: moved,
            ImageChangeKind.RENAMED: self.before.image != self.after.image and not moved,
            ImageChangeKind.REPLACED: self.before.image_sha256 != self.after.image_sha256,
            ImageChangeKind.RELABELLED: bool(self.boxes),
            ImageChangeKind.REWRITTEN: not self.boxes and differs_in_labels(self.before, self.after),
        }
        return tuple(kind for kind, holds in differs.items() if holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDifference:
    """All that differs: images by path."""

    classes: ClassChanges = field(default_factory=ClassChanges)
    images: tuple[ImageDifference, ...] = ()

    def of(self, kind: ImageChangeKind) -> tuple[ImageDifference, ...]:
        """The images to which this happened."""
        return tuple(change for change in self.images if kind in change.kinds)

    def counts(self) -> dict[str, int]:
        """How many images each kind of change has, and how many classes differ as `classes`; 0 where none."""
        counted = Counter(kind for change in self.images for kind in change.kinds)
        classes = self.classes
        named = {*classes.added, *classes.removed, *(new for _, new in classes.renamed)}
        named |= {name for name, _, _ in classes.renumbered}
        return {kind.value: counted[kind] for kind in ImageChangeKind} | {"classes": len(named)}


def compare(before: DatasetContent, after: DatasetContent) -> DatasetDifference:
    """What became of the former revision's classes and images in the later one.

    An image is the same where path and file content are. Of the others, first those of the same content belong
    together (renamed, or moved to another split), then those of the same path (replaced by another picture). Files are
    compared by SHA-256: a picture that was saved once more is another one.
    """
    classes = class_changes(before.classes, after.classes)
    names = dict(classes.renamed)
    changes = []
    for one, other in _pairs(before.images, after.images):
        boxes: tuple[BoxChange, ...] = ()
        if one is not None and other is not None and _may_differ_in_boxes(one, other, classes):
            boxes = box_changes(before.named_boxes(one, names), after.named_boxes(other, {}))
        changes.append(ImageDifference(before=one, after=other, boxes=boxes))
    return DatasetDifference(
        classes=classes,
        images=tuple(sorted((change for change in changes if change.kinds), key=lambda change: change.image)),
    )


def class_changes(before: Sequence[str], after: Sequence[str]) -> ClassChanges:
    """How two lists of classes differ.

    A class was renamed where its name is gone and its number has a name that was not there before: label text, which
    has the numbers, then means the same.
    """
    renamed = {
        old: new
        for old, new in zip(before, after, strict=False)
        if old != new and old not in after and new not in before
    }
    kept = [(number, renamed.get(name, name)) for number, name in enumerate(before)]
    pairs = [(name, number, after.index(name)) for number, name in kept if name in after]
    numbers = [number for _, _, number in pairs]
    return ClassChanges(
        added=tuple(name for name in after if name not in before and name not in renamed.values()),
        removed=tuple(name for name in before if name not in after and name not in renamed),
        renamed=tuple(renamed.items()),
        renumbered=tuple((name, old, new) for name, old, new in pairs if old != new),
        reordered=numbers != sorted(numbers),
    )


def differs_in_labels(one: ImageRecord, other: ImageRecord) -> bool:
    """Whether label text or annotations are other ones, in whatever way."""
    return (one.label_sha256, one.annotations_sha256) != (other.label_sha256, other.annotations_sha256)


def _may_differ_in_boxes(one: ImageRecord, other: ImageRecord, classes: ClassChanges) -> bool:
    """Whether the boxes have to be looked at: the same text means the same boxes, as long as the numbers do."""
    same_size = (one.width_px, one.height_px) == (other.width_px, other.height_px)
    return bool(classes) or differs_in_labels(one, other) or not same_size


def _pairs(
    before: Iterable[ImageRecord], after: Iterable[ImageRecord]
) -> Iterator[tuple[ImageRecord | None, ImageRecord | None]]:
    """Which image became which; None where there is no other."""
    old, new = {record.image: record for record in before}, {record.image: record for record in after}
    same = [path for path in old if path in new and old[path].image_sha256 == new[path].image_sha256]
    pairs = [(old.pop(path), new.pop(path)) for path in same]
    by_content: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in new.values():
        by_content[record.image_sha256].append(record)
    for record in list(old.values()):
        if candidates := by_content[record.image_sha256]:
            other = min(candidates, key=lambda each: _unlikeness(record, each))
            candidates.remove(other)
            pairs.append((old.pop(record.image), new.pop(other.image)))
    pairs += [(old.pop(path), new.pop(path)) for path in list(old) if path in new]
    yield from pairs
    yield from ((record, None) for record in old.values())
    yield from ((None, record) for record in new.values())


def _unlikeness(one: ImageRecord, other: ImageRecord) -> tuple[bool, bool, str]:
    """By which of several copies of a picture the nearest one is chosen: in the same split, of the same name."""
    same_name = PurePosixPath(one.image).name == PurePosixPath(other.image).name
    return one.split is not other.split, not same_name, other.image


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDiff:
    """How the files of a data set differ from its manifest; each entry is a path."""

    added: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.missing or self.changed)

    def sentence(self) -> str:
        """One line for a person: `1 changed (labels/val/7.txt), 2 added (…)`."""
        parts = (("changed", self.changed), ("added", self.added), ("missing", self.missing))
        return (
            ", ".join(f"{len(paths)} {word} ({_examples(paths)})" for word, paths in parts if paths) or "no difference"
        )


def diff_images(*, recorded: tuple[ImageRecord, ...], found: tuple[ImageRecord, ...]) -> ManifestDiff:
    """Compare what a manifest records with what is in the folder now."""
    before, now = {record.image: record for record in recorded}, {record.image: record for record in found}
    changed = [
        path
        for image in sorted(before.keys() & now.keys())
        for path, same in (
            (now[image].image, before[image].image_sha256 == now[image].image_sha256),
            (now[image].label, before[image].label_sha256 == now[image].label_sha256),
            (f"annotations of {image}", before[image].annotations_sha256 == now[image].annotations_sha256),
        )
        if not same
    ]
    return ManifestDiff(
        added=tuple(sorted(now.keys() - before.keys())),
        missing=tuple(sorted(before.keys() - now.keys())),
        changed=tuple(changed),
    )


def _examples(paths: tuple[str, ...], most: int = 3) -> str:
    return ", ".join(paths[:most]) + (", …" if len(paths) > most else "")
