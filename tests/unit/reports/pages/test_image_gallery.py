"""The images behind the figures."""

from dataclasses import replace

import pytest

from cv_yolo.domain.evaluation.annotated_images import AnnotatedTruth
from cv_yolo.domain.evaluation.comparison import ImageChange
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.reports.pages.image_gallery import changed_images, gallery_html, gallery_style, worst_images
from tests.builders import a_comparison, a_scored, a_wrong_detection, an_annotated_image, some_thumbnails
from tests.unit.reports.parsed_pages import Page, asks_for_nothing

CLASSES = ("person", "dog")
CLEAN = an_annotated_image(
    truths=tuple(replace(truth, found=True) for truth in an_annotated_image().truths), detections=()
)


def changes(first=CLEAN, second=CLEAN, count=1):
    return tuple(
        ImageChange(
            first=replace(first, image=f"images/test/{n}.jpg"), second=replace(second, image=f"images/test/{n}.jpg")
        )
        for n in range(count)
    )


def compared(*found, thumbnails=None):
    comparison = replace(a_comparison(), changes=found)
    return changed_images(("A", "B"), comparison, some_thumbnails() if thumbnails is None else thumbnails)


def worst(*annotated, classes=CLASSES):
    return worst_images("B", classes, annotated, some_thumbnails())


def cases(gallery):
    return [figure["class"].split() for figure in Page(gallery_html(gallery)).all("figure")]


def test_what_got_worse_and_what_got_better_are_lists_of_their_own():
    gallery = changed_images(("A", "B"), a_comparison(a_scored(0, 1), a_scored(2)), some_thumbnails())
    page = Page(gallery_html(gallery))
    assert "Regressions of B 1 image, worst first" in page.text
    assert "Improvements of B 2 images, most improved first" in page.text
    assert page.text.index("images/test/2.jpg") < page.text.index("images/test/0.jpg")
    assert "1 broken, 0 fixed" in page.text
    assert "0 broken, 1 fixed" in page.text


def test_both_models_stand_side_by_side_and_the_image_is_embedded_once():
    html = gallery_html(compared(*changes(second=an_annotated_image())))
    page = Page(html)
    assert page.count("panel") == 2
    assert (len(page.all("image")), len(page.all("use"))) == (1, 1)
    assert asks_for_nothing(html)
    assert "images/test/0.jpg as B sees it: 1 correct, 1 wrong, 1 missed" in html


def test_each_picture_is_a_link_that_enlarges_it_and_another_one_leads_back():
    page = Page(gallery_html(compared(*changes(second=an_annotated_image()))))
    links = [(link["class"], link["href"]) for link in page.all("a")]
    assert links == [
        ("close", "#case-0-0"), ("enlarge", "#case-0-0-0"), ("close", "#case-0-0"), ("enlarge", "#case-0-0-1"),
    ]  # fmt: skip
    assert [each["id"] for each in page.all("div") if each.get("class") == "panel"] == ["case-0-0-0", "case-0-0-1"]
    assert [each["id"] for each in page.all("figure")] == ["case-0-0"]


def test_a_list_without_images_says_so():
    page = Page(gallery_html(compared(*changes(second=an_annotated_image()))))
    assert "No image got better." in page.text


def test_where_nothing_differs_there_are_no_filters():
    html = gallery_html(compared())
    assert "No image got worse." in html
    assert "<input" not in html
    assert gallery_style(compared()) == ""


def test_a_long_list_is_cut_and_counted():
    page = Page(gallery_html(compared(*changes(second=an_annotated_image(), count=30))))
    assert "24 of 30 images, worst first" in page.text
    assert page.count("case") == 24
    assert "of the 24 images shown here match." in page.text


def test_an_image_whose_copy_is_missing_is_shown_in_words():
    page = Page(gallery_html(compared(*changes(second=an_annotated_image()), thumbnails={})))
    assert page.all("image") == page.all("a") == []
    assert "The image is not included in this page." in page.text
    assert "person 0.60: background" in page.text


def test_one_model_shows_the_images_with_errors_and_no_others():
    page = Page(gallery_html(worst(an_annotated_image(), replace(CLEAN, image="images/test/1.jpg"))))
    assert "Images with errors 1 image, worst first" in page.text
    assert "2 errors" in page.text
    assert "images/test/1.jpg" not in page.text
    assert page.count("panel") == 1


def test_a_model_without_errors_is_called_so():
    assert "B makes no error at its confidence threshold." in gallery_html(worst(CLEAN))


def test_each_image_is_tagged_with_its_classes_and_errors_together():
    dog = a_wrong_detection(class_id=1, error=ErrorType.CLASSIFICATION)
    (tags,) = cases(worst(an_annotated_image(detections=(dog,))))
    assert tags == [
        "case",
        "e-classification",
        "e-missed",
        "k0",
        "k0-classification",
        "k0-missed",
        "k1",
        "k1-classification",
    ]


def test_the_filters_offer_only_the_classes_and_errors_that_occur():
    page = Page(gallery_html(worst(an_annotated_image())))
    assert [radio["id"] for radio in page.all("input")] == [
        "class-any", "class-0", "error-any", "error-background", "error-missed", "size-any", "size-large",
    ]  # fmt: skip
    assert [radio["id"] for radio in page.all("input") if "checked" in radio] == ["class-any", "error-any", "size-any"]
    assert len(page.all("fieldset")) == len(page.all("legend")) == 3


def test_a_filter_hides_what_lacks_its_class_its_error_or_the_two_together():
    style = gallery_style(worst(an_annotated_image()))
    for rule in (
        ".gallery:has(#class-0:checked):has(#error-any:checked) .case:not(.k0)",
        ".gallery:has(#class-any:checked):has(#error-missed:checked) .case:not(.e-missed)",
        ".gallery:has(#class-0:checked):has(#error-missed:checked) .case:not(.k0-missed)",
    ):
        assert rule in style
    assert style.endswith("{ display: none }")


@pytest.mark.parametrize(("count", "folded"), [(12, 0), (13, 1)])
def test_many_classes_are_folded_away(count, folded):
    wrong = tuple(a_wrong_detection(class_id=number) for number in range(count))
    gallery = worst(an_annotated_image(truths=(), detections=wrong), classes=tuple(f"class {n}" for n in range(count)))
    assert len(Page(gallery_html(gallery)).all("details")) == folded


def test_crowds_are_explained_where_there_are_any():
    crowd = AnnotatedTruth(xyxy=(0.0, 0.0, 300.0, 200.0), class_id=0, found=False, crowd=True)
    assert "crowd" not in Page(gallery_html(worst(an_annotated_image()))).text
    assert "crowd: ignored" in Page(gallery_html(worst(an_annotated_image(truths=(crowd,))))).text


def test_names_with_markup_are_text():
    gallery = worst(an_annotated_image(image="<b>.jpg"), classes=("<i>", "<u>"))
    assert not {"b", "i", "u"} & {tag for tag, _ in Page(gallery_html(gallery)).tags}
