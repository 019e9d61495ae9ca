"""A policy that could not decide on the data is refused before anything is trained."""

from pathlib import Path

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.errors import ConfigError
from cv_yolo.ports.datasets import FoundDataset
from cv_yolo.workflows.check_policy import require_fit
from tests.builders import a_gate, a_manifest, a_policy, a_truth, some_images
from tests.fakes import FakeDatasetFolder

ROOT = Path("data/tiny_coco")
BOX = (10.0, 10.0, 60.0, 90.0)


def reports_on(policy, *, tests=40, classes=("helmet", "vest"), found=1):
    """What is reported of a policy where every test image has one box of each of the first so many classes."""
    images = some_images(Split.TRAIN, 1) + some_images(Split.VAL, 1) + some_images(Split.TEST, tests)
    manifest = a_manifest(classes=classes, images=images)
    folder, reports = FakeDatasetFolder(), []
    truths = [
        a_truth(*[BOX] * found, image=record.image, classes=range(found)) for record in manifest.split(Split.TEST)
    ]
    folder.put(ROOT, FoundDataset(classes=manifest.classes, images=manifest.images), truths=truths)
    require_fit(policy, manifest, root=ROOT, folder=folder, report=reports.append)
    return reports


def test_a_policy_that_fits_says_nothing():
    assert reports_on(a_policy(gate=a_gate(class_margin=0.1, required_classes=("helmet",)))) == []


def test_a_policy_that_cannot_decide_is_refused_by_file_and_key():
    with pytest.raises(ConfigError) as caught:
        reports_on(a_policy(gate=a_gate(required_classes=("helmt",), floors={"class/vset/ap_50": 0.2})))
    assert caught.value.exit_code == 2
    assert caught.value.message == (
        "policy.yaml: gates.staging.required_classes: the data set has no class 'helmt'; did you mean 'helmet'?; "
        "gates.staging.floors.class/vset/ap_50: the data set has no class 'vset'; did you mean 'vest'?"
    )
    assert caught.value.hint == "its classes: helmet, vest; correct the policy or the data set"


def test_a_guard_that_cannot_fail_is_refused_with_the_resamples_that_it_takes():
    thirty = tuple(f"class {number}" for number in range(30))
    policy = a_policy(gate=a_gate(class_margin=0.1), resampling=Resampling(resamples=100))
    with pytest.raises(ConfigError) as caught:
        reports_on(policy, classes=thirty, found=30)
    assert caught.value.message.startswith("policy.yaml: intervals.resamples: at least 605 for 30 classes at 95 %")
    assert reports_on(policy, classes=thirty, found=4) == [], "four of them are in the test images"


def test_a_required_class_with_too_few_boxes_is_reported():
    assert reports_on(a_policy(gate=a_gate(required_classes="all"))) == [
        "policy.yaml: gates.staging.required_classes: vest has 0 boxes in test, 10 are required: "
        "the decision will be inconclusive"
    ]


def test_without_test_images_there_is_nothing_to_report():
    assert reports_on(a_policy(gate=a_gate(required_classes="all", class_margin=0.1)), tests=0) == []
