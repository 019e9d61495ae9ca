"""What differs between two revisions of a data set, as a page: counts by split, classes, and the pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.data.box_changes import BoxChange, BoxChangeKind, NamedBox
from cv_yolo.domain.data.difference import ImageChangeKind, ImageDifference
from cv_yolo.domain.data.manifest import ImageRecord, Split
from cv_yolo.reports.charts.icons import icon
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.image import ImageView, outline
from cv_yolo.reports.pages.page import Part, page, paragraph, parts_html
from cv_yolo.reports.pages.sections import facts_list
from cv_yolo.reports.tables.metrics import plain_table
from cv_yolo.reports.templates import render_macro
from cv_yolo.reports.text.difference import RULE, box_change_text, class_changes_text, counts_sentence, former_name_text
from cv_yolo.reports.text.formatting import ABSENT, count_text, list_text, time_text
from cv_yolo.reports.text.provenance import LabelledValue
from cv_yolo.reports.view_models import DifferenceReport, RevisionView

TEMPLATE: Final = "difference.html.j2"
MOST_DESCRIBED: Final = 12  # boxes of an image
HIGHEST: Final = 0.09  # part of the height above which a number stands inside its box
UNCHANGED: Final = "found"
DRAWN: Final = {
    BoxChangeKind.ADDED: "right",
    BoxChangeKind.REMOVED: "wrong",
    BoxChangeKind.CLASS_CHANGED: "missed",
    BoxChangeKind.MOVED: "missed",
}
LEGEND: Final = {
    "wrong": "removed",
    "right": "added",
    "missed": "moved, resized, or with another class",
    UNCHANGED: "unchanged",
}
HEADINGS: Final = {
    ImageChangeKind.RELABELLED: "Relabelled",
    ImageChangeKind.REPLACED: "Replaced",
    ImageChangeKind.MOVED: "Moved",
    ImageChangeKind.ADDED: "Added",
    ImageChangeKind.REMOVED: "Removed",
    ImageChangeKind.RENAMED: "Renamed",
    ImageChangeKind.REWRITTEN: "Rewritten",
}
NOTES: Final = {
    ImageChangeKind.RELABELLED: "The former boxes are on the left, the later ones on the right. " + RULE,
    ImageChangeKind.REPLACED: "The path is the same, the picture another one: the former on the left.",
    ImageChangeKind.MOVED: "The same picture in another split.",
    ImageChangeKind.RENAMED: "The same picture in the same split, under another path.",
    ImageChangeKind.REWRITTEN: "The boxes are the same; the label text, or outlines and areas, are not.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ComparedImage:
    """One image of one revision as it is shown; there is no picture where its copy is missing."""

    image: str
    words: str
    picture: Html | None


def difference_html(report: DifferenceReport) -> str:
    """The page as one file that needs nothing else."""
    counts = report.difference.counts()
    differs = any(counts.values())
    heading = _heading(report)
    body = render_macro(
        "dataset.html.j2",
        "body",
        kind="" if differs else "good",
        kicker=f"data set {report.name} · {time_text(report.made_at)}",
        sign=icon("waived" if differs else "passed"),
        heading=f"{report.name}: {heading}",
        lead=f"{counts_sentence(counts).capitalize()}. From {report.before.title} to {report.after.title}.",
        fine=f"Revisions {report.before.content.revision[:16]} and {report.after.content.revision[:16]}",
        parts=parts_html(tuple(_parts(report))),
    )
    return page(f"{heading} · {report.name}", body)


def _heading(report: DifferenceReport) -> str:
    """`130 images and 1 class differ`."""
    images, classes = len(report.difference.images), report.difference.counts()["classes"]
    counted = [count_text(images, "image")] if images else []
    counted += [count_text(classes, "class", "classes")] if classes else []
    verb = "differs" if images + classes == 1 else "differ"
    return f"{list_text(counted)} {verb}" if counted else "no difference"


def _parts(report: DifferenceReport) -> Iterator[Part]:
    contents = [_summary(report)]
    if report.difference.classes:
        contents.append(paragraph(f"Classes: {class_changes_text(report.difference.classes)}."))
    yield Part(id="summary", heading="Summary", contents=tuple(contents))
    for kind, heading in HEADINGS.items():
        if shown := report.shown.get(kind, ()):
            yield Part(id=kind.value, heading=heading, contents=tuple(_section(report, kind, shown)))
    yield Part(id="data", heading="Data", contents=(facts_list(_facts(report)),))


def _section(report: DifferenceReport, kind: ImageChangeKind, shown: Sequence[ImageDifference]) -> Iterator[Html]:
    if note := NOTES.get(kind):
        yield paragraph(note, kind="note")
    if any(change.boxes for change in shown):
        entries = [(name, outline(name, [(2, 2, 24, 16)]), text) for name, text in LEGEND.items()]
        yield render_macro("image.html.j2", "legend", entries)
    total = len(report.difference.of(kind))
    counted = count_text(total, "image") if len(shown) == total else f"{len(shown)} of {total} images"
    cases = [_case(report, change, f"{kind}-{number}") for number, change in enumerate(shown)]
    yield render_macro(TEMPLATE, "cases", counted, cases)


def _case(report: DifferenceReport, change: ImageDifference, id: str) -> dict[str, object]:
    """Both pictures where boxes or the picture differ, else the later one, or the one there is."""
    both = bool(change.boxes) or ImageChangeKind.REPLACED in change.kinds
    panels = []
    if change.before is not None and (both or change.after is None):
        panels.append(_panel(report.before, change.before, change.boxes, f"{id}-before", before=True))
    if change.after is not None:
        panels.append(_panel(report.after, change.after, change.boxes, f"{id}-after", before=False))
    more = len(change.boxes) - MOST_DESCRIBED
    return {
        "id": id,
        "caption": _caption(change),
        "panels": panels,
        "changes": [
            (str(number), box_change_text(box)) for number, box in enumerate(change.boxes[:MOST_DESCRIBED], start=1)
        ],
        "more": count_text(more, "more box", "more boxes") if more > 0 else "",
    }


def _caption(change: ImageDifference) -> str:
    before, after = change.before, change.after
    if before is None or after is None:
        return ""
    moved = f"{before.split} → {after.split}" if before.split is not after.split else ""
    return ", ".join(part for part in (moved, former_name_text(before, after)) if part)


def _panel(
    view: RevisionView, record: ImageRecord, changes: Sequence[BoxChange], id: str, *, before: bool
) -> _ComparedImage:
    words = f"{record.split}, {record.width_px} x {record.height_px} px, {count_text(record.boxes, 'box', 'boxes')}"
    thumbnail = view.thumbnails.get(record.image)
    if thumbnail is None:
        return _ComparedImage(image=record.image, words=words, picture=None)
    changed = [
        (number, change.kind, box)
        for number, change in enumerate(changes, start=1)
        if (box := change.before if before else change.after) is not None
    ]
    places = {box.xyxy for _, _, box in changed}
    boxes = view.content.named_boxes(record, {}).boxes
    layers: dict[str, list[tuple[float, float, float, float]]] = {UNCHANGED: []}
    layers[UNCHANGED] = [box.xyxy for box in boxes if box.xyxy not in places]
    for _, kind, box in changed:
        layers.setdefault(DRAWN[kind], []).append(box.xyxy)
    picture = render_macro(
        "image.html.j2",
        "picture",
        image=ImageView(thumbnail=thumbnail, id=id).embedded(),
        width=thumbnail.width_px,
        height=thumbnail.height_px,
        words=f"{record.image}: {words}",
        layers=[(kind, outline(kind, corners)) for kind, corners in layers.items() if corners],
        numbers=[_number(record, *each) for each in changed[:MOST_DESCRIBED]],
    )
    return _ComparedImage(image=record.image, words=words, picture=picture)


def _number(record: ImageRecord, number: int, kind: BoxChangeKind, box: NamedBox) -> dict[str, object]:
    """The number of a change at the corner of its box."""
    left, top = box.xyxy[0] / record.width_px, box.xyxy[1] / record.height_px
    return {
        "text": str(number),
        "kind": DRAWN[kind],
        "inside": top < HIGHEST,
        "left": f"{100 * max(0.0, left):.1f}",
        "top": f"{100 * max(0.0, top):.1f}",
        "beside": "0",
    }


def _summary(report: DifferenceReport) -> Html:
    """Counts by split: of images and boxes before and after, and of each kind of change."""
    before, after = report.before.content, report.after.content
    rows = []
    for name, counts in (
        ("Images", [[len(each.split(split)) for split in Split] for each in (before, after)]),
        ("Boxes", [[sum(r.boxes for r in each.split(split)) for split in Split] for each in (before, after)]),
    ):
        pairs = zip(*([*column, sum(column)] for column in counts), strict=True)
        rows.append((name, *(str(one) if one == other else f"{one} → {other}" for one, other in pairs)))
    for kind in ImageChangeKind:
        changes = report.difference.of(kind)
        if changes:
            records = [change.after or change.before for change in changes]
            counted = Counter(record.split for record in records if record is not None)
            cells = (str(counted[split]) if counted[split] else ABSENT for split in Split)
            rows.append((kind.capitalize(), *cells, str(len(changes))))
    return plain_table(["", *Split, "all"], rows, "Changes by the later split, of removed images by the former one")


def _facts(report: DifferenceReport) -> Iterator[LabelledValue]:
    for label, view in (("Before", report.before), ("After", report.after)):
        yield LabelledValue(label=label, value=view.title)
        yield LabelledValue(label=f"{label} (revision)", value=view.content.revision, exact=True)
        yield LabelledValue(label=f"{label} (classes)", value=str(len(view.content.classes)))
