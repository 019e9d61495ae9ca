"""Which findings can be fixed without changing what training and evaluation read."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from cv_yolo.domain.data.findings import DatasetFinding, FindingKind
from cv_yolo.domain.data.manifest import ImageRecord, Split

REWRITTEN = (FindingKind.REPEATED_BOXES, FindingKind.CLIPPED_BOXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """A change of one file; `what` says it in a few words. `image` is a picture that is removed with its label."""

    path: str
    what: str
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixPlan:
    """Label files that are rewritten, label files that are removed, and images that are removed with their labels."""

    rewritten: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    repeated: tuple[ImageRecord, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rewritten or self.orphans or self.repeated)


def plan_fixes(images: Sequence[ImageRecord], findings: Sequence[DatasetFinding]) -> FixPlan:
    """The safe fixes.

    - Lines that repeat a box are removed, and boxes over the edge replaced by what is read of them.
    - Label files without an image are removed.
    - Of images of one split with the same content, the same labels and the same attributes all but the first are
      removed.
    """
    places = {kind: [place for each in findings if each.kind is kind for place in each.places] for kind in FindingKind}
    lines = [place for kind in REWRITTEN for place in places[kind]]
    return FixPlan(
        rewritten=tuple(sorted({place.rpartition(":")[0] for place in lines})),
        orphans=tuple(places[FindingKind.ORPHANED_LABELS]),
        repeated=tuple(_repeated(images)),
    )


def _repeated(images: Sequence[ImageRecord]) -> list[ImageRecord]:
    same: dict[tuple[Split, str, str, tuple[tuple[str, str], ...]], list[ImageRecord]] = defaultdict(list)
    for record in sorted(images, key=lambda record: record.image):
        attributes = tuple(sorted(record.attributes.items()))
        same[record.split, record.image_sha256, record.label_sha256, attributes].append(record)
    return [record for records in same.values() for record in records[1:]]
