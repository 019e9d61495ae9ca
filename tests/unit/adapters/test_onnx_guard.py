"""An exported model is looked at before it is used; everything else is handed on as it is."""

import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from cv_yolo.adapters.onnx_guard import OnnxGuard
from cv_yolo.domain.evaluation import PredictionSettings
from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports import Prediction, PredictionRequest
from tests.fakes import FakePredictor


def exported(path: Path, *, height: int | str = 64, width: int | str = 64, **metadata: str) -> Path:
    """The smallest model that takes images of that size and gives them back."""
    shape = ["batch", 3, height, width]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("images", "same")]
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["same"])], "same", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def asked(weights: Path, predictor: FakePredictor, *, image_size_px: int = 64) -> Prediction:
    values: dict[str, Any] = {
        "weights": weights,
        "weights_sha256": sha256_of(weights),
        "root": weights.parent,
        "images": ("images/val/1.jpg",),
        "settings": PredictionSettings(image_size_px=image_size_px),
        "device": "cpu",
        "threads": 1,
        "workdir": weights.parent / "work",
    }
    return OnnxGuard(predictor).predict(PredictionRequest(**values))


def refusal(weights: Path, **how: Any) -> WeightsError:
    predictor = FakePredictor()
    with pytest.raises(WeightsError) as caught:
        asked(weights, predictor, **how)
    assert predictor.requests == []
    return caught.value


def test_a_detector_of_the_size_asked_for_is_handed_on(tmp_path: Path) -> None:
    predictor = FakePredictor()
    found = asked(exported(tmp_path / "a.onnx", task="detect"), predictor)
    assert [each.image for each in found.detections] == ["images/val/1.jpg"]
    assert len(predictor.requests) == 1


def test_a_model_that_names_no_task_is_taken_for_a_detector(tmp_path: Path) -> None:
    assert asked(exported(tmp_path / "a.onnx"), FakePredictor()).predictor == "fake 1.0"


def test_a_model_that_takes_any_size_is_used_at_the_one_asked_for(tmp_path: Path) -> None:
    weights = exported(tmp_path / "a.onnx", height="height", width="width")
    assert asked(weights, FakePredictor(), image_size_px=416).settings == PredictionSettings(image_size_px=416)


@pytest.mark.parametrize(("height", "width", "told"), [(64, 64, "64 × 64"), (320, 64, "320 × 64")])
def test_a_model_that_was_exported_for_another_size_is_refused_with_its_own(
    tmp_path: Path, height: int, width: int, told: str
) -> None:
    error = refusal(exported(tmp_path / "a.onnx", height=height, width=width), image_size_px=320)
    assert error.message == f"{tmp_path / 'a.onnx'}: exported for images of {told} pixels, not of 320"
    assert error.hint is not None
    assert error.hint.startswith(f"say --image-size {height}")


def test_a_model_for_another_task_is_refused(tmp_path: Path) -> None:
    error = refusal(exported(tmp_path / "a.onnx", task="segment"))
    assert "a model for the task 'segment', not for detection" in error.message


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x08\x12\x00"])
def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    error = refusal(tmp_path / "a.onnx")
    assert error.message.startswith(f"{tmp_path / 'a.onnx'}: does not load as an ONNX model: ")
    assert "\n" not in error.message


def test_without_onnxruntime_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = exported(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    error = refusal(weights)
    assert error.message == f"{weights}: an ONNX model needs onnxruntime, which is not installed"
    assert error.hint == "install the extra `onnx`: pip install 'zenml-cv-yolo[onnx]'"
    assert error.exit_code == 2


def test_other_weights_are_handed_on_unseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "best.pt").write_bytes(b"no model that onnxruntime would know")
    assert asked(tmp_path / "best.pt", FakePredictor(), image_size_px=320).predictor == "fake 1.0"
