"""What differs between revisions, in words."""

from dataclasses import replace

import pytest

from cv_yolo.domain.data.box_changes import BoxChange, BoxChangeKind, NamedBox
from cv_yolo.domain.data.difference import ClassChanges, ImageDifference
from cv_yolo.domain.data.manifest import Split
from cv_yolo.reports.text.difference import (
    box_change_text,
    class_changes_text,
    counts_sentence,
    counts_text,
    image_change_text,
)
from tests.builders import an_image

CAT, DOG = NamedBox(category="cat", xyxy=(0, 0, 9, 9)), NamedBox(category="dog", xyxy=(0, 0, 9, 9))
HERE = an_image(image="images/val/a.jpg")


@pytest.mark.parametrize(
    ("counts", "short", "long"),
    [
        ({}, "no change", "no difference"),
        ({"added": 3, "removed": 1, "relabelled": 2, "moved": 4}, "+3 −1 ~2, moved 4",
         "3 images added, 1 removed, 4 moved, 2 relabelled"),
        ({"renamed": 1, "classes": 1}, "renamed 1, 1 class changed", "1 image renamed, 1 class changed"),
        ({"classes": 2}, "2 classes changed", "2 classes changed"),
    ],
)  # fmt: skip
def test_counts_in_short_and_as_a_sentence(counts, short, long):
    assert counts_text(counts) == short
    assert counts_sentence(counts) == long


def test_classes_in_words():
    changes = ClassChanges(
        added=("tram", "van"), removed=("bus",), renamed=(("car", "vehicle"),), renumbered=(("person", 0, 1),)
    )
    assert (
        class_changes_text(changes) == "tram and van added; bus removed; car is now vehicle; renumbered: person 0 → 1"
    )
    assert class_changes_text(replace(changes, reordered=True)).endswith("reordered: person 0 → 1")
    assert class_changes_text(ClassChanges()) == ""


def test_boxes_in_words():
    moved = BoxChange(kind=BoxChangeKind.MOVED, before=CAT, after=CAT, iou=0.712)
    assert box_change_text(moved) == "cat moved or resized (IoU 0.71)"
    assert box_change_text(BoxChange(kind=BoxChangeKind.CLASS_CHANGED, before=CAT, after=DOG, iou=1.0)) == "cat → dog"
    assert box_change_text(BoxChange(kind=BoxChangeKind.ADDED, before=None, after=DOG)) == "dog added"
    crowd = replace(CAT, is_crowd=True)
    assert box_change_text(BoxChange(kind=BoxChangeKind.REMOVED, before=crowd, after=None)) == "cat (crowd) removed"


def test_images_in_words():
    assert image_change_text(ImageDifference(before=None, after=HERE)) == "images/val/a.jpg (val, 2 boxes)"
    there = replace(HERE, split=Split.TRAIN, image="images/train/a.jpg")
    moved = ImageDifference(before=there, after=HERE)
    assert image_change_text(moved) == "images/val/a.jpg: moved from train to val"
    renamed = ImageDifference(before=replace(HERE, image="images/val/old.jpg"), after=HERE)
    assert image_change_text(renamed) == "images/val/a.jpg: was images/val/old.jpg"
    replaced = ImageDifference(before=replace(HERE, image_sha256="other"), after=HERE)
    assert image_change_text(replaced) == "images/val/a.jpg: replaced by another picture"


def test_labels_that_differ_without_their_boxes_say_in_what():
    text = ImageDifference(before=replace(HERE, label_sha256="other"), after=HERE)
    assert image_change_text(text) == "images/val/a.jpg: same boxes, other label text"
    outlines = ImageDifference(before=replace(HERE, annotations_sha256="other"), after=HERE)
    assert image_change_text(outlines).endswith("same boxes, other outlines, areas or columns")


def test_many_boxes_of_an_image_are_counted():
    boxes = tuple(BoxChange(kind=BoxChangeKind.ADDED, before=None, after=CAT) for _ in range(6))
    assert image_change_text(ImageDifference(before=HERE, after=HERE, boxes=boxes)).endswith(
        "cat added, and 2 more boxes"
    )
