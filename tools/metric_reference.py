"""Write `docs/reference/metrics.md` from the catalogue of metrics: `python tools/metric_reference.py`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cv_yolo.domain.evaluation.catalogue import METRICS, SIZES, Metric, Scope

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "metrics.md"
RANGES: Final = ", ".join(f"`{size}`" for size in SIZES)
HEADINGS: Final = {
    Scope.SPLIT: ("Whole split", ""),
    Scope.CLASS: ("Per class", "`class/<name>/…`"),
    Scope.SIZE: ("Per box size", f"`size/<range>/…`, where `<range>` is one of {RANGES}"),
    Scope.SLICE: ("Per slice", "`slice/<column>=<value>/…`"),
    Scope.ERROR: ("Per error type", "`error/<type>/…`"),
    Scope.CALIBRATION: ("Calibration", "`calibration/d_ece`, and for each bin `calibration/<bin>/…`"),
}
COLUMNS: Final = "| name | shown as | definition | better | policy | source |\n| --- | --- | --- | --- | --- | --- |"
INTRODUCTION: Final = """# Metrics

This page lists all metrics with their names in policies and in `--json`. MLflow records them as `final/…`, and the
intervals of the main ones as `interval/…/low` and `interval/…/high`. `tools/metric_reference.py` generates this page
from `src/cv_yolo/domain/evaluation/catalogue.py`.

The column *policy* shows how a policy can use a metric:

- *select*: to select a run of a grid (`selection.metric`)
- *compare*: to compare a candidate with the version in the stage (`gates.<stage>.metric`)
- *floor*: to require a minimum value (`gates.<stage>.floors`)
"""


def text() -> str:
    """The whole page."""
    return INTRODUCTION + "".join(_section(scope) for scope in Scope)


def _section(scope: Scope) -> str:
    heading, names = HEADINGS[scope]
    rows = "\n".join(_row(metric, scope) for metric in METRICS if scope in metric.scopes)
    above = f"\n{names}\n" if names else ""
    return f"\n## {heading}\n{above}\n{COLUMNS}\n{rows}\n"


def _row(metric: Metric, scope: Scope) -> str:
    better = "higher" if metric.higher_is_better else "lower"
    uses = ", ".join(_uses(metric, scope))
    cells = (f"`{metric.name}`", metric.label, metric.definition, better, uses, metric.source)
    return f"| {' | '.join(cells)} |"


def _uses(metric: Metric, scope: Scope) -> Iterator[str]:
    if scope is Scope.SPLIT:
        yield from ["select"] if metric.selects else []
        yield from ["compare"] if metric.gates else []
    if metric.floor and scope is not Scope.CALIBRATION:
        yield "floor"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(f"{PAGE} is written")
    sys.exit(0)
