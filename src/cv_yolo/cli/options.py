"""Options and arguments that several commands share: lists of numbers, reasons, folders."""

from pathlib import Path

import click


def numbers(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int] | None:
    """Read `3,5` as two numbers; for options of click's."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r}: expected whole numbers, separated by commas") from None


def given_reason(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """The given reason, if any; a blank one is refused."""
    if text is not None and not text.strip():
        raise click.BadParameter("give a reason: it is recorded in the audit log")
    return text


def root_of(folder: Path) -> Path:
    """The folder of a data set as an absolute path, through links as they were written."""
    return folder.resolve() if ".." in folder.parts else folder.absolute()
