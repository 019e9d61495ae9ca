"""Classes are compared by name: the same in another order are mapped, all else is refused, and nothing is guessed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.data.class_names import (
    LONGEST_TAG,
    NOWHERE,
    as_json,
    as_tags,
    digest,
    from_file,
    from_json,
    from_tags,
    listed,
    map_classes,
    require_distinct,
    same_classes,
)
from cv_yolo.errors import EvaluationFailedError, InputError
from tests.builders import some_detections

DATA = ("person", "bicycle", "car")
MANY = tuple(f"class number {number}" for number in range(400))
NAMES = st.lists(st.text(min_size=1).filter(str.strip), min_size=1, unique=True)


def mapped(names, onto=DATA, *, exact=True):
    return map_classes(names, onto, detector="mine.pt", exact=exact)


def refused(names, onto=DATA, *, exact=True):
    with pytest.raises(InputError) as raised:
        mapped(names, onto, exact=exact)
    return raised.value


def test_equal_names_stay_where_they_are():
    assert mapped(DATA).ids == (0, 1, 2)


@given(NAMES, st.randoms())
def test_the_same_names_in_another_order_find_their_places(names, random):
    shuffled = random.sample(names, len(names))
    assert [names[new] for new in mapped(shuffled, names).ids] == shuffled


def test_detections_get_the_class_ids_of_the_data_set():
    found = some_detections((0, 0, 9, 9), (1, 1, 5, 5), classes=[2, 0], confidences=[0.9, 0.4])
    changed = mapped(("car", "person", "bicycle")).apply(found)
    assert changed.class_ids.tolist() == [1, 2]
    assert changed.class_ids.dtype == np.int64
    np.testing.assert_array_equal(changed.boxes_xyxy, found.boxes_xyxy)
    np.testing.assert_array_equal(changed.confidences, found.confidences)
    assert changed.image == found.image


def test_an_image_without_detections_stays_one():
    changed = mapped(("car", "person", "bicycle")).apply(some_detections())
    assert (changed.class_ids.tolist(), changed.boxes_xyxy.shape) == ([], (0, 4))


def test_other_names_are_refused_with_what_each_side_knows_and_what_to_do():
    error = refused(("raccoon",), ("kangaroo",))
    assert error.message == (
        "mine.pt detects raccoon, the data set names kangaroo; not known to the detector: kangaroo; "
        "not named by the data set: raccoon"
    )
    assert "use weights that were trained for these classes" in error.hint


def test_a_detector_that_lacks_a_class_is_refused_however_it_is_asked():
    for exact in (True, False):
        assert "not known to the detector: car" in refused(("person", "bicycle"), exact=exact).message


def test_a_detector_that_knows_more_is_refused_for_a_decision():
    error = refused((*DATA, "dog"))
    assert error.message.endswith("; not named by the data set: dog")
    assert "`cv-yolo evaluate` scores a detector on some of its classes" in error.hint


def test_a_detector_that_knows_more_can_be_looked_at_without_what_the_data_set_does_not_name():
    mapping = mapped(("dog", *DATA, "cat"), exact=False)
    assert mapping.ids == (NOWHERE, 0, 1, 2, NOWHERE)
    assert mapping.ignored == ("dog", "cat")
    found = some_detections((0, 0, 9, 9), (1, 1, 5, 5), (2, 2, 6, 6), classes=[0, 3, 4], confidences=[0.9, 0.5, 0.1])
    kept = mapping.apply(found)
    assert (kept.class_ids.tolist(), kept.confidences.tolist()) == ([2], [0.5])
    np.testing.assert_array_equal(kept.boxes_xyxy, [[1, 1, 5, 5]])


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Person", "person"),
        ("person ", "person"),
        ("traffic_light", "traffic light"),
        ("traffic-light", "traffic light"),
        ("cafe\u0301", "caf\u00e9"),
        ("STRASSE", "straße"),
    ],
)
def test_names_that_only_look_alike_are_refused_with_what_may_be_meant(theirs, ours):
    for exact in (True, False):
        error = refused((theirs,), (ours,), exact=exact)
        assert f"did you mean {theirs!r} by {ours!r}?" in error.hint


def test_names_without_letters_resemble_nothing():
    assert "did you mean" not in refused(("+",), ("-",)).hint


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("person", "person", "car"), "2 classes are named 'person'"),
        (("person", " "), "a class without a name"),
        (("", "car"), "a class without a name"),
        ((), "no class names"),
    ],
)
def test_names_by_which_no_class_can_be_found_are_refused(names, reason):
    with pytest.raises(InputError, match=reason):
        require_distinct(names, of="mine.pt")
    assert reason in refused(names).message


@pytest.mark.parametrize("class_id", [-1, 3])
def test_a_detection_of_a_class_that_the_detector_does_not_name_is_an_error(class_id):
    found = some_detections((0, 0, 9, 9), image="images/val/7.jpg", classes=[class_id])
    with pytest.raises(EvaluationFailedError) as raised:
        mapped(DATA).apply(found)
    assert raised.value.message == (
        f"images/val/7.jpg: mine.pt: a detection of class {class_id}, but it names the classes 0 to 2 only"
    )


def test_classes_are_the_same_in_any_order_and_as_often():
    assert same_classes(DATA, DATA[::-1])
    assert not same_classes(DATA, DATA[:2])
    assert not same_classes(("a", "a", "b"), ("a", "b", "b"))


def test_a_few_names_are_listed_and_many_are_counted():
    assert listed(DATA) == "person, bicycle, car"
    assert listed((*DATA, "dog")) == "person, bicycle, car, … (4 classes)"


@given(NAMES)
def test_class_names_survive_a_round_trip_through_tags(names):
    assert from_tags(as_tags(names)) == (tuple(names) if len(as_json(names)) <= LONGEST_TAG else None)


def test_names_too_long_for_a_tag_are_recorded_by_their_digest_and_read_from_a_file():
    tags = as_tags(MANY)
    assert tags == {"classes_sha256": digest(MANY)}
    assert from_tags(tags) is None
    assert from_file(as_json(MANY).encode(), tags) == MANY


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", as_json(MANY[:-1]).encode(), b"[1]"])
def test_a_file_that_is_not_the_one_recorded_names_nothing(content):
    assert from_file(content, as_tags(MANY)) is None


@pytest.mark.parametrize("text", ["", "{", "3", "{}", "[]", "[1, 2]", '["a", null]', '"person"'])
def test_an_invalid_list_of_names_is_empty(text):
    assert from_json(text) is None
