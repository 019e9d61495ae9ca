"""The page of the data gate: what is wrong first, then the pictures, the splits and the classes."""

from dataclasses import replace

import numpy as np
import pytest

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.findings import FindingKind, Severity, finding_at
from cv_yolo.domain.data.gate import GatedImages, ImageDetails
from cv_yolo.reports.pages.dataset import MOST_PLACES, dataset_html
from cv_yolo.reports.view_models import DatasetReport, ShownBoxes, ShownPair
from tests.builders import NOON, a_manifest, some_thumbnails
from tests.unit.reports.parsed_pages import Page, asks_for_nothing

MANIFEST = a_manifest()
FIRST, SECOND = MANIFEST.images[0].image, MANIFEST.images[4].image
ROWS = np.array(
    [[0, 0.5, 0.5, 0.4, 0.4, 1], [0, 0.1, 0.05, 0.02, 0.02, 2], [0, 0.7, 0.7, 0.01, 0.01, 3]], dtype=np.float32
)
SIMILAR = finding_at(FindingKind.SIMILAR_IMAGES, [f"{FIRST} and {SECOND}"], severity=Severity.ERROR)
TINY = finding_at(FindingKind.TINY_BOXES, ["labels/train/0.txt:2", "labels/train/0.txt:3"], subject="under 8 px")


def a_report(**changes):
    details = ImageDetails(
        boxes={image.image: ROWS for image in MANIFEST.images},
        brightness={image.image: 100.0 for image in MANIFEST.images},
    )
    values = {
        "name": "mine",
        "gated": GatedImages(classes=("person", "dog"), images=MANIFEST.images, details=details),
        "findings": (),
        "policy": DataPolicy(),
        "manifest": MANIFEST,
        "pairs": {},
        "boxes": {},
        "thumbnails": {},
        "excepted": 0,
        "made_at": NOON,
    }
    return DatasetReport(**(values | changes))


def page_of(**changes):
    html = dataset_html(a_report(**changes))
    assert asks_for_nothing(html)
    return Page(html)


def headings(page):
    return [each["href"] for each in page.all("a") if each["href"].startswith("#")]


@pytest.mark.parametrize(
    ("findings", "kind", "heading"),
    [
        ((), "good", "mine: Nothing found"),
        ((TINY,), "open", "mine: 1 kind of warning"),
        ((SIMILAR, TINY), "bad", "mine: 1 kind of error and 1 kind of warning"),
    ],
)
def test_the_banner_says_how_serious_it_is(findings, kind, heading):
    page = page_of(findings=findings)
    assert heading in page.text
    assert page.count(kind) == 1


def test_each_finding_has_its_severity_places_and_what_fixes_it():
    page = page_of(findings=(SIMILAR, TINY), manifest=None)
    assert "similar images: error" in page.text
    assert "tiny boxes: warning" in page.text
    assert "What fixes it: move both into one split" in page.text
    assert f"{FIRST} and {SECOND}" in page.text
    assert "Revision –" in page.text


def test_only_the_first_places_are_listed():
    many = finding_at(
        FindingKind.TINY_BOXES, [f"labels/{number}.txt:1" for number in range(MOST_PLACES + 5)], subject="x"
    )
    page = page_of(findings=(many,))
    assert "and 5 more" in page.text
    assert f"{MOST_PLACES + 5} places" in page.text


def test_pairs_are_side_by_side_and_flagged_boxes_have_their_line():
    page = page_of(
        findings=(SIMILAR, TINY),
        pairs={SIMILAR: (ShownPair(first=FIRST, second=SECOND),)},
        boxes={TINY: (ShownBoxes(image=FIRST, lines=(2, 3)),)},
        thumbnails=some_thumbnails(FIRST, SECOND),
    )
    assert len(page.all("image")) == 3
    assert page.count("missed") == 2 + 2  # two numbers, and the boxes as one path over another
    assert ":2" in page.text
    assert ":3" in page.text
    assert "#pairs" in headings(page)
    assert "#boxes" in headings(page)


def test_more_pairs_than_are_shown_are_counted():
    finding = replace(SIMILAR, count=30)
    page = page_of(findings=(finding,), pairs={finding: (ShownPair(first=FIRST, second=SECOND),)})
    assert "1 of 30 pairs" in page.text
    assert "The image is not included in this page." in page.text


def test_an_image_whose_boxes_are_not_known_is_shown_without():
    page = page_of(
        gated=GatedImages(classes=("person",), images=MANIFEST.images, details=ImageDetails()),
        findings=(SIMILAR,),
        pairs={SIMILAR: (ShownPair(first=FIRST, second=SECOND),)},
        thumbnails=some_thumbnails(FIRST, SECOND),
    )
    assert "0 boxes" in page.text
    assert "no values" in page.text


def test_the_splits_are_compared_and_the_classes_counted():
    page = page_of(excepted=2)
    for title in ("Box size at 640 px", "Objects per image", "Brightness"):
        assert title in page.text
    assert "train (12 values)" in page.text
    assert "2 findings accepted by exceptions." in page.text
    assert "dog" in page.text


def test_nothing_that_can_be_read_is_a_page_of_refusals():
    unusable = finding_at(FindingKind.UNUSABLE, ["data.yaml: cannot be read <b>"], severity=Severity.ERROR)
    page = page_of(
        gated=GatedImages(classes=(), images=(), details=ImageDetails()), findings=(unusable,), manifest=None
    )  # fmt: skip
    assert "data.yaml: cannot be read <b>" in page.text
    assert headings(page) == ["#findings", "#data"]
