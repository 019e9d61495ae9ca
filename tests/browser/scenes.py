"""Drawn street scenes with annotated boxes, so that sample pages show pictures worth looking at."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("person", "car", "dog")
WIDTH_PX, HEIGHT_PX = 640, 420
HORIZON_PX = 170
COATS = ("#b23a48", "#2f6690", "#e09f3e", "#4a7c59", "#6d597a", "#d9d4c7")
PAINTS = ("#c1121f", "#f4f1de", "#33658a", "#f2b134", "#3d405b", "#81a4a0")
FURS = ("#5c4033", "#a47148", "#2b2b2b", "#d8b88a")


@dataclass(frozen=True)
class Scene:
    """A picture with its objects: class and pixel corners."""

    name: str
    at_night: bool
    jpeg: bytes
    objects: tuple[tuple[int, tuple[float, float, float, float]], ...]


def a_scene(number: int) -> Scene:
    """The scene of this number, the same each time."""
    rng = np.random.default_rng(1000 + number)
    at_night = number % 3 == 0
    picture = _background(rng, at_night=at_night)
    pen = ImageDraw.Draw(picture)
    objects = []
    for class_id, box in sorted(_places(rng), key=lambda place: place[1][3]):
        (_person, _car, _dog)[class_id](pen, box, rng)
        objects.append((class_id, box))
    if at_night:
        picture = Image.blend(picture, Image.new("RGB", picture.size, "#0b1230"), 0.62)
    picture = picture.filter(ImageFilter.GaussianBlur(0.6))
    out = io.BytesIO()
    picture.resize((480, round(480 * HEIGHT_PX / WIDTH_PX))).save(out, "JPEG", quality=80)
    return Scene(name=f"images/test/{number:03d}.jpg", at_night=at_night, jpeg=out.getvalue(), objects=tuple(objects))


def _places(rng):
    """Where objects stand: nearer ones are larger and lower."""
    taken = []
    for _ in range(int(rng.integers(2, 7))):
        class_id = int(rng.choice(3, p=(0.5, 0.32, 0.18)))
        depth = rng.uniform(0.05, 1.0) ** 1.4
        ground = HORIZON_PX + 18 + depth * (HEIGHT_PX - HORIZON_PX - 30)
        height = (30 + 190 * depth) * (1.0, 0.52, 0.36)[class_id]
        width = height * (0.42, 2.0, 1.5)[class_id]
        left = rng.uniform(6, WIDTH_PX - width - 6)
        box = (left, ground - height, left + width, ground)
        if all(_apart(box, other) for _, other in taken):
            taken.append((class_id, tuple(round(float(value), 1) for value in box)))
    return taken


def _apart(box, other):
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    smaller = min((each[2] - each[0]) * (each[3] - each[1]) for each in (box, other))
    return width <= 0 or height <= 0 or width * height < 0.25 * smaller


def _background(rng, *, at_night):
    rows = np.linspace(0, 1, HEIGHT_PX)[:, None, None]
    sky = np.array([[[150, 190, 222]]]) * (1 - rows) + np.array([[[238, 226, 208]]]) * rows
    ground = np.array([[[150, 148, 142]]]) * (1 - rows) + np.array([[[92, 92, 94]]]) * rows
    pixels = np.where(np.arange(HEIGHT_PX)[:, None, None] < HORIZON_PX, sky, ground)
    pixels = np.repeat(pixels, WIDTH_PX, axis=1) + rng.normal(0, 3, (HEIGHT_PX, WIDTH_PX, 1))
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    left = -20
    while left < WIDTH_PX:
        width, height = rng.integers(50, 120), rng.integers(60, 150)
        shade = int(rng.integers(120, 190))
        pen.rectangle((left, HORIZON_PX - height, left + width, HORIZON_PX), fill=(shade, shade - 12, shade - 25))
        for x in range(int(left) + 8, int(left + width) - 12, 18):
            for y in range(HORIZON_PX - int(height) + 10, HORIZON_PX - 14, 22):
                lit = at_night and rng.random() < 0.4
                pen.rectangle((x, y, x + 8, y + 11), fill="#ffe9a8" if lit else (shade - 50, shade - 45, shade - 35))
        left += width + rng.integers(0, 16)
    pen.rectangle((0, HORIZON_PX, WIDTH_PX, HORIZON_PX + 14), fill="#b9b4a8")
    for x in range(-40, WIDTH_PX, 120):
        pen.polygon(((x, 300), (x + 50, 300), (x + 44, 306), (x - 8, 306)), fill="#d8d6cd")
    return picture


def _person(pen, box, rng):
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    coat = str(rng.choice(COATS))
    head = 0.17 * height
    middle = (left + right) / 2
    for side in (-0.28, 0.05):
        pen.rectangle(
            (middle + side * width, top + 0.58 * height, middle + (side + 0.23) * width, bottom), fill="#2d3142"
        )
    pen.rounded_rectangle((left, top + head, right, top + 0.66 * height), radius=width * 0.3, fill=coat)
    pen.ellipse((middle - head / 2, top, middle + head / 2, top + head * 1.05), fill="#c98f6b")
    pen.pieslice((middle - head / 2, top, middle + head / 2, top + head), 180, 360, fill="#3a2a20")


def _car(pen, box, rng):
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    paint = str(rng.choice(PAINTS))
    pen.polygon(
        (
            (left + 0.18 * width, top + 0.45 * height),
            (left + 0.32 * width, top),
            (left + 0.7 * width, top),
            (left + 0.86 * width, top + 0.45 * height),
        ),
        fill="#20303c",
    )
    pen.rounded_rectangle((left, top + 0.4 * height, right, bottom - 0.14 * height), radius=height * 0.16, fill=paint)
    for place in (0.22, 0.78):
        x, radius = left + place * width, 0.2 * height
        pen.ellipse((x - radius, bottom - 2 * radius, x + radius, bottom), fill="#16181a")
        pen.ellipse((x - radius / 2, bottom - 1.5 * radius, x + radius / 2, bottom - radius / 2), fill="#9aa0a6")
    pen.ellipse((right - 0.09 * width, top + 0.5 * height, right - 0.02 * width, top + 0.64 * height), fill="#fff3c4")


def _dog(pen, box, rng):
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    fur = str(rng.choice(FURS))
    for place in (0.16, 0.3, 0.58, 0.72):
        pen.rectangle((left + place * width, top + 0.6 * height, left + (place + 0.08) * width, bottom), fill=fur)
    pen.ellipse((left + 0.08 * width, top + 0.28 * height, left + 0.84 * width, top + 0.78 * height), fill=fur)
    pen.ellipse((left + 0.66 * width, top, right, top + 0.5 * height), fill=fur)
    pen.polygon(
        (
            (left + 0.7 * width, top + 0.06 * height),
            (left + 0.76 * width, top - 0.02 * height + 1),
            (left + 0.82 * width, top + 0.2 * height),
        ),
        fill="#1d1d1d",
    )
    pen.line(
        (left, top + 0.16 * height, left + 0.14 * width, top + 0.42 * height), fill=fur, width=max(2, int(height / 12))
    )
