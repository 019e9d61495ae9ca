"""The styles a scene can be painted in, and what tells one from the other."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class SceneStyle(StrEnum):
    """How a scene is painted: the demo's soft light, or the outlined drawings the weights learn from."""

    DEMO = "demo"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What tells one style from the other."""

    saturation: tuple[float, float]  # percent
    brightness: tuple[float, float]  # percent
    ground_hues: tuple[int, int]  # degrees
    outline: float  # width of the dark contour, in heights of a person
    taper: float  # how thick a limb's far end is, compared with its near end
    darkest_shade: int  # of the light on a figure, out of 255
    wallpaper: bool  # stripes instead of houses
    things: tuple[str, ...]  # names in `figures.py`

    def colour(self, rng: np.random.Generator, first_hue: int = 0, last_hue: int = 360) -> str:
        """Choose a colour of this style, as Pillow writes it; hues in degrees."""
        saturation, brightness = rng.uniform(*self.saturation), rng.uniform(*self.brightness)
        return f"hsv({rng.integers(first_hue, last_hue)},{saturation:.0f}%,{brightness:.0f}%)"


LOOKS = {
    SceneStyle.DEMO: Look(
        saturation=(5, 65), brightness=(25, 100), ground_hues=(25, 130), outline=0.0, taper=0.7, darkest_shade=120,
        wallpaper=False, things=("tree", "bush", "lamp", "sign", "car", "bin", "crate", "post", "ball"),
    ),
    SceneStyle.BOOTSTRAP: Look(
        saturation=(20, 100), brightness=(30, 100), ground_hues=(0, 360), outline=0.006, taper=1.0, darkest_shade=220,
        wallpaper=True, things=("fir", "board", "crate", "ball", "marker", "coats", "post", "sign", "car"),
    ),
}  # fmt: skip
