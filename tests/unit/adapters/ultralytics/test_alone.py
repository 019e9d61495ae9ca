"""Each image is predicted alone, in one square: its detections depend on no other image, order or batch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cv_yolo.adapters.onnx import OnnxGuard
from cv_yolo.adapters.scenes.scene import draw_scene
from cv_yolo.adapters.scenes.sprites import SceneStyle
from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector
from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.evaluation.evaluation import BATCH, PredictionSettings
from cv_yolo.errors import EvaluationFailedError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import PredictionRequest
from tests.unit.adapters.ultralytics.test_ultralytics import BOOTSTRAP, exported

assert exported  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ultralytics_home")]
ORIENTATION, TURNED = 0x0112, 6
SHAPES = {"a": (96, 64), "b": (64, 64), "c": (96, 64), "higher": (96, 66), "wide": (32, 96)}
Predict = Callable[..., dict[str, Detections]]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for number, (name, (width_px, height_px)) in enumerate(SHAPES.items()):
        scene = draw_scene(np.random.default_rng(number), size_px=96, style=SceneStyle.DEMO, person_count=2)
        Image.fromarray(scene.image[:height_px, :width_px]).save(root / f"{name}.png")
    return root


@pytest.fixture(scope="module", params=["pt", "onnx"])
def predict(request: pytest.FixtureRequest, images: Path) -> Predict:
    weights = BOOTSTRAP if request.param == "pt" else request.getfixturevalue("exported")
    guard = OnnxGuard(UltralyticsPredictor(), UltralyticsInspector())

    def predicted(*names: str, **changes: Any) -> dict[str, Detections]:
        wanted = PredictionRequest(
            weights=weights,
            weights_sha256=sha256_of(weights),
            root=images,
            images=names,
            settings=PredictionSettings(image_size_px=64, **changes),
            device="cpu",
            threads=1,
            workdir=images / "work",
        )
        return {each.image: each for each in guard.predict(wanted).detections}

    return predicted


def same(first: Detections, second: Detections) -> bool:
    return (
        np.array_equal(first.boxes_xyxy, second.boxes_xyxy)
        and np.array_equal(first.confidences, second.confidences)
        and np.array_equal(first.class_ids, second.class_ids)
    )


def test_an_image_is_found_the_same_alone_and_beside_one_that_is_two_pixels_higher(predict: Predict) -> None:
    alone = predict("a.png")["a.png"]
    assert len(alone.confidences) > 0
    for others in (("c.png",), ("higher.png",), ("c.png", "wide.png", "higher.png", "b.png")):
        assert same(alone, predict("a.png", *others)["a.png"])
        assert same(alone, predict(*others, "a.png")["a.png"])


def test_detections_do_not_depend_on_which_images_are_requested_and_in_which_order(predict: Predict) -> None:
    everything = predict(*(f"{name}.png" for name in SHAPES))

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.permutations(sorted(SHAPES)), st.integers(min_value=1, max_value=len(SHAPES)))
    def check(order: list[str], count: int) -> None:
        for image, found in predict(*(f"{name}.png" for name in order[:count])).items():
            assert same(found, everything[image])

    check()


def test_more_images_than_a_batch_held_are_found_the_same(predict: Predict, images: Path) -> None:
    copies = [f"copy{number}.png" for number in range(17)]
    for copy in copies:
        (images / copy).write_bytes((images / "a.png").read_bytes())
    alone = predict("a.png")["a.png"]
    assert all(same(alone, found) for found in predict(*copies, "higher.png").values() if found.image in copies)


def test_a_photograph_that_is_turned_by_its_exif_data_is_found_upright(predict: Predict, images: Path) -> None:
    upright = Image.open(images / "a.png").convert("RGB")
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    upright.rotate(90, expand=True).save(images / "turned.tif", exif=exif)
    first, second = predict("a.png")["a.png"], predict("turned.tif")["turned.tif"]
    assert same(first, second)


def test_another_letterbox_is_not_claimed(predict: Predict) -> None:
    with pytest.raises(EvaluationFailedError, match="letterboxed to a square, not by 'batch'"):
        predict("a.png", letterbox=BATCH)


def test_the_model_sees_one_square_for_every_shape(
    predict: Predict, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.engine.predictor import BasePredictor

    seen: list[tuple[int, ...]] = []
    preprocess = BasePredictor.preprocess

    def watch(self: Any, im: Any) -> Any:
        prepared = preprocess(self, im)
        seen.append(tuple(prepared.shape))
        return prepared

    monkeypatch.setattr(BasePredictor, "preprocess", watch)
    predict(*(f"{name}.png" for name in SHAPES))
    assert seen == [(1, 3, 64, 64)] * len(SHAPES)
