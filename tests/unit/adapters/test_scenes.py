"""The painter of the demo's scenes: repeatable pictures, exact boxes, two styles, enough variety."""

import numpy as np
import numpy.typing as npt
import pytest

from cv_yolo.adapters.scenes.scene import Scene, draw_scene
from cv_yolo.adapters.scenes.sprites import SceneStyle

STYLES = list(SceneStyle)


def scene(seed: int, *, style: SceneStyle = SceneStyle.DEMO, size_px: int = 96, persons: int | None = None) -> Scene:
    return draw_scene(np.random.default_rng(seed), size_px=size_px, style=style, person_count=persons)


def scene_before_background(seed: int, *, style: SceneStyle, persons: int) -> Scene:
    rng = np.random.default_rng(seed)
    return draw_scene(rng, size_px=200, style=style, person_count=persons, with_clutter=False)


def box_of_changed_pixels(first: Scene, second: Scene) -> npt.NDArray[np.int64]:
    change = np.abs(first.image.astype(np.int64) - second.image).max(axis=2) > 6
    rows, columns = np.flatnonzero(change.any(axis=1)), np.flatnonzero(change.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


@pytest.fixture(scope="module")
def many_scenes() -> list[Scene]:
    rng = np.random.default_rng(5)
    return [draw_scene(rng, size_px=64, style=SceneStyle.DEMO) for _ in range(200)]


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_paints_the_same_scene(style: SceneStyle) -> None:
    first, second = scene(3, style=style), scene(3, style=style)
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.boxes_xyxy, second.boxes_xyxy)


def test_another_seed_paints_another_scene() -> None:
    assert not np.array_equal(scene(3).image, scene(4).image)


def test_one_generator_paints_a_new_scene_at_every_call() -> None:
    rng = np.random.default_rng(3)
    first, second = (draw_scene(rng, size_px=64, style=SceneStyle.DEMO) for _ in range(2))
    assert not np.array_equal(first.image, second.image)


@pytest.mark.parametrize("size_px", [64, 160, 321])
def test_a_scene_has_the_requested_size(size_px: int) -> None:
    image = scene(1, size_px=size_px).image
    assert image.shape == (size_px, size_px, 3)
    assert image.dtype == np.uint8


def test_a_scene_without_persons_has_an_empty_table_of_boxes() -> None:
    assert scene(1, persons=0).boxes_xyxy.shape == (0, 4)


@pytest.mark.parametrize("style", STYLES)
def test_every_box_lies_inside_the_image_and_has_an_area(style: SceneStyle) -> None:
    boxes = np.concatenate([scene(seed, style=style, persons=6).boxes_xyxy for seed in range(25)])
    assert np.isfinite(boxes).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 96
    assert (boxes[:, 2:] > boxes[:, :2]).all()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(8))
def test_a_box_is_tight_around_the_pixels_that_its_person_changes(style: SceneStyle, seed: int) -> None:
    empty, with_person = (scene_before_background(seed, style=style, persons=count) for count in (0, 1))
    (box,) = with_person.boxes_xyxy
    np.testing.assert_allclose(box_of_changed_pixels(empty, with_person), box, atol=3)


def test_a_person_behind_others_is_labelled_only_while_enough_of_it_shows() -> None:
    counts = [len(scene(seed, persons=6).boxes_xyxy) for seed in range(30)]
    assert max(counts) == 6
    assert min(counts) < 6


def test_the_styles_paint_the_same_seed_differently() -> None:
    demo, bootstrap = (scene(3, style=style) for style in STYLES)
    assert np.abs(demo.image.astype(float) - bootstrap.image).mean() > 10


def test_scenes_hold_from_no_person_to_six_and_few_are_empty(many_scenes: list[Scene]) -> None:
    counts = np.bincount([len(scene.boxes_xyxy) for scene in many_scenes], minlength=7)
    assert len(counts) == 7
    assert counts[:6].all()
    assert 0.03 < counts[0] / len(many_scenes) < 0.25


def test_persons_are_of_many_sizes(many_scenes: list[Scene]) -> None:
    boxes = np.concatenate([scene.boxes_xyxy for scene in many_scenes])
    heights = (boxes[:, 3] - boxes[:, 1]) / 64
    assert np.quantile(heights, 0.1) < 0.22
    assert np.quantile(heights, 0.95) > 0.6
    assert heights.max() > 0.8
