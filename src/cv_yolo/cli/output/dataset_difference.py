"""What `cv-yolo data diff` prints: as text with examples, and as JSON with every box."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo.cli.output.dataset_revisions import SHORT
from cv_yolo.domain.data.box_changes import SAME_OBJECT_IOU, SAME_PLACE, BoxChange, BoxChangeKind, NamedBox
from cv_yolo.domain.data.difference import ImageChangeKind, ImageDifference
from cv_yolo.domain.data.manifest import ImageRecord, Split
from cv_yolo.reports.text.difference import RULE, SIGNS, class_changes_text, image_change_text
from cv_yolo.reports.text.formatting import ABSENT

if TYPE_CHECKING:
    from cv_yolo.workflows.compare_revisions import ComparedRevision, RevisionComparison

MOST_EXAMPLES: Final = 6
BOX_WORDS: Final = {
    BoxChangeKind.ADDED: "added",
    BoxChangeKind.REMOVED: "removed",
    BoxChangeKind.CLASS_CHANGED: "with another class",
    BoxChangeKind.MOVED: "moved or resized",
}


def print_difference(comparison: "RevisionComparison") -> None:
    """The counts by split, the classes, the boxes, and examples of each kind of change."""
    before, after, difference = comparison.before, comparison.after, comparison.difference
    for word, side in (("from", before), ("to  ", after)):
        click.echo(f"{word} {side.content.revision[:SHORT]}  {side.place.title}")
    for name, cells in _difference_rows(comparison):
        click.echo(f"  {name:<28}" + "".join(f"{cell:>14}" for cell in cells))
    if difference.classes:
        click.echo(f"  classes: {class_changes_text(difference.classes)}")
    boxes = Counter(box.kind for change in difference.images for box in change.boxes)
    if boxes:
        listed = ", ".join(f"{boxes[kind]} {word}" for kind, word in BOX_WORDS.items() if boxes[kind])
        click.echo(f"  boxes of these images: {listed}")
    if not difference.images and not difference.classes:
        click.echo("  no difference")
    shown = 0
    for kind in ImageChangeKind:
        changes = [change for change in difference.of(kind) if change.kinds[0] is kind]
        most = 1 if kind is ImageChangeKind.REWRITTEN else MOST_EXAMPLES
        for change in changes[:most]:
            click.echo(f"  {SIGNS.get(kind, '·')} {image_change_text(change)}")
        shown += min(len(changes), most)
    if len(difference.images) > shown:
        click.echo(f"  … and {len(difference.images) - shown} more: `--json` and `--report` have them")
    if boxes:
        click.echo(RULE)


def difference_json(comparison: "RevisionComparison") -> dict[str, Any]:
    """All of it for programs: every image that differs, with every box that does."""
    difference = comparison.difference
    return {
        "before": _side_json(comparison.before),
        "after": _side_json(comparison.after),
        "rule": {"images": "sha256", "same_place": SAME_PLACE, "same_object_iou": SAME_OBJECT_IOU},
        "counts": difference.counts(),
        "classes": asdict(difference.classes),
        "images": [
            {
                "kinds": list(change.kinds),
                "before": _image_json(change.before),
                "after": _image_json(change.after),
                "boxes": [_box_change_json(box) for box in change.boxes],
            }
            for change in difference.images
        ],
    }


def _difference_rows(comparison: "RevisionComparison") -> Iterator[tuple[str, list[str]]]:
    before, after, difference = comparison.before.content, comparison.after.content, comparison.difference
    yield "", [*(split.value for split in Split), "all"]
    for name, counts in (
        ("images", [[len(each.split(split)) for split in Split] for each in (before, after)]),
        ("boxes", [[sum(r.boxes for r in each.split(split)) for split in Split] for each in (before, after)]),
    ):
        pairs = list(zip(*([*column, sum(column)] for column in counts), strict=True))
        yield name, [str(one) if one == other else f"{one} → {other}" for one, other in pairs]
    for kind in ImageChangeKind:
        changes = difference.of(kind)
        if changes:
            counted = Counter(_record_of(change).split for change in changes)
            cells = [str(counted[split]) if counted[split] else ABSENT for split in Split]
            yield kind.value, [*cells, str(len(changes))]


def _record_of(change: ImageDifference) -> ImageRecord:
    record = change.after or change.before
    if record is None:
        raise ValueError("a change of no image")
    return record


def _side_json(side: "ComparedRevision") -> dict[str, Any]:
    recorded = side.place.recorded
    return {
        "title": side.place.title,
        "folder": str(side.place.folder),
        "commit": None if recorded is None else recorded.commit,
        "dvc_hash": None if recorded is None else recorded.dvc_hash,
        "revision": side.content.revision,
        "classes": list(side.content.classes),
        "images": {split.value: len(side.content.split(split)) for split in Split},
        "boxes": {split.value: sum(record.boxes for record in side.content.split(split)) for split in Split},
    }


def _image_json(record: ImageRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {
        "image": record.image,
        "split": record.split,
        "sha256": record.image_sha256,
        "width_px": record.width_px,
        "height_px": record.height_px,
        "boxes": record.boxes,
    }


def _box_change_json(change: BoxChange) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "iou": change.iou,
        "before": _box_json(change.before),
        "after": _box_json(change.after),
    }


def _box_json(box: NamedBox | None) -> dict[str, Any] | None:
    return None if box is None else {"class": box.category, "xyxy": list(box.xyxy), "crowd": box.is_crowd}
