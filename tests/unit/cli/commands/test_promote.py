"""`promote`: the policy says yes, no, or not sure; each decision is printed, written and recorded."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo.domain.promotion.audit import Action
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.workflows.register import holder
from tests.builders import a_new_version
from tests.unit.cli.world import DATA, Said, World, said, world

__all__ = ["world"]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def policies(world: World) -> None:
    """A policy for the whole gate, and one for few images."""
    put_policy(world, "policy.yaml")
    few = {"test": {"min_images": 100}, "gates": {"staging": {"provisional": True, "floors": {"map_50": 0.0}}}}
    put_policy(world, "few.yaml", **few)


def put_policy(world: World, name: str, **changes: Any) -> None:
    gates = {"staging": {"floors": {"map_50": 0.2}}, "production": {"metric": "map_50_95", "floors": {"map_50": 0.9}}}
    content = {"intervals": {"resamples": 200}, "gates": gates} | changes
    (world.root / "configs").mkdir(exist_ok=True)
    (world.root / "configs" / name).write_text(yaml.safe_dump(content), encoding="utf-8")


def promote(capsys: Capture, *arguments: str) -> Said:
    return said(capsys, "promote", *arguments)


def held(world: World, stage: Stage = Stage.STAGING) -> str | None:
    version = holder(stage, world.container.registers)
    return None if version is None else version.version


def log(world: World) -> list[tuple[Action, str, Stage]]:
    return [(entry.action, entry.version, entry.stage) for entry in world.container.registers.log.written]


def test_a_run_that_passes_becomes_a_version_in_staging_and_the_exit_code_is_0(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64")
    assert done.exit_code == 0, done.err
    assert "e3_s64: judging it on 32 test images …" in done.err
    text = " ".join(done.out.split())
    assert "promoted e3_s64 to staging of cv_yolo_tiny" in text
    assert "✓ 32 test images are enough to trust an interval." in text
    assert "Decision number 1 on these test images." in text
    assert held(world) == "1"
    assert log(world) == [(Action.PROMOTED, "1", Stage.STAGING)]


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({"required_classes": ["presun"]}, "gates.staging.required_classes: the data set has no class 'presun'"),
        ({"floors": {"class/presun/ap_50": 0.2}}, "gates.staging.floors.class/presun/ap_50: the data set has no class"),
        ({"floors": {"slice/light=dusk/map_50": 0.2}}, "gates.staging.floors.slice/light=dusk/map_50: the test split"),
    ],
)
def test_a_policy_that_names_what_the_data_lacks_is_refused_before_anything_is_judged(
    world: World, capsys: Capture, gate: dict[str, Any], message: str
) -> None:
    put_policy(world, "typo.yaml", gates={"staging": gate})
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64", "--policy", "configs/typo.yaml")
    assert done.exit_code == 2
    assert f"error: typo.yaml: {message}" in done.err
    assert (world.asked(), log(world)) == ([], [])


def test_a_required_class_that_is_found_passes_and_one_that_is_not_is_refused(world: World, capsys: Capture) -> None:
    put_policy(world, "all.yaml", gates={"staging": {"required_classes": "all"}})
    world.trained("e3_s64", misses=range(32))
    done = promote(capsys, "e3_s64", "--policy", "configs/all.yaml")
    assert done.exit_code == 4
    assert "error: not promoted: Not above the limit: " in done.err
    assert done.out.lstrip().startswith("Warning: 1 of 1 class is never detected: person (32 boxes)")
    reported = promote(capsys, "e3_s64", "--policy", "configs/all.yaml", "--json").json
    assert reported["warnings"][0] == "1 of 1 class is never detected: person (32 boxes)"
    assert reported["gaps"][0] == {"group": "class", "name": "person", "kind": "never found", "count": 32}
    world.trained("e5_s64", misses=range(3))
    assert promote(capsys, "e5_s64", "--policy", "configs/all.yaml").exit_code == 0


def test_without_a_name_the_newest_version_is_judged(world: World, capsys: Capture) -> None:
    for name in ("e3_s64", "e5_s64"):
        world.version(world.trained(name))
    done = promote(capsys)
    assert "version 2: judging it" in done.err
    assert held(world) == "2"


def test_for_production_the_version_in_staging_is_judged_without_a_name(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    promote(capsys, "e3_s64")
    world.version(world.trained("e5_s64"))
    done = promote(capsys, "--to", "production")
    assert done.exit_code == 0, done.err
    assert (held(world, Stage.PRODUCTION), held(world)) == ("1", None)


def test_a_decision_is_json_for_machines(world: World, capsys: Capture) -> None:
    model = world.trained("e3_s64")
    reported = promote(capsys, "e3_s64", "--json").json
    assert (reported["verdict"], reported["promoted"], reported["provisional"]) == ("promote", True, False)
    assert reported["decision"]["chosen"] == model.run_id
    assert [check["name"] for check in reported["decision"]["checks"]] == [
        "proof",
        "test images",
        "floor map_50",
        "champion",
    ]
    assert reported["decision"]["judgement"]["use"] == 1
    assert Path(reported["written"]).is_file()


def test_the_decision_is_written_twice_and_kept_with_the_run(world: World, capsys: Capture) -> None:
    model = world.trained("e3_s64")
    written = Path(promote(capsys, "e3_s64", "--json").json["written"])
    assert written.parent == world.root / "reports" / "decisions"
    assert written.with_suffix(".md").is_file()
    kept = world.container.runs.kept(model.run_id)
    assert {f"decision/{written.name}", f"decision/{written.with_suffix('.md').name}"} <= set(kept)


def test_a_rejected_version_is_refused_with_its_reason_and_judged_on_record(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    promote(capsys, "e3_s64")
    world.trained("e5_s64", misses=range(16))
    done = promote(capsys, "e5_s64")
    assert done.exit_code == 4
    assert "error: not promoted: " in done.err
    assert "hint: the decision: " in done.err
    assert "rejected, e5_s64 is not promoted to staging of cv_yolo_tiny" in " ".join(done.out.split())
    assert held(world) == "1"
    assert log(world)[1:] == [(Action.JUDGED, "2", Stage.STAGING)]


def test_a_refusal_is_json_too(world: World, capsys: Capture) -> None:
    put_policy(world, "hard.yaml", gates={"staging": {"floors": {"map_50": 0.999}}})
    world.trained("e3_s64", misses=range(8))
    done = promote(capsys, "e3_s64", "--policy", "configs/hard.yaml", "--json")
    assert (done.exit_code, done.json["verdict"], done.json["promoted"]) == (4, "reject", False)
    assert done.json["decision"]["policy"]["source"] == "hard.yaml"


def test_an_inconclusive_decision_is_refused_with_the_number_of_images_needed(world: World, capsys: Capture) -> None:
    put_policy(world, "more.yaml", test={"min_images": 50})
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64", "--policy", "configs/more.yaml")
    assert done.exit_code == 4
    assert "error: inconclusive: 32 test images are fewer than 50: too few to trust an interval." in done.err
    assert "more test images would settle it" in done.out
    assert held(world) is None


def test_an_inconclusive_decision_can_be_accepted_with_a_recorded_reason(world: World, capsys: Capture) -> None:
    put_policy(world, "more.yaml", test={"min_images": 50})
    world.trained("e3_s64")
    done = promote(
        capsys, "e3_s64", "--policy", "configs/more.yaml", "--accept-inconclusive", "agreed with QA", "--json"
    )
    assert (done.exit_code, done.json["verdict"], done.json["promoted"]) == (0, "inconclusive", True)
    (entry,) = world.container.registers.log.written
    assert (entry.reason, entry.provisional, entry.verdict) == ("agreed with QA", True, "inconclusive")
    assert held(world) == "1"


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_that_says_nothing_is_refused(world: World, capsys: Capture, reason: str) -> None:
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64", "--accept-inconclusive", reason)
    assert done.exit_code == 2
    assert "give a reason" in done.err
    assert log(world) == []


def test_a_reason_does_not_let_a_rejected_version_pass(world: World, capsys: Capture) -> None:
    put_policy(world, "hard.yaml", gates={"staging": {"floors": {"map_50": 0.999}}})
    world.trained("e3_s64", misses=range(16))
    done = promote(capsys, "e3_s64", "--policy", "configs/hard.yaml", "--accept-inconclusive", "please")
    assert (done.exit_code, held(world)) == (4, None)


def test_a_first_version_may_enter_provisionally_and_is_shown_as_such(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64", "--policy", "configs/few.yaml")
    assert done.exit_code == 0, done.err
    text = " ".join(done.out.split())
    assert "promoted e3_s64 to staging of cv_yolo_tiny (provisional)" in text
    assert "~ 32 test images are fewer than 100" in text


def test_promoting_the_version_in_the_stage_changes_nothing_and_succeeds(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    promote(capsys, "e3_s64")
    asked = len(world.asked())
    done = promote(capsys, "e3_s64")
    assert done.exit_code == 0, done.err
    assert "e3_s64 is already in staging of cv_yolo_tiny" in " ".join(done.out.split())
    assert (len(world.asked()), len(log(world))) == (asked, 1)


def test_an_exhausted_test_budget_is_reported(world: World, capsys: Capture) -> None:
    put_policy(world, "policy.yaml", test={"budget": 1})
    for name, misses in (("e3_s64", range(3)), ("e5_s64", range(1))):
        world.trained(name, misses=misses)
        done = promote(capsys, name)
    assert "Decision number 2 on these test images (the policy allows 1)." in " ".join(done.out.split())


def test_production_has_its_own_floor(world: World, capsys: Capture) -> None:
    world.trained("e3_s64", misses=range(16))
    assert promote(capsys, "e3_s64").exit_code == 0
    done = promote(capsys, "--to", "production")
    assert done.exit_code == 4
    assert "above the floor of 0.9" in done.err
    assert (held(world), held(world, Stage.PRODUCTION)) == ("1", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "error: no version is registered"),
        (("--to", "production"), "error: no version is in staging"),
        (("7",), "error: 7: no such run"),
        (("e3_s64", "--policy", "configs/none.yaml"), "configs/none.yaml: no such file"),
        (("e3_s64", "--data", "data/nowhere"), "data/nowhere: no data set here"),
        (("e3_s64", "--experiment", "another"), "error: e3_s64: no such run"),
        (("mine.pt",), "no data set is known for mine.pt"),
        (("mine.pt", "--data", DATA), "error: mine.pt: its training was not tracked"),
        (("results.json", "--data", DATA), "error: results.json: no such run"),
    ],
)
def test_a_missing_backup_is_an_input_error(
    world: World, capsys: Capture, arguments: tuple[str, ...], message: str
) -> None:
    world.trained("e3_s64")
    world.weights("mine.pt")
    done = promote(capsys, *arguments)
    assert (done.exit_code, done.out) == (2, "")
    assert message in done.err
    assert log(world) == []


def test_a_policy_without_a_gate_for_the_stage_promotes_nothing(world: World, capsys: Capture) -> None:
    put_policy(world, "staging.yaml", gates={"staging": {}})
    world.version(world.trained("e3_s64"))
    done = promote(capsys, "1", "--to", "production", "--policy", "configs/staging.yaml")
    assert done.exit_code == 2
    assert "error: staging.yaml: gates: none into production\nhint: add `gates.production`" in done.err


def test_weights_that_were_changed_in_the_store_are_not_promoted(world: World, capsys: Capture) -> None:
    model = world.trained("e3_s64")
    model.weights.write_bytes(b"a trojan")
    world.container.runs.log_artifacts(model.run_id, [model.weights], "weights")
    done = promote(capsys, "e3_s64")
    assert done.exit_code == 2
    assert "is not what was recorded (its sha256 differs)" in done.err
    assert (log(world), held(world)) == ([], None)


def test_a_version_is_judged_for_the_registered_model_named(world: World, capsys: Capture) -> None:
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64", "--registered-model", "kangaroos")
    assert done.exit_code == 0, done.err
    assert "promoted e3_s64 to staging of kangaroos" in " ".join(done.out.split())
    assert (held(world), [each.classes for each in world.container.others["kangaroos"].tracking.versions()]) == (
        None,
        [("person",)],
    )


def test_a_model_of_other_classes_is_not_compared_and_another_registered_model_is_named(
    world: World, capsys: Capture
) -> None:
    world.container.registers.tracking.register(a_new_version(run_id="raccoons", classes=("raccoon",)))
    world.trained("e3_s64")
    done = promote(capsys, "e3_s64")
    assert (done.exit_code, log(world)) == (2, [])
    assert "the registered model cv_yolo_tiny detects raccoon (version 1), the data set drawn person" in done.err
    assert "--registered-model NAME" in done.err
    assert world.asked() == []
