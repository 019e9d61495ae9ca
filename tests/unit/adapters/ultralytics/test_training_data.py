"""A training sees the images and boxes of the manifest, whatever lies beside them; otherwise it fails."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cv_yolo.adapters.scenes.scene import draw_scene
from cv_yolo.adapters.scenes.sprites import SceneStyle
from cv_yolo.adapters.ultralytics.examples import examples_of, require_same, require_unchanged
from cv_yolo.adapters.ultralytics.trainer import UltralyticsTrainer
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.annotations import Boxes, GroundTruth
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.training.specs import TrainingRequest
from cv_yolo.errors import TrainingFailedError
from cv_yolo.files import sha256_of
from cv_yolo.workflows.draw_dataset import draw_dataset
from tests.builders import a_spec

BOOTSTRAP = Path(__file__).resolve().parents[4] / "weights" / "bootstrap-yolo11n.pt"
COUNTS = {Split.TRAIN: 4, Split.VAL: 2}


def paint(rng: np.random.Generator, *, size_px: int) -> tuple[Any, Boxes]:
    scene = draw_scene(rng, size_px=size_px, style=SceneStyle.DEMO, person_count=2)
    return scene.image, scene.boxes_xyxy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    draw_dataset(tmp_path / "drawn", painter=paint, folder=YoloFolder(), counts=COUNTS, size_px=64, seed=1)
    return tmp_path / "drawn"


def scanned(root: Path) -> DatasetManifest:
    found = YoloFolder().scan(root)
    return DatasetManifest(name="drawn", classes=found.classes, images=found.images)


def request_of(root: Path, manifest: DatasetManifest, weights: Path = BOOTSTRAP) -> TrainingRequest:
    spec = a_spec(
        epochs=1,
        image_size_px=64,
        batch_size=2,
        optimizer="AdamW",
        learning_rate=0.0001,
        weights_sha256=sha256_of(weights),
    )
    workdir = root.parent / "work"
    return TrainingRequest(spec=spec, manifest=manifest, dataset_root=root, weights=weights, workdir=workdir)


@pytest.fixture(autouse=True)
def no_pictures(ultralytics_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ultralytics' diagrams, which take longer than the training here, are tested elsewhere."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)


class Halted(Exception):  # noqa: N818 - a signal between this test and the callback
    """The training got as far as its first batch."""


@pytest.fixture
def loaded(ultralytics_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[Split, Any]]:
    """What Ultralytics holds when a training begins: the data sets by split, after they were compared."""
    from cv_yolo.adapters.ultralytics.library import prepare

    prepare()
    from cv_yolo.adapters.ultralytics.training_data import ManifestTrainer

    held: dict[Split, Any] = {}
    compare = ManifestTrainer.require_same_data

    def compare_then_halt(self: Any) -> None:
        compare(self)
        held.update({Split.TRAIN: self.train_loader.dataset, Split.VAL: self.test_loader.dataset})
        raise Halted

    monkeypatch.setattr(ManifestTrainer, "require_same_data", compare_then_halt)

    def load(request: TrainingRequest, folder: Any = None) -> dict[Split, Any]:
        with pytest.raises(Halted):
            UltralyticsTrainer(folder or YoloFolder()).train(request, on_epoch=lambda epoch: None)
        return held

    return load


def boxes_by_name(dataset: Any) -> dict[str, list[list[float]]]:
    rows = (np.column_stack([label["cls"], label["bboxes"]]) for label in dataset.labels)
    return {Path(path).name: np.round(each, 5).tolist() for path, each in zip(dataset.im_files, rows, strict=True)}


def truth_by_name(root: Path) -> dict[str, list[list[float]]]:
    return {
        label.with_suffix(".jpg").name: [
            [round(float(field), 5) for field in line.split()] for line in label.read_text("utf-8").splitlines()
        ]
        for label in (root / "labels").rglob("*.txt")
    }


def require_truth(held: dict[Split, Any], root: Path) -> None:
    found = boxes_by_name(held[Split.TRAIN]) | boxes_by_name(held[Split.VAL])
    expected = truth_by_name(root)
    assert found.keys() == expected.keys()
    for name, rows in found.items():
        np.testing.assert_allclose(rows, expected[name], atol=2e-5)


def link_images(root: Path) -> None:
    """Each image is a link to a file of another name in another place, as a cache of DVC's makes them."""
    store = root.parent / "cache" / "images"
    store.mkdir(parents=True)
    for number, image in enumerate(sorted((root / "images").rglob("*.jpg"))):
        shutil.move(image, store / f"{number:08x}.jpg")
        image.symlink_to(store / f"{number:08x}.jpg")


def link_images_to_labelled_ones(root: Path) -> None:
    """As above, and beside the targets there are other labels, where Ultralytics would look."""
    link_images(root)
    labels = root.parent / "cache" / "labels"
    labels.mkdir()
    for image in (root.parent / "cache" / "images").iterdir():
        (labels / f"{image.stem}.txt").write_text("0 0.5 0.5 0.9 0.9\n", encoding="utf-8")


def link_the_folder(root: Path) -> None:
    shutil.move(root / "images", root.parent / "elsewhere")
    (root / "images").symlink_to(root.parent / "elsewhere", target_is_directory=True)
    shutil.copytree(root / "labels", root.parent / "labels")
    for label in (root.parent / "labels").rglob("*.txt"):
        label.write_text("0 0.5 0.5 0.9 0.9\n", encoding="utf-8")


def link_the_whole(root: Path) -> None:
    shutil.move(root, root.parent / "real")
    root.symlink_to(root.parent / "real", target_is_directory=True)


def leave_a_cache_of_labels(root: Path) -> None:
    for name in ("train.cache", "val.cache"):
        (root / "labels" / name).write_bytes(b"no cache at all")


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage", [link_images, link_images_to_labelled_ones, link_the_folder, link_the_whole, leave_a_cache_of_labels]
)
def test_the_labels_are_those_that_the_manifest_hashed(
    root: Path, loaded: Callable[..., dict[Split, Any]], damage: Callable[[Path], None]
) -> None:
    damage(root)
    held = loaded(request_of(root, scanned(root)))
    require_truth(held, root)
    assert all(path.startswith(f"{root}/") for path in held[Split.TRAIN].im_files)


@pytest.mark.slow
def test_boxes_are_what_the_port_reads_though_lines_are_repeated(
    root: Path, loaded: Callable[..., dict[Split, Any]]
) -> None:
    label = next((root / "labels" / "train").iterdir())
    label.write_text(label.read_text("utf-8") * 2, encoding="utf-8")
    manifest = scanned(root)
    held = loaded(request_of(root, manifest))[Split.TRAIN]
    boxes = {Path(record.image).name: record.boxes for record in manifest.split(Split.TRAIN)}
    assert {name: len(rows) for name, rows in boxes_by_name(held).items()} == boxes


@pytest.mark.slow
def test_an_image_that_ultralytics_would_drop_is_trained_on(
    root: Path, loaded: Callable[..., dict[Split, Any]]
) -> None:
    manifest = scanned(root)
    small = manifest.split(Split.TRAIN)[0]
    image = root / small.image
    Image.new("RGB", (6, 6)).save(image, "JPEG")
    record = replace(small, image_sha256=sha256_of(image), width_px=6, height_px=6)
    slipped_in = replace(manifest, images=tuple(record if each == small else each for each in manifest.images))
    held = loaded(request_of(root, slipped_in))[Split.TRAIN]
    assert str(image) in held.im_files
    assert len(held) == COUNTS[Split.TRAIN]


@pytest.mark.slow
def test_a_jpeg_without_end_marker_is_not_changed(root: Path, loaded: Callable[..., dict[Split, Any]]) -> None:
    image = next((root / "images" / "train").iterdir())
    with image.open("ab") as file:
        file.write(b"trailing bytes, as some cameras append")
    before = image.read_bytes()
    loaded(request_of(root, scanned(root)))
    assert image.read_bytes() == before


@pytest.mark.slow
def test_pixels_come_from_the_image_and_not_from_an_array_beside_it(
    root: Path, loaded: Callable[..., dict[Split, Any]]
) -> None:
    manifest = scanned(root)
    image = root / manifest.split(Split.TRAIN)[0].image
    np.save(image.with_suffix(".npy"), np.zeros((64, 64, 3), np.uint8))
    held = loaded(request_of(root, manifest))[Split.TRAIN]
    assert held.load_image(held.im_files.index(str(image)))[0].max() > 100


@pytest.mark.slow
def test_an_image_that_decodes_to_another_size_than_recorded_fails_the_training(
    root: Path, loaded: Callable[..., dict[Split, Any]]
) -> None:
    manifest = scanned(root)
    wrong = replace(manifest, images=tuple(replace(each, width_px=80) for each in manifest.images))
    held = loaded(request_of(root, wrong))[Split.TRAIN]
    with pytest.raises(TrainingFailedError, match=r"\.jpg: decoded as 64 × 64 pixels, which the manifest does not say"):
        held.load_image(0)


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_an_image_that_changed_since_the_scan_fails_the_training_by_its_name(root: Path) -> None:
    manifest = scanned(root)
    record = manifest.split(Split.VAL)[1]
    Image.new("RGB", (64, 64), (200, 10, 10)).save(root / record.image, "JPEG")
    with pytest.raises(TrainingFailedError, match=f"val: {record.image}: the image changed") as failed:
        UltralyticsTrainer(YoloFolder()).train(request_of(root, manifest), on_epoch=lambda epoch: None)
    assert failed.value.hint is not None


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_an_image_that_changes_during_the_training_fails_it(root: Path) -> None:
    manifest = scanned(root)
    image = manifest.split(Split.TRAIN)[2].image

    def meddle(epoch: Any) -> None:
        with (root / image).open("ab") as file:
            file.write(b"x")

    with pytest.raises(TrainingFailedError, match=f"train: {image}: the image changed"):
        UltralyticsTrainer(YoloFolder()).train(request_of(root, manifest), on_epoch=meddle)


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_a_box_that_is_lost_on_the_way_fails_the_training_by_its_image(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cv_yolo.adapters.ultralytics.library import prepare

    prepare()
    from ultralytics.data.base import BaseDataset

    update = BaseDataset.update_labels

    def lose_one(self: Any, include_class: Any) -> None:
        update(self, include_class)
        self.labels[1]["bboxes"], self.labels[1]["cls"] = self.labels[1]["bboxes"][:-1], self.labels[1]["cls"][:-1]

    monkeypatch.setattr(BaseDataset, "update_labels", lose_one)
    manifest = scanned(root)
    image = manifest.split(Split.TRAIN)[1].image
    with pytest.raises(TrainingFailedError, match=f"train: {image}: 1 boxes, not 2"):
        UltralyticsTrainer(YoloFolder()).train(request_of(root, manifest), on_epoch=lambda epoch: None)


class Held:
    """What a data set of Ultralytics' says it holds."""

    def __init__(self, examples: Any) -> None:
        self.im_files = [each.path for each in examples]
        self.labels: list[dict[str, Any]] = [
            {
                "cls": each.rows[:, :1].copy(),
                "bboxes": each.rows[:, 1:].copy(),
                "shape": each.shape,
                "bbox_format": "xywh",
                "normalized": True,
            }
            for each in examples
        ]


def drop(held: Held) -> None:
    del held.im_files[0], held.labels[0]


def repeat(held: Held) -> None:
    held.im_files.append(held.im_files[0])
    held.labels.append(held.labels[0])


def add(held: Held) -> None:
    held.im_files.append("/other.jpg")
    held.labels.append(held.labels[0])


def lose_a_label(held: Held) -> None:
    del held.labels[0]


def move(held: Held) -> None:
    held.labels[1]["bboxes"][0, 0] += 0.001


def rename(held: Held) -> None:
    held.labels[1]["cls"][0, 0] += 1


def swap(held: Held) -> None:
    held.labels[0], held.labels[1] = held.labels[1], held.labels[0]


def pixels(held: Held) -> None:
    held.labels[2]["normalized"] = False


def turn(held: Held) -> None:
    held.labels[2]["shape"] = (64, 65)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (drop, r": images/train/\w+\.jpg: the image is not loaded"),
        (repeat, r"5 images, not 4"),
        (add, r"/other\.jpg: 5 images, not 4"),
        (lose_a_label, r"4 images but 3 labels"),
        (move, r"boxes or classes differ"),
        (rename, r"boxes or classes differ"),
        (swap, r": images/train/\w+\.jpg: "),
        (pixels, r"in another form"),
        (turn, r"65 × 64 pixels"),
    ],
)
def test_every_difference_is_found_and_named(root: Path, damage: Callable[[Held], None], what: str) -> None:
    examples = examples_of(request_of(root, scanned(root)), YoloFolder())[Split.TRAIN]
    held = Held(examples)
    require_same(Split.TRAIN, held, examples)
    damage(held)
    with pytest.raises(TrainingFailedError, match=f"^the training's data differ from the manifest: train.*{what}"):
        require_same(Split.TRAIN, held, examples)


def test_an_image_that_is_gone_is_named(root: Path) -> None:
    examples = examples_of(request_of(root, scanned(root)), YoloFolder())[Split.VAL]
    Path(examples[1].path).unlink()
    with pytest.raises(TrainingFailedError, match=r"val: images/val/\w+\.jpg: cannot be read: No such file"):
        require_unchanged(Split.VAL, examples)


def test_boxes_that_are_not_as_many_as_recorded_are_refused_before_training(root: Path) -> None:
    class OneLess(YoloFolder):
        def ground_truth(self, root: Path, manifest: DatasetManifest, split: Split) -> tuple[GroundTruth, ...]:
            first, *others = super().ground_truth(root, manifest, split)
            less = GroundTruth(image=first.image, boxes_xyxy=first.boxes_xyxy[1:], class_ids=first.class_ids[1:])
            return (less, *others)

    with pytest.raises(TrainingFailedError, match=r"train: images/train/\w+\.jpg: \d boxes, not the \d recorded"):
        examples_of(request_of(root, scanned(root)), OneLess())
