"""Weights whose classes are in another order than the data's score the same, with Ultralytics itself."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from cv_yolo.adapters.files.predictions import NpzPredictionFile
from cv_yolo.adapters.scenes.scene import draw_scene
from cv_yolo.adapters.scenes.sprites import SceneStyle
from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector, load_detector
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.annotations import Boxes
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.errors import InputError
from cv_yolo.files import sha256_of
from cv_yolo.workflows.draw_dataset import draw_dataset
from cv_yolo.workflows.evaluate import Detector, Examination, examine
from tests.fakes import FakeExperimentTracker

BOOTSTRAP = Path(__file__).resolve().parents[4] / "weights" / "bootstrap-yolo11n.pt"
NEVER = -20.0  # a bias with which a class is never detected

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ultralytics_home")]


def paint(rng: np.random.Generator, *, size_px: int) -> tuple[Any, Boxes]:
    scene = draw_scene(rng, size_px=size_px, style=SceneStyle.DEMO, person_count=2)
    return scene.image, scene.boxes_xyxy


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetManifest]:
    """Persons in drawn scenes, who are class 1: before them there is a dog, of which there is no box."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    draw_dataset(root, painter=paint, folder=YoloFolder(), counts={Split.TRAIN: 1, Split.VAL: 4}, size_px=64, seed=1)
    content = yaml.safe_load((root / "data.yaml").read_text(encoding="utf-8"))
    (root / "data.yaml").write_text(yaml.safe_dump(content | {"names": ["dog", "person"]}), encoding="utf-8")
    for label in (root / "labels").rglob("*.txt"):
        text = "".join(f"1{line[1:]}\n" for line in label.read_text(encoding="utf-8").splitlines())
        label.write_text(text, encoding="utf-8")
    found = YoloFolder().scan(root)
    return root, DatasetManifest(name="drawn", classes=found.classes, images=found.images)


def with_classes_named(folder: Path, *names: str) -> Path:
    """The bundled detector of persons with further classes, in that order, which it never detects."""
    import torch

    model = deepcopy(load_detector(BOOTSTRAP, sha256_of(BOOTSTRAP), trusted=False))
    head = model.model[-1]
    for branch in head.cv3:
        former = branch[-1]
        wider = torch.nn.Conv2d(former.in_channels, len(names), 1)
        with torch.no_grad():
            wider.weight.zero_()
            wider.bias.fill_(NEVER)
            wider.weight[names.index("person")] = former.weight[0]
            wider.bias[names.index("person")] = former.bias[0]
        branch[-1] = wider
    head.nc, head.no, model.nc, model.yaml["nc"] = len(names), len(names) + 4 * head.reg_max, len(names), len(names)
    model.names = dict(enumerate(names))
    path = folder / f"{'-'.join(names)}.pt"
    torch.save({"model": model.half(), "ema": None, "epoch": -1, "train_args": {}}, path)
    return path


def examined(weights: Path, data: tuple[Path, DatasetManifest], workdir: Path, *, exact: bool = True) -> Any:
    root, manifest = data
    examination = Examination(
        predictor=UltralyticsPredictor(),
        inspector=UltralyticsInspector(),
        predictions=NpzPredictionFile(),
        folder=YoloFolder(),
        tracker=FakeExperimentTracker(),
        dataset_root=root,
        workdir=workdir,
        resampling=Resampling(resamples=50),
        exact_classes=exact,
    )
    settings = PredictionSettings(image_size_px=64)
    detector = Detector(
        name=weights.name, weights=weights, weights_sha256=sha256_of(weights), settings=settings, device="cpu"
    )
    return examine(detector, manifest, Split.VAL, examination).evaluation


def test_the_same_classes_in_another_order_score_the_same(data: tuple[Path, DatasetManifest], tmp_path: Path) -> None:
    in_order, swapped = (
        examined(with_classes_named(tmp_path, *names), data, tmp_path / "work")
        for names in (("dog", "person"), ("person", "dog"))
    )
    assert in_order.figures["class/person/ap_50"].value > 0.3
    assert swapped.figures == in_order.figures
    assert swapped.subject.detector_classes == ("person", "dog")


def test_further_classes_are_left_out_where_one_looks_and_refused_where_one_decides(
    data: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    two, three = (with_classes_named(tmp_path, *names) for names in (("dog", "person"), ("cat", "person", "dog")))
    assert (
        examined(three, data, tmp_path / "work", exact=False).figures == examined(two, data, tmp_path / "work").figures
    )
    with pytest.raises(InputError, match="not named by the data set: cat"):
        examined(three, data, tmp_path / "work")


def test_a_detector_that_lacks_a_class_of_the_data_is_refused(
    data: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="detects person, the data set names dog, person; not known"):
        examined(BOOTSTRAP, data, tmp_path / "work", exact=False)
