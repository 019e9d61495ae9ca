"""Where things are kept: all under one home, and the user's own homes are left alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cv_yolo.container import Container
from cv_yolo.errors import ConfigError
from cv_yolo.settings import Settings

USE_ALL = """
from pathlib import Path
from cv_yolo.container import Container
from cv_yolo.ports.records import NewRun
parts = Container()
data = Path("data"); data.mkdir(); (data / "a.txt").write_text("a")
parts.datasets.store.content_hash(data)
parts.records.tracker().start(NewRun(name="n", params={}, tags={}))
parts.records.pipeline_registry().versions()
from cv_yolo.adapters.ultralytics.library import prepare
prepare()
import matplotlib.pyplot
"""


def test_everything_is_kept_under_the_projects_folder(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    assert settings.home == tmp_path / ".cv-yolo"
    kept = (settings.mlflow_database, settings.mlflow_artifacts, settings.runs, settings.weights, settings.audit)
    assert all(path.is_relative_to(settings.home) for path in kept)
    assert settings.decisions == tmp_path / "reports" / "decisions"
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/.cv-yolo/mlflow/mlflow.db"


def test_the_current_folder_is_the_project_unless_the_environment_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().root == tmp_path
    monkeypatch.setenv("CV_YOLO_ROOT", str(tmp_path / "other"))
    assert Settings().home == tmp_path / "other" / ".cv-yolo"


def test_another_home_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_YOLO_ROOT", str(tmp_path))
    monkeypatch.setenv("CV_YOLO_HOME", str(tmp_path / "elsewhere"))
    assert Settings().home == tmp_path / "elsewhere"
    assert Settings().runs == tmp_path / "elsewhere" / "runs"
    assert Settings().decisions == tmp_path / "reports" / "decisions"


def test_every_folder_that_the_libraries_are_given_is_under_our_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    settings = Settings(root=Path("/srv/project"))
    reported = {name: value for name, value in settings.isolation().items() if name != "AWS_CA_BUNDLE"}
    folders = [Path(value) for value in reported.values() if os.sep in value]
    assert len(folders) == 7
    assert all(folder.is_relative_to(settings.home) for folder in folders)


def test_temporary_files_are_kept_apart_unless_a_person_chose_or_the_path_is_too_long_for_a_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    assert Settings(root=Path("/srv/project")).isolation()["TMPDIR"] == "/srv/project/.cv-yolo/tmp"
    assert "TMPDIR" not in Settings(root=Path("/srv", "long" * 20)).isolation()
    monkeypatch.setenv("TMPDIR", "/scratch/me")
    assert "TMPDIR" not in Settings(root=Path("/srv/project")).isolation()


def test_our_code_works_in_that_environment_and_ignores_foreign_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for foreign in ("ZENML_STORE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(foreign, "https://example.invalid")
    settings = Settings(root=tmp_path)
    container = Container(settings)
    assert settings.isolation().items() <= os.environ.items()
    assert "ZENML_STORE_URL" not in os.environ
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert container.home == settings.home


@pytest.mark.slow
def test_the_libraries_write_nothing_into_the_users_home(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    foreign = {"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", *Settings(root=project).isolation()}
    environment = {name: value for name, value in os.environ.items() if name not in foreign} | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", USE_ALL],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,  # asserted below, with what it wrote
    )
    assert done.returncode == 0, done.stderr
    assert [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()] == []
    assert sorted(path.name for path in project.iterdir()) == [".cv-yolo", "data"]


def test_a_relative_home_belongs_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_YOLO_HOME", "elsewhere")
    assert Settings(root=tmp_path).home == tmp_path.resolve() / "elsewhere"


def test_a_server_and_how_long_it_is_waited_for_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Settings().server_url, Settings().retry_s, Settings().answer_limit_s) == (None, 90.0, 20.0)
    for name, value in {
        "SERVER_URL": "http://s",
        "SERVER_API_KEY": "hidden",
        "STACK": "mine",
        "PATIENCE_S": "0",
    }.items():
        monkeypatch.setenv(f"CV_YOLO_{name}", value)
    settings = Settings()
    assert (settings.server_url, settings.server_api_key, settings.stack) == ("http://s", "hidden", "mine")
    assert settings.retry_s == 0
    assert "hidden" not in repr(settings)
    assert Settings(server_url=None, retry_s=3).retry_s == 3


@pytest.mark.parametrize(
    ("name", "value"), [("PATIENCE_S", "soon"), ("PATIENCE_S", "-1"), ("PATIENCE_S", "nan"), ("ANSWER_LIMIT_S", "0")]
)
def test_an_invalid_number_of_seconds_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"CV_YOLO_{name}", value)
    with pytest.raises(ConfigError, match=f"CV_YOLO_{name} is '{value}'") as refused:
        Settings()
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("set it to a number of seconds")


def test_the_limit_of_pixels_is_a_number_of_megapixels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().most_px == 178_956_970
    monkeypatch.setenv("CV_YOLO_MAX_MEGAPIXELS", "12.5")
    assert Settings().most_px == 12_500_000
    for value in ("0", "inf", "nan", "many"):
        monkeypatch.setenv("CV_YOLO_MAX_MEGAPIXELS", value)
        with pytest.raises(ConfigError, match=f"CV_YOLO_MAX_MEGAPIXELS is '{value}'") as refused:
            Settings()
        assert refused.value.hint == "set it to a number of megapixels, more than 0"
