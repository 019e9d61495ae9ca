"""Which images go into train, val and test: by a hash of their group, so that added images move no other one.

What holds:

- **Stable.** A group's side follows from the seed, the group's key and the fractions alone: `sha256(seed, key)`, read
  as a number in [0, 1), is compared with the fractions. Images that are added or removed change no other side.
- **Grouped.** Images of one group are on one side, and so are images of the same bytes. Groups that an image joins
  (the same bytes in two groups, a picture similar to two others) become one, whose key is the smallest of theirs.
- **Stratified as far as the first two allow.** A hash gives each class its fractions on average only. Where no seed is
  given, the one of the first `MOST_SEEDS` is taken that comes closest to the fractions for all classes; it is recorded
  with the data, and used again when they are imported once more.
"""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import InputError

MOST_SEEDS: Final = 64
MOST_HASHES: Final = 300_000  # of seeds and groups that are tried: about a second
HASHED_BITS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fractions:
    """The parts of train, val and test: they sum to 1."""

    train: float
    val: float
    test: float

    def __post_init__(self) -> None:
        parts = (self.train, self.val, self.test)
        if not all(math.isfinite(part) and part >= 0 for part in parts) or not math.isclose(sum(parts), 1):
            raise InputError(f"{self}: not fractions that sum to 1", hint="for example 0.8/0.1/0.1")
        if not (self.train and self.val):
            raise InputError(f"{self}: train and val need a part each", hint="for example 0.8/0.1/0.1, or 0.8/0.2")

    @classmethod
    def parse(cls, text: str) -> "Fractions":
        """Read `0.8/0.1/0.1` (train, val, test), or `0.8/0.2`; raises `InputError`."""
        try:
            parts = [float(part) for part in text.split("/")]
        except ValueError:
            parts = []
        if len(parts) not in {2, 3}:
            raise InputError(f"{text!r}: expected two or three fractions", hint="for example 0.8/0.1/0.1, or 0.8/0.2")
        return cls(train=parts[0], val=parts[1], test=parts[2] if len(parts) == len(Split) else 0.0)

    def __str__(self) -> str:
        return f"{self.train:g}/{self.val:g}/{self.test:g}"

    @property
    def by_split(self) -> dict[Split, float]:
        """Those above zero."""
        parts = zip(Split, (self.train, self.val, self.test), strict=True)
        return {split: part for split, part in parts if part}


def side_of(group: str, fractions: Fractions, seed: int) -> Split:
    """The side of a group; it depends on nothing else."""
    digest = hashlib.sha256(f"{seed}\0{group}".encode("utf-8", "surrogatepass")).digest()
    place = int.from_bytes(digest[: HASHED_BITS // 8], "big") / 2**HASHED_BITS
    if place < fractions.train:
        return Split.TRAIN
    return Split.VAL if place < fractions.train + fractions.val or not fractions.test else Split.TEST


def joined_groups(keys: Sequence[str], pairs: Iterable[tuple[int, int]]) -> list[str]:
    """For each image the key of its group: images of one key, and the images of each pair, belong together."""
    places: dict[str, int] = {}
    parent = list(range(len(keys)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, key in enumerate(keys):
        parent[root(place)] = root(places.setdefault(key, place))
    for one, other in pairs:
        parent[root(one)] = root(other)
    smallest: dict[int, str] = {}
    for place, key in enumerate(keys):
        smallest[root(place)] = min(key, smallest.get(root(place), key))
    return [smallest[root(place)] for place in range(len(keys))]


def best_seed(contents: Mapping[str, Mapping[str, int]], fractions: Fractions) -> int:
    """The seed whose sides come closest to the fractions; `contents` is how often each group has each class.

    First counts in how many splits a class is missing that could be there, then how far its parts are from the
    fractions. Of equals the smallest seed is taken.
    """
    totals: Counter[str] = Counter()
    spread: Counter[str] = Counter()
    for content in contents.values():
        totals.update(content)
        spread.update(content.keys())
    seeds = range(max(1, min(MOST_SEEDS, MOST_HASHES // max(1, len(contents)))))
    return min(seeds, key=lambda seed: (*_distance(contents, fractions, seed, totals, spread), seed))


def _distance(
    contents: Mapping[str, Mapping[str, int]],
    fractions: Fractions,
    seed: int,
    totals: Mapping[str, int],
    spread: Mapping[str, int],
) -> tuple[int, float]:
    found: dict[Split, Counter[str]] = defaultdict(Counter)
    for group, content in contents.items():
        found[side_of(group, fractions, seed)].update(content)
    parts = fractions.by_split
    missing = sum(
        1 for split in parts for name, groups in spread.items() if groups >= len(parts) and not found[split][name]
    )
    off = sum(abs(found[split][name] / totals[name] - part) for split, part in parts.items() for name in totals)
    return missing, off
