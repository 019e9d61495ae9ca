"""The figures of one model, or of two on the same images, as rows: the same in HTML and in Markdown."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cv_yolo.domain.evaluation.catalogue import COCO_TWELVE, MAIN, SIZES, higher_is_better
from cv_yolo.domain.evaluation.comparison import DifferenceKind, change_of
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.reports.text.formatting import count_text, metric_text
from cv_yolo.reports.view_models import ComparisonReport, EvaluationReport

FEW_TRUTHS: Final = 20  # below, a figure is mostly chance
FEW_IMAGES: Final = 20
ERRORS: Final = {
    ErrorType.CLASSIFICATION: "right place, wrong class",
    ErrorType.LOCALISATION: "right class, IoU below 0.5",
    ErrorType.BOTH: "wrong class, and IoU below 0.5",
    ErrorType.DUPLICATE: "an object that was already detected",
    ErrorType.BACKGROUND: "a detection where nothing is annotated",
    ErrorType.MISSED: "an annotated object without a detection",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """One model's evaluation, or those of two with the paired differences, second minus first; each has its name."""

    names: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    differences: dict[str, Estimate] = field(default_factory=dict)

    @property
    def pair(self) -> bool:
        """Whether two models are compared."""
        return len(self.names) > 1

    @property
    def subject(self) -> Evaluation:
        """The evaluation that this is about: of two the second."""
        return self.evaluations[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRow:
    """One figure of each model, and the difference; `note` says what a reader must know about it."""

    label: str
    values: tuple[Estimate | None, ...]
    difference: Estimate | None = None
    note: str = ""
    higher_is_better: bool = True

    @property
    def better_or_worse(self) -> str:
        """`better` or `worse` where the interval of the difference says so, else nothing."""
        return better_or_worse(self.difference, higher_is_better=self.higher_is_better)

    @property
    def meaning(self) -> str:
        """The same in words: `within noise` where the difference is not significant, `unknown` without an interval."""
        return meaning(self.difference, higher_is_better=self.higher_is_better)


def of_comparison(report: ComparisonReport) -> Scores:
    """The scores of two models that were compared."""
    found = report.comparison
    return Scores(
        names=(report.first_name, report.second_name),
        evaluations=(found.first, found.second),
        differences=found.differences,
    )


def of_evaluation(report: EvaluationReport) -> Scores:
    """The scores of one model."""
    return Scores(names=(report.name,), evaluations=(report.evaluation,))


def of_decision(decision: Decision) -> Scores | None:
    """What the test images said about the candidate, and about the champion; None where they were not asked."""
    judgement, champion = decision.judgement, decision.champion
    if judgement is None:
        return None
    candidate = "candidate" if decision.chosen_row is None else f"candidate {decision.chosen_row.name}"
    if judgement.champion is None or champion is None:
        return Scores(names=(candidate,), evaluations=(judgement.candidate,))
    return Scores(
        names=(f"champion {champion.name}", candidate),
        evaluations=(judgement.champion, judgement.candidate),
        differences=judgement.differences,
    )


def better_or_worse(difference: Estimate | None, *, higher_is_better: bool = True) -> str:
    """`better` or `worse` where the interval of the difference lies beyond 0, else nothing."""
    change = change_of(difference)
    if change not in {DifferenceKind.HIGHER, DifferenceKind.LOWER}:
        return ""
    return "better" if (change is DifferenceKind.HIGHER) is higher_is_better else "worse"


def meaning(difference: Estimate | None, *, higher_is_better: bool = True) -> str:
    """`better`, `worse`, `within noise` or `unchanged`; `unknown` where there is no interval."""
    return better_or_worse(difference, higher_is_better=higher_is_better) or change_of(difference)


def main_rows(scores: Scores) -> tuple[FigureRow, ...]:
    """The main figures."""
    return _known(figure_row(scores, figure) for figure in MAIN)


def coco_rows(scores: Scores) -> tuple[FigureRow, ...]:
    """COCO's twelve figures."""
    return _known(figure_row(scores, figure) for figure in COCO_TWELVE)


def size_rows(scores: Scores) -> tuple[FigureRow, ...]:
    """Average precision by the size of the boxes."""
    return _known(figure_row(scores, f"map_{size}", label=f"{size} boxes", note=area) for size, area in SIZES.items())


def class_rows(scores: Scores, figure: str = "ap_50") -> tuple[FigureRow, ...]:
    """One figure of each class; the class that loses most first, or of one model the weakest."""
    boxes = {curve.name: curve.truths for curve in scores.subject.curves}
    return _lowest_first(
        figure_row(
            scores,
            f"class/{name}/{figure}",
            label=name,
            note=_count(boxes.get(name, 0), "box", "boxes", few=FEW_TRUTHS),
        )
        for name in scores.subject.subject.classes
    )


def slice_rows(scores: Scores, figure: str = "map_50") -> tuple[FigureRow, ...]:
    """One figure of each slice; the slice that loses most first, or of one model the weakest."""
    return _lowest_first(
        figure_row(scores, f"slice/{name}/{figure}", label=name, note=_count(images, "image", few=FEW_IMAGES))
        for name, images in scores.subject.slices.items()
    )


def error_rows(scores: Scores) -> tuple[FigureRow, ...]:
    """What each type of error costs in mAP50, and what it means; lower is better."""
    return _known(
        figure_row(scores, f"error/{kind}/cost", label=kind, note=meaning) for kind, meaning in ERRORS.items()
    )


def error_counts(scores: Scores) -> tuple[FigureRow, ...]:
    """How many errors of each type there are; lower is better."""
    return _known(figure_row(scores, f"error/{kind}/count", label=kind) for kind in ERRORS)


def figure_row(scores: Scores, figure: str, *, label: str | None = None, note: str = "") -> FigureRow:
    """One figure as a row."""
    return FigureRow(
        label=metric_text(figure) if label is None else label,
        values=tuple(evaluation.figures.get(figure) for evaluation in scores.evaluations),
        difference=scores.differences.get(figure),
        note=note,
        higher_is_better=higher_is_better(figure),
    )


def _known(rows: Iterable[FigureRow]) -> tuple[FigureRow, ...]:
    """The rows of which any model has the figure."""
    return tuple(row for row in rows if any(value is not None for value in row.values))


def _lowest_first(rows: Iterable[FigureRow]) -> tuple[FigureRow, ...]:
    def place(row: FigureRow) -> tuple[bool, float]:
        shown = row.difference if len(row.values) > 1 else row.values[0]
        return shown is None, 0.0 if shown is None else shown.value

    return tuple(sorted(_known(rows), key=place))


def _count(count: int, noun: str, plural: str | None = None, *, few: int) -> str:
    text = count_text(count, noun, plural)
    return f"{text}: too few to be sure" if count < few else text
