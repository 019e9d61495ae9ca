"""Image files of every kind: what training reads is accepted with the same size, all else is refused by name."""

import builtins
import io
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.adapters.yolo.image_files import read_picture, upright_size
from cv_yolo.errors import DatasetError
from tests.yolo_data import FOLDER, a_small_data_set, findings_of, noise, put_label, refused

ORIENTATION = 274
PICTURE = noise(5)
DEEP = np.random.default_rng(6).integers(0, 65536, size=(48, 64)).astype(np.uint16)
FLOATS = np.random.default_rng(7).random((48, 64)).astype(np.float32)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


def put(root: Path, name: str, picture: Image.Image | bytes, **how: Any) -> Path:
    path = root / "images" / "train" / name
    if isinstance(picture, bytes):
        path.write_bytes(picture)
    else:
        picture.save(path, **how)
    put_label(root, f"train/{name}")
    return path


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def turned(orientation: int) -> dict[str, Any]:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return {"exif": exif}


def as_in_training(path: Path) -> Any:
    """The pixels, blue first, as Ultralytics reads them: it decodes the bytes of the file with OpenCV."""
    return cv2.imdecode(np.frombuffer(path.read_bytes(), dtype=np.uint8), cv2.IMREAD_COLOR)


def size_of(root: Path, name: str) -> tuple[int, int]:
    (record,) = [each for each in FOLDER.scan(root).images if each.image.endswith(f"/{name}")]
    return record.width_px, record.height_px


READ: list[tuple[str, Any, dict[str, Any]]] = [
    ("rgb.jpg", PICTURE, {}),
    ("progressive.jpg", PICTURE, {"progressive": True}),
    ("grey.jpg", PICTURE.convert("L"), {}),
    ("cmyk.jpg", PICTURE.convert("CMYK"), {}),
    ("rgb.png", PICTURE, {}),
    ("rgba.png", PICTURE.convert("RGBA"), {}),
    ("grey_alpha.png", PICTURE.convert("LA"), {}),
    ("palette.png", PICTURE.convert("P"), {}),
    ("one_bit.png", PICTURE.convert("1"), {}),
    ("rgb.bmp", PICTURE, {}),
    ("palette.bmp", PICTURE.convert("P"), {}),
    ("rgb.webp", PICTURE, {}),
    ("lossless.webp", PICTURE.convert("RGBA"), {"lossless": True}),
    ("rgb.tif", PICTURE, {}),
    ("lzw.tiff", PICTURE, {"compression": "tiff_lzw"}),
    ("jpeg.tif", PICTURE, {"compression": "jpeg"}),
    ("cmyk.tif", PICTURE.convert("CMYK"), {}),
    ("palette.tif", PICTURE.convert("P"), {}),
    ("UPPER.JPG", PICTURE, {}),
]


@pytest.mark.parametrize(("name", "picture", "how"), READ, ids=[name for name, *_ in READ])
def test_images_have_the_size_that_opencv_reads(root: Path, name: str, picture: Image.Image, how: Any) -> None:
    path = put(root, name, picture, **how)
    height_px, width_px = as_in_training(path).shape[:2]
    assert size_of(root, name) == (width_px, height_px) == (64, 48)
    assert findings_of(root) == {}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_held_otherwise_has_the_size_that_training_sees(root: Path, suffix: str, orientation: int) -> None:
    name = f"held{suffix}"
    path = put(root, name, PICTURE, **turned(orientation))
    height_px, width_px = as_in_training(path).shape[:2]
    assert size_of(root, name) == (width_px, height_px) == ((64, 48) if orientation < 5 else (48, 64))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("png.jpg", encoded(PICTURE, "PNG")),
        ("webp.jpg", encoded(PICTURE, "WEBP")),
        ("tiff.jpg", encoded(PICTURE, "TIFF")),
        ("jpeg.png", encoded(PICTURE, "JPEG")),
        ("jpeg.tif", encoded(PICTURE, "JPEG")),
        ("phone.jpg", encoded(PICTURE, "MPO", save_all=True, append_images=[noise(9)])),
        ("trailing.jpg", encoded(PICTURE, "JPEG") + b"\0" * 99),
    ],
)
def test_a_wrong_suffix_does_not_matter_where_the_content_can_be_read(root: Path, name: str, content: bytes) -> None:
    put(root, name, content)
    assert size_of(root, name) == (64, 48)


SEVERAL = {"save_all": True, "append_images": [noise(8)]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pages.tif", encoded(PICTURE, "TIFF", **SEVERAL)),
        ("film.webp", encoded(PICTURE, "WEBP", **SEVERAL)),
        ("film.png", encoded(PICTURE, "PNG", **SEVERAL)),
        ("phone.jpg", encoded(PICTURE, "MPO", **SEVERAL)),
    ],
)
def test_of_several_pictures_in_a_file_the_first_is_used_and_that_is_reported(
    root: Path, name: str, content: bytes
) -> None:
    path = put(root, name, content)
    with Image.open(path) as opened:
        first = np.asarray(opened.convert("RGB"), dtype=float)
    assert findings_of(root) == {"files_with_several_pictures": 1}
    assert np.abs(as_in_training(path)[..., ::-1] - first).mean() < 5  # two of noise differ by 85


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_sixteen_bits_are_read_and_reported(root: Path, name: str) -> None:
    put(root, name, Image.fromarray(DEEP))
    assert size_of(root, name) == (64, 48)
    assert findings_of(root) == {"images_of_16_bits": 1}


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.jpg", encoded(PICTURE, "GIF"), "a GIF"),
        ("z.png", encoded(PICTURE, "GIF", **SEVERAL), "a GIF"),
        ("a.jpg", encoded(PICTURE, "JPEG2000"), "a JPEG 2000 picture"),
        ("a.jpg", b"\0\0\0\x1cftypavif\0\0\0\0", "an AVIF picture"),
        ("a.jpg", b"\0\0\0\x1cftypheic\0\0\0\0", "a HEIC picture"),
        ("a.jpg", b"\0\0\0\x1cftypmif1\0\0\0\0", "a HEIC picture"),
        ("a.jpg", b"\0\0\0\x1cftypisom\0\0\0\0", "a film"),
        ("a.jpg", b"%PDF-1.7", "a PDF"),
        ("a.jpg", b"PK\x03\x04", "a zip archive"),
        ("a.jpg", b"8BPS", "a Photoshop file"),
        ("a.jpg", b"<!DOCTYPE html>", "a page of text"),
        ("z.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a page of text"),
        ("a.jpg", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
    ],
)
def test_another_format_under_a_known_suffix_is_named(root: Path, name: str, content: bytes, what: str) -> None:
    path = put(root, name, content)
    assert refused(root).message.startswith(f"{path}: does not decode: it is {what}")


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PPM", "PCX", "DDS", "SGI"])
def test_a_format_that_training_skips_is_refused(root: Path, kind: str) -> None:
    path = put(root, "z.jpg", encoded(PICTURE, kind))
    assert refused(root).message == f"{path}: does not decode: neither JPEG, PNG, BMP, WebP nor TIFF"


@pytest.mark.parametrize(
    "picture", [Image.fromarray(FLOATS), Image.fromarray(DEEP.astype(np.int32))], ids=["floats", "whole numbers"]
)
def test_a_tiff_of_32_bits_is_refused(root: Path, picture: Image.Image) -> None:
    path = put(root, "deep.tif", picture)
    error = refused(root)
    assert error.message == f"{path}: 32 bits for each value: training cannot read that"
    assert "8 bits" in str(error.hint)


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\xff\xd8\xff\xe0 half a header", b"II*\0", b"BM", b"RIFF\0\0\0\0WEBP"]
)
def test_an_image_that_does_not_decode_is_named(root: Path, content: bytes) -> None:
    path = put(root, "a.jpg", content)
    error = refused(root)
    assert error.message.startswith(f"{path}: does not decode: ")
    assert "restore the file" in str(error.hint)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tif"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
def test_an_image_that_is_cut_off_is_named(root: Path, name: str, kept: float) -> None:
    path = put(root, name, PICTURE)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    message = refused(root).message
    assert f"{path}: does not decode: " in message


def test_images_of_more_pixels_than_the_limit_are_named(root: Path) -> None:
    with pytest.raises(DatasetError, match="3 problems") as refusal:
        YoloFolder(most_px=1000).scan(root)
    assert f"{root / 'images' / 'train' / 'a.jpg'}: 64 x 48 px: more than 0.001 megapixels" in refusal.value.message


@pytest.mark.parametrize("size", [(1, 1), (9, 100), (100, 9)])
def test_an_image_that_training_would_leave_out_as_too_small_is_refused(root: Path, size: tuple[int, int]) -> None:
    path = put(root, "small.png", noise(3, size))
    assert refused(root).message.startswith(
        f"{path}: {size[0]} x {size[1]} px: training leaves out what is under 10 px"
    )


def test_an_image_of_ten_pixels_is_read(root: Path) -> None:
    put(root, "small.png", noise(3, (10, 10)))
    assert size_of(root, "small.png") == (10, 10)


def test_images_that_opencv_cannot_read_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: None)
    path = put(root, "cmyk.tif", PICTURE.convert("CMYK"))
    assert refused(root).message.startswith(f"{path}: does not decode: OpenCV, with which training reads images")


def test_a_size_that_opencv_sees_otherwise_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying = np.zeros((48, 64, 3), dtype=np.uint8)
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: lying)
    path = put(root, "held.jpg", PICTURE, **turned(6))
    assert refused(root).message == f"{path}: 48 x 64 px by its orientation tag, 64 x 48 px for training"


def test_without_opencv_unusual_images_are_reported_as_not_decoded_and_the_others_are_fine(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(root, "cmyk.jpg", PICTURE.convert("CMYK"))
    monkeypatch.delitem(sys.modules, "cv2")
    imported = builtins.__import__

    def without_opencv(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "cv2":
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_opencv)
    (finding,) = FOLDER.scan(root).findings
    assert (finding.kind, finding.examples) == ("images_not_decoded_as_in_training", ("images/train/cmyk.jpg",))
    assert "ultralytics" in finding.sentence


def test_an_image_is_named_where_another_library_took_over_pillows_reader(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: Any, **keywords: Any) -> Any:
        raise ModuleNotFoundError("No module named 'pi_heif'")  # as Ultralytics' does for what it does not know

    monkeypatch.setattr(Image, "open", missing)
    assert f"{root / 'images' / 'train' / 'a.jpg'}: does not decode: " in refused(root).message


def bomb(path: Path, side_px: int) -> Path:
    """A PNG whose header says how large it is, and that has next to no bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((side_px // 8 + 1) * side_px))
    start = b"\x89PNG\r\n\x1a\n"
    path.write_bytes(start + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def test_a_picture_of_too_many_pixels_is_refused_by_its_size_and_never_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    path = bomb(tmp_path / "a.png", 14_000)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda *_: pytest.fail("was decoded"))
    with pytest.raises(
        DatasetError, match=r"a\.png: 14000 x 14000 px: more than 179 megapixels are not decoded"
    ) as refusal:
        read_picture(path)
    assert "CV_YOLO_MAX_MEGAPIXELS" in (refusal.value.hint or "")
    assert upright_size(path) == (14_000, 14_000)
    assert not recwarn.list


def test_the_limit_of_pixels_can_be_raised_above_pillows_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    noise(1, (64, 48)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").width_px == 64
    with pytest.raises(DatasetError, match=r"64 x 48 px: more than 0\.00307 megapixels"):
        read_picture(tmp_path / "a.png", most_px=3071)
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert not recwarn.list


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_by_the_header_is_that_of_the_decoded_picture(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    noise(1, (64, 48)).save(tmp_path / "a.jpg", exif=exif)
    picture = read_picture(tmp_path / "a.jpg")
    assert upright_size(tmp_path / "a.jpg") == (picture.width_px, picture.height_px)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_is_cut_off_is_found_wherever_though_it_is_decoded_at_a_smaller_size(
    tmp_path: Path, mode: str, progressive: bool
) -> None:
    whole = tmp_path / "whole.jpg"
    noise(5, (800, 640)).convert(mode).save(whole, quality=70, progressive=progressive)
    data = whole.read_bytes()
    read = read_picture(whole)
    assert (read.width_px, read.height_px) == (800, 640)
    for end in (*range(300, len(data) - 2, len(data) // 23), len(data) - 40):
        cut = tmp_path / "cut.jpg"
        cut.write_bytes(data[:end])
        with pytest.raises(DatasetError, match="does not decode"):
            read_picture(cut)


def test_a_jpeg_is_accepted_at_a_smaller_size_exactly_where_it_is_at_its_own(tmp_path: Path) -> None:
    path = tmp_path / "damaged.jpg"
    noise(6, (400, 320)).save(path, quality=60)
    data, rng = path.read_bytes(), np.random.default_rng(0)
    verdicts = set()
    for _ in range(150):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), size=rng.integers(1, 6)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged[: rng.integers(len(data) // 2, len(data) + 1)] if rng.random() < 0.3 else damaged)
        assert is_read(path) == is_decoded(path)
        verdicts.add(is_read(path))
    assert verdicts == {True, False}


def is_read(path: Path) -> bool:
    try:
        read_picture(path)
    except DatasetError:
        return False
    return True


def is_decoded(path: Path) -> bool:
    try:
        with Image.open(path) as opened:
            opened.load()
    except Exception:  # noqa: BLE001 - Pillow's readers raise many kinds for damaged bytes
        return False
    return min(opened.size) >= 10
