"""`data log`, `data diff` and `data where` as a person uses them, on records of DVC in git."""

import shutil
from pathlib import Path

import pytest

from tests import dvc_records
from tests.unit.cli.world import said
from tests.yolo_data import LABEL, a_small_data_set, put_data_yaml, put_image, put_label

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def mine(project: Path) -> Path:
    """Two revisions of `data/mine`: in the second one an image is new, one is removed, and one relabelled."""
    dvc_records.a_project(project)
    root = a_small_data_set(project / "data" / "mine")
    dvc_records.add(project, root)
    dvc_records.commit(project, "First images")
    put_image(root, "train/new.jpg")
    (root / "images" / "train" / "b.png").unlink()
    (root / "labels" / "train" / "b.txt").unlink()
    put_label(root, "train/a.jpg", "0 0.5 0.5 0.4 0.58\n0 0.2 0.2 0.1 0.1\n")
    dvc_records.add(project, root)
    dvc_records.commit(project, "Review of Monday")
    dvc_records.git(project, "tag", "v2")
    return root


def test_the_log_lists_revisions_with_what_changed(mine: Path, capsys: Capture) -> None:
    found = said(capsys, "data", "log", "data/mine")
    assert found.exit_code == 0, found.err
    lines = found.out.splitlines()
    assert lines[0] == "data/mine: 2 recorded revisions"
    assert lines[1].endswith("Ann: Review of Monday")
    assert lines[2].strip() == "train 2, val 1, test 0 images, 4 boxes; +1 −1 ~1"
    assert lines[3].strip().endswith("files: workspace, DVC cache")
    assert "no record in the commit before" in lines[5]
    assert lines[7].endswith(", as last recorded")
    content = said(capsys, "data", "log", "mine", "--json").json
    checked = said(capsys, "data", "check", "data/mine", "--json").json
    assert content["revisions"][0]["revision"] == content["workspace"]["revision"] == checked["revision"]
    assert content["revisions"][0]["changes"]["relabelled"] == 1
    assert content["revisions"][0]["files"] == {"cache": True, "files": 7, "missing": 0, "workspace": True}


def test_a_changed_folder_differs_from_its_last_record_box_by_box(mine: Path, capsys: Capture) -> None:
    put_label(mine, "val/c.jpg", "")
    assert "differs from the last recorded one: ~1" in said(capsys, "data", "log", "mine").out
    found = said(capsys, "data", "diff", "mine")
    assert "~ images/val/c.jpg: person removed" in found.out
    assert "boxes of these images: 1 removed" in found.out


def test_two_commits_are_compared_with_every_box_in_json(mine: Path, capsys: Capture) -> None:
    found = said(capsys, "data", "diff", "mine@HEAD~1", "mine@v2", "--json").json
    assert found["counts"]["added"] == found["counts"]["removed"] == found["counts"]["relabelled"] == 1
    (relabelled,) = (each for each in found["images"] if each["kinds"] == ["relabelled"])
    assert [(box["kind"], box["iou"] and round(box["iou"], 2)) for box in relabelled["boxes"]] == [
        ("moved", 0.97),
        ("added", None),
    ]
    assert relabelled["boxes"][1]["before"] is None
    assert found["before"]["images"] == {"train": 2, "val": 1, "test": 0}


def test_a_page_has_the_pictures_of_removed_images(mine: Path, capsys: Capture, project: Path) -> None:
    revision = said(capsys, "data", "log", "mine", "--json").json["revisions"][1]["revision"]
    found = said(capsys, "data", "diff", revision[:12], "--report", "page")
    assert found.exit_code == 0, found.err
    assert found.out.endswith("page page/difference.html\n")
    page = (project / "page" / "difference.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 4
    assert "images/train/b.png" in page
    assert not list((project / ".cv-yolo" / "tmp").glob("revision-*"))
    assert said(capsys, "data", "diff", "mine", "--report").out.splitlines()[-1].startswith("  page ")


def test_where_a_revision_is(mine: Path, capsys: Capture) -> None:
    revision = said(capsys, "data", "log", "mine", "--json").json["workspace"]["revision"]
    found = said(capsys, "data", "where", revision[:12])
    assert found.exit_code == 0, found.err
    assert found.out.splitlines()[0] == f"revision {revision}"
    assert f"  folder {mine}" in found.out
    assert "recorded in data/mine.dvc: " in found.out
    content = said(capsys, "data", "where", revision[:12], "--json").json
    assert content["records"][0]["subject"] == "Review of Monday"
    assert (content["runs"], content["versions"], content["decisions"]) == ([], [], [])


def test_other_classes_are_named(mine: Path, capsys: Capture) -> None:
    put_data_yaml(mine, names=["human", "dog"])
    put_label(mine, "val/c.jpg", "1" + LABEL[1:])
    found = said(capsys, "data", "diff", "mine")
    assert "classes: dog added; person is now human" in found.out
    assert "human → dog" in found.out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("diff", "deadbeef"), "no recorded revision begins so"),
        (("diff", "mine@nosuch"), "git knows no commit nosuch"),
        (("diff", "mine@--all"), "git knows no commit --all"),
        (("diff", "nosuch"), "neither a folder"),
        (("where", "deadbeef"), "no record, no folder below data/ and no run"),
        (("where", "dea"), "not the beginning of a revision"),
        (("log", "nosuch"), "no data set here, and no record of one"),
    ],
)
def test_what_is_unknown_is_refused(mine: Path, capsys: Capture, command: tuple[str, ...], message: str) -> None:
    found = said(capsys, "data", *command)
    assert found.exit_code == 2
    assert message in found.err
    assert "hint: " in found.err


def test_without_git_without_dvc_and_with_broken_records_the_log_says_what_is_not_known(
    mine: Path, capsys: Capture, project: Path
) -> None:
    (project / "data" / "mine.dvc").write_text("outs: [", encoding="utf-8")
    assert "note: data/mine.dvc: cannot be read:" in said(capsys, "data", "log", "mine").out
    dvc_records.commit(project, "Broken")
    assert "data/mine.dvc in commit" in said(capsys, "data", "log", "mine").out
    shutil.rmtree(project / ".git")
    shutil.rmtree(project / ".dvc")
    found = said(capsys, "data", "log", "mine")
    assert found.exit_code == 0
    assert "DVC keeps no data of this project" in found.out
    assert "is not in a git repository" in found.out


def test_without_the_cache_what_is_remembered_is_listed_and_the_rest_is_not_known(
    mine: Path, capsys: Capture, project: Path
) -> None:
    said(capsys, "data", "log", "mine")
    shutil.rmtree(project / ".dvc" / "cache")
    put_label(mine, "val/c.jpg", "")
    found = said(capsys, "data", "log", "mine").out
    assert "train 2, val 1, test 0 images, 4 boxes; +1 −1 ~1" in found
    assert "what changed since the last record is not known" in found
    assert "dvc fetch --all-commits" in found
    shutil.rmtree(project / ".cv-yolo" / "checks")
    assert "    not known: " in said(capsys, "data", "log", "mine").out
    assert said(capsys, "data", "diff", "mine").exit_code == 2


def test_a_damaged_cache_is_refused_and_never_read_as_another_revision(
    mine: Path, capsys: Capture, project: Path
) -> None:
    for place in (project / ".dvc" / "cache").rglob("*"):
        if place.is_file() and place.read_bytes()[:3] == b"\xff\xd8\xff":
            place.write_bytes(place.read_bytes() + b"0")
    found = said(capsys, "data", "diff", "mine")
    assert found.exit_code == 2
    assert "damaged in DVC's cache" in found.err


def test_records_of_dvc_before_3_and_of_stages_are_read(project: Path, capsys: Capture) -> None:
    dvc_records.a_project(project)
    root = a_small_data_set(project / "data" / "mine")
    put_label(root, "val/c.jpg", LABEL.replace("\n", "\r\n"))
    dvc_hash = dvc_records.add(project, root, legacy=True, pointer=project / "unused.dvc")
    (project / "unused.dvc").unlink()
    lock = f"schema: '2.0'\nstages:\n  make:\n    outs:\n    - path: data/mine\n      md5: {dvc_hash}\n"
    (project / "dvc.lock").write_text(lock, encoding="utf-8")
    dvc_records.commit(project, "A stage")
    found = said(capsys, "data", "log", "mine").out
    assert "train 2, val 1, test 0 images, 3 boxes" in found
    assert ", as last recorded" in found


def test_the_record_of_a_folder_outside_the_project_is_found_by_its_source(
    project: Path, tmp_path_factory: pytest.TempPathFactory, capsys: Capture
) -> None:
    dvc_records.a_project(project)
    outside = a_small_data_set(tmp_path_factory.mktemp("elsewhere") / "photos")
    pointer = project / "data" / "photos.dvc"
    dvc_records.add(project, outside, pointer=pointer)
    pointer.write_text(pointer.read_text(encoding="utf-8") + f"meta:\n  cv_yolo:\n    source: {outside}\n", "utf-8")
    dvc_records.commit(project, "Photos")
    found = said(capsys, "data", "log", str(outside)).out
    assert ", as last recorded" in found


@pytest.mark.parametrize("command", ["log", "diff", "where"])
def test_the_help_has_examples(capsys: Capture, command: str) -> None:
    assert f"cv-yolo data {command} " in said(capsys, "data", command, "--help").out.partition("Examples:")[2]
