"""From a trained grid to production and back, by the real commands; small. The tests build on each other, in order.

On 30 drawn test images the whole gate of staging applies.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.project import SMALL, Done, Project, make_project

pytestmark = pytest.mark.slow
FEW = ("--resamples", "200")
REASON = "the night scenes are needed; agreed with QA"
POLICY: dict[str, Any] = {
    "intervals": {"resamples": 500},
    "gates": {
        "staging": {"metric": "map_50", "margin": 0.02, "floors": {"map_50": 0.0}},
        "production": {"metric": "map_50_95", "margin": 0.01, "floors": {"map_50": 0.999}},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The project, with two trained runs of which one was chosen and judged on the test images."""

    project: Project
    grid: Done

    @property
    def decision(self) -> dict[str, Any]:
        found: dict[str, Any] = self.grid.json["decision"]
        return found

    def name(self, *, chosen: bool) -> str:
        """The chosen run, or the other one."""
        (found,) = [
            row["name"] for row in self.decision["rows"] if (row["run_id"] == self.decision["chosen"]) == chosen
        ]
        return str(found)

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.project.run("history", "--json").json
        return found

    def stages(self) -> dict[str, str | None]:
        return {each["version"]: each["stage"] for each in self.project.run("models", "--json").json}


def put_policy(project: Project, name: str, **changes: Any) -> str:
    path = project.root / "configs" / name
    path.write_text(yaml.safe_dump(POLICY | changes), encoding="utf-8")
    return f"configs/{name}"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    project = make_project(tmp_path_factory.mktemp("decisions") / "project")
    put_policy(project, "whole.yaml")
    put_policy(project, "strict.yaml", test={"min_images": 100})
    drawn = project.run("data", "synth", "--counts", "16", "8", "30", "--size", "64")
    assert drawn.exit_code == 0, drawn.err
    whole = ("--set", "policy=configs/whole.yaml")
    grid = project.run("grid", "--config", "configs/demo.yaml", "--epochs", "1,2", *SMALL, *whole, "--json")
    return Story(project=project, grid=grid)


def test_a_grid_with_enough_test_images_is_judged_by_the_whole_gate(story: Story) -> None:
    assert story.grid.exit_code in {0, 4}, story.grid.err
    outcomes = {check["name"]: check["outcome"] for check in story.decision["checks"]}
    assert (outcomes["proof"], outcomes["test images"], outcomes["champion"]) == ("passed", "passed", "passed")
    assert story.decision["judgement"]["candidate"]["images"] == 30
    if story.grid.exit_code == 0:
        assert (story.grid.json["verdict"], story.grid.json["provisional"]) == ("promote", False)
    else:
        assert story.grid.json["verdict"] == "inconclusive"
        assert any(check["more_images"] for check in story.decision["checks"])


def test_an_inconclusive_decision_can_be_accepted_by_a_person(story: Story) -> None:
    """On these images it is passed; on other machines rounding may decide otherwise."""
    if not story.grid.json["promoted"]:
        passed = story.project.run("promote", "1", "--policy", "configs/whole.yaml", "--accept-inconclusive", "a start")
        assert passed.exit_code == 0, passed.err
    assert story.stages() == {"1": "staging"}


def test_the_version_in_staging_is_scored_as_the_decision_says(story: Story) -> None:
    done = story.project.run("evaluate", "staging", "--json", "--html", "pages/staging.html", "--resamples", "500")
    assert done.exit_code == 0, done.err
    judged = story.decision["judgement"]["candidate"]
    assert done.json["figures"] == judged["figures"]
    assert done.json["subject"] == judged["subject"], "the detections were kept, and their latency with them"
    assert done.json["id"] == story.history()[0]["evaluations"][0]
    page = (story.project.root / "pages" / "staging.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "data:image/jpeg;base64," in page


def test_two_runs_are_compared_on_the_same_images(story: Story) -> None:
    names, before = (story.name(chosen=True), story.name(chosen=False)), story.history()
    done = story.project.run("compare", *names, "--json", "--html", "pages/two.html", *FEW)
    assert done.exit_code == 0, done.err
    first, second = done.json["first"], done.json["second"]
    assert first["subject"]["split_revision"] == second["subject"]["split_revision"]
    assert first["subject"]["weights_sha256"] != second["subject"]["weights_sha256"]
    difference = done.json["differences"]["map_50"]
    assert difference["value"] == pytest.approx(
        second["figures"]["map_50"]["value"] - first["figures"]["map_50"]["value"]
    )
    assert difference["interval"]["low"] <= difference["interval"]["high"]
    assert story.history() == before, "looking is no decision"
    page = (story.project.root / "pages" / "two.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)


def test_an_inconclusive_decision_passes_only_with_a_recorded_reason(story: Story) -> None:
    other = (story.name(chosen=False), "--policy", "configs/strict.yaml")
    refused = story.project.run("promote", *other)
    assert refused.exit_code == 4, refused.err
    assert "30 test images are fewer than 100: too few to trust an interval." in refused.out
    assert "About " in refused.out
    assert story.stages() == {"1": "staging", "2": None}
    passed = story.project.run("promote", *other, "--accept-inconclusive", REASON, "--json")
    assert passed.exit_code == 0, passed.err
    assert (passed.json["verdict"], passed.json["provisional"]) == ("inconclusive", True)
    *_, judged, promoted = story.history()
    assert (judged["action"], judged["verdict"], judged["version"]) == ("judged", "inconclusive", "2")
    assert (promoted["action"], promoted["version"], promoted["former"]) == ("promoted", "2", "1")
    assert (promoted["reason"], promoted["provisional"]) == (REASON, True)
    assert len(promoted["evaluations"]) == 2
    written = Path(passed.json["written"])
    assert REASON in written.with_suffix(".md").read_text(encoding="utf-8")


def test_production_asks_for_more_and_refuses_with_its_floor(story: Story) -> None:
    done = story.project.run("promote", "1", "--to", "production", "--policy", "configs/whole.yaml")
    assert done.exit_code == 4, done.err
    assert "floor of 0.999" in done.err
    assert story.stages() == {"1": "archived", "2": "staging"}
    assert (story.history()[-1]["action"], story.history()[-1]["stage"]) == ("judged", "production")


def test_the_way_back_gives_staging_to_the_version_before(story: Story) -> None:
    done = story.project.run("rollback", "--reason", "misses small persons")
    assert done.exit_code == 0, done.err
    assert "Version 1 is in staging of cv_yolo_tiny again" in done.out
    assert story.stages() == {"1": "staging", "2": "archived"}
    assert story.history()[-1]["reason"] == "misses small persons"


def test_all_records_agree_and_the_log_is_as_it_was_written(story: Story) -> None:
    verified = story.project.run("history", "--verify")
    assert (verified.exit_code, "chain intact" in verified.out) == (0, True), verified.out
    checked = story.project.run("models", "check", "--dry-run")
    assert (checked.exit_code, checked.out) == (0, "OK: MLflow and ZenML agree with the audit log.\n"), checked.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "unknown"), "error: unknown: no such run"),
        (("evaluate", "staging", "--data", "data/nowhere"), "data/nowhere: no data set here"),
        (
            ("evaluate", "broken.json", "--data", "data/demo", "--first-class", "0"),
            "error: broken.json: result 1: score must be a number",
        ),
        (("promote", "--to", "production", "--policy", "configs/none.yaml"), "configs/none.yaml: no such file"),
    ],
)
def test_a_wrong_input_is_refused_with_its_place(story: Story, arguments: tuple[str, ...], message: str) -> None:
    row = {"image_id": "scene_0000", "category_id": 0, "bbox": [1, 2, 3, 4], "score": 0.5}
    results = json.dumps([row, row | {"score": "high"}])
    (story.project.root / "broken.json").write_text(results, encoding="utf-8")
    done = story.project.run(*arguments)
    assert done.exit_code == 2, done.err
    assert message in done.err
    assert "Traceback" not in done.err


def test_weights_that_were_changed_in_the_store_are_refused_and_not_used(story: Story) -> None:
    home = story.project.root / ".cv-yolo"
    run_id = story.decision["chosen"]
    (stored,) = (home / "mlflow" / "artifacts").glob(f"*/{run_id}/artifacts/weights/*.pt")
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for fetched in (home / "weights").glob("*.pt"):
        fetched.unlink()
    done = story.project.run("evaluate", "staging", *FEW)
    stored.write_bytes(whole)
    assert done.exit_code == 2, done.err
    assert "is not what was recorded (its sha256 differs)" in done.err
    assert not list((home / "weights").glob("*.pt"))


def test_an_edited_line_of_the_log_is_found_and_nothing_is_promoted_on_it(story: Story) -> None:
    (log,) = (story.project.root / ".cv-yolo" / "audit").glob("*.jsonl")
    whole = log.read_text(encoding="utf-8")
    assert whole.count(REASON) == 1
    log.write_text(whole.replace(REASON, "nothing special"), encoding="utf-8")
    verified = story.project.run("history", "--verify")
    promoted = story.project.run("promote", "2", "--policy", "configs/whole.yaml")
    log.write_text(whole, encoding="utf-8")
    assert (verified.exit_code, promoted.exit_code) == (1, 1), verified.out + promoted.err
    assert "does not hold together" in promoted.err
    assert story.project.run("history", "--verify").exit_code == 0


def test_data_of_other_classes_are_refused_for_this_registered_model_before_anything_is_trained(story: Story) -> None:
    project = story.project
    shutil.copytree(project.root / "data" / "demo", project.root / "data" / "kangaroos")
    description = project.root / "data" / "kangaroos" / "data.yaml"
    content = yaml.safe_load(description.read_text(encoding="utf-8"))
    description.write_text(yaml.safe_dump(content | {"names": ["kangaroo"]}), encoding="utf-8")
    before = project.run("runs", "--json").json
    for command in (("grid",), ("baseline", "--epochs", "1")):
        refused = project.run(*command, "--config", "configs/demo.yaml", "--data", "data/kangaroos", *SMALL)
        assert refused.exit_code == 2, refused.err
        assert "the registered model cv_yolo_tiny detects person (version 1)" in refused.err
        assert "registered_model: NAME" in refused.err
    assert project.run("runs", "--json").json == before
    assert project.run("models", "--registered-model", "kangaroos", "--json").json == []
    looked_at = project.run("evaluate", "newest", "--data", "data/kangaroos", *FEW)
    assert looked_at.exit_code == 2
    assert "detects person, the data set names kangaroo" in looked_at.err
