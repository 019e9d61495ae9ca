"""A data set's folder as people make them, and as they get them wrong: every refusal names the file."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cv_yolo.adapters.yolo.labels import NO_LABEL
from cv_yolo.domain.data.manifest import DatasetManifest, Split, revision_of
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import LabelledImage
from tests.yolo_data import FOLDER, a_small_data_set, put_data_yaml, put_image


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


def refusal(root: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        FOLDER.scan(root)
    return caught.value.message


def test_jpeg_and_png_are_found_with_their_labels_and_other_files_are_not(root: Path) -> None:
    (root / "images" / "train" / "notes.txt").write_text("not an image", encoding="utf-8")
    found = FOLDER.scan(root)
    assert [(record.image, record.label) for record in found.images] == [
        ("images/train/a.jpg", "labels/train/a.txt"),
        ("images/train/b.png", "labels/train/b.txt"),
        ("images/val/c.jpg", "labels/val/c.txt"),
    ]
    assert [record.split for record in found.images] == [Split.TRAIN, Split.TRAIN, Split.VAL]
    assert {(record.width_px, record.height_px, record.boxes) for record in found.images} == {(64, 48, 1)}


def test_images_in_folders_below_are_found_too(root: Path) -> None:
    put_image(root, "train/night/d.jpeg")
    assert "labels/train/night/d.txt" in {record.label for record in FOLDER.scan(root).images}


def test_the_last_folder_called_images_is_the_one_beside_labels(tmp_path: Path) -> None:
    root = tmp_path / "images" / "mine"
    put_image(root, "train/images/a.jpg", label=None)
    put_image(root, "train/b.jpg")
    put_image(root, "val/c.jpg")
    put_data_yaml(root)
    assert [record.label for record in FOLDER.scan(root).images] == [
        "labels/train/b.txt",
        "images/train/labels/a.txt",
        "labels/val/c.txt",
    ]


def test_an_image_without_a_label_file_has_no_objects(root: Path) -> None:
    put_image(root, "val/empty.jpg", label=None)
    record = next(each for each in FOLDER.scan(root).images if each.image == "images/val/empty.jpg")
    assert (record.boxes, record.label_sha256) == (0, NO_LABEL)


def test_an_empty_label_file_has_no_objects_and_differs_from_a_missing_one(root: Path) -> None:
    put_image(root, "val/empty.jpg", label="")
    record = next(each for each in FOLDER.scan(root).images if each.image == "images/val/empty.jpg")
    assert record.boxes == 0
    assert record.label_sha256 == hashlib.sha256(b"").hexdigest()


def test_a_photograph_taken_upright_has_its_upright_size_and_boxes(root: Path) -> None:
    picture = Image.new("RGB", (64, 48))
    exif = picture.getexif()
    exif[274] = 6  # stored lying, to be turned by 90 degrees
    picture.save(root / "images" / "val" / "c.jpg", exif=exif)
    found = FOLDER.scan(root)
    record = next(each for each in found.images if each.split == Split.VAL)
    assert (record.width_px, record.height_px) == (48, 64)
    manifest = DatasetManifest(name="mine", classes=found.classes, images=found.images)
    (truth,) = FOLDER.ground_truth(root, manifest, Split.VAL)
    np.testing.assert_allclose(truth.boxes_xyxy, [[0.3 * 48, 0.2 * 64, 0.7 * 48, 0.8 * 64]])


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"3", b"{}", b'{"format": 1}', b'{"format": 1, "images": [{"image": "a.jpg"}]}', b"\xff\xfe"],
)
def test_an_invalid_manifest_is_named(root: Path, content: bytes) -> None:
    (root / "manifest.json").write_bytes(content)
    with pytest.raises(DatasetError, match=r"manifest\.json: not a manifest: "):
        FOLDER.recorded(root)


def test_a_manifest_of_another_format_is_refused(root: Path) -> None:
    (root / "manifest.json").write_text('{"format": 2, "images": []}', encoding="utf-8")
    with pytest.raises(DatasetError, match=r"manifest\.json: format 2, this version reads format 1"):
        FOLDER.recorded(root)


def test_attributes_of_images_are_read_from_the_manifest(root: Path) -> None:
    images = [
        {"split": "val", "image": "images/val/c.jpg", "image_sha256": "a", "label": "labels/val/c.txt"}
        | {"label_sha256": "b", "boxes": 1, "width_px": 64, "height_px": 48, "attributes": {"scene": "street"}}
    ]
    (root / "manifest.json").write_text(json.dumps({"format": 1, "images": images}), encoding="utf-8")
    recorded = FOLDER.recorded(root)
    assert recorded is not None
    assert recorded[0].attributes == {"scene": "street"}


def picture(split: Split, name: str, *, seed: int) -> LabelledImage:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(32, 32, 3), dtype=np.uint8)
    return LabelledImage(split=split, name=name, pixels=pixels, boxes_xyxy=np.array([[4.0, 4.0, 20.0, 28.0]]))


def pictures() -> list[LabelledImage]:
    return [picture(Split.TRAIN, "a", seed=1), picture(Split.VAL, "b", seed=2)]


def write(root: Path, content: list[LabelledImage] | Iterator[LabelledImage]) -> DatasetManifest:
    return FOLDER.write(root, classes=("person",), pictures=content, origin={"tool": "test"})


def bytes_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_same_pictures_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "drawn", tmp_path / "two" / "drawn"
    write(first, pictures())
    write(second, pictures())
    assert bytes_of(first) == bytes_of(second)
    assert set(bytes_of(first)) == {
        *("data.yaml", "manifest.json"),
        *("images/train/a.jpg", "images/val/b.jpg", "labels/train/a.txt", "labels/val/b.txt"),
    }


def test_a_written_data_set_records_its_origin_and_revision(tmp_path: Path) -> None:
    manifest = write(tmp_path / "drawn", pictures())
    content = json.loads((tmp_path / "drawn" / "manifest.json").read_bytes())
    assert content["origin"] == {"tool": "test"}
    assert content["revision"] == manifest.revision
    assert content["format"] == 1


def test_a_failure_leaves_the_former_bytes_and_nothing_else(tmp_path: Path) -> None:
    def failing() -> Iterator[LabelledImage]:
        yield picture(Split.TRAIN, "x", seed=8)
        raise KeyboardInterrupt

    write(tmp_path / "drawn", pictures())
    before = bytes_of(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "drawn", failing())
    assert bytes_of(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    for name in (".drawn.new", ".drawn.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "left.txt").write_text("left", encoding="utf-8")
    write(tmp_path / "drawn", pictures())
    write(tmp_path / "drawn", pictures())
    assert [path.name for path in tmp_path.iterdir()] == ["drawn"]
    assert "left.txt" not in bytes_of(tmp_path / "drawn")


def test_data_that_cannot_be_swapped_in_leaves_the_former(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, rename = tmp_path / "drawn", Path.rename
    write(root, pictures())
    before = bytes_of(root)

    def refuse_the_new_one(self: Path, target: Path) -> Path:
        if self.name == ".drawn.new":
            raise PermissionError("in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new_one)
    with pytest.raises(PermissionError):
        write(root, [picture(Split.TRAIN, "x", seed=8), picture(Split.VAL, "y", seed=9)])
    assert bytes_of(root) == before


def put_attributes(root: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = root / "attributes.csv"
    path.write_text(text, encoding=encoding, newline="")
    return path


def attributes_of(root: Path) -> dict[str, dict[str, str]]:
    return {record.image: record.attributes for record in FOLDER.scan(root).images}


def test_columns_of_images_come_from_a_table_beside_them(root: Path) -> None:
    put_attributes(root, "image,scene,light\nimages/train/a.jpg,street,day\nimages/val/c.jpg,field,\n")
    assert attributes_of(root) == {
        "images/train/a.jpg": {"scene": "street", "light": "day"},
        "images/train/b.png": {},
        "images/val/c.jpg": {"scene": "field"},
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_may_come_from_a_spreadsheet(root: Path, encoding: str) -> None:
    text = 'image,place\r\nimages/train/a.jpg,"Zürich, Hauptbahnhof"\r\n\r\n'
    put_attributes(root, text, encoding=encoding)
    assert attributes_of(root)["images/train/a.jpg"] == {"place": "Zürich, Hauptbahnhof"}


def test_columns_do_not_change_the_revision_of_the_data(root: Path) -> None:
    before = revision_of(FOLDER.scan(root).classes, FOLDER.scan(root).images)
    put_attributes(root, "image,scene\nimages/train/a.jpg,street\n")
    assert revision_of(FOLDER.scan(root).classes, FOLDER.scan(root).images) == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("image,scene\nimages/train/a.jpg,street\nimages/none.jpg,field\n", ":3: no image 'images/none.jpg'"),
        ("picture,scene\nimages/train/a.jpg,street\n", ":2: no image None"),
        ("image,scene\nimages/train/a.jpg\n", ":2: not as many fields as columns"),
        ("image,scene\nimages/train/a.jpg,street,day\n", ":2: not as many fields as columns"),
        ('image,scene\nimages/train/a.jpg,"street\n', ": cannot be read"),
    ],
)
def test_a_wrong_table_is_refused_by_file_and_line(root: Path, text: str, complaint: str) -> None:
    path = put_attributes(root, text)
    assert refusal(root).startswith(f"{path}{complaint}")


def test_a_table_that_is_not_text_is_refused(root: Path) -> None:
    (root / "attributes.csv").write_bytes(b"image,scene\n\xff\xfe\n")
    assert refusal(root).startswith(f"{root / 'attributes.csv'}: cannot be read")


def test_the_numbers_of_coco_files_are_recorded_beside_the_names(root: Path) -> None:
    put_data_yaml(root, names=["person", "dog"], category_ids={"dog": 18, "person": 1})
    assert FOLDER.scan(root).category_ids == {"person": 1, "dog": 18}
    put_data_yaml(root, names=["person", "dog"])
    assert FOLDER.scan(root).category_ids == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"person": 1},
        {"person": 1, "dog": 1},
        {"person": 1, "dog": 18, "cat": 17},
        {"person": 1, "dog": "eighteen"},
        {"person": 1, "dog": True},
        {"person": 1, "dog": 18.5},
        {"person": 1, "dog": None},
        {1: "person", 18: "dog"},
        [1, 18],
        "1, 18",
    ],
)
def test_numbers_of_coco_files_that_do_not_fit_the_names_are_refused(root: Path, wrong: object) -> None:
    put_data_yaml(root, names=["person", "dog"], category_ids=wrong)
    assert "`category_ids` must give each class in `names` a unique number" in refusal(root)
