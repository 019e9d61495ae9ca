"""All boxes of a split in flat columns."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.evaluation.split_boxes import gather, ranks, runs, without_classes
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import LAWS, a_random_split, table_of

BOX = (0, 0, 10, 10)


def test_annotated_boxes_keep_their_order_and_know_their_image():
    table = gather(
        [a_truth(BOX, (0, 0, 4, 5), image="a", classes=[1, 0]), a_truth(image="b"), a_truth(BOX, image="c")],
        [some_detections(image=name) for name in "abc"],
        classes=2,
    )
    assert table.images == ("a", "b", "c")
    assert table.truths.image.tolist() == [0, 0, 2]
    assert table.truths.class_id.tolist() == [1, 0, 0]
    assert table.truths.area_px.tolist() == [100, 20, 100]
    assert table.truths.crowd.tolist() == [False, False, False]


def test_crowds_and_areas_of_the_annotator_are_taken_where_there_are_any():
    truth = replace(a_truth(BOX, BOX, image="a"), crowds=np.array([True, False]), areas_px=np.array([7.0, 8.0]))
    table = gather([truth, a_truth(BOX, image="b")], [some_detections(image=name) for name in "ab"], classes=1)
    assert table.truths.crowd.tolist() == [True, False, False]
    assert table.truths.area_px.tolist() == [7, 8, 100]


def test_detections_come_by_class_then_the_surest_first_and_equal_ones_in_the_order_of_the_images():
    found = [
        some_detections(*[BOX] * 3, image="a", classes=[1, 0, 0], confidences=[0.9, 0.2, 0.5]),
        some_detections(*[BOX] * 2, image="b", classes=[0, 0], confidences=[0.5, 0.7]),
    ]
    ranked = gather([a_truth(image="a"), a_truth(image="b")], found, classes=2).found
    assert ranked.class_id.tolist() == [0, 0, 0, 0, 1]
    assert ranked.confidence.tolist() == [0.7, 0.5, 0.5, 0.2, 0.9]
    assert ranked.image.tolist() == [1, 0, 1, 0, 0]
    assert ranked.rank.tolist() == [0, 0, 1, 1, 0]


def test_of_each_image_and_class_only_the_surest_are_kept():
    found = [
        some_detections(*[BOX] * 4, image="a", classes=[0, 0, 0, 1], confidences=[0.1, 0.3, 0.2, 0.1]),
        some_detections(BOX, image="b", confidences=[0.05]),
    ]
    ranked = gather([a_truth(image="a"), a_truth(image="b")], found, classes=2, max_detections=2).found
    assert ranked.confidence.tolist() == [0.3, 0.2, 0.05, 0.1]


def test_a_square_of_32_pixels_has_the_same_area_wherever_it_lies():
    corners = [(x, x, x + 32, x + 32) for x in (0.1, 0.3, 17.7, 123.456)]
    table = gather([a_truth(*corners)], [some_detections(*corners)], classes=1)
    assert set(table.truths.area_px) == set(table.found.area_px) == {1024.0}


def test_a_split_of_no_images_has_no_boxes():
    table = gather([], [], classes=1)
    assert (table.images, len(table.truths.image), len(table.found.image)) == ((), 0, 0)


@pytest.mark.parametrize("images", [("b",), (), ("a", "b")])
def test_ground_truth_and_detections_of_other_images_are_refused(images):
    with pytest.raises(ValueError, match="not of the same images"):
        gather([a_truth(image="a")], [some_detections(image=image) for image in images], classes=1)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_a_class_that_does_not_exist_is_refused(wrong):
    with pytest.raises(ValueError, match="outside 0 to 1"):
        gather([a_truth(BOX, classes=[wrong])], [some_detections()], classes=2)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        gather([a_truth()], [some_detections(BOX, BOX, classes=[1, wrong])], classes=2)


def test_without_classes_the_surest_comes_first_whatever_it_is():
    found = [
        some_detections((0, 0, 1, 1), (0, 0, 2, 2), image="a", classes=[0, 1], confidences=[0.2, 0.6]),
        some_detections((0, 0, 3, 3), (0, 0, 4, 4), image="b", classes=[1, 0], confidences=[0.4, 0.6]),
    ]
    truths = [a_truth(BOX, BOX, image="a", classes=[1, 0]), a_truth(image="b")]
    table = without_classes(gather(truths, found, classes=2))
    assert table.classes == 1
    assert table.truths.class_id.tolist() == [0, 0]
    assert table.found.class_id.tolist() == [0, 0, 0, 0]
    assert table.found.confidence.tolist() == [0.6, 0.6, 0.4, 0.2]
    assert table.found.area_px.tolist() == [4, 16, 9, 1]
    assert table.found.image.tolist() == [0, 1, 1, 0]
    assert table.found.rank.tolist() == [0, 0, 1, 1]


@LAWS
@given(st.integers(0, 10_000))
def test_no_box_is_lost_and_none_is_added(seed):
    truths, found = a_random_split(seed)
    table = table_of(truths, found)
    assert sorted(without_classes(table).found.boxes_xyxy.tolist()) == sorted(table.found.boxes_xyxy.tolist())
    for index, (truth, each) in enumerate(zip(truths, found, strict=True)):
        mine = table.found.image == index
        assert sorted(table.found.confidence[mine]) == sorted(each.confidences)
        assert table.truths.boxes_xyxy[table.truths.image == index].tolist() == truth.boxes_xyxy.tolist()


@LAWS
@given(st.lists(st.integers(0, 4)))
def test_a_rank_counts_the_earlier_rows_of_the_same_group(groups):
    expected = [groups[:place].count(group) for place, group in enumerate(groups)]
    assert ranks(np.array(groups, dtype=np.int64)).tolist() == expected


@LAWS
@given(st.lists(st.integers(0, 3)))
def test_runs_of_equal_values_cover_all_rows(values):
    values = np.sort(np.array(values, dtype=np.int64))
    starts, lengths = runs(values)
    assert np.repeat(values[starts], lengths).tolist() == values.tolist()
    assert values[starts].tolist() == sorted(set(values.tolist()))
