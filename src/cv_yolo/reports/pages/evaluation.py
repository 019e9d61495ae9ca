"""What was measured, as the parts of a page: of one model, or of two on the same images."""

from collections.abc import Iterator, Sequence
from typing import Final

from cv_yolo.domain.evaluation.calibration import BINS
from cv_yolo.reports.charts.curves import compared_charts, diagram
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.image_gallery import Gallery, gallery_html
from cv_yolo.reports.pages.page import Part, charts, folded, paragraph
from cv_yolo.reports.tables.metric_rows import (
    FigureRow,
    Scores,
    class_rows,
    coco_rows,
    error_counts,
    error_rows,
    figure_row,
    main_rows,
    size_rows,
    slice_rows,
)
from cv_yolo.reports.tables.metrics import NOTE as CONFUSION_NOTE
from cv_yolo.reports.tables.metrics import Heads, confusion, interval_table, plain_table
from cv_yolo.reports.text.formatting import count_text, counted_text, estimate_text, percent_text, score_text

MOST_OPEN_CHARTS: Final = 6
MOST_CHARTS: Final = 24
FURTHER: Final = {"AP50-95": "ap_50_95", "precision": "precision", "recall": "recall", "F1": "f1"}
CURVE_NOTE: Final = (
    "Precision by recall at IoU 0.5, with its confidence band. The marker is the operating point: the confidence "
    "threshold chosen on val."
)
ERROR_NOTE: Final = (
    "The gain in mAP50 if all errors of one type were fixed, and nothing else: a shorter bar is better. The types are "
    "those of TIDE (Bolya et al., 2020); they do not add up, since fixing one error can reveal another. They "
    "count detections at every confidence; the confusion matrix only those above the confidence threshold, so it can "
    "show more missed objects."
)
CALIBRATION_NOTE: Final = (
    "Detections are grouped by confidence into ten bins. On the dashed line the model is calibrated; below it, "
    "overconfident. D-ECE is the mean distance from that line of the detections above the threshold."
)


def measured_parts(scores: Scores, gallery: Gallery | None) -> tuple[Part, ...]:
    """All parts for which there is something to show."""
    return tuple(_parts(scores, gallery))


def _parts(scores: Scores, gallery: Gallery | None) -> Iterator[Part]:
    yield Part(id="metrics", heading="Metrics", contents=(_main(scores), _all_of_coco(scores)))
    yield from _groups(scores)
    if errors := error_rows(scores):
        yield Part(id="errors", heading="Errors", contents=tuple(_errors(scores, errors)))
    if curves := compared_charts(scores):
        yield Part(id="curves", heading="Precision and recall", contents=tuple(_curves(curves)))
    if sure := reliability(scores):
        yield Part(id="calibration", heading="Calibration", contents=sure)
    if confused := confusion(scores):
        contents = (paragraph(CONFUSION_NOTE, kind="note"), confused)
        yield Part(id="confusion", heading="Confusion", contents=contents)
    if gallery is not None:
        yield Part(id="images", heading="Images", contents=(gallery_html(gallery),))


def _groups(scores: Scores) -> Iterator[Part]:
    """The figures by class, by slice and by size."""
    if classes := class_rows(scores):
        yield Part(id="classes", heading="By class", contents=tuple(_classes(scores, classes)))
    if slices := slice_rows(scores):
        caption = _order(f"mAP50 of {count_text(len(slices), 'slice')}", scores)
        heads = Heads(caption=caption, row="slice", rows="slices", measure="mAP50")
        table = interval_table(scores, slices, heads)
        yield Part(id="slices", heading="By slice", contents=(table, *_chance(scores, slices, "slices")))
    if sizes := size_rows(scores):
        heads = Heads(caption="mAP50-95 by the size of the boxes", row="size", rows="sizes", measure="mAP50-95")
        yield Part(id="sizes", heading="By size", contents=(interval_table(scores, sizes, heads),))


def _main(scores: Scores) -> Html:
    evaluation = scores.subject
    caption = f"{count_text(evaluation.images, evaluation.subject.image_noun)}, "
    caption += f"{count_text(evaluation.truths, 'annotated box', 'annotated boxes')}"
    heads = Heads(caption=caption, row="metric", rows="metrics", measure="value and interval")
    return interval_table(scores, main_rows(scores), heads)


def _all_of_coco(scores: Scores) -> Html:
    heads = Heads(caption="COCO's twelve metrics", row="metric", rows="metrics", measure="value and interval")
    return folded("COCO's twelve metrics", interval_table(scores, coco_rows(scores), heads))


def _classes(scores: Scores, rows: Sequence[FigureRow]) -> Iterator[Html]:
    heads = Heads(
        caption=_order(f"AP50 of {count_text(len(rows), 'class', 'classes')}", scores),
        row="class",
        rows="classes",
        measure="AP50",
    )
    yield interval_table(scores, rows, heads)
    yield from _chance(scores, rows, "classes")
    columns = ["Class", *(f"{metric} {name}".strip() for metric in FURTHER for name in _short(scores))]
    cells = [
        (row.label, *(estimate_text(value) for figure in FURTHER.values()
                      for value in figure_row(scores, f"class/{row.label}/{figure}").values))
        for row in rows
    ]  # fmt: skip
    yield folded("Precision, recall and more of each class", plain_table(columns, cells, "Further metrics by class"))


def _short(scores: Scores) -> tuple[str, ...]:
    return scores.names if scores.pair else ("",)


def _order(measure: str, scores: Scores) -> str:
    return f"{measure}; largest loss of {scores.names[-1]} first" if scores.pair else f"{measure}, lowest first"


def _chance(scores: Scores, rows: Sequence[FigureRow], plural: str) -> Iterator[Html]:
    """How many look different by chance alone, where that is about one or more."""
    confidence = scores.subject.resampling.confidence
    expected = round(len(rows) * (1 - confidence))
    if scores.pair and expected:
        yield paragraph(
            f"Each interval holds by itself, at {percent_text(confidence)}: of {len(rows)} {plural}, about {expected} "
            "would look better or worse by chance alone.",
            kind="note",
        )


def _errors(scores: Scores, rows: Sequence[FigureRow]) -> Iterator[Html]:
    yield paragraph(ERROR_NOTE, kind="note")
    heads = Heads(caption="Cost of each type of error", row="type", rows="types", measure="cost in mAP50")
    yield interval_table(scores, rows, heads, bars=True)
    counted = error_counts(scores)
    columns = ("Type", *scores.names, *(["difference"] if scores.pair else []))
    cells = [(row.label, *map(counted_text, row.values), *_counted_difference(scores, row)) for row in counted]
    yield folded("Number of errors of each type", plain_table(columns, cells, "Number of errors"))


def _counted_difference(scores: Scores, row: FigureRow) -> tuple[str, ...]:
    return (counted_text(row.difference, signed=True),) if scores.pair else ()


def _curves(drawn: Sequence[Html]) -> Iterator[Html]:
    yield paragraph(CURVE_NOTE, kind="note")
    yield charts(drawn[:MOST_OPEN_CHARTS])
    if more := drawn[MOST_OPEN_CHARTS:MOST_CHARTS]:
        yield folded(count_text(len(more), "more class", "more classes"), charts(more))
    if len(drawn) > MOST_CHARTS:
        yield paragraph(f"The other {len(drawn) - MOST_CHARTS} classes are only in the table above.", kind="note")


def reliability(scores: Scores) -> tuple[Html, ...] | None:
    """The diagram, and a table with the expected error; None where nothing was detected."""
    row = figure_row(scores, "calibration/d_ece", label="D-ECE", note="0 is perfect")
    if all(value is None for value in row.values):
        return None
    heads = Heads(caption="Expected calibration error", row="metric", rows="metrics", measure="D-ECE")
    return (
        charts((diagram(scores), paragraph(CALIBRATION_NOTE, kind="note"))),
        interval_table(scores, (row,), heads, bars=True),
        _bin_table(scores),
    )


def _bin_table(scores: Scores) -> Html:
    columns = ["Confidence"]
    for name in scores.names:
        columns += [f"{name}: detections", "mean confidence", "precision"]
    rows = [(f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}", *_bin_cells(scores, place)) for place in range(BINS)]
    table = plain_table(columns, rows, "Detections by confidence bin")
    return folded("Values of the diagram", table)


def _bin_cells(scores: Scores, place: int) -> Iterator[str]:
    for evaluation in scores.evaluations:
        count, confidence, precision = (
            evaluation.figures.get(f"calibration/{place}/{figure}") for figure in ("count", "confidence", "precision")
        )
        yield "0" if count is None else f"{count.value:.0f}"
        yield score_text(None if confidence is None else confidence.value)
        yield estimate_text(precision)
