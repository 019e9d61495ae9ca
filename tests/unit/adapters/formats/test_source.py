"""The folder of a source: images are found as annotations name them, measured upright, and never guessed."""

import os
import struct
import zlib
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from cv_yolo.adapters.formats import coco
from cv_yolo.adapters.formats.source import (
    SourceFolder,
    files_below,
    reference_parts,
    split_of_file,
    split_of_folder,
    upright_size,
)
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.manifest import Split
from tests.annotation_files import picture, pictures, put_text, without_places

COCO128 = Path(os.environ.get("CV_YOLO_COCO128", Path(__file__).parents[5] / "shared" / "data" / "coco128"))


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train/a.jpg", Split.TRAIN),
        ("images/Training/a.jpg", Split.TRAIN),
        ("val2017/a.jpg", Split.VAL),
        ("valid/images/a.jpg", Split.VAL),
        ("validation_set/a.jpg", Split.VAL),
        ("test-2019/a.jpg", Split.TEST),
        ("testing/a.jpg", Split.TEST),
        ("trainval/a.jpg", None),
        ("train/test/a.jpg", None),
        ("train_station/a.jpg", None),
        ("a/train.jpg", None),
    ],
)
def test_a_folder_names_a_split_by_its_whole_name(path: str, split: Split | None) -> None:
    assert split_of_folder(PurePosixPath(path)) is split


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("annotations/instances_train2017.json", Split.TRAIN),
        ("annotations/my-validation.coco.json", Split.VAL),
        ("train/_annotations.coco.json", Split.TRAIN),
        ("annotations/train_test.json", None),
        ("test/train_val.json", Split.TEST),
        ("annotations/contest.json", None),
    ],
)
def test_a_file_names_a_split_by_a_word_of_its_name(path: str, split: Split | None) -> None:
    assert split_of_file(PurePosixPath(path)) is split


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("a/b.jpg", ("a", "b.jpg")),
        ("../../etc/passwd", ("etc", "passwd")),
        ("file:///a/b.jpg", ("a", "b.jpg")),
        ("/data/upload/12/b.jpg", ("b.jpg",)),
        ("/data/local-files/?d=a%20b/c.jpg", ("a b", "c.jpg")),
        ("https://host/a.jpg?d=b/c.jpg", ("b", "c.jpg")),
        ("what?.jpg", ("what?.jpg",)),
        ("", ()),
    ],
)
def test_a_reference_is_taken_apart(reference: str, parts: tuple[str, ...]) -> None:
    assert reference_parts(reference) == parts


def test_links_are_followed_once_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    pictures(tmp_path, ["real/a.jpg", "source/b.jpg", "source/.c.jpg"])
    (tmp_path / "source" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "source" / "round").symlink_to(tmp_path / "source")
    assert [str(path) for path in files_below(tmp_path / "source")] == ["b.jpg", "linked/a.jpg"]


def test_the_path_in_a_reference_counts_before_the_name(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "cam1/a.jpg", "cam2/a.jpg", "old/cam2/a.jpg"])
    source = SourceFolder(tmp_path)
    assert str(source.find("a.jpg", where="1")) == "a.jpg"
    assert str(source.find("cam1/a.jpg", where="2")) == "cam1/a.jpg"
    assert str(source.find("cam2/a.jpg", where="3")) == "cam2/a.jpg"
    assert str(source.find("/mnt/old/cam2/a.jpg", where="4")) == "old/cam2/a.jpg"


def test_an_image_is_found_beside_its_annotation_first(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "one/a.jpg", "two/images/a.jpg", "three/images/a.jpg"])
    source = SourceFolder(tmp_path)
    assert str(source.find("a.jpg", where="1", near=PurePosixPath("one"))) == "one/a.jpg"
    assert str(source.find("x/a.jpg", where="2", near=PurePosixPath("two/labels"))) == "two/images/a.jpg"


def test_the_size_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    for orientation, size in ((1, (64, 48)), (3, (64, 48)), (6, (48, 64)), (8, (48, 64))):
        path = picture(tmp_path, "a.jpg", orientation=orientation)
        assert upright_size(path) == (size, orientation > 4)


def test_a_png_is_measured_with_its_tag_and_without_decoding_it(tmp_path: Path) -> None:
    path = picture(tmp_path, "a.png", orientation=6)
    content = bytearray(path.read_bytes())
    start = content.index(b"IDAT") + 4
    content[start : start + 10] = b"\0" * 10
    path.write_bytes(content)
    assert upright_size(path) == ((48, 64), True)


def test_a_picture_of_too_many_pixels_is_measured_and_left_to_the_check_of_the_pictures(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    put_text(
        tmp_path, "a.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    assert upright_size(tmp_path / "a.png") == ((200_000, 200_000), False)


def test_a_large_picture_is_measured_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    assert upright_size(picture(tmp_path, "a.jpg")) == ((64, 48), False)
    assert not recwarn.list


def test_the_photographs_of_coco128_are_read_in_place_with_their_boxes(tmp_path: Path) -> None:
    if not (COCO128 / "images").is_dir():
        pytest.skip("COCO128 is not there (../shared/data/coco128)")
    (tmp_path / "images").symlink_to(COCO128 / "images")
    images = []
    for label in sorted((COCO128 / "labels" / "train2017").glob("*.txt")):
        path = f"images/train2017/{label.stem}.jpg"
        if not (tmp_path / path).is_file():
            continue  # two labels of COCO128 are without an image
        (width, height), _ = upright_size(tmp_path / path)
        rows = [[float(value) for value in line.split()] for line in label.read_text().splitlines()]
        found = tuple(
            AnnotatedObject(
                category=f"class {row[0]:.0f}",
                xywh=((row[1] - row[3] / 2) * width, (row[2] - row[4] / 2) * height, row[3] * width, row[4] * height),
                area_px2=row[3] * width * row[4] * height,
            )
            for row in rows
        )
        images.append(ImageAnnotations(path=path, width_px=width, height_px=height, objects=found, split=Split.TRAIN))
    classes = tuple(sorted({each.category for image in images for each in image.objects}))
    coco.write(AnnotatedDataset(classes=classes, images=tuple(images)), tmp_path / "annotations.json")
    dataset = coco.read(tmp_path)
    assert (len(dataset.images), sum(len(image.objects) for image in dataset.images)) == (126, 929)
    assert without_places(dataset) == tuple(images)
    assert [each.count for each in dataset.findings] == [2]  # the images without a label
