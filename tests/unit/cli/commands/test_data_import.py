"""`data import` and `data export` as a person uses them."""

import json
import re
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import ImageOps

from cv_yolo.adapters.yolo.data_yaml import read_licence
from cv_yolo.cli.main import run
from tests.loopback import Reply, loopback
from tests.unit.cli.world import Said, said
from tests.yolo_data import LABEL, a_small_data_set, noise, put_data_yaml, put_image, put_label

CASES = Path(__file__).parents[5] / "shared" / "data" / "own-images-cases"
IMPORT = ("data", "import")


@pytest.fixture
def source(project: Path) -> Path:
    return a_small_data_set(project / "Downloads" / "mine")


def packed(root: Path, archive: Path) -> Path:
    return Path(shutil.make_archive(str(archive.with_suffix("")), "zip", root))


def test_a_folder_is_imported_and_the_next_command_is_printed(
    source: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine")
    assert found.exit_code == 0, found.err
    assert found.out.startswith("data/mine: imported from Downloads/mine (yolo)\n")
    assert re.search(r"^class +train +val +test +all$", found.out, re.MULTILINE)
    assert re.search(r"^person +2 +1 +0 +3$", found.out, re.MULTILINE)
    assert re.search(r"^images +2 +1 +0 +3$", found.out, re.MULTILINE)
    assert found.out.endswith("next: cv-yolo grid --data data/mine\n")
    checked = said(capsys, "data", "check", "data/mine", "--json").json
    assert checked["boxes"] == {"train": 2, "val": 1, "test": 0}
    assert checked["revision"].startswith(found.out.split("revision ")[1][:16])


def test_an_archive_is_imported_and_nothing_of_it_stays_behind(
    source: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(source, project / "mine.zip")
    found = said(capsys, *IMPORT, "mine.zip", "--name", "mine", "--json")
    assert found.exit_code == 0, found.err
    assert "unpacking mine.zip: 7 files" in found.err
    assert found.json["format"] == "yolo"
    assert found.json["boxes_by_class"] == {"person": {"train": 2, "val": 1}}
    assert found.json["origin"] == {"split": "source"}
    assert found.json["findings"] == []
    assert [path.name for path in (project / "data").iterdir()] == ["mine"]
    assert list((project / ".cv-yolo" / "tmp").iterdir()) == []


def test_everything_that_is_wrong_is_said_at_once_and_the_former_data_stay(
    source: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*IMPORT, "Downloads/mine", "--name", "mine"]) == 0
    before = said(capsys, "data", "check", "data/mine", "--json").json["revision"]
    put_label(source, "train/a.jpg", "0 0,5 0.5 0.1 0.1\n-1 0.5 0.5 0.1 0.1\n")
    (source / "images" / "train" / "b.png").write_bytes(b"GIF89a")
    found = said(capsys, *IMPORT, str(packed(source, project / "mine.zip")), "--name", "mine")
    assert (found.exit_code, found.out) == (2, "")
    assert "error: the data set has 3 problems:" in found.err
    archive = project / "mine.zip"
    assert f"  {archive}/labels/train/a.txt:1: not a number: '0,5': write a decimal point, not a comma" in found.err
    assert f"  {archive}/labels/train/a.txt:2: class -1, but data.yaml names the class 0: a negative" in found.err
    assert f"  {archive}/images/train/b.png: does not decode: it is a GIF" in found.err
    assert "hint: " in found.err
    assert said(capsys, "data", "check", "data/mine", "--json").json["revision"] == before


@pytest.fixture
def leaking(source: Path) -> Path:
    """A source with a picture in train that is the mirror image of one in val."""
    for number in range(12):
        put_image(source, f"train/{number}.png")
    ImageOps.mirror(noise(sum(b"val/c.jpg"))).save(source / "images" / "train" / "mirrored.png")
    put_label(source, "train/mirrored.png")
    return source


def test_pictures_that_training_would_refuse_come_with_the_command_that_keeps_them_in_one_split(
    leaking: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = (
        "cv-yolo data import Downloads/mine --name mine --split 0.6/0.2/0.2 --group-by similarity --seed 1"
        " --add-classes"
    )
    options = ("Downloads/mine", "--name", "mine", "--split", "0.6/0.2/0.2", "--seed", "1", "--add-classes")
    found = said(capsys, *IMPORT, *options)
    assert "training refuses such pairs, unless the data policy excepts them" in found.out
    assert found.out.endswith(f"\nnext: {again}\n")
    assert said(capsys, *IMPORT, *options, "--json").json["next"] == again
    assert run(["data", "check", "data/mine"]) == 2
    assert run(shlex.split(again)[1:]) == 0
    assert run(["data", "check", "data/mine"]) == 0
    assert capsys.readouterr().out.count("next: cv-yolo grid --data data/mine\n") == 1


def test_the_splits_of_the_source_are_divided_again_where_they_share_a_picture(
    leaking: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", "--json").json
    assert found["next"].endswith(" --name mine --split 0.8/0.1/0.1 --group-by similarity")
    (project / "configs").mkdir()
    (project / "configs" / "data_policy.yaml").write_text("rules: {similar_images: warning}\n", encoding="utf-8")
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", "--json").json
    assert found["next"] == "cv-yolo grid --data data/mine"


def test_the_key_of_an_address_is_left_out_of_the_command(
    leaking: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = packed(leaking, project / "mine.zip").read_bytes()
    with loopback(lambda asked: Reply(body=archive)) as address:
        found = said(capsys, *IMPORT, f"{address}/mine.zip?key=secret", "--name", "mine")
    assert f"next: cv-yolo data import '{address}/mine.zip?…' --name mine --split" in found.out
    assert "secret" not in found.out + found.err


def test_every_refusal_is_in_the_json(source: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_label(source, "train/a.jpg", "0 x 0.5 0.1 0.1\n" * 30)
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", "--json")
    assert found.exit_code == 2
    assert "… and 20 more" in found.err
    refused = found.json["refused"]
    assert len(refused) == 30
    assert all(each["message"].startswith("Downloads/mine/labels/train/a.txt:") and each["hint"] for each in refused)
    (source / "data.yaml").write_text("names: [", encoding="utf-8")
    (one,) = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", "--json").json["refused"]
    assert "data.yaml: cannot be read" in one["message"]


def test_a_hostile_archive_is_refused_before_anything_is_written(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(project / "evil.zip", "w") as archive:
        archive.writestr("../../evil.txt", "x")
    found = said(capsys, *IMPORT, "evil.zip", "--name", "evil")
    assert found.exit_code == 2
    assert "leads out of the folder" in found.err
    assert not list(project.parent.rglob("evil.txt"))
    assert not (project / "data").exists()


def test_labels_without_a_description_take_their_names_from_the_command(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "flat"
    folder.mkdir()
    for number in range(30):
        noise(number).save(folder / f"{number}.jpg")
        (folder / f"{number}.txt").write_text(f"{number % 2} 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    said_so = said(capsys, *IMPORT, "flat", "--name", "flat")
    assert said_so.exit_code == 2
    assert "--class-names" in said_so.err
    assert run([*IMPORT, "flat", "--name", "flat", "--class-names", "cat,dog", "--seed", "1"]) == 0
    assert "divided 0.8/0.1/0.1 with the seed 1" in capsys.readouterr().out
    (project / "names.txt").write_text("\ufeffcat\r\n\r\ndog\r\n", encoding="utf-8")
    assert run([*IMPORT, "flat", "--name", "two", "--class-names", "names.txt", "--split", "0.5/0.5"]) == 0
    assert (
        said(capsys, *IMPORT, "flat", "--name", "three", "--class-names", "coco", "--json").json["classes"][1]
        == "bicycle"
    )
    (project / "names.txt").write_bytes(b"\xff\xfe\x00")
    assert run([*IMPORT, "flat", "--name", "two", "--class-names", "names.txt"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_licence_of_the_source_stays_with_the_data(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_data_yaml(source, roboflow={"license": "CC BY 4.0"})
    assert run([*IMPORT, "Downloads/mine", "--name", "mine"]) == 0
    assert read_licence(Path("data/mine")) == "CC BY 4.0"
    capsys.readouterr()
    assert said(capsys, "data", "check", "data/mine", "--json").json["findings"] == []


def test_options_reach_the_import(source: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_data_yaml(source, names=["person", "dog"])
    put_label(source, "train/a.jpg", "0 .1 .1 .5 .1 .5 .5\n1 .5 .5 .2 .2 .87\n")
    assert run([*IMPORT, "Downloads/mine", "--name", "mine"]) == 2
    assert "--polygons envelope" in capsys.readouterr().err
    options = ("--polygons", "envelope", "--classes", "person", "--format", "yolo", "--group-by", "[a-z]\\.(?:jpg|png)")
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", *options, "--json")
    assert found.exit_code == 0, found.err
    assert found.json["classes"] == ["person"]
    assert {each["kind"]: each["count"] for each in found.json["findings"]} == {
        "confidences": 1,
        "outlines": 1,
        "objects_of_other_classes": 1,
    }
    assert run([*IMPORT, "Downloads/mine", "--name", "mine", "--polygons", "envelope"]) == 2
    assert "--add-classes" in capsys.readouterr().err
    assert run([*IMPORT, "Downloads/mine", "--name", "mine", "--polygons", "envelope", "--add-classes"]) == 0


def test_many_classes_are_shown_in_part(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = project / "many"
    for name in ("train/a.jpg", "val/b.jpg"):
        put_image(source, name)
    put_data_yaml(source, names=["person", *(f"class {number}" for number in range(60))])
    found = said(capsys, *IMPORT, "many", "--name", "many")
    assert "… and 21 more classes (--json has them)" in found.out


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a b", "a\n"])
def test_a_name_that_is_no_folder_below_data_is_refused(
    source: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*IMPORT, "Downloads/mine", "--name", name]) == 2
    assert "a folder below data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--split", "80/10/10"), "not fractions that sum to 1"),
        (("--format", "coco"), "Downloads/mine"),
        (("--group-by", "camera"), "no column of that name"),
    ],
)
def test_wrong_options_are_errors_with_a_hint(
    source: Path, options: tuple[str, str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", *options)
    assert found.exit_code == 2
    assert reason in found.err


def test_a_folder_without_annotations_says_what_is_read(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "empty").mkdir()
    found = said(capsys, *IMPORT, "empty", "--name", "mine")
    assert found.exit_code == 2
    assert "empty: neither COCO JSON, Pascal VOC XML" in found.err


@pytest.mark.parametrize("format", ["coco", "voc", "yolo"])
def test_an_export_is_imported_again(
    source: Path, project: Path, format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*IMPORT, "Downloads/mine", "--name", "mine"]) == 0
    found = said(capsys, "data", "export", "mine", "--format", format, "--out", "out")
    assert (found.exit_code, found.out) == (0, f"out: 3 images, 3 objects, 1 classes as {format}\n"), found.err
    again = said(capsys, *IMPORT, "out", "--name", "again", "--json").json
    assert again["boxes"] == {"train": 2, "val": 1, "test": 0}
    assert run(["data", "export", "mine", "--format", format, "--out", "out"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("import", "export"):
        assert f"cv-yolo data {command} " in said(capsys, "data", command, "--help").out.partition("Examples:")[2]


# --- the inputs of `own-images-cases`, by command

REFUSED = {
    "gif_named_jpg": "p.jpg: does not decode: it is a GIF",
    "lab_obb_8": "train0.txt:1: 9 fields, expected 5: a rotated box",
    "lab_seg_polygon": "train0.txt:1: 11 fields, expected 5: a segmentation polygon",
    "lab_underscore_num": "an underscore between digits",
    "lab_zero_area": "a box of zero width",
    "no_boxes_val": "no boxes in val (3 images)",
    "one_px": "1 x 1 px: training leaves out what is under 10 px",
    "same_stem_ext": "a.txt: the label file of a.jpg and a.png",
    "tiff_float": "f.tif: 32 bits for each value",
    "yaml_names_gap": "`names`: 1 is missing",
    "yaml_nc_mismatch": "`nc: 5`, but `names` lists 2",
}
READ: dict[str, tuple[int, dict[str, int]]] = {  # boxes and findings
    "lab_bom": (12, {}),
    "lab_class_0_0": (12, {}),
    "lab_coord_1.0000001": (12, {"values_just_outside": 1}),
    "lab_duplicate_lines": (12, {"repeated_boxes": 2}),
    "lab_edge_over": (12, {"clipped_boxes": 1}),
    "lab_tiny_w": (11, {"small_boxes": 1}),
    "labels_beside_images": (12, {}),
    "labels_folder_wrong_case": (12, {}),
    "leak_reencoded": (13, {"similar_images": 1}),
    "yaml_names_int": (12, {}),
    "yaml_roboflow_dotdot": (12, {}),
    "yaml_train_txt": (12, {}),
    "yaml_valid_key": (12, {}),
}
WITH_OUTLINES = {"lab_obb_8", "lab_seg_polygon"}


def imported(name: str, capsys: pytest.CaptureFixture[str], *options: str) -> Said:
    if not (CASES / name).is_dir():
        pytest.skip(f"{CASES / name} is not there: ../shared/data/own-images-cases, beside the project")
    return said(capsys, *IMPORT, str(CASES / name), "--name", name, "--json", *options)


def as_checked(name: str, capsys: pytest.CaptureFixture[str]) -> Any:
    return said(capsys, "data", "check", f"data/{name}", "--json").json


def test_every_case_has_its_expectation(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported("lab_bom", capsys)
    names = {path.name for path in CASES.iterdir() if path.is_dir()} - {"label_is_dir"}
    assert names == REFUSED.keys() | READ.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_that_cannot_be_used_is_refused(project: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = imported(name, capsys)
    assert found.exit_code == 2
    assert REFUSED[name] in found.err
    assert REFUSED[name] in found.json["refused"][0]["message"]
    assert "hint: " in found.err
    assert not (project / "data").exists()


@pytest.mark.parametrize("name", READ)
def test_a_case_that_can_be_used_is_imported_and_checked(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes, findings = READ[name]
    found = imported(name, capsys)
    assert found.exit_code == 0, found.err
    assert sum(found.json["boxes"].values()) == boxes
    assert {each["kind"]: each["count"] for each in found.json["findings"]} == findings
    checked = as_checked(name, capsys)
    errors = {each["kind"] for each in checked["findings"] if each["severity"] == "error"}
    assert errors == findings.keys() & {"similar_images"}, "which the data policy does not accept"
    assert checked["revision"] == (None if errors else found.json["revision"])


@pytest.mark.parametrize("name", sorted(WITH_OUTLINES))
def test_outlines_are_imported_as_boxes_where_that_is_asked_for(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = imported(name, capsys, "--polygons", "envelope")
    assert found.exit_code == 0, found.err
    assert {each["kind"]: each["count"] for each in found.json["findings"]} == {"outlines": 1}
    annotations = json.loads((project / "data" / name / "annotations.json").read_bytes())["annotations"]
    assert sum(bool(each["segmentation"]) for each in annotations) == 1


def test_a_label_that_is_a_folder_is_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (source / "labels" / "train" / "a.txt").unlink()
    (source / "labels" / "train" / "a.txt").mkdir()
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine")
    assert found.exit_code == 2
    assert "labels/train/a.txt: a folder, not a file" in found.err


def test_a_large_picture_is_refused_by_a_limit_that_can_be_raised(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CV_YOLO_MAX_MEGAPIXELS", "0.003")
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine")
    assert found.exit_code == 2
    assert "a.jpg: 64 x 48 px: more than 0.003 megapixels are not decoded" in found.err
    assert "CV_YOLO_MAX_MEGAPIXELS" in found.err
    assert run(["data", "check", "Downloads/mine"]) == 2
    monkeypatch.setenv("CV_YOLO_MAX_MEGAPIXELS", "0.004")
    assert run([*IMPORT, "Downloads/mine", "--name", "mine"]) == 0


def test_links_out_of_a_folder_are_followed_when_they_are_asked_for(
    source: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = project / "elsewhere.jpg"
    (source / "images" / "train" / "a.jpg").rename(elsewhere)
    (source / "images" / "train" / "a.jpg").symlink_to(elsewhere)
    assert run([*IMPORT, "Downloads/mine", "--name", "mine"]) == 2
    assert "a link out of the folder" in capsys.readouterr().err
    assert run([*IMPORT, "Downloads/mine", "--name", "mine", "--follow-links"]) == 0
    assert not (project / "data" / "mine" / "images" / "train" / "a.jpg").is_symlink()


def test_labels_as_programs_write_them_are_imported(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = " ".join(f"{value:.18e}" for value in (0, 0.5, 0.5, 0.4, 0.6))
    put_label(source, "train/a.jpg", f"{written}\r\n".encode())
    put_label(source, "train/b.png", LABEL.replace(" ", "\t").encode("utf-8-sig"))
    found = said(capsys, *IMPORT, "Downloads/mine", "--name", "mine", "--json").json
    assert found["boxes"] == {"train": 2, "val": 1, "test": 0}
    assert found["findings"] == []
