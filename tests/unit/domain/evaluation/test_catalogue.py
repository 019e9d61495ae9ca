"""Every metric has one entry: what is computed, configured, shown and documented is what the catalogue names."""

import re

import numpy as np
import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation import all_metrics, catalogue
from cv_yolo.domain.evaluation.catalogue import (
    ALL_THRESHOLDS,
    COCO_TWELVE,
    MAIN,
    METRICS,
    Metric,
    Scope,
    find,
    floor_names,
    higher_is_better,
    split,
)
from cv_yolo.domain.evaluation.evaluation import score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS
from cv_yolo.domain.evaluation.metrics import average_precision
from tests.builders import a_subject
from tests.random_boxes import CLASSES, random_pictures

NAMES = ("person", "a/b", "dog")


def scored(split=Split.VAL):
    pictures = [picture for seed in range(4) for picture in random_pictures(seed)]
    truths, detections = zip(*pictures, strict=True)
    slices = {"scene=night/late": np.arange(len(pictures)) % 2 == 0}
    subject = a_subject(split=split, classes=NAMES)
    return score(subject, truths, detections, resampling=Resampling(resamples=20), slices=slices)


def test_every_metric_that_is_computed_is_in_the_catalogue():
    names = scored().evaluation.figures
    assert [name for name in names if find(name) is None] == []
    assert {split(name)[0] for name in names} == set(Scope)


def test_every_metric_of_the_catalogue_is_computed():
    found = {(split(name)[0], split(name)[2]) for name in scored().evaluation.figures}
    absent = {(Scope.SPLIT, "map_large"), (Scope.SPLIT, "ar_large")}  # there are no large boxes
    assert found | absent == {(scope, metric.name) for metric in METRICS for scope in metric.scopes}


def test_names_and_labels_are_unique_and_every_entry_says_what_it_is():
    assert len({metric.name for metric in METRICS}) == len({metric.label for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.definition
        assert metric.source
        assert metric.scopes


def test_what_is_shown_first_is_in_the_catalogue():
    assert all(find(name) for name in (*MAIN, *COCO_TWELVE))
    assert len(COCO_TWELVE) == 12


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("map_50", (Scope.SPLIT, "", "map_50")),
        ("class/person/ap_50", (Scope.CLASS, "person", "ap_50")),
        ("class/a/b/recall", (Scope.CLASS, "a/b", "recall")),
        ("slice/scene=a/b/f1", (Scope.SLICE, "scene=a/b", "f1")),
        ("calibration/d_ece", (Scope.CALIBRATION, "", "d_ece")),
        ("other/thing", (Scope.SPLIT, "", "other/thing")),
    ],
)
def test_a_name_is_a_scope_a_part_and_a_metric(name, found):
    assert split(name) == found


@pytest.mark.parametrize(
    "name",
    ["ap_50", "class/map_50", "class/person/map_50", "class/ap_50", "size/small/ap_50", "nothing", "ar_", "other/f1"],
)
def test_an_unknown_metric_is_not_found(name):
    assert find(name) is None


def test_average_recall_accepts_any_number_of_detections():
    found = find("ar_500")
    assert found is not None
    assert found.label == "AR500"
    assert "at most 500 detections" in found.definition


def test_more_is_better_but_for_errors_and_their_calibration():
    assert [name for name in scored().evaluation.figures if not higher_is_better(name)] == [
        name for name in scored().evaluation.figures if name.startswith("error/") or name.endswith(("d_ece", "/count"))
    ]
    assert higher_is_better("unknown")


def test_a_gate_may_ask_a_floor_of_what_is_between_0_and_1():
    allowed = re.compile("|".join(floor_names()))
    names = scored().evaluation.figures
    refused = {name for name in names if not allowed.fullmatch(name)}
    assert {split(name)[0] for name in refused} == {Scope.ERROR, Scope.CALIBRATION}


def test_ap_at_another_threshold_is_one_entry(monkeypatch):
    entry = Metric(
        name="map_60",
        label="mAP60",
        definition="mean over the classes of the average precision at IoU 0.6",
        scopes=(Scope.SPLIT, Scope.SLICE),
        iou_thresholds=(0.6,),
        gates=True,
    )
    monkeypatch.setattr(catalogue, "METRICS", (*METRICS, entry))
    found = scored()
    ranking = found.matched.ranking()
    precisions = average_precision(ranking, np.ones((1, len(found.matched.table.images))))
    assert precisions.shape == (1, len(catalogue.ALL_THRESHOLDS), CLASSES)
    expected = precisions[0, catalogue.ALL_THRESHOLDS.index(0.6)].mean()
    assert found.evaluation.figures["map_60"].value == pytest.approx(expected)
    assert "slice/scene=night/late/map_60" in found.evaluation.figures
    assert "map_60" in next(floor_names())


def test_the_thresholds_are_cocos():
    assert catalogue.ALL_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert all_metrics.averages is catalogue.averages


def test_the_thresholds_of_the_catalogue_are_those_at_which_boxes_are_matched():
    assert tuple(round(float(threshold), 2) for threshold in IOU_THRESHOLDS) == ALL_THRESHOLDS
