"""A small data set in YOLO's layout on disk, to be damaged by tests."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.annotated import ImageAnnotations
from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.gate import GatedImages, gate_findings
from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import CheckedPicture, FoundDataset, ImportFolder

FOLDER = YoloFolder()
GOOD: dict[str, Any] = {"train": "images/train", "val": "images/val", "names": ["person"]}
LABEL = "0 0.5 0.5 0.4 0.6\n"


def noise(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture like no other."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def put_image(root: Path, name: str, *, size: tuple[int, int] = (64, 48), label: str | None = LABEL) -> Path:
    """An image below `images` whose content follows from its name, and its label."""
    image = root / "images" / name
    image.parent.mkdir(parents=True, exist_ok=True)
    noise(sum(name.encode()), size).save(image)
    if label is not None:
        put_label(root, name, label)
    return image


def put_label(root: Path, name: str, text: str | bytes = LABEL) -> Path:
    """The label of the image of that name."""
    label = (root / "labels" / name).with_suffix(".txt")
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_bytes(text.encode() if isinstance(text, str) else text)
    return label


def put_data_yaml(root: Path, **changes: Any) -> None:
    """The good `data.yaml` with other values; None leaves a key out."""
    content = {key: value for key, value in (GOOD | changes).items() if value is not None}
    (root / "data.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def a_small_data_set(root: Path) -> Path:
    """Two images for training, one for validation."""
    put_image(root, "train/a.jpg")
    put_image(root, "train/b.png")
    put_image(root, "val/c.jpg")
    put_data_yaml(root)
    return root


def refused(root: Path) -> DatasetError:
    """The one error with which the folder is refused."""
    with pytest.raises(DatasetError) as caught:
        FOLDER.scan(root)
    return caught.value


def found_in(root: Path) -> list[str]:
    """The images of the data set in the folder."""
    return [record.image for record in FOLDER.scan(root).images]


def findings_of(root: Path) -> dict[str, int]:
    """How often each kind of oddity was found; `ignored_files .gif` where it has a subject."""
    return {f"{each.kind} {each.subject}".strip(): each.count for each in FOLDER.scan(root).findings}


def gate_findings_of(root: Path) -> dict[str, tuple[str, ...]]:
    """What the gate finds in the folder, with the places."""
    found = FOLDER.scan(root)
    gated = GatedImages(classes=found.classes, images=found.images, details=found.details)
    return {each.kind: each.places for each in gate_findings(gated, DataPolicy())}


def manifest_of(found: FoundDataset) -> DatasetManifest:
    """What a scan found, as a manifest."""
    return DatasetManifest(name="mine", classes=found.classes, images=found.images)


def checked(folder: ImportFolder, root: Path, images: Iterable[ImageAnnotations]) -> dict[str, CheckedPicture]:
    """The pictures of an import by path, each of which can be used."""
    paths = [image.path for image in images]
    found = zip(paths, folder.check_pictures([root / path for path in paths]), strict=True)
    return {path: picture for path, picture in found if isinstance(picture, CheckedPicture)}
