"""A data set as people bring it, in one form for every format: images, their annotated objects, classes by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cv_yolo.domain.data.findings import DatasetFinding
from cv_yolo.domain.data.manifest import Split

Segmentation = Sequence[Sequence[float]] | Mapping[str, Any]  # COCO's polygons, each x1, y1, x2, y2, …; or its RLE


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedObject:
    """One object of an image, as its annotation describes it.

    `xywh` are the left and upper edge, the width and the height in pixels of the upright image; they are not clipped.
    `area_px2` is the object's area where the source gives it, `segmentation` its outline, kept for scoring and export.
    `is_difficult` is Pascal VOC's mark. `place` says where the annotation is written, as `file:line` or
    `file: annotation 42`.
    """

    category: str
    xywh: tuple[float, float, float, float]
    is_crowd: bool = False
    is_difficult: bool = False
    area_px2: float | None = None
    segmentation: Segmentation | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnnotations:
    """One image of the source: its path below the source's root, and what is annotated in it.

    `width_px` and `height_px` are those of the upright image. `split` is None where the source has no splits.
    `attributes` are columns such as scene or camera.
    """

    path: str
    width_px: int
    height_px: int
    objects: tuple[AnnotatedObject, ...] = ()
    split: Split | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedDataset:
    """All images of a source, and its classes in the source's order; `findings` are what was odd and can be used.

    `category_ids` are the source's own numbers of the classes, where it has such numbers.
    """

    classes: tuple[str, ...]
    images: tuple[ImageAnnotations, ...]
    category_ids: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[DatasetFinding, ...] = ()
