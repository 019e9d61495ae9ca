"""A second local user, and a project on real servers that was made by real commands under umask 0."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.other_user import needs_root, reachable_folder, reached_by_other_user
from tests.servers import cv_yolo, stack_in

pytestmark = needs_root


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A project whose servers are up, and that is connected to them."""
    former = os.umask(0)
    try:
        with reachable_folder() as folder, stack_in(folder / "project") as stack:
            cv_yolo(stack.settings.root, "stack", "register")
            cv_yolo(stack.settings.root, "history")
            yield stack.settings.root
    finally:
        os.umask(former)


def test_nothing_of_a_connected_home_and_its_servers_is_in_reach(root: Path) -> None:
    home = root / ".cv-yolo"
    kept = ("connection.json", "zenml-server/credentials.yaml", "services/credentials.json", "services/state.json")
    assert [name for name in kept if not (home / name).is_file()] == []
    assert reached_by_other_user(home) == []


def test_no_file_is_written_outside_the_home(root: Path) -> None:
    assert [path.name for path in root.iterdir()] == [".cv-yolo"]


def test_a_home_as_former_versions_left_it_is_closed_by_one_command_that_names_what_lay_open(root: Path) -> None:
    home = root / ".cv-yolo"
    for name, mode in {".": 0o755, "zenml-server": 0o755, "dvc": 0o777, "dvc/site": 0o777}.items():
        (home / name).chmod(mode)
    (home / "zenml-server" / "credentials.yaml").chmod(0o644)
    assert f"read {home / 'zenml-server' / 'credentials.yaml'}" in reached_by_other_user(home)
    done = cv_yolo(root, "history")
    assert done.stderr.count(f"{home} was open to other users of this machine") == 1
    assert "They could read keys: zenml-server/credentials.yaml." in done.stderr
    assert reached_by_other_user(home) == []
    assert "was open" not in cv_yolo(root, "history").stderr
