"""A scene: a background, and persons and clutter in one perspective, seen through a modest lens."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

from cv_yolo.adapters.scenes.sprites import LOOKS, Look, SceneStyle, in_uneven_light, paint_person, paint_thing

_SUPERSAMPLING = 2
_MIN_VISIBLE_FRACTION = 0.3
_PERSON_COUNT_PROBABILITIES = (0.07, 0.2, 0.23, 0.19, 0.14, 0.1, 0.07)
_CLOSE_TOGETHER = 0.4  # how often a person stands next to or in front of the last one
_HEIGHT_RANGE = (0.15, 0.9)  # of a standing person, as a fraction of the image's height

Rng = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture of shape (H, W, 3), RGB, and its persons' boxes of shape (N, 4), xyxy in pixels."""

    image: npt.NDArray[np.uint8]
    boxes_xyxy: npt.NDArray[np.float64]
    style: SceneStyle


def draw_scene(
    rng: Rng, *, size_px: int, style: SceneStyle, person_count: int | None = None, with_clutter: bool = True
) -> Scene:
    """Paint one square scene; the same generator state gives the same scene.

    Without `person_count` there are 0 to 6 persons; hidden ones are left out, so fewer may remain.
    Without clutter there are neither things nor shadows: only persons stand before the background.
    """
    backdrop, people, things, lens = (np.random.default_rng(seed) for seed in rng.integers(2**63, size=4))
    side, look = size_px * _SUPERSAMPLING, LOOKS[style]
    horizon = side * backdrop.uniform(0.1, 0.6)
    canvas = _backdrop(backdrop, side, horizon, look)
    if person_count is None:
        person_count = int(people.choice(7, p=_PERSON_COUNT_PROBABILITIES))
    layers = _persons(people, person_count, side, horizon, look)
    if with_clutter:
        layers += _clutter(things, side, horizon, look)
    shown = _without_hidden_persons(layers, side)
    for layer in shown:
        if with_clutter:
            layer.cast_shadow(canvas)
        canvas.paste(layer.image, (layer.left, layer.top), layer.image)
    boxes = [layer.silhouette(side).getbbox() for layer in shown if layer.is_person]
    boxes_xyxy = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) / _SUPERSAMPLING
    return Scene(image=_photograph(lens, canvas), boxes_xyxy=boxes_xyxy, style=style)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """One thing on transparent ground, cut out tightly; its place is in pixels of the supersampled canvas."""

    image: Image.Image
    left: int
    top: int
    is_person: bool

    def silhouette(self, side: int) -> Image.Image:
        stencil = Image.new("L", (side, side))
        stencil.paste(self.image.getchannel("A"), (self.left, self.top))
        return stencil

    def cast_shadow(self, canvas: Image.Image) -> None:
        width, height = self.image.width, self.image.width // 6
        shadow = Image.new("L", (width + 2, height + 2))
        ImageDraw.Draw(shadow).ellipse((0, 0, width, height), fill=80)
        canvas.paste((0, 0, 0), (self.left, self.top + self.image.height - height * 2 // 3), shadow)


def _backdrop(rng: Rng, side: int, horizon: float, look: Look) -> Image.Image:
    """Sky over ground, each a gradient; houses or stripes; and a grainy texture over all."""
    rows = np.linspace(0.0, 1.0, side)[:, None]
    hues = ((195, 235), (195, 235), look.ground_hues, look.ground_hues)
    top, haze, far, near = (np.array(ImageColor.getrgb(look.colour(rng, *pair))) for pair in hues)
    column = np.where(rows * side < horizon, top + (haze - top) * rows, far + (near - far) * rows)
    canvas = Image.fromarray(column[:, None, :].astype(np.uint8)).resize((side, side))
    step, pen = side * rng.uniform(0.07, 0.4), ImageDraw.Draw(canvas)
    stripe, board = look.colour(rng), look.colour(rng)
    for x in np.arange(-2 * side, 3 * side, step):
        roof = 0 if look.wallpaper else horizon * rng.uniform(0.1, 1)
        pen.rectangle((x, roof, x + step / 2, horizon), fill=stripe if look.wallpaper else look.colour(rng))
        if look.wallpaper:
            pen.line((side / 2 + (x - side / 2) / 3, horizon, x, side), fill=board, width=3)
    for cells in (6, int(rng.integers(30, 120))):
        grain = rng.integers(255 - rng.integers(10, 60), 256, size=(cells, cells), dtype=np.uint8)
        texture = Image.fromarray(grain).resize((side, side), Image.Resampling.BILINEAR)
        canvas = ImageChops.multiply(canvas, Image.merge("RGB", [texture] * 3))
    return canvas


def _persons(rng: Rng, count: int, side: int, horizon: float, look: Look) -> list[_Layer]:
    """Figures that stand lower in the picture the larger they are; often close to the one before."""
    layers: list[_Layer] = []
    x = height = 0.0
    for _ in range(count):
        if layers and rng.random() < _CLOSE_TOGETHER:
            x, height = x + height * rng.uniform(-0.5, 0.5), height * rng.uniform(0.85, 1.15)
        else:
            x, height = side * rng.uniform(0.03, 0.97), side * np.exp(rng.uniform(*np.log(_HEIGHT_RANGE)))
        height = float(np.clip(height, side * _HEIGHT_RANGE[0], side * _HEIGHT_RANGE[1]))
        figure = in_uneven_light(rng, paint_person(rng, height, look), look)
        layers.append(_stand(figure, x, _ground(rng, height, side, horizon), is_person=True))
    return layers


def _clutter(rng: Rng, side: int, horizon: float, look: Look) -> list[_Layer]:
    """Up to five things that are not persons, in the persons' perspective."""
    layers = []
    for _ in range(int(rng.integers(6))):
        height = side * float(np.exp(rng.uniform(*np.log(_HEIGHT_RANGE)))) * 0.8
        image, ground = paint_thing(rng, height, look), _ground(rng, height, side, horizon)
        lit = in_uneven_light(rng, image, look)
        layers.append(_stand(lit, side * rng.random(), ground, is_person=False))
    return layers


def _ground(rng: Rng, height: float, side: int, horizon: float) -> float:
    """Choose the y where a thing of this scale touches the ground: larger ones nearer to the viewer."""
    return horizon + (side * 1.02 - horizon) * height / side + height * float(rng.uniform(0.0, 0.15))


def _stand(image: Image.Image, x: float, ground: float, *, is_person: bool) -> _Layer:
    cut = image.crop(image.getchannel("A").getbbox())
    return _Layer(image=cut, left=int(x - cut.width / 2), top=int(ground - cut.height), is_person=is_person)


def _without_hidden_persons(layers: list[_Layer], side: int) -> list[_Layer]:
    """From back to front, without the persons of whom too little would show; nearer means lower."""
    taken = np.zeros((side, side), dtype=np.bool_)
    shown = []
    for layer in sorted(layers, key=lambda layer: -layer.top - layer.image.height):
        drawn = np.asarray(layer.silhouette(side)) > 0
        visible = np.count_nonzero(drawn & ~taken)
        whole = np.count_nonzero(np.asarray(layer.image.getchannel("A")))
        if not layer.is_person or visible >= _MIN_VISIBLE_FRACTION * whole:
            shown.append(layer)
            taken |= drawn
    return shown[::-1]


def _photograph(rng: Rng, canvas: Image.Image) -> npt.NDArray[np.uint8]:
    """Bring the canvas to its final size, a little out of focus, tinted and noisy; shape (H, W, 3)."""
    picture = canvas.reduce(_SUPERSAMPLING).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.0, 1.2))))
    tint = rng.uniform(0.75, 1.35) * rng.uniform(0.92, 1.08, size=3)
    noise = rng.standard_normal((picture.height, picture.width, 3), dtype=np.float32) * rng.uniform(1.0, 12.0)
    return np.clip(np.asarray(picture) * tint + noise, 0, 255).astype(np.uint8)
