"""Lists of numbers on the command line."""

import click


def numbers(_context: click.Context, _option: click.Parameter, text: str | None) -> list[int] | None:
    """Read `3,5` as two numbers; for options of click's."""
    if text is None:
        return None
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r}: expected whole numbers, separated by commas") from None
