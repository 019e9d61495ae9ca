"""What is odd about a data set and no reason to refuse it: counted, with examples, for people and for machines.

Pictures that look the same though their bytes differ: saved once more, scaled, or neighbouring frames of a film.

Each picture has a difference hash: whether each of 16 x 16 cells is darker than the one to its right (N. Krawetz, "Kind
of Like That", 2013). Two hashes of unrelated pictures differ in about half of the bits.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.errors import DatasetError

MOST_EXAMPLES: Final = 3
MOST_REFUSALS: Final = 10
MOST_HINTS: Final = 3


class FindingKind(StrEnum):
    """What was found, in the order in which it is shown."""

    UNLABELED_IMAGES = "images_without_label_file"
    ORPHANED_LABELS = "labels_without_image"
    CLIPPED_BOXES = "clipped_boxes"
    SMALL_BOXES = "small_boxes"
    REPEATED_BOXES = "repeated_boxes"
    ROUNDED_VALUES = "values_just_outside"
    CONFIDENCES = "confidences"
    OUTLINES = "outlines"
    CROWDS = "crowds"
    OTHER_CLASSES = "objects_of_other_classes"
    MOVED_IMAGES = "images_on_another_side"
    UNGROUPED_IMAGES = "images_without_a_group"
    ABSENT_CLASSES = "classes_without_a_box_in_a_split"
    SIMILAR_IMAGES = "similar_images"
    REPEATED_IMAGES = "repeated_images"
    SEVERAL_PICTURES = "files_with_several_pictures"
    DEEP_IMAGES = "images_of_16_bits"
    NOT_DECODED = "images_not_decoded_as_in_training"
    LINKED_FOLDERS = "linked_folders"
    IGNORED_FILES = "ignored_files"
    IGNORED_ANNOTATION_FILES = "ignored_annotation_files"
    IGNORED_ANNOTATIONS = "ignored_annotations"
    UNLISTED_IMAGES = "images_without_annotations"
    UNUSED_CLASSES = "unused_classes"
    ROTATED_BOXES = "rotated_boxes"
    OUTLINED_OBJECTS = "objects_without_a_box"
    BROKEN_OUTLINES = "outlines_left_out"
    OTHER_FILE_NAMES = "other_file_names"
    COUNTED_FROM_ZERO = "corners_counted_from_zero"
    IGNORED_KEYS = "ignored_keys"


_SENTENCES: Final = {
    FindingKind.UNLABELED_IMAGES: "{count} without a label file: taken as images without objects",
    FindingKind.ORPHANED_LABELS: "{count} without an image: not used",
    FindingKind.CLIPPED_BOXES: "{count} over the edge of the image: clipped to it",
    FindingKind.SMALL_BOXES: "{count} less than 1 px wide or high: left out of training and evaluation",
    FindingKind.REPEATED_BOXES: "{count} repeated in the same label file: counted once",
    FindingKind.ROUNDED_VALUES: "{count} with a value outside [0, 1], by 0.01 at most: clipped",
    FindingKind.CONFIDENCES: "{count} with a confidence as the sixth value: left out",
    FindingKind.OUTLINES: "{count} taken from the points of a {subject}",
    FindingKind.CROWDS: "{count}: used in evaluation as COCO does, not trained on",
    FindingKind.MOVED_IMAGES: "{count} in another split than before: their group was joined with one that was there",
    FindingKind.UNGROUPED_IMAGES: "{count} without a group: each is one of its own",
    FindingKind.ABSENT_CLASSES: "{count} without a box in {subject}",
    FindingKind.OTHER_CLASSES: "{count} of other classes left out: {subject}",
    FindingKind.SIMILAR_IMAGES: "{count} of almost the same picture in two splits: "
    "what was seen in training makes the scores of val and test too good",
    FindingKind.REPEATED_IMAGES: "{count} with exactly the content of another one of the split",
    FindingKind.SEVERAL_PICTURES: "{count} with several pictures or pages: only the first one is used",
    FindingKind.DEEP_IMAGES: "{count} with 16 bits a channel: training uses the upper 8",
    FindingKind.NOT_DECODED: "{count} not decoded as training does: OpenCV is missing (extra `ultralytics`)",
    FindingKind.LINKED_FOLDERS: "{count} behind a link: read, but DVC does not record what is in it",
    FindingKind.IGNORED_FILES: "{count} ignored among the images: {subject}",
    FindingKind.IGNORED_KEYS: "{count} of data.yaml ignored: {subject}",
    FindingKind.IGNORED_ANNOTATION_FILES: "{count} of other tasks than detection ignored",
    FindingKind.IGNORED_ANNOTATIONS: "{count} ignored: {subject}",
    FindingKind.UNLISTED_IMAGES: "{count} that the annotations do not list: left out",
    FindingKind.UNUSED_CLASSES: "{count} left out: {subject}",
    FindingKind.ROTATED_BOXES: "{count} rotated: replaced by the upright box around it",
    FindingKind.OUTLINED_OBJECTS: "{count} without a box: given the box around its outline",
    FindingKind.BROKEN_OUTLINES: "{count} left out, the box kept: {subject}",
    FindingKind.OTHER_FILE_NAMES: "{count} found under another name than the annotations give",
    FindingKind.COUNTED_FROM_ZERO: "{count} with a corner at 0, which Pascal VOC does not have: "
    "the corners of this source are read as counted from 0, not from 1",
}
_NOUNS: Final = {
    FindingKind.ORPHANED_LABELS: "label file",
    FindingKind.CLIPPED_BOXES: "box",
    FindingKind.SMALL_BOXES: "box",
    FindingKind.REPEATED_BOXES: "box",
    FindingKind.ROUNDED_VALUES: "line",
    FindingKind.CONFIDENCES: "line",
    FindingKind.OUTLINES: "box",
    FindingKind.CROWDS: "crowd region",
    FindingKind.OTHER_CLASSES: "object",
    FindingKind.ABSENT_CLASSES: "class",
    FindingKind.SIMILAR_IMAGES: "pair",
    FindingKind.SEVERAL_PICTURES: "file",
    FindingKind.LINKED_FOLDERS: "folder",
    FindingKind.IGNORED_FILES: "file",
    FindingKind.IGNORED_KEYS: "key",
    FindingKind.IGNORED_ANNOTATION_FILES: "annotation file",
    FindingKind.IGNORED_ANNOTATIONS: "annotation",
    FindingKind.UNUSED_CLASSES: "class",
    FindingKind.ROTATED_BOXES: "box",
    FindingKind.OUTLINED_OBJECTS: "object",
    FindingKind.BROKEN_OUTLINES: "outline",
    FindingKind.COUNTED_FROM_ZERO: "box",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFinding:
    """One kind of oddity: how often, the first places, and `subject`, what kind of file or key it is about."""

    kind: FindingKind
    count: int
    examples: tuple[str, ...] = ()
    subject: str = ""

    @property
    def sentence(self) -> str:
        """One line for a person: `2 boxes over the edge of the image: clipped to it (labels/val/7.txt:3, …)`."""
        noun = _NOUNS.get(self.kind, "image")
        many = f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"
        count = f"{self.count} {noun if self.count == 1 else many}"
        said = _SENTENCES[self.kind].format(count=count, subject=self.subject)
        if not self.examples:
            return said
        return f"{said} ({', '.join(self.examples)}{', …' if self.count > len(self.examples) else ''})"


class Findings:
    """Gathers findings one place at a time."""

    def __init__(self) -> None:
        self._places: dict[tuple[FindingKind, str], list[str]] = defaultdict(list)

    def add(self, kind: FindingKind, place: str, *, subject: str = "") -> None:
        """Count one more; the first places, by name, become the examples."""
        self._places[kind, subject].append(place)

    def all(self) -> tuple[DatasetFinding, ...]:
        """All that was found: by kind, then the most frequent subject first."""
        order = list(FindingKind)
        found = [
            DatasetFinding(
                kind=kind, count=len(places), examples=tuple(sorted(places)[:MOST_EXAMPLES]), subject=subject
            )
            for (kind, subject), places in self._places.items()
        ]
        return tuple(sorted(found, key=lambda each: (order.index(each.kind), -each.count, each.subject)))


class GatheredError(DatasetError):
    """Several refusals as one error."""

    def __init__(self, message: str, *, hint: str | None, refusals: tuple[DatasetError, ...]) -> None:
        super().__init__(message, hint=hint)
        self.refusals = refusals


class Refusals:
    """Collects what is refused, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self._refusals: list[DatasetError] = []

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Collect a refusal inside the block, and go on after it."""
        try:
            yield
        except DatasetError as error:
            self.refuse(error)

    def refuse(self, error: DatasetError) -> None:
        """Collect one refusal."""
        self._refusals.append(error)

    def conclude(self) -> None:
        """Raise all that was refused as one error."""
        if self._refusals:
            raise gathered(self._refusals)


def gathered(refusals: Sequence[DatasetError]) -> DatasetError:
    """All refusals as one error: the first by name with their reasons, how many more, and what to do about them.

    The refusals of a gathered one are taken singly; what is refused twice in the same words counts once.
    """
    single = [each for refusal in refusals for each in getattr(refusal, "refusals", (refusal,))]
    ordered = sorted({each.message: each for each in single}.values(), key=lambda refusal: refusal.message)
    if len(ordered) == 1:
        return ordered[0]
    shown = [f"  {refusal.message}" for refusal in ordered[:MOST_REFUSALS]]
    if len(ordered) > MOST_REFUSALS:
        shown.append(f"  … and {len(ordered) - MOST_REFUSALS} more")
    hints = dict.fromkeys(refusal.hint for refusal in ordered if refusal.hint)
    return GatheredError(
        "\n".join([f"the data set has {len(ordered)} problems:", *shown]),
        hint="; ".join(list(hints)[:MOST_HINTS]) or None,
        refusals=tuple(ordered),
    )


GRID: Final = (17, 16)  # columns, rows: a cell more in each row than there are differences
MOST_DIFFERENT_BITS: Final = 20  # of 256; drawn scenes and photographs that are not related differ in 60 and more
LEAST_CONTRAST: Final = 8  # grey levels; a picture of one colour is like any other
BLOCK: Final = 2048

Bits = npt.NDArray[np.float32]


def difference_hash(grey: npt.NDArray[np.uint8]) -> Bits | None:
    """The hash, (256,) of -1 and 1, of a picture scaled to (16, 17) grey cells; None where it shows nothing."""
    if int(grey.max()) - int(grey.min()) < LEAST_CONTRAST:
        return None
    return np.where(grey[:, 1:] > grey[:, :-1], np.float32(1), np.float32(-1)).ravel()


def similar_pairs(first: Sequence[Bits], second: Sequence[Bits]) -> Iterator[tuple[int, int]]:
    """The places of all pairs, one of each side, whose pictures look the same."""
    if not first or not second:
        return
    one, two = np.stack(first), np.stack(second)
    bits = one.shape[1]
    for start in range(0, len(one), BLOCK):
        for begin in range(0, len(two), BLOCK):
            alike = one[start : start + BLOCK] @ two[begin : begin + BLOCK].T >= bits - 2 * MOST_DIFFERENT_BITS
            yield from ((start + int(row), begin + int(column)) for row, column in np.argwhere(alike))
