"""The page of a check shows the pictures that the findings are about."""

from dataclasses import replace

import numpy as np

from cv_yolo.domain.data.findings import FindingKind, finding_at
from cv_yolo.domain.data.gate import ImageDetails
from cv_yolo.workflows.prepare_dataset import inspect_dataset
from cv_yolo.workflows.report_dataset import MOST_SHOWN, write_dataset_report
from tests.builders import NOON
from tests.fakes import FakeImageRenderer
from tests.unit.reports.parsed_pages import Page
from tests.unit.workflows.test_prepare_dataset import WHOLE, a_folder, a_source

CLIPPED = finding_at(FindingKind.CLIPPED_BOXES, ["labels/val/1.txt:1"])


def written(found, folder):
    source, _ = a_source(a_folder(found))
    path = write_dataset_report(
        source, inspect_dataset(source), renderer=FakeImageRenderer(), folder=folder, now=NOON
    )  # fmt: skip
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_pairs_and_boxes_are_shown_with_their_pictures(tmp_path):
    boxes = {"images/val/1.jpg": np.array([[0, 0.5, 0.5, 0.4, 0.4, 1]], dtype=np.float32)}
    details = ImageDetails(boxes=boxes, similar=(("images/train/0.jpg", "images/val/1.jpg"),))
    page = written(replace(WHOLE, details=details, findings=(CLIPPED,)), tmp_path / "out")
    assert "tiny_coco: 1 kind of error and 2 kinds of warnings" in page.text
    assert len(page.all("image")) == 3
    assert "images/train/0.jpg" in page.text
    assert ":1" in page.text


def test_only_the_first_pairs_are_shown(tmp_path):
    similar = tuple((f"images/train/{one}.jpg", f"images/val/{other}.jpg") for one in range(4) for other in range(3))
    similar += (("images/train/0.jpg", "images/train/1.jpg"),)
    page = written(replace(WHOLE, details=ImageDetails(similar=similar)), tmp_path)
    assert len(page.all("image")) == 2 * (MOST_SHOWN + 1)


def test_a_data_set_without_findings_has_a_page_too(tmp_path):
    page = written(WHOLE, tmp_path)
    assert "tiny_coco: Nothing found" in page.text
    assert page.all("image") == []
