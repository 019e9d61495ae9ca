"""`cv-yolo get`: what it says, writes and refuses."""

import json
from pathlib import Path

import pytest

from cv_yolo.files import sha256_of
from tests.unit.cli.world import DATA, World, said, world

__all__ = ["world"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The project, also for commands that need no data."""
    monkeypatch.setattr("cv_yolo.container.Container", lambda: world.container)
    return world


def test_a_version_is_written_and_the_same_again_is_unchanged(here: World, capsys: Capture) -> None:
    model = here.trained("e3_s64")
    version = here.version(model)
    done = said(capsys, "get", version, "--out", "model")
    assert (done.exit_code, done.out) == (
        0,
        "model: version 1 of cv_yolo_tiny: model.pt and model.json written, verified\n",
    )
    assert sha256_of(here.root / "model" / "model.pt") == model.weights_sha256
    card = json.loads((here.root / "model" / "model.json").read_text("utf-8"))
    assert card["metrics"]["values"]["map_50"]["low"] <= card["metrics"]["values"]["map_50"]["value"]
    assert card["metrics"]["interval_confidence"] == 0.95
    assert (card["classes"], card["image_size_px"]) == (["person"], 64)
    again = said(capsys, "get", version, "--out", "model")
    assert again.out == "model: version 1 of cv_yolo_tiny: unchanged\n"


def test_as_json_the_card_is_printed(here: World, capsys: Capture) -> None:
    here.trained("e3_s64")
    done = said(capsys, "get", "e3_s64", "--out", "out", "--json")
    written = json.loads((here.root / "out" / "model.json").read_text("utf-8"))
    assert done.json == {"folder": "out", "changed": True, "model": written}
    assert said(capsys, "get", "e3_s64", "--out", "out", "--json").json["changed"] is False
    assert "run e3_s64" in said(capsys, "get", "e3_s64", "--out", "other").out


def test_the_licence_of_the_data_is_what_their_description_says(here: World, capsys: Capture) -> None:
    here.trained("e3_s64")
    description = here.root / DATA / "data.yaml"
    description.write_text(description.read_text("utf-8") + "license: CC BY 4.0\n", encoding="utf-8")
    assert said(capsys, "get", "e3_s64", "--out", "out", "--json").json["model"]["licences"]["data"] == "CC BY 4.0"


def test_data_that_are_not_recorded_have_no_known_licence(here: World, capsys: Capture) -> None:
    here.trained("e3_s64", tags={"dataset_revision": "r"})
    assert said(capsys, "get", "e3_s64", "--out", "out", "--json").json["model"]["licences"]["data"] is None


def test_other_content_is_refused_without_force(here: World, capsys: Capture) -> None:
    here.trained("e3_s64")
    (here.root / "out").mkdir()
    (here.root / "out" / "model.json").write_text("{}", encoding="utf-8")
    refused = said(capsys, "get", "e3_s64", "--out", "out")
    assert (refused.exit_code, "error: out: has other content: model.json" in refused.err) == (2, True)
    assert said(capsys, "get", "e3_s64", "--out", "out", "--force").exit_code == 0


def test_what_there_is_not_is_refused_with_what_there_is(here: World, capsys: Capture) -> None:
    here.version(here.trained("e3_s64"))
    refused = said(capsys, "get", "production", "--out", "out")
    assert refused.exit_code == 2
    assert (
        "error: no version is in production\nhint: there are the versions 1 and the finished runs e3_s64" in refused.err
    )
    assert not Path("out").exists()
