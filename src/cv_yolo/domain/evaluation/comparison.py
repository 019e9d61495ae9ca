"""Two models on the same images: what differs, how sure that is, and in which images."""

from dataclasses import dataclass
from enum import StrEnum

from cv_yolo.domain.evaluation.annotated_images import AnnotatedImage, annotate_images
from cv_yolo.domain.evaluation.evaluation import Evaluation, Scored
from cv_yolo.domain.evaluation.intervals import Bootstrapped, Estimate, estimates
from cv_yolo.errors import EvaluationFailedError


class DifferenceKind(StrEnum):
    """What a difference says: unchanged where it is 0 in every draw, unknown where nothing bounds it."""

    HIGHER = "higher"
    LOWER = "lower"
    WITHIN_NOISE = "within noise"
    UNCHANGED = "unchanged"
    UNKNOWN = "unknown"


def change_of(difference: Estimate | None) -> DifferenceKind:
    """What a paired difference says; without an interval it says nothing, however large it is."""
    interval = None if difference is None else difference.interval
    if interval is None:
        return DifferenceKind.UNKNOWN
    if interval.low == interval.high == 0:
        return DifferenceKind.UNCHANGED
    if interval.low <= 0 <= interval.high:
        return DifferenceKind.WITHIN_NOISE
    return DifferenceKind.HIGHER if interval.low > 0 else DifferenceKind.LOWER


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChange:
    """What the second model does to one image against the first."""

    first: AnnotatedImage
    second: AnnotatedImage

    @property
    def image(self) -> str:
        """The image's path in the data set."""
        return self.first.image

    @property
    def fixed(self) -> int:
        """Errors of the first that the second does not make: truths now found, and fewer false positives."""
        return self._turned(found=True) + max(0, self.first.false_positives - self.second.false_positives)

    @property
    def broken(self) -> int:
        """Errors of the second that the first does not make: truths now missed, and more false positives."""
        return self._turned(found=False) + max(0, self.second.false_positives - self.first.false_positives)

    def _turned(self, *, found: bool) -> int:
        pairs = zip(self.first.truths, self.second.truths, strict=True)
        return sum(not before.crowd and before.found != after.found == found for before, after in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The second model against the first, on the same images; `differences` are second minus first, paired by image.

    `changes` are the images in which they differ in use, those that the second spoils most first.
    """

    first: Evaluation
    second: Evaluation
    differences: dict[str, Estimate]
    changes: tuple[ImageChange, ...]

    @property
    def figure_changes(self) -> dict[str, DifferenceKind]:
        """What is known of each figure of either model; one that only one of them has is unknown."""
        names = dict.fromkeys((*self.first.figures, *self.second.figures))
        return {name: change_of(self.differences.get(name)) for name in names}

    @property
    def broken(self) -> tuple[ImageChange, ...]:
        """The images that the second spoils, the worst first."""
        return tuple(change for change in self.changes if change.broken > change.fixed)

    @property
    def fixed(self) -> tuple[ImageChange, ...]:
        """The images that the second mends, the most improved first."""
        return tuple(change for change in self.changes[::-1] if change.fixed > change.broken)


def difference_of(first: Scored, second: Scored) -> Bootstrapped:
    """The paired differences, second minus first; raises `EvaluationFailedError` where they are not comparable."""
    one, other = first.evaluation, second.evaluation
    for what, same in (
        ("classes", one.subject.classes == other.subject.classes),
        ("data", one.subject.split_revision == other.subject.split_revision),
        ("split", one.subject.split == other.subject.split),
        ("resampling", one.resampling == other.resampling),
    ):
        if not same:
            raise EvaluationFailedError(f"two evaluations that differ in their {what} cannot be compared")
    shared = set(first.bootstrapped.names) & set(second.bootstrapped.names)
    return second.bootstrapped.only(shared).minus(first.bootstrapped.only(shared))


def compare(first: Scored, second: Scored) -> Comparison:
    """Compare two models on the same images; raises `EvaluationFailedError` where they are not comparable."""
    confidence = first.evaluation.resampling.confidence
    annotated = [
        annotate_images(each.matched.table, confidence_threshold=each.evaluation.confidence_threshold)
        for each in (first, second)
    ]
    changes = [ImageChange(first=one, second=other) for one, other in zip(*annotated, strict=True)]
    return Comparison(
        first=first.evaluation,
        second=second.evaluation,
        differences=estimates(difference_of(first, second), confidence=confidence),
        changes=tuple(
            sorted(
                (change for change in changes if change.fixed or change.broken),
                key=lambda change: (change.fixed - change.broken, change.image),
            )
        ),
    )
