"""Pictures that look the same though their bytes differ: saved once more, scaled, mirrored, framed or cropped a little.

A picture is looked at as 32 x 32 grey cells. Of these a hash of 128 bits is made: whether each of 8 x 8 cells is darker
than its neighbour to the right, and than the one below (after N. Krawetz, "Kind of Like That", 2013). The hash of the
whole picture is compared with those of others, of their mirror images, and of windows of them: that finds crops. What
differs in few bits is compared cell by cell. `docs/explanation/near-duplicates.md` has the thresholds as measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

SIDE: Final = 32
HASH_SIDE: Final = 8
COMPARED_SIDE: Final = 24
MOST_DIFFERENT_BITS: Final = 16  # of 128; unrelated photographs differ in 25 and more
LEAST_CORRELATION: Final = 0.9  # of the cells; of unrelated photographs at most 0.92, and those differ in many bits
LEAST_CONTRAST: Final = 8  # grey levels; a picture of one colour is like any other
BORDER_NOISE: Final = 12  # grey levels by which JPEG changes a border of one colour
LEAST_LEFT: Final = 0.25  # of each side within the borders; what is darker all over has none
WINDOW_SCALES: Final = (0.95, 0.9)  # a crop takes away a tenth of each side at most
LIKENESS_VERSION: Final = 1

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Bits = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Likeness:
    """How a picture looks: (V, 32, 32) grey cells of the whole picture and, where it has borders, of what is inside.

    Without views there is nothing to see in it. `brightness` is the mean grey level.
    """

    views: Grey
    brightness: float


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SimilarPair:
    """Two pictures, by their places, that look the same; `bits` is by how many bits their hashes differ."""

    first: int
    second: int
    bits: int
    mirrored: bool = False


def likeness_of(grey: Grey) -> Likeness:
    """The likeness of a picture from its grey levels, (H, W); a few hundred pixels a side are enough."""
    whole = _scaled(grey)
    brightness = round(float(whole.mean()), 3)
    if int(whole.max()) - int(whole.min()) < LEAST_CONTRAST:
        return Likeness(views=whole[:0].reshape(0, SIDE, SIDE), brightness=brightness)
    inside = _inside_borders(grey)
    views = [whole] if inside is None else [whole, _scaled(inside)]
    return Likeness(views=np.stack(views), brightness=brightness)


def window_hashes(views: Grey) -> npt.NDArray[np.uint64]:
    """The hashes, (V, W + 1, 2), of the windows of each view, the whole first, and of its mirror image last."""
    hashes = _hashes(views.astype(np.float32), windows())
    mirrored = _hashes(views[:, :, ::-1].astype(np.float32), windows()[:1])
    bits = np.concatenate([hashes, mirrored], axis=1)
    return np.packbits(bits, axis=2).view(np.uint64)


@lru_cache(maxsize=1)
def windows() -> tuple[tuple[float, float, float], ...]:
    """Left and upper edge and size of each window as parts of the picture: the whole one, then nine of each scale."""
    places = (0.0, 0.5, 1.0)
    parts = [(x * (1 - scale), y * (1 - scale), scale) for scale in WINDOW_SCALES for y in places for x in places]
    return ((0.0, 0.0, 1.0), *parts)


def correlation(first: Floats, second: Floats) -> Floats:
    """The correlation (Pearson's) of the cells of (N, …) pictures with those of as many others, (N,)."""
    one, other = (each.reshape(len(each), -1) - each.reshape(len(each), -1).mean(1, keepdims=True)
                  for each in (first, second))  # fmt: skip
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(1) / np.maximum(norms, np.float32(1e-6)), dtype=np.float32)


def compared_cells(views: Grey, window: int, *, mirrored: bool = False) -> Floats:
    """The cells of a window of each view, (V, 24, 24), or of the mirror images."""
    seen = views[:, :, ::-1] if mirrored else views
    return _cells(seen.astype(np.float32), windows()[window : window + 1], COMPARED_SIDE, COMPARED_SIDE)[:, 0]


def _hashes(views: Floats, parts: Sequence[tuple[float, float, float]]) -> Bits:
    """(V, W, 128): darker than the neighbour to the right, then than the one below."""
    wide = _cells(views, parts, HASH_SIDE, HASH_SIDE + 1)
    high = _cells(views, parts, HASH_SIDE + 1, HASH_SIDE)
    shape = (len(views), len(parts), HASH_SIDE * HASH_SIDE)
    right = (wide[..., 1:] > wide[..., :-1]).reshape(shape)
    below = (high[..., 1:, :] > high[..., :-1, :]).reshape(shape)
    return np.concatenate([right, below], axis=2)


def _cells(views: Floats, parts: Sequence[tuple[float, float, float]], rows: int, columns: int) -> Floats:
    """The mean grey levels, (V, W, rows, columns), of cells of windows."""
    vertical = np.stack([_weights(SIDE, top, size, rows) for _, top, size in parts])
    horizontal = np.stack([_weights(SIDE, left, size, columns) for left, _, size in parts])
    cells = np.matmul(np.matmul(vertical, views[:, None]), horizontal.transpose(0, 2, 1))
    return np.asarray(cells, dtype=np.float32)


def _scaled(grey: Grey) -> Grey:
    """(32, 32) means of the cells of a picture; without BLAS, whose threads would be in the way of the readers'."""
    means = _means(_means(grey.astype(np.float32)).T).T
    return np.asarray(np.rint(means), dtype=np.uint8)


def _means(lines: Floats) -> Floats:
    """The means of 32 groups of lines; lines at an edge count in both groups, as far as they belong to each."""
    count = len(lines)
    sums = np.concatenate([np.zeros((1, lines.shape[1]), dtype=np.float32), np.cumsum(lines, axis=0)])
    whole, part = _edges(count)
    at_edges = sums[whole] + part * lines[whole]
    return np.asarray(np.diff(at_edges, axis=0) * np.float32(SIDE / count), dtype=np.float32)


@lru_cache(maxsize=4096)
def _edges(count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """The lines at the edges of 32 groups, and how much of them lies before the edge."""
    edges = np.linspace(0, count, SIDE + 1)
    whole = np.minimum(edges.astype(np.int64), count - 1)
    return whole, (edges - whole).astype(np.float32)[:, None]


@lru_cache(maxsize=4096)
def _weights(pixels: int, start: float, size: float, cells: int) -> Floats:
    """(cells, pixels): how much of each cell each pixel covers; cells part the range from `start`, of that size."""
    edges = np.linspace(start * pixels, (start + size) * pixels, cells + 1)
    places = np.arange(pixels)
    covered = np.clip(edges[1:, None], places, places + 1) - np.clip(edges[:-1, None], places, places + 1)
    return np.asarray(covered / covered.sum(axis=1, keepdims=True), dtype=np.float32)


def _inside_borders(grey: Grey) -> Grey | None:
    """The picture without borders of one colour; None where it has none, or hardly anything is left."""
    levels = grey.astype(np.int16)
    top, bottom = _border(levels), _border(levels[::-1])
    levels = levels[top : len(levels) - bottom] if top + bottom < len(levels) else levels[:0]
    left, right = (0, 0) if not len(levels) else (_border(levels.T), _border(levels.T[::-1]))
    rows, columns = len(levels), grey.shape[1] - left - right
    if not top + bottom + left + right or rows < LEAST_LEFT * len(grey) or columns < LEAST_LEFT * grey.shape[1]:
        return None
    return grey[top : len(grey) - bottom, left : grey.shape[1] - right]


def _border(lines: npt.NDArray[np.int16]) -> int:
    """How many of the first lines have one colour, the same for all of them; one more, which is blurred, with them."""
    first = lines[0]
    if int(first.max()) - int(first.min()) > 2 * BORDER_NOISE:
        return 0
    colour = int(np.median(first))
    plain = (lines.max(axis=1) <= colour + BORDER_NOISE) & (lines.min(axis=1) >= colour - BORDER_NOISE)
    count = len(lines) if plain.all() else int(np.argmin(plain))
    return min(count + 1, len(lines)) if count else 0
