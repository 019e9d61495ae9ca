"""How the boxes of one picture differ between two revisions, box by box: each one paired by where it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotations import Boxes, iou

SAME_PLACE: Final = 2e-6  # parts of the image's sides; label text has six decimals
SAME_OBJECT_IOU: Final = 0.5  # boxes that overlap less are two objects

Matrix = npt.NDArray[np.float64]


class BoxChangeKind(StrEnum):
    """What became of a box; one that got another class may have moved, too."""

    ADDED = "added"
    REMOVED = "removed"
    CLASS_CHANGED = "class_changed"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBox:
    """An annotated box in pixels, with the name of its class."""

    category: str
    xyxy: tuple[float, float, float, float]
    is_crowd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxChange:
    """One box that differs: `before` is absent where it was added, `after` where it was removed; `iou` of both."""

    kind: BoxChangeKind
    before: NamedBox | None
    after: NamedBox | None
    iou: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NamedBoxes:
    """All boxes of a picture of that width and height."""

    boxes: tuple[NamedBox, ...]
    size_px: tuple[int, int]

    @property
    def fractions(self) -> Boxes:
        """(N, 4) corners as fractions of the picture: a scaled copy of it has the same."""
        corners = np.array([box.xyxy for box in self.boxes], dtype=np.float64).reshape(-1, 4)
        return corners / np.array(self.size_px * 2, dtype=np.float64)


def box_changes(before: NamedBoxes, after: NamedBoxes) -> tuple[BoxChange, ...]:
    """The boxes that differ; those that are equal to `SAME_PLACE` in class and corners do not.

    Boxes are paired in this order: same place and class, same place, same class and an IoU of at least
    `SAME_OBJECT_IOU`, the same IoU alone. Each step takes, of the boxes that are left, the pairs of the largest sum of
    IoU. What finds no partner was added or removed.
    """
    compared = _Compared.of(before, after)
    rows, columns = list(range(len(before.boxes))), list(range(len(after.boxes)))
    changes = []
    for allowed in compared.steps():
        place = np.ix_(rows, columns)
        pairs = best_pairs(np.where(allowed[place], compared.overlaps[place], 0.0))
        pairs = [(rows[row], columns[column]) for row, column in pairs]
        changes += [change for row, column in pairs if (change := compared.change(row, column)) is not None]
        rows = sorted({*rows} - {row for row, _ in pairs})
        columns = sorted({*columns} - {column for _, column in pairs})
    removed = [BoxChange(kind=BoxChangeKind.REMOVED, before=before.boxes[row], after=None) for row in rows]
    added = [BoxChange(kind=BoxChangeKind.ADDED, before=None, after=after.boxes[column]) for column in columns]
    return (*changes, *removed, *added)


def best_pairs(weights: Matrix) -> list[tuple[int, int]]:
    """The pairs (row, column) of the largest sum of weights, each row and column once; those of weight 0 are left out.

    Rows and columns that only weights of 0 connect are solved apart: boxes overlap with few others.
    """
    return sorted(pair for rows, columns in _connected(weights) for pair in _solved(weights, rows, columns))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Compared:
    """All boxes of one revision, (N), against all of the other, (M)."""

    before: NamedBoxes
    after: NamedBoxes
    overlaps: Matrix
    same_place: npt.NDArray[np.bool_]
    same_class: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, before: NamedBoxes, after: NamedBoxes) -> "_Compared":
        one, other = before.fractions[:, None], after.fractions[None]
        same_class = [_same_class(first, second) for first in before.boxes for second in after.boxes]
        same_place = np.all(np.abs(one - other) <= SAME_PLACE, axis=2)
        return cls(
            before=before,
            after=after,
            overlaps=np.where(same_place, 1.0, iou(one, other)),
            same_place=np.asarray(same_place),
            same_class=np.array(same_class, dtype=np.bool_).reshape(same_place.shape),
        )

    def steps(self) -> Iterator[npt.NDArray[np.bool_]]:
        """Which pairs each step allows."""
        same_object = self.overlaps >= SAME_OBJECT_IOU
        yield self.same_place & self.same_class
        yield self.same_place
        yield same_object & self.same_class
        yield same_object

    def change(self, row: int, column: int) -> BoxChange | None:
        """How the boxes of a pair differ; None where they do not."""
        same_class = self.same_class[row, column]
        if same_class and self.same_place[row, column]:
            return None
        return BoxChange(
            kind=BoxChangeKind.MOVED if same_class else BoxChangeKind.CLASS_CHANGED,
            before=self.before.boxes[row],
            after=self.after.boxes[column],
            iou=float(self.overlaps[row, column]),
        )


def _same_class(one: NamedBox, other: NamedBox) -> bool:
    return (one.category, one.is_crowd) == (other.category, other.is_crowd)


def _connected(weights: Matrix) -> Iterator[tuple[list[int], list[int]]]:
    """Rows and columns that weights above 0 connect."""
    unseen = set(np.flatnonzero((weights > 0).any(axis=1)).tolist())
    while unseen:
        rows, columns = _reached(weights, min(unseen))
        unseen -= set(rows)
        yield rows, columns


def _reached(weights: Matrix, start: int) -> tuple[list[int], list[int]]:
    rows = np.zeros(weights.shape[0], dtype=np.bool_)
    rows[start] = True
    while True:
        columns = np.any(weights[rows] > 0, axis=0)
        more = np.any(weights[:, columns] > 0, axis=1)
        if (more == rows).all():
            return np.flatnonzero(rows).tolist(), np.flatnonzero(columns).tolist()
        rows = more


def _solved(weights: Matrix, rows: list[int], columns: list[int]) -> Iterator[tuple[int, int]]:
    part = weights[np.ix_(rows, columns)]
    is_wide = len(rows) <= len(columns)
    for row, column in enumerate(_assigned(-part if is_wide else -part.T)):
        one, other = (row, column) if is_wide else (column, row)
        if part[one, other] > 0:
            yield rows[one], columns[other]


def _assigned(costs: Matrix) -> list[int]:
    """The column of each row, (N,), so that the sum of costs is smallest; (N, M) with N <= M.

    The Hungarian algorithm by shortest augmenting paths: Jonker and Volgenant, "A Shortest Augmenting Path Algorithm
    for Dense and Sparse Linear Assignment Problems", Computing 1987.
    """
    count, width = costs.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    owner = np.full(width, -1, dtype=np.int64)
    for start in range(count):
        distance, reached_from = np.full(width, np.inf), np.full(width, -1, dtype=np.int64)
        done, row, column = np.zeros(width, dtype=np.bool_), start, -1
        while row >= 0:
            step = costs[row] - row_price[row] - column_price
            nearer = ~done & (step < distance)
            distance[nearer], reached_from[nearer] = step[nearer], column
            column = int(np.argmin(np.where(done, np.inf, distance)))
            length = distance[column]
            row_price[[start, *owner[done]]] += length
            column_price[done] -= length
            distance[~done] -= length
            done[column] = True
            row = int(owner[column])
        while column >= 0:
            before = int(reached_from[column])
            owner[column] = owner[before] if before >= 0 else start
            column = before
    columns = [0] * count
    for column in np.flatnonzero(owner >= 0).tolist():
        columns[int(owner[column])] = column
    return columns
