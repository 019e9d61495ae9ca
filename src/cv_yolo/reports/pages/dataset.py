"""What the data gate found, as a page: the findings, the pictures they are about, and how the splits compare."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cv_yolo.domain.data.annotations import xywhn_to_xyxy
from cv_yolo.domain.data.findings import DatasetFinding, Severity
from cv_yolo.domain.data.gate import LabelRows, box_sides_px, class_counts
from cv_yolo.domain.data.manifest import ImageRecord, Split
from cv_yolo.reports.charts.icons import icon
from cv_yolo.reports.charts.line_chart import Labels, histogram
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.image import ImageView, outline
from cv_yolo.reports.pages.page import Part, charts, page, paragraph, parts_html
from cv_yolo.reports.pages.sections import facts_list
from cv_yolo.reports.tables.metrics import plain_table
from cv_yolo.reports.templates import render_macro
from cv_yolo.reports.text.formatting import ABSENT, count_text, list_text, time_text
from cv_yolo.reports.text.provenance import LabelledValue, data_facts
from cv_yolo.reports.view_models import DatasetReport, ShownBoxes

TEMPLATE: Final = "dataset.html.j2"
MOST_PLACES: Final = 200
SIGNS: Final = {Severity.ERROR: ("failed", "bad"), Severity.WARNING: ("undecided", "open")}
BOX_BINS: Final = 32
BRIGHTNESS_EDGES: Final = tuple(range(0, 257, 16))
MOST_OBJECTS: Final = 30
FLAGGED_NOTE: Final = (
    "Boxes that the finding is about are yellow, with the line of the label file; the others are white."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ShownImage:
    """One image as it is shown; there is no picture where its copy is missing."""

    image: str
    words: str
    picture: Html | None


def dataset_html(report: DatasetReport) -> str:
    """The page as one file that needs nothing else."""
    severities = [finding.severity for finding in report.findings]
    errors, warnings = severities.count(Severity.ERROR), severities.count(Severity.WARNING)
    worst = Severity.ERROR if errors else Severity.WARNING
    sign, kind = SIGNS[worst] if severities else ("passed", "good")
    counted = [
        *([count_text(errors, "kind of error", "kinds of errors")] if errors else []),
        *([count_text(warnings, "kind of warning", "kinds of warnings")] if warnings else []),
    ]
    heading = list_text(counted) if counted else "Nothing found"
    revision = ABSENT if report.manifest is None else report.manifest.revision
    body = render_macro(
        TEMPLATE,
        "body",
        kind=kind,
        kicker=f"data set {report.name} · {time_text(report.made_at)}",
        sign=icon(sign),
        heading=f"{report.name}: {heading}",
        lead=_lead(report, errors),
        fine=f"Revision {revision}",
        parts=parts_html(tuple(_parts(report))),
    )
    return page(f"{heading} · {report.name}", body)


def _lead(report: DatasetReport, errors: int) -> str:
    use = "No training or evaluation starts with errors." if errors else "Training and evaluation can use this data."
    excepted = f" {count_text(report.excepted, 'finding')} accepted by exceptions." if report.excepted else ""
    return f"{use}{excepted}"


def _parts(report: DatasetReport) -> Iterator[Part]:
    if report.findings:
        rows = [_finding(finding) for finding in report.findings]
        yield Part(id="findings", heading="Findings", contents=(render_macro(TEMPLATE, "findings", rows),))
    if report.pairs:
        yield Part(id="pairs", heading="Images that look the same", contents=tuple(_pairs(report)))
    if report.boxes:
        contents = (paragraph(FLAGGED_NOTE, kind="note"), *_boxes(report))
        yield Part(id="boxes", heading="Boxes", contents=contents)
    if report.gated.images:
        yield Part(id="splits", heading="Splits", contents=(charts(tuple(_histograms(report))),))
    if report.gated.classes:
        yield Part(id="classes", heading="Classes", contents=(_classes(report),))
    facts = () if report.manifest is None else data_facts(report.manifest)
    yield Part(id="data", heading="Data", contents=(facts_list((*facts, *_policy_facts(report))),))


def _finding(finding: DatasetFinding) -> dict[str, object]:
    more = len(finding.places) - MOST_PLACES
    return {
        "outcome": SIGNS[finding.severity][0],
        "sign": icon(SIGNS[finding.severity][0]),
        "name": finding.kind.replace("_", " "),
        "severity": finding.severity.value,
        "sentence": f"{finding.summary[0].upper()}{finding.summary[1:]}.",
        "remedy": finding.remedy,
        "title": count_text(len(finding.places), "place"),
        "places": finding.places[:MOST_PLACES],
        "more": f"{more} more" if more > 0 else "",
    }


def _pairs(report: DatasetReport) -> Iterator[Html]:
    for number, (finding, pairs) in enumerate(report.pairs.items()):
        cases = [
            {
                "id": f"pair-{number}-{place}",
                "caption": "",
                "panels": [_panel(report, image, f"a{number}-{place}-{side}") for side, image in enumerate(images)],
            }
            for place, images in enumerate((pair.first, pair.second) for pair in pairs)
        ]
        yield render_macro(TEMPLATE, "cases", _title(finding), _shown(len(pairs), finding.count), cases)


def _boxes(report: DatasetReport) -> Iterator[Html]:
    for number, (finding, shown) in enumerate(report.boxes.items()):
        cases = [
            {
                "id": f"boxes-{number}-{place}",
                "caption": "",
                "panels": [_panel(report, each.image, f"b{number}-{place}", each)],
            }
            for place, each in enumerate(shown)
        ]
        yield render_macro(TEMPLATE, "cases", _title(finding), count_text(len(shown), "image") + " shown", cases)


def _panel(report: DatasetReport, image: str, id: str, flagged: ShownBoxes | None = None) -> _ShownImage:
    record = next(each for each in report.gated.images if each.image == image)
    rows = report.gated.details.boxes.get(image, np.empty((0, 6), dtype=np.float32))
    lines = () if flagged is None else flagged.lines
    words = f"{record.split}, {record.width_px} x {record.height_px} px, {count_text(len(rows), 'box', 'boxes')}"
    thumbnail = report.thumbnails.get(image)
    if thumbnail is None:
        return _ShownImage(image=image, words=words, picture=None)
    view = ImageView(thumbnail=thumbnail, id=id)
    picture = render_macro(
        "image.html.j2",
        "picture",
        image=view.embedded(),
        width=thumbnail.width_px,
        height=thumbnail.height_px,
        words=f"{image}: {words}",
        layers=_layers(record, rows, lines),
        numbers=_numbers(rows, lines),
    )
    return _ShownImage(image=image, words=words, picture=picture)


def _layers(record: ImageRecord, rows: LabelRows, lines: tuple[int, ...]) -> list[tuple[str, str]]:
    boxes = xywhn_to_xyxy(rows[:, 1:5].astype(np.float64), width_px=record.width_px, height_px=record.height_px)
    is_flagged = np.isin(rows[:, 5], lines)
    groups = (("found", boxes[~is_flagged]), ("missed", boxes[is_flagged]))
    return [(kind, outline(kind, [tuple(box) for box in some.tolist()])) for kind, some in groups if len(some)]


def _numbers(rows: LabelRows, lines: tuple[int, ...]) -> list[dict[str, object]]:
    """The line of each flagged box at its corner."""
    return [
        {
            "text": f":{int(row[5])}",
            "kind": "missed",
            "inside": float(row[2] - row[4] / 2) < 0.09,  # noqa: PLR2004 - else it would lie above the picture
            "left": f"{max(0.0, 100 * float(row[1] - row[3] / 2)):.1f}",
            "top": f"{max(0.0, 100 * float(row[2] - row[4] / 2)):.1f}",
            "beside": "0",
        }
        for row in rows[np.isin(rows[:, 5], lines)]
    ]


def _histograms(report: DatasetReport) -> Iterator[Html]:
    details, size = report.gated.details, report.policy.training_size_px
    sides: dict[str, list[float]] = {}
    objects: dict[str, list[float]] = {}
    brightness: dict[str, list[float]] = {}
    for split in Split:
        records = report.gated.split(split)
        known = [(record, details.boxes[record.image]) for record in records if record.image in details.boxes]
        sides[split] = [
            float(side) for record, rows in known for side in np.sqrt(np.prod(box_sides_px(record, rows, size), axis=1))
        ]
        objects[split] = [float(len(rows)) for _, rows in known]
        brightness[split] = [details.brightness[each.image] for each in records if each.image in details.brightness]
    share = "% of the split"
    yield _chart(sides, f"Box size at {size} px", "side of a square of the same area (px)", share, _edges(size))
    yield _chart(objects, "Objects per image", f"objects ({MOST_OBJECTS}: that many or more)", share,
                 tuple(range(MOST_OBJECTS + 2)))  # fmt: skip
    yield _chart(brightness, "Brightness", "mean grey level", share, BRIGHTNESS_EDGES)


def _chart(samples: Mapping[str, list[float]], title: str, x: str, y: str, edges: tuple[float, ...]) -> Html:
    counted = "; ".join(
        f"{name}: median {np.median(values):.3g} of {len(values)}" for name, values in samples.items() if values
    )
    return histogram(samples, Labels(title=title, x=x, y=y, description=counted), edges=edges)


def _edges(size_px: int) -> tuple[float, ...]:
    return tuple(size_px * number / BOX_BINS for number in range(BOX_BINS + 1))


def _classes(report: DatasetReport) -> Html:
    cells: dict[str, list[str]] = {}
    boxes: dict[str, int] = {}
    for count in class_counts(report.gated):
        cells.setdefault(count.name, []).extend([str(count.boxes), str(count.images)])
        boxes[count.name] = boxes.get(count.name, 0) + count.boxes
    columns = ["Class", *(f"{split} {what}" for split in Split for what in ("boxes", "images"))]
    rows = [(name, *cells[name]) for name in sorted(cells, key=lambda name: -boxes[name])]
    return plain_table(columns, rows, "Boxes of each class in each split, and the images that they are in")


def _policy_facts(report: DatasetReport) -> tuple[LabelledValue, ...]:
    policy = report.policy
    return (
        LabelledValue(label="Training size", value=f"{policy.training_size_px} px"),
        LabelledValue(label="Smallest box", value=f"{policy.smallest_box_px:g} px"),
        LabelledValue(label="Exceptions", value=str(len(policy.exceptions))),
    )


def _title(finding: DatasetFinding) -> str:
    return f"{finding.kind.replace('_', ' ').capitalize()} ({finding.severity})"


def _shown(shown: int, total: int) -> str:
    return f"{shown} of {total} pairs" if shown < total else count_text(shown, "pair")
