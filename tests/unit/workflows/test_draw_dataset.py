"""Drawn data sets are the same for the same arguments."""

from pathlib import Path

import numpy as np
import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError
from cv_yolo.workflows.draw_dataset import draw_dataset
from tests.fakes import FakeDatasetFolder, FakePainter

ROOT = Path("data/scenes")
COUNTS = {Split.TRAIN: 3, Split.VAL: 2}


def drawn(folder=None, **changes):
    folder = folder or FakeDatasetFolder()
    arguments = {"painter": FakePainter(), "folder": folder, "counts": COUNTS, "size_px": 32, "seed": 7} | changes
    return draw_dataset(ROOT, **arguments)


def test_the_counts_are_drawn_of_the_size_that_was_asked():
    manifest = drawn(counts=COUNTS | {Split.TEST: 1})
    assert manifest.counts() == {"train": 3, "val": 2, "test": 1}
    assert {(image.width_px, image.height_px, image.boxes) for image in manifest.images} == {(32, 32, 1)}
    assert (manifest.name, manifest.classes) == ("scenes", ("person",))
    assert "images/train/scene_0002.jpg" in {image.image for image in manifest.images}


def test_the_same_arguments_give_the_same_content():
    assert drawn() == drawn()


def test_another_seed_gives_other_pictures():
    first, second = ({image.image_sha256 for image in drawn(seed=seed).images} for seed in (7, 8))
    assert not first & second


def test_no_two_pictures_are_alike():
    images = drawn(counts={Split.TRAIN: 5, Split.VAL: 5, Split.TEST: 5}).images
    assert len({image.image_sha256 for image in images}) == 15


def test_more_pictures_leave_the_former_ones_as_they_are():
    few = {image.image: image for image in drawn().images}
    many = {image.image: image for image in drawn(counts={Split.TRAIN: 9, Split.VAL: 4, Split.TEST: 2}).images}
    assert few.items() < many.items()


def test_the_boxes_that_were_painted_are_those_that_are_annotated():
    folder = FakeDatasetFolder()
    manifest = drawn(folder)
    truths = folder.ground_truth(ROOT, manifest, Split.VAL)
    for number, truth in enumerate(truths):
        pixels, boxes_xyxy = FakePainter()(np.random.default_rng([7, 1, number]), size_px=32)
        np.testing.assert_array_equal(truth.boxes_xyxy, boxes_xyxy)
        np.testing.assert_array_equal(folder.pixels[ROOT, truth.image], pixels)


def test_each_picture_is_shown_once():
    reported = []
    drawn(on_picture=reported.append)
    assert reported == [1, 2, 3, 4, 5]


def test_a_painter_that_fails_leaves_the_former_data_untouched():
    folder = FakeDatasetFolder()
    before = drawn(folder)

    def spill(rng, *, size_px):
        raise RuntimeError(f"no paint for {size_px} px")

    with pytest.raises(RuntimeError, match="no paint for 32 px"):
        drawn(folder, painter=spill, seed=8)
    assert folder.scan(ROOT).images == before.images


def test_a_data_set_without_validation_pictures_is_refused():
    with pytest.raises(DatasetError, match="no images in the split val"):
        drawn(counts={Split.TRAIN: 3})
