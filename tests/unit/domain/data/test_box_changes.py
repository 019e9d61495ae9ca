"""Boxes are paired one by one: the same place first, then the largest overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from cv_yolo.domain.data.box_changes import (
    SAME_OBJECT_IOU,
    BoxChangeKind,
    NamedBox,
    NamedBoxes,
    best_pairs,
    box_changes,
)

SIDES = st.integers(0, 6)
WEIGHTS = st.integers(0, 20).map(lambda value: max(0, value - 8) / 12)
PLACES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(4, 40), st.integers(4, 40))
BOXES = st.lists(st.tuples(st.sampled_from(["cat", "dog"]), PLACES), max_size=6)


def boxes(*given, size_px=(100, 100)):
    return NamedBoxes(
        boxes=tuple(
            NamedBox(category=name, xyxy=(x, y, x + width, y + height)) for name, (x, y, width, height) in given
        ),
        size_px=size_px,
    )


def kinds(before, after):
    return sorted(change.kind for change in box_changes(before, after))


def test_equal_boxes_have_no_changes_in_whatever_order():
    cat, dog = ("cat", (10, 10, 20, 20)), ("dog", (50, 50, 20, 20))
    assert box_changes(boxes(cat, dog), boxes(dog, cat)) == ()


def test_rounding_of_label_text_is_no_change():
    assert box_changes(boxes(("cat", (10, 10, 20, 20))), boxes(("cat", (10.0001, 10, 20, 20)))) == ()


def test_a_scaled_picture_with_the_same_boxes_has_no_changes():
    before, after = boxes(("cat", (10, 10, 20, 20))), boxes(("cat", (20, 20, 40, 40)), size_px=(200, 200))
    assert box_changes(before, after) == ()


def test_a_box_that_is_gone_and_one_that_is_new_far_away():
    (removed, added) = box_changes(boxes(("cat", (0, 0, 20, 20))), boxes(("cat", (60, 60, 20, 20))))
    assert (removed.kind, added.kind) == (BoxChangeKind.REMOVED, BoxChangeKind.ADDED)
    assert (removed.after, added.before, added.iou) == (None, None, None)


def test_a_box_that_overlaps_enough_was_moved():
    (change,) = box_changes(boxes(("cat", (0, 0, 20, 20))), boxes(("cat", (2, 0, 20, 20))))
    assert change.kind is BoxChangeKind.MOVED
    assert change.iou == pytest.approx(18 / 22)


def test_the_threshold_of_the_same_object_is_stated():
    near, far = ("cat", (0, 0, 10, 20)), ("cat", (0, 0, 9.9, 20))
    assert kinds(boxes(("cat", (0, 0, 20, 20))), boxes(near)) == [BoxChangeKind.MOVED]
    assert SAME_OBJECT_IOU == 0.5
    assert kinds(boxes(("cat", (0, 0, 20, 20))), boxes(far)) == [BoxChangeKind.ADDED, BoxChangeKind.REMOVED]


def test_another_class_at_the_same_place():
    (change,) = box_changes(boxes(("cat", (0, 0, 20, 20))), boxes(("dog", (0, 0, 20, 20))))
    assert (change.kind, change.iou) == (BoxChangeKind.CLASS_CHANGED, 1.0)


def test_a_crowd_is_another_class_than_an_object():
    crowd = NamedBoxes(boxes=(NamedBox(category="cat", xyxy=(0, 0, 20, 20), is_crowd=True),), size_px=(100, 100))
    assert kinds(boxes(("cat", (0, 0, 20, 20))), crowd) == [BoxChangeKind.CLASS_CHANGED]


def test_swapped_classes_are_two_changes_of_class_and_no_move():
    one, other = (0, 0, 20, 20), (4, 0, 20, 20)
    assert kinds(boxes(("cat", one), ("dog", other)), boxes(("dog", one), ("cat", other))) == [
        BoxChangeKind.CLASS_CHANGED,
        BoxChangeKind.CLASS_CHANGED,
    ]


def test_boxes_of_overlapping_objects_keep_their_classes_when_all_move_a_little():
    before = boxes(("cat", (0, 0, 20, 20)), ("dog", (3, 0, 20, 20)))
    after = boxes(("cat", (2, 0, 20, 20)), ("dog", (1, 0, 20, 20)))
    assert kinds(before, after) == [BoxChangeKind.MOVED, BoxChangeKind.MOVED]


@given(st.data())
def test_the_pairs_have_the_largest_sum_of_weights(data):
    shape = data.draw(st.tuples(SIDES, SIDES))
    values = data.draw(st.lists(WEIGHTS, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    weights = np.array(values, dtype=np.float64).reshape(shape)
    pairs = best_pairs(weights)
    rows, columns = linear_sum_assignment(-weights)
    assert sum(weights[pair] for pair in pairs) == pytest.approx(weights[rows, columns].sum())
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(weights[pair] > 0 for pair in pairs)


@given(BOXES, BOXES)
def test_every_box_is_unchanged_or_in_exactly_one_change(before, after):
    one, other = boxes(*before), boxes(*after)
    changes = box_changes(one, other)
    gone = [change.before for change in changes if change.before is not None]
    new = [change.after for change in changes if change.after is not None]
    left, right = list(one.boxes), list(other.boxes)
    for box in gone:
        left.remove(box)
    for box in new:
        right.remove(box)
    assert sorted(map(repr, left)) == sorted(map(repr, right))


@given(BOXES, BOXES)
def test_the_way_back_has_as_many_changes(before, after):
    forth, back = box_changes(boxes(*before), boxes(*after)), box_changes(boxes(*after), boxes(*before))
    assert len(forth) == len(back)
