"""One image as one model sees it."""

import base64

import pytest

from cv_yolo.domain.evaluation.annotated_images import AnnotatedTruth
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.reports.pages.image import LEGEND, ImageView, error_list, errors_of, legend, rights_of, summary
from tests.builders import a_wrong_detection, an_annotated_image, some_thumbnails
from tests.unit.reports.parsed_pages import Page

CLASSES = ("person", "dog")
NEAR = (10.0, 10.0, 50.0, 50.0)
PICTURE = ImageView(thumbnail=some_thumbnails("a.jpg")["a.jpg"], id="p1")


def drawn(annotated=None):
    return PICTURE.drawn(annotated or an_annotated_image(), image=PICTURE.embedded(), words="a.jpg as B sees it")


def paths(html):
    return [path for path in Page(html).all("path") if "under" not in path["class"]]


def test_the_image_is_embedded_once_and_used_again():
    embedded, again = Page(PICTURE.embedded()).all("image")[0], Page(PICTURE.again()).all("use")[0]
    assert embedded["href"] == "data:image/jpeg;base64," + base64.b64encode(b"jpeg of a.jpg").decode()
    assert (embedded["width"], embedded["height"]) == ("320", "240")
    assert again["href"] == f"#{embedded['id']}"


def test_every_kind_of_box_is_drawn_in_its_own_way_over_a_dark_line():
    page = Page(drawn())
    assert [path["class"] for path in paths(drawn())] == ["box found", "box missed", "box right", "box wrong"]
    assert page.count("under") == 4


def test_a_wrong_detection_is_struck_out():
    found, _, _, wrong = paths(drawn())
    assert found["d"] == "M10 20H60V90H10z"
    assert wrong["d"] == "M200 100H240V150H200zL240 150"


def test_a_crowd_is_neither_found_nor_missed():
    crowd = AnnotatedTruth(xyxy=(0.0, 0.0, 300.0, 200.0), class_id=0, found=False, crowd=True)
    annotated = an_annotated_image(truths=(crowd,), detections=())
    assert [path["class"] for path in paths(drawn(annotated))] == ["box crowd"]
    assert errors_of(annotated) == ()


def test_errors_come_first_the_missed_ones_before_the_wrong_ones_and_the_surest_before_others():
    annotated = an_annotated_image(
        detections=(a_wrong_detection(confidence=0.4, error=ErrorType.DUPLICATE), a_wrong_detection(class_id=1))
    )
    assert [error.words(CLASSES) for error in errors_of(annotated)] == [
        "person: missed",
        "dog 0.60: background",
        "person 0.40: duplicate",
    ]
    assert [error.sign for error in errors_of(annotated)] == ["○", "✕", "✕"]


@pytest.mark.parametrize(
    ("detection", "words"),
    [
        (a_wrong_detection(xyxy=NEAR, error=ErrorType.CLASSIFICATION), "person 0.60: classification (annotated: dog)"),
        (a_wrong_detection(xyxy=NEAR, error=ErrorType.BOTH), "person 0.60: both"),
        (a_wrong_detection(xyxy=NEAR, class_id=1, error=ErrorType.CLASSIFICATION), "dog 0.60: classification"),
    ],
)
def test_what_was_taken_for_another_class_is_listed_under_its_own(detection, words):
    far, near = (AnnotatedTruth(xyxy=xyxy, class_id=1, found=True) for xyxy in ((200.0, 0.0, 220.0, 20.0), NEAR))
    crowd = AnnotatedTruth(xyxy=NEAR, class_id=2, found=False, crowd=True)
    (error,) = errors_of(an_annotated_image(truths=(far, crowd, near), detections=(detection,)))
    assert error.words(CLASSES) == words
    assert error.class_ids == ((0, 1) if "annotated" in words else (detection.class_id,))


def test_each_error_has_a_number_in_the_picture_that_leads_to_its_words():
    numbers = [span for span in Page(drawn()).all("span") if "number" in span["class"]]
    assert [span["class"] for span in numbers] == ["number missed inside", "number wrong"]
    assert numbers[1]["style"] == "left:min(62.5% + 0rem,100% - 2rem);top:41.7%"
    text = Page(error_list(an_annotated_image(), CLASSES)).text
    assert "○1 person: missed" in text
    assert "✕2 person 0.60: background" in text
    assert "✓ person 0.90" in text


def test_a_box_beyond_the_edge_keeps_its_number_inside():
    annotated = an_annotated_image(truths=(), detections=(a_wrong_detection(xyxy=(-20.0, -5.0, 30.0, 40.0)),))
    (number,) = [span for span in Page(drawn(annotated)).all("span") if "number" in span["class"]]
    assert number["style"] == "left:min(0.0% + 0rem,100% - 2rem);top:0.0%"


def test_numbers_at_the_same_corner_stand_beside_each_other():
    annotated = an_annotated_image(truths=(), detections=(a_wrong_detection(), a_wrong_detection(confidence=0.5)))
    styles = [span["style"] for span in Page(drawn(annotated)).all("span") if "number" in span["class"]]
    assert ["+ 0rem" in styles[0], "+ 1.75rem" in styles[1]] == [True, True]


def test_many_boxes_are_counted_rather_than_listed():
    wrong = tuple(a_wrong_detection(confidence=0.5 + number / 100) for number in range(10))
    right = tuple(a_wrong_detection(error=None, confidence=0.5 + number / 100) for number in range(11))
    text = Page(error_list(an_annotated_image(truths=(), detections=wrong + right), CLASSES)).text
    assert "and 2 more errors" in text
    assert "and 3 more" in text
    assert Page(drawn(an_annotated_image(truths=(), detections=wrong))).count("number") == 8


def test_an_image_without_anything_right_says_so():
    assert "no correct detection" in Page(error_list(an_annotated_image(detections=()), CLASSES)).text


def test_a_picture_is_summed_up_for_those_who_cannot_see_it():
    assert summary(an_annotated_image()) == "1 correct, 1 wrong, 1 missed"
    assert [mark.confidence for mark in rights_of(an_annotated_image())] == [0.9]
    (svg,) = Page(drawn()).all("svg")
    assert (svg["role"], svg["aria-label"]) == ("img", "a.jpg as B sees it")


def test_the_legend_shows_each_kind_as_it_is_drawn():
    page = Page(legend(LEGEND))
    assert all(text in page.text for text in LEGEND.values())
    assert [path["class"] for path in paths(legend(LEGEND))] == [f"box {kind}" for kind in LEGEND]
