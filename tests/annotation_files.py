"""Small sources of annotations on disk, for the readers of their formats, and what they read, without its places."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from cv_yolo.domain.data.annotated import AnnotatedDataset, ImageAnnotations
from cv_yolo.errors import DatasetError

SIZE = (64, 48)
CVAT_LABELS = (
    "<meta><task><labels><label><name>dog</name><type>any</type></label><label><name>cat</name></label>"
    "<label><name>night</name><type>tag</type></label><label><name>body</name><type>skeleton</type></label>"
    "<label><name>head</name><type>points</type><parent>body</parent></label></labels></task></meta>"
)
VALUE = {"x": 12.5, "y": 25.0, "width": 50.0, "height": 50.0, "rotation": 0, "rectanglelabels": ["cat"]}
UPLOADED = "/data/upload/1/0a1b2c3d-a.jpg"


def picture(root: Path, name: str, size: tuple[int, int] = SIZE, *, orientation: int | None = None) -> Path:
    """A blank picture, with an EXIF orientation where one is given."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation is not None:
        exif[274] = orientation
    Image.new("RGB", size).save(path, exif=exif)
    return path


def pictures(root: Path, names: Iterable[str]) -> None:
    """Blank pictures of one size."""
    for name in names:
        picture(root, name)


def coco_content(
    annotations: Iterable[dict[str, Any]] = (),
    *,
    images: Iterable[dict[str, Any]] | None = None,
    categories: Iterable[dict[str, Any]] = ({"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}),
) -> dict[str, Any]:
    """The content of a COCO file: an image `a.jpg` of the usual size, unless others are given."""
    listed = [{"id": 1, "file_name": "a.jpg", "width": SIZE[0], "height": SIZE[1]}] if images is None else images
    return {"images": list(listed), "annotations": list(annotations), "categories": list(categories)}


def annotation(**changed: Any) -> dict[str, Any]:
    """An annotation of a COCO file that is right, but for what is changed."""
    right = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 5, 20, 10], "area": 200, "iscrowd": 0}
    return right | changed


def put_json(root: Path, name: str, content: object) -> Path:
    """A JSON file."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def without_places(dataset: AnnotatedDataset) -> tuple[ImageAnnotations, ...]:
    """The images with their objects, without where these are written."""
    return tuple(
        replace(image, objects=tuple(replace(each, place="") for each in image.objects)) for image in dataset.images
    )


def refusal(read: Callable[[Path], object], root: Path) -> str:
    """The message with which a source is refused, its hint in brackets; fails where it is read."""
    try:
        read(root)
    except DatasetError as error:
        return f"{error.message} [{error.hint}]"
    raise AssertionError("it was read")


def findings(dataset: AnnotatedDataset) -> dict[str, tuple[str, ...]]:
    """The examples of what was found to be odd, by kind."""
    return {finding.kind.value: finding.examples for finding in dataset.findings}


def put_voc(
    root: Path,
    name: str,
    objects: str = "",
    *,
    file_name: str | None = None,
    size: tuple[int, int] | None = SIZE,
) -> Path:
    """An annotation of VOC, of the image of the same name unless another one is given."""
    stated = "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    stem = Path(name).stem
    text = f"<annotation><filename>{file_name or stem + '.jpg'}</filename>{stated}{objects}</annotation>"
    return put_text(root, name, text)


def voc_object(
    corners: tuple[object, object, object, object] = (5, 6, 24, 15), name: str = "cat", inside: str = ""
) -> str:
    """An object of VOC."""
    tags = zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    box = "".join(f"<{tag}>{corner}</{tag}>" for tag, corner in tags)
    return f"<object><name>{name}</name>{inside}<bndbox>{box}</bndbox></object>"


def put_text(root: Path, name: str, text: str | bytes) -> Path:
    """A file."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def region(value: dict[str, Any] | None = None, *, kind: str = "rectanglelabels", **more: Any) -> dict[str, Any]:
    """A region of an image of the usual size."""
    size = {"original_width": SIZE[0], "original_height": SIZE[1], "image_rotation": 0}
    return {"id": "r1", "type": kind, "value": VALUE if value is None else value, "to_name": "image"} | size | more


def task(*regions: dict[str, Any], image: str = UPLOADED, **more: Any) -> dict[str, Any]:
    """A task with one annotation."""
    annotations = [{"id": 7, "was_cancelled": False, "result": list(regions)}]
    return {"id": 1, "data": {"image": image}, "annotations": annotations} | more
