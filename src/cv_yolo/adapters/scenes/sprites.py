"""The styles a scene can be painted in, and how they differ."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image, ImageChops, ImageDraw


class SceneStyle(StrEnum):
    """How a scene is painted: the demo's soft light, or the outlined drawings the weights learn from."""

    DEMO = "demo"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one style differs from another."""

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


_SKINS = ("#ffe0c4", "#f1c296", "#e0ac78", "#b07850", "#805236", "#5c3c2a")
_HAIRS = ("#1e1816", "#462c1c", "#78502c", "#cea65c", "#969698", "#963e24")
_BARE_ARMS, _BARE_LEGS, _SKIRTS = 0.4, 0.3, 0.2  # how often

# Degrees from hanging straight down, positive to the front: far upper arm, forearm, thigh, shin; then the
# near ones; then the lean of the trunk.
_POSES = (
    (-8, -4, 3, 2, 8, 12, -3, -4, 0),  # standing
    (-35, 45, 8, 4, 35, -45, -6, -6, 2),  # hands on the hips
    (-28, -8, 26, 10, 28, 50, -20, -40, 5),  # walking
    (-45, 40, 58, -12, 40, 120, -22, -78, 14),  # running
    (-155, -170, 8, 6, 155, 170, -8, -6, 0),  # both arms up
    (-12, -6, 5, 2, 150, 185, -6, -4, 2),  # waving
    (20, 60, 88, 4, 30, 75, 82, -4, 4),  # sitting
    (55, 80, 112, -28, 40, 70, 100, -32, 28),  # crouching
    (24, 20, 6, 0, 10, 4, -6, -6, 62),  # bending down
    (-88, -92, -22, -14, 88, 92, 22, 14, 0),  # arms and legs apart
)
# Parts of a thing: shape; colour (0 and 1 any, 2 leaf, 3 wood, 4 dark); left, top, right, bottom in heights of a
# standing person, y upwards from the ground.
_WHEELS = (("oval", 4, -0.7, 0.3, -0.4, 0), ("oval", 4, 0.4, 0.3, 0.7, 0))
THINGS = {
    "tree": (("box", 3, -0.06, 0.8, 0.06, 0), ("oval", 2, -0.45, 1.6, 0.45, 0.6), ("oval", 2, -0.2, 1.8, 0.5, 0.9)),
    "fir": (("box", 3, -0.05, 0.3, 0.05, 0), ("cone", 2, -0.4, 1.0, 0.4, 0.2), ("cone", 2, -0.3, 1.5, 0.3, 0.6)),
    "bush": (("oval", 2, -0.5, 0.5, 0.1, 0), ("oval", 2, -0.1, 0.4, 0.5, 0)),
    "lamp": (("box", 4, -0.03, 1.5, 0.03, 0), ("oval", 0, -0.1, 1.65, 0.1, 1.45)),
    "sign": (("box", 4, -0.03, 1.0, 0.03, 0), ("oval", 0, -0.17, 1.2, 0.17, 0.86), ("box", 1, -0.1, 1.06, 0.1, 1)),
    "board": (("box", 3, -0.3, 0.6, -0.25, 0), ("box", 3, 0.25, 0.6, 0.3, 0), ("box", 0, -0.4, 1.0, 0.4, 0.4)),
    "post": (("box", 0, -0.08, 0.95, 0.08, 0), ("box", 1, -0.08, 0.6, 0.08, 0.4)),
    "crate": (("box", 3, -0.25, 0.45, 0.25, 0), ("box", 0, -0.25, 0.3, 0.25, 0.2)),
    "ball": (("oval", 0, -0.14, 0.28, 0.14, 0), ("oval", 1, -0.05, 0.24, 0.1, 0.08)),
    "marker": (("cone", 0, -0.18, 0.5, 0.18, 0), ("box", 1, -0.09, 0.24, 0.09, 0.14)),
    "bin": (("box", 0, -0.16, 0.5, 0.16, 0), ("oval", 1, -0.19, 0.6, 0.19, 0.44)),
    "coats": (("box", 3, -0.02, 1.0, 0.02, 0), ("cone", 0, -0.2, 0.95, 0.2, 0.25), ("oval", 1, -0.08, 1, 0.08, 0.9)),
    "car": (("oval", 1, -0.65, 0.85, 0.6, 0.1), ("box", 0, -0.95, 0.55, 0.95, 0.15), *_WHEELS),
}

Stroke = tuple[complex, complex, float, float, str]  # from, to, their radii, colour
Rng = np.random.Generator


def paint_person(rng: Rng, height: float, look: Look) -> Image.Image:
    """Paint a person of this standing height, in pixels: rounded strokes from joint to joint, far ones first."""
    image = Image.new("RGBA", (int(height * 2.2), int(height * 2.2)))
    pen, facing = ImageDraw.Draw(image), rng.choice((-1, 1))
    for start, end, start_radius, end_radius, colour in _strokes(rng, look):
        for extra, fill in ((look.outline, "#141018"), (0.0, colour)):
            a, b = (complex(facing * z.real, z.imag) * height + height * (1.1 + 1.1j) for z in (start, end))
            ra, rb = (max(1.0, (radius + extra) * height) for radius in (start_radius, end_radius))
            across = (b - a) * 1j / max(abs(b - a), 1e-6)
            quad = (a + across * ra, b + across * rb, b - across * rb, a - across * ra)
            pen.polygon([(z.real, z.imag) for z in quad], fill=fill)
            for z, r in ((a, ra), (b, rb)):
                pen.ellipse((z.real - r, z.imag - r, z.real + r, z.imag + r), fill=fill)
    return image


def paint_thing(rng: Rng, height: float, look: Look) -> Image.Image:
    """Paint a thing other than a person, to the scale of a standing person of this height, in pixels."""
    image = Image.new("RGBA", (int(height * 2.6), int(height * 2.1)))
    pen, hues = ImageDraw.Draw(image), ((0, 360), (0, 360), (80, 150), (20, 45))
    colours = [*(look.colour(rng, *pair) for pair in hues), "#26262c"]
    wide, tall = height * rng.uniform(0.8, 1.3, size=2)
    for shape, colour, *corners in THINGS[look.things[int(rng.integers(len(look.things)))]]:
        left, right = (image.width / 2 + wide * x for x in corners[::2])
        top, bottom = (image.height - 1 - tall * y for y in corners[1::2])
        if shape == "cone":
            pen.polygon([((left + right) / 2, top), (left, bottom), (right, bottom)], fill=colours[colour])
        else:
            draw = pen.ellipse if shape == "oval" else pen.rectangle
            draw((left, top, right, bottom), fill=colours[colour])
    return image


def in_uneven_light(rng: Rng, image: Image.Image, look: Look) -> Image.Image:
    """Return the same figure, lighter here and darker there."""
    spots = Image.fromarray(rng.integers(look.darkest_shade, 256, size=(3, 3), dtype=np.uint8))
    light = [spots.resize(image.size)] * 3
    return ImageChops.multiply(image, Image.merge("RGBA", [*light, Image.new("L", image.size, 255)]))


def _strokes(rng: Rng, look: Look) -> list[Stroke]:
    """Choose a person, around the hips at 0; lengths in heights, places as x + iy with y down."""
    pose = np.radians(np.add(_POSES[int(rng.integers(len(_POSES)))], rng.normal(0, 8, size=9)))
    ways = [complex(np.sin(angle), np.cos(angle)) for angle in pose]
    up, girth, turn = ways[8].conjugate(), rng.uniform(0.8, 1.3), rng.uniform(0.3, 1.0)
    top, trousers, shoes = (look.colour(rng) for _ in range(3))
    skin, hair = _SKINS[int(rng.integers(len(_SKINS)))], _HAIRS[int(rng.integers(len(_HAIRS)))]
    sleeve, leg = skin if rng.random() < _BARE_ARMS else top, skin if rng.random() < _BARE_LEGS else trousers
    arms, legs, waist = [], [], (0.6 + 0.4 * turn) * girth
    for near, (upper, fore, thigh, shin) in ((-1, ways[:4]), (1, ways[4:8])):
        a, b = 0.045 * girth, 0.045 * girth * look.taper
        hip, shoulder = near * turn * 0.05 * girth, up * 0.25 + near * turn * 0.1 * girth
        knee, elbow = hip + 0.24 * thigh, shoulder + 0.16 * upper
        ankle, wrist = knee + 0.24 * shin, elbow + 0.15 * fore
        legs += [(hip, knee, a, b, trousers), (knee, ankle, b, b * 0.7, leg), (ankle, ankle + 0.05, 0.028, 0.02, shoes)]
        arms += [(shoulder, elbow, a * 0.75, b * 0.75, top), (elbow, wrist, b * 0.7, b * 0.55, sleeve)]
        arms += [(wrist, wrist + 0.02 * fore, 0.022, 0.022, skin)]
    skirt = [(0j, (ways[2] + ways[6]) * 0.12, 0.085 * waist, 0.115, trousers)] if rng.random() < _SKIRTS else []
    trunk = [(up * 0.24, up * 0.02, 0.1 * waist, 0.085 * waist, top), (up * 0.25, up * 0.36, 0.03, 0.03, skin)]
    locks = (up * 0.43 - 0.01, up * (0.42 - rng.choice((0.0, 0.1))) - 0.02, 0.062, 0.05, hair)
    face = (up * 0.41 + 0.008, up * 0.385 + 0.014, 0.052, 0.044, skin)
    return [*arms[:3], *legs, *skirt, *trunk, locks, face, *arms[3:]]
