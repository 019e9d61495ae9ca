"""Metrics with their intervals, as tables in a terminal."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cv_yolo.domain.data.class_names import listed
from cv_yolo.domain.evaluation.catalogue import IN_USE, MAIN, SIZES, higher_is_better
from cv_yolo.domain.evaluation.comparison import Comparison, DifferenceKind
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.evaluation.ranking import RankedModel
from cv_yolo.reports.tables.metric_rows import meaning
from cv_yolo.reports.text.comparison import images_text
from cv_yolo.reports.text.formatting import (
    ABSENT,
    count_text,
    difference_text,
    estimate_text,
    metric_text,
    percent_text,
)
from cv_yolo.reports.text.gaps import gap_sentences

AVERAGES = tuple(name for name in MAIN if name not in IN_USE)
GROUP_FIGURES = {"class": ("ap_50", "ap_50_95", "precision", "recall"), "slice": ("map_50", "precision", "recall")}

STYLES = {
    "better": "green",
    "worse": "red",
    DifferenceKind.WITHIN_NOISE: "dim",
    DifferenceKind.UNCHANGED: "dim",
    DifferenceKind.UNKNOWN: "yellow",
}
NAME_WIDTH = 16  # so that the columns of the tables stand below each other

Cells = Callable[[str], tuple[str, ...]]


def print_evaluation(out: Console, evaluation: Evaluation, *, name: str) -> None:
    """All metrics of one model."""

    def cells(figure: str) -> tuple[str, ...]:
        return _value_and_interval(evaluation.figures.get(figure))

    print_gaps(out, evaluation)
    out.print(f"[bold]{escape(name)}[/] on {_measured_on(evaluation)}\n")
    _print_all(out, (evaluation,), (name, "interval"), cells)
    out.print(_small_print(evaluation))


def print_comparison(out: Console, comparison: Comparison, *, names: tuple[str, str]) -> None:
    """The metrics of two models on the same images, and their differences."""
    first, second = comparison.first, comparison.second

    def cells(figure: str) -> tuple[str, ...]:
        difference = comparison.differences.get(figure)
        return (
            _value(first.figures.get(figure)),
            _value(second.figures.get(figure)),
            *_value_and_interval(difference, signed=True),
            _meaning(figure, difference),
        )

    for name, evaluation in zip(names, (first, second), strict=True):
        print_gaps(out, evaluation, name=name)
    out.print(f"[bold]{escape(names[1])}[/] compared with [bold]{escape(names[0])}[/] on {_measured_on(first)}\n")
    _print_all(out, (first, second), (*names, "difference", "interval", ""), cells)
    regressions, improvements = len(comparison.broken), len(comparison.fixed)
    out.print(f"Images: {count_text(regressions, 'regression')}, {count_text(improvements, 'improvement')}.")
    out.print(_small_print(first))


def _print_all(out: Console, evaluations: Sequence[Evaluation], columns: tuple[str, ...], cells: Cells) -> None:
    """The tables, with every figure that any of the models has."""
    evaluation = evaluations[-1]
    figures = dict.fromkeys(name for each in evaluations for name in each.figures)
    classes = [curve.name for curve in evaluation.curves]
    _print_table(out, "", columns, {metric_text(name): cells(name) for name in _main(figures)})
    sizes = {f"{size} boxes": f"map_{size}" for size in SIZES}
    known = {text: cells(name) for text, name in sizes.items() if name in figures}
    _print_table(out, "mAP50-95 by the size of the box", columns, known)
    for kind, groups in (("class", classes), ("slice", list(evaluation.slices))):
        if len(groups) > 1 or (kind == "slice" and groups):
            _print_table(out, f"By {kind}", columns, dict(_group_rows(kind, groups, cells)))
    errors = {str(kind): cells(f"error/{kind}/cost") for kind in ErrorType}
    _print_table(out, "Cost of each error type, in mAP50", columns, errors)


def _main(figures: Collection[str]) -> Iterable[str]:
    """The headline metrics; of the average recalls the one that takes the most detections."""
    recalls = sorted(
        (name for name in figures if name.startswith("ar_") and name[3:].isdigit()), key=lambda name: int(name[3:])
    )
    return (name for name in (*AVERAGES, *recalls[-1:], *IN_USE) if name in figures)


def _group_rows(kind: str, groups: Iterable[str], cells: Cells) -> Iterable[tuple[str, tuple[str, ...]]]:
    for group in groups:
        for figure in GROUP_FIGURES[kind]:
            yield f"{group}: {metric_text(figure)}", cells(f"{kind}/{group}/{figure}")


def _print_table(out: Console, title: str, columns: tuple[str, ...], rows: Mapping[str, tuple[str, ...]]) -> None:
    if title:
        out.print(f"\n[bold]{title}[/]")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("", min_width=NAME_WIDTH)
    for column in columns:
        table.add_column(escape(column), justify="right", no_wrap=True)
    for name, cells in rows.items():
        table.add_row(escape(name), *cells)
    out.print(table)


def _value(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else f"{estimate.value:.3f}"


def _value_and_interval(estimate: Estimate | None, *, signed: bool = False) -> tuple[str, str]:
    if estimate is None:
        return ABSENT, ABSENT
    sign = "+" if signed else ""
    interval = estimate.interval
    ends = ABSENT if interval is None else f"{interval.low:{sign}.3f} … {interval.high:{sign}.3f}"
    return f"{estimate.value:{sign}.3f}", ends


def _meaning(figure: str, difference: Estimate | None) -> str:
    """Whether a difference is more than noise, and which way; unknown where no interval says so."""
    found = meaning(difference, higher_is_better=higher_is_better(figure))
    return f"[{STYLES[found]}]{found}[/]"


def _measured_on(evaluation: Evaluation) -> str:
    subject = evaluation.subject
    data = "annotations" if subject.split is None else "split revision"
    return (
        f"{evaluation.images} {subject.image_noun}s, {evaluation.truths} boxes ({data} {subject.split_revision[:12]})"
    )


def _small_print(evaluation: Evaluation) -> str:
    made = evaluation.resampling
    threshold, latency_ms = evaluation.confidence_threshold, evaluation.subject.latency_ms
    latency = "" if latency_ms is None else f" Latency: {latency_ms:.1f} ms per image."
    used = "" if threshold is None else f" Confidence threshold: {threshold:.3f}."
    ignored = evaluation.subject.ignored_classes
    left_out = f" Ignored, since the data set has no such class: {escape(listed(ignored))}." if ignored else ""
    return (
        f"\n[dim]Intervals: {made.confidence:.0%}, bootstrap over images, {made.resamples} resamples, seed {made.seed}."
        f"{used}{latency}{left_out}[/]"
    )


def print_gaps(out: Console, evaluation: Evaluation | None, *, name: str | None = None) -> None:
    """A line for each way in which classes, slices or sizes are missing; nothing where all is found."""
    for sentence in () if evaluation is None else gap_sentences(evaluation):
        said = sentence if name is None else f"{name}: {sentence}"
        out.print(f"[bold red]Warning:[/] {escape(said)}", soft_wrap=True)


def print_ranking(out: Console, ranked: Sequence[RankedModel], *, metric: str) -> None:
    """The models, best first, with the paired differences from the best."""
    best = ranked[0].evaluation
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column, justify in (("", "right"), ("model", "left"), (metric_text(metric), "right"),
                            ("difference from the best", "right"), ("", "left")):  # fmt: skip
        table.add_column(column, justify=justify, no_wrap=column != "model")  # type: ignore[arg-type]
    for each in ranked:
        found, difference = each.evaluation.figures.get(metric), each.differences.get(metric)
        said = meaning(difference)
        apart = (
            ("", "[green]best[/]") if each.rank == 1 else (difference_text(difference), f"[{STYLES[said]}]{said}[/]")
        )
        table.add_row(f"{each.rank}.", escape(each.name), estimate_text(found), *apart)
    made = best.resampling
    out.print(f"[bold]{len(ranked)} models[/] on {images_text(best)}, best first\n")
    out.print(table)
    out.print(
        f"\n[dim]Intervals: {percent_text(made.confidence)}, bootstrap over images, paired, {made.resamples} "
        f"resamples, seed {made.seed}.[/]"
    )


def print_notes(out: Console, notes: Sequence[str]) -> None:
    """What a reader must know of the images."""
    for note in notes:
        out.print(f"[bold yellow]Note:[/] {escape(note)}.", soft_wrap=True)
