"""How two revisions of a data set differ, in words: the same in the terminal and on pages."""

from collections.abc import Mapping
from typing import Final

from cv_yolo.domain.data.box_changes import SAME_OBJECT_IOU, BoxChange, BoxChangeKind, NamedBox
from cv_yolo.domain.data.difference import ClassChanges, ImageChangeKind, ImageDifference
from cv_yolo.domain.data.manifest import ImageRecord
from cv_yolo.domain.data.names import printable
from cv_yolo.reports.text.formatting import MINUS, count_text, list_text

SIGNS: Final = {
    ImageChangeKind.ADDED: "+",
    ImageChangeKind.REMOVED: MINUS,
    ImageChangeKind.RELABELLED: "~",
}
RULE: Final = (
    "Images are compared by their content (SHA-256), boxes by where they are: one that overlaps with an IoU of "
    f"{SAME_OBJECT_IOU:g} or more is the same object."
)
MOST_BOXES: Final = 4


def counts_text(counts: Mapping[str, int]) -> str:
    """`+3 −1 ~2, moved 4`: images added, removed, relabelled, and what else happened; `no change` without any."""
    signed = " ".join(f"{sign}{counts[kind]}" for kind, sign in SIGNS.items() if counts.get(kind))
    others = [f"{kind} {counts[kind]}" for kind in ImageChangeKind if kind not in SIGNS and counts.get(kind)]
    classes = [count_text(counts["classes"], "class", "classes") + " changed"] if counts.get("classes") else []
    return ", ".join(part for part in (signed, *others, *classes) if part) or "no change"


def counts_sentence(counts: Mapping[str, int]) -> str:
    """`1 image added, 2 removed, 1 class changed`; `no difference` without any."""
    parts = [f"{counts[kind]} {kind}" for kind in ImageChangeKind if counts.get(kind)]
    if parts:
        number, _, word = parts[0].partition(" ")
        parts[0] = f"{count_text(int(number), 'image')} {word}"
    classes = [count_text(counts["classes"], "class", "classes") + " changed"] if counts.get("classes") else []
    return ", ".join([*parts, *classes]) or "no difference"


def former_name_text(before: ImageRecord, after: ImageRecord) -> str:
    """`was images/val/b.jpg`, where more than the split's folder has changed; else nothing."""
    names = [record.image.replace(f"/{record.split}/", "/") for record in (before, after)]
    return f"was {printable(before.image)}" if names[0] != names[1] else ""


def class_changes_text(changes: ClassChanges) -> str:
    """`tram added; bus removed; car is now vehicle; reordered: person 0 → 1`; empty without any."""
    numbers = ", ".join(f"{name} {old} → {new}" for name, old, new in changes.renumbered)
    parts = (
        f"{list_text(changes.added)} added" if changes.added else "",
        f"{list_text(changes.removed)} removed" if changes.removed else "",
        *(f"{old} is now {new}" for old, new in changes.renamed),
        f"{'reordered' if changes.reordered else 'renumbered'}: {numbers}" if numbers else "",
    )
    return "; ".join(part for part in parts if part)


def image_change_text(change: ImageDifference) -> str:
    """What became of an image, in one line without its sign: its path, and what differs."""
    before, after = change.before, change.after
    path = printable(change.image)
    if before is None or after is None:
        record = after or before
        return "" if record is None else f"{path} ({record.split}, {count_text(record.boxes, 'box', 'boxes')})"
    kinds = change.kinds
    parts = [
        f"moved from {before.split} to {after.split}" if ImageChangeKind.MOVED in kinds else "",
        former_name_text(before, after),
        "replaced by another picture" if ImageChangeKind.REPLACED in kinds else "",
        boxes_text(change.boxes),
        _rewritten_text(before, after) if ImageChangeKind.REWRITTEN in kinds else "",
    ]
    return f"{path}: {', '.join(part for part in parts if part)}"


def _rewritten_text(before: ImageRecord, after: ImageRecord) -> str:
    differs = {
        "label text": before.label_sha256 != after.label_sha256,
        "outlines, areas or columns": before.annotations_sha256 != after.annotations_sha256,
    }
    return f"same boxes, other {' and '.join(what for what, holds in differs.items() if holds)}"


def boxes_text(boxes: tuple[BoxChange, ...]) -> str:
    """The first changes of boxes, and how many more there are."""
    more = [f"and {len(boxes) - MOST_BOXES} more boxes"] if len(boxes) > MOST_BOXES else []
    return ", ".join([*map(box_change_text, boxes[:MOST_BOXES]), *more])


def box_change_text(change: BoxChange) -> str:
    """`dog added`, `cat removed`, `cat → dog`, `person moved or resized (IoU 0.71)`."""
    if change.before is None or change.after is None:
        box = change.after or change.before
        return "" if box is None else f"{_named(box)} {change.kind}"
    overlap = "" if change.iou is None or change.iou == 1 else f" (IoU {change.iou:.2f})"
    if change.kind is BoxChangeKind.CLASS_CHANGED:
        return f"{_named(change.before)} → {_named(change.after)}{overlap}"
    return f"{_named(change.after)} moved or resized{overlap}"


def _named(box: NamedBox) -> str:
    return f"{box.category} (crowd)" if box.is_crowd else box.category
