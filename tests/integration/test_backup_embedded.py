"""The embedded records, read by real servers before and after they moved into another home."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import TIMEOUT_S, cv_yolo, environment_of

REPOSITORY = Path(__file__).resolve().parents[2]
FILL = (sys.executable, "-m", "tests.integration.backup_child", "1")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the servers are supervised as on Linux and macOS")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run, which is in staging."""
    folder = tmp_path_factory.mktemp("embedded") / "project"
    folder.mkdir()
    subprocess.run(FILL, cwd=REPOSITORY, env=environment_of(folder), capture_output=True, timeout=TIMEOUT_S, check=True)
    return folder


def test_the_embedded_records_are_restored_into_another_home(root: Path, tmp_path: Path) -> None:
    backup, elsewhere = tmp_path / "backup", tmp_path / "another place"
    output = json.loads(cv_yolo(root, "backup", "--drill", str(backup), "--json").stdout)
    kinds = {each["kind"]: each for each in output["kinds"]}
    assert output["passed"]
    for kind in (
        "MLflow runs",
        "MLflow model versions",
        "ZenML model versions",
        "audit entries",
        "audit logs that verify",
    ):
        assert kinds[kind]["same"] == 1, kind
    assert kinds["artifacts of runs"]["same"] == 2
    assert not (root / ".cv-yolo" / "drill").exists()
    elsewhere.mkdir()
    cv_yolo(elsewhere, "restore", str(backup))
    assert "1 entry, chain intact" in cv_yolo(elsewhere, "history", "--verify").stdout
    assert str(root) not in (elsewhere / ".cv-yolo" / "zenml" / "config.yaml").read_text(encoding="utf-8")


def test_a_backup_without_a_snapshot_cannot_be_verified(root: Path, tmp_path: Path) -> None:
    cv_yolo(root, "backup", str(tmp_path / "backup"))
    done = cv_yolo(root, "backup", "--drill", str(tmp_path / "backup"), code=2)
    assert "has no snapshot of the servers" in done.stderr
    assert not (root / ".cv-yolo" / "drill").exists()
