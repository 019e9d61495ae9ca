"""Divide imported images into train, val and test: by the source's own splits, or by the hash of their groups."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cv_yolo.domain.data.annotated import AnnotatedDataset, ImageAnnotations
from cv_yolo.domain.data.findings import FindingKind, Findings
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.domain.data.similar_search import similar_pairs, views_of
from cv_yolo.domain.data.splitting import Fractions, best_seed, joined_groups, side_of
from cv_yolo.errors import DatasetError, InputError
from cv_yolo.ports.datasets import CheckedPicture, FormerImport

SIMILARITY: Final = "similarity"
USUAL: Final = Fractions(train=0.8, val=0.1, test=0.1)
SPLIT_AGAIN: Final = "--split 0.8/0.1/0.1 divides all images again, and keeps the same picture on one side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """How images are divided: without `fractions` the source's splits are kept where it has several.

    `group_by` is a column, a pattern of paths, or `similarity`. Without a seed a good one is chosen, or that of an
    earlier import with the same settings.
    """

    fractions: Fractions | None = None
    group_by: str | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """The data set with a split for each image, and how that came about."""

    dataset: AnnotatedDataset
    origin: Mapping[str, str]


def divide(
    dataset: AnnotatedDataset,
    pictures: Mapping[str, CheckedPicture],
    division: Division,
    former: FormerImport | None,
    findings: Findings,
) -> Divided:
    """Give each image its split; raises `DatasetError` where a group or a picture is in two of the source's splits."""
    groups = _groups(dataset.images, pictures, division.group_by, findings)
    if division.fractions is None and len({image.split for image in dataset.images if image.split}) > 1:
        _require_own_splits(dataset.images, groups)
        return Divided(dataset=dataset, origin={"split": "source"})
    fractions = division.fractions or USUAL
    settings = {"split": str(fractions)} | ({} if division.group_by is None else {"group_by": division.group_by})
    recalled = former is not None and all(former.origin.get(key) == value for key, value in settings.items())
    recalled = recalled and former is not None and former.origin.get("group_by") == division.group_by
    known = former if recalled else None
    seed = _seed(dataset, groups, fractions, division, known)
    kept = {} if known is None or known.origin.get("seed") != str(seed) else known.splits
    sides = _sides(dataset.images, pictures, groups, fractions, seed, kept, findings)
    images = tuple(replace(image, split=sides[group]) for image, group in zip(dataset.images, groups, strict=True))
    _require_all_splits(images, fractions, seed)
    return Divided(dataset=replace(dataset, images=images), origin=settings | {"seed": str(seed)})


def _groups(
    images: Sequence[ImageAnnotations],
    pictures: Mapping[str, CheckedPicture],
    group_by: str | None,
    findings: Findings,
) -> list[str]:
    """For each image the key of its group: the same bytes are always one group."""
    own = [pictures[image.path].sha256 for image in images]
    keys = own
    pairs: list[tuple[int, int]] = []
    if group_by == SIMILARITY:
        pairs = list(similar_images(images, pictures))
    elif group_by is not None:
        named = _named_groups(images, group_by)
        keys = [sha256 if name is None else f"group {name}" for sha256, name in zip(own, named, strict=True)]
        for image, name in zip(images, named, strict=True):
            if name is None:
                findings.add(FindingKind.UNGROUPED_IMAGES, image.path)
    first = {sha256: place for place, sha256 in reversed(list(enumerate(own)))}
    pairs += [(first[sha256], place) for place, sha256 in enumerate(own)]
    return joined_groups(keys, pairs)


def similar_images(
    images: Sequence[ImageAnnotations], pictures: Mapping[str, CheckedPicture]
) -> Iterator[tuple[int, int]]:
    """The places of each pair of images that look the same."""
    for pair in similar_pairs(views_of([pictures[image.path].likeness for image in images])):
        yield pair.first, pair.second


def _named_groups(images: Sequence[ImageAnnotations], group_by: str) -> list[str | None]:
    columns = sorted({column for image in images for column in image.attributes})
    if group_by in columns:
        return [image.attributes.get(group_by) or None for image in images]
    there = f"columns: {', '.join(columns)}" if columns else "the source has no columns"
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise InputError(
            f"--group-by {group_by!r}: neither a column nor a regular expression: {error}", hint=there
        ) from error
    matches = [pattern.search(image.path) for image in images]
    found = [None if match is None else " ".join(match.groups("") or (match[0],)) for match in matches]
    if not any(found):
        raise InputError(
            f"--group-by {group_by!r}: no column of that name, and no path that matches it as a regular expression",
            hint=f"a path is for example {images[0].path}; {there}",
        )
    return [name or None for name in found]


def _require_own_splits(images: Sequence[ImageAnnotations], groups: Sequence[str]) -> None:
    refusals = Refusals()
    without = [image.path for image in images if image.split is None]
    if without:
        refusals.refuse(
            DatasetError(
                f"{without[0]}{f' and {len(without) - 1} more images' if len(without) > 1 else ''}: in no split, or in "
                "several",
                hint=SPLIT_AGAIN,
            )
        )
    if not any(image.split is Split.VAL for image in images):
        refusals.refuse(DatasetError("the source has no split val, which chooses the best model", hint=SPLIT_AGAIN))
    if not any(image.split is Split.TRAIN for image in images):
        refusals.refuse(DatasetError("the source has no split train", hint=SPLIT_AGAIN))
    first: dict[str, ImageAnnotations] = {}
    for image, group in zip(images, groups, strict=True):
        other = first.setdefault(group, image)
        if image.split and other.split and image.split is not other.split:
            refusals.refuse(
                DatasetError(
                    f"{other.path} and {image.path}: the same picture or group in {other.split} and {image.split}",
                    hint=SPLIT_AGAIN,
                )
            )
    refusals.conclude()


def _seed(
    dataset: AnnotatedDataset,
    groups: Sequence[str],
    fractions: Fractions,
    division: Division,
    known: FormerImport | None,
) -> int:
    if division.seed is not None:
        return division.seed
    recorded = "" if known is None else known.origin.get("seed", "")
    if recorded.isdecimal():
        return int(recorded)
    contents: dict[str, Counter[str]] = defaultdict(Counter)
    for image, group in zip(dataset.images, groups, strict=True):
        contents[group].update(["images", *(f"class {each.category}" for each in image.objects)])
    return best_seed(contents, fractions)


def _sides(
    images: Sequence[ImageAnnotations],
    pictures: Mapping[str, CheckedPicture],
    groups: Sequence[str],
    fractions: Fractions,
    seed: int,
    kept: Mapping[str, Split],
    findings: Findings,
) -> dict[str, Split]:
    """The side of each group; a group of pictures that an earlier import has stays where most of them are."""
    before: dict[str, Counter[Split]] = defaultdict(Counter)
    for image, group in zip(images, groups, strict=True):
        side = kept.get(pictures[image.path].sha256)
        if side is not None:
            before[group][side] += 1
    sides = {
        group: max(Split, key=before[group].__getitem__) if group in before else side_of(group, fractions, seed)
        for group in dict.fromkeys(groups)
    }
    for image, group in zip(images, groups, strict=True):
        side = kept.get(pictures[image.path].sha256)
        if side is not None and side is not sides[group]:
            findings.add(FindingKind.MOVED_IMAGES, image.path)
    return sides


def _require_all_splits(images: Sequence[ImageAnnotations], fractions: Fractions, seed: int) -> None:
    empty = [str(split) for split in fractions.by_split if all(image.split is not split for image in images)]
    if empty:
        raise DatasetError(
            f"no image for {' and '.join(empty)}: {len(images)} images, divided {fractions} with the seed {seed}",
            hint="give that split a larger part, another --seed, or group less",
        )
