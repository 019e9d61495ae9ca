"""The page of a comparison shows the pictures of what differs, of both revisions."""

from dataclasses import replace

import numpy as np

from cv_yolo.domain.data.annotations import GroundTruth
from cv_yolo.domain.data.difference import DatasetContent
from cv_yolo.domain.data.manifest import Split
from cv_yolo.workflows.compare_revisions import compared
from cv_yolo.workflows.report_difference import MOST_OTHERS, write_difference_report
from tests.builders import NOON, a_truth
from tests.fakes import FakeImageRenderer
from tests.unit.reports.parsed_pages import Page
from tests.unit.workflows.revisions import FIRST_HASH, Records, a_content, an_image_of

CLASSES = ("cat", "dog")
MANY = [(float(place), 0.0, float(place) + 9, 9.0) for place in range(0, 150, 10)]


class NoPictures(FakeImageRenderer):
    def thumbnails(self, root, images):
        return {}


def written(tmp_path, before, after, renderer=None):
    records = Records(project=tmp_path)
    records.record(FIRST_HASH, before, number=1)
    records.contents.put(records.mine, after)
    records.mine.mkdir(parents=True)
    with compared(records.source, "mine", None, project=tmp_path) as found:
        path = write_difference_report(
            found, renderer=renderer or FakeImageRenderer(), folder=tmp_path / "out", now=NOON
        )
    return Page(path.read_text(encoding="utf-8"))


def content(*records, truths=(), classes=CLASSES):
    return DatasetContent(classes=classes, images=records, truths={each.image: each for each in truths})


def test_revisions_that_are_equal(tmp_path):
    page = written(tmp_path, a_content("a"), a_content("a"))
    assert "mine: no difference" in page.text
    assert not page.all("image")


def test_added_and_removed_images_with_one_picture_each_and_renamed_ones_with_their_former_name(tmp_path):
    before = content(an_image_of(Split.TRAIN, "a"), an_image_of(Split.TRAIN, "b", image_sha256="1"))
    moved = an_image_of(Split.VAL, "b2", image_sha256="1", label_sha256=before.images[1].label_sha256)
    page = written(tmp_path, before, content(an_image_of(Split.TRAIN, "c"), moved))
    assert "mine: 3 images differ" in page.text
    assert "1 image added, 1 removed, 1 moved" in page.text
    assert "train → val, was images/train/b.jpg" in page.text
    assert len(page.all("image")) == 3


def test_relabelled_images_twice_with_numbered_boxes(tmp_path):
    image = an_image_of(Split.TRAIN, "a")
    boxes = [(10.0, 2.0, 60.0, 60.0), (100.0, 100.0, 150.0, 150.0), (200.0, 100.0, 250.0, 150.0)]
    after_boxes = [boxes[0], (110.0, 100.0, 160.0, 150.0), (0.0, 200.0, 30.0, 230.0)]
    page = written(
        tmp_path,
        content(image, truths=[a_truth(*boxes, image=image.image)]),
        content(
            replace(image, label_sha256="2"),
            truths=[a_truth(*after_boxes, image=image.image, classes=[1, 0, 0])],
        ),
    )
    assert len(page.all("image")) == 2
    for words in ("cat → dog", "cat moved or resized (IoU 0.67)", "cat removed", "cat added"):
        assert words in page.text
    assert "moved, resized, or with another class" in page.text


def test_many_boxes_of_an_image_are_counted(tmp_path):
    image = an_image_of(Split.TRAIN, "a")
    after = content(replace(image, label_sha256="2"), truths=[a_truth(*MANY, image=image.image)])
    page = written(tmp_path, content(image), after)
    assert "and 3 more boxes: cv-yolo data diff --json lists all of them" in page.text.replace("`", "")


def test_only_the_first_of_many_images_are_shown(tmp_path):
    before = a_content("a")
    page = written(tmp_path, before, a_content("a", *(f"new{number}" for number in range(MOST_OTHERS + 1))))
    assert f"{MOST_OTHERS} of {MOST_OTHERS + 1} images" in page.text
    assert len(page.all("image")) == MOST_OTHERS


def test_replaced_pictures_side_by_side_and_classes(tmp_path):
    image = an_image_of(Split.TRAIN, "a")
    crowd = GroundTruth(
        image=image.image,
        boxes_xyxy=np.array([[0.0, 0.0, 9.0, 9.0]]),
        class_ids=np.array([0]),
        crowds=np.array([True]),
    )
    after = content(replace(image, image_sha256="2"), truths=[crowd], classes=("cat", "puppy", "bird"))
    page = written(tmp_path, content(image), after)
    assert "mine: 1 image and 2 classes differ" in page.text
    assert "1 image replaced, 1 relabelled, 2 classes changed" in page.text
    assert "Classes: bird added; dog is now puppy." in page.text
    assert "cat (crowd) added" in page.text
    assert len(page.all("image")) == 2


def test_images_whose_copies_cannot_be_made_are_named(tmp_path):
    page = written(tmp_path, a_content("a"), a_content("b"), NoPictures())
    assert "The image is not included in this page." in page.text
    assert "images/train/b.jpg" in page.text


def test_images_whose_label_text_alone_differs(tmp_path):
    image = an_image_of(Split.TRAIN, "a")
    page = written(tmp_path, content(image), content(replace(image, label_sha256="2")))
    assert "mine: 1 image differs" in page.text
    assert "The boxes are the same" in page.text
