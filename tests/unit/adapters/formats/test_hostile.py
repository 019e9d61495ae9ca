"""Damaged and hostile annotations: whatever is in the files, only our own error comes out, or a data set."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cv_yolo.adapters.formats import coco, cvat, labelstudio, voc
from cv_yolo.domain.data.annotated import AnnotatedDataset
from cv_yolo.errors import DatasetError
from tests.annotation_files import (
    CVAT_LABELS,
    VALUE,
    annotation,
    coco_content,
    picture,
    put_text,
    region,
    task,
    voc_object,
)

Read = Callable[[Path], AnnotatedDataset]

RUNS = {"size": [48, 64], "counts": "PP^10000000"}
COCO = coco_content(
    [
        annotation(segmentation=[[1, 2, 3, 4, 5, 6]], attributes={"rotation": 10}),
        annotation(id=2, bbox=None, segmentation=RUNS),
    ],
    categories=[{"id": 1, "name": "cat", "supercategory": "none"}, {"id": 2, "name": "dog", "supercategory": "cat"}],
)
TASKS = [
    task(
        region(),
        region({"points": [[1, 2], [3, 4], [9, 1]], "polygonlabels": ["dog"]}, kind="polygonlabels"),
        region({"choices": ["x"]}, kind="choices", from_name="y"),
        region(VALUE, kind="rectangle"),
        region(VALUE | {"labels": ["a"]}, kind="labels"),
        image="a.jpg",
    ),
    {"image": "b.jpg", "id": 2, "label": [VALUE], "annotator": 1, "annotation_id": 3},
]
VOC = (
    "<annotation><filename>a.jpg</filename><size><width>64</width><height>48</height></size>"
    + voc_object(inside="<difficult>0</difficult>")
    + "</annotation>"
)
CVAT = (
    f'<annotations>{CVAT_LABELS}<image id="0" name="a.jpg" width="64" height="48" subset="train">'
    '<box label="cat" xtl="4.5" ytl="5" xbr="24" ybr="15.25" rotation="3"/>'
    '<polygon label="dog" points="1.5,2;11,2;11,8.5"/><tag label="night"/>'
    '<mask label="dog" rle="1, 2, 1, 2" left="10" top="20" width="3" height="2"/></image></annotations>'
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**18), 0, -1]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["a.jpg", "../a.jpg", "..", "/", "", "?d=", "://", "https://[", "data/upload/", "%", "\0", "\ud800"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=5,
)


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every container and key within a document."""
    found = []
    if isinstance(content, dict | list):
        for key in list(content) if isinstance(content, dict) else range(len(content)):
            found.append((content, key))
            found += places(content[key])
    return found


@st.composite
def damaged(draw: st.DrawFn, content: Any) -> Any:
    """The document with some values replaced, removed or repeated."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(content) or [([None], 0)]))
        how = draw(st.sampled_from(["replaced", "removed", "repeated"]))
        if how == "replaced":
            container[key] = draw(VALUES)
        elif how == "removed":
            del container[key]
        elif isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
    return content


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for name in ("a.jpg", "b.jpg", "train/c.jpg"):
        picture(folder, name)
    return folder


def read_or_refuse(root: Path, name: str, text: str | bytes, read: Read) -> None:
    path = put_text(root, name, text)
    message = ""
    try:
        dataset = read(root)
        assert all(each.category in dataset.classes for image in dataset.images for each in image.objects)
    except DatasetError as error:
        message = error.message
    finally:
        path.unlink()
    first, *more = message.splitlines()[1:] if message.startswith("the data set has") else [message]
    assert all(line.startswith("  ") for line in [*more, *([first] if more else [])])


@pytest.mark.parametrize(
    ("content", "read"), [(COCO, coco.read), (TASKS, labelstudio.read)], ids=["coco", "labelstudio"]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_json_of_other_values_is_read_or_refused(root: Path, content: object, read: Read, data: st.DataObject) -> None:
    document = data.draw(damaged(content))
    read_or_refuse(root, "it.json", json.dumps(document), read)


@pytest.mark.parametrize(
    ("text", "name", "read"),
    [
        (json.dumps(COCO), "it.json", coco.read),
        (json.dumps(TASKS), "it.json", labelstudio.read),
        (VOC, "a.xml", voc.read),
        (CVAT, "it.xml", cvat.read),
    ],
    ids=["coco", "labelstudio", "voc", "cvat"],
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_files_of_other_bytes_are_read_or_refused(
    root: Path, text: str, name: str, read: Read, data: st.DataObject
) -> None:
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 6)))
        content[start:end] = data.draw(st.one_of(st.binary(max_size=4), st.text(max_size=4).map(str.encode)))
    read_or_refuse(root, name, bytes(content), read)


WORDS = st.sampled_from(["", "0", "-1", "1e999", "nan", "1,5", "٣", "9" * 400, "a.jpg", "../x", "cat", "\u2028", "1_0"])


@pytest.mark.parametrize(
    ("text", "name", "read"), [(VOC, "a.xml", voc.read), (CVAT, "it.xml", cvat.read)], ids=["voc", "cvat"]
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_xml_of_other_values_is_read_or_refused(
    root: Path, text: str, name: str, read: Read, data: st.DataObject
) -> None:
    values = ["64", "48", "4.5", "5", "24", "15", "cat", "a.jpg", "1.5,2", "1, 2, 1, 2", "10", "20", "3", "xmin", "box"]
    for value in data.draw(st.lists(st.sampled_from(values), min_size=1, max_size=3)):
        text = text.replace(value, data.draw(WORDS), data.draw(st.integers(1, 3)))
    read_or_refuse(root, name, text, read)


@pytest.mark.parametrize(("name", "read"), [("a.xml", voc.read), ("it.xml", cvat.read)])
def test_xml_that_is_nested_deeply_is_read_or_refused(root: Path, name: str, read: Read) -> None:
    inner = "<x>" * 100_000 + "</x>" * 100_000
    outer = ("<annotation>", "</annotation>") if read is voc.read else ("<annotations><meta>", "</meta></annotations>")
    read_or_refuse(root, name, outer[0] + inner + outer[1], read)
