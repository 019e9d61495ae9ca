"""`data.yaml` as people and programs write it: read as it is meant, or refused with the reason and what to do."""

import os
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.yolo.data_yaml import read_licence
from cv_yolo.errors import DatasetError
from tests.yolo_data import FOLDER, a_small_data_set, findings_of, found_in, put_data_yaml, put_image, refused

PLACES = "train: images/train\nval: images/val\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


def write(root: Path, text: str | bytes) -> Path:
    path = root / "data.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("[person, dog]", ("person", "dog")),
        ("{0: person, 1: dog}", ("person", "dog")),
        ("{1: dog, 0: person}", ("person", "dog")),
        ("{'1': dog, \"0\": person}", ("person", "dog")),
        ("[1, 2]", ("1", "2")),
        (
            "[1.10, no, yes, on, 2024-01-01, 0x10, 1_000, 'null']",
            ("1.10", "no", "yes", "on", "2024-01-01", "0x10", "1_000", "null"),
        ),
        ("[Straßenbahn, 人, traffic light]", ("Straßenbahn", "人", "traffic light")),
        ("[person, Person]", ("person", "Person")),
    ],
)
def test_class_names_are_read_as_they_are_written(root: Path, names: str, classes: tuple[str, ...]) -> None:
    write(root, f"{PLACES}names: {names}\n")
    assert FOLDER.scan(root).classes == classes


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_a_file_from_windows_is_read(root: Path, bom: bytes) -> None:
    write(root, bom + f"{PLACES}names: [person]\n".replace("\n", "\r\n").encode())
    assert FOLDER.scan(root).classes == ("person",)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        ("", "`names` must list the classes, from 0 on"),
        ("[]", "`names` must list the classes, from 0 on"),
        ("{}", "`names` must list the classes, from 0 on"),
        ("person", "`names` must list the classes, from 0 on"),
        ("3", "`names` must list the classes, from 0 on"),
        ("{1: person}", "`names`: 0 is missing"),
        ("{0: cat, 2: dog}", "`names`: 1 is missing: classes are numbered from 0 on without a gap"),
        ("{0: a, 9: b}", "`names`: 1, 2, 3, … are missing"),
        ("{0: a, x: b}", "`names`: the key 'x' is not the number of a class"),
        ("{0: a, -1: b}", "`names`: the key '-1' is not the number"),
        ("{0: a, 01: b}", "`names`: the key '01' is not the number"),
        ("{0: a, 99999999: b}", "`names`: the key '99999999' is not the number"),
        ("[a, null]", "`names`: class 1 is empty"),
        ("[a, ]\n- b", "cannot be read"),
        ("[a, '']", "`names`: class 1 is blank"),
        ("[a, '  ']", "`names`: class 1 is blank"),
        ("[' a', b]", "`names`: class 0 begins or ends with a space: ' a'"),
        ("[a, [b]]", "`names`: class 1 is not a string: ['b']"),
        ("[a, b, a]", "`names`: the classes 0 and 2 have the same name, 'a'"),
        ('["\\u00e9", "e\\u0301"]', "`names`: the classes 0 and 1 have the same name"),
        ('["a\\tb"]', "`names`: class 0 contains a control character: 'a\\tb'"),
        ('["a\\nb"]', "`names`: class 0 contains a control character"),
    ],
)
def test_wrong_class_names_are_refused_with_the_reason(root: Path, names: str, complaint: str) -> None:
    path = write(root, f"{PLACES}names: {names}\n")
    assert refused(root).message.startswith(f"{path}: {complaint}")


@pytest.mark.parametrize("count", ["1", "'1'"])
def test_a_right_number_of_classes_may_be_said(root: Path, count: str) -> None:
    write(root, f"{PLACES}names: [person]\nnc: {count}\n")
    assert FOLDER.scan(root).classes == ("person",)


@pytest.mark.parametrize("count", ["5", "0", "one", "[1]", "1.0"])
def test_a_number_of_classes_that_differs_from_the_names_is_refused(root: Path, count: str) -> None:
    path = write(root, f"{PLACES}names: [person]\nnc: {count}\n")
    assert refused(root).message.startswith(f"{path}: `nc: ")
    assert refused(root).message.endswith("but `names` lists 1")


@pytest.mark.parametrize("given", [".", "./", "../mine", "mine", "''", "~", ""])
def test_a_path_that_is_the_folder_itself_is_read_over(root: Path, given: str) -> None:
    write(root, f"{PLACES}names: [person]\npath: {given}\n")
    assert findings_of(root) == {}


def test_the_whole_path_of_the_folder_is_read_over(root: Path) -> None:
    write(root, f"{PLACES}names: [person]\npath: {root}\n")
    assert len(found_in(root)) == 3


@pytest.mark.parametrize("given", ["/content/datasets/mine", "..", "../other", "images", "C:\\mine", '"\\0"', "[.]"])
def test_a_path_that_points_elsewhere_is_refused_with_what_to_do(root: Path, given: str) -> None:
    path = write(root, f"{PLACES}names: [person]\npath: {given}\n")
    error = refused(root)
    assert error.message.startswith(f"{path}: `path: ")
    assert error.message.endswith("is not the folder of this file")
    assert "path: ." in str(error.hint)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        *(("valid", "val"), ("validation", "val"), ("Val", "val"), ("VALID", "val"), ("dev", "val"), ("vall", "val")),
        *(("training", "train"), ("Train", "train"), ("trian", "train")),
        *(("testing", "test"), ("Test", "test"), ("name", "names"), ("Names", "names"), ("classes", "names")),
    ],
)
def test_a_key_that_means_another_one_is_refused_with_the_right_name(root: Path, key: str, meant: str) -> None:
    put_image(root, "test/d.jpg")
    text = f"{PLACES}test: images/test\nnames: [person]\n".replace(f"{meant}:", f"{key}:")
    error = refused_after(root, text)
    assert f"did you mean `{meant}`?" in error.message
    assert error.hint == f"rename the key `{key}` to `{meant}`"


def refused_after(root: Path, text: str) -> DatasetError:
    write(root, text)
    return refused(root)


def test_other_keys_are_ignored_and_reported_and_nothing_is_run(root: Path) -> None:
    marker = root / "ran"
    script = f"download: |\n  from pathlib import Path\n  Path({str(marker)!r}).touch()\n"
    write(root, f"{PLACES}names: [person]\nvalid: images/val\nroboflow: {{version: 3}}\n{script}")
    assert findings_of(root) == {"ignored_keys `download`": 1, "ignored_keys `roboflow`": 1, "ignored_keys `valid`": 1}
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b\n",
        "just text",
        "",
        "a: [",
        b"\xff\xfe\x00",
        "? [1, 2]\n: 3\n",
        "[1, 2]: 3\n",
        "a: &x [1]\nb: *x\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        f"{PLACES}names: [person]\nnames: [dog]\n",
        f"{PLACES}train: images/val\nnames: [person]\n",
        f"{PLACES}names: {{0: a, 0: b}}\n",
        f"{PLACES}names: !!python/object/apply:os.system ['touch ran']\n",
        f"{PLACES}names: !!timestamp nonsense\n",
        f"{PLACES}names: [!!bool nonsense]\n",
        "[" * 100_000,
        f"{PLACES}names: [person]\n---\nanother: document\n",
        "x: " + "y" * 1_000_001,
        "null: 3\n",
    ],
)
def test_an_invalid_description_is_refused_by_name(root: Path, text: str | bytes) -> None:
    path = write(root, text)
    assert refused(root).message.startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["data.yml", "Data.yaml", "DATA.YAML", "dataset.yaml"])
def test_a_description_under_another_name_is_refused_with_the_right_one(root: Path, name: str) -> None:
    (root / "data.yaml").rename(root / name)
    with pytest.raises(DatasetError, match=r"did you mean data\.yaml") as refusal:
        FOLDER.exists(root)
    assert refusal.value.message.startswith(f"{root / name}: ")


def test_a_folder_without_any_description_is_not_a_data_set(root: Path) -> None:
    (root / "data.yaml").unlink()
    assert not FOLDER.exists(root)
    assert not FOLDER.exists(root / "none")


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "loop"])
def test_a_description_that_is_not_a_file_is_refused(root: Path, kind: str) -> None:
    path = root / "data.yaml"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("none" if kind == "link to nothing" else "data.yaml")
    with pytest.raises(DatasetError, match=r"data\.yaml: a (folder|link to nothing), not a file"):
        FOLDER.exists(root)


def test_a_description_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (root / "data.yaml").rename(tmp_path / "elsewhere.yaml")
    (root / "data.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert FOLDER.exists(root)
    assert len(found_in(root)) == 3


@pytest.mark.parametrize("place", ["", " ", "{a: b}", "[]", "[images/train, '']", "[[images/train]]"])
def test_a_split_that_names_no_place_is_refused(root: Path, place: str) -> None:
    path = write(
        root,
        f"train: {place!r}\nval: images/val\nnames: [person]\n"
        if not place.strip()
        else f"train: {place}\nval: images/val\nnames: [person]\n",
    )
    assert refused(root).message.startswith(f"{path}: `train: ")


def test_a_split_that_is_not_named_is_empty(root: Path) -> None:
    put_data_yaml(root, val=None)
    assert {record.split for record in FOLDER.scan(root).images} == {"train"}


@pytest.mark.parametrize(
    "changes", [{"train": "images/train/"}, {"train": "./images/train"}, {"train": ["images/train"]}]
)
def test_a_place_may_be_written_in_many_ways(root: Path, changes: dict[str, Any]) -> None:
    put_data_yaml(root, **changes)
    assert found_in(root) == ["images/train/a.jpg", "images/train/b.png", "images/val/c.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_a_description_that_may_not_be_read_is_named(root: Path) -> None:
    (root / "data.yaml").chmod(0)
    assert refused(root).message.startswith(f"{root / 'data.yaml'}: cannot be read")


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("license: CC BY 4.0\n", "CC BY 4.0"),
        ("roboflow:\n  license: MIT\n  version: 3\n", "MIT"),
        ("roboflow: yes\n", None),
        ("license: [MIT]\n", None),
        ("", None),
    ],
)
def test_the_licence_of_the_data_is_read_where_it_is_said(root: Path, said: str, licence: str | None) -> None:
    write(root, f"train: images/train\nval: images/val\nnames: [cat]\n{said}")
    assert read_licence(root) == licence


def test_a_folder_without_a_description_says_no_licence(tmp_path: Path) -> None:
    assert read_licence(tmp_path / "gone") is None
