"""An image file as training will read it: which format it really is, whether it decodes, how large it is upright."""

import hashlib
import io
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np
from PIL import Image, ImageOps

from cv_yolo.adapters.yolo.entries import bytes_of, start_of
from cv_yolo.domain.data.likeness import Likeness, likeness_of
from cv_yolo.errors import DatasetError

MOST_PX: Final = 178_956_970  # where Pillow refuses a picture as a decompression bomb
SMALLEST_SIDE_PX: Final = 10  # Ultralytics leaves out what is smaller
ORIENTATION: Final = 274  # EXIF's number for how a picture was held
UPRIGHT: Final = 1
LONGEST_START: Final = 64  # bytes by which a format is known
SIDEWAYS: Final = range(5, 9)  # width and height change places
LIKENESS_PX: Final = 96  # a JPEG is decoded at an eighth, a quarter or half of its size, but not below this
RESTORE: Final = "restore the file, or remove it together with its label"
CONVERT: Final = "convert it to JPEG or PNG of 8 bits, or remove it together with its label"
READABLE: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
)
FOREIGN: Final = (
    (b"GIF8", "a GIF"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"8BPS", "a Photoshop file"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"version https://git-lfs", "a pointer of Git LFS, whose picture was not fetched (`git lfs pull`)"),
    (b"<", "a page of text (HTML, SVG or XML)"),
)
BRANDS: Final = {
    **dict.fromkeys((b"avif", b"avis"), "an AVIF picture"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "a HEIC picture"),
}
# What OpenCV is known to read like Pillow; all else is decoded by OpenCV too.
PLAIN: Final = {
    *(("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("BMP", "RGB")),
    *(("WEBP", "RGB"), ("WEBP", "RGBA")),
}
FLOATS_AND_WHOLE: Final = {"F", "I"}
_HEADERS: Final = threading.Lock()  # Pillow's limit is one of the process
COMPARABLE: Final = {"RGB", "RGBA", "L", "P", "CMYK"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPicture:
    """The result of reading an image file; `likeness` is None where its levels cannot be compared.

    `decoded_as_in_training` is False where only OpenCV could say, and it is not installed.
    """

    sha256: str
    md5: str
    width_px: int
    height_px: int
    frames: int
    is_deep: bool
    decoded_as_in_training: bool
    likeness: Likeness | None


def read_picture(path: Path, *, most_px: int = MOST_PX) -> ReadPicture:
    """Read and decode an image once; raises `DatasetError` that names the file where training could not use it.

    A picture of more than `most_px` is not decoded. A JPEG is decoded at a smaller size, as libjpeg does it: all of its
    data are read and decompressed, so that what is cut off is found, and only the inverse transform is shortened.
    """
    data = bytes_of(path)
    _require_readable_format(path, data)
    try:
        with header_of(io.BytesIO(data)) as opened:
            _require_few_pixels(path, opened.size, most_px)
            frames, mode, orientation = getattr(opened, "n_frames", 1), opened.mode, _orientation(opened)
            plain = (opened.format, mode) in PLAIN and orientation == UPRIGHT and frames == 1
            size = opened.size[::-1] if orientation in SIDEWAYS else opened.size
            drafted = opened.draft("L", (LIKENESS_PX, LIKENESS_PX)) is not None
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)  # TIFF files are upright after loading
            width_px, height_px = size if drafted else opened.size
            likeness = _likeness(opened) if mode in COMPARABLE else None
    except DatasetError:
        raise
    except Exception as error:  # Pillow's readers raise many kinds for damaged bytes
        raise _does_not_decode(path, str(error), RESTORE) from error
    if min(width_px, height_px) < SMALLEST_SIDE_PX:
        raise DatasetError(
            f"{path}: {width_px} x {height_px} px: training leaves out what is under {SMALLEST_SIDE_PX} px",
            hint="remove the image together with its label",
        )
    if mode in FLOATS_AND_WHOLE:
        raise DatasetError(f"{path}: 32 bits for each value: training cannot read that", hint=CONVERT)
    return ReadPicture(
        sha256=hashlib.sha256(data).hexdigest(),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        width_px=width_px,
        height_px=height_px,
        frames=frames,
        is_deep=mode.startswith("I;16"),
        decoded_as_in_training=plain or _is_decoded_by_opencv(path, data, (width_px, height_px)),
        likeness=likeness,
    )


def header_of(source: IO[bytes] | Path) -> Image.Image:
    """An image that is opened, and not decoded. Pillow's own limit of pixels, a warning first, makes room for ours."""
    with _HEADERS:
        former, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source)
        finally:
            Image.MAX_IMAGE_PIXELS = former


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of an image by its header, upright; raises `DatasetError` as `read_picture` does."""
    _require_readable_format(path, start_of(path, LONGEST_START))
    try:
        with header_of(path) as opened:
            width_px, height_px = opened.size
            sideways = Image.Image.getexif(opened).get(ORIENTATION) in SIDEWAYS  # PNG's own would decode the picture
    except Exception as error:  # Pillow's readers raise many kinds for damaged bytes
        raise _does_not_decode(path, str(error), RESTORE) from error
    return (height_px, width_px) if sideways else (width_px, height_px)


def _require_few_pixels(path: Path, size: tuple[int, int], most_px: int) -> None:
    if size[0] * size[1] > most_px:
        raise DatasetError(
            f"{path}: {size[0]} x {size[1]} px: more than {most_px / 1e6:.3g} megapixels are not decoded",
            hint="scale it down, or raise the limit: CV_YOLO_MAX_MEGAPIXELS=…",
        )


def _require_readable_format(path: Path, data: bytes) -> None:
    """The content decides, not the suffix; a format that training would silently skip is named."""
    if data.startswith(tuple(start for start, _ in READABLE)) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return
    if not data:
        raise _does_not_decode(path, "the file is empty", RESTORE)
    what = next((name for start, name in FOREIGN if data.startswith(start)), None)
    if data[4:8] == b"ftyp":
        what = BRANDS.get(data[8:12], "a film, or a picture in a film's container")
    if what is None:
        raise _does_not_decode(path, "neither JPEG, PNG, BMP, WebP nor TIFF", RESTORE)
    raise _does_not_decode(path, f"it is {what}, not a picture that training reads", CONVERT)


def _orientation(opened: Image.Image) -> int:
    return int(opened.getexif().get(ORIENTATION, UPRIGHT))


def _likeness(upright: Image.Image) -> Likeness:
    grey = upright if upright.mode == "L" else upright.convert("L")
    factor = min(grey.size) // LIKENESS_PX
    return likeness_of(np.asarray(grey.reduce(factor) if factor > 1 else grey))


def _is_decoded_by_opencv(path: Path, data: bytes, size: tuple[int, int]) -> bool:
    """Decode with the library that training reads images with; False where it is not installed."""
    try:
        import cv2
    except ImportError:
        return False
    decoded = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise _does_not_decode(path, "OpenCV, with which training reads images, cannot read this kind", CONVERT)
    found = (decoded.shape[1], decoded.shape[0])
    if found != size:
        raise DatasetError(
            f"{path}: {size[0]} x {size[1]} px by its orientation tag, {found[0]} x {found[1]} px for training",
            hint="save the image upright, without the tag, and check its label",
        )
    return True


def _does_not_decode(path: Path, why: str, hint: str) -> DatasetError:
    return DatasetError(f"{path}: does not decode: {' '.join(why.split())}", hint=hint)
