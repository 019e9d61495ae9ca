"""Pictures that look the same though their bytes differ: saved once more, scaled, or neighbouring frames of a film.

Each picture has a difference hash: whether each of 16 x 16 cells is darker than the one to its right (N. Krawetz, "Kind
of Like That", 2013). Two hashes of unrelated pictures differ in about half of the bits.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

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
