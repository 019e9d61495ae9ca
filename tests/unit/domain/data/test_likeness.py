"""Pictures that look the same are found though their bytes differ."""

import numpy as np
import pytest

from cv_yolo.domain.data.findings import difference_hash, similar_pairs


def a_picture(seed):
    return np.random.default_rng(seed).integers(0, 256, size=(16, 17), dtype=np.uint8)


def a_hash(picture):
    found = difference_hash(picture)
    assert found is not None
    return found


def test_a_brighter_and_noisier_copy_is_like_its_original():
    noise = np.random.default_rng(9).integers(-3, 4, size=(16, 17))
    copy = np.clip(a_picture(1).astype(int) // 2 + 60 + noise, 0, 255).astype(np.uint8)
    assert list(similar_pairs([a_hash(a_picture(1))], [a_hash(copy)])) == [(0, 0)]


def test_unrelated_pictures_are_not_alike():
    hashes = [a_hash(a_picture(seed)) for seed in range(40)]
    assert list(similar_pairs(hashes[:20], hashes[20:])) == []


def test_all_pairs_are_found_in_blocks(monkeypatch):
    monkeypatch.setattr("cv_yolo.domain.data.findings.BLOCK", 3)
    hashes = [a_hash(a_picture(seed)) for seed in range(8)]
    assert sorted(similar_pairs(hashes, hashes[::-1])) == [(place, 7 - place) for place in range(8)]


@pytest.mark.parametrize(("first", "second"), [([], []), ([], [1]), ([1], [])])
def test_without_images_there_are_no_pairs(first, second):
    sides = [[a_hash(a_picture(seed)) for seed in side] for side in (first, second)]
    assert list(similar_pairs(*sides)) == []


def test_a_picture_that_shows_nothing_is_like_no_other():
    assert difference_hash(np.full((16, 17), 130, dtype=np.uint8)) is None
