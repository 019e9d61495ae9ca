"""The data gate: what is wrong or unusual about the images and labels of a data set as a whole."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind, finding_at
from cv_yolo.domain.data.manifest import ImageRecord, Split

LARGEST_CHANCE: Final = 0.01  # over all comparisons together (Bonferroni)
FEWEST_IMAGES: Final = 10  # of a split that can be said to differ from another one

LabelRows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageDetails:
    """What the images of a data set show, by path.

    `boxes` are (N, 6) rows of class, normalised centre and size, and line of the label file; `brightness` mean grey
    levels. `similar` are pairs that look the same. What is absent was not looked at.
    """

    boxes: Mapping[str, LabelRows] = field(default_factory=dict)
    brightness: Mapping[str, float] = field(default_factory=dict)
    similar: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassCount:
    """One class in one split: its images and boxes."""

    name: str
    split: Split
    images: int
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GatedImages:
    """The images of a data set that can be read, for the gate to look at."""

    classes: tuple[str, ...]
    images: Sequence[ImageRecord]
    details: ImageDetails

    def split(self, split: Split) -> list[ImageRecord]:
        """The images of one split."""
        return [record for record in self.images if record.split is split]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Boxes:
    """All boxes of some images together: (N, 6) rows, and (N,) the place of the image of each."""

    records: Sequence[ImageRecord]
    owners: npt.NDArray[np.int64]
    rows: LabelRows

    @classmethod
    def of(cls, given: GatedImages) -> "_Boxes":
        """Those of all images whose labels were looked at."""
        boxes = given.details.boxes
        records = [record for record in given.images if record.image in boxes]
        rows = [boxes[record.image] for record in records]
        return cls(
            records=records,
            owners=np.repeat(np.arange(len(records)), [len(each) for each in rows]),
            rows=np.concatenate([np.empty((0, 6), dtype=np.float32), *rows]),
        )

    def sides_px(self, training_size_px: int) -> npt.NDArray[np.float64]:
        """(N, 2) width and height once the longer side of their image is scaled to the training size."""
        sizes = np.array([(each.width_px, each.height_px) for each in self.records], dtype=np.float64).reshape(-1, 2)
        scaled = sizes * (training_size_px / sizes.max(axis=1, initial=1, keepdims=True))
        return np.asarray(self.rows[:, 3:5] * scaled[self.owners], dtype=np.float64)


def gate_findings(given: GatedImages, policy: DataPolicy) -> tuple[DatasetFinding, ...]:
    """All findings about the images as a whole, before the policy's severities and exceptions."""
    found = (
        *_identical(given.images),
        *_similar(given),
        *_groups(given.images, policy),
        *_missing_classes(given, policy),
        *_tiny_boxes(given, policy),
        *_unbalanced(given, policy),
        *_different_splits(given, policy),
    )
    order = list(FindingKind)
    return tuple(sorted(found, key=lambda finding: order.index(finding.kind)))


def changed_test_set(now: str, judged: str | None) -> tuple[DatasetFinding, ...]:
    """Whether the test set is another one than the last decision judged by; None where that is not known."""
    if judged is None or judged == now:
        return ()
    return (finding_at(FindingKind.TEST_CHANGED, [now], subject=judged),)


def class_counts(given: GatedImages) -> tuple[ClassCount, ...]:
    """Each class in each split, in the order of the classes."""
    boxes_of = _Boxes.of(given)
    columns = {split: column for column, split in enumerate(Split)}
    split_of = np.array([columns[record.split] for record in boxes_of.records], dtype=np.int64)
    classes, shape = len(given.classes), (len(Split), len(given.classes))
    keys = boxes_of.owners * classes + boxes_of.rows[:, 0].astype(np.int64)
    owners, seen = np.divmod(np.unique(keys), max(classes, 1))
    images = np.bincount(split_of[owners] * classes + seen, minlength=shape[0] * shape[1]).reshape(shape)
    of_boxes = split_of[boxes_of.owners] * classes + boxes_of.rows[:, 0].astype(np.int64)
    boxes = np.bincount(of_boxes, minlength=shape[0] * shape[1]).reshape(shape)
    return tuple(
        ClassCount(name=name, split=split, images=int(images[column, row]), boxes=int(boxes[column, row]))
        for row, name in enumerate(given.classes)
        for split, column in columns.items()
    )


def box_sides_px(record: ImageRecord, rows: LabelRows, training_size_px: int) -> npt.NDArray[np.float64]:
    """(N, 2) width and height of boxes once the longer side of their image is scaled to the training size."""
    scale = training_size_px / max(record.width_px, record.height_px)
    return np.asarray(rows[:, 3:5] * np.array([record.width_px * scale, record.height_px * scale]), dtype=np.float64)


def _identical(images: Sequence[ImageRecord]) -> Iterator[DatasetFinding]:
    """The same content within a split, and across splits."""
    by_content: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in images:
        by_content[record.image_sha256].append(record)
    across, repeated = [], []
    for same in by_content.values():
        first_of: dict[Split, str] = {}
        for record in same:
            if record.split in first_of:
                repeated.append(record.image)
            first_of.setdefault(record.split, record.image)
        across += [f"{one} and {other}" for one, other in combinations(first_of.values(), 2)]
    for kind, places in (
        (FindingKind.IDENTICAL_ACROSS_SPLITS, across),
        (FindingKind.REPEATED_IMAGES, repeated),
    ):
        if places:
            yield finding_at(kind, sorted(places))


def _similar(given: GatedImages) -> Iterator[DatasetFinding]:
    known = {record.image: record for record in given.images}
    across: list[str] = []
    within: list[str] = []
    for pair in given.details.similar:
        one, other = sorted((known[image] for image in pair), key=lambda record: list(Split).index(record.split))
        if one.image_sha256 == other.image_sha256:
            continue
        (within if one.split is other.split else across).append(f"{one.image} and {other.image}")
    for kind, places in ((FindingKind.SIMILAR_IMAGES, across), (FindingKind.SIMILAR_WITHIN_SPLIT, within)):
        if places:
            yield finding_at(kind, sorted(places))


def _groups(images: Sequence[ImageRecord], policy: DataPolicy) -> Iterator[DatasetFinding]:
    for column in policy.groups:
        splits: dict[str, set[Split]] = defaultdict(set)
        for record in images:
            if value := record.attributes.get(column):
                splits[value].add(record.split)
        if places := sorted(value for value, where in splits.items() if len(where) > 1):
            yield finding_at(FindingKind.GROUPS_ACROSS_SPLITS, places, subject=column)


def _missing_classes(given: GatedImages, policy: DataPolicy) -> Iterator[DatasetFinding]:
    if not given.details.boxes:
        return
    boxes = {(count.name, count.split): count.boxes for count in class_counts(given)}
    missing = [
        f"{name} in {split}"
        for split in Split
        for name in policy.required(split, given.classes)
        if not boxes.get((name, split))
    ]
    unlearned = [
        name
        for name in given.classes
        if not boxes[name, Split.TRAIN] and (boxes[name, Split.VAL] or boxes[name, Split.TEST])
    ]
    for kind, places in ((FindingKind.MISSING_CLASSES, missing), (FindingKind.UNLEARNED_CLASSES, unlearned)):
        if places:
            yield finding_at(kind, places)


def _tiny_boxes(given: GatedImages, policy: DataPolicy) -> Iterator[DatasetFinding]:
    boxes = _Boxes.of(given)
    tiny = np.flatnonzero(boxes.sides_px(policy.training_size_px).min(axis=1) < policy.smallest_box_px)
    places = [f"{boxes.records[boxes.owners[place]].label}:{boxes.rows[place, 5]:.0f}" for place in tiny]
    if places:
        subject = f"under {policy.smallest_box_px:g} px at the training size of {policy.training_size_px} px"
        yield finding_at(FindingKind.TINY_BOXES, places, subject=subject)


def _unbalanced(given: GatedImages, policy: DataPolicy) -> Iterator[DatasetFinding]:
    counts = [count for count in class_counts(given) if count.split is Split.TRAIN and count.boxes]
    most = max((count.boxes for count in counts), default=0)
    rare = [count for count in counts if count.boxes * policy.imbalance_ratio < most]
    if rare:
        subject = f"with less than 1/{policy.imbalance_ratio:g} of the boxes of the most frequent class ({most})"
        places = [f"{count.name}: {count.boxes}" for count in sorted(rare, key=lambda count: count.boxes)]
        yield finding_at(FindingKind.IMBALANCED_CLASSES, places, subject=subject)


def _different_splits(given: GatedImages, policy: DataPolicy) -> Iterator[DatasetFinding]:
    """Splits whose images, boxes or brightness are others than those of train, by one value for each image."""
    samples = {split: _samples(given, split, policy) for split in Split}
    compared = [
        (name, split, samples[Split.TRAIN][name], values)
        for split in (Split.VAL, Split.TEST)
        for name, values in samples[split].items()
        if min(len(values), len(samples[Split.TRAIN][name])) >= FEWEST_IMAGES
    ]
    places = []
    for name, split, of_train, values in compared:
        found = difference(of_train, values)
        if found.p_value * len(compared) < LARGEST_CHANCE and abs(found.delta) >= policy.smallest_effect:
            more = "larger" if found.delta > 0 else "smaller"
            places.append(
                f"{name}: {split} {more} than train (Cliff's delta {found.delta:+.2f}, p {found.p_value:.1g}; "
                f"medians {np.median(of_train):.3g} and {np.median(values):.3g})"
            )
    if places:
        yield finding_at(FindingKind.DIFFERENT_SPLITS, places)


def _samples(given: GatedImages, split: Split, policy: DataPolicy) -> dict[str, Sequence[float]]:
    records = given.split(split)
    brightness = given.details.brightness
    boxes = _Boxes.of(GatedImages(classes=given.classes, images=records, details=given.details))
    return {
        "image size (px)": [(record.width_px * record.height_px) ** 0.5 for record in records],
        "box size (px)": _middles(boxes.owners, boxes.sides_px(policy.training_size_px)),
        "brightness": [brightness[record.image] for record in records if record.image in brightness],
    }


def _middles(owners: npt.NDArray[np.int64], sides: npt.NDArray[np.float64]) -> list[float]:
    """The median size, the root of the area, of the boxes of each image that has some."""
    areas = sides[:, 0] * sides[:, 1]
    sizes = np.sqrt(areas[np.lexsort((areas, owners))])
    counts = np.unique(owners, return_counts=True)[1]
    first, half = np.cumsum(counts) - counts, counts // 2
    medians: list[float] = ((sizes[first + half] + sizes[first + counts - 1 - half]) / 2).tolist()
    return medians


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDifference:
    """The effect size, and how probable one as large is by chance (two-sided)."""

    delta: float
    p_value: float


def difference(first: Sequence[float], second: Sequence[float]) -> SampleDifference:
    """Compare two samples; empty or equal ones do not differ.

    The test is that of Mann and Whitney, "On a Test of Whether one of Two Random Variables is Stochastically Larger
    than the Other", 1947, by its normal approximation with the correction for ties. The effect size is Cliff's delta
    (1993): how much more often a value of the second sample is the larger one of a pair than the smaller one, -1 to 1.
    """
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if not len(one) or not len(other):
        return SampleDifference(delta=0.0, p_value=1.0)
    values, ties = np.unique(np.concatenate([one, other]), return_counts=True)
    ranks = np.cumsum(ties) - (ties - 1) / 2
    pairs = len(one) * len(other)
    larger = float(ranks[np.searchsorted(values, other)].sum()) - len(other) * (len(other) + 1) / 2
    spread = _spread(ties, pairs)
    if spread == 0:
        return SampleDifference(delta=0.0, p_value=1.0)
    standard = max(abs(larger - pairs / 2) - 0.5, 0.0) / spread  # a half for the continuity
    return SampleDifference(delta=2 * larger / pairs - 1, p_value=math.erfc(standard / math.sqrt(2)))


def _spread(ties: npt.NDArray[np.int64], pairs: int) -> float:
    """The standard deviation of the statistic where the samples do not differ."""
    count = int(ties.sum())
    tied = float((ties.astype(np.float64) ** 3 - ties).sum())
    return math.sqrt(pairs / 12 * max(count + 1 - tied / (count * (count - 1)), 0.0))
