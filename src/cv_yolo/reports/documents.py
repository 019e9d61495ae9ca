"""Evaluations and comparisons of COCO files for machines: JSON with a schema, and CSV.

The fields are described in `docs/reference/evaluation-json.md`; a change of them is another `VERSION`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cv_yolo.domain.evaluation.catalogue import higher_is_better
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.image_sets import AnnotatedImages
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.evaluation.ranking import RankedModel
from cv_yolo.reports.tables.metric_rows import meaning
from cv_yolo.reports.text.gaps import cap_sentences, gap_sentences

VERSION: Final = 1
EVALUATION: Final = "cv-yolo/evaluation"
COMPARISON: Final = "cv-yolo/comparison"
ENDS: Final = ("value", "low", "high")
COLUMNS: Final = ("name", "metric", *ENDS)
COMPARED: Final = ("rank", *COLUMNS, *(f"difference_{end}" for end in ENDS), "meaning")


def image_notes(truth: AnnotatedImages, *, max_detections: int) -> tuple[str, ...]:
    """What a reader must know of the images."""
    return cap_sentences(truth.crowded(max_detections=max_detections), max_detections=max_detections)


def evaluation_document(
    name: str, evaluation: Evaluation, truth: AnnotatedImages, notes: Sequence[str]
) -> dict[str, Any]:
    """The evaluation of one model."""
    return {
        "schema": EVALUATION,
        "version": VERSION,
        **_origin(evaluation, truth, notes),
        "name": name,
        **_measured(evaluation),
    }


def comparison_document(
    ranked: Sequence[RankedModel], truth: AnnotatedImages, notes: Sequence[str], *, metric: str
) -> dict[str, Any]:
    """Several models, the best first; `differences` are from the best."""
    return {
        "schema": COMPARISON,
        "version": VERSION,
        "metric": metric,
        **_origin(ranked[0].evaluation, truth, notes),
        "ranking": [
            {
                "rank": each.rank,
                "name": each.name,
                "meaning": _meaning(each, metric),
                **_measured(each.evaluation),
                "differences": _estimates(each.differences),
            }
            for each in ranked
        ],
    }


def evaluation_csv(name: str, evaluation: Evaluation) -> str:
    """A line for each metric."""
    rows = [(name, metric, *_ends(found)) for metric, found in evaluation.figures.items()]
    return _csv((COLUMNS, *rows))


def comparison_csv(ranked: Sequence[RankedModel]) -> str:
    """A line for each model and metric, with the difference from the best."""
    rows = [
        (each.rank, each.name, metric, *_ends(found), *_ends(each.differences.get(metric)), _meaning(each, metric))
        for each in ranked
        for metric, found in each.evaluation.figures.items()
    ]
    return _csv((COMPARED, *rows))


def _origin(evaluation: Evaluation, truth: AnnotatedImages, notes: Sequence[str]) -> dict[str, Any]:
    made = evaluation.resampling
    return {
        "truth": {
            "name": truth.name,
            "sha256": truth.sha256,
            "images": evaluation.images,
            "boxes": evaluation.truths,
            "classes": list(truth.classes),
        },
        "intervals": {"confidence": made.confidence, "resamples": made.resamples, "seed": made.seed},
        "confidence_threshold": evaluation.confidence_threshold,
        "slices": dict(evaluation.slices),
        "notes": list(notes),
    }


def _measured(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "sha256": evaluation.subject.weights_sha256,
        "warnings": list(gap_sentences(evaluation)),
        "metrics": _estimates(evaluation.figures),
    }


def _estimates(found: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {name: dict(zip(ENDS, _ends(each), strict=True)) for name, each in found.items()}


def _ends(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    if found is None:
        return None, None, None
    interval = found.interval
    return (found.value, None, None) if interval is None else (found.value, interval.low, interval.high)


def _meaning(each: RankedModel, metric: str) -> str:
    """What the difference from the best says; `best` for the best itself."""
    if each.rank == 1:
        return "best"
    return meaning(each.differences.get(metric), higher_is_better=higher_is_better(metric))


def _csv(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
