"""The data gate: copies, groups, classes, sizes, and splits that differ."""

import numpy as np

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.gate import (
    ClassCount,
    GatedImages,
    ImageDetails,
    changed_test_set,
    class_counts,
    gate_findings,
)
from cv_yolo.domain.data.manifest import Split
from tests.builders import an_image


def rows(*boxes):
    """Boxes of class and size, in the middle, a line each."""
    made = [(class_id, 0.5, 0.5, size, size, line) for line, (class_id, size) in enumerate(boxes, start=1)]
    return np.array(made, dtype=np.float32).reshape(-1, 6)


def images_of(split, count, **changes):
    return [an_image(split=split, image=f"images/{split}/{number}.jpg", **changes) for number in range(count)]


def gated(images, *, classes=("person",), boxes=None, **details):
    details = ImageDetails(
        boxes={image.image: rows((0, 0.5)) for image in images} if boxes is None else boxes, **details
    )
    return GatedImages(classes=classes, images=images, details=details)


def found(given, policy=DataPolicy()):  # noqa: B008 - a value
    return {
        (each.kind, each.subject) if each.subject else each.kind: each.places for each in gate_findings(given, policy)
    }


A, B = an_image(split=Split.TRAIN, image="images/train/a.jpg"), an_image(split=Split.TEST, image="images/test/b.jpg")
C = an_image(split=Split.TRAIN, image="images/train/c.jpg")


def test_ordinary_images_have_no_findings():
    assert found(gated([A, B, C])) == {}


def test_nothing_is_said_of_images_that_were_not_looked_at():
    assert found(gated([A, B], boxes={}), DataPolicy(required_classes={Split.VAL: ("person",)})) == {}


def test_the_same_content_is_an_error_across_splits_and_reported_within_one():
    copies = [A, an_image(split=Split.TRAIN, image="images/train/x.jpg", image_sha256=A.image_sha256)]
    leak = an_image(split=Split.TEST, image="images/test/y.jpg", image_sha256=A.image_sha256)
    assert found(gated([*copies, leak])) == {
        FindingKind.IDENTICAL_ACROSS_SPLITS: ("images/train/a.jpg and images/test/y.jpg",),
        FindingKind.REPEATED_IMAGES: ("images/train/x.jpg",),
    }


def test_similar_images_are_kept_apart_by_their_splits_and_train_comes_first():
    same = an_image(split=Split.TRAIN, image="images/train/x.jpg", image_sha256=A.image_sha256)
    similar = (("images/test/b.jpg", "images/train/a.jpg"), ("images/train/a.jpg", "images/train/c.jpg"),
               ("images/train/a.jpg", "images/train/x.jpg"))  # fmt: skip
    assert found(gated([A, B, C, same], similar=similar)) == {
        FindingKind.SIMILAR_IMAGES: ("images/train/a.jpg and images/test/b.jpg",),
        FindingKind.SIMILAR_WITHIN_SPLIT: ("images/train/a.jpg and images/train/c.jpg",),
        FindingKind.REPEATED_IMAGES: ("images/train/x.jpg",),
    }


def test_a_group_in_two_splits_is_named_with_its_column():
    def of(clip, split, number):
        return an_image(split=split, image=f"images/{split}/{number}.jpg", attributes={"clip": clip} if clip else {})

    images = [of("one", Split.TRAIN, 1), of("one", Split.TRAIN, 2), of("two", Split.TRAIN, 3), of("two", Split.VAL, 4)]
    images += [of("", Split.TRAIN, 5), of("", Split.VAL, 6)]
    assert found(gated(images), DataPolicy(groups=("clip",))) == {(FindingKind.GROUPS_ACROSS_SPLITS, "clip"): ("two",)}
    assert found(gated(images)) == found(gated(images), DataPolicy(groups=("camera",))) == {}


def test_a_class_that_a_split_must_have_is_missed():
    given = gated([A, B], classes=("person", "dog"), boxes={A.image: rows((0, 0.5), (1, 0.5)), B.image: rows((0, 0.5))})
    policy = DataPolicy(required_classes={Split.TEST: ("all",), Split.VAL: ("person",)})
    assert found(given, policy) == {FindingKind.MISSING_CLASSES: ("person in val", "dog in test")}


def test_a_class_that_is_judged_and_not_learned_is_reported():
    given = gated([A, B], classes=("person", "dog"), boxes={A.image: rows((0, 0.5)), B.image: rows((1, 0.5))})
    assert found(given) == {FindingKind.UNLEARNED_CLASSES: ("dog",)}


def test_boxes_are_tiny_at_the_training_size_and_named_by_line():
    given = gated([A, B], boxes={A.image: rows((0, 0.5), (0, 0.011)), B.image: rows()})  # 320 x 240 px
    ((kind, subject),) = found(given)
    assert kind is FindingKind.TINY_BOXES
    assert subject == "under 8 px at the training size of 640 px"
    assert found(given)[kind, subject] == ("labels/train/a.txt:2",)
    assert found(given, DataPolicy(training_size_px=1280)) == {}
    assert found(given, DataPolicy(smallest_box_px=4)) == {}


def test_rare_classes_are_named_with_their_boxes():
    boxes = {A.image: rows(*[(0, 0.5)] * 50, (1, 0.5))}
    given = gated([A], classes=("person", "dog", "cat"), boxes=boxes)
    policy = DataPolicy(imbalance_ratio=49)
    ((kind, subject),) = found(given, policy)
    assert kind is FindingKind.IMBALANCED_CLASSES
    assert "1/49" in subject
    assert found(given, policy)[kind, subject] == ("dog: 1",)
    assert found(given) == {}


def test_splits_that_differ_in_size_or_brightness_are_named_with_effect_and_chance():
    train, val = images_of(Split.TRAIN, 40), images_of(Split.VAL, 12, width_px=640, height_px=480)
    brightness = {image.image: 100.0 + number for number, image in enumerate(train)}
    brightness |= {image.image: 20.0 + number for number, image in enumerate(val)}
    boxes = {image.image: rows((0, 0.5)) for image in train} | {image.image: rows((0, 0.1)) for image in val}
    places = found(gated([*train, *val], boxes=boxes, brightness=brightness))[FindingKind.DIFFERENT_SPLITS]
    assert [place.partition(" (Cliff")[0] for place in places] == [
        "image size (px): val larger than train",
        "box size (px): val smaller than train",
        "brightness: val smaller than train",
    ]
    assert "Cliff's delta -1.00, p " in places[2]
    assert found(gated([*train, *val[:5]], boxes=boxes, brightness=brightness)) == {}, "five images say little"


def test_a_small_difference_is_none_however_sure_it_is():
    train, val = images_of(Split.TRAIN, 900), images_of(Split.VAL, 900)
    rng = np.random.default_rng(0)
    brightness = {image.image: float(rng.normal(100, 20)) for image in train}
    brightness |= {image.image: float(rng.normal(105, 20)) for image in val}
    assert found(gated([*train, *val], brightness=brightness)) == {}
    assert found(gated([*train, *val], brightness=brightness), DataPolicy(smallest_effect=0.1)) != {}


def test_classes_are_counted_in_images_and_boxes():
    given = gated(
        [A, B, C], classes=("person", "dog"), boxes={A.image: rows((0, 0.5), (0, 0.4)), B.image: rows((1, 0.5))}
    )
    assert class_counts(given)[:3] == (
        ClassCount(name="person", split=Split.TRAIN, images=1, boxes=2),
        ClassCount(name="person", split=Split.VAL, images=0, boxes=0),
        ClassCount(name="person", split=Split.TEST, images=0, boxes=0),
    )
    assert class_counts(given)[5] == ClassCount(name="dog", split=Split.TEST, images=1, boxes=1)


def test_a_changed_test_set_is_a_finding_and_an_unknown_one_is_not():
    assert changed_test_set("now", None) == changed_test_set("now", "now") == ()
    (finding,) = changed_test_set("now", "before")
    assert (finding.kind, finding.places) == (FindingKind.TEST_CHANGED, ("now",))
