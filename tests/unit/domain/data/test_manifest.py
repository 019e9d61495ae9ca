"""What is in a data set, and the revision that names it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.difference import ManifestDiff, diff_images
from cv_yolo.domain.data.manifest import MOST_SLICES, DatasetManifest, Split, revision_of
from cv_yolo.errors import DatasetError
from tests.builders import a_manifest, an_image, some_images

IMAGES = a_manifest().images


@settings(max_examples=30, deadline=None, database=None)
@given(st.permutations(IMAGES))
def test_the_order_of_the_images_does_not_change_the_revision(images):
    assert revision_of(("person",), images) == revision_of(("person",), IMAGES)


@settings(max_examples=40, deadline=None, database=None)
@given(
    st.integers(0, len(IMAGES) - 1),
    st.sampled_from(
        [{"image_sha256": "new"}, {"label_sha256": "new"}, {"split": Split.TEST}, {"image": "images/elsewhere.jpg"}]
    ),
)
def test_every_path_split_and_content_hash_changes_the_revision(index, change):
    changed = (*IMAGES[:index], replace(IMAGES[index], **change), *IMAGES[index + 1 :])
    assert revision_of(("person",), changed) != revision_of(("person",), IMAGES)


@pytest.mark.parametrize("classes", [("dog",), ("person", "dog"), ("dog", "person"), ("persondog",)])
def test_the_classes_and_their_order_change_the_revision(classes):
    others = [("person",), ("dog",), ("person", "dog"), ("dog", "person"), ("persondog",)]
    revisions = {revision_of(each, IMAGES) for each in others}
    assert len(revisions) == len(others)
    assert revision_of(classes, IMAGES) != revision_of(("person",), IMAGES)


def test_an_image_more_changes_the_revision():
    assert revision_of(("person",), IMAGES[:-1]) != revision_of(("person",), IMAGES)


def test_what_says_nothing_about_the_content_leaves_the_revision_alone():
    manifest = a_manifest()
    other = a_manifest(name="renamed", dvc_hash=None, versioned=False)
    assert other.revision == manifest.revision
    described = tuple(replace(image, attributes={"scene": "street"}) for image in IMAGES)
    assert a_manifest(images=described).revision == manifest.revision


def test_the_revision_is_what_it_was_when_this_was_written():
    """Recorded revisions must stay comparable: a change of this figure is a break, to be announced to the users."""
    image = an_image(image="images/val/1.jpg", image_sha256="aa", label_sha256="bb")
    assert revision_of(("person",), [image]) == "63303b904248f52b38f6d8339ee3af6f8e7654c0aaa94ada894423a70498b6b9"


WITH_TEST = (*IMAGES, *some_images(Split.TEST, 3))


@settings(max_examples=30, deadline=None, database=None)
@given(st.permutations(WITH_TEST))
def test_the_order_of_the_images_does_not_change_the_revision_of_a_split(images):
    for split in Split:
        assert a_manifest(images=images).split_revision(split) == a_manifest(images=WITH_TEST).split_revision(split)


@pytest.mark.parametrize("split", list(Split))
def test_an_image_that_comes_into_a_split_changes_the_revision_of_this_split_alone(split):
    before = a_manifest(images=WITH_TEST)
    after = a_manifest(images=(*WITH_TEST, an_image(split=split, image=f"images/{split}/more.jpg")))
    changed = {each for each in Split if before.split_revision(each) != after.split_revision(each)}
    assert changed == {split}
    assert before.revision != after.revision


def test_an_image_that_goes_to_another_split_changes_both():
    moved = tuple(replace(each, split=Split.TEST) if each is IMAGES[0] else each for each in WITH_TEST)
    before, after = a_manifest(images=WITH_TEST), a_manifest(images=moved)
    changed = {each for each in Split if before.split_revision(each) != after.split_revision(each)}
    assert changed == {Split.TRAIN, Split.TEST}


def test_the_classes_change_the_revision_of_every_split():
    before, after = a_manifest(images=WITH_TEST), a_manifest(images=WITH_TEST, classes=("person", "dog"))
    assert all(before.split_revision(split) != after.split_revision(split) for split in Split)


def described(*columns, split=Split.TEST):
    """A manifest whose images of one split have these columns, image by image."""
    images = [
        an_image(split=split, image=f"images/{split}/{number:03}.jpg", attributes=attributes)
        for number, attributes in enumerate(columns)
    ]
    others = [image for image in IMAGES if image.split != split]
    return a_manifest(images=(*others, *images))


def test_a_column_parts_the_images_of_a_split_into_slices():
    manifest = described({"scene": "street"}, {"scene": "field"}, {"scene": "street"})
    assert manifest.slices(Split.TEST) == {"scene=field": (False, True, False), "scene=street": (True, False, True)}
    assert manifest.slices(Split.VAL) == {}


def test_every_column_splits_the_images_again():
    manifest = described({"scene": "street", "light": "day"}, {"scene": "field", "light": "night"})
    assert list(manifest.slices(Split.TEST)) == ["light=day", "light=night", "scene=field", "scene=street"]


def test_a_column_with_one_value_parts_nothing():
    assert described({"camera": "left"}, {"camera": "left"}).slices(Split.TEST) == {}


def test_an_image_that_says_nothing_in_a_column_is_a_slice_of_its_own_kind():
    manifest = described({"scene": "street"}, {})
    assert manifest.slices(Split.TEST) == {"scene=": (False, True), "scene=street": (True, False)}


@pytest.mark.parametrize(("values", "slices"), [(MOST_SLICES, MOST_SLICES), (MOST_SLICES + 1, 0)])
def test_a_column_with_too_many_values_names_images_and_no_groups(values, slices):
    manifest = described(*({"place": str(number)} for number in range(values)))
    assert len(manifest.slices(Split.TEST)) == slices


def test_the_slices_of_a_split_go_by_its_own_values():
    images = (
        *IMAGES,
        *(replace(each, attributes={"scene": "street"}) for each in some_images(Split.TEST, 2)),
    )
    train = tuple(
        replace(each, attributes={"scene": "field"}) if each.split == Split.TRAIN else each for each in images
    )
    assert a_manifest(images=train).slices(Split.TEST) == {}


def test_the_splits_are_counted_with_their_boxes():
    manifest = a_manifest()
    assert manifest.counts() == {"train": 4, "val": 3, "test": 0}
    assert manifest.box_counts() == {"train": 8, "val": 6, "test": 0}
    assert [image.image for image in manifest.split(Split.VAL)] == [f"images/val/{number}.jpg" for number in range(3)]


def test_a_data_set_without_classes_is_refused():
    with pytest.raises(DatasetError, match=r"^tiny_coco: no classes"):
        a_manifest(classes=())


@pytest.mark.parametrize("missing", [Split.TRAIN, Split.VAL])
def test_a_data_set_without_training_or_validation_images_is_refused(missing):
    rest = tuple(image for image in IMAGES if image.split != missing)
    with pytest.raises(DatasetError, match=rf"no images in the split {missing}$"):
        a_manifest(images=rest)


def test_an_image_listed_twice_is_refused():
    with pytest.raises(DatasetError, match=r"listed twice: images/train/0\.jpg, images/val/2\.jpg$"):
        a_manifest(images=(*IMAGES, IMAGES[-1], IMAGES[0]))


def test_of_many_images_listed_twice_three_are_named():
    with pytest.raises(DatasetError) as refusal:
        a_manifest(images=IMAGES + IMAGES)
    assert refusal.value.message.count(".jpg") == 3


def test_the_same_picture_in_two_splits_is_refused_with_both_names():
    leak = an_image(split=Split.VAL, image="images/val/renamed.jpg", image_sha256=IMAGES[1].image_sha256)
    with pytest.raises(DatasetError, match=r"two splits: images/train/1\.jpg and images/val/renamed\.jpg") as refusal:
        a_manifest(images=(*IMAGES, leak))
    assert "cannot judge the model" in refusal.value.hint


def test_the_same_picture_twice_in_one_split_is_let_pass():
    copy = an_image(split=Split.TRAIN, image="images/train/copy.jpg", image_sha256=IMAGES[1].image_sha256)
    assert isinstance(a_manifest(images=(*IMAGES, copy)), DatasetManifest)


def test_the_same_images_differ_in_nothing():
    difference = diff_images(recorded=IMAGES, found=IMAGES[::-1])
    assert not difference
    assert difference.sentence() == "no difference"


def test_a_difference_names_what_was_added_missing_and_changed():
    found = (
        replace(IMAGES[1], image_sha256="new"),
        replace(IMAGES[2], image_sha256="new", label_sha256="new"),
        replace(IMAGES[3], label_sha256="new"),
        *IMAGES[4:],
        an_image(image="images/val/extra.jpg"),
    )
    difference = diff_images(recorded=IMAGES, found=found)
    assert difference == ManifestDiff(
        added=("images/val/extra.jpg",),
        missing=("images/train/0.jpg",),
        changed=("images/train/1.jpg", "images/train/2.jpg", "labels/train/2.txt", "labels/train/3.txt"),
    )
    assert difference
    assert difference.sentence() == (
        "4 changed (images/train/1.jpg, images/train/2.jpg, labels/train/2.txt, …), "
        "1 added (images/val/extra.jpg), 1 missing (images/train/0.jpg)"
    )


@pytest.mark.parametrize("kind", ["added", "missing", "changed"])
def test_one_kind_of_difference_is_a_difference(kind):
    difference = ManifestDiff(**{kind: ("a.jpg",)})
    assert difference
    assert difference.sentence() == f"1 {kind} (a.jpg)"


def test_three_paths_are_named_whole_and_of_more_the_first_three():
    assert ManifestDiff(added=("a", "b", "c")).sentence() == "3 added (a, b, c)"
    assert ManifestDiff(added=("a", "b", "c", "d")).sentence() == "4 added (a, b, c, …)"
