"""A comparison of two models, and the evaluation of one, as pages: the verdict first, the images last."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cv_yolo.reports.charts.icons import icon
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.evaluation import measured_parts
from cv_yolo.reports.pages.image_gallery import Gallery, changed_images, gallery_style, worst_images
from cv_yolo.reports.pages.page import NOTHING, Part, page, parts_html
from cv_yolo.reports.pages.sections import facts_list
from cv_yolo.reports.tables.metric_rows import Scores, of_comparison, of_evaluation
from cv_yolo.reports.templates import render
from cv_yolo.reports.text.comparison import difference_finding, method_sentence, score_sentence, threshold_sentences
from cv_yolo.reports.text.formatting import time_text
from cv_yolo.reports.text.gaps import beside_title, gap_sentences, gap_title
from cv_yolo.reports.text.provenance import LabelledValue, evaluation_facts
from cv_yolo.reports.view_models import ComparisonReport, EvaluationReport

SIGNS: Final = {"better": ("good", "passed"), "worse": ("bad", "failed"), "": ("open", "level")}


def comparison_html(report: ComparisonReport) -> str:
    """What lies between two models, as one file that needs nothing else."""
    scores = of_comparison(report)
    finding = difference_finding(scores, report.metric)
    kind, sign = SIGNS[finding.better_or_worse]
    method = method_sentence(scores.subject, finding.estimate, paired=True)
    names = (report.first_name, report.second_name)
    missing = tuple(
        f"{name}: {sentence}"
        for name, evaluation in zip(names, scores.evaluations, strict=True)
        for sentence in (beside_title if evaluation is scores.subject else gap_sentences)(evaluation)
    )
    missing = (*report.notes, *missing)
    heading = _with_gaps(finding.sentence, gap_title(scores.subject), of=f"{names[1]}: ")
    banner = _Banner(kicker="Comparison", heading=heading, small=method, kind=kind, sign=icon(sign), missing=missing)
    gallery = changed_images(names, report.comparison, report.thumbnails) if _has_images(scores) else None
    return _page(f"{names[1]} compared with {names[0]}", banner, scores, gallery, made_at=report.made_at)


def evaluation_html(report: EvaluationReport) -> str:
    """What one model scores, as one file that needs nothing else."""
    scores = of_evaluation(report)
    evaluation = scores.subject
    method = method_sentence(evaluation, evaluation.figures.get(report.metric), paired=False)
    heading = _with_gaps(score_sentence(scores, report.metric), gap_title(evaluation))
    missing = (*report.notes, *beside_title(evaluation))
    banner = _Banner(kicker="Evaluation", heading=heading, small=method, missing=missing)
    gallery = None
    if _has_images(scores):
        gallery = worst_images(report.name, evaluation.subject.classes, report.annotated, report.thumbnails)
    return _page(f"{report.name} evaluated", banner, scores, gallery, made_at=report.made_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Banner:
    """What stands at the top of a page."""

    kicker: str
    heading: str
    small: str
    kind: str = "plain"
    sign: Html | None = None
    missing: tuple[str, ...] = ()


def _with_gaps(sentence: str, missing: str, *, of: str = "") -> str:
    return f"{sentence}; {of}{missing}" if missing else sentence


def _has_images(scores: Scores) -> bool:
    """Whether errors by image can be shown: not of files that are scored without a confidence threshold."""
    evaluation = scores.subject
    return evaluation.subject.split is not None or evaluation.confidence_threshold is not None


def _page(title: str, banner: _Banner, scores: Scores, gallery: Gallery | None, *, made_at: datetime) -> str:
    moment = time_text(made_at)
    facts = facts_list([LabelledValue(label="Made at", value=moment), *evaluation_facts(scores)])
    parts = (*measured_parts(scores, gallery), Part(id="provenance", heading="Provenance", contents=(facts,)))
    body = render(
        "comparison.html.j2",
        banner=banner,
        moment=moment,
        small=" ".join((banner.small, *threshold_sentences(scores))),
        parts=parts_html(parts),
    )
    return page(title, body, style=NOTHING if gallery is None else gallery_style(gallery))
