"""The fast tests run on every other supported Python that works here; what is missing is named, and no failure."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.unit.tools.loading import ROOT, load_tool

OTHERS = [version for version in ("3.11", "3.12", "3.13") if version != f"3.{sys.version_info.minor}"]
BROKEN = "#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, on a machine that has no Python but those that a test puts there."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    loaded = load_tool(ROOT / "tools" / "interpreters.py")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(loaded, "ROOT", tmp_path)
    return loaded


def a_python(path: Path, answer: str) -> Path:
    """A program that says what it is; or does not work."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(answer if answer.startswith("#!") else f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_missing_interpreter_is_named_and_is_not_a_failure(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main() == 0
    output = capsys.readouterr().out
    for version in OTHERS:
        assert f"Python {version}: not tried: none that works is on the PATH or in pyenv's versions" in output


def test_the_first_on_the_path_that_works_is_taken(tool: ModuleType, tmp_path: Path) -> None:
    on_path = a_python(tmp_path / "bin" / "python3.12", "cpython 3 12")
    a_python(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python", "cpython 3 12")
    assert tool.find("3.12") == on_path


@pytest.mark.parametrize("shim", [BROKEN, "pypy 3 12", "cpython 3 11"])
def test_a_shim_that_does_not_lead_to_that_version_is_passed_over_for_pyenvs_newest(
    tool: ModuleType, tmp_path: Path, shim: str
) -> None:
    a_python(tmp_path / "bin" / "python3.12", shim)
    versions = tmp_path / "pyenv" / "versions"
    for name in ("3.12.1", "3.12.9", "3.12.10", "3.12.11rc1", "3.12.x"):
        a_python(versions / name / "bin" / "python", "cpython 3 12")
    a_python(versions / "3.12.11" / "bin" / "python", BROKEN)
    assert tool.find("3.12") == versions / "3.12.10" / "bin" / "python"


def test_a_file_that_is_not_executable_is_not_a_python(tool: ModuleType, tmp_path: Path) -> None:
    a_python(tmp_path / "bin" / "python3.13", "#!/no/such/shell")
    assert tool.find("3.13") is None


def calls_of(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, *failing: str) -> list[list[str]]:
    """What is called from now on, by name and not for real; what contains one of `failing` fails."""
    called: list[list[str]] = []

    def call(command: Any, **_: Any) -> SimpleNamespace:
        called.append([str(word) for word in command])
        return SimpleNamespace(returncode=int(any(name in called[-1] for name in failing)))

    monkeypatch.setattr(tool, "find", lambda version: Path(f"/python{version}") if version == OTHERS[0] else None)
    monkeypatch.setattr(tool.subprocess, "run", call)
    return called


def test_each_python_has_its_own_environment_in_which_the_fast_tests_run(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda _: SimpleNamespace(free=20e9))
    called = calls_of(tool, monkeypatch)
    assert tool.main() == 0
    made, tested = called
    assert made == [f"/python{OTHERS[0]}", "tools/setup_environment.py", f".venv-{OTHERS[0]}"]
    assert tested[0] == str(tool.python_in(tmp_path / f".venv-{OTHERS[0]}"))
    assert tuple(tested[-len(tool.CORE) :]) == tool.CORE
    output = capsys.readouterr().out
    assert f"Python {OTHERS[0]}: passed" in output
    assert f"Python {OTHERS[1]}: not tried" in output


@pytest.mark.parametrize(("failing", "why"), [("tools/setup_environment.py", "FAILED: .venv-"), ("pytest", "FAILED\n")])
def test_what_fails_there_fails_here(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], failing: str, why: str
) -> None:
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda _: SimpleNamespace(free=20e9))
    calls_of(tool, monkeypatch, failing)
    assert tool.main() == 1
    assert f"Python {OTHERS[0]}: {why}" in capsys.readouterr().out


def test_without_disk_space_no_environment_is_created(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool.shutil, "disk_usage", lambda _: SimpleNamespace(free=5e9))
    called = calls_of(tool, monkeypatch)
    assert (tool.main(), called) == (0, [])
    assert f"Python {OTHERS[0]}: not tried: 5.0 GB are free" in capsys.readouterr().out


def test_the_environments_are_not_part_of_the_project() -> None:
    assert "/.venv-*/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_it_runs_before_the_tests_with_servers() -> None:
    checks = list(load_tool(ROOT / "tools" / "check.py").CHECKS)
    assert checks.index("coverage") < checks.index("interpreters") < checks.index("integration")
