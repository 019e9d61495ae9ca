"""`cv-yolo data check` measured: its speed beside the bare decode and cleanvision, and which near-duplicates it finds.

    python -m benchmarks.data check                              # generated sets of 1 000 and 10 000 images
    python -m benchmarks.data check --images 100000 --folder /large/disk
    python -m benchmarks.data check --cleanvision /path/to/venv/bin/python
    python -m benchmarks.data duplicates --photographs /path/to/coco128/images

`check` plants copies of one in a hundred images in another split: saved again, scaled, mirrored, cropped and framed.
All ratios are of one run. cleanvision looks for exact and near duplicates only, with as many processes as there are
processors; install it into an environment of its own. `duplicates` changes real photographs in known ways, and compares
each with each: hashes, thresholds, misses and false alarms.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from cv_yolo.domain.data.likeness import LEAST_CORRELATION, MOST_DIFFERENT_BITS, likeness_of, window_hashes, windows
from cv_yolo.domain.data.similar_search import Views, similar_pairs

SIZE = (640, 480)
POLL_S = 0.02
SETTLED_S = 2.5  # files that changed in the last two seconds are not cached
SPLITS = ("train", "train", "train", "train", "train", "train", "train", "train", "val", "test")
CLEANVISION = """
import json, sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=int(sys.argv[2]), verbose=False)
kinds = ("exact_duplicates", "near_duplicates")
print("\\n" + json.dumps([sorted(each) for kind in kinds for each in lab.info[kind]["sets"]]))
"""

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, kw_only=True)
class Took:
    """One program: how long it took, its peak memory, and what it printed."""

    wall_s: float
    peak_mb: float
    out: str


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    check = kinds.add_parser("check", help="speed")
    check.add_argument("--images", type=int, nargs="+", default=[1000, 10_000])
    check.add_argument("--folder", type=Path, help="where the images are drawn (default: a temporary folder)")
    check.add_argument("--cleanvision", help="the Python of an environment with cleanvision")
    duplicates = kinds.add_parser("duplicates", help="misses and false alarms on photographs")
    duplicates.add_argument("--photographs", type=Path, required=True)
    given = parser.parse_args()
    if given.kind == "duplicates":
        measure_duplicates(given.photographs)
        return 0
    for count in given.images:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            print(json.dumps(measure_check(Path(folder), count, given.cleanvision), indent=1), flush=True)
    return 0


def measure_check(folder: Path, count: int, cleanvision: str | None) -> dict[str, Any]:
    """Everything about a set of that many images."""
    root = folder / "data" / "drawn"
    planted = draw(root, 0, count)
    (root / "data.yaml").write_text(
        "train: images/train\nval: images/val\ntest: images/test\nnames: [thing]\n", encoding="utf-8"
    )
    time.sleep(SETTLED_S)
    bare_s = decode_s(root)
    first = checked(folder)
    second = checked(folder)
    draw(root, count, max(1, count // 100))
    time.sleep(SETTLED_S)
    added = checked(folder)
    bare_again_s = decode_s(root)
    bare = min(bare_s, bare_again_s)
    result: dict[str, Any] = {
        "images": count,
        "cores": os.cpu_count(),
        "bare_decode_s": round(bare, 2),
        "first_check_s": round(first.wall_s, 2),
        "first_check_of_bare_decode": round(bare / first.wall_s, 2),
        "second_check_s": round(second.wall_s, 2),
        "one_percent_added_s": round(added.wall_s, 2),
        "one_percent_added_of_first": round(added.wall_s / first.wall_s, 3),
        "peak_mb": round(first.peak_mb),
        "planted": len(planted),
        "ours": found_of(planted, ours(first.out)),
    }
    if cleanvision:
        theirs = timed([cleanvision, "-c", CLEANVISION, str(root / "images"), str(os.cpu_count() or 1)], folder)
        result["cleanvision_s"] = round(theirs.wall_s, 2)
        result["times_cleanvision"] = round(theirs.wall_s / first.wall_s, 1)
        result["cleanvision_peak_mb"] = round(theirs.peak_mb)
        result["cleanvision"] = found_of(planted, of_cleanvision(theirs.out))
    return result


def draw(root: Path, start: int, count: int) -> dict[frozenset[str], str]:
    """Write images with labels; one in a hundred is a changed copy of the one before: the pairs, and the change."""
    for kind in ("images", "labels"):
        for split in set(SPLITS):
            (root / kind / split).mkdir(parents=True, exist_ok=True)
    kinds = list(planted_changes())
    planted = {}
    for number in range(start, start + count):
        if number % 100 == 99:  # noqa: PLR2004 - one in a hundred
            pair = frozenset({name_of(number - 1), name_of(number)})
            planted[pair] = kinds[number // 100 % len(kinds)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: draw_one(root, number), range(start, start + count)))
    return planted


def draw_one(root: Path, number: int) -> None:
    """One image with its label, which follow from the number."""
    is_copy = number % 100 == 99  # noqa: PLR2004 - one in a hundred
    picture = scene(number - is_copy)
    if is_copy:
        changes = planted_changes()
        picture = list(changes.values())[number // 100 % len(changes)](picture)
    name = name_of(number)
    picture.save(root / "images" / name, quality=90)
    label = (root / "labels" / name).with_suffix(".txt")
    label.write_text(f"0 0.5 0.5 {0.2 + number % 7 / 20:.3f} 0.4\n", encoding="utf-8")


def name_of(number: int) -> str:
    """`train/000012.jpg`."""
    return f"{SPLITS[number % len(SPLITS)]}/{number:06d}.jpg"


def scene(seed: int) -> Image.Image:
    """Clouds of several sizes and some rectangles: a picture with the statistics of a photograph."""
    rng = np.random.default_rng(seed)
    picture = clouds(rng, 3)
    for cells, part in ((6, 0.45), (12, 0.35), (40, 0.25), (160, 0.15)):
        picture = Image.blend(picture, clouds(rng, cells), part)
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, w, h = (int(rng.integers(low, high)) for low, high in ((0, 560), (0, 420), (20, 200), (20, 160)))
        pen.rectangle((x, y, x + w, y + h), fill=(*rng.integers(0, 256, size=3).tolist(),))
    return picture


def clouds(rng: np.random.Generator, cells: int) -> Image.Image:
    """Random colours in that many columns, smoothed to the whole size."""
    coarse = rng.integers(0, 256, size=(cells * 3 // 4 + 1, cells, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)


def planted_changes() -> dict[str, Change]:
    """What is done to the planted copies."""
    return {
        "JPEG 40": lambda picture: again(picture, 40),
        "half size": lambda picture: again(picture.resize((picture.width // 2, picture.height // 2)), 80),
        "mirrored": lambda picture: again(ImageOps.mirror(picture), 80),
        "cropped 8 %": lambda picture: again(cropped(picture, 0.08, (0.3, 0.8)), 80),
        "framed": lambda picture: again(ImageOps.pad(picture, (640, 640), color=(114, 114, 114)), 80),
    }


def decode_s(root: Path) -> float:
    """The time to read and decode all images whole, on all cores, and nothing else."""
    files = sorted((root / "images").rglob("*.jpg"))
    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(_decode, files, chunksize=64):
            pass
    return time.perf_counter() - started


def _decode(path: Path) -> None:
    with Image.open(io.BytesIO(path.read_bytes())) as opened:
        opened.load()


def checked(folder: Path) -> Took:
    """`cv-yolo data check` as a person runs it, start included."""
    policy = folder / "policy.yaml"  # so that nothing that a good data set needs is left out
    policy.write_text("rules: {similar_images: warning}\n", encoding="utf-8")
    command = ("data", "check", "data/drawn", "--json", "--policy", str(policy))
    return timed([sys.executable, "-m", "cv_yolo", *command], folder)


def timed(command: Sequence[str], folder: Path) -> Took:
    """Run a program in a project of its own."""
    environment = os.environ | {"CV_YOLO_ROOT": str(folder), "CV_YOLO_HOME": str(folder / ".cv-yolo")}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.DEVNULL)
        peak_bytes = 0
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                family = (process, *process.children(recursive=True))
                peak_bytes = max(peak_bytes, sum(each.memory_info().rss for each in family))
            time.sleep(POLL_S)
        wall_s = time.perf_counter() - started
        out.seek(0)
        return Took(wall_s=wall_s, peak_mb=peak_bytes / 1e6, out=out.read())


def ours(out: str) -> set[frozenset[str]]:
    """The pairs in the findings of `data check`."""
    kinds = {"similar_images", "identical_across_splits", "similar_within_split"}
    places = [place for each in json.loads(out)["findings"] if each["kind"] in kinds for place in each["places"]]
    return {frozenset(name.removeprefix("images/") for name in place.split(" and ")) for place in places}


def of_cleanvision(out: str) -> set[frozenset[str]]:
    """The pairs in its sets of duplicates."""
    sets = json.loads(out.strip().splitlines()[-1])
    names = [["/".join(Path(path).parts[-2:]) for path in each] for each in sets]
    return {frozenset({a, b}) for each in names for a in each for b in each if a < b}


def found_of(planted: dict[frozenset[str], str], found: set[frozenset[str]]) -> dict[str, Any]:
    """Misses by what was done to the copies, and false alarms."""
    missed = [change for pair, change in planted.items() if pair not in found]
    return {
        "missed": len(missed),
        "false_alarms": len(found - planted.keys()),
        "missed_by_change": {change: missed.count(change) for change in sorted(set(missed))},
    }


# -- photographs ------------------------------------------------------------------------------------------------------


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


def grey_of(picture: Image.Image) -> Any:
    """As `data check` looks at it."""
    grey = picture.convert("L")
    factor = min(grey.size) // 96
    return np.asarray(grey.reduce(factor) if factor > 1 else grey)


if __name__ == "__main__":
    sys.exit(main())
