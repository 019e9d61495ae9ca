"""`cv-yolo evaluate` and `compare` with `--truth`: COCO results against COCO annotations, without a project."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cv_yolo.cli.output.metric_tables import print_comparison, print_evaluation, print_notes, print_ranking
from cv_yolo.cli.output.tables import console
from cv_yolo.container.imports import coco_files
from cv_yolo.domain.evaluation.annotated_images import annotate_images
from cv_yolo.domain.evaluation.comparison import Comparison, compare
from cv_yolo.domain.evaluation.evaluation import Scored
from cv_yolo.domain.evaluation.image_sets import ScoringOptions
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.errors import InputError
from cv_yolo.files import write_whole
from cv_yolo.reports.documents import (
    comparison_csv,
    comparison_document,
    evaluation_csv,
    evaluation_document,
    image_notes,
)
from cv_yolo.reports.pages.comparison import comparison_html, evaluation_html
from cv_yolo.reports.pages.ranking import RankingReport, ranking_html
from cv_yolo.reports.view_models import ComparisonReport, EvaluationReport
from cv_yolo.workflows.report import worst_first
from cv_yolo.workflows.score_files import ScoredFiles, score_files

PAIR: Final = 2


def evaluate_file(name: str, given: Mapping[str, Any]) -> None:
    """Evaluate one results file."""
    found, notes = _scored([name], given)
    (shown, scored), *_ = found.scored.items()
    if given["html"]:
        _write(given["html"], _evaluation_page(shown, scored, notes, given["metric"]), "--html")
    if given["csv"]:
        _write(given["csv"], evaluation_csv(shown, scored.evaluation), "--csv")
    if given["as_json"]:
        click.echo(json.dumps(evaluation_document(shown, scored.evaluation, found.truth, notes), indent=1))
        return
    print_notes(console(), notes)
    print_evaluation(console(), scored.evaluation, name=shown)


def compare_files(names: Sequence[str], given: Mapping[str, Any]) -> None:
    """Rank results files; two are compared in the order given."""
    found, notes = _scored(names, given)
    metric, ranked = given["metric"], found.ranked(given["metric"])
    pair = compare(*found.scored.values()) if len(names) == PAIR else None
    if given["html"]:
        now = datetime.now(UTC)
        page = (
            ranking_html(RankingReport(ranked=ranked, metric=metric, notes=notes, made_at=now))
            if pair is None
            else _comparison_page(found, pair, notes, metric)
        )
        _write(given["html"], page, "--html")
    if given["csv"]:
        _write(given["csv"], comparison_csv(ranked), "--csv")
    if given["as_json"]:
        click.echo(json.dumps(comparison_document(ranked, found.truth, notes, metric=metric), indent=1))
        return
    print_notes(console(), notes)
    if pair is None:
        print_ranking(console(), ranked, metric=metric)
    else:
        first, second = found.scored
        print_comparison(console(), pair, names=(first, second))


def _scored(names: Sequence[str], given: Mapping[str, Any]) -> tuple[ScoredFiles, tuple[str, ...]]:
    """The scored files, and what a reader must know of the images."""
    options = ScoringOptions(
        resampling=Resampling(resamples=given["resamples"]),
        confidence_threshold=given["confidence"],
        slice_by=given["slice_by"],
        detection_limits=tuple(sorted(set(given["max_detections"]))),
    )
    results = [(shown, Path(name)) for shown, name in zip(_shown(names), names, strict=True)]
    found = score_files(given["truth"], results, options, coco_files())
    return found, image_notes(found.truth, max_detections=max(options.detection_limits))


def _shown(names: Sequence[str]) -> Sequence[str]:
    """Names of files without their folders, where these differ."""
    short = [Path(name).name for name in names]
    return short if len(set(short)) == len(short) else names


def _evaluation_page(name: str, scored: Scored, notes: tuple[str, ...], metric: str) -> str:
    threshold = scored.evaluation.confidence_threshold
    return evaluation_html(
        EvaluationReport(
            name=name,
            evaluation=scored.evaluation,
            annotated=()
            if threshold is None
            else worst_first(annotate_images(scored.matched.table, confidence_threshold=threshold)),
            thumbnails={},
            made_at=datetime.now(UTC),
            metric=metric,
            notes=notes,
        )
    )


def _comparison_page(found: ScoredFiles, pair: Comparison, notes: tuple[str, ...], metric: str) -> str:
    first, second = found.scored
    return comparison_html(
        ComparisonReport(
            first_name=first,
            second_name=second,
            comparison=pair,
            thumbnails={},
            made_at=datetime.now(UTC),
            metric=metric,
            notes=notes,
        )
    )


def _write(path: Path, text: str, option: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror or error}", hint=f"give another path with {option}"
        ) from error
    click.echo(f"Written: {path}", err=True)
