"""What is kept from earlier runs is used again only where it would come out the same: these results have their version.

A failure means that trainings or evaluations have changed. Where that is meant, raise `TRAINING_VERSION` or
`EVALUATION_VERSION` and write the file again: `python -m tests.golden.test_versions`.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from cv_yolo.adapters.ultralytics.trainer import arguments_of
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.evaluation import EVALUATION_VERSION, score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.specs import TRAINING_VERSION
from tests.builders import a_manifest, a_spec, a_subject, a_training_request
from tests.random_boxes import random_pictures

GOLDEN = Path(__file__).with_name("versions.json")
EXACT = 1e-12
SPLITS = (Split.VAL, Split.TEST)  # one chooses its confidence threshold, the other is given one
CHANGES = (
    {},
    {"epochs": 100, "image_size_px": 640, "batch_size": 16},
    {"optimizer": "AdamW", "learning_rate": 0.0003},
    {"optimizer": "auto", "momentum": 0.937},
    {"weight_decay": 0.0, "warmup_epochs": 3.0},
    {"mosaic": 1.0, "seed": 0},
    {"device": "auto", "threads": 8},
    {"device": "0"},
    {"device": "0,1", "batch_size": 64},
    {"epochs": 1, "image_size_px": 32, "batch_size": 1, "seed": 12345},
)


def trainings(folder):
    found = []
    for change in CHANGES:
        request = a_training_request(folder, spec=a_spec(**change), manifest=a_manifest(classes=("person", "dog")))
        found.append(json.loads(json.dumps(arguments_of(request)).replace(str(folder), "FOLDER")))
    return found


def evaluation(split):
    pictures = [picture for seed in range(6) for picture in random_pictures(seed)]
    names = [f"{number}.jpg" for number in range(len(pictures))]
    truths = [replace(truth, image=name) for name, (truth, _) in zip(names, pictures, strict=True)]
    detections = [replace(found, image=name) for name, (_, found) in zip(names, pictures, strict=True)]
    found = score(
        a_subject(split=split, classes=("person", "dog", "cat")),
        truths,
        detections,
        resampling=Resampling(resamples=200, seed=3),
        slices={"scene=night": np.arange(len(pictures)) % 3 == 0},
        confidence_threshold=None if split is Split.VAL else 0.4,
    )
    return json.loads(json.dumps(asdict(found.evaluation) | {"subject": None, "id": found.evaluation.id}))


def results(folder):
    return {
        "training": {"version": TRAINING_VERSION, "arguments": trainings(folder)},
        "evaluation": {"version": EVALUATION_VERSION, "splits": {split: evaluation(split) for split in SPLITS}},
    }


def numbers(value, place=""):
    """Every number by its place."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    else:
        return {place: value} if isinstance(value, int | float) else {}
    return {name: each for key, part in parts for name, each in numbers(part, f"{place}/{key}").items()}


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_same_specs_give_the_same_arguments_of_ultralytics(golden, tmp_path):
    assert golden["training"] == results(tmp_path)["training"]


@pytest.mark.parametrize("split", SPLITS)
def test_the_same_boxes_give_the_same_evaluation(golden, split):
    then, now = golden["evaluation"]["splits"][split], evaluation(split)
    assert (golden["evaluation"]["version"], then["id"]) == (EVALUATION_VERSION, now["id"])
    assert numbers(now) == pytest.approx(numbers(then), rel=0, abs=EXACT)


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        GOLDEN.write_text(json.dumps(results(Path(scratch)), indent=1) + "\n", encoding="utf-8")
