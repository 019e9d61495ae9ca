"""`cv-yolo init-env` in a project's folder."""

import os
import shutil
from pathlib import Path

import pytest

from cv_yolo.cli.main import run
from cv_yolo_stack.domain.env_file import settings_of

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def project_folder(project: Path) -> Path:
    shutil.copy(ROOT / ".env.example", project)
    return project


def test_the_servers_may_start_with_what_it_writes(project_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init-env", "--check"]) == 2
    assert run(["init-env"]) == 0
    assert run(["init-env", "--check"]) == 0
    output = capsys.readouterr()
    written = settings_of((project_folder / ".env").read_text(encoding="utf-8"))
    example = settings_of((project_folder / ".env.example").read_text(encoding="utf-8"))
    fresh = {name: value for name, value in written.items() if value != example[name]}
    assert set(fresh) == {name for name, value in example.items() if value == "change-me"}
    assert len(set(fresh.values())) == len(fresh)
    assert [value for value in fresh.values() if value in output.out + output.err] == []


def test_a_second_time_it_refuses_and_force_makes_new_secrets(project_folder: Path) -> None:
    assert run(["init-env"]) == 0
    before = (project_folder / ".env").read_bytes()
    assert run(["init-env"]) == 2
    assert (project_folder / ".env").read_bytes() == before
    assert run(["init-env", "--force"]) == 0
    assert (project_folder / ".env").read_bytes() != before


def test_missing_settings_are_added_and_listed(project_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project_folder / ".env").write_text("BIND_ADDRESS=10.0.0.7\n", encoding="utf-8")
    assert run(["init-env", "--add-missing"]) == 0
    assert "Added: COMPOSE_PROFILES, " in capsys.readouterr().out
    assert "BIND_ADDRESS=10.0.0.7\n" in (project_folder / ".env").read_text(encoding="utf-8")
    assert run(["init-env", "--add-missing"]) == 0
    assert capsys.readouterr().out == "Nothing was missing.\n"


def test_the_environment_is_checked_on_request(project_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init-env"]) == 0
    os.environ.update(settings_of((project_folder / ".env").read_text(encoding="utf-8")))
    (project_folder / ".env").unlink()
    assert run(["init-env", "--check", "--environment"]) == 0
    os.environ["MYSQL_ROOT_PASSWORD"] = "change-me"
    assert run(["init-env", "--check", "--environment"]) == 2
    assert "MYSQL_ROOT_PASSWORD has the example's value" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--force", "--check"], ["--environment"], ["--add-missing", "--check"]])
def test_options_that_contradict_each_other_are_refused(options: list[str]) -> None:
    assert run(["init-env", *options]) == 2
