"""The command itself: its help, its speed, and one place where an error becomes an exit code."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cv_yolo import __version__, errors
from cv_yolo.cli import main as command
from cv_yolo.cli.main import commands, run
from cv_yolo_stack.cli import COMMANDS

SUMMARIES = {name: summary for name, (_, summary) in commands().items() if summary}
HEAVY = ("torch", "zenml", "mlflow", "ultralytics", "dvc", "jinja2", "numpy", "PIL", "pydantic", "rich")


def test_help_lists_every_command_with_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for name, summary in SUMMARIES.items():
        assert f"  {name} " in text
        assert summary in text
    assert "Examples:" in text
    assert "Exit codes:" in text
    assert "worker" not in text


@pytest.mark.parametrize("name", [name for name in SUMMARIES if name != "data"])
def test_every_command_has_help_with_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run([name, "-h"]) == 0
    text = capsys.readouterr().out
    assert f"cv-yolo {name}" in text.split("Examples:")[1]


@pytest.mark.parametrize("name", ["synth", "check"])
def test_every_command_of_data_has_help_with_examples(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert run(["data", "--help"]) == 0
    assert name in capsys.readouterr().out
    assert run(["data", name, "--help"]) == 0
    assert f"cv-yolo data {name}" in capsys.readouterr().out.split("Examples:")[1]


def test_the_check_of_the_models_has_help_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "check", "--help"]) == 0
    assert "cv-yolo models check --dry-run" in capsys.readouterr().out.split("Examples:")[1]


def test_the_summaries_are_those_of_the_commands() -> None:
    context = click.Context(command.cli)
    for name in commands():
        found = command.cli.get_command(context, name)
        assert found is not None
        assert found.hidden == (name not in SUMMARIES)


def test_the_commands_are_listed_in_the_order_of_the_help() -> None:
    listed = command.cli.list_commands(click.Context(command.cli))
    assert listed == list(SUMMARIES)
    assert "worker" not in listed


def test_the_commands_that_operate_servers_come_from_a_package_of_their_own() -> None:
    ours = {name for name, (module, _) in commands().items() if module.startswith("cv_yolo.")}
    assert set(commands()) - ours == set(COMMANDS)
    assert {"grid", "promote", "evaluate"} <= ours


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"cv-yolo, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["runs", "--nonsense"], ["nonsense"], ["show"], ["grid", "--epochs", "x"], ["data", "synth", "--size", "1"]],
)
def test_a_command_line_that_cannot_be_read_is_your_input(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    captured = capsys.readouterr()
    assert "Commands:" in captured.out + captured.err


def test_asking_for_help_imports_nothing_heavy() -> None:
    script = f"import sys; from cv_yolo.cli.main import run; run(['--help']); print(set({HEAVY}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_importing_every_commands_module_loads_neither_the_services_libraries_nor_the_templates() -> None:
    modules = ", ".join(sorted({module for module, _ in commands().values()}))
    heavy = HEAVY[:6]
    script = f"import sys, {modules}; print(set({heavy}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("a.yaml: grid.epochs: 0"), 2),
        (errors.DatasetError("a.jpg: does not decode"), 2),
        (errors.ServiceUnavailableError("MLflow"), 3),
        (errors.PolicyRefusedError("not promoted"), 4),
        (errors.TrainingFailedError("killed"), 1),
        (errors.StoppedError("stopped"), 130),
        (errors.AccessRefusedError("MLflow: user or password is wrong"), 3),
        (KeyboardInterrupt(), 130),
        (click.exceptions.Abort(), 130),
    ],
)
def test_an_error_becomes_its_exit_code_and_says_what_it_is(
    failing: object, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    assert callable(failing)
    failing(error)
    assert run(["runs"]) == code
    message = error.message if isinstance(error, errors.CvYoloError) else "stopped"
    assert f"error: {message}\n" in capsys.readouterr().err


def test_a_hint_follows_the_error(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(failing)
    failing(errors.WeightsError("model: x.pt: no such file", hint="name another"))
    assert run(["runs"]) == 2
    assert capsys.readouterr().err == "error: model: x.pt: no such file\nhint: name another\n"


def test_an_internal_error_is_not_hidden(failing: object) -> None:
    assert callable(failing)
    failing(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        run(["runs"])
    failing(SystemExit(7))
    with pytest.raises(SystemExit):
        run(["runs"])


def test_a_closed_pipe_is_not_an_error() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cv_yolo", "--help"],
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,  # its exit code is what is tested
        )
    finally:
        os.close(write)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_the_worker_needs_its_folder(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", str(project / "missing")]) == 2
    assert "missing" in capsys.readouterr().err


def test_a_worker_without_a_request_fails_and_leaves_its_error(project: Path) -> None:
    command = [sys.executable, "-m", "cv_yolo", "worker", str(project)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.wait(60) == 1
    assert "FileNotFoundError" in (project / "error.json").read_text(encoding="utf-8")


def test_nothing_recorded_is_nothing_to_open(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ui"]) == 2
    assert capsys.readouterr().err.startswith("error: nothing recorded yet\nhint: ")
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["schema.json"]


@pytest.mark.parametrize("place", ["/home/anna/.cv-yolo/journal.jsonl", None])
def test_a_full_disk_is_reported_with_its_mount(
    failing: object, capsys: pytest.CaptureFixture[str], place: str | None
) -> None:
    assert callable(failing)
    failing(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place))
    assert run(["runs"]) == 3
    output = capsys.readouterr().err
    assert f"error: the disk is full: {place or 'the disk'}: No space left on device" in output
    assert "free some space" in output


def test_other_trouble_with_a_disk_is_not_hidden(failing: object) -> None:
    assert callable(failing)
    failing(OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(OSError, match="Input/output"):
        run(["runs"])
