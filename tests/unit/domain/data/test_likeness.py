"""How a picture looks: its cells, what is inside its borders, the hashes of its windows."""

import numpy as np
import pytest

from cv_yolo.domain.data.likeness import (
    SIDE,
    compared_cells,
    correlation,
    likeness_of,
    window_hashes,
    windows,
)


def a_picture(seed, size=(96, 128)):
    cells = np.random.default_rng(seed).integers(0, 256, size=(6, 8)).astype(np.uint8)
    return np.kron(cells, np.ones((size[0] // 6, size[1] // 8), dtype=np.uint8))


def bits_between(first, second):
    return int(np.bitwise_count(window_hashes(first)[0, 0] ^ window_hashes(second)[0, 0]).sum())


def test_a_picture_is_seen_as_the_means_of_its_cells():
    grey = np.repeat(np.arange(64, dtype=np.uint8), 2)[None].repeat(64, axis=0)
    view = likeness_of(grey).views[0]
    assert view.shape == (SIDE, SIDE)
    assert np.abs(view[0] - (2 * np.arange(SIDE) + 0.5)).max() <= 0.5


def test_cells_that_share_a_pixel_have_a_part_of_it_each():
    grey = np.zeros((48, 48), dtype=np.uint8)
    grey[:, 1] = 240  # two thirds of the first cell's half, one third of the second one's
    (view,) = likeness_of(grey).views
    assert view[0, :3].tolist() == [80, 80, 0]


def test_brightness_is_the_mean_grey_level():
    assert likeness_of(np.full((40, 40), 130, dtype=np.uint8)).brightness == 130
    assert likeness_of(a_picture(1)).brightness == pytest.approx(a_picture(1).mean(), abs=0.5)


def test_a_picture_of_one_colour_shows_nothing():
    assert likeness_of(np.full((40, 40), 130, dtype=np.uint8)).views.shape == (0, SIDE, SIDE)


def test_a_picture_within_borders_is_seen_with_and_without_them():
    inside = a_picture(2)
    framed = np.pad(inside, ((24, 24), (10, 10)), constant_values=114)
    whole, within = likeness_of(framed).views
    (plain,) = likeness_of(inside).views
    assert np.abs(whole.astype(int) - plain).mean() > 20
    assert float(correlation(within[None].astype(np.float32), plain[None].astype(np.float32))[0]) > 0.95


@pytest.mark.parametrize("borders", [((24, 0), (0, 0)), ((0, 0), (0, 30))])
def test_one_border_is_enough(borders):
    assert len(likeness_of(np.pad(a_picture(2), borders)).views) == 2


def test_what_is_hardly_more_than_borders_is_seen_as_a_whole_only():
    small = np.pad(a_picture(3, (12, 16)), ((100, 100), (4, 4)))
    assert len(likeness_of(small).views) == 1


def test_a_picture_that_is_one_colour_but_for_a_line_is_seen_as_a_whole_only():
    grey = np.zeros((64, 64), dtype=np.uint8)
    grey[30:32] = 255
    assert len(likeness_of(grey).views) == 1


def test_lines_of_different_colours_are_no_border():
    grey = np.repeat(np.arange(0, 240, 4, dtype=np.uint8), 60).reshape(60, 60).copy()
    grey[:, ::2] = 255 - grey[:, ::2]
    assert len(likeness_of(grey).views) == 1


def test_there_are_windows_of_two_scales_beside_the_whole():
    assert windows()[0] == (0, 0, 1)
    assert len(windows()) == 19
    assert all(0 <= x <= 1 - scale + 1e-9 and 0 <= y <= 1 - scale + 1e-9 for x, y, scale in windows())


def test_a_hash_follows_brightness_and_contrast_hardly_at_all():
    picture = a_picture(4)
    paler = (picture // 2 + 60).astype(np.uint8)
    assert bits_between(likeness_of(picture).views, likeness_of(paler).views) <= 4
    assert bits_between(likeness_of(picture).views, likeness_of(a_picture(5)).views) > 30


def test_the_last_hash_is_that_of_the_mirror_image():
    picture = a_picture(6)
    here, there = window_hashes(likeness_of(picture).views)[0], window_hashes(likeness_of(picture[:, ::-1]).views)[0]
    assert here.shape == (20, 2)
    assert int(np.bitwise_count(here[-1] ^ there[0]).sum()) <= 2


def test_cells_of_a_window_are_those_of_the_crop():
    picture = np.random.default_rng(7).integers(0, 256, size=(320, 320)).astype(np.uint8)
    number = windows().index((0.05, 0.05, 0.9)) if (0.05, 0.05, 0.9) in windows() else 14
    x, y, scale = windows()[number]
    crop = picture[round(y * 320) : round((y + scale) * 320), round(x * 320) : round((x + scale) * 320)]
    asked = compared_cells(likeness_of(picture).views, number)
    found = compared_cells(likeness_of(crop).views, 0)
    assert float(correlation(asked, found)[0]) > 0.6


def test_mirrored_cells_are_compared_mirrored():
    view = likeness_of(a_picture(8)).views
    mirrored = compared_cells(view, 0, mirrored=True)
    np.testing.assert_allclose(mirrored, compared_cells(view, 0)[:, :, ::-1], atol=1e-3)
    assert float(correlation(mirrored, mirrored)[0]) == pytest.approx(1, abs=1e-4)
