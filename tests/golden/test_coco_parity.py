"""Our figures are COCO's: compared with pycocotools on random and contrived cases, and with figures worked out by hand.

All twelve of COCO's figures are compared, averaged and of each class; at 1e-9, and absent exactly where pycocotools
says -1.
"""

import contextlib
import io
from dataclasses import dataclass, replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.all_metrics import coco_measure, match_all_sizes
from cv_yolo.domain.evaluation.metrics import average_precision, recall
from cv_yolo.domain.evaluation.split_boxes import gather

SAME = 1e-9
SIZES = ("", "size/small", "size/medium", "size/large")  # in the order of pycocotools' `areaRng`
LIMITS = (1, 10, 100)
TWELVE = ("map_50_95", "map_50", "map_75", "map_small", "map_medium", "map_large")
TWELVE += ("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large")  # in the order of pycocotools' `stats`


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image in COCO's words: boxes as x, y, width, height; everything else a value for each box."""

    boxes: np.ndarray
    classes: np.ndarray
    crowds: np.ndarray
    areas: np.ndarray | None
    found: np.ndarray
    found_classes: np.ndarray
    scores: np.ndarray


def a_picture(boxes=(), found=(), *, classes=None, crowds=None, areas=None, found_classes=None, scores=None):
    """Of class 0, no crowd, with their boxes' areas and a score of 0.9, unless said otherwise."""
    return Picture(
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        classes=np.array([0] * len(boxes) if classes is None else classes, dtype=np.int64),
        crowds=np.array([False] * len(boxes) if crowds is None else crowds, dtype=bool),
        areas=None if areas is None else np.array(areas, dtype=np.float64),
        found=np.array(found, dtype=np.float64).reshape(-1, 4),
        found_classes=np.array([0] * len(found) if found_classes is None else found_classes, dtype=np.int64),
        scores=np.array([0.9] * len(found) if scores is None else scores, dtype=np.float64),
    )


@dataclass(frozen=True, kw_only=True)
class Figures:
    """COCO's twelve figures, (12,), and by class: AP, (sizes, T, K), recall by limit, (limits, T, K), and by size."""

    twelve: np.ndarray
    precision: np.ndarray
    recall_within: np.ndarray
    recall_of_size: np.ndarray


def our_figures(pictures, *, classes, draws=None):
    """For each draw; of the unchanged images by default."""
    truths = [
        GroundTruth(
            image=str(number),
            boxes_xyxy=_corners(each.boxes),
            class_ids=each.classes,
            crowds=each.crowds,
            areas_px=each.areas,
        )
        for number, each in enumerate(pictures)
    ]
    found = [
        Detections(
            image=str(number),
            boxes_xyxy=_corners(each.found),
            class_ids=each.found_classes,
            confidences=each.scores,
        )
        for number, each in enumerate(pictures)
    ]
    matched = match_all_sizes(gather(truths, found, classes=classes))
    draws = np.ones((1, len(pictures))) if draws is None else draws
    measure = coco_measure(matched)
    assert set(measure.names) == set(TWELVE)
    twelve = measure.compute(draws)[:, [measure.names.index(name) for name in TWELVE]]
    precision = [average_precision(matched.ranking(size), draws) for size in SIZES]
    within = [recall(matched.ranking(max_detections=limit), draws) for limit in LIMITS]
    of_size = [recall(matched.ranking(size), draws) for size in SIZES]
    return [
        Figures(
            twelve=twelve[draw],
            precision=np.stack([each[draw] for each in precision]),
            recall_within=np.stack([each[draw] for each in within]),
            recall_of_size=np.stack([each[draw] for each in of_size]),
        )
        for draw in range(len(draws))
    ]


def their_figures(pictures, *, classes):
    with contextlib.redirect_stdout(io.StringIO()):
        truths, found = _coco(pictures, classes)
        judged = COCOeval(truths, found, "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    precision, within = judged.eval["precision"], judged.eval["recall"]  # (T, 101, K, sizes, limits), (T, K, …)
    return Figures(
        twelve=_absent(judged.stats),
        precision=_absent(precision[..., -1].mean(axis=1)).transpose(2, 0, 1),
        recall_within=_absent(within[:, :, 0, :]).transpose(2, 0, 1),
        recall_of_size=_absent(within[:, :, :, -1]).transpose(2, 0, 1),
    )


def _coco(pictures, classes):
    annotations, results = [], []
    for image, each in enumerate(pictures, start=1):
        areas = each.boxes[:, 2] * each.boxes[:, 3] if each.areas is None else each.areas
        annotations += [
            {"image_id": image, "category_id": int(k), "bbox": box.tolist(), "area": float(area), "iscrowd": int(crowd)}
            for box, k, crowd, area in zip(each.boxes, each.classes, each.crowds, areas, strict=True)
        ]
        results += [
            {"image_id": image, "category_id": int(k), "bbox": box.tolist(), "score": float(score)}
            for box, k, score in zip(each.found, each.found_classes, each.scores, strict=True)
        ]
    truths = COCO()
    truths.dataset = {
        "info": {},
        "images": [{"id": image} for image in range(1, len(pictures) + 1)],
        "categories": [{"id": k, "name": str(k)} for k in range(classes)],
        "annotations": [each | {"id": number} for number, each in enumerate(annotations, start=1)],
    }
    truths.createIndex()
    if results:
        return truths, truths.loadRes(results)
    nothing = COCO()  # `loadRes` cannot read an empty list
    nothing.dataset = truths.dataset | {"annotations": []}
    nothing.createIndex()
    return truths, nothing


def _corners(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _absent(figures):
    return np.where(figures < 0, np.nan, figures)


def assert_same(ours, theirs):
    for name in ("twelve", "precision", "recall_within", "recall_of_size"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=0, atol=SAME, equal_nan=True, err_msg=name
        )


def assert_parity(pictures, *, classes=2):
    """Compare, and hand back the twelve by name."""
    (ours,) = our_figures(pictures, classes=classes)
    assert_same(ours, their_figures(pictures, classes=classes))
    return dict(zip(TWELVE, ours.twelve.tolist(), strict=True))


SIDES = (0, 1, 8, 16, 31, 32, 33, 64, 95, 96, 97, 128)  # no size at all, and both sides of COCO's limits


@dataclass(frozen=True, kw_only=True)
class Odds:
    """How a random picture is drawn: how many boxes at most, of what else how likely."""

    most: int
    step: float  # boxes lie on multiples of it: coarse makes equal boxes and equal IoUs
    levels: int  # few levels of confidence make ties
    crowds: float = 0.2
    odd_areas: bool = False


def a_random_picture(rng, odds, *, classes):
    """Boxes, and detections on them, near them and anywhere; the last class is annotated nowhere, the last but one
    (of three or more) never detected."""
    boxes = _random_boxes(rng, int(rng.integers(0, odds.most + 1)), odds.step)
    near = np.repeat(boxes, rng.integers(0, 4, size=len(boxes)), axis=0)
    near[:, 2:] += rng.integers(0, 3, size=(len(near), 2)) * rng.integers(0, 5)
    found = np.concatenate([near, _random_boxes(rng, int(rng.integers(0, odds.most + 1)), odds.step)])
    found = rng.permutation(found)[: int(rng.integers(0, len(found) + 1)) if rng.random() < 0.2 else None]
    detected = [k for k in range(classes) if classes < 3 or k != classes - 2]
    return a_picture(
        boxes,
        found,
        classes=rng.integers(0, classes - 1, size=len(boxes)),
        crowds=rng.random(len(boxes)) < odds.crowds,
        areas=rng.choice(SIDES, size=len(boxes)) ** 2 * rng.uniform(0.5, 1, size=len(boxes))
        if odds.odd_areas
        else None,
        found_classes=rng.choice(detected, size=len(found)),
        scores=rng.integers(1, odds.levels + 1, size=len(found)) / odds.levels,
    )


def _random_boxes(rng, count, step):
    sides = np.where(rng.random((count, 2)) < 0.5, rng.choice(SIDES, size=(count, 2)), rng.integers(1, 140, (count, 2)))
    squares = np.repeat(rng.choice(SIDES, size=(count, 1)), 2, axis=1)
    sizes = np.where(rng.random((count, 1)) < 0.4, squares, sides)
    return np.concatenate([rng.integers(0, 8, size=(count, 2)) * step, sizes], axis=1).astype(np.float64)


@pytest.mark.parametrize("seed", range(200))
def test_random_splits_agree_with_pycocotools(seed):
    """Ties, empty images, crowds, areas on the limits of the size ranges, boxes of no size: all of it at once."""
    rng = np.random.default_rng([seed, 1])
    odds = Odds(
        most=int(rng.choice([1, 3, 8, 20])),
        step=float(rng.choice([4, 20, 60])),
        levels=int(rng.choice([2, 5, 1000])),
        crowds=float(rng.choice([0, 0.2, 0.8])),
        odd_areas=bool(rng.random() < 0.3),
    )
    classes = int(rng.integers(2, 6))
    pictures = [a_random_picture(rng, odds, classes=classes) for _ in range(int(rng.integers(1, 9)))]
    assert_parity(pictures, classes=classes)


@pytest.mark.parametrize("seed", range(60))
def test_boxes_that_lie_on_no_whole_pixel_agree_with_pycocotools(seed):
    """A side of exactly 32 px is at times 31.999999999999996 once it is two corners; the size ranges must not see it.

    All else is made uneven, since an overlap of exactly a threshold is there a matter of the last digit, which
    pycocotools, too, rounds one way or the other.
    """
    rng = np.random.default_rng([seed, 2])
    odds = Odds(most=12, step=float(rng.uniform(1, 30)), levels=1000)
    pictures = [a_random_picture(rng, odds, classes=3) for _ in range(5)]
    assert_parity(
        [replace(each, boxes=_uneven(rng, each.boxes), found=_uneven(rng, each.found)) for each in pictures], classes=3
    )


def _uneven(rng, boxes):
    """Moved by some pixels and grown by less than one, except for the squares whose area is a limit."""
    on_limit = (boxes[:, 2] == boxes[:, 3]) & np.isin(boxes[:, 2], (32, 96))
    growth = np.where(on_limit[:, None], 0.0, rng.uniform(0, 0.5, size=(len(boxes), 2)))
    return boxes + np.concatenate([rng.normal(0, 2, size=growth.shape), growth], axis=1)


@pytest.mark.parametrize("seed", range(6))
def test_more_than_a_hundred_detections_in_an_image_are_cut_as_pycocotools_cuts_them(seed):
    rng = np.random.default_rng([seed, 3])
    odds = Odds(most=150, step=20.0, levels=int(rng.choice([4, 1000])))
    pictures = [a_random_picture(rng, odds, classes=2) for _ in range(3)]
    assert max(np.count_nonzero(each.found_classes == 0) for each in pictures) > LIMITS[-1]
    assert_parity(pictures, classes=2)


@pytest.mark.parametrize("seed", range(20))
def test_draws_agree_with_pycocotools_on_images_that_are_physically_repeated(seed):
    """An image drawn thrice is three images; one that is not drawn is not there.

    Confidences tie between images only. Of two that tie within an image, a draw counts the first as often as the image
    is drawn and then the second, whereas copies of the image bring them in turns.
    """
    rng = np.random.default_rng([seed, 4])
    odds = Odds(most=6, step=20.0, levels=1)
    pictures = []
    for _ in range(6):
        drawn = a_random_picture(rng, odds, classes=3)
        scores = rng.permutation(200)[: len(drawn.scores)] / 200
        pictures.append(replace(drawn, scores=scores))
    draws = np.stack([rng.multinomial(6, np.full(6, 1 / 6)) for _ in range(3)]).astype(np.float64)
    for draw, ours in zip(draws, our_figures(pictures, classes=3, draws=draws), strict=True):
        repeated = [each for each, times in zip(pictures, draw, strict=True) for _ in range(int(times))]
        assert_same(ours, their_figures(repeated, classes=3))


def test_a_split_without_any_annotated_box_has_no_figure():
    assert np.isnan(list(assert_parity([a_picture(found=[(0, 0, 10, 10)])]).values())).all()


def test_a_split_of_nothing_but_crowds_has_no_figure():
    pictures = [a_picture([(0, 0, 50, 50)], [(0, 0, 10, 10)], crowds=[True])]
    assert np.isnan(list(assert_parity(pictures).values())).all()


def test_nothing_detected_anywhere_scores_zero():
    figures = assert_parity([a_picture([(0, 0, 10, 10)], classes=[1]), a_picture()])
    assert (figures["map_50_95"], figures["ar_100"], figures["map_small"]) == (0.0, 0.0, 0.0)
    assert np.isnan(figures["map_large"])


def test_no_images_at_all_but_empty_ones_have_no_figure():
    assert np.isnan(list(assert_parity([a_picture(), a_picture()]).values())).all()


def test_boxes_on_the_limit_of_two_size_ranges_belong_to_both():
    figures = assert_parity([a_picture([(0, 0, 32, 32), (200, 0, 96, 96)], [(0, 0, 32, 32), (200, 0, 96, 96)])])
    assert all(figures[f"ar_{size}"] == 1.0 for size in ("small", "medium", "large"))


def test_an_annotated_area_prevails_over_that_of_the_box():
    """A box of 40 × 40 px around an object of 500 px² is small."""
    figures = assert_parity([a_picture([(0, 0, 40, 40)], [(0, 0, 40, 40)], areas=[500])])
    assert figures["map_small"] == pytest.approx(1.0)
    assert np.isnan(figures["map_medium"])


def test_by_hand_a_detection_in_a_crowd_is_neither_right_nor_wrong():
    """The surest lies in the crowd; were it wrong, the precision would be 1/2."""
    pictures = [
        a_picture(
            [(0, 0, 10, 10), (50, 50, 90, 90)],
            [(60, 60, 10, 10), (0, 0, 10, 10)],
            crowds=[False, True],
            scores=[0.9, 0.8],
        )
    ]
    assert assert_parity(pictures)["map_50"] == pytest.approx(1.0)


def test_by_hand_one_right_one_wrong_of_two_persons():
    """Right, wrong, and one person missed: precision 1 up to recall 0.5, that is at 51 of 101 recalls."""
    pictures = [a_picture([(0, 0, 10, 10), (50, 50, 10, 10)], [(0, 0, 10, 10), (100, 100, 10, 10)], scores=[0.9, 0.8])]
    assert assert_parity(pictures)["map_50"] == pytest.approx(51 / 101)


def test_by_hand_the_wrong_one_is_surer():
    """Wrong, right, right: precisions 0, 1/2, 2/3, so 2/3 at every recall."""
    found = [(100, 100, 10, 10), (0, 0, 10, 10), (50, 50, 10, 10)]
    pictures = [a_picture([(0, 0, 10, 10), (50, 50, 10, 10)], found, scores=[0.9, 0.8, 0.7])]
    assert assert_parity(pictures)["map_50"] == pytest.approx(2 / 3)


def test_by_hand_an_overlap_of_six_tenths_counts_at_three_of_ten_thresholds():
    """IoU 60/100: right at 0.50, 0.55 and 0.60, so that the mean over the thresholds is 0.3."""
    figures = assert_parity([a_picture([(0, 0, 10, 10)], [(0, 0, 10, 6)])])
    assert figures["map_50"] == pytest.approx(1.0)
    assert figures["map_50_95"] == pytest.approx(0.3)
    assert figures["map_75"] == 0.0


def test_by_hand_an_overlap_of_exactly_half_is_right():
    assert assert_parity([a_picture([(0, 0, 10, 10)], [(0, 0, 10, 5)])])["map_50_95"] == pytest.approx(0.1)


def test_by_hand_the_same_person_found_twice_is_right_once():
    """Right, wrong (a duplicate), right: precisions 1, 1/2, 2/3; 51 recalls at 1, the other 50 at 2/3."""
    found = [(0, 0, 10, 10), (0, 0, 10, 10), (50, 50, 10, 10)]
    pictures = [a_picture([(0, 0, 10, 10), (50, 50, 10, 10)], found, scores=[0.9, 0.8, 0.7])]
    assert assert_parity(pictures)["map_50"] == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_by_hand_two_classes_count_alike_whatever_their_numbers():
    """Two persons found, the one dog not: (1 + 0) / 2."""
    boxes = [(0, 0, 10, 10), (50, 50, 10, 10), (80, 80, 10, 10)]
    assert assert_parity([a_picture(boxes, boxes[:2], classes=[0, 0, 1])])["map_50"] == pytest.approx(0.5)


def test_by_hand_of_two_equal_overlaps_the_last_is_claimed():
    """The first detection overlaps both persons alike (9/11); had it claimed the first, the second would find none."""
    pictures = [a_picture([(0, 0, 10, 10), (2, 0, 10, 10)], [(1, 0, 10, 10), (0, 0, 10, 6)], scores=[0.9, 0.8])]
    assert assert_parity(pictures)["map_50"] == pytest.approx(1.0)


def test_by_hand_recall_among_the_surest_one_and_ten():
    """Twelve persons, all found: one of twelve by the surest detection, ten of twelve by the ten surest."""
    boxes = [(20 * number, 0, 10, 10) for number in range(12)]
    figures = assert_parity([a_picture(boxes, boxes, scores=np.linspace(0.9, 0.1, 12))])
    assert (figures["ar_1"], figures["ar_10"], figures["ar_100"]) == pytest.approx((1 / 12, 10 / 12, 1.0))
