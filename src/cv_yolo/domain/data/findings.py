"""What was found in a data set: each kind counted, with its places, how serious it is, and what fixes it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_EXAMPLES: Final = 3


class Severity(StrEnum):
    """How serious a finding is: an error stops training, evaluation and `data check` (exit code 2)."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


class FindingKind(StrEnum):
    """What was found, in the order in which it is shown."""

    UNUSABLE = "unusable"
    IDENTICAL_ACROSS_SPLITS = "identical_across_splits"
    GROUPS_ACROSS_SPLITS = "groups_across_splits"
    MISSING_CLASSES = "missing_classes"
    TEST_CHANGED = "test_changed"
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
    SIMILAR_WITHIN_SPLIT = "similar_within_split"
    TINY_BOXES = "tiny_boxes"
    UNLEARNED_CLASSES = "unlearned_classes"
    IMBALANCED_CLASSES = "imbalanced_classes"
    DIFFERENT_SPLITS = "different_splits"
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
    UNUSED_EXCEPTIONS = "unused_exceptions"


_SENTENCES: Final = {
    FindingKind.UNUSABLE: "{count} that training or evaluation cannot use",
    FindingKind.IDENTICAL_ACROSS_SPLITS: "{count} of the same picture in two splits: "
    "a picture seen in training cannot judge the model",
    FindingKind.GROUPS_ACROSS_SPLITS: "{count} of `{subject}` in more than one split: "
    "what belongs together is seen in training and judges the model",
    FindingKind.MISSING_CLASSES: "{count} without a box in a split that must have it",
    FindingKind.TEST_CHANGED: "{count} changed since the last decision on this data set",
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
    FindingKind.SIMILAR_WITHIN_SPLIT: "{count} of almost the same picture in one split",
    FindingKind.TINY_BOXES: "{count} {subject}: hardly anything is left of them to be learned",
    FindingKind.UNLEARNED_CLASSES: "{count} with boxes in val or test and none in train",
    FindingKind.IMBALANCED_CLASSES: "{count} {subject} in train",
    FindingKind.DIFFERENT_SPLITS: "{count} between splits: metrics of val and test may not hold elsewhere",
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
    FindingKind.UNUSED_EXCEPTIONS: "{count} of the data policy that nothing matches",
}
_REMEDIES: Final = {
    FindingKind.UNUSABLE: "correct what each message names",
    FindingKind.IDENTICAL_ACROSS_SPLITS: "remove one of each pair",
    FindingKind.GROUPS_ACROSS_SPLITS: "move all images of a group into one split",
    FindingKind.MISSING_CLASSES: "add labelled images of the class to the split, or change `required_classes`",
    FindingKind.TEST_CHANGED: "restore the test images of the decision, or except the new revision with a reason: "
    "metrics before and after are of different images",
    FindingKind.UNLABELED_IMAGES: "add the label file; an empty one states that there are no objects",
    FindingKind.ORPHANED_LABELS: "restore the image, or remove the label file (`--fix`)",
    FindingKind.CLIPPED_BOXES: "correct the box; `--fix` writes the clipped one",
    FindingKind.SMALL_BOXES: "remove the line, or draw the box again",
    FindingKind.REPEATED_BOXES: "remove the line (`--fix`)",
    FindingKind.ROUNDED_VALUES: "nothing: the tool that wrote them has rounded",
    FindingKind.CONFIDENCES: "nothing, unless these are predictions: annotations have no confidence",
    FindingKind.OUTLINES: "nothing, unless a box is wrong: draw it in the source",
    FindingKind.CROWDS: "nothing: training leaves them out, and scoring counts them as COCO does",
    FindingKind.OTHER_CLASSES: "import them, too: `--classes` without them keeps all",
    FindingKind.MOVED_IMAGES: "nothing, or import with the grouping of the first time",
    FindingKind.UNGROUPED_IMAGES: "give them a group, or a pattern that matches their paths",
    FindingKind.ABSENT_CLASSES: "add labelled images of the class to the split, or divide again with another `--seed`",
    FindingKind.SIMILAR_IMAGES: "move both into one split, remove one, or except the pair with a reason",
    FindingKind.REPEATED_IMAGES: "remove one of them; `--fix` removes those with the same labels",
    FindingKind.SIMILAR_WITHIN_SPLIT: "remove one, unless both are wanted",
    FindingKind.TINY_BOXES: "train at a larger image size, or cut large images into tiles",
    FindingKind.UNLEARNED_CLASSES: "add images of the class to train, or remove it from `names`",
    FindingKind.IMBALANCED_CLASSES: "add images of the rare classes",
    FindingKind.DIFFERENT_SPLITS: "split the images again at random, by group",
    FindingKind.SEVERAL_PICTURES: "save each picture as its own file",
    FindingKind.DEEP_IMAGES: "convert them to 8 bits, so that you choose how",
    FindingKind.NOT_DECODED: "install the extra `ultralytics`",
    FindingKind.LINKED_FOLDERS: "copy the folder here, or add it to DVC where it is",
    FindingKind.IGNORED_FILES: "convert them to JPEG or PNG, or remove them",
    FindingKind.IGNORED_KEYS: "remove the key, or correct its name",
    FindingKind.IGNORED_ANNOTATION_FILES: "remove them, or import them by themselves",
    FindingKind.IGNORED_ANNOTATIONS: "correct them in the source, and import it again",
    FindingKind.UNLISTED_IMAGES: "annotate them; an image without objects is listed, too",
    FindingKind.UNUSED_CLASSES: "nothing, unless the class is wanted: label it",
    FindingKind.ROTATED_BOXES: "nothing, unless upright boxes are too large for the objects",
    FindingKind.OUTLINED_OBJECTS: "nothing, unless a box is wrong: draw it in the source",
    FindingKind.BROKEN_OUTLINES: "correct the outline in the source, and import it again",
    FindingKind.OTHER_FILE_NAMES: "correct the names in the annotations",
    FindingKind.COUNTED_FROM_ZERO: "compare some boxes with their images: they may be off by a pixel",
    FindingKind.UNUSED_EXCEPTIONS: "remove them from the policy",
}
ALWAYS_ERRORS: Final = frozenset({FindingKind.UNUSABLE, FindingKind.IDENTICAL_ACROSS_SPLITS})
ERRORS: Final = ALWAYS_ERRORS | {
    FindingKind.SIMILAR_IMAGES,
    FindingKind.GROUPS_ACROSS_SPLITS,
    FindingKind.MISSING_CLASSES,
    FindingKind.TEST_CHANGED,
}
_NOUNS: Final = {
    FindingKind.UNUSABLE: "problem",
    FindingKind.IDENTICAL_ACROSS_SPLITS: "pair",
    FindingKind.GROUPS_ACROSS_SPLITS: "group",
    FindingKind.MISSING_CLASSES: "class",
    FindingKind.TEST_CHANGED: "test set",
    FindingKind.SIMILAR_WITHIN_SPLIT: "pair",
    FindingKind.TINY_BOXES: "box",
    FindingKind.UNLEARNED_CLASSES: "class",
    FindingKind.IMBALANCED_CLASSES: "class",
    FindingKind.DIFFERENT_SPLITS: "difference",
    FindingKind.UNUSED_EXCEPTIONS: "exception",
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
    """One kind of finding: how often, the first places, and `subject`, what kind of file or key it is about.

    `places` are all of them. `severity` is that of the data policy.
    """

    kind: FindingKind
    count: int
    examples: tuple[str, ...] = ()
    subject: str = ""
    places: tuple[str, ...] = ()
    severity: Severity = Severity.WARNING

    @property
    def remedy(self) -> str:
        """What fixes it."""
        return _REMEDIES[self.kind]

    @property
    def summary(self) -> str:
        """One line without the places: `2 boxes over the edge of the image: clipped to it`."""
        noun = _NOUNS.get(self.kind, "image")
        many = f"{noun}es" if noun.endswith(("x", "s")) else f"{noun}s"
        count = f"{self.count} {noun if self.count == 1 else many}"
        return _SENTENCES[self.kind].format(count=count, subject=self.subject)

    @property
    def sentence(self) -> str:
        """One line for a person: `2 boxes over the edge of the image: clipped to it (labels/val/7.txt:3, …)`."""
        if not self.examples:
            return self.summary
        return f"{self.summary} ({', '.join(self.examples)}{', …' if self.count > len(self.examples) else ''})"


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
        found = [finding_at(kind, sorted(places), subject=subject) for (kind, subject), places in self._places.items()]
        return tuple(sorted(found, key=lambda each: (order.index(each.kind), -each.count, each.subject)))


def finding_at(
    kind: FindingKind, places: Sequence[str], *, subject: str = "", severity: Severity = Severity.WARNING
) -> DatasetFinding:
    """What was found at these places."""
    return DatasetFinding(
        kind=kind,
        count=len(places),
        examples=tuple(places[:MOST_EXAMPLES]),
        subject=subject,
        places=tuple(places),
        severity=severity,
    )
