"""Several models on the same images as a page: the ranking first, each with its difference from the best."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cv_yolo.domain.evaluation.catalogue import COCO_TWELVE, MAIN
from cv_yolo.domain.evaluation.ranking import RankedModel
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.page import Part, folded, page, paragraph, parts_html
from cv_yolo.reports.pages.sections import facts_list
from cv_yolo.reports.tables.metric_rows import FigureRow, Scores, meaning
from cv_yolo.reports.tables.metrics import Heads, interval_table, plain_table
from cv_yolo.reports.templates import render
from cv_yolo.reports.text.comparison import images_text, measured_text, method_sentence
from cv_yolo.reports.text.formatting import count_text, difference_text, estimate_text, metric_text, time_text
from cv_yolo.reports.text.gaps import gap_sentences
from cv_yolo.reports.text.provenance import LabelledValue, evaluation_facts

NOTE: Final = (
    "The difference is that from the best, paired by image. Each interval holds by itself: among many models, some "
    "look better or worse by chance alone."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingReport:
    """The models, best first, by `metric`; `notes` are what a reader must know of the images."""

    ranked: tuple[RankedModel, ...]
    metric: str
    notes: tuple[str, ...]
    made_at: datetime


def ranking_html(report: RankingReport) -> str:
    """The ranking as one file that needs nothing else."""
    best = report.ranked[0]
    names = tuple(each.name for each in report.ranked)
    scores = Scores(names=names, evaluations=tuple(each.evaluation for each in report.ranked))
    found = best.evaluation.figures.get(report.metric)
    moment = time_text(report.made_at)
    facts = facts_list([LabelledValue(label="Made at", value=moment), *evaluation_facts(scores)])
    missing = [
        paragraph(f"{each.name}: {sentence}.") for each in report.ranked for sentence in gap_sentences(each.evaluation)
    ]
    parts = (
        Part(id="ranking", heading="Ranking", contents=(_ranking(report), paragraph(NOTE, kind="note"))),
        Part(id="metrics", heading="Metrics", contents=tuple(_metrics(report))),
        *([Part(id="missing", heading="Not detected or not measured", contents=tuple(missing))] if missing else []),
        Part(id="provenance", heading="Provenance", contents=(facts,)),
    )
    body = render(
        "comparison.html.j2",
        banner={
            "kicker": "Ranking",
            "heading": _heading(report),
            "kind": "plain",
            "sign": None,
            "missing": report.notes,
        },
        moment=moment,
        small=method_sentence(best.evaluation, found, paired=False),
        parts=parts_html(parts),
    )
    return page(f"{count_text(len(names), 'model')} ranked", body)


def _heading(report: RankingReport) -> str:
    best, *others = report.ranked
    found, name = best.evaluation.figures.get(report.metric), metric_text(report.metric)
    measured = name if found is None else measured_text(found, name)
    apart = sum(meaning(each.differences.get(report.metric)) == "worse" for each in others)
    rest = f"{apart} of {count_text(len(others), 'other')} {'is' if apart == 1 else 'are'} shown to be worse"
    return f"{best.name} is first of {len(report.ranked)} with {measured} on {images_text(best.evaluation)}; {rest}"


def _ranking(report: RankingReport) -> Html:
    rows = [
        FigureRow(
            label=f"{each.rank}. {each.name}",
            values=(each.evaluation.figures.get(report.metric),),
            note=_difference(each, report.metric),
        )
        for each in report.ranked
    ]
    first = report.ranked[0]
    scores = Scores(names=(metric_text(report.metric),), evaluations=(first.evaluation,))
    heads = Heads(caption="Best first", row="model", rows="models", measure=metric_text(report.metric))
    return interval_table(scores, rows, heads)


def _difference(each: RankedModel, metric: str) -> str:
    if each.rank == 1:
        return "best"
    difference = each.differences.get(metric)
    return f"{difference_text(difference)}: {meaning(difference)}"


def _metrics(report: RankingReport) -> Iterator[Html]:
    """The main metrics of all models, then COCO's twelve and each class, folded."""
    names = [each.name for each in report.ranked]
    yield _values(report, names, MAIN, "Main metrics")
    yield folded("COCO's twelve metrics", _values(report, names, COCO_TWELVE, "COCO's twelve metrics"))
    classes = [f"class/{curve.name}/ap_50_95" for curve in report.ranked[0].evaluation.curves]
    yield folded("By class, AP50-95", _values(report, names, classes, "AP50-95 by class"))


def _values(report: RankingReport, names: Sequence[str], metrics: Sequence[str], caption: str) -> Html:
    rows = [
        (metric_text(metric), *(estimate_text(each.evaluation.figures.get(metric)) for each in report.ranked))
        for metric in metrics
        if any(metric in each.evaluation.figures for each in report.ranked)
    ]
    return plain_table(("Metric", *names), rows, caption)
