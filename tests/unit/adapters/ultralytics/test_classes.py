"""A training that starts from weights with other class names: equal names keep what they know."""

from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.ultralytics.library import prepare
from cv_yolo.adapters.ultralytics.weights import load_detector
from cv_yolo.files import sha256_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ultralytics_home")]


@pytest.fixture(scope="module")
def start(ultralytics_home: Path) -> Any:
    """Weights that know a cat, a dog and an owl, each with rows of its own in the head."""
    import torch
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolo11n.yaml", nc=3, verbose=False)
    model.names = {0: "cat", 1: "dog", 2: "owl"}
    for branch in model.model[-1].cv3:
        branch[-1].bias.data = torch.tensor([0.1, 0.2, 0.3])
        for row in range(3):
            branch[-1].weight.data[row] = row + 1
    path = ultralytics_home / "animals.pt"
    torch.save({"model": model}, path)
    return load_detector(path, sha256_of(path), trusted=False)


def begun(start: Any, classes: tuple[str, ...], workdir: Path) -> Any:
    """The model with which a training on these classes begins."""
    prepare()
    from cv_yolo.adapters.ultralytics.training_data import ManifestTrainer

    (workdir / "data.yaml").write_text(f"path: {workdir}\ntrain: .\nval: .\nnames: {list(classes)}\n", encoding="utf-8")
    arguments = {
        "task": "detect",
        "data": str(workdir / "data.yaml"),
        "project": str(workdir),
        "device": "cpu",
        "model": "animals.pt",
        "name": "run",
    }
    trainer = ManifestTrainer({}, classes, arguments)
    return trainer.get_model(cfg=start.yaml, weights=start, verbose=False)


def rows(model: Any) -> list[list[float]]:
    """Bias and weight of each class in the head, which are the same at each scale here."""
    branch = model.model[-1].cv3[0][-1]
    return [
        [round(bias.item(), 4), round(row.flatten()[0].item(), 4)]
        for bias, row in zip(branch.bias, branch.weight, strict=True)
    ]


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("cat", "dog", "owl"), [[0.1, 1], [0.2, 2], [0.3, 3]]),
        (("owl", "cat", "dog"), [[0.3, 3], [0.1, 1], [0.2, 2]]),
        (("dog", "cat", "owl"), [[0.2, 2], [0.1, 1], [0.3, 3]]),
        (("dog",), [[0.2, 2]]),
    ],
)
def test_classes_of_equal_names_keep_their_rows(
    start: Any, tmp_path: Path, classes: tuple[str, ...], expected: list[list[float]]
) -> None:
    assert rows(begun(start, classes, tmp_path)) == expected


def test_a_new_class_starts_from_random_rows_beside_the_known_ones(start: Any, tmp_path: Path) -> None:
    first, new, second = rows(begun(start, ("owl", "elk", "cat"), tmp_path))
    assert (first, second) == ([0.3, 3], [0.1, 1])
    assert new not in ([0.1, 1], [0.2, 2], [0.3, 3])


def test_where_no_name_is_known_and_the_number_is_the_same_the_rows_stay_in_their_order(
    start: Any, tmp_path: Path
) -> None:
    assert rows(begun(start, ("elk", "fox", "ant"), tmp_path)) == [[0.1, 1], [0.2, 2], [0.3, 3]]


def test_names_like_codes_of_imagenet_stay_what_they_are(start: Any, tmp_path: Path) -> None:
    assert begun(start, ("n01440764", "n01443537"), tmp_path).names == {0: "n01440764", 1: "n01443537"}
