"""`ImportFolder`: what is imported, in memory and on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from cv_yolo.adapters.yolo.imported import YoloImports
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import CheckedPicture, ImportFolder
from tests.fakes import FakeImportFolder
from tests.yolo_data import checked, noise

PERSON = AnnotatedObject(category="person", xywh=(10.0, 10.0, 30.0, 20.0))


class Source(Protocol):
    """A source with pictures, below `root`, and where they are imported."""

    root: Path
    folder: ImportFolder

    def add(self, path: str, seed: int) -> None: ...
    def add_columns(self, rows: Mapping[str, str]) -> None: ...
    def occupy(self, target: Path) -> None: ...


class InMemory:
    def __init__(self, root: Path) -> None:
        self.root, self.fake = root, FakeImportFolder()
        self.folder: ImportFolder = self.fake

    def add(self, path: str, seed: int) -> None:
        self.fake.sources[self.root / path] = CheckedPicture(sha256=f"{seed:064d}", width_px=64, height_px=48)

    def add_columns(self, rows: Mapping[str, str]) -> None:
        self.fake.tables[self.root] = {image: {"camera": camera} for image, camera in rows.items()}

    def occupy(self, target: Path) -> None:
        self.fake.foreign.add(target)


class OnDisk:
    def __init__(self, root: Path) -> None:
        self.root, self.folder = root, YoloImports()
        root.mkdir()

    def add(self, path: str, seed: int) -> None:
        (self.root / path).parent.mkdir(exist_ok=True)
        noise(seed).save(self.root / path)

    def add_columns(self, rows: Mapping[str, str]) -> None:
        lines = ["image,camera", *(f"{image},{camera}" for image, camera in rows.items())]
        (self.root / "attributes.csv").write_text("\n".join(lines), encoding="utf-8")

    def occupy(self, target: Path) -> None:
        target.mkdir(parents=True)
        (target / "mine.txt").touch()


@pytest.fixture(params=[InMemory, OnDisk])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    made: Source = request.param(tmp_path / "source")
    for seed, path in enumerate(("x/a.png", "b.png", "c.png")):
        made.add(path, seed)
    return made


def a_dataset() -> AnnotatedDataset:
    images = [
        ImageAnnotations(path=path, width_px=64, height_px=48, objects=objects, split=split)
        for path, objects, split in (
            ("b.png", (PERSON,), Split.TRAIN),
            ("c.png", (), Split.TRAIN),
            ("x/a.png", (PERSON, PERSON), Split.VAL),
        )
    ]
    return AnnotatedDataset(classes=("person", "dog"), images=tuple(images))


def written(source: Source, target: Path, done: list[int]) -> DatasetManifest:
    dataset = a_dataset()
    return source.folder.write(
        target,
        dataset,
        images_root=source.root,
        pictures=checked(source.folder, source.root, dataset.images),
        origin={"seed": "3"},
        on_image=done.append,
    )


def test_every_picture_below_a_folder_is_named(source: Source) -> None:
    assert set(source.folder.pictures(source.root)) == {source.root / path for path in ("b.png", "c.png", "x/a.png")}
    assert source.folder.pictures(source.root / "x") == (source.root / "x" / "a.png",)


def test_pictures_are_checked_in_the_order_asked_and_what_cannot_be_used_is_in_its_place(source: Source) -> None:
    paths = [source.root / path for path in ("c.png", "gone.png", "b.png")]
    first, gone, last = source.folder.check_pictures(paths)
    assert isinstance(first, CheckedPicture)
    assert isinstance(last, CheckedPicture)
    assert (first.width_px, first.height_px) == (64, 48)
    assert first.sha256 != last.sha256
    assert isinstance(gone, DatasetError)
    assert f"{source.root / 'gone.png'}: " in gone.message
    assert list(source.folder.check_pictures([])) == []


def test_columns_are_those_of_the_images(source: Source) -> None:
    assert source.folder.columns(source.root, {"b.png"}) == {}
    source.add_columns({"b.png": "3"})
    assert source.folder.columns(source.root, {"b.png", "c.png"}) == {"b.png": {"camera": "3"}}


def test_what_is_written_is_known_to_the_next_import(source: Source, tmp_path: Path) -> None:
    target, done = tmp_path / "data" / "mine", list[int]()
    assert source.folder.former(target) is None
    manifest = written(source, target, done)
    assert done == [1, 2, 3]
    assert (manifest.counts(), manifest.box_counts()) == (
        {"train": 2, "val": 1, "test": 0},
        {"train": 1, "val": 1, "test": 0},
    )
    former = source.folder.former(target)
    assert former is not None
    assert (former.classes, former.origin["seed"]) == (("person", "dog"), "3")
    assert former.splits == {record.image_sha256: record.split for record in manifest.images}


def test_what_is_written_is_read_again(source: Source, tmp_path: Path) -> None:
    manifest = written(source, tmp_path / "mine", [])
    found = source.folder.annotated(tmp_path / "mine")
    assert found.classes == ("person", "dog")
    assert [image.path for image in found.images] == [record.image for record in manifest.images]
    assert [len(image.objects) for image in found.images] == [1, 0, 2]
    with pytest.raises(DatasetError):
        source.folder.annotated(tmp_path / "other")


def test_a_folder_that_no_import_has_made_is_refused(source: Source, tmp_path: Path) -> None:
    source.occupy(tmp_path / "mine")
    with pytest.raises(DatasetError, match="was not made by"):
        source.folder.former(tmp_path / "mine")


def test_pictures_that_change_meanwhile_and_images_without_a_split_are_not_written(
    source: Source, tmp_path: Path
) -> None:
    dataset = a_dataset()
    pictures = checked(source.folder, source.root, dataset.images)
    source.add("c.png", 99)
    with pytest.raises(DatasetError, match=r"c\.png: changed during the import"):
        source.folder.write(
            tmp_path / "mine",
            dataset,
            images_root=source.root,
            pictures=pictures,
            origin={},
            on_image=lambda done: None,
        )
    assert source.folder.former(tmp_path / "mine") is None
