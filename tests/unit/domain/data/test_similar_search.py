"""Pictures that look the same are found among many, without comparing each with each."""

import numpy as np
import pytest

from cv_yolo.domain.data import similar_search
from cv_yolo.domain.data.likeness import SimilarPair, likeness_of, window_hashes
from cv_yolo.domain.data.similar_search import Views, similar_pairs


def a_scene(seed, size=128):
    rng = np.random.default_rng(seed)
    total = np.zeros((size, size))
    for cells in (2, 4, 8, 16):
        coarse = rng.normal(size=(cells, cells))
        total += np.kron(coarse, np.ones((size // cells, size // cells))) / cells**0.5
    total -= total.min()
    return (total * 255 / total.max()).astype(np.uint8)


def views_of(pictures):
    likenesses = [likeness_of(picture) for picture in pictures]
    cells = np.concatenate([each.views for each in likenesses])
    owners = np.repeat(np.arange(len(pictures)), [len(each.views) for each in likenesses])
    return Views(owners=owners, cells=cells, hashes=window_hashes(cells))


def pairs_of(pictures, new=None):
    return [(pair.first, pair.second) for pair in similar_pairs(views_of(pictures), new=new)]


OTHERS = [a_scene(seed) for seed in range(10, 40)]


def noisy(picture):
    noise = np.random.default_rng(9).integers(-6, 7, size=picture.shape)
    return np.clip(picture.astype(int) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "change",
    [
        noisy,
        lambda picture: picture[::2, ::2],
        lambda picture: picture[:, ::-1],
        lambda picture: picture[6:122, 6:122],
        lambda picture: picture[: round(0.92 * 128), : round(0.92 * 128)],
        lambda picture: np.pad(picture, ((30, 30), (0, 0)), constant_values=114),
        lambda picture: (picture // 2 + 40).astype(np.uint8),
    ],
    ids=["noise", "half the size", "mirrored", "cropped", "cropped at a corner", "letterboxed", "pale"],
)
def test_a_changed_copy_is_found_among_others(change):
    assert pairs_of([a_scene(1), *OTHERS, change(a_scene(1))]) == [(0, 31)]


def test_a_pair_says_by_how_many_bits_and_whether_one_is_the_mirror_image():
    (pair,) = similar_pairs(views_of([a_scene(1), a_scene(1)[:, ::-1]]))
    assert pair == SimilarPair(first=0, second=1, bits=pair.bits, mirrored=True)
    assert pair.bits <= 4


def test_unrelated_pictures_are_not_alike():
    assert pairs_of(OTHERS) == []


def test_unrelated_pictures_within_the_same_borders_are_not_alike():
    assert pairs_of([np.pad(each, ((60, 60), (0, 0)), constant_values=114) for each in OTHERS]) == []


def test_letterboxed_copies_are_alike():
    framed = np.pad(a_scene(1), ((60, 60), (0, 0)), constant_values=114)
    assert pairs_of([framed, *OTHERS, noisy(framed)]) == [(0, 31)]


def test_what_differs_in_few_bits_and_not_in_its_cells_only_is_no_pair(monkeypatch):
    monkeypatch.setattr(similar_search, "LEAST_CORRELATION", 1.01)
    assert pairs_of([a_scene(1), noisy(a_scene(1))]) == []


@pytest.mark.parametrize("pictures", [[], [a_scene(1)], [np.full((20, 20), 9, dtype=np.uint8)] * 3])
def test_without_two_pictures_that_show_something_there_is_no_pair(pictures):
    given = views_of(pictures) if pictures else Views(
        owners=np.empty(0, dtype=np.int64),
        cells=np.empty((0, 32, 32), dtype=np.uint8),
        hashes=np.empty((0, 20, 2), dtype=np.uint64),
    )  # fmt: skip
    assert similar_pairs(given) == ()


def test_only_pairs_with_a_new_picture_are_searched_for():
    pictures = [a_scene(1), noisy(a_scene(1)), *OTHERS, a_scene(2), noisy(a_scene(2))]
    new = np.zeros(len(pictures), dtype=bool)
    assert pairs_of(pictures, new) == []
    new[-1] = True
    assert pairs_of(pictures, new) == [(32, 33)]
    new[0] = True
    assert pairs_of(pictures, new) == [(0, 1), (32, 33)]


def test_crowded_buckets_still_find_partners(monkeypatch):
    monkeypatch.setattr(similar_search, "MOST_IN_BUCKET", 2)
    frames = [noisy(a_scene(1)) for _ in range(12)]
    found = pairs_of([*OTHERS, *frames])
    assert {place for pair in found for place in pair} == set(range(30, 42))


def test_the_search_in_blocks_finds_the_same(monkeypatch):
    pictures = [a_scene(1), *OTHERS, a_scene(1)[:, ::-1], noisy(a_scene(1))]
    whole = pairs_of(pictures)
    monkeypatch.setattr(similar_search, "BLOCK", 40)
    assert pairs_of(pictures) == whole == [(0, 32), (0, 31), (31, 32)] or sorted(pairs_of(pictures)) == sorted(whole)
