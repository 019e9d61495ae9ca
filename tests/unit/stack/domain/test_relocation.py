"""Paths that follow a folder that has moved."""

from pathlib import PurePosixPath

import pytest

from cv_yolo_stack.domain.backup_manifest import relocation

FORMER, NOW = "/home/anna/.cv-yolo", "/srv/det records/.cv-yolo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FORMER, NOW),
        (f"{FORMER}/mlflow/x", f"{NOW}/mlflow/x"),
        (f"file://{FORMER}/mlflow", "file:///srv/det%20records/.cv-yolo/mlflow"),
        (f"sqlite:///{FORMER}/a.db", f"sqlite:///{NOW}/a.db"),
        (f'{{"a": "{FORMER}/x", "b": "{FORMER}"}}', f'{{"a": "{NOW}/x", "b": "{NOW}"}}'),
        (f"{FORMER}2/x", f"{FORMER}2/x"),
        (f"{FORMER}-old", f"{FORMER}-old"),
        (f"/mnt{FORMER}/x", f"/mnt{FORMER}/x"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_only_paths_of_the_folder_are_rewritten(text: str, expected: str) -> None:
    assert relocation(FORMER, NOW)(text) == expected


def test_a_folder_that_moves_into_itself_is_named_once() -> None:
    inside = str(PurePosixPath(FORMER) / "drill" / ".cv-yolo")
    assert relocation(FORMER, inside)(f"file://{FORMER}/a {FORMER}/b") == f"file://{inside}/a {inside}/b"
