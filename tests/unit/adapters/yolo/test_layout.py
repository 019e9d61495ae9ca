"""Where images and labels lie: links, odd names, wrong places, and files that are no images."""

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError
from tests.yolo_data import (
    FOLDER,
    LABEL,
    a_small_data_set,
    findings_of,
    found_in,
    gate_findings_of,
    manifest_of,
    noise,
    put_data_yaml,
    put_image,
    put_label,
    refused,
)

WHOLE = ["images/train/a.jpg", "images/train/b.png", "images/val/c.jpg"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


def moved(path: Path, to: Path) -> Path:
    """Put a file or folder elsewhere, and a link in its place."""
    to.parent.mkdir(parents=True, exist_ok=True)
    path.rename(to)
    path.symlink_to(to)
    return to


# -- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "linked",
    ["images/train/a.jpg", "labels/train/a.txt", "images/train", "labels/train", "images", "labels", "data.yaml", "."],
)
def test_linked_data_are_the_same_data(root: Path, tmp_path: Path, linked: str) -> None:
    before = FOLDER.scan(root)
    moved(root / linked, tmp_path / "elsewhere" / (Path(linked).name or "mine"))
    after = FOLDER.scan(root)
    assert (after.classes, after.images) == (before.classes, before.images)
    linked_folder = linked.startswith(("images", "labels")) and not linked.endswith((".jpg", ".txt"))
    assert [(each.kind, each.examples) for each in after.findings] == (
        [("linked_folders", (linked,))] if linked_folder else []
    )
    manifest = manifest_of(after)
    (first, _) = FOLDER.ground_truth(root, manifest, Split.TRAIN)
    np.testing.assert_allclose(first.boxes_xyxy, [[0.3 * 64, 0.2 * 48, 0.7 * 64, 0.8 * 48]])


def test_the_label_is_the_one_in_the_data_set_and_not_beside_the_target_of_a_link(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other" / "images" / "train"
    moved(root / "images" / "train" / "a.jpg", elsewhere / "a.jpg")
    put_label(tmp_path / "other", "train/a.jpg", "0 0.1 0.1 0.1 0.1\n0 0.2 0.2 0.1 0.1\n")
    record = FOLDER.scan(root).images[0]
    assert (record.label, record.boxes) == ("labels/train/a.txt", 1)
    (truth, _) = FOLDER.ground_truth(root, manifest_of(FOLDER.scan(root)), Split.TRAIN)
    assert len(truth.boxes_xyxy) == 1


def test_a_folder_of_links_is_walked_in_the_order_of_names(root: Path, tmp_path: Path) -> None:
    for name in ("z.jpg", "d.jpg", "m.jpg"):
        put_image(root, f"train/{name}")
        moved(root / "images" / "train" / name, tmp_path / "cache" / f"{name[::-1]}")
    assert [name for name in found_in(root) if "train" in name] == [
        f"images/train/{name}" for name in ("a.jpg", "b.png", "d.jpg", "m.jpg", "z.jpg")
    ]


def test_a_linked_folder_below_the_images_is_walked_too(root: Path, tmp_path: Path) -> None:
    put_image(root, "train/night/d.jpg")
    moved(root / "images" / "train" / "night", tmp_path / "nights")
    assert "images/train/night/d.jpg" in found_in(root)


@pytest.mark.parametrize("target", ["none.jpg", "/nowhere/at/all.jpg", "d.jpg"])
def test_an_image_that_is_a_link_to_nothing_is_named_with_its_target(root: Path, target: str) -> None:
    image = root / "images" / "train" / "d.jpg"
    image.symlink_to(target)
    put_label(root, "train/d.jpg")
    assert refused(root).message == f"{image}: a link to {target}, where no file can be read"


@pytest.mark.parametrize("target", ["none.txt", "a.txt"])
def test_a_label_that_is_a_link_to_nothing_is_named_with_its_target(root: Path, target: str) -> None:
    label = root / "labels" / "train" / "a.txt"
    label.unlink()
    label.symlink_to(target)
    assert refused(root).message == f"{label}: a link to {target}, where no file can be read"


@pytest.mark.parametrize("folder", ["images/train", "images"])
def test_a_link_back_to_a_folder_above_is_refused_and_not_walked_for_ever(root: Path, folder: str) -> None:
    (root / "images" / "train" / "again").symlink_to(root / folder)
    assert refused(root).message == f"{root / 'images' / 'train' / 'again'}: a link back to a folder above it"


@pytest.mark.parametrize("target", ["nowhere", "train"])
def test_a_split_that_is_a_link_to_nothing_is_refused(root: Path, target: str) -> None:
    (root / "images" / "train").rename(root / "away")
    (root / "images" / "train").symlink_to(target)
    message = refused(root).message
    assert message.startswith(f"{root / 'data.yaml'}: `train: images/train` is not a folder in {root}")
    assert "link to nothing" in message


def test_one_picture_by_two_links_is_reported_in_a_split_and_refused_between_two(root: Path, tmp_path: Path) -> None:
    target = moved(root / "images" / "train" / "a.jpg", tmp_path / "one.jpg")
    (root / "images" / "train" / "again.jpg").symlink_to(target)
    put_label(root, "train/again.jpg")
    assert gate_findings_of(root) == {"repeated_images": ("images/train/again.jpg",)}
    (root / "images" / "val" / "again.jpg").symlink_to(target)
    put_label(root, "val/again.jpg")
    with pytest.raises(DatasetError, match="the same picture is in two splits"):
        manifest_of(FOLDER.scan(root))


@pytest.mark.parametrize("kind", ["link to nothing", "loop", "pipe"])
@pytest.mark.parametrize("place", ["odd", "labels/train/odd.cache", ".hidden"])
def test_anything_else_of_which_no_revision_can_be_made_is_refused(root: Path, place: str, kind: str) -> None:
    path = root / place
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("none" if kind == "link to nothing" else path.name)
    assert refused(root).message.startswith(f"{path}: a ")


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "a\rb.jpg", "a\tb.jpg", "a\x1bb.jpg", "a\x7fb.jpg", "a\u2028b.jpg", "\x85.jpg", "a\\b.jpg"]
)
def test_a_name_that_is_not_one_line_of_text_is_refused_and_shown_in_one_line(root: Path, name: str) -> None:
    put_image(root, "train/new.jpg", label=None).rename(root / "images" / "train" / name)
    error = refused(root)
    assert error.message.startswith(f"{root / 'images' / 'train'}/")
    assert error.message.endswith(" in the name")
    assert len(error.message.splitlines()) == 1
    assert "rename" in str(error.hint)


def test_a_name_that_is_not_utf_8_is_refused_and_can_be_shown(root: Path) -> None:
    folder = os.fsencode(root / "images" / "train")
    os.rename(folder + b"/a.jpg", folder + b"/caf\xe9.jpg")  # noqa: PTH104
    message = refused(root).message
    assert "caf\\udce9.jpg" in message
    message.encode("utf-8")


def test_a_folder_with_such_a_name_is_refused_once(root: Path) -> None:
    for name in ("d.jpg", "e.jpg"):
        put_image(root, f"train/night/{name}")
    (root / "images" / "train" / "night").rename(root / "images" / "train" / "ni\nght")
    assert refused(root).message == (
        f"{root}/images/train/ni\\nght: a line break, a control character or bytes that are not UTF-8 in the name"
    )


def test_a_data_set_in_a_folder_with_such_a_name_is_refused(tmp_path: Path) -> None:
    root = a_small_data_set(tmp_path / "mi\nne")
    assert "mi\\nne: a line break" in refused(root).message


@pytest.mark.parametrize(
    "name",
    [
        "a b.jpg",
        "größe.jpg",
        "人.jpg",
        "a'b\"c.jpg",
        "a#b?[c]*.jpg",
        "a,b;c.jpg",
        "x.y.z.jpg",
        "e" * 251 + ".jpg",
        " .jpg",
    ],
)
def test_any_other_name_is_read(root: Path, name: str) -> None:
    put_image(root, f"train/{name}")
    assert f"images/train/{name}" in found_in(root)
    assert findings_of(root) == {}


def test_odd_names_of_ignored_files_can_be_shown(root: Path) -> None:
    (root / "images" / "train" / "a\nb.gif").touch()
    (root / "images" / "train" / "c.g\nif").touch()
    for finding in FOLDER.scan(root).findings:
        assert "\n" not in finding.sentence


# -- places -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("train", ["images/nowhere", 3, "data.yaml", "labels/train/a.txt/x", "images/" + "x" * 300])
def test_a_split_that_is_not_a_folder_of_the_data_set_is_refused(root: Path, train: object) -> None:
    put_data_yaml(root, train=train)
    assert refused(root).message == f"{root / 'data.yaml'}: `train: {train}` is not a folder in {root}"


@pytest.mark.parametrize("train", ["../mine_too/images", "/", "../../images/train", "images/../../mine_too/images"])
def test_a_split_outside_the_data_set_is_refused(root: Path, train: str) -> None:
    put_image(root.parent / "mine_too", "a.jpg")
    put_data_yaml(root, train=train)
    assert refused(root).message == f"{root / 'data.yaml'}: `train: {train}` lies outside the data set's folder {root}"


@pytest.mark.parametrize("train", ["images\\train", "C:\\data\\train"])
def test_a_path_as_windows_writes_it_is_refused_with_the_right_way(root: Path, train: str) -> None:
    put_data_yaml(root, train=train)
    assert refused(root).hint == "write `/` between folders"


def test_a_split_may_be_named_by_its_whole_path(root: Path) -> None:
    before = FOLDER.scan(root)
    put_data_yaml(root, train=str(root / "images" / "train"))
    assert FOLDER.scan(root) == before


def test_the_folder_may_be_named_by_a_detour(root: Path) -> None:
    assert FOLDER.scan(root.parent / "other" / ".." / "mine") == FOLDER.scan(root)


def test_roboflows_way_of_writing_places_is_read_within_the_data_set(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for split, place in (("train", "train"), ("val", "valid")):
        put_image(root / place, f"{split}.jpg")
    put_data_yaml(root, train="../train/images", val="../valid/images")
    assert [(each.image, each.label) for each in FOLDER.scan(root).images] == [
        ("train/images/train.jpg", "train/labels/train.txt"),
        ("valid/images/val.jpg", "valid/labels/val.txt"),
    ]


def test_a_split_may_be_several_folders(root: Path) -> None:
    put_image(root, "more/d.jpg")
    put_data_yaml(root, train=["images/train", "images/more"])
    assert found_in(root) == ["images/more/d.jpg", *WHOLE]


@pytest.mark.parametrize(
    "changes", [{"val": "images/train"}, {"train": "images"}, {"train": ["images/train", "images/train"]}]
)
def test_an_image_in_two_places_is_refused(root: Path, changes: dict[str, Any]) -> None:
    put_data_yaml(root, **changes)
    assert "of the images are listed twice, in" in refused(root).message


def test_folders_in_the_wrong_case_are_named_with_the_right_one(root: Path) -> None:
    (root / "images").rename(root / "Images")
    error = refused(root)
    assert "`train: images/train` is not a folder" in error.message
    assert "did you mean `Images/train`?" in error.message
    put_data_yaml(root, train="Images/train", val="Images/val")
    assert "did you mean `images` for `Images`?" in refused(root).message


def test_images_outside_a_folder_images_are_refused_once_a_folder(root: Path) -> None:
    (root / "images" / "train").rename(root / "pictures")
    put_data_yaml(root, train="pictures")
    assert refused(root).message == (
        f"{root / 'pictures' / 'a.jpg'}: images must be below a folder `images`, their labels below `labels` next to it"
    )


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_an_image_is_refused(root: Path, split: str) -> None:
    (root / "images" / "none").mkdir()
    put_data_yaml(root, **{split: "images/none"})
    assert refused(root).message == f"{root / 'data.yaml'}: `{split}: images/none` holds no image that can be read"


def test_an_empty_folder_for_testing_is_not_a_test_split(root: Path) -> None:
    (root / "images" / "test").mkdir()
    put_data_yaml(root, test="images/test")
    assert found_in(root) == WHOLE


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_of_formats_that_are_not_read_names_them(root: Path, split: str) -> None:
    for name in ("a.heic", "b.HEIC", "c.gif"):
        path = root / "images" / "phone" / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    put_data_yaml(root, **{split: "images/phone"})
    error = refused(root)
    assert error.message.endswith("holds no image that can be read (but 1 .gif, 2 .heic)")
    assert ".jpg" in str(error.hint)


# -- lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "images/train/a.jpg\nimages/train/b.png\n",
        "./images/train/b.png\r\n\r\n./images/train/a.jpg",
        "\ufeffimages/train/a.jpg\nimages/train/b.png",
    ],
)
def test_a_split_may_be_a_list_of_images(root: Path, text: str) -> None:
    (root / "train.txt").write_bytes(text.encode())
    put_data_yaml(root, train="train.txt")
    assert found_in(root) == WHOLE


def test_an_unlisted_image_is_neither_an_image_nor_an_orphan(root: Path) -> None:
    (root / "train.txt").write_text("images/train/a.jpg\n", encoding="utf-8")
    put_data_yaml(root, train="train.txt")
    assert found_in(root) == ["images/train/a.jpg", "images/val/c.jpg"]
    assert findings_of(root) == {}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("images/train/none.jpg", "images/train/none.jpg does not exist"),
        ("images/train", "images/train is not an image format that can be read"),
        ("images/train/x.gif", "images/train/x.gif is not an image format that can be read"),
        ("../other/images/a.jpg", "../other/images/a.jpg lies outside the data set's folder"),
        ("/etc/images/a.jpg", "/etc/images/a.jpg lies outside the data set's folder"),
        ("data/mine/images/train/a.jpg", "data/mine/images/train/a.jpg does not exist"),
    ],
)
def test_a_wrong_line_of_a_list_is_named(root: Path, line: str, complaint: str) -> None:
    (root / "train.txt").write_text(f"images/train/a.jpg\n{line}\n", encoding="utf-8")
    put_data_yaml(root, train="train.txt")
    assert refused(root).message.startswith(f"{root / 'train.txt'}:2: {complaint}")


def test_a_line_of_a_list_with_an_odd_name_is_refused_by_name(root: Path) -> None:
    put_image(root, "train/n.jpg").rename(root / "images" / "train" / "a\tb.jpg")
    (root / "train.txt").write_text("images/train/a\tb.jpg\n", encoding="utf-8")
    put_data_yaml(root, train="train.txt")
    assert "a\\tb.jpg: a line break, a control character" in refused(root).message


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "lists no image"), (b"\n \n", "lists no image"), (b"\xff\xfe", "cannot be read")]
)
def test_an_invalid_list_is_refused(root: Path, content: bytes, complaint: str) -> None:
    (root / "train.txt").write_bytes(content)
    put_data_yaml(root, train="train.txt")
    assert refused(root).message.startswith(f"{root / 'train.txt'}: {complaint}")


# -- other files ------------------------------------------------------------------------------------------------------


def test_files_that_are_not_images_are_counted_by_their_suffix(root: Path) -> None:
    names = [
        "1.heic",
        "2.HEIC",
        "3.avif",
        "4.jfif",
        "5.jp2",
        "6.gif",
        "7.mpo",
        "8.dng",
        "9.svg",
        "10.mp4",
        "README",
        "n.txt",
    ]
    for name in [*names, "Thumbs.db", ".DS_Store", ".gitkeep", "desktop.ini"]:
        (root / "images" / "train" / name).touch()
    assert findings_of(root) == {"ignored_files .heic": 2, "ignored_files no suffix": 1} | {
        f"ignored_files {suffix}": 1
        for suffix in (".avif", ".jfif", ".jp2", ".gif", ".mpo", ".dng", ".svg", ".mp4", ".txt")
    }


def test_hidden_copies_of_images_are_ignored_and_counted(root: Path) -> None:
    (root / "images" / "train" / "._a.jpg").write_bytes(b"a fork of macOS")
    put_image(root, "train/.ipynb_checkpoints/a-checkpoint.jpg", label=None)
    assert found_in(root) == WHOLE
    assert findings_of(root) == {"ignored_files hidden": 2}


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
@pytest.mark.parametrize("mode", [0o000, 0o444])
@pytest.mark.parametrize(
    "path", ["images/train", "images/train/a.jpg", "labels/train/a.txt", "labels/train", "labels", "images", "."]
)
def test_an_unreadable_file_is_named(root: Path, path: str, mode: int) -> None:
    if mode and (root / path).is_file():
        pytest.skip("the owner may read it")
    (root / path).chmod(mode)
    try:
        message = refused(root).message
    finally:
        (root / path).chmod(0o700)
    assert "annot be read: " in message or "is not a folder" in message
    assert "no label file" not in message


def test_a_folder_beside_the_images_that_cannot_be_listed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "notes").mkdir()
    listed = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path).name == "notes":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert refused(root).message == f"{root / 'notes'}: cannot be read: Permission denied"


def test_a_folder_that_cannot_be_listed_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_image(root, "train/night/d.jpg")
    listed = os.scandir

    def refuse(path: Path | str) -> Any:
        if Path(path).name == "night" and "images" in Path(path).parts:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    night = root / "images" / "train" / "night"
    assert refused(root).message == f"{night}: cannot be read: Permission denied"


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("name", ["images/train/d.jpg", "labels/train/a.txt"])
def test_a_pipe_is_not_read_from(root: Path, kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = root / name
    path.unlink(missing_ok=True)
    put_label(root, "train/d.jpg") if "images" in name else None
    if kind == "pipe":
        os.mkfifo(path)
    else:
        monkeypatch.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    assert refused(root).message == f"{path}: a pipe, a socket or a device, not a file"


# -- all at once ------------------------------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_named_at_once(root: Path) -> None:
    put_label(root, "train/a.jpg", "0 0.5 0.5\n")
    (root / "images" / "train" / "b.png").write_bytes(b"")
    put_label(root, "val/c.jpg", "9 0.5 0.5 0.1 0.1\n")
    lines = refused(root).message.splitlines()
    assert lines[0] == "the data set has 3 problems:"
    assert [line.strip().removeprefix(f"{root}/").split(": ")[0] for line in lines[1:]] == [
        *("images/train/b.png", "labels/train/a.txt:1", "labels/val/c.txt:1")
    ]


def test_many_wrong_files_are_counted(root: Path) -> None:
    for number in range(14):
        put_image(root, f"train/{number:02}.jpg", label="x")
    lines = refused(root).message.splitlines()
    assert lines[0] == "the data set has 14 problems:"
    assert lines[-1] == "  … and 4 more"


def test_every_image_is_read_and_decoded_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    reads: list[str] = []
    read_bytes, load = Path.read_bytes, ImageFile.ImageFile.load

    def counted(self: Path) -> bytes:
        reads.append(self.name)
        return read_bytes(self)

    def decoded(self: Any) -> Any:
        if self.tile:
            reads.append("decoded")
        return load(self)

    monkeypatch.setattr(Path, "read_bytes", counted)
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    FOLDER.scan(root)
    assert sorted(reads) == sorted(
        ["data.yaml", "a.jpg", "b.png", "c.jpg", "a.txt", "b.txt", "c.txt", *["decoded"] * 3]
    )


def test_almost_the_same_picture_in_two_splits_is_reported(root: Path) -> None:
    picture = noise(77, (16, 16)).resize((256, 256))
    picture.save(root / "images" / "train" / "d.png")
    picture.resize((200, 200)).save(root / "images" / "val" / "d.jpg", quality=70)
    for name in ("train/d.png", "val/d.jpg"):
        put_label(root, name, LABEL)
    assert gate_findings_of(root) == {"similar_images": ("images/train/d.png and images/val/d.jpg",)}
