"""Names of classes: when two lists are the same, and how a detector's class ids become those of a data set.

Classes are the same where their names are identical, in any order. A detector that knows more classes
than a data set names can be scored on it when a person asks for that; for a promotion both must have the same.
"""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cv_yolo.errors import EvaluationFailedError, InputError

if TYPE_CHECKING:  # names are read without them: NumPy takes longer to import than the rest together
    from cv_yolo.domain.data.annotations import Detections

CLASSES_TAG: Final = "classes"
DIGEST_TAG: Final = "classes_sha256"
CLASSES_NAME: Final = "classes.json"  # the file that holds them where a tag cannot
LONGEST_TAG: Final = 5000  # what every tracking store takes
MOST_NAMED: Final = 3
NOWHERE: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMapping:
    """Where the class ids of a detector go among those of a data set; `ids` has an entry for each of its `names`.

    An entry is `NOWHERE` for a class that the data set does not name: detections of it are left out.
    """

    detector: str
    names: tuple[str, ...]
    ids: tuple[int, ...]

    @property
    def ignored(self) -> tuple[str, ...]:
        """The detector's classes that the data set does not name."""
        return tuple(name for name, new in zip(self.names, self.ids, strict=True) if new == NOWHERE)

    def apply(self, found: "Detections") -> "Detections":
        """The detections with the data set's class ids, without those of ignored classes.

        Raises `EvaluationFailedError` for a class id that the detector does not name.
        """
        import numpy as np

        unknown = found.class_ids[(found.class_ids < 0) | (found.class_ids >= len(self.ids))]
        if len(unknown):
            raise EvaluationFailedError(
                f"{found.image}: {self.detector}: a detection of class {unknown[0]}, but it names the classes 0 to "
                f"{len(self.ids) - 1} only"
            )
        class_ids = np.array(self.ids, dtype=np.int64)[found.class_ids]
        kept = class_ids != NOWHERE
        return replace(
            found,
            boxes_xyxy=found.boxes_xyxy[kept],
            class_ids=class_ids[kept],
            confidences=found.confidences[kept],
        )


def map_classes(names: Sequence[str], onto: Sequence[str], *, detector: str, exact: bool) -> ClassMapping:
    """Map a detector's classes onto a data set's by name; `detector` is what a person calls it.

    Every class of the data set must be known to the detector; where `exact`, it may know no other. Raises `InputError`.
    """
    require_distinct(names, of=detector)
    missing, more = _without(onto, names), _without(names, onto)
    if missing or (more and exact):
        raise InputError(
            f"{detector} detects {listed(names)}, the data set names {listed(onto)}{_difference(missing, more)}",
            hint=_what_to_do(missing, more),
        )
    place = {name: index for index, name in enumerate(onto)}
    return ClassMapping(detector=detector, names=tuple(names), ids=tuple(place.get(name, NOWHERE) for name in names))


def require_distinct(names: Sequence[str], *, of: str) -> None:
    """Raise `InputError` where names are repeated, blank or absent: a class could not be found by its name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    wrong = None
    if not names:
        wrong = "no class names"
    elif twice:
        wrong = f"{names.count(twice[0])} classes are named {twice[0]!r}"
    elif not all(name.strip() for name in names):
        wrong = "a class without a name"
    if wrong is not None:
        raise InputError(f"{of}: {wrong}; classes are compared by name", hint="give every class a name of its own")


def same_classes(first: Iterable[str], second: Iterable[str]) -> bool:
    """Whether both name the same classes, in any order."""
    return sorted(first) == sorted(second)


def listed(names: Sequence[str]) -> str:
    """The classes in a few words: `person`, or `person, bicycle, car, … (80 classes)`."""
    if len(names) <= MOST_NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])}, … ({len(names)} classes)"


def as_tags(names: Sequence[str]) -> dict[str, str]:
    """The classes as tags of a tracked record: themselves, or their digest where they are too long for a tag."""
    text = as_json(names)
    return {CLASSES_TAG: text} if len(text) <= LONGEST_TAG else {DIGEST_TAG: digest(names)}


def from_tags(tags: Mapping[str, str]) -> tuple[str, ...] | None:
    """The classes that tags record; None where they record none, or their digest only."""
    return from_json(tags.get(CLASSES_TAG, ""))


def from_file(content: bytes, tags: Mapping[str, str]) -> tuple[str, ...] | None:
    """The classes that a file lists, if they are those whose digest is among the tags."""
    names = from_json(content)
    return names if names is not None and tags.get(DIGEST_TAG) == digest(names) else None


def as_json(names: Sequence[str]) -> str:
    """The classes as JSON, with which their digest is made."""
    return json.dumps(list(names), ensure_ascii=False)


def from_json(text: str | bytes) -> tuple[str, ...] | None:
    """The classes that JSON lists; None where it is no list of names."""
    try:
        names = json.loads(text)
    except ValueError:
        return None
    known = isinstance(names, list) and bool(names) and all(isinstance(name, str) for name in names)
    return tuple(names) if known else None


def digest(names: Sequence[str]) -> str:
    """SHA-256 of the classes in their order."""
    return hashlib.sha256(as_json(names).encode()).hexdigest()


def _without(names: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    known = set(others)
    return tuple(name for name in names if name not in known)


def _difference(missing: Sequence[str], more: Sequence[str]) -> str:
    parts = (("not known to the detector", missing), ("not named by the data set", more))
    return "".join(f"; {what}: {listed(names)}" for what, names in parts if names)


def _what_to_do(missing: Sequence[str], more: Sequence[str]) -> str:
    by_sound = {_sound(name): name for name in more if _sound(name)}
    alike = [(by_sound[_sound(name)], name) for name in missing if _sound(name) in by_sound]
    if alike:
        theirs, ours = alike[0]
        return f"names must be identical: did you mean {theirs!r} by {ours!r}? Use that name in data.yaml"
    if missing:
        return "use weights that were trained for these classes, or data of the classes that they were trained for"
    return "a promotion needs the same classes; `cv-yolo evaluate` scores a detector on some of its classes"


def _sound(name: str) -> str:
    """The name without what is easily mistaken: case, spaces, hyphens, underscores, how accents are encoded."""
    return "".join(event for event in unicodedata.normalize("NFKC", name).casefold() if event.isalnum())
