"""Charts beside each other."""

from collections.abc import Sequence


def charts(drawn: Sequence[str]) -> str:
    """Charts beside each other, as many as there is room for."""
    cells = "\n".join(f"<div>{chart}</div>" for chart in drawn)
    return f'<div class="charts">\n{cells}\n</div>' if drawn else ""
