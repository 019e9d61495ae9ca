"""Write what differs between two revisions as a page with the pictures."""

from datetime import datetime
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.difference import ImageChangeKind, ImageDifference
from cv_yolo.files import write_whole
from cv_yolo.ports.datasets import ImageRenderer
from cv_yolo.reports.pages.difference import difference_html
from cv_yolo.reports.view_models import DifferenceReport, RevisionView
from cv_yolo.workflows.compare_revisions import ComparedRevision, RevisionComparison

PAGE: Final = "difference.html"
MOST_SHOWN: Final = {ImageChangeKind.RELABELLED: 24, ImageChangeKind.REPLACED: 24}
MOST_OTHERS: Final = 12


def write_difference_report(
    comparison: RevisionComparison, *, renderer: ImageRenderer, folder: Path, now: datetime
) -> Path:
    """Write the page into the folder; an image with several changes is shown once, with its boxes if they differ."""
    before, after = comparison.before, comparison.after
    shown: dict[ImageChangeKind, tuple[ImageDifference, ...]] = {}
    for kind in ImageChangeKind:
        changes = [change for change in comparison.difference.images if shown_as(change) is kind]
        shown[kind] = tuple(changes[: MOST_SHOWN.get(kind, MOST_OTHERS)])
    changes = [change for some in shown.values() for change in some]
    report = DifferenceReport(
        name=after.place.folder.name,
        before=_view(before, [each.before.image for each in changes if each.before is not None], renderer),
        after=_view(after, [each.after.image for each in changes if each.after is not None], renderer),
        difference=comparison.difference,
        shown=shown,
        made_at=now,
    )
    page = folder / PAGE
    write_whole(page, difference_html(report))
    return page


def shown_as(change: ImageDifference) -> ImageChangeKind:
    """Among which changes an image is shown: those that need a closer look first."""
    first = (ImageChangeKind.REPLACED, ImageChangeKind.RELABELLED)
    return next((kind for kind in first if kind in change.kinds), change.kinds[0])


def _view(side: ComparedRevision, images: list[str], renderer: ImageRenderer) -> RevisionView:
    return RevisionView(
        title=side.place.title, content=side.content, thumbnails=renderer.thumbnails(side.root, dict.fromkeys(images))
    )
