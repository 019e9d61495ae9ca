"""`PredictionFile`: what was written comes back, for the images asked for; by the fake and by numpy's format."""

from pathlib import Path

import numpy as np
import pytest

from cv_yolo.adapters.files.predictions import NpzPredictionFile
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.errors import EvaluationFailedError
from cv_yolo.ports.models import Prediction, PredictionFile
from tests.builders import some_detections
from tests.fakes import FakePredictionFile

IMAGES = ("images/test/1.jpg", "images/test/2.jpg", "images/test/3.jpg")
FOUND = (
    some_detections((1.5, 2.25, 30.0, 40.0), (0, 0, 9, 9), image=IMAGES[0], confidences=[0.875, 0.5], classes=[2, 0]),
    some_detections(image=IMAGES[1]),
    some_detections((5, 6, 7, 8), image=IMAGES[2]),
)


@pytest.fixture(params=["fake", "npz"])
def file(request: pytest.FixtureRequest) -> PredictionFile:
    return FakePredictionFile() if request.param == "fake" else NpzPredictionFile()


def kept(file: PredictionFile, folder: Path, prediction: Prediction) -> bytes:
    path = folder / "work" / "detections.npz"
    file.write(path, prediction)
    return path.read_bytes()


def test_a_stored_prediction_is_read_back_unchanged(file: PredictionFile, tmp_path: Path) -> None:
    settings = PredictionSettings(image_size_px=416, nms_iou_threshold=0.6)
    content = kept(
        file,
        tmp_path,
        Prediction(detections=FOUND, predictor="lib 1.0", classes=("cat", "dog"), settings=settings, latency_ms=12.5),
    )
    found = file.read(content, IMAGES)
    assert (found.predictor, found.settings, found.latency_ms) == ("lib 1.0", settings, 12.5)
    assert found.classes == ("cat", "dog")
    for before, after in zip(FOUND, found.detections, strict=True):
        assert after.image == before.image
        np.testing.assert_array_equal(after.boxes_xyxy, before.boxes_xyxy)
        np.testing.assert_array_equal(after.class_ids, before.class_ids)
        np.testing.assert_array_equal(after.confidences, before.confidences)


def test_unknown_values_stay_unknown(file: PredictionFile, tmp_path: Path) -> None:
    found = file.read(kept(file, tmp_path, Prediction(detections=FOUND, predictor="lib 1.0")), IMAGES)
    assert (found.settings, found.latency_ms) == (None, None)


def test_the_detections_are_in_the_order_of_the_requested_images(file: PredictionFile, tmp_path: Path) -> None:
    content = kept(file, tmp_path, Prediction(detections=FOUND, predictor="lib 1.0"))
    assert [each.image for each in file.read(content, IMAGES[::-1]).detections] == list(IMAGES[::-1])


def test_two_predictions_are_two_files(file: PredictionFile, tmp_path: Path) -> None:
    first = kept(file, tmp_path, Prediction(detections=FOUND, predictor="lib 1.0"))
    second = kept(file, tmp_path, Prediction(detections=FOUND, predictor="lib 2.0"))
    assert [file.read(each, IMAGES).predictor for each in (first, second)] == ["lib 1.0", "lib 2.0"]


@pytest.mark.parametrize("images", [IMAGES[:2], (*IMAGES, "images/test/4.jpg"), ()])
def test_detections_of_other_images_are_refused(file: PredictionFile, tmp_path: Path, images: tuple[str, ...]) -> None:
    content = kept(file, tmp_path, Prediction(detections=FOUND, predictor="lib 1.0"))
    with pytest.raises(EvaluationFailedError, match="of other images than those requested"):
        file.read(content, images)


def test_an_invalid_file_is_refused(file: PredictionFile) -> None:
    with pytest.raises(EvaluationFailedError, match="cannot be read"):
        file.read(b"no detections", IMAGES)
