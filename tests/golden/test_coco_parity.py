"""Our figures are COCO's: compared with pycocotools on random cases, and with figures worked out by hand."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cv_yolo.domain.annotations import Detections, GroundTruth
from cv_yolo.domain.dataset import Split
from cv_yolo.domain.evaluation import Evaluation, Measured, PredictionSettings, evaluate_detections
from cv_yolo.domain.metrics import average_precision, match_split
from tests.builders import a_truth, some_detections

CLASSES = ("person", "dog", "car", "tree")
SAME = 1e-9


def coco_average_precision(truths: list[GroundTruth], found: list[Detections]) -> dict[int, np.ndarray]:
    """AP at each IoU threshold by class, (10,), area `all`, at most 100 detections; classes without truth left out."""
    annotations = [
        {"image_id": image, "category_id": int(class_id), "bbox": _xywh(box), "area": _area(box), "iscrowd": 0}
        for image, truth in enumerate(truths, start=1)
        for box, class_id in zip(truth.boxes_xyxy, truth.class_ids, strict=True)
    ]
    results = [
        {"image_id": image, "category_id": int(class_id), "bbox": _xywh(box), "score": float(confidence)}
        for image, each in enumerate(found, start=1)
        for box, class_id, confidence in zip(each.boxes_xyxy, each.class_ids, each.confidences, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(1, len(truths) + 1)],
            "categories": [{"id": class_id, "name": name} for class_id, name in enumerate(CLASSES)],
            "annotations": [each | {"id": number} for number, each in enumerate(annotations, start=1)],
        }
        coco.createIndex()
        if not results:
            return {int(class_id): np.zeros(10) for truth in truths for class_id in truth.class_ids}
        judged = COCOeval(coco, coco.loadRes(results), "bbox")
        judged.params.maxDets = [1, 10, 100]
        judged.evaluate()
        judged.accumulate()
    precision = judged.eval["precision"][:, :, :, 0, -1]  # (thresholds, recalls, classes), area `all`
    by_class = {class_id: precision[:, :, index].mean(axis=1) for index, class_id in enumerate(judged.params.catIds)}
    return {class_id: figures for class_id, figures in by_class.items() if figures[0] > -1}


def _xywh(box: np.ndarray) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def evaluation_of(truths: list[GroundTruth], found: list[Detections]) -> Evaluation:
    measured = Measured(
        revision="r",
        split=Split.VAL,
        classes=CLASSES,
        weights_sha256="w",
        settings=PredictionSettings(image_size_px=320),
    )
    return evaluate_detections(measured, truths, found)


def assert_the_same(truths: list[GroundTruth], found: list[Detections]) -> None:
    theirs = coco_average_precision(truths, found)
    matched = match_split(truths, found)
    assert [each.class_id for each in matched] == sorted(theirs)
    for each in matched:
        np.testing.assert_allclose(average_precision(each), theirs[each.class_id], rtol=0, atol=SAME)
    evaluation = evaluation_of(truths, found)
    for scores in evaluation.per_class:
        assert scores.ap_50 == pytest.approx(theirs[CLASSES.index(scores.name)][0], abs=SAME)
        assert scores.ap_50_95 == pytest.approx(theirs[CLASSES.index(scores.name)].mean(), abs=SAME)
        assert np.mean(scores.precision_at_recall) == pytest.approx(scores.ap_50, abs=SAME)
    assert evaluation.map_50 == pytest.approx(np.mean([each[0] for each in theirs.values()]), abs=SAME)
    assert evaluation.map_50_95 == pytest.approx(np.mean(list(theirs.values())), abs=SAME)


def a_random_case(seed: int, *, images: int, most: int, grid: int, levels: int) -> tuple[list, list]:
    """Random truths, and detections near them or anywhere.

    A coarse `grid` makes equal boxes and equal IoUs, few confidence `levels` make ties. The last class is annotated
    nowhere, the last but one detected nowhere; the first image is empty, the second has detections only.
    """
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for image in range(images):
        name = f"{image:03d}.jpg"
        annotated = _boxes(rng, 0 if image < 2 else int(rng.integers(0, most + 1)), grid)
        near = annotated[rng.random(len(annotated)) < 0.8]
        near = np.repeat(near, rng.integers(1, 3, size=len(near)), axis=0)
        near[:, 2:] += rng.integers(0, 3, size=(len(near), 2))
        anywhere = _boxes(rng, 0 if image < 1 else int(rng.integers(0, most + 1)), grid)
        detected = rng.permutation(np.concatenate([near, anywhere]))
        truths.append(a_truth(*annotated, image=name, classes=rng.integers(0, 3, size=len(annotated))))
        found.append(
            some_detections(
                *detected,
                image=name,
                classes=rng.choice([0, 1, 3], size=len(detected)),
                confidences=rng.integers(1, levels + 1, size=len(detected)) / levels,
            )
        )
    return truths, found


def _boxes(rng: np.random.Generator, count: int, grid: int) -> np.ndarray:
    low = rng.integers(0, 6, size=(count, 2)) * (60 // grid)
    return np.concatenate([low, low + rng.integers(1, 6, size=(count, 2)) * (60 // grid)], axis=1).astype(np.float64)


@pytest.mark.parametrize("seed", range(60))
def test_random_cases_agree_with_pycocotools(seed):
    rng = np.random.default_rng([seed, 1])
    truths, found = a_random_case(
        seed,
        images=int(rng.integers(3, 9)),
        most=int(rng.choice([2, 6, 12])),
        grid=int(rng.choice([2, 6, 30])),
        levels=int(rng.choice([2, 5, 1000])),
    )
    if any(len(truth.class_ids) for truth in truths):
        assert_the_same(truths, found)


@pytest.mark.parametrize("seed", range(4))
def test_more_than_a_hundred_detections_in_one_image_are_cut_as_pycocotools_cuts_them(seed):
    rng = np.random.default_rng(seed)
    annotated = _boxes(rng, 40, 12)
    detected = np.concatenate([_boxes(rng, 130, 12), annotated, annotated])
    truths = [a_truth(*annotated, image="0.jpg"), a_truth((0, 0, 10, 10), image="1.jpg")]
    confidences = rng.integers(1, 20, size=len(detected)) / 20
    found = [
        some_detections(*detected, image="0.jpg", confidences=confidences),
        some_detections((0, 0, 10, 10), image="1.jpg"),
    ]
    assert_the_same(truths, found)


def test_boxes_that_are_not_on_whole_pixels_agree_with_pycocotools():
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 200, size=(30, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 120, size=(30, 2))], axis=1)
    truths = [a_truth(*boxes[:15], image="0.jpg"), a_truth(*boxes[15:], image="1.jpg")]
    moved = boxes + rng.normal(0, 6, size=boxes.shape)
    found = [
        some_detections(*moved[:15], image="0.jpg", confidences=rng.random(15)),
        some_detections(*moved[15:], image="1.jpg", confidences=rng.random(15)),
    ]
    assert_the_same(truths, found)


def test_nothing_detected_anywhere_scores_zero():
    truths = [a_truth((0, 0, 10, 10), image="0.jpg", classes=[1])]
    found = [some_detections(image="0.jpg")]
    assert_the_same(truths, found)
    assert evaluation_of(truths, found).map_50_95 == 0.0


def test_by_hand_one_right_one_wrong_of_two_persons():
    """Right, wrong, and one person missed: precision 1 up to recall 0.5, that is at 51 of 101 recalls."""
    truths = [a_truth((0, 0, 10, 10), (50, 50, 60, 60))]
    found = [some_detections((0, 0, 10, 10), (100, 100, 110, 110), confidences=[0.9, 0.8])]
    assert evaluation_of(truths, found).map_50 == pytest.approx(51 / 101)
    assert_the_same(truths, found)


def test_by_hand_the_wrong_one_is_surer():
    """Wrong, right, right: precisions 0, 1/2, 2/3, so 2/3 at every recall."""
    truths = [a_truth((0, 0, 10, 10), (50, 50, 60, 60))]
    found = [
        some_detections((100, 100, 110, 110), (0, 0, 10, 10), (50, 50, 60, 60), confidences=[0.9, 0.8, 0.7]),
    ]
    assert evaluation_of(truths, found).map_50 == pytest.approx(2 / 3)
    assert_the_same(truths, found)


def test_by_hand_an_overlap_of_six_tenths_counts_at_three_of_ten_thresholds():
    """IoU 60/100: right at 0.50, 0.55 and 0.60, so that the mean over the thresholds is 0.3."""
    truths, found = [a_truth((0, 0, 10, 10))], [some_detections((0, 0, 10, 6))]
    evaluation = evaluation_of(truths, found)
    assert evaluation.map_50 == pytest.approx(1.0)
    assert evaluation.map_50_95 == pytest.approx(0.3)
    assert_the_same(truths, found)


def test_by_hand_an_overlap_of_exactly_half_is_right():
    truths, found = [a_truth((0, 0, 10, 10))], [some_detections((0, 0, 10, 5))]
    assert evaluation_of(truths, found).map_50_95 == pytest.approx(0.1)
    assert_the_same(truths, found)


def test_by_hand_the_same_person_found_twice_is_right_once():
    """Right, wrong (a duplicate), right: precisions 1, 1/2, 2/3; 51 recalls at 1, the other 50 at 2/3."""
    truths = [a_truth((0, 0, 10, 10), (50, 50, 60, 60))]
    found = [some_detections((0, 0, 10, 10), (0, 0, 10, 10), (50, 50, 60, 60), confidences=[0.9, 0.8, 0.7])]
    assert evaluation_of(truths, found).map_50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert_the_same(truths, found)


def test_by_hand_two_classes_count_alike_whatever_their_numbers():
    """Two persons found, the one dog not: (1 + 0) / 2."""
    truths = [a_truth((0, 0, 10, 10), (50, 50, 60, 60), (80, 80, 90, 90), classes=[0, 0, 1])]
    found = [some_detections((0, 0, 10, 10), (50, 50, 60, 60))]
    assert evaluation_of(truths, found).map_50 == pytest.approx(0.5)
    assert_the_same(truths, found)


def test_by_hand_of_two_equal_overlaps_the_last_is_claimed():
    """The first detection overlaps both persons alike (9/11); had it claimed the first, the second would find none."""
    truths = [a_truth((0, 0, 10, 10), (2, 0, 12, 10))]
    found = [some_detections((1, 0, 11, 10), (0, 0, 10, 6), confidences=[0.9, 0.8])]
    assert evaluation_of(truths, found).map_50 == pytest.approx(1.0)
    assert_the_same(truths, found)
