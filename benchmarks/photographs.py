"""Which changed copies of photographs are found: the table of `docs/explanation/near-duplicates.md`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from benchmarks.drawn_data import Change, again, cropped
from cv_yolo.domain.data.likeness import LEAST_CORRELATION, MOST_DIFFERENT_BITS, likeness_of, window_hashes, windows
from cv_yolo.domain.data.similar_search import Views, similar_pairs


def measure_duplicates(folder: Path) -> None:
    """Print the table of `docs/explanation/near-duplicates.md`."""
    pictures = [ImageOps.exif_transpose(Image.open(path)).convert("RGB") for path in sorted(folder.rglob("*.jpg"))]
    originals = [likeness_of(grey_of(picture)) for picture in pictures]
    print(f"{len(pictures)} photographs, {len(pictures) * (len(pictures) - 1) // 2} unrelated pairs\n")
    print_unrelated(pictures)
    print("| change | 16 x 16 hash: missed | median bits | most bits | missed | false alarms |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, change in changes().items():
        copies = [change(picture) for picture in pictures]
        copied = [likeness_of(grey_of(copy)) for copy in copies]
        former = sum(
            former_bits(one, other) > 20  # noqa: PLR2004 - the threshold until now
            for one, other in zip(pictures, copies, strict=True)
        )
        owners = np.repeat(np.arange(2 * len(pictures)), [len(each.views) for each in (*originals, *copied)])
        cells = np.concatenate([each.views for each in (*originals, *copied)])
        views = Views(owners=owners, cells=cells, hashes=window_hashes(cells))
        found = {(pair.first, pair.second) for pair in similar_pairs(views)}
        wanted = {(place, place + len(pictures)) for place in range(len(pictures))}
        bits = [least_bits(one.views, other.views) for one, other in zip(originals, copied, strict=True)]
        cells_of_row = (name, former, f"{np.median(bits):.0f}", max(bits), len(wanted - found), len(found - wanted))
        print(f"| {' | '.join(map(str, cells_of_row))} |")
    print(f"\nthreshold {MOST_DIFFERENT_BITS} of 128 bits, correlation {LEAST_CORRELATION}, {len(windows())} windows")


def print_unrelated(pictures: Sequence[Image.Image]) -> None:
    """How near the hashes of unrelated photographs come to each other."""
    views = [likeness_of(grey_of(picture)).views[:1] for picture in pictures]
    hashes = [window_hashes(each)[0] for each in views]
    least = [
        min(_bits(first[:-1], second[[0, -1]]), _bits(second[:-1], first[[0, -1]]))
        for one, first in enumerate(hashes)
        for second in hashes[one + 1 :]
    ]
    former = [
        former_bits(pictures[one], pictures[other])
        for one in range(len(pictures))
        for other in range(one + 1, len(pictures))
    ]
    print(
        f"unrelated: least bits of 128 over all windows {min(least)}, 1 of 1000 below {np.quantile(least, 0.001):.0f}"
    )
    print(f"unrelated: least bits of 256 of the 16 x 16 hash {min(former)}\n")


def least_bits(first: Any, second: Any) -> int:
    """The fewest different bits of any window of one picture and the other as a whole, or mirrored."""
    if not len(first) or not len(second):
        return 128
    one, other = window_hashes(first), window_hashes(second)
    return min(
        min(_bits(a[:-1], b[[0, -1]]), _bits(b[:-1], a[[0, -1]])) for a in one for b in other
    )  # fmt: skip


def _bits(asked: Any, whole: Any) -> int:
    return int(np.bitwise_count(asked[:, None] ^ whole[None]).sum(axis=2).min())


def former_bits(first: Image.Image, second: Image.Image) -> int:
    """Different bits of the difference hash of 16 x 16 cells, which was used until now."""
    one, other = (
        np.asarray(each.convert("L").resize((17, 16), Image.Resampling.BOX)).astype(np.int16)
        for each in (first, second)
    )
    return int(((one[:, 1:] > one[:, :-1]) != (other[:, 1:] > other[:, :-1])).sum())


def changes() -> dict[str, Change]:
    """What is done to photographs."""
    rng = np.random.default_rng(0)

    def anywhere(most: float) -> Change:
        def crop(picture: Image.Image) -> Image.Image:
            return again(
                cropped(picture, float(rng.uniform(0, most)), (float(rng.uniform()), float(rng.uniform()))), 85
            )

        return crop

    return {
        **{f"JPEG {quality}": _saved(quality) for quality in (95, 80, 50, 30)},
        **{f"{scale} times the size": _scaled(scale) for scale in (0.25, 0.5, 0.75, 1.5, 2)},
        "squeezed to 320 x 320": lambda picture: again(picture.resize((320, 320)), 85),
        "mirrored": lambda picture: again(ImageOps.mirror(picture), 85),
        "mirrored, half size, JPEG 50": lambda picture: again(
            ImageOps.mirror(picture).resize((picture.width // 2, picture.height // 2)), 50
        ),
        **{
            f"cropped {100 * part:.0f} % around the centre": _cropped(part, (0.5, 0.5))
            for part in (0.05, 0.1, 0.15, 0.2)
        },
        **{f"cropped {100 * part:.0f} % at the corner": _cropped(part, (0.0, 0.0)) for part in (0.05, 0.1, 0.15, 0.2)},
        "cropped up to 10 % anywhere": anywhere(0.1),
        "70 % of the brightness": lambda picture: again(ImageEnhance.Brightness(picture).enhance(0.7), 85),
        "130 % of the brightness": lambda picture: again(ImageEnhance.Brightness(picture).enhance(1.3), 85),
        "70 % of the contrast": lambda picture: again(ImageEnhance.Contrast(picture).enhance(0.7), 85),
        "grey": lambda picture: again(picture.convert("L").convert("RGB"), 85),
        "letterboxed, grey": lambda picture: again(ImageOps.pad(picture, (640, 640), color=(114, 114, 114)), 85),
        "letterboxed, black": lambda picture: again(ImageOps.pad(picture, (320, 320), color=(0, 0, 0)), 85),
        "a white border of 5 %": lambda picture: again(
            ImageOps.expand(picture, round(0.05 * min(picture.size)), (255, 255, 255)), 85
        ),
        "a black border of 10 %": lambda picture: again(ImageOps.expand(picture, round(0.1 * min(picture.size))), 85),
    }


def _saved(quality: int) -> Change:
    return lambda picture: again(picture, quality)


def _scaled(scale: float) -> Change:
    return lambda picture: again(
        picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC), 85
    )


def _cropped(part: float, at: tuple[float, float]) -> Change:
    return lambda picture: again(cropped(picture, part, at), 85)


def grey_of(picture: Image.Image) -> Any:
    """As `data check` looks at it."""
    grey = picture.convert("L")
    factor = min(grey.size) // 96
    return np.asarray(grey.reduce(factor) if factor > 1 else grey)
