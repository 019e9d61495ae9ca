"""`baseline` and `grid` refuse a wrong configuration at once, by file and key, before any library is imported."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo.cli.main import run

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
    assert f"error: {config}: grid: 2 runs, a baseline is one\nhint: use `cv-yolo grid`" in capsys.readouterr().err


def test_a_refusal_leaves_no_trace(config: Path, project: Path) -> None:
    run(["grid", "--epochs", "0"])
    assert [path.name for path in project.iterdir()] == ["configs"]
