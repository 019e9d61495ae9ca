"""Write `docs/reference/metrics.md` from the catalogue of metrics: `python tools/metric_reference.py`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cv_yolo.domain.evaluation.catalogue import METRICS, SIZES, Metric, Scope

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "metrics.md"
RANGES: Final = ", ".join(f"`{size}`" for size in SIZES)
HEADINGS: Final = {
    Scope.SPLIT: ("Of a whole split", ""),
    Scope.CLASS: ("Of a class", "`class/<name>/…`"),
    Scope.SIZE: ("Of a size of box", f"`size/<range>/…`, with the ranges {RANGES}"),
    Scope.SLICE: ("Of a slice", "`slice/<column>=<value>/…`"),
    Scope.ERROR: ("Of an error type", "`error/<type>/…`"),
    Scope.CALIBRATION: ("Of the calibration", "`calibration/d_ece`, and of each bin `calibration/<bin>/…`"),
}
COLUMNS: Final = "| name | shown as | meaning | better | may | source |\n| --- | --- | --- | --- | --- | --- |"
INTRODUCTION: Final = """# Metrics

The names of metrics in policies, in `--json`, and in MLflow (as `final/…`, with `interval/…/low` and `/high` for the
main ones). This page is written by `tools/metric_reference.py` from `src/cv_yolo/domain/evaluation/catalogue.py`.

A policy may choose runs by the metrics marked *chooses* (`selection.metric`), and compare with the version in the
stage by those marked *compares* (`gates.<stage>.metric`); those marked *floor* may have a least value
(`gates.<stage>.floors`).
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
        yield from ["chooses"] if metric.selects else []
        yield from ["compares"] if metric.gates else []
    if metric.floor and scope is not Scope.CALIBRATION:
        yield "floor"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(f"{PAGE} is written")
    sys.exit(0)
