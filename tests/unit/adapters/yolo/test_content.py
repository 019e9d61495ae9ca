"""What a data set holds, read without decoding: the same revision as a check finds."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.adapters.yolo import content as subject
from cv_yolo.adapters.yolo.content import YoloContents
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.manifest import DatasetManifest, Split, revision_of
from cv_yolo.errors import DatasetError
from tests.yolo_data import a_small_data_set, put_data_yaml, put_image, put_label


def test_revision_records_and_boxes_are_those_of_a_check(tmp_path: Path) -> None:
    root = a_small_data_set(tmp_path / "mine")
    put_image(root, "train/nothing.jpg", label=None)
    content, found = YoloContents(tmp_path / "facts.json").read(root), YoloFolder().scan(root)
    assert content.images == found.images
    assert content.revision == revision_of(found.classes, found.images)
    manifest = DatasetManifest(name="mine", classes=found.classes, images=found.images)
    for truth in YoloFolder().ground_truth(root, manifest, Split.TRAIN):
        np.testing.assert_array_equal(truth.boxes_xyxy, content.truths[truth.image].boxes_xyxy)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(["train/a.jpg", "train/b.png", "train/d.jpg", "val/c.jpg"]), name=st.sampled_from("xyz"))
def test_the_revision_is_independent_of_order_folder_and_machine(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], name: str
) -> None:
    """Files that were written in another order, at another place and time, are the same revision."""
    revisions = set()
    for images, folder in ((sorted(order), "one"), (order, name)):
        root = tmp_path_factory.mktemp("somewhere") / folder
        for each in images:
            put_image(root, each)
        put_data_yaml(root)
        revisions.add(YoloContents(root.parent / "facts.json").read(root).revision)
    assert len(revisions) == 1


def test_the_files_of_images_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, contents = a_small_data_set(tmp_path / "mine"), YoloContents(tmp_path / "facts.json")
    monkeypatch.setattr(subject, "SETTLED_NS", -10_000_000_000)
    first = contents.read(root)
    monkeypatch.setattr(subject, "_facts_of", None)
    assert contents.read(root).revision == first.revision


def test_images_that_may_still_change_are_read_again(tmp_path: Path) -> None:
    root, contents = a_small_data_set(tmp_path / "mine"), YoloContents(tmp_path / "facts.json")
    contents.read(root)
    assert not (tmp_path / "facts.json").exists()


@pytest.mark.parametrize("damaged", ["{", '{"format": 0}', "[]", '{"format": 1, "images": [["a", 1]]}'])
def test_facts_that_cannot_be_read_are_gathered_again(tmp_path: Path, damaged: str) -> None:
    root, facts = a_small_data_set(tmp_path / "mine"), tmp_path / "facts.json"
    facts.write_text(damaged, encoding="utf-8")
    assert len(YoloContents(facts).read(root).images) == 3


def test_everything_that_cannot_be_read_is_refused_at_once(tmp_path: Path) -> None:
    root = a_small_data_set(tmp_path / "mine")
    put_label(root, "train/a.jpg", "0 0.5\n")
    (root / "images" / "train" / "b.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="2 problems") as refusal:
        YoloContents(tmp_path / "facts.json").read(root)
    assert "a.txt:1" in refusal.value.message


def test_stored_files_that_do_not_have_their_md5_are_refused(tmp_path: Path) -> None:
    root = a_small_data_set(tmp_path / "mine")
    for path in ("labels/train/a.txt", "images/train/a.jpg", "data.yaml"):
        with pytest.raises(DatasetError, match=f"{path}: damaged in DVC's cache"):
            YoloContents(tmp_path / "facts.json").read(root, {path: "0" * 32})
