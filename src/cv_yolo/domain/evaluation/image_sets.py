"""Annotated images and detections in them without a data set: from COCO files, or from values in Python."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.all_metrics import DETECTION_LIMITS
from cv_yolo.domain.evaluation.evaluation import Scored, Subject, score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.evaluation.split_boxes import Flags
from cv_yolo.errors import InputError

MOST_VALUES: Final = 50  # of an attribute: one with more names images, and groups nothing
MOST_NAMED: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnotatedImages:
    """The ground truth of all images, in the order in which equal confidences are ranked.

    `attributes` has the values of each image by column, `{"weather": "rain"}`. `image_ids` and `category_ids` give the
    place of each id among the images and the classes. `sha256` is the hash of the content.
    """

    name: str
    sha256: str
    classes: tuple[str, ...]
    truths: tuple[GroundTruth, ...]
    attributes: tuple[Mapping[str, str], ...]
    image_ids: Mapping[str, int]
    category_ids: Mapping[str, int]

    def slices(self, columns: Sequence[str]) -> dict[str, Flags]:
        """The images, (n,), of each value of these columns, by `column=value`; images without a value are in none.

        Raises `InputError` for a column that no image has, and for one with more than `MOST_VALUES` values.
        """
        slices: dict[str, Flags] = {}
        for column in dict.fromkeys(columns):
            values = [each.get(column) for each in self.attributes]
            different = sorted({value for value in values if value is not None})
            if not different:
                raise InputError(f"{self.name}: no image has the attribute {column!r}", hint=self._known_columns())
            if len(different) > MOST_VALUES:
                raise InputError(
                    f"{self.name}: the attribute {column!r} has {len(different)} values, at most {MOST_VALUES} are "
                    "compared",
                    hint=self._known_columns(),
                )
            slices |= {f"{column}={value}": np.array([each == value for each in values]) for value in different}
        return slices

    def crowded(self, *, max_detections: int) -> tuple["CrowdedImage", ...]:
        """The images in which not all objects of a class can be detected, those with the most objects first."""
        found = (
            CrowdedImage(image=truth.image, category=self.classes[class_id], objects=int(count))
            for truth in self.truths
            for class_id, count in enumerate(np.bincount(truth.class_ids[truth.trained_on]))
            if count > max_detections
        )
        return tuple(sorted(found, key=lambda each: (-each.objects, each.image, each.category)))

    def _known_columns(self) -> str:
        columns = sorted({column for each in self.attributes for column in each})
        usable = [name for name in columns if len({each.get(name) for each in self.attributes}) <= MOST_VALUES]
        if not usable:
            return 'add attributes to `images`, for example "weather": "rain"'
        more = f" and {len(usable) - MOST_NAMED} more" if len(usable) > MOST_NAMED else ""
        return f"its attributes: {', '.join(usable[:MOST_NAMED])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrowdedImage:
    """An image with more objects of a class than detections that count: no detector can find all of them."""

    image: str
    category: str
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DetectedImages:
    """The detections of one model in all images of an `AnnotatedImages`, in the same order."""

    name: str
    sha256: str
    detections: tuple[Detections, ...]

    @property
    def count(self) -> int:
        """The number of detections."""
        return sum(len(each.class_ids) for each in self.detections)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """How detections are scored: by which attributes the images are divided, and the rest as in `score`."""

    resampling: Resampling = Resampling()  # noqa: RUF009 - frozen
    confidence_threshold: float | None = None
    slice_by: tuple[str, ...] = ()
    detection_limits: tuple[int, ...] = DETECTION_LIMITS


def score_images(truth: AnnotatedImages, found: DetectedImages, options: ScoringOptions) -> Scored:
    """Score detections as COCO does; without a confidence threshold there are no metrics at a threshold."""
    subject = Subject(
        revision=truth.sha256,
        split_revision=truth.sha256,
        split=None,
        classes=truth.classes,
        predictor=found.name,
        weights_sha256=found.sha256,
    )
    return score(
        subject,
        truth.truths,
        found.detections,
        resampling=options.resampling,
        slices=truth.slices(options.slice_by),
        confidence_threshold=options.confidence_threshold,
        detection_limits=options.detection_limits,
    )
