"""An exported model is looked at before it is used; everything else is handed on as it is."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from cv_yolo.adapters.onnx import OnnxGuard
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import InspectionRequest, Prediction, PredictionRequest
from tests.fakes import FakeInspector, FakePredictor


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
    return OnnxGuard(predictor, FakeInspector()).predict(PredictionRequest(**values))


def refusal(weights: Path, **how: Any) -> WeightsError:
    predictor = FakePredictor()
    with pytest.raises(WeightsError) as caught:
        asked(weights, predictor, **how)
    assert predictor.requests == []
    return caught.value


def test_a_detector_of_the_requested_size_is_passed_on(tmp_path: Path) -> None:
    predictor = FakePredictor()
    found = asked(exported(tmp_path / "a.onnx", task="detect"), predictor)
    assert [each.image for each in found.detections] == ["images/val/1.jpg"]
    assert len(predictor.requests) == 1


def test_a_model_that_names_no_task_is_taken_for_a_detector(tmp_path: Path) -> None:
    assert asked(exported(tmp_path / "a.onnx"), FakePredictor()).predictor == "fake 1.0"


def test_a_model_that_accepts_any_size_is_used_at_the_requested_size(tmp_path: Path) -> None:
    weights = exported(tmp_path / "a.onnx", height="height", width="width")
    assert asked(weights, FakePredictor(), image_size_px=416).settings == PredictionSettings(image_size_px=416)


@pytest.mark.parametrize(("height", "width", "message"), [(64, 64, "64 × 64"), (320, 64, "320 × 64")])
def test_a_model_that_was_exported_for_another_size_is_refused_with_its_own(
    tmp_path: Path, height: int, width: int, message: str
) -> None:
    error = refusal(exported(tmp_path / "a.onnx", height=height, width=width), image_size_px=320)
    assert error.message == f"{tmp_path / 'a.onnx'}: exported for images of {message} pixels, not of 320"
    assert error.hint is not None
    assert error.hint.startswith(f"use --image-size {height}")


def test_a_model_for_another_task_is_refused(tmp_path: Path) -> None:
    error = refusal(exported(tmp_path / "a.onnx", task="segment"))
    assert "a model for the task 'segment', not for detection" in error.message


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x08\x12\x00"])
def test_a_file_that_is_not_a_model_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
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


def inspected(weights: Path, inspector: FakeInspector | None = None) -> tuple[str, ...]:
    request = InspectionRequest(weights=weights, weights_sha256=sha256_of(weights), workdir=weights.parent / "work")
    return OnnxGuard(FakePredictor(), inspector or FakeInspector()).inspect(request).classes


def test_the_class_names_are_read_from_the_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # nothing is run
    assert inspected(exported(tmp_path / "a.onnx", task="detect", names="{1: 'dog', 0: 'cat'}")) == ("cat", "dog")


@pytest.mark.parametrize(
    "names", [None, "", "cat, dog", "{1: 'dog'}", "{'a': 'b'}", "__import__('os').getcwd()", "[" * 500, "7"]
)
def test_a_model_without_class_names_is_refused(tmp_path: Path, names: str | None) -> None:
    weights = exported(tmp_path / "a.onnx", **({} if names is None else {"names": names}))
    with pytest.raises(WeightsError, match=r"a\.onnx: does not say the names of its classes"):
        inspected(weights)


def test_other_weights_are_inspected_by_the_other_inspector(tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(b"weights")
    assert inspected(tmp_path / "best.pt", FakeInspector(("person", "bicycle"))) == ("person", "bicycle")


def with_tensor(path: Path, where: str, location: str | None) -> Path:
    """A model with a tensor in one of the places where ONNX allows tensors, its values in the file `location`."""
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "t")
    if location is not None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": location, "length": "16"}.items():
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
    model = onnx.load(exported(path, task="detect"))
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    if where == "initializer":
        model.graph.initializer.append(tensor)
    elif where == "sparse":
        model.graph.sparse_initializer.add().values.CopyFrom(tensor)
    elif where == "node":
        model.graph.node.append(constant)
    elif where == "subgraph":
        inner = helper.make_graph([constant], "inner", [], [helper.make_tensor_value_info("c", 1, [4])])
        model.graph.node.append(helper.make_node("If", ["images"], ["x"], then_branch=inner, else_branch=inner))
    elif where == "function":
        model.functions.add().node.append(constant)
    else:
        model.training_info.add().initialization.node.append(constant)
    path.write_bytes(model.SerializeToString())
    return path


PLACES = ["initializer", "sparse", "node", "subgraph", "function", "training"]


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("location", ["/etc/passwd", "../secret.bin", "link.bin", "beside.bin"])
def test_tensors_in_other_files_are_refused_before_onnxruntime_sees_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, location: str
) -> None:
    (tmp_path / "beside.bin").write_bytes(bytes(16))
    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    weights = with_tensor(tmp_path / "a.onnx", where, location)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    for use in (lambda: asked(weights, FakePredictor()), lambda: inspected(weights)):
        with pytest.raises(WeightsError, match=r"a\.onnx: keeps tensors in other files"):
            use()


@pytest.mark.parametrize("where", PLACES)
def test_a_model_with_internal_tensors_is_accepted(tmp_path: Path, where: str) -> None:
    weights = with_tensor(tmp_path / "a.onnx", where, None)
    with pytest.raises(WeightsError, match="does not say the names"):
        inspected(weights)


def test_an_operator_from_a_custom_library_is_refused(tmp_path: Path) -> None:
    model = onnx.load(exported(tmp_path / "a.onnx"))
    model.graph.node[0].domain = "another.library"
    (tmp_path / "a.onnx").write_bytes(model.SerializeToString())
    assert "does not load as an ONNX model" in refusal(tmp_path / "a.onnx").message


def test_a_model_that_changed_since_it_was_recorded_is_refused(tmp_path: Path) -> None:
    weights = exported(tmp_path / "a.onnx", names="{0: 'a'}")
    request = InspectionRequest(weights=weights, weights_sha256="0" * 64, workdir=tmp_path)
    with pytest.raises(WeightsError, match="sha256 differs"):
        OnnxGuard(FakePredictor(), FakeInspector()).inspect(request)


def test_the_predictor_is_given_the_bytes_that_were_checked(tmp_path: Path) -> None:
    weights, seen = exported(tmp_path / "a.onnx"), list[tuple[Path, bytes, int]]()
    content = weights.read_bytes()

    class Watching(FakePredictor):
        def predict(self, request: PredictionRequest) -> Prediction:
            weights.write_bytes(b"swapped")
            seen.append((request.weights, request.weights.read_bytes(), request.weights.stat().st_mode & 0o077))
            return super().predict(request)

    asked(weights, Watching())
    copy = tmp_path / "work" / "checked" / "a.onnx"
    assert seen == [(copy, content, 0)]
    assert not copy.exists()


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    weights = tmp_path / "a.onnx"
    with weights.open("wb") as file:
        os.truncate(file.fileno(), 2_000_000_001)
    request = InspectionRequest(weights=weights, weights_sha256="0" * 64, workdir=tmp_path)
    with pytest.raises(WeightsError, match="larger than 2 GB"):
        OnnxGuard(FakePredictor(), FakeInspector()).inspect(request)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_a_model_or_refused(content: bytes) -> None:
    from cv_yolo.adapters.onnx import _describe

    try:
        _describe(content)
    except (ValueError, IndexError):
        return
