"""One image with a model's detections: the JPEG with boxes drawn over it, and a text alternative.

Nothing relies on colour alone: annotated boxes are dashed, missed ones thick and dashed, correct detections thin, wrong
ones thick and struck out; each error has a number that leads to its words.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cv_yolo.domain.data.annotations import iou
from cv_yolo.domain.evaluation.annotated_images import AnnotatedDetection, AnnotatedImage, AnnotatedTruth, Corners
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.ports.datasets import Thumbnail
from cv_yolo.reports.markup import Html
from cv_yolo.reports.templates import render_macro
from cv_yolo.reports.text.formatting import count_text

TEMPLATE: Final = "image.html.j2"
MOST_DESCRIBED: Final = 8  # errors of an image that are described in words
HIGHEST: Final = 0.09  # part of the height above which a number stands inside its box
NEAR: Final = 0.06  # parts of the picture, below which two numbers would hide each other
NUMBER_REM: Final = 1.75
LEGEND: Final = {
    "found": "annotated, detected",
    "missed": "annotated, missed",
    "right": "correct detection",
    "wrong": "wrong detection",
    "crowd": "crowd: ignored",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageError:
    """One error of an image: a missed box, or a wrong detection with its confidence; `kind` as in `ErrorType`.

    `really` is the annotated class of what was taken for another class.
    """

    xyxy: Corners
    class_id: int
    kind: str
    confidence: float | None = None
    really: int | None = None

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The classes that it concerns."""
        return (self.class_id,) if self.really is None else (self.class_id, self.really)

    @property
    def sign(self) -> str:
        """What stands before its number."""
        return "○" if self.confidence is None else "✕"

    def words(self, classes: Sequence[str]) -> str:
        """`person 0.82: background`, `person 0.60: classification (annotated: dog)`, `dog: missed`."""
        sure = "" if self.confidence is None else f" {self.confidence:.2f}"
        really = "" if self.really is None else f" (annotated: {classes[self.really]})"
        return f"{classes[self.class_id]}{sure}: {self.kind}{really}"


def errors_of(annotated: AnnotatedImage) -> tuple[ImageError, ...]:
    """The errors of an image: missed boxes first, then wrong detections, the surest first."""
    missed = [
        ImageError(xyxy=box.xyxy, class_id=box.class_id, kind="missed")
        for box in annotated.truths
        if not box.found and not box.crowd
    ]
    wrong = [
        ImageError(
            xyxy=box.xyxy,
            class_id=box.class_id,
            kind=box.error,
            confidence=box.confidence,
            really=_really(box, annotated.truths),
        )
        for box in sorted(annotated.detections, key=lambda box: -box.confidence)
        if box.error is not None
    ]
    return (*missed, *wrong)


def rights_of(annotated: AnnotatedImage) -> tuple[AnnotatedDetection, ...]:
    """The correct detections, the most confident first."""
    return tuple(sorted((box for box in annotated.detections if box.error is None), key=lambda box: -box.confidence))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """An image's small copy, which is embedded under an id in the first picture of it, and used again by the others."""

    thumbnail: Thumbnail
    id: str

    def embedded(self) -> Html:
        """The JPEG itself."""
        data = base64.b64encode(self.thumbnail.jpeg).decode("ascii")
        return render_macro(TEMPLATE, "embedded", self.id, self.thumbnail.width_px, self.thumbnail.height_px, data)

    def again(self) -> Html:
        """The JPEG that is embedded elsewhere."""
        return render_macro(TEMPLATE, "again", self.id)

    def drawn(self, annotated: AnnotatedImage, *, image: Html, words: str) -> Html:
        """The image with its boxes; `words` for those who cannot see it."""
        errors = errors_of(annotated)[:MOST_DESCRIBED]
        return render_macro(
            TEMPLATE,
            "picture",
            image=image,
            width=self.thumbnail.width_px,
            height=self.thumbnail.height_px,
            words=words,
            layers=[(kind, outline(kind, boxes)) for kind, boxes in _boxes(annotated).items() if boxes],
            numbers=[self._number(place, error, errors[:place]) for place, error in enumerate(errors)],
        )

    def _number(self, place: int, error: ImageError, earlier: Sequence[ImageError]) -> dict[str, object]:
        """The error's number at the corner of its box, beside the numbers that are there already."""
        left, top = self._corner(error)
        close = [self._corner(each) for each in earlier]
        beside = sum(abs(left - x) < NEAR and abs(top - y) < NEAR for x, y in close)
        return {
            "text": f"{error.sign}{place + 1}",
            "kind": "missed" if error.confidence is None else "wrong",
            "inside": top < HIGHEST,
            "left": f"{100 * left:.1f}",
            "top": f"{100 * top:.1f}",
            "beside": f"{NUMBER_REM * beside:g}",
        }

    def _corner(self, error: ImageError) -> tuple[float, float]:
        """Where a box begins, as parts of the width and the height."""
        left, top = error.xyxy[:2]
        return max(0.0, left / self.thumbnail.width_px), max(0.0, top / self.thumbnail.height_px)


def error_list(annotated: AnnotatedImage, classes: Sequence[str]) -> Html:
    """What is in a picture, in words: the errors by number, and the correct detections."""
    errors = errors_of(annotated)
    items = [
        (f"{error.sign}{place}", error.words(classes)) for place, error in enumerate(errors[:MOST_DESCRIBED], start=1)
    ]
    more = count_text(len(errors) - MOST_DESCRIBED, "more error") if len(errors) > MOST_DESCRIBED else ""
    return render_macro(TEMPLATE, "words", items, more, _rights(rights_of(annotated), classes))


def summary(annotated: AnnotatedImage) -> str:
    """`3 correct, 1 wrong, 2 missed`."""
    return f"{len(rights_of(annotated))} correct, {annotated.false_positives} wrong, {annotated.misses} missed"


def legend(kinds: Iterable[str]) -> Html:
    """How these kinds of boxes are drawn."""
    return render_macro(TEMPLATE, "legend", [(kind, outline(kind, [(2, 2, 24, 16)]), LEGEND[kind]) for kind in kinds])


def _really(box: AnnotatedDetection, truths: Sequence[AnnotatedTruth]) -> int | None:
    """The class of the annotated box that a detection of another class lies on."""
    others = [truth for truth in truths if truth.class_id != box.class_id and not truth.crowd]
    if box.error is not ErrorType.CLASSIFICATION or not others:
        return None
    overlaps = iou(np.array(box.xyxy), np.array([truth.xyxy for truth in others]))
    return others[int(np.argmax(overlaps))].class_id


def _rights(rights: Sequence[AnnotatedDetection], classes: Sequence[str]) -> str:
    if not rights:
        return "no correct detection"
    shown = ", ".join(f"{classes[box.class_id]} {box.confidence:.2f}" for box in rights[:MOST_DESCRIBED])
    rest = f" and {len(rights) - MOST_DESCRIBED} more" if len(rights) > MOST_DESCRIBED else ""
    return f"✓ {shown}{rest}"


def _boxes(annotated: AnnotatedImage) -> dict[str, list[Corners]]:
    """The boxes of an image by the way they are drawn, in the order in which they are drawn."""
    boxes: dict[str, list[Corners]] = {kind: [] for kind in LEGEND}
    for truth in annotated.truths:
        boxes["crowd" if truth.crowd else "found" if truth.found else "missed"].append(truth.xyxy)
    for found in annotated.detections:
        boxes["right" if found.error is None else "wrong"].append(found.xyxy)
    return boxes


def outline(kind: str, boxes: Iterable[Corners]) -> str:
    """All boxes of one kind as one path; wrong ones are struck out."""
    return "".join(
        f"M{x1:g} {y1:g}H{x2:g}V{y2:g}H{x1:g}z" + (f"L{x2:g} {y2:g}" if kind == "wrong" else "")
        for x1, y1, x2, y2 in boxes
    )
