"""Which pictures of a data set look the same, found without comparing each with each.

Locality-sensitive hashing (Indyk and Motwani, STOC 1998): each of 32 tables files the 128-bit hashes under 20 of their
bits, drawn at random once (fewer where there are fewer pictures). Only hashes that agree in all of these bits in some
table are compared. A pair that differs in 8 bits is found with a probability of over 99.9 %, one that differs in 16,
the most that counts, with 90 %.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.likeness import (
    LEAST_CORRELATION,
    MOST_DIFFERENT_BITS,
    SIDE,
    Grey,
    Likeness,
    SimilarPair,
    compared_cells,
    correlation,
    window_hashes,
)

TABLES: Final = 32
KEY_BITS: Final = (12, 20)  # at least, at most
HASH_BITS: Final = 128
MOST_IN_BUCKET: Final = 64  # of frames of one film there are thousands of a kind: each finds some of them
BLOCK: Final = 20_000

Places = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Views:
    """The views of all pictures of a data set: (V,) whose they are, (V, 32, 32) cells and (V, W + 1, 2) hashes.

    A picture with borders has two, the second without them.
    """

    owners: Places
    cells: Grey
    hashes: Hashes


def views_of(pictures: Sequence[Likeness | None]) -> Views:
    """The views of these pictures, with their hashes; None is a picture that cannot be compared."""
    cells = [np.empty((0, SIDE, SIDE), dtype=np.uint8) if each is None else each.views for each in pictures]
    together = np.concatenate([np.empty((0, SIDE, SIDE), dtype=np.uint8), *cells])
    owners = np.repeat(np.arange(len(cells)), [len(each) for each in cells])
    return Views(owners=owners, cells=together, hashes=window_hashes(together))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidates:
    """Views that may look the same: (N,) the view a window is of, the window, and the view it is like."""

    queries: Places
    windows: Places
    found: Places
    mirrored: npt.NDArray[np.bool_]
    bits: Places

    def __getitem__(self, places: Places | npt.NDArray[np.bool_]) -> "_Candidates":
        return _Candidates(**{name: getattr(self, name)[places] for name in self.__slots__})


def similar_pairs(views: Views, *, new: npt.NDArray[np.bool_] | None = None) -> tuple[SimilarPair, ...]:
    """All pairs of pictures that look the same; where `new` marks pictures, by their places, those with one of them."""
    if len(views.owners) < 2:  # noqa: PLR2004 - a pair
        return ()
    is_new = np.ones(len(views.owners), dtype=np.bool_) if new is None else new[views.owners]
    everything, only_new = np.arange(len(is_new)), np.flatnonzero(is_new)
    searches = [(only_new, everything)]
    if len(only_new) < len(is_new):
        searches.append((everything, only_new))
    found = [each for queries, index in searches for each in _search(views, queries, index)]
    return tuple(_verified(views, _best_of_each_pair(views, found))) if found else ()


def _search(views: Views, queries: Places, index: Places) -> Iterator[_Candidates]:
    """The windows of some views that differ in few bits from others as a whole, or from their mirror images."""
    if not len(queries) or not len(index):
        return
    filed = np.concatenate([views.hashes[index, 0], views.hashes[index, -1]])
    tables = _Tables(filed)
    window_count = views.hashes.shape[1] - 1
    step = max(1, BLOCK // window_count)
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        asked = views.hashes[some, :window_count].reshape(-1, 2)
        who, what, bits = tables.near(asked)
        query, found = some[who // window_count], index[what % len(index)]
        yield _Candidates(
            queries=query, windows=who % window_count, found=found, mirrored=what >= len(index), bits=bits
        )[_is_pair(views, query, found)]


def _is_pair(views: Views, queries: Places, found: Places) -> npt.NDArray[np.bool_]:
    """Whether two views are of two pictures, and not both with their borders: these would make strangers alike."""
    first_of = np.searchsorted(views.owners, views.owners)
    has_borders = np.append(views.owners[1:] == views.owners[:-1], [False]) | (first_of < np.arange(len(first_of)))
    is_whole = first_of == np.arange(len(first_of))
    framed = has_borders[queries] & is_whole[queries] & has_borders[found] & is_whole[found]
    return np.asarray((views.owners[queries] != views.owners[found]) & ~framed)


class _Tables:
    """Hashes, (N, 2), filed under keys."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self._key_bits = min(max(len(hashes).bit_length() + 3, KEY_BITS[0]), KEY_BITS[1])
        keys = _keys(hashes, self._key_bits)
        self._order = np.argsort(keys, axis=1, kind="stable").astype(np.int32)
        self._starts = [_starts(each, self._key_bits) for each in keys]
        self._filled = [np.diff(each) > 0 for each in self._starts]

    def near(self, asked: Hashes) -> tuple[Places, Places, Places]:
        """The places of all pairs of an asked hash and a filed one that differ in few bits, and in how many."""
        keys, found, differences = _keys(asked, self._key_bits), [], []
        for table, starts in enumerate(self._starts):
            hits = np.flatnonzero(self._filled[table][keys[table]])
            first = starts[keys[table, hits]]
            count = np.minimum(starts[keys[table, hits] + 1] - first, MOST_IN_BUCKET)
            who = np.repeat(hits, count)
            offsets = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
            what = self._order[table, np.repeat(first, count) + offsets]
            different = np.bitwise_count(asked[who] ^ self._hashes[what]).sum(axis=1, dtype=np.int64)
            near = different <= MOST_DIFFERENT_BITS
            found.append(who[near] * len(self._hashes) + what[near])
            differences.append(different[near])
        codes, first_places = np.unique(np.concatenate(found), return_index=True)
        who, what = np.divmod(codes, len(self._hashes))
        return who, what, np.concatenate(differences)[first_places]


def _keys(hashes: Hashes, key_bits: int) -> npt.NDArray[np.int32]:
    """The keys, (TABLES, N), of hashes: numbers below 2**24, which `float32` holds exactly."""
    rng = np.random.default_rng(0)
    weights = np.zeros((HASH_BITS, TABLES), dtype=np.float32)
    for table in range(TABLES):
        weights[rng.permutation(HASH_BITS)[:key_bits], table] = 2.0 ** np.arange(key_bits)
    parts = [
        (np.unpackbits(hashes[start : start + BLOCK].view(np.uint8), axis=1).astype(np.float32) @ weights).astype(
            np.int32
        )
        for start in range(0, len(hashes), BLOCK)
    ]
    return np.concatenate([each.T for each in parts], axis=1)


def _starts(keys: npt.NDArray[np.int32], key_bits: int) -> npt.NDArray[np.int32]:
    """Where the bucket of each key begins."""
    counts = np.bincount(keys, minlength=2**key_bits)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)


def _best_of_each_pair(views: Views, found: Sequence[_Candidates]) -> _Candidates:
    """Of the candidates for each pair of pictures the one that differs in the fewest bits."""
    joined = _Candidates(
        **{name: np.concatenate([getattr(each, name) for each in found]) for name in _Candidates.__slots__}
    )
    owners = np.stack([views.owners[joined.queries], views.owners[joined.found]])
    low, high = owners.min(axis=0), owners.max(axis=0)
    order = np.lexsort((joined.bits, high, low))
    same = (np.diff(low[order]) == 0) & (np.diff(high[order]) == 0)
    return joined[order[np.concatenate([[True], ~same])] if len(order) else order]


def _verified(views: Views, candidates: _Candidates) -> Iterable[SimilarPair]:
    """The candidates whose cells agree."""
    for window in np.unique(candidates.windows):
        some = candidates[candidates.windows == window]
        for mirrored in (False, True):
            these = some[some.mirrored == mirrored]
            for start in range(0, len(these.bits), BLOCK):
                block = these[np.arange(start, min(start + BLOCK, len(these.bits)))]
                asked = compared_cells(views.cells[block.queries], int(window))
                found = compared_cells(views.cells[block.found], 0, mirrored=mirrored)
                for place in np.flatnonzero(correlation(asked, found) >= LEAST_CORRELATION):
                    pair = sorted((int(views.owners[block.queries[place]]), int(views.owners[block.found[place]])))
                    yield SimilarPair(first=pair[0], second=pair[1], bits=int(block.bits[place]), mirrored=mirrored)
