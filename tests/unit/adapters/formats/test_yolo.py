"""YOLO in the layouts in which people have it, and what is refused in them."""

import io
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cv_yolo.adapters.formats import yolo
from cv_yolo.domain.data.annotated import AnnotatedDataset
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.label_text import Outlines
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError, InputError
from tests.yolo_data import LABEL, noise


def lay(root: Path, files: dict[str, str | bytes | None]) -> Path:
    """Files with text, or pictures of 64 x 48 px where the name is that of one."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            noise(sum(name.encode())).save(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def splits_of(dataset: AnnotatedDataset) -> dict[str, tuple[Split | None, int]]:
    return {image.path: (image.split, len(image.objects)) for image in dataset.images}


def findings_of(dataset: AnnotatedDataset) -> dict[FindingKind, int]:
    return {finding.kind: finding.count for finding in dataset.findings}


def refused(root: Path, **how: object) -> DatasetError:
    with pytest.raises(DatasetError) as refusal:
        yolo.read(root, **how)
    return refusal.value


def encoded() -> bytes:
    made = io.BytesIO()
    noise(3).save(made, "JPEG")
    return made.getvalue()


PICTURE = encoded()
NAMES = "names: [cat, dog]\n"
CVAT = (("train", "a"), ("valid", "b"), ("test", "c"))
THREE = {Split.TRAIN: "a", Split.VAL: "b", Split.TEST: "c"}
LAYOUTS: dict[str, dict[str, str | bytes | None]] = {
    "Ultralytics, folders": {
        "data.yaml": f"path: ../datasets/mine\ntrain: images/train\nval: images/val\ntest: images/test\n{NAMES}",
        **{f"images/{split}/{name}.jpg": None for split, name in THREE.items()},
        **{f"labels/{split}/{name}.txt": LABEL for split, name in THREE.items()},
    },
    "Ultralytics, lists of folders and files": {
        "data.yml": f"train: [images/t1, more/a2.jpg]\nval:\n- lists/val.txt\ntest: images/x\n{NAMES}",
        "images/t1/a.jpg": None,
        "labels/t1/a.txt": LABEL,
        "lists/val.txt": "./images/y/b.jpg\r\n\r\n",
        "images/y/b.jpg": None,
        "labels/y/b.txt": LABEL,
        "images/x/c.jpg": None,
        "labels/x/c.txt": LABEL,
        "more/a2.jpg": None,
        "more/a2.txt": LABEL,
    },
    "Roboflow": {
        "data.yaml": f"train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 2\n{NAMES}"
        "roboflow:\n  workspace: mine\n",
        "README.roboflow.txt": "exported",
        "train/images/a.jpg": None,
        "train/labels/a.txt": LABEL,
        "valid/images/b.jpg": None,
        "valid/labels/b.txt": LABEL,
        "test/images/c.jpg": None,
        "test/labels/c.txt": LABEL,
    },
    "CVAT": {
        "obj.data": "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\ntest = data/test.txt\n"
        "names = data/obj.names\nbackup = backup/\n# a comment\n",
        "obj.names": "cat\ndog\n",
        **{f"{name}.txt": f"data/obj_{name}_data/{file}.jpg\n" for name, file in CVAT},
        **{f"obj_{name}_data/{file}.jpg": None for name, file in CVAT},
        **{f"obj_{name}_data/{file}.txt": LABEL for name, file in CVAT},
    },
    "Windows and another machine": {
        "data.yaml": "train: C:\\Users\\me\\mine\\images\\train\nval: /kaggle/working/mine/images/val\n"
        f"test: images\\test\\\n{NAMES}",
        **{f"images/{split}/{name}.jpg": None for split, name in THREE.items()},
        **{f"labels/{split}/{name}.txt": LABEL for split, name in THREE.items()},
    },
    "labels beside images, with classes.txt in each folder": {
        **{f"{split}/{name}.jpg": None for split, name in THREE.items()},
        **{f"{split}/{name}.txt": LABEL for split, name in THREE.items()},
        **{f"{split}/classes.txt": "cat\ndog\n" for split in THREE},
    },
    "nested folders, labels in another tree": {
        "mine/classes.txt": "\ufeffcat\r\ndog\r\n",
        **{f"mine/pictures/{split}/2024/{name}.jpg": None for split, name in THREE.items()},
        **{f"mine/annotation/{split}/x/{name}.txt": LABEL for split, name in THREE.items()},
    },
    "folders of splits below labels and images of other case": {
        "dataset.yaml": NAMES,
        **{f"Images/{split}2017/{name}.JPG": None for split, name in THREE.items()},
        **{f"LABELS/{split}2017/{name}.txt": LABEL for split, name in THREE.items()},
    },
    "lists without a description": {
        "_darknet.labels": "cat\ndog",
        **{f"{split}.txt": f"all/{name}.jpg\n" for split, name in THREE.items()},
        **{f"all/{name}.jpg": None for name in THREE.values()},
        **{f"all/{name}.txt": LABEL for name in THREE.values()},
    },
    "keys with other names": {
        "data.yaml": f"training: train\nvalid: val\nTest: test\n{NAMES.replace('names', 'classes')}",
        **{f"{split}/{name}.jpg": None for split, name in THREE.items()},
        **{f"{split}/labels/{name}.txt": LABEL for split, name in THREE.items()},
    },
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_and_read_with_its_splits(name: str, tmp_path: Path) -> None:
    root = lay(tmp_path / "mine", LAYOUTS[name])
    assert yolo.detect(root)
    dataset = yolo.read(root)
    assert dataset.classes == ("cat", "dog")
    found = {Path(path).stem[0]: splits for path, splits in splits_of(dataset).items()}
    assert found == {name: (split, 1) for split, name in THREE.items()}
    assert findings_of(dataset).keys() <= {FindingKind.IGNORED_KEYS}


FLAT = {"a.jpg": None, "a.txt": LABEL, "b.png": None, "b.txt": "1 0.5 0.5 0.5 0.5\n"}


def test_a_flat_folder_has_no_splits_and_takes_its_names_from_the_caller(tmp_path: Path) -> None:
    root = lay(tmp_path, FLAT)
    dataset = yolo.read(root, class_names=("cat", "dog"))
    assert splits_of(dataset) == {"a.jpg": (None, 1), "b.png": (None, 1)}
    assert [image.objects[0].category for image in dataset.images] == ["cat", "dog"]
    said = refused(root)
    assert "nothing names the classes (labels use 2 classes, 0 to 1)" in said.message
    assert "--class-names" in (said.hint or "")


def test_a_description_without_names_leaves_them_to_another_file(tmp_path: Path) -> None:
    darknet = {"obj.data": "classes = 2\ntrain = train.txt\nvalid =\nwhat is this\n", "train.txt": "a.jpg\nb.png\n"}
    dataset = yolo.read(lay(tmp_path, {**FLAT, **darknet, "classes.txt": "cat\ndog"}))
    assert splits_of(dataset) == {"a.jpg": (Split.TRAIN, 1), "b.png": (Split.TRAIN, 1)}
    (finding,) = dataset.findings
    assert finding.examples == ("obj.data: line 4",)
    described = {**FLAT, "data.yaml": "names:\ntrain: .\n", "classes.txt": "cat\ndog"}
    assert yolo.read(lay(tmp_path / "x", described)).classes == ("cat", "dog")


def test_names_of_the_caller_come_before_those_of_the_source(tmp_path: Path) -> None:
    root = lay(tmp_path, {**FLAT, "classes.txt": "x\ny\n"})
    assert yolo.read(root, class_names=("cat", "dog")).classes == ("cat", "dog")
    with pytest.raises(InputError, match="2 classes are named 'cat'"):
        yolo.read(root, class_names=("cat", "cat"))


def test_boxes_are_in_pixels_of_the_upright_image_and_not_clipped(tmp_path: Path) -> None:
    root = lay(tmp_path, {"a.txt": "0 0.95 0.5 0.2 0.5\n", "classes.txt": "cat"})
    exif = Image.Exif()
    exif[274] = 6
    noise(1, (64, 48)).save(root / "a.jpg", exif=exif)
    (image,) = yolo.read(root).images
    assert (image.width_px, image.height_px) == (48, 64)
    assert image.objects[0].xywh == pytest.approx((0.85 * 48, 0.25 * 64, 0.2 * 48, 0.5 * 64))
    assert image.objects[0].place == "a.txt:1"


def test_outlines_are_kept_and_counted_by_kind(tmp_path: Path) -> None:
    text = "0 .1 .1 .5 .1 .5 .5\n0 .1 .1 .5 .1 .5 .5 .1 .5\n0 .5 .5 .1 .1 .9\n0 .5 .5 1.001 1\n"
    root = lay(tmp_path, {"a.jpg": None, "a.txt": text, "classes.txt": "cat"})
    said = refused(root)
    assert "the data set has 2 problems" in said.message
    dataset = yolo.read(root, outlines=Outlines.ENVELOPE)
    assert [(finding.kind, finding.count, finding.subject) for finding in dataset.findings] == [
        (FindingKind.ROUNDED_VALUES, 1, ""),
        (FindingKind.CONFIDENCES, 1, ""),
        (FindingKind.OUTLINES, 1, "polygon"),
        (FindingKind.OUTLINES, 1, "rotated box, or a polygon of four points"),
    ]
    first = dataset.images[0].objects[0]
    assert first.segmentation == [pytest.approx([6.4, 4.8, 32, 4.8, 32, 24])]
    assert first.xywh == pytest.approx((6.4, 4.8, 25.6, 19.2))
    assert dataset.images[0].objects[2].segmentation is None


def test_what_is_odd_and_can_be_used_is_counted(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "data.yaml": f"train: images/train\nval: images/val\ndownload: x\n{NAMES}",
            "images/train/a.jpg": None,
            "labels/train/a.txt": LABEL,
            "images/val/b.jpg": None,
            "labels/train/gone.txt": LABEL,
            "images/other/c.jpg": None,
            "labels/other/c.txt": LABEL,
            "notes/LICENSE.txt": "free",
            ".hidden/d.jpg": None,
        },
    )
    assert findings_of(yolo.read(root)) == {
        FindingKind.UNLABELED_IMAGES: 1,
        FindingKind.ORPHANED_LABELS: 1,
        FindingKind.UNLISTED_IMAGES: 1,
        FindingKind.IGNORED_KEYS: 1,
    }


def test_an_image_in_two_splits_is_in_none(tmp_path: Path) -> None:
    root = lay(
        tmp_path, {"data.yaml": f"train: images\nval: images\n{NAMES}", "images/a.jpg": None, "labels/a.txt": LABEL}
    )
    assert splits_of(yolo.read(root)) == {"images/a.jpg": (None, 1)}


def test_an_exact_key_comes_before_one_of_the_same_meaning(tmp_path: Path) -> None:
    described = {"data.yaml": f"val: images/v\nvalid: images/w\ntrain: images/t\n{NAMES}"}
    pictures = {f"images/{name}/{name}.jpg": None for name in "tvw"}
    labels = {f"labels/{name}/{name}.txt": LABEL for name in "tvw"}
    assert set(splits_of(yolo.read(lay(tmp_path, {**described, **pictures, **labels})))) == {
        "images/t/t.jpg",
        "images/v/v.jpg",
    }


def test_a_label_called_train_is_a_label(tmp_path: Path) -> None:
    root = lay(tmp_path, {"train.jpg": None, "train.txt": LABEL, "classes.txt": "cat"})
    assert splits_of(yolo.read(root)) == {"train.jpg": (None, 1)}


def test_all_that_is_wrong_is_refused_at_once(tmp_path: Path) -> None:
    root = lay(
        tmp_path,
        {
            "data.yaml": f"train: images/train\nval: ../valid/images\ntest: lists.txt\n{NAMES}",
            "lists.txt": "images/train/none.jpg\nimages/train/a.txt\n",
            "images/train/a.jpg": None,
            "labels/train/a.txt": "0 x 0.5 0.1 0.1\n7 0.5 0.5 0.1 0.1\n",
            "images/train/b.jpg": b"GIF89a",
            "images/train/c.jpg": None,
            "images/train/c.png": None,
            "labels/train/c.txt": LABEL,
            "images/train/d.jpg": None,
            "labels/train/d.txt": "\ufeff0".encode("utf-16"),
            "images/train/e.jpg": None,
            "images/train/f.jpg": b"\xff\xd8\xff and no more",
        },
    )
    (root / "labels" / "train" / "e.txt").mkdir()
    said = refused(root)
    assert f"{root}/" in said.message
    for reason in (
        "data.yaml: `val: ../valid/images` is not in the source",
        "lists.txt:1: images/train/none.jpg is not in the source",
        "lists.txt:2: images/train/a.txt is not in the source",
        "labels/train/a.txt:1: not a number: 'x'",
        "labels/train/a.txt:2: class 7, but data.yaml names the classes 0 to 1",
        "b.jpg: does not decode: it is a GIF",
        "c.txt: the label file of c.jpg and c.png: it is ambiguous",
        "d.txt: not a text file of UTF-8, but of UTF-16",
        "e.txt: a folder, not a file",
        "f.jpg: does not decode",
    ):
        assert reason in "\n".join(refusal.message for refusal in said.refusals)


@pytest.mark.parametrize(
    ("files", "reason", "hint"),
    [
        ({"notes.txt": "x", "classes.txt": "cat"}, "no image that can be read", ".jpg"),
        ({"a.jpg": None, "classes.txt": "cat"}, "no label file for the image", "beside it"),
        ({"a.jpg": None, "a.xml": "<annotation/>", "classes.txt": "cat"}, "no label file", "--format voc"),
        ({"a.jpg": None, "b.jpg": None, "x.json": "{}"}, "no label file for any of the 2 images", "--format coco"),
        ({**FLAT, "classes.txt": "cat\ncat\n"}, "2 classes are named 'cat'", "a name of its own"),
        ({**FLAT, "classes.txt": ""}, "no class names", "a name of its own"),
        (
            {**FLAT, "x/classes.txt": "cat\ndog", "y/classes.txt": "dog\ncat"},
            "names cat, dog, .* names dog, cat",
            "remove",
        ),
        ({**FLAT, "obj.data": "names = data/none.names"}, "`names = data/none.names` is not there", "--class-names"),
        ({**FLAT, "data.yaml": "names: {0: cat, 2: dog}"}, "1 is missing", "name the missing class"),
        ({**FLAT, "data.yaml": "nc: 3\nnames: [cat, dog]"}, "`nc: 3`, but `names` lists 2", "nc"),
        ({**FLAT, "data.yaml": "names: !!python/object/apply:os.system [ls]"}, "cannot be read", None),
        ({**FLAT, "data.yaml": "names: [cat, dog]\ntrain: [1, {a: 2}]"}, "must be a folder of images", None),
        ({"a\\b.jpg": None, "a\\b.txt": LABEL, "classes.txt": "cat"}, "a backslash in the name", "rename"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_with_what_to_do(
    tmp_path: Path, files: dict[str, str | bytes | None], reason: str, hint: str | None
) -> None:
    root = lay(tmp_path, files)
    with pytest.raises(DatasetError, match=reason) as refusal:
        yolo.read(root)
    assert hint is None or hint in (refusal.value.hint or "")


def test_a_folder_without_labels_or_description_is_not_of_this_format(tmp_path: Path) -> None:
    assert not yolo.detect(lay(tmp_path, {"a.jpg": None, "notes.txt": "x", "config.yaml": "a: 1"}))
    assert yolo.detect(lay(tmp_path, {"a.txt": LABEL}))
    assert yolo.detect(lay(tmp_path / "x", {"obj.data": ""}))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    source = yolo.read(lay(tmp_path / "source", LAYOUTS["Ultralytics, folders"]))
    out = tmp_path / "out"
    yolo.write(source, out)
    for image in source.images:
        (out / image.path).parent.mkdir(parents=True, exist_ok=True)
        (out / image.path).write_bytes((tmp_path / "source" / image.path).read_bytes())
    again = yolo.read(out)
    assert again.classes == source.classes
    assert splits_of(again) == splits_of(source)
    assert (out / "labels" / "train" / "a.txt").read_text(encoding="utf-8") == "0 0.500000 0.500000 0.400000 0.600000\n"


WRITTEN = r"names train val : - [ ] { } cat 0 1 . .. / \ a.jpg images = !!python/object:os.system &a *a C: nc path ,"
WORDS = st.sampled_from([*WRITTEN.split(" "), *"\n ~\u0661\0\ufeff"])
TEXTS = st.lists(WORDS | st.text(max_size=3), max_size=25).map("".join).map(lambda text: text.encode("utf-8", "ignore"))
NAMES_OF_FILES = st.sampled_from(
    ["data.yaml", "dataset.yml", "obj.data", "classes.txt", "obj.names", "train.txt", "a.txt", "val.txt", "x/data.yaml"]
)


@settings(max_examples=250, deadline=None, database=None)
@given(st.dictionaries(NAMES_OF_FILES, TEXTS | st.binary(max_size=20), max_size=4), st.sampled_from(list(Outlines)))
def test_whatever_describes_a_folder_it_is_read_or_refused(files: dict[str, bytes], outlines: Outlines) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = lay(Path(folder), {"a.jpg": PICTURE, "images/b.jpg": PICTURE, "labels/b.txt": LABEL, **files})
        with suppress(DatasetError, InputError):
            yolo.detect(root)
            dataset = yolo.read(root, outlines=outlines)
            assert dataset.classes
            assert {image.path for image in dataset.images} <= {"a.jpg", "images/b.jpg"}
