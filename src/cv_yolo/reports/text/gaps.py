"""What a model never detects, in sentences: the first line of every summary."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, Final

from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.gaps import Gap, GapKind, gaps
from cv_yolo.domain.evaluation.image_sets import CrowdedImage
from cv_yolo.reports.text.formatting import count_text, list_text

MOST_IN_A_TITLE: Final = 3
MOST_IN_A_SENTENCE: Final = 12
KINDS: Final = {
    GapKind.NEVER_FOUND: "never detected",
    GapKind.NOT_FOUND_IN_USE: "not detected at the confidence threshold",
    GapKind.NOT_MEASURED: "not measured",
}
NOUNS: Final = {"class": ("class", "classes"), "slice": ("slice", "slices")}


def gap_sentences(evaluation: Evaluation) -> tuple[str, ...]:
    """`2 of 5 classes are never detected: helmet (69 boxes), vest (12 boxes)`; empty where all are detected."""
    found = _sentences(evaluation, gaps(evaluation), most=MOST_IN_A_SENTENCE)
    return tuple(sentence[0].upper() + sentence[1:] for sentence in found)


def gap_title(evaluation: Evaluation | None) -> str:
    """What a title says of it: the missing classes, else slices and sizes; empty where all are detected."""
    if evaluation is None:
        return ""
    found = gaps(evaluation)
    classes = [gap for gap in found if gap.group == "class"]
    return "; ".join(_sentences(evaluation, classes or found, most=MOST_IN_A_TITLE))


def beside_title(evaluation: Evaluation | None) -> tuple[str, ...]:
    """The sentences that a title does not hold in full."""
    if evaluation is None:
        return ()
    title = gap_title(evaluation).split("; ")
    return tuple(sentence for sentence in gap_sentences(evaluation) if sentence not in title)


def missing_names(evaluation: Evaluation) -> str:
    """`helmet, vest and gloves`: the first of what is missing."""
    names = [f"{gap.name} boxes" if gap.group == "size" else gap.name for gap in gaps(evaluation)]
    return _cut(names, most=MOST_IN_A_TITLE)


def cap_sentences(crowded: Sequence[CrowdedImage], *, max_detections: int) -> tuple[str, ...]:
    """`AP is capped: at most 100 detections of a class count in an image, and a.jpg has 130 of person`."""
    if not crowded:
        return ()
    named = _cut([f"{each.image} has {each.objects} of {each.category}" for each in crowded], most=MOST_IN_A_SENTENCE)
    return (f"AP is capped: at most {max_detections} detections of a class count in an image, and {named}",)


def gaps_json(evaluation: Evaluation | None) -> dict[str, Any]:
    """`warnings` as sentences, and `gaps` as data."""
    if evaluation is None:
        return {"warnings": [], "gaps": []}
    return {"warnings": list(gap_sentences(evaluation)), "gaps": [asdict(gap) for gap in gaps(evaluation)]}


def _sentences(evaluation: Evaluation, found: Sequence[Gap], *, most: int) -> Iterator[str]:
    totals = {"class": len(evaluation.subject.classes), "slice": len(evaluation.slices)}
    for (group, kind), listed in groupby(found, key=lambda gap: (gap.group, gap.kind)):
        same = list(listed)
        if group == "size":
            yield f"{list_text([gap.name for gap in same])} boxes are {KINDS[kind]}"
            continue
        names = _cut([_named(gap, evaluation) for gap in same], most=most)
        one, many = NOUNS[group]
        counted = f"{len(same)} of {totals[group]} {one if totals[group] == 1 else many}"
        yield f"{counted} {'is' if len(same) == 1 else 'are'} {KINDS[kind]}: {names}"


def _named(gap: Gap, evaluation: Evaluation) -> str:
    if gap.kind is GapKind.NOT_MEASURED and not gap.count:
        split = evaluation.subject.split
        return f"{gap.name} (no boxes{'' if split is None else f' in {split}'})"
    count = gap.count or 0
    return f"{gap.name} ({count_text(count, 'image') if gap.group == 'slice' else count_text(count, 'box', 'boxes')})"


def _cut(names: Sequence[str], *, most: int) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
