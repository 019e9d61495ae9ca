"""Write what the data gate found as a page with the pictures that it is about."""

from datetime import datetime
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.findings import DatasetFinding, FindingKind
from cv_yolo.domain.data.manifest import ImageRecord
from cv_yolo.files import write_whole
from cv_yolo.ports.datasets import ImageRenderer
from cv_yolo.reports.pages.dataset import dataset_html
from cv_yolo.reports.view_models import DatasetReport, ShownBoxes, ShownPair
from cv_yolo.workflows.prepare_dataset import DatasetSource, InspectedDataset

PAGE: Final = "report.html"
MOST_SHOWN: Final = 12  # pairs or images of each finding
PAIRED: Final = {
    FindingKind.IDENTICAL_ACROSS_SPLITS,
    FindingKind.SIMILAR_IMAGES,
    FindingKind.SIMILAR_WITHIN_SPLIT,
}
DRAWN: Final = {FindingKind.TINY_BOXES, FindingKind.CLIPPED_BOXES}


def write_dataset_report(
    source: DatasetSource, inspected: InspectedDataset, *, renderer: ImageRenderer, folder: Path, now: datetime
) -> Path:
    """Write the page into the folder."""
    pairs = {each: _pairs(each) for each in inspected.findings if each.kind in PAIRED}
    by_label = {record.label: record for record in inspected.found.images}
    boxes = {each: _boxes(each, by_label) for each in inspected.findings if each.kind in DRAWN}
    shown = [image for some in pairs.values() for pair in some for image in (pair.first, pair.second)]
    shown += [each.image for some in boxes.values() for each in some]
    report = DatasetReport(
        name=source.root.name,
        gated=inspected.gated,
        findings=inspected.findings,
        policy=source.policy,
        manifest=inspected.manifest,
        pairs=pairs,
        boxes=boxes,
        thumbnails=renderer.thumbnails(source.root, dict.fromkeys(shown)),
        excepted=inspected.excepted,
        made_at=now,
    )
    page = folder / PAGE
    write_whole(page, dataset_html(report))
    return page


def _pairs(finding: DatasetFinding) -> tuple[ShownPair, ...]:
    halves = [place.split(" and ") for place in finding.places[:MOST_SHOWN]]
    return tuple(ShownPair(first=pair[0], second=pair[1]) for pair in halves)


def _boxes(finding: DatasetFinding, by_label: dict[str, ImageRecord]) -> tuple[ShownBoxes, ...]:
    """The first images, each with all of its lines."""
    lines: dict[str, list[int]] = {}
    for place in finding.places:
        label, _, line = place.rpartition(":")
        lines.setdefault(label, []).append(int(line))
    return tuple(
        ShownBoxes(image=by_label[label].image, lines=tuple(lines[label])) for label in list(lines)[:MOST_SHOWN]
    )
