"""What tests of the command line share."""

import click
import pytest


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> object:
    """Make `cv-yolo runs` raise what the test gives."""

    def fail_with(error: BaseException) -> None:
        @click.command()
        def runs() -> None:
            raise error

        monkeypatch.setattr("cv_yolo.cli.commands.runs.runs", runs)

    return fail_with
