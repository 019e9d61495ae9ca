"""What the numbers in a COCO results file stand for: categories by id, and images by id."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cv_yolo.errors import InputError

COCO_CLASSES: Final = (  # the 80 classes of COCO in the order of YOLO's class numbers
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear"),
    *("hair drier", "toothbrush"),
)
MOST_NAMED: Final = 5
NAMED_IN_A_FILE: Final = (
    "name them: --categories FILE (COCO annotations, or a JSON list of id and name), or `category_ids` in data.yaml"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """Names by category id, and who says so; `images` are file names by image id, where they are known.

    `counted` where a person says that the ids count the data set's classes.
    """

    source: str
    names: Mapping[int, str]
    images: Mapping[int | str, str] = field(default_factory=dict)
    counted: bool = False

    def places(self, category_ids: Sequence[int], *, results: str) -> list[int]:
        """For each category id the place of its name among `names`; raises `InputError` for ids that are not named."""
        unknown = Counter(each for each in category_ids if each not in self.names)
        if unknown:
            raise InputError(
                f"{results}: category ids that {self.source} does not name: {_counted(unknown)}",
                hint=_another_source(category_ids, self),
            )
        place = {category_id: index for index, category_id in enumerate(self.names)}
        return [place[each] for each in category_ids]


def counted_categories(classes: Sequence[str], *, first: int) -> Categories:
    """The classes in their order, with ids that a person says are counted from `first`."""
    return Categories(source=f"--first-class {first}", names=dict(enumerate(classes, start=first)), counted=True)


def stated_categories(
    results: str,
    classes: Sequence[str],
    *,
    named: Categories | None,
    first: int | None,
    recorded: Mapping[str, int],
) -> Categories:
    """What the ids stand for: as a file or a person says, else as the data set records; never a guess.

    Raises `InputError` where nothing says it.
    """
    if named is not None:
        return named
    if first is not None:
        return counted_categories(classes, first=first)
    if recorded:
        names = {number: name for name, number in recorded.items()}
        return Categories(source="`category_ids` in data.yaml", names=names)
    raise InputError(
        f"{results}: nothing says which classes its category ids stand for",
        hint=f"{NAMED_IN_A_FILE}; or, if they are the data set's classes in order, --first-class 0 or 1",
    )


def _counted(unknown: Counter[int]) -> str:
    shown = ", ".join(f"{each} ({count} {_results(count)})" for each, count in sorted(unknown.items())[:MOST_NAMED])
    rest = len(unknown) - MOST_NAMED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _results(count: int) -> str:
    return "result" if count == 1 else "results"


def _another_source(category_ids: Iterable[int], categories: Categories) -> str:
    """What may be meant: ids that are counted from 1 fit in so many classes, others need names."""
    least, most = min(category_ids), max(category_ids)
    if categories.counted and least in {0, 1} and most - least < len(categories.names):
        return f"the ids run from {least} to {most}: is it --first-class {least}?"
    return NAMED_IN_A_FILE
