"""`baseline` and `grid`: a wrong configuration is refused at once, by file and key; decisions and exit codes.

The pipeline itself is not run here: what it would end with is given.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.errors import CvYoloError, RunFailedError, StoppedError
from tests.builders import a_decision, a_recorded_check
from tests.fakes import FakeInspector

GOOD: dict[str, Any] = {"dataset": "data/x", "model": "yolo11n.pt", "grid": {"epochs": 3, "image_size_px": 320}}


@pytest.fixture
def config(project: Path) -> Path:
    (project / "configs").mkdir()
    for name in ("baseline", "grid"):
        (project / "configs" / f"{name}.yaml").write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    return Path("configs") / "baseline.yaml"


def put(path: Path, content: object) -> None:
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD | {"grid": {"epochs": 0, "image_size_px": 320}}, "grid.epochs: "),
        (GOOD | {"grid": {"epochs": 3, "image_size_px": 321}}, "grid.image_size_px: "),
        (GOOD | {"epoch": 3}, "epoch: unknown key"),
        ({"dataset": "data/x"}, "model: missing"),
        ("a: [", "not YAML"),
        ("just text", "expected keys and values"),
    ],
)
def test_a_wrong_file_is_refused_by_file_and_key(
    config: Path, capsys: pytest.CaptureFixture[str], content: object, said: str
) -> None:
    put(config, content)
    assert run(["baseline"]) == 2
    error = capsys.readouterr().err
    assert f"error: {config}: " in error
    assert said in error


def test_a_missing_file_is_refused_by_its_name(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["grid", "--config", "configs/none.yaml"]) == 2
    assert capsys.readouterr().err.startswith("error: configs/none.yaml: no such file\nhint: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--epochs", "0"], "the command line: grid.epochs: "),
        (["--image-size", "321"], "the command line: grid.image_size_px: "),
        (["--seed", "-1"], "the command line: training.seed: "),
        (["--set", "training.lr0=1"], "the command line: training.lr0: unknown key"),
        (["--data", ""], "the command line: dataset: "),
        (["--model", ""], "the command line: model: "),
        (["--registered-model", "a/b"], "the command line: registered_model: "),
        (["--set", "nonsense"], "--set nonsense: expected key=value"),
        (["--set", "dataset.name=x"], "--set dataset.name: "),
    ],
)
def test_a_wrong_option_is_blamed_on_the_command_line(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["grid", *arguments]) == 2
    assert f"error: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("numbers", ["3,", "three", "3;5", "2.5"])
def test_numbers_are_whole_and_separated_by_commas(
    config: Path, capsys: pytest.CaptureFixture[str], numbers: str
) -> None:
    assert run(["grid", "--epochs", numbers]) == 2
    assert "expected whole numbers, separated by commas" in capsys.readouterr().err


def test_a_baseline_is_one_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["baseline", "--epochs", "3,5"]) == 2
    assert f"error: {config}: grid: 2 runs, but a baseline has one\nhint: use `cv-yolo grid`" in capsys.readouterr().err


def test_a_refusal_leaves_no_trace(config: Path, project: Path) -> None:
    run(["grid", "--epochs", "0"])
    assert [path.name for path in project.iterdir()] == ["configs"]


def test_a_reason_that_says_nothing_is_refused(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["grid", "--accept-inconclusive", " "]) == 2
    assert "give a reason: it is recorded in the audit log" in capsys.readouterr().err


Ending = Callable[..., list[Any]]


@pytest.fixture
def ending(config: Path, project: Path, zenml_container: Container, monkeypatch: pytest.MonkeyPatch) -> Ending:
    """Let the pipeline end as given; returns the list of its plans."""
    from cv_yolo.pipelines import launch

    (project / "yolo11n.pt").write_bytes(b"weights")
    monkeypatch.setattr(Container, "children", FakeInspector())
    (project / "configs" / "policy.yaml").write_text("gates: {staging: {}}", encoding="utf-8")
    planned: list[Any] = []

    def end(
        *, decision: Decision | None = None, failure: CvYoloError | None = None, raises: BaseException | None = None
    ) -> list[Any]:
        def pretend(plan: Any, run_name: str, **_: Any) -> launch.PipelineOutcome:
            planned.append(plan)
            if raises is not None:
                raise raises
            written = None if decision is None else project / "reports" / "decisions" / "d.html"
            return launch.PipelineOutcome(run_name=run_name, decision=decision, failure=failure, written=written)

        monkeypatch.setattr(launch, "launch", pretend)
        return planned

    return end


def test_a_promotion_succeeds_and_is_reported(ending: Ending, capsys: pytest.CaptureFixture[str]) -> None:
    plans = ending(decision=a_decision())
    assert run(["grid", "--epochs", "3,5", "--accept-inconclusive", "agreed with QA"]) == 0
    captured = capsys.readouterr()
    assert "promoted e3_s320 to staging of cv_yolo_tiny" in captured.out
    assert "The decision:     reports/decisions/d.html (and .md)" in captured.out
    (plan,) = plans
    assert ([spec.epochs for spec in plan.specs], plan.accept_inconclusive) == ([3, 5], "agreed with QA")


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_trust_in_the_starting_weights_is_said_and_recorded(ending: Ending, trust: list[str]) -> None:
    plans = ending(decision=a_decision())
    assert run(["grid", *trust]) == 0
    assert {spec.trusted for spec in plans[0].specs} == {bool(trust)}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNDECIDED])
def test_a_decision_that_does_not_promote_is_printed_in_full_and_exits_with_its_own_code(
    ending: Ending, capsys: pytest.CaptureFixture[str], outcome: Outcome
) -> None:
    ending(decision=a_decision(checks=(a_recorded_check(outcome=outcome, sentence="Too few images."),)))
    assert run(["grid"]) == 4
    captured = capsys.readouterr()
    assert "Too few images." in captured.out
    assert "Too few images." in captured.err


def test_a_run_that_failed_is_red_though_another_was_promoted(
    ending: Ending, capsys: pytest.CaptureFixture[str]
) -> None:
    ending(decision=a_decision(), failure=RunFailedError("e5_s320: out of memory"))
    assert run(["grid"]) == 1
    captured = capsys.readouterr()
    assert "promoted e3_s320" in captured.out
    assert "error: e5_s320: out of memory" in captured.err


def test_a_run_that_failed_before_the_decision_reports_none(ending: Ending, capsys: pytest.CaptureFixture[str]) -> None:
    ending(failure=RunFailedError("no data"))
    assert run(["baseline"]) == 1
    assert "Decision" not in capsys.readouterr().out


def test_the_outcome_is_json_for_machines_whatever_it_is(
    ending: Ending, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    ending(decision=a_decision(), failure=RunFailedError("e5_s320: out of memory"))
    assert run(["baseline", "--json"]) == 1
    output = json.loads(capsys.readouterr().out)
    assert (output["status"], output["failure"], output["verdict"]) == ("failed", "e5_s320: out of memory", "promote")
    assert output["pipeline_run"].startswith("baseline-")
    assert (output["promoted"], output["provisional"]) == (True, False)
    assert output["decision"]["chosen"] == "run-1"
    assert output["written"] == str(project / "reports" / "decisions" / "d.html")
    ending()
    assert run(["baseline", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["status"], output["verdict"], output["decision"], output["written"]) == (
        "completed",
        None,
        None,
        None,
    )
    assert (output["promoted"], output["provisional"]) == (False, False)


def test_a_run_that_the_person_stopped_is_stopped(ending: Ending, capsys: pytest.CaptureFixture[str]) -> None:
    ending(raises=StoppedError("grid-1: stopped", hint="run the same command again"))
    assert run(["grid"]) == 130
    assert "hint: run the same command again" in capsys.readouterr().err
