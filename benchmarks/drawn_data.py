"""Data sets of drawn pictures: any number of them, with changed copies planted in other splits."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

SPLITS = ("train", "train", "train", "train", "train", "train", "train", "train", "val", "test")
DATA_YAML = "train: images/train\nval: images/val\ntest: images/test\nnames: [thing]\n"

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The size of the pictures; with `scenes`, each is the mean of two of as many scenes, which is drawn faster."""

    size: tuple[int, int] = (640, 480)
    scenes: int = 0

    def picture(self, number: int) -> Image.Image:
        """The picture of that number: each number has another one."""
        if not self.scenes:
            return scene(number, self.size)
        first, second = _pairs(self.scenes)[number]
        return Image.blend(_kept_scene(first, self.size), _kept_scene(second, self.size), 0.5)


def draw(root: Path, start: int, count: int, drawing: Drawing) -> dict[frozenset[str], str]:
    """Write images with labels; one in a hundred is a changed copy of the one before: the pairs, and the change."""
    for kind in ("images", "labels"):
        for split in set(SPLITS):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
    (root / "data.yaml").write_text(DATA_YAML, encoding="utf-8")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: draw_one(root, number, drawing), range(start, start + count)))
    return planted(start, count)


def planted(start: int, count: int) -> dict[frozenset[str], str]:
    """The pairs of a picture and its copy, and what was changed."""
    kinds = list(planted_changes())
    return {
        frozenset({name_of(number - 1), name_of(number)}): kinds[number // 100 % len(kinds)]
        for number in range(start, start + count)
        if is_copy(number)
    }


def is_copy(number: int) -> bool:
    """One in a hundred is."""
    return number % 100 == 99  # noqa: PLR2004 - the last of each hundred


def draw_one(root: Path, number: int, drawing: Drawing) -> None:
    """One image with its label, which follow from the number."""
    picture = drawing.picture(number - is_copy(number))
    if is_copy(number):
        changes = planted_changes()
        picture = list(changes.values())[number // 100 % len(changes)](picture)
    name = name_of(number)
    picture.save(root / "images" / name, quality=90)
    label = (root / "labels" / name).with_suffix(".txt")
    label.write_text(f"0 0.5 0.5 {0.2 + number % 7 / 20:.3f} 0.4\n", encoding="utf-8")


def name_of(number: int) -> str:
    """`train/000012.jpg`."""
    return f"{SPLITS[number % len(SPLITS)]}/{number:06d}.jpg"


def scene(seed: int, size: tuple[int, int]) -> Image.Image:
    """Clouds of several sizes and some rectangles: a picture with the statistics of a photograph."""
    rng = np.random.default_rng(seed)
    width, height = size
    picture = clouds(rng, 3, size)
    for cells, part in ((6, 0.45), (12, 0.35), (40, 0.25), (160, 0.15)):
        picture = Image.blend(picture, clouds(rng, cells, size), part)
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        limits = ((0, width * 7 // 8), (0, height * 7 // 8), (width // 32, width // 3), (height // 24, height // 3))
        x, y, w, h = (int(rng.integers(low, high)) for low, high in limits)
        pen.rectangle((x, y, x + w, y + h), fill=(*rng.integers(0, 256, size=3).tolist(),))
    return picture


def clouds(rng: np.random.Generator, cells: int, size: tuple[int, int]) -> Image.Image:
    """Random colours in that many columns, smoothed to the whole size."""
    coarse = rng.integers(0, 256, size=(cells * 3 // 4 + 1, cells, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@cache
def _kept_scene(seed: int, size: tuple[int, int]) -> Image.Image:
    return scene(seed, size)


@lru_cache(maxsize=1)
def _pairs(scenes: int) -> list[tuple[int, int]]:
    pairs = list(combinations(range(scenes), 2))
    return [pairs[place] for place in np.random.default_rng(0).permutation(len(pairs))]


def planted_changes() -> dict[str, Change]:
    """What is done to the planted copies."""
    return {
        "JPEG 40": lambda picture: again(picture, 40),
        "half size": lambda picture: again(picture.resize((picture.width // 2, picture.height // 2)), 80),
        "mirrored": lambda picture: again(ImageOps.mirror(picture), 80),
        "cropped 8 %": lambda picture: again(cropped(picture, 0.08, (0.3, 0.8)), 80),
        "framed": lambda picture: again(ImageOps.pad(picture, (640, 640), color=(114, 114, 114)), 80),
    }


def cropped(picture: Image.Image, part: float, at: tuple[float, float]) -> Image.Image:
    """The picture without that part of its width and height; `at` is where the rest lies, 0 to 1."""
    width, height = round(picture.width * (1 - part)), round(picture.height * (1 - part))
    left, top = round((picture.width - width) * at[0]), round((picture.height - height) * at[1])
    return picture.crop((left, top, left + width, top + height))


def again(picture: Image.Image, quality: int) -> Image.Image:
    """Saved as JPEG and opened again."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return Image.open(io.BytesIO(out.getvalue())).convert("RGB")
