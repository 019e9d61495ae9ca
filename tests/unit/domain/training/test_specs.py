"""What determines a training."""

import pytest

from tests.builders import a_spec


@pytest.mark.parametrize("epochs", [0, -3])
def test_a_training_of_no_epochs_is_refused(epochs):
    with pytest.raises(ValueError, match=rf"epochs must be at least 1, not {epochs}"):
        a_spec(epochs=epochs)


@pytest.mark.parametrize("size", [0, -32, 16, 100, 321])
def test_an_image_size_that_the_network_cannot_take_is_refused(size):
    with pytest.raises(ValueError, match=rf"positive multiple of 32, not {size}"):
        a_spec(image_size_px=size)


def test_the_smallest_training_is_one_epoch_at_one_stride():
    assert a_spec(epochs=1, image_size_px=32).name == "e1_s32"


def test_the_name_is_unique_among_the_runs_of_a_grid():
    assert a_spec(epochs=5, image_size_px=416).name == "e5_s416"


def test_the_cost_is_pixels_for_each_training_image():
    assert a_spec(epochs=5, image_size_px=64).cost == 5 * 64 * 64


def test_specs_are_equal_by_what_they_say():
    assert a_spec() == a_spec()
    assert a_spec(seed=8) != a_spec()
