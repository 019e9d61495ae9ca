"""`data synth` draws, and replaces only what it drew; `data check` reads everything and names what is wrong."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.cli.main import run
from tests.yolo_data import LABEL, a_small_data_set, noise, put_data_yaml, put_label

SMALL = ("--counts", "2", "1", "1", "--size", "64")


def synth(out: str = "data/demo", *more: str) -> int:
    return run(["data", "synth", "--out", out, *SMALL, *more])


def content_of(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def json_of(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_scenes_are_drawn_and_counted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth() == 0
    text = capsys.readouterr().out
    assert text.startswith("data/demo: person\n")
    assert "train      2 images" in text
    assert "revision " in text
    assert (project / "data" / "demo" / "manifest.json").is_file()


def test_the_same_command_twice_leaves_the_same_bytes(project: Path) -> None:
    assert synth() == 0
    before = content_of(project)
    assert synth() == 0
    assert content_of(project) == before


def test_another_seed_replaces_what_was_drawn(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth("data/demo", "--json") == 0
    first = json_of(capsys)
    assert synth("data/demo", "--json", "--seed", "7") == 0
    second = json_of(capsys)
    assert first["revision"] != second["revision"]
    assert first["images"] == second["images"] == {"train": 2, "val": 1, "test": 1}
    assert not list((project / "data").glob(".*"))


def test_an_empty_folder_is_free_to_use(project: Path) -> None:
    (project / "data" / "demo").mkdir(parents=True)
    assert synth() == 0


@pytest.mark.parametrize("manifest", [None, "{}", "[]", "{", '{"origin": {"tool": "another"}}', '{"origin": 3}'])
def test_a_folder_that_was_not_generated_is_not_replaced(
    project: Path, capsys: pytest.CaptureFixture[str], manifest: str | None
) -> None:
    mine = project / "data" / "demo"
    mine.mkdir(parents=True)
    (mine / "precious.txt").write_text("precious", encoding="utf-8")
    if manifest is not None:
        (mine / "manifest.json").write_text(manifest, encoding="utf-8")
    before = content_of(project)
    assert synth() == 2
    assert "was not generated" in capsys.readouterr().err
    assert content_of(project) == before


def test_a_file_is_not_a_folder_to_draw_into(project: Path) -> None:
    (project / "precious").write_text("precious", encoding="utf-8")
    assert synth("precious") == 2
    assert (project / "precious").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("size", ["100", "65"])
def test_a_size_that_is_not_a_multiple_of_the_stride_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], size: str
) -> None:
    assert run(["data", "synth", "--size", size]) == 2
    assert f"--size {size}: not a multiple of 32" in capsys.readouterr().err
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("counts", [("0", "1", "1"), ("1", "0", "1")])
def test_a_data_set_without_training_or_validation_images_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], counts: tuple[str, str, str]
) -> None:
    assert run(["data", "synth", "--counts", *counts, "--size", "64"]) == 2
    assert "no images in the split" in capsys.readouterr().err
    assert not (project / "data" / "demo").exists()


def test_a_good_data_set_is_checked_and_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth("data/demo", "--json") == 0
    drawn = json_of(capsys)
    assert run(["data", "check", "data/demo", "--json"]) == 0
    checked = json_of(capsys)
    assert checked["revision"] == drawn["revision"]
    assert checked["boxes"] == drawn["boxes"]
    assert checked["dvc_hash"].endswith(".dir")
    assert checked["versioned"] is False


def test_a_check_says_that_dvc_does_not_know_the_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth() == 0
    assert run(["data", "check", "data/demo"]) == 0
    assert "(not recorded by DVC)" in capsys.readouterr().out


def test_a_changed_label_is_a_new_revision_and_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth() == 0
    label = project / "data" / "demo" / "labels" / "train" / "scene_0000.txt"
    label.write_text("0 0.5 0.5 0.1 0.1\n", encoding="utf-8")
    assert run(["data", "check", "data/demo"]) == 0
    assert "labels/train/scene_0000.txt" in capsys.readouterr().err


def test_a_damaged_image_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth() == 0
    image = project / "data" / "demo" / "images" / "train" / "scene_0000.jpg"
    image.write_bytes(image.read_bytes()[:200])
    assert run(["data", "check", "data/demo"]) == 2
    captured = capsys.readouterr()
    assert f"{image}: does not decode" in captured.err
    assert "hint: restore the file" in captured.err


def test_an_image_that_is_recorded_and_missing_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert synth() == 0
    (project / "data" / "demo" / "images" / "train" / "scene_0000.jpg").unlink()
    assert run(["data", "check", "data/demo"]) == 2
    assert "1 missing (images/train/scene_0000.jpg)" in capsys.readouterr().err


def test_a_missing_data_set_is_said_with_a_way_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", "data/none"]) == 2
    captured = capsys.readouterr()
    assert "no data set here" in captured.err
    assert "hint: " in captured.err


@pytest.fixture
def mine(project: Path) -> Path:
    return a_small_data_set(project / "data" / "mine")


def test_a_check_shows_warnings_as_text_and_as_json(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_label(mine, "train/a.jpg", "0 0.95 0.5 0.2 0.2\n")
    (mine / "images" / "train" / "phone.heic").touch()
    assert run(["data", "check", "data/mine"]) == 0
    text = capsys.readouterr().out
    assert "  note: 1 box over the edge of the image: clipped to it (labels/train/a.txt:1)\n" in text
    assert "  note: 1 file ignored among the images: .heic (images/train/phone.heic)\n" in text
    assert run(["data", "check", "data/mine", "--json"]) == 0
    found = json_of(capsys)["findings"]
    assert [(each["kind"], each["count"], each["subject"]) for each in found] == [
        ("clipped_boxes", 1, ""),
        ("ignored_files", 1, ".heic"),
    ]
    assert found[0]["examples"] == ["labels/train/a.txt:1"]
    assert found[0]["sentence"].startswith("1 box over the edge")


def test_a_data_set_without_oddities_has_none_in_its_json(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", "data/mine", "--json"]) == 0
    assert json_of(capsys)["findings"] == []


def test_everything_that_is_wrong_is_named_by_one_check(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_label(mine, "train/a.jpg", "0 0.5\n")
    put_label(mine, "val/c.jpg", "7 0.5 0.5 0.1 0.1\n")
    assert run(["data", "check", "data/mine"]) == 2
    said = capsys.readouterr().err
    assert "error: the data set has 2 problems:" in said
    assert f"  {mine}/labels/train/a.txt:1: " in said
    assert f"  {mine}/labels/val/c.txt:1: " in said


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_boxes_is_refused_by_the_check(
    mine: Path, capsys: pytest.CaptureFixture[str], split: str
) -> None:
    for label in (mine / "labels" / split).iterdir():
        label.write_text("", encoding="utf-8")
    assert run(["data", "check", "data/mine"]) == 2
    assert f"mine: no boxes in {split}" in capsys.readouterr().err


def test_a_linked_data_set_has_the_name_of_its_link(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine.rename(mine.with_name("mine-v3"))
    mine.symlink_to("mine-v3")
    assert run(["data", "check", "data/mine", "--json"]) == 0
    linked = json_of(capsys)
    assert run(["data", "check", "data/x/../mine-v3", "--json"]) == 0
    straight = json_of(capsys)
    assert (linked["name"], straight["name"]) == ("mine", "mine-v3")
    assert linked["revision"] == straight["revision"]


def test_a_name_that_is_not_utf_8_is_an_error_without_a_traceback(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = os.fsencode(mine / "images" / "train")
    os.rename(folder + b"/a.jpg", folder + b"/\xe9.jpg")  # noqa: PTH104
    assert run(["data", "check", "data/mine"]) == 2
    assert "\\udce9.jpg: a line break, a control character or bytes that are not UTF-8" in capsys.readouterr().err


# -- the data gate ----------------------------------------------------------------------------------------------------


@pytest.fixture
def leaky(mine: Path) -> Path:
    """A near-duplicate across splits, a repeated label line, and a label without an image."""
    noise(3, (300, 200)).resize((600, 400)).save(mine / "images" / "train" / "d.jpg", quality=95)
    noise(3, (300, 200)).save(mine / "images" / "val" / "e.jpg", quality=70)
    put_label(mine, "train/d.jpg", LABEL)
    put_label(mine, "val/e.jpg", LABEL + LABEL)
    put_label(mine, "train/lost.jpg", LABEL)
    return mine


def test_all_findings_come_in_one_run_and_errors_end_with_2(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_label(leaky, "train/a.jpg", "0 0.5\n")
    assert run(["data", "check", "data/mine", "--json"]) == 2
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [(each["kind"], each["severity"], each["places"]) for each in found["findings"]] == [
        ("unusable", "error", ["labels/train/a.txt:1: 2 fields, expected 5 (class x y width height)"]),
        ("similar_images", "error", ["images/train/d.jpg and images/val/e.jpg"]),
        ("labels_without_image", "warning", ["labels/train/lost.txt"]),
        ("repeated_boxes", "warning", ["labels/val/e.txt:2"]),
    ]
    assert all(each["remedy"] for each in found["findings"])
    assert (found["revision"], len(found["gate"]["errors"]), found["images"]["train"]) == (None, 2, 2)
    assert "error: the data set has 2 problems:" in captured.err


def test_safe_fixes_are_listed_and_can_be_put_back(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content_of(leaky)
    assert run(["data", "check", "data/mine", "--fix"]) == 2, "the near-duplicate is left to a person"
    text = capsys.readouterr().out
    assert "  fixed: labels/val/e.txt: 1 repeated lines removed, 0 boxes clipped\n" in text
    assert "  fixed: labels/train/lost.txt: label file without an image removed\n" in text
    backup = re.search(r"put everything back: cp -r (\S+)/\. data/mine", text)
    assert backup is not None
    assert content_of(leaky) != before
    shutil.copytree(backup[1], leaky, dirs_exist_ok=True)
    assert content_of(leaky) == before


def test_fixes_are_in_the_json_too(leaky: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (leaky / "images" / "val" / "e.jpg").unlink()
    assert run(["data", "check", "data/mine", "--fix", "--json"]) == 0
    found = json_of(capsys)
    assert [each["path"] for each in found["gate"]["fixes"]] == ["labels/train/lost.txt", "labels/val/e.txt"]
    assert Path(found["gate"]["backup"]).is_dir()
    assert found["findings"] == []


def test_nothing_to_fix_is_said(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["data", "check", "data/mine", "--fix"]) == 0
    assert "nothing that can be fixed" in capsys.readouterr().out


@pytest.mark.parametrize(("option", "place"), [((), ".cv-yolo/checks/mine"), (("out",), "out")])
def test_a_page_is_written_on_request(
    leaky: Path, project: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, ...], place: str
) -> None:
    assert run(["data", "check", "data/mine", "--report", *option]) == 2
    page = project / place / "report.html"
    assert f"page {page if not option else 'out/report.html'}" in capsys.readouterr().out
    assert "mine: 1 kind of error" in page.read_text(encoding="utf-8")


def test_the_projects_policy_decides_and_another_one_can_be_given(
    leaky: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "configs").mkdir(exist_ok=True)
    policy = project / "configs" / "data_policy.yaml"
    policy.write_text("rules: {similar_images: warning, labels_without_image: off}\n", encoding="utf-8")
    assert run(["data", "check", "data/mine"]) == 0
    text = capsys.readouterr().out
    assert "  note: 1 pair of almost the same picture" in text
    assert "without an image" not in text
    exception = "{rule: similar_images, places: [images/val/e.jpg], reason: looked at}"
    (project / "other.yaml").write_text(f"exceptions: [{exception}]\n", encoding="utf-8")
    assert run(["data", "check", "data/mine", "--policy", "other.yaml"]) == 0
    assert "1 finding accepted by exceptions of the data policy" in capsys.readouterr().out


def test_a_wrong_policy_is_an_error_that_names_file_and_key(
    mine: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "wrong.yaml").write_text("rulez: {}\n", encoding="utf-8")
    assert run(["data", "check", "data/mine", "--policy", "wrong.yaml"]) == 2
    assert "wrong.yaml: rulez: unknown key" in capsys.readouterr().err


def test_classes_are_counted_by_split(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_data_yaml(mine, names=[f"class {number}" for number in range(25)])
    assert run(["data", "check", "data/mine"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"  boxes in images +train +val +test\n  class 0 +2 in 2 +1 in 1 +–\n", text)
    assert "… and 5 more classes" in text


def test_a_second_check_reads_from_the_cache_and_says_the_same(
    mine: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["data", "check", "data/mine", "--json"]) == 0
    first = json_of(capsys)
    assert run(["data", "check", "data/mine", "--json"]) == 0
    assert json_of(capsys) == first
    assert list((project / ".cv-yolo" / "checks").glob("*.npz"))
