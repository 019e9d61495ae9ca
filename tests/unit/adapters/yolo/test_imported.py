"""Any annotations survive an import, agree with the label text that is written, and come out of an export again."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.adapters.formats import coco
from cv_yolo.adapters.formats.export import export
from cv_yolo.adapters.yolo.imported import YoloImports
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from tests.yolo_data import FOLDER, checked, manifest_of, noise

IMPORTS = YoloImports()
CLASSES = ("person", "dog")
SIDE = st.floats(0, 150, allow_subnormal=False) | st.integers(0, 150).map(float)
OBJECTS = st.builds(
    AnnotatedObject,
    category=st.just("dog"),
    xywh=st.tuples(st.floats(-40, 63), st.floats(-40, 47), SIDE, SIDE),
    is_crowd=st.booleans(),
    is_difficult=st.booleans(),
    area_px2=st.none() | st.floats(0, 3000),
)
ANYTHING = st.lists(OBJECTS, max_size=6)


def imported(root: Path, *images: Sequence[AnnotatedObject]) -> DatasetManifest:
    """Pictures with these objects, in turn for training and validation, below `root / mine`."""
    made = []
    for number, objects in enumerate(images):
        (root / "source").mkdir(exist_ok=True)
        noise(number).save(root / "source" / f"{number}.png")
        split = (Split.TRAIN, Split.VAL)[number % 2]
        made.append(
            ImageAnnotations(path=f"{number}.png", width_px=64, height_px=48, objects=tuple(objects), split=split)
        )
    return IMPORTS.write(
        root / "mine",
        AnnotatedDataset(classes=CLASSES, images=tuple(made), category_ids={"person": 1, "dog": 18}),
        images_root=root / "source",
        pictures=checked(IMPORTS, root / "source", made),
        origin={},
        on_image=lambda done: None,
    )


@settings(max_examples=150, deadline=None, database=None)
@given(ANYTHING, ANYTHING)
def test_whatever_is_imported_agrees_with_its_label_text(
    one: list[AnnotatedObject], other: list[AnnotatedObject]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        manifest = imported(root, one, other)
        scanned = manifest_of(FOLDER.scan(root / "mine"))
        assert scanned.revision == manifest.revision
        for split in (Split.TRAIN, Split.VAL):
            (record,) = scanned.split(split)
            (truth,) = FOLDER.ground_truth(root / "mine", scanned, split)
            assert int(truth.trained_on.sum()) == record.boxes
            size = np.array([64, 48, 64, 48])
            assert np.all((truth.boxes_xyxy >= 0) & (truth.boxes_xyxy <= size))


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(OBJECTS.filter(lambda each: min(each.xywh[2:]) > 0), min_size=1, max_size=6))
def test_what_comes_in_goes_out_the_same_to_a_millionth_of_a_pixel(objects: list[AnnotatedObject]) -> None:
    inside = [each for each in objects if each.xywh[0] + each.xywh[2] > 0 and each.xywh[1] + each.xywh[3] > 0]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        imported(root, inside, [])
        dataset = IMPORTS.annotated(root / "mine")
        export(dataset, root / "mine", root / "out", "coco", lambda done: None)
        again = coco.read(root / "out")
        found = next(image for image in again.images if image.split is Split.TRAIN)
        assert len(found.objects) == len(inside)
        for mine, theirs in zip(inside, found.objects, strict=True):
            np.testing.assert_allclose(theirs.xywh, mine.xywh, atol=1e-6)
            assert (theirs.category, theirs.is_crowd, theirs.is_difficult) == ("dog", mine.is_crowd, mine.is_difficult)
            if mine.area_px2 is not None:
                np.testing.assert_allclose(theirs.area_px2, mine.area_px2, atol=1e-6)
        assert again.category_ids == {"person": 1, "dog": 18}


def test_images_without_objects_come_out_too(tmp_path: Path) -> None:
    imported(tmp_path, [], [])
    assert [len(image.objects) for image in IMPORTS.annotated(tmp_path / "mine").images] == [0, 0]
    assert (tmp_path / "mine" / "labels" / "train" / "0.txt").read_bytes() == b""


def test_pictures_below_a_folder_are_found_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("a.png", "x/b.JPG", ".hidden/c.png", "__MACOSX/d.png", "x/._b.jpg", "x/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in IMPORTS.pictures(tmp_path)] == ["a.png", "x/b.JPG"]
