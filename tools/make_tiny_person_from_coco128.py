#!/usr/bin/env python3
"""Make a tiny, person-only detection data set from COCO128.

The images that show at least one person (COCO class 0) are dealt to train, val and test, each to one split at most,
and written as square JPEG images with YOLO labels, a data.yaml and a manifest.json. The same source, counts, size,
seed and Pillow version give the same folder, byte for byte.

Each image is turned upright as its EXIF data say (as Ultralytics does, so labels mean the upright image), made RGB,
scaled whole to fit the square, centred, and padded with grey 114. Boxes are clipped to the image and move with it.
The new folder is complete before it takes the old one's place: a failure leaves the former data untouched.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import lzma
import os
import random
import re
import stat
import struct
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import NoReturn

from PIL import Image, ImageOps

OFFICIAL_URL = "https://github.com/ultralytics/assets/releases/download/v0.0.0/coco128.zip"
SPLITS = ("train", "val", "test")
PERSON = 0
LABEL_FIELDS = ("class", "cx", "cy", "w", "h")
GREY = (114, 114, 114)
JPEG_QUALITY = 95
TIMEOUT_S = 15
CHUNK_BYTES = 256 * 1024
MAX_SOURCE_BYTES = 2 * 1024**3
IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
DATASET_ENTRIES = frozenset({"data.yaml", "images", "labels", "manifest.json"})

# What the libraries raise on damaged bytes; files are opened outside, so that an OSError here is the content's fault.
DAMAGE = (OSError, EOFError, ValueError, TypeError, LookupError, SyntaxError, RuntimeError, struct.error, zlib.error)
ZIP_DAMAGE = (*DAMAGE, zipfile.BadZipFile, lzma.LZMAError)
IMAGE_DAMAGE = (*DAMAGE, Image.DecompressionBombError)

EXAMPLES = """\
examples:
  python tools/make_tiny_person_from_coco128.py
  python tools/make_tiny_person_from_coco128.py --source ~/Downloads/coco128.zip
  python tools/make_tiny_person_from_coco128.py --source datasets/coco128 --counts 20 5 5 --size 160 --seed 7

exit codes: 0 done, 1 a file or folder cannot be read or written, 2 your input, 130 interrupted
"""


class InputError(Exception):
    """What was given cannot be used; the message says what and where, the hint says what to do."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the caller asks for: images per split, side of the square in pixels, and the seed of the draw."""

    source: str
    out: Path
    counts: tuple[int, int, int]
    size_px: int
    seed: int

    def __post_init__(self) -> None:
        if min(self.counts) < 0 or self.counts[0] < 1:
            raise InputError(f"--counts: {self.wanted} cannot be drawn", hint="ask for 1 train, 0 val, 0 test or more")
        if self.size_px < 1 or self.size_px % 32:
            raise InputError(f"--size: {self.size_px} is not a positive multiple of 32", hint="try 320")

    @property
    def wanted(self) -> str:
        """The counts as a person reads them."""
        return " + ".join(f"{count} {split}" for count, split in zip(self.counts, SPLITS, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a person is: centre and size as fractions of the image's width and height (YOLO text)."""

    cx: float
    cy: float
    w: float
    h: float

    def __str__(self) -> str:
        return f"{self.cx:.6f} {self.cy:.6f} {self.w:.6f} {self.h:.6f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """The place of a scaled image in the middle of a square; all lengths in pixels."""

    size_px: int
    left_px: int
    top_px: int
    width_px: int
    height_px: int

    @classmethod
    def fit(cls, image_size_px: tuple[int, int], *, size_px: int) -> Letterbox:
        """Scale (width, height) until the longer side fills the square, and centre it, in whole pixels."""
        longest_px = max(image_size_px)
        width_px, height_px = (max(1, round(side_px * size_px / longest_px)) for side_px in image_size_px)
        left_px, top_px = (size_px - width_px) // 2, (size_px - height_px) // 2
        return cls(size_px=size_px, left_px=left_px, top_px=top_px, width_px=width_px, height_px=height_px)

    def frame(self, image: Image.Image) -> Image.Image:
        """Draw the image in its place on a grey square."""
        square = Image.new("RGB", (self.size_px, self.size_px), GREY)
        scaled = image.resize((self.width_px, self.height_px), Image.Resampling.BILINEAR)
        square.paste(scaled, (self.left_px, self.top_px))
        return square

    def move(self, box: Box) -> Box | None:
        """Clip a box to the image and move it with the image; None when six decimals leave it no area."""
        cx, w = self._move_side(box.cx, box.w, start_px=self.left_px, length_px=self.width_px)
        cy, h = self._move_side(box.cy, box.h, start_px=self.top_px, length_px=self.height_px)
        return Box(cx=cx, cy=cy, w=w, h=h) if min(round(w, 6), round(h, 6)) > 0 else None

    def _move_side(self, centre: float, length: float, *, start_px: int, length_px: int) -> tuple[float, float]:
        low, high = max(centre - length / 2, 0.0), min(centre + length / 2, 1.0)
        return (start_px + (low + high) / 2 * length_px) / self.size_px, (high - low) * length_px / self.size_px


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A source image that shows persons, with their boxes in the square it will become."""

    path: Path
    persons: tuple[Box, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One written image as the manifest lists it: paths inside the data set, sizes in pixels."""

    split: str
    image: str
    image_sha256: str
    label: str
    label_sha256: str
    boxes: int
    width_px: int
    height_px: int
    attributes: Mapping[str, str] = field(default_factory=dict)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        request, as_json = parse(argv)
        summary = make_dataset(request)
    except InputError as error:
        return _complain(str(error), error.hint, code=2)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        return _complain(what, "the former data are untouched; check free space and permissions, and retry", code=1)
    except KeyboardInterrupt:
        return _complain("interrupted", "the data set is as whole as it was; run it again to remake it", code=130)
    print(json.dumps(summary, indent=1) if as_json else as_text(summary))
    return 0


def parse(argv: Sequence[str] | None) -> tuple[Request, bool]:
    """Read the command line; the second value says whether the summary is wanted as JSON."""
    parser = _Parser(description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default=OFFICIAL_URL, help="folder, zip or URL of COCO128 (default: %(default)s)")
    parser.add_argument("--out", type=Path, default="data/tiny_coco", help="folder to make (default: %(default)s)")
    parser.add_argument(
        "--counts",
        type=int,
        nargs=len(SPLITS),
        default=(40, 10, 10),
        metavar=("TRAIN", "VAL", "TEST"),
        help="images per split (default: 40 10 10)",
    )
    parser.add_argument("--size", type=int, default=320, help="side in pixels, a multiple of 32 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    given = parser.parse_args(argv)
    train, val, test = given.counts
    request = Request(
        source=given.source, out=given.out, counts=(train, val, test), size_px=given.size, seed=given.seed
    )
    return request, given.json


def make_dataset(request: Request) -> dict[str, object]:
    """Make the data set next to its place, swap it in whole, and print what was found and written."""
    out = request.out.resolve()
    _refuse_foreign_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{out.name}.making-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=out.parent, ignore_cleanup_errors=True) as temporary:
        work = Path(temporary)
        settle(out, work=work)
        root = open_source(request.source, work=work, out=out)
        candidates, tally = survey(root, size_px=request.size_px)
        entries = write_images(draw(candidates, request), work / "new", size_px=request.size_px)
        revision = write_description(work / "new", entries, request)
        swap_in(work / "new", out, work=work)
    written = {split: [entry.boxes for entry in entries if entry.split == split] for split in SPLITS}
    return {
        **tally,
        "images_written": {split: len(boxes) for split, boxes in written.items()},
        "boxes_written": {split: sum(boxes) for split, boxes in written.items()},
        "revision": revision,
        "out": str(request.out),
    }


def as_text(summary: Mapping[str, object]) -> str:
    """Write the summary as a person reads it, one line a fact."""
    lines = []
    for key, value in summary.items():
        text = ", ".join(f"{count} {split}" for split, count in value.items()) if isinstance(value, dict) else value
        lines.append(f"{key.replace('_', ' '):<22}{text}")
    return "\n".join(lines)


def open_source(source: str, *, work: Path, out: Path) -> Path:
    """Return the folder that holds images/ and labels/, after downloading and unpacking where needed."""
    path, name = Path(source).expanduser(), _public(source)
    if "://" in source:
        path = download(source, work / "source.zip")
    elif not path.exists():
        raise InputError(f"{name}: no such file or folder", hint="--source takes a folder, a zip or a URL")
    folder = path if path.is_dir() else unpack(path, work / "source", name=name)
    root = _find_root(folder, name=name, out=out)
    used = (root if path.is_dir() else path).resolve()
    if used == out or out in used.parents or used in out.parents:
        raise InputError(f"--out {out} and the source {used} overlap", hint="choose another --out")
    return root


def download(url: str, target: Path) -> Path:
    """Fetch an http, https or file address into a file, with progress on standard error."""
    if not url.lower().startswith(("http://", "https://", "file://")):
        raise InputError(f"{_public(url)}: not an http, https or file address", hint="download it and pass the file")
    print(f"downloading {_public(url)}", file=sys.stderr)
    with target.open("wb") as file:
        for chunk in _receive(url):
            file.write(chunk)
    return target


def unpack(archive: Path, folder: Path, *, name: str) -> Path:
    """Unpack a sound and harmless zip; anything else is refused before a single file is written."""
    with archive.open("rb") as file:
        try:
            bundle = zipfile.ZipFile(file)
            _refuse_harmful_members(bundle.infolist(), name=name)
            if damaged := bundle.testzip():
                raise zipfile.BadZipFile(f"{damaged} is damaged")
        except ZIP_DAMAGE as error:
            hint = "download it again, or pass another zip or an unpacked folder"
            raise InputError(f"{name}: not a sound zip file ({error})", hint=hint) from error
        bundle.extractall(folder)
    return folder


def survey(root: Path, *, size_px: int) -> tuple[list[Candidate], dict[str, int]]:
    """Check every image and its label; return the different images with persons by name, and what was counted."""
    images, labels = _by_name(root / "images", IMAGE_SUFFIXES), _by_name(root / "labels", {".txt"})
    with_persons = boxes_dropped = 0
    candidates: dict[str, Candidate] = {}
    for name, path in images.items():
        content = path.read_bytes()
        letterbox = Letterbox.fit(decode(content, name=_inside(root, path)).size, size_px=size_px)
        persons = read_persons(labels[name], name=_inside(root, labels[name])) if name in labels else []
        moved = tuple(box for box in map(letterbox.move, persons) if box)
        boxes_dropped += len(persons) - len(moved)
        if moved:
            with_persons += 1
            candidates.setdefault(hashlib.sha256(content).hexdigest(), Candidate(path=path, persons=moved))
    tally = {
        "images_found": len(images),
        "images_with_persons": with_persons,
        "images_given_twice": with_persons - len(candidates),
        "images_without_label": len(images.keys() - labels.keys()),
        "labels_without_image": len(labels.keys() - images.keys()),
        "boxes_dropped": boxes_dropped,
    }
    return list(candidates.values()), tally


def decode(content: bytes, *, name: str) -> Image.Image:
    """Decode an image to its last pixel, upright and in RGB."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            return ImageOps.exif_transpose(image).convert("RGB")
    except IMAGE_DAMAGE as error:
        message = f"{name}: does not decode ({error})"
        raise InputError(message, hint="replace the image, or download the source again") from error


def read_persons(label: Path, *, name: str) -> list[Box]:
    """Check every line of a YOLO label file and return its persons; blank lines are allowed."""
    persons = []
    for number, line in enumerate(label.read_text(encoding="utf-8-sig", errors="replace").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            class_id, box = _parse_line(line)
        except ValueError as error:
            message = f"{name}, line {number}: {error}, found {line.strip()[:80]!r}"
            raise InputError(message, hint="correct the line, or download the source again") from error
        if class_id == PERSON:
            persons.append(box)
    return persons


def draw(candidates: Iterable[Candidate], request: Request) -> dict[str, list[Candidate]]:
    """Shuffle the candidates with the seed and deal each to one split at most."""
    shuffled, needed = list(candidates), sum(request.counts)
    if len(shuffled) < needed:
        message = f"too few images with persons: {len(shuffled)} found, {needed} needed ({request.wanted})"
        raise InputError(message, hint="ask for fewer with --counts, or give a larger --source")
    random.Random(request.seed).shuffle(shuffled)
    rest = iter(shuffled)
    return {split: list(itertools.islice(rest, count)) for split, count in zip(SPLITS, request.counts, strict=True)}


def write_images(drawn: Mapping[str, Iterable[Candidate]], folder: Path, *, size_px: int) -> list[Entry]:
    """Write the images and labels of every split, and return them in the manifest's order."""
    entries = []
    for split, candidates in drawn.items():
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        entries += [_write_image(candidate, split, folder=folder, size_px=size_px) for candidate in candidates]
    return sorted(entries, key=lambda entry: entry.image)


def write_description(folder: Path, entries: Sequence[Entry], request: Request) -> str:
    """Write data.yaml and manifest.json, and return the revision: the hash of classes, splits and contents."""
    used = [split for split, count in zip(SPLITS, request.counts, strict=True) if count]
    _write_text(folder / "data.yaml", "".join(f"{split}: images/{split}\n" for split in used) + "names:\n  0: person\n")
    lines = [f"{entry.split}\t{entry.image}\t{entry.image_sha256}\t{entry.label_sha256}\n" for entry in entries]
    revision = hashlib.sha256("".join(["classes\tperson\n", *lines]).encode()).hexdigest()
    manifest = {
        "format": 1,
        "name": request.out.resolve().name,
        "classes": ["person"],
        "origin": {"tool": "make_tiny_person_from_coco128", "seed": request.seed, "size_px": request.size_px},
        "images": [asdict(entry) for entry in entries],
        "revision": revision,
    }
    _write_text(folder / "manifest.json", json.dumps(manifest, indent=1, sort_keys=False) + "\n")
    return revision


def swap_in(new: Path, out: Path, *, work: Path) -> None:
    """Put the new folder in the old one's place; whatever goes wrong, one of them is there afterwards, whole."""
    try:
        if out.exists():
            out.rename(_former(out))
        new.rename(out)
    finally:
        settle(out, work=work)


def settle(out: Path, *, work: Path) -> None:
    """End a swap, even one that was killed half-way: put the former folder back, or away when it was replaced."""
    if _former(out).exists():
        _former(out).rename(Path(tempfile.mkdtemp(dir=work), "former") if out.exists() else out)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints look like every other complaint of this tool."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message, hint="see --help")


def _complain(message: str, hint: str, *, code: int) -> int:
    print(f"error: {message}\nhint: {hint}", file=sys.stderr)
    return code


def _former(out: Path) -> Path:
    return out.with_name(f".{out.name}.former")


def _refuse_foreign_folder(out: Path) -> None:
    """Only a folder that holds a data set and nothing else may be replaced."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file", hint="choose a folder")
    foreign = sorted({path.name for path in out.iterdir()} - DATASET_ENTRIES) if out.exists() else []
    if foreign:
        message = f"--out {out}: would be replaced, but holds more than a data set ({', '.join(foreign[:3])})"
        raise InputError(message, hint="choose another --out, or empty the folder yourself")


def _find_root(folder: Path, *, name: str, out: Path) -> Path:
    """Return the folder itself, or its only sub-folder, with images/ and labels/; the one to make does not count."""
    inner = sorted(path for path in folder.iterdir() if path.resolve() != out and not path.name.startswith("."))
    roots = [folder] if _is_root(folder) else [path for path in inner if _is_root(path)]
    if len(roots) != 1:
        found = ", ".join(path.name for path in roots) or "none"
        message = f"{name}: one folder with images/ and labels/ is needed, found {found}"
        raise InputError(message, hint="pass the coco128 folder, the folder that contains it, or its zip")
    return roots[0]


def _is_root(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "labels").is_dir()


def _public(source: str) -> str:
    """Strip an address of the password or token it may carry; leave a path as it is."""
    return re.sub("//[^/]*@", "//", source.partition("?")[0]) if "://" in source else source


def _receive(url: str) -> Iterator[bytes]:
    """Yield the bytes behind an address: all of them, or an error that says what to do instead."""
    hint = "download it elsewhere, for example with a browser, and pass the file: --source FILE"
    received = expected = 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            expected = int(response.headers.get("Content-Length") or 0)
            while max(received, expected) <= MAX_SOURCE_BYTES and (chunk := response.read(CHUNK_BYTES)):
                received += len(chunk)
                _print_progress(received, expected)
                yield chunk
    except (OSError, HTTPException, ValueError) as error:
        raise InputError(f"{_public(url)}: cannot be downloaded ({error})", hint=hint) from error
    if max(received, expected) > MAX_SOURCE_BYTES:
        raise InputError(f"{_public(url)}: larger than {MAX_SOURCE_BYTES:,} bytes", hint="pass the address of COCO128")
    if received < expected:
        raise InputError(f"{_public(url)}: download ended at {received:,} of {expected:,} bytes", hint=hint)


def _print_progress(received: int, expected: int) -> None:
    """Update one line of progress in a terminal."""
    if sys.stderr.isatty():
        total = f" of {expected / 1e6:.1f}" if expected else ""
        print(f"\r{received / 1e6:.1f}{total} MB ", end="\n" if received == expected else "", file=sys.stderr)


def _refuse_harmful_members(members: Iterable[zipfile.ZipInfo], *, name: str) -> None:
    """Refuse links, members outside the zip's folder, and more bytes than COCO128 could need."""
    hint = "do not use this file; the official one is " + OFFICIAL_URL
    unpacked_bytes = 0
    for member in members:
        place = member.orig_filename.replace("\\", "/")
        outside = place.startswith("/") or ".." in PurePosixPath(place).parts or re.match("[A-Za-z]:", place)
        if outside or stat.S_ISLNK(member.external_attr >> 16):
            raise InputError(f"{name}: would write outside its folder ({member.orig_filename!r})", hint=hint)
        unpacked_bytes += member.file_size
    if unpacked_bytes > MAX_SOURCE_BYTES:
        raise InputError(f"{name}: {unpacked_bytes:,} bytes unpacked, {MAX_SOURCE_BYTES:,} allowed", hint=hint)


def _by_name(folder: Path, suffixes: Iterable[str]) -> dict[str, Path]:
    """Find the visible files below a folder by lower-case stem; two of one name would overwrite each other."""

    def fail(error: OSError) -> NoReturn:
        raise error

    files: dict[str, Path] = {}
    found = (Path(parent, name) for parent, _, names in os.walk(folder, onerror=fail) for name in names)
    for path in sorted(found, key=lambda path: path.name):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            twin = files.setdefault(path.stem.casefold(), path)
            if twin is not path:
                message = f"{_inside(folder.parent, twin)} and {_inside(folder.parent, path)} have the same name"
                raise InputError(message, hint="rename one of them, image and label alike")
    return files


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _parse_line(line: str) -> tuple[int, Box]:
    """Read `class cx cy w h`; a ValueError says what is wrong."""
    fields = line.split()
    if len(fields) != len(LABEL_FIELDS):
        wanted = f"{len(LABEL_FIELDS)} ({' '.join(LABEL_FIELDS)})"
        raise ValueError(f"{len(fields)} fields instead of {wanted}")
    try:
        class_id, cx, cy, w, h = int(fields[0]), *map(float, fields[1:])
    except ValueError:
        raise ValueError("not a whole class number and four numbers") from None
    if class_id < 0:
        raise ValueError("class below 0")
    if not all(0 <= value <= 1 for value in (cx, cy, w, h)):
        raise ValueError("a value outside [0, 1]")
    if min(w, h) == 0:
        raise ValueError("a box without width or height")
    return class_id, Box(cx=cx, cy=cy, w=w, h=h)


def _write_image(candidate: Candidate, split: str, *, folder: Path, size_px: int) -> Entry:
    """Write one image and its label into a split of the folder."""
    name = candidate.path.stem
    image, label = f"images/{split}/{name}.jpg", f"labels/{split}/{name}.txt"
    upright = decode(candidate.path.read_bytes(), name=candidate.path.name)
    square = Letterbox.fit(upright.size, size_px=size_px).frame(upright)
    square.save(folder / image, format="JPEG", quality=JPEG_QUALITY)
    _write_text(folder / label, "".join(f"{PERSON} {box}\n" for box in candidate.persons))
    return Entry(
        split=split,
        image=image,
        image_sha256=_sha256(folder / image),
        label=label,
        label_sha256=_sha256(folder / label),
        boxes=len(candidate.persons),
        width_px=size_px,
        height_px=size_px,
    )


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
