"""What became of classes and images between two revisions; the revision says that something did."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.data.annotations import GroundTruth
from cv_yolo.domain.data.difference import (
    ClassChanges,
    DatasetContent,
    ImageChangeKind,
    ImageDifference,
    class_changes,
    compare,
    diff_images,
)
from cv_yolo.domain.data.manifest import DatasetManifest, Split, revision_of
from tests.builders import an_image

CLASSES = ("cat", "dog")
A_BOX = (0.0, 0.0, 20.0, 20.0)
NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5).map(tuple)
SOME_IMAGES = st.lists(
    st.tuples(st.sampled_from("pqrstu"), st.sampled_from(list(Split)), st.sampled_from("0123"), st.sampled_from("xyz")),
    unique_by=lambda each: each[0],
    max_size=6,
)


def image(name, *, split=Split.TRAIN, content=None, label="l"):
    return an_image(
        split=split,
        image=f"images/{split}/{name}.jpg",
        label=f"labels/{split}/{name}.txt",
        image_sha256=content or f"picture {name}",
        label_sha256=label,
        width_px=100,
        height_px=100,
    )


def content(*images, classes=CLASSES, boxes=(), crowds=None):
    truths = {
        name: GroundTruth(
            image=name,
            boxes_xyxy=np.array([xyxy for _, xyxy in some], dtype=np.float64).reshape(-1, 4),
            class_ids=np.array([class_id for class_id, _ in some], dtype=np.int64),
            crowds=crowds,
        )
        for name, some in dict(boxes).items()
    }
    return DatasetContent(classes=classes, images=images, truths=truths)


def kinds(before, after):
    return {change.image: change.kinds for change in compare(before, after).images}


def test_the_same_content_has_no_difference():
    difference = compare(content(image("a")), content(image("a")))
    assert not difference.images
    assert not difference.classes
    assert not any(difference.counts().values())


def test_images_are_added_and_removed():
    assert kinds(content(image("a")), content(image("b"))) == {
        "images/train/a.jpg": (ImageChangeKind.REMOVED,),
        "images/train/b.jpg": (ImageChangeKind.ADDED,),
    }


def test_the_same_picture_under_another_name_is_renamed_and_in_another_split_moved():
    before = content(image("a", content="1"), image("b", content="2"))
    after = content(image("x", content="1"), image("b", content="2", split=Split.VAL))
    assert kinds(before, after) == {
        "images/train/x.jpg": (ImageChangeKind.RENAMED,),
        "images/val/b.jpg": (ImageChangeKind.MOVED,),
    }


def test_two_pictures_that_change_their_names_are_renamed_and_not_replaced():
    before, after = content(image("a", content="1"), image("b", content="2")), content(
        image("a", content="2"), image("b", content="1")
    )  # fmt: skip
    assert set(kinds(before, after).values()) == {(ImageChangeKind.RENAMED,)}


def test_another_picture_at_the_same_path_is_replaced():
    assert kinds(content(image("a", content="1")), content(image("a", content="2"))) == {
        "images/train/a.jpg": (ImageChangeKind.REPLACED,)
    }


def test_of_several_copies_the_one_in_the_same_split_and_of_the_same_name_is_the_same_image():
    before = content(image("a", content="1"), image("b", content="1"))
    after = content(image("b", content="1", split=Split.VAL), image("c", content="1"), image("z", content="1"))
    found = kinds(before, after)
    assert found["images/train/c.jpg"] == (ImageChangeKind.RENAMED,)
    assert found["images/train/z.jpg"] == (ImageChangeKind.RENAMED,)
    assert found["images/val/b.jpg"] == (ImageChangeKind.ADDED,)


def test_other_boxes_are_relabelled_box_by_box():
    before = content(image("a"), boxes={"images/train/a.jpg": [(0, A_BOX)]})
    after = content(image("a", label="other"), boxes={"images/train/a.jpg": [(1, A_BOX)]})
    (change,) = compare(before, after).images
    assert change.kinds == (ImageChangeKind.RELABELLED,)
    assert [(box.before.category, box.after.category) for box in change.boxes] == [("cat", "dog")]


def test_crowds_are_compared_too():
    place = "images/train/a.jpg"
    before = content(image("a"), boxes={place: [(0, A_BOX)]}, crowds=np.array([True]))
    after = content(image("a", label="other"), boxes={place: [(0, A_BOX)]})
    assert compare(before, after).counts()["relabelled"] == 1


def test_other_label_text_with_the_same_boxes_is_rewritten():
    assert kinds(content(image("a")), content(image("a", label="other"))) == {
        "images/train/a.jpg": (ImageChangeKind.REWRITTEN,)
    }


def test_a_class_that_has_another_name_at_the_same_number_is_renamed_and_no_box_changes():
    boxes = {"images/train/a.jpg": [(1, A_BOX)]}
    difference = compare(content(image("a"), boxes=boxes), content(image("a"), classes=("cat", "puppy"), boxes=boxes))
    assert difference.classes == ClassChanges(renamed=(("dog", "puppy"),))
    assert not difference.images
    assert difference.counts()["classes"] == 1


def test_label_text_whose_classes_changed_their_numbers_is_relabelled():
    boxes = {"images/train/a.jpg": [(0, A_BOX)]}
    difference = compare(content(image("a"), boxes=boxes), content(image("a"), classes=("dog", "cat"), boxes=boxes))
    assert difference.classes == ClassChanges(renumbered=(("cat", 0, 1), ("dog", 1, 0)), reordered=True)
    assert difference.counts()["relabelled"] == 1


def test_classes_are_added_removed_and_renumbered():
    assert class_changes(("cat", "dog"), ("dog",)) == ClassChanges(removed=("cat",), renumbered=(("dog", 1, 0),))
    assert class_changes(("cat",), ("cat", "dog")) == ClassChanges(added=("dog",))


def test_the_images_of_a_split_and_those_of_a_kind_of_change():
    one = content(image("a"), image("b", split=Split.VAL))
    assert one.split(Split.VAL) == (image("b", split=Split.VAL),)
    assert [change.image for change in compare(one, content(image("a"))).of(ImageChangeKind.REMOVED)] == [
        "images/val/b.jpg"
    ]


def test_an_image_that_no_revision_has_is_nothing():
    assert ImageDifference(before=None, after=None).image == ""


@given(NAMES, NAMES)
def test_every_class_of_both_lists_is_kept_or_accounted_for(before, after):
    changes = class_changes(before, after)
    renamed = dict(changes.renamed)
    kept = [renamed.get(name, name) for name in before if name not in changes.removed]
    assert sorted([*kept, *changes.added]) == sorted(after)


@given(SOME_IMAGES, SOME_IMAGES)
def test_every_image_is_the_same_or_accounted_for_once(before, after):
    one, other = (
        content(*(image(name, split=split, content=picture, label=label) for name, split, picture, label in some))
        for some in (before, after)
    )
    changes = compare(one, other).images
    gone = [change.before.image for change in changes if change.before is not None]
    new = [change.after.image for change in changes if change.after is not None]
    assert len(set(gone)) == len(gone)
    assert len(set(new)) == len(new)
    left = {record for record in map(key, one.images) if record[0] not in gone}
    assert left == {record for record in map(key, other.images) if record[0] not in new}
    assert bool(changes) == (one.revision != other.revision)


def key(record):
    return record.image, record.split, record.image_sha256, record.label_sha256


@given(SOME_IMAGES, st.randoms(use_true_random=False))
def test_the_revision_depends_on_content_alone_not_on_order_or_other_facts(images, random):
    records = [image(name, split=split, content=picture, label=label) for name, split, picture, label in images]
    shuffled = [
        replace(record, boxes=random.randrange(9), width_px=random.randrange(1, 9), attributes={"camera": "1"})
        for record in random.sample(records, len(records))
    ]
    assert revision_of(CLASSES, records) == revision_of(CLASSES, shuffled)
    assert content(*records).revision == revision_of(CLASSES, records)


def test_the_revision_is_that_of_the_manifest_whatever_its_name():
    images = (image("a"), image("b", split=Split.VAL))
    manifests = [DatasetManifest(name=name, classes=CLASSES, images=images) for name in ("mine", "other")]
    assert {manifest.revision for manifest in manifests} == {content(*images).revision}


def test_paths_that_differ_from_a_manifest_are_listed():
    before = (image("a"), image("b"), image("c"), image("d"), image("e"))
    now = (replace(image("a"), image_sha256="2"), replace(image("b"), label_sha256="2"), image("x"))
    difference = diff_images(recorded=before, found=now)
    assert difference.sentence() == (
        "2 changed (images/train/a.jpg, labels/train/b.txt), 1 added (images/train/x.jpg), "
        "3 missing (images/train/c.jpg, images/train/d.jpg, images/train/e.jpg)"
    )
    assert not diff_images(recorded=before, found=before)
    assert diff_images(recorded=before, found=before).sentence() == "no difference"
