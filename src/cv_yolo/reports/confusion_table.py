"""Which class was taken for which: a heat table, or of many classes the largest confusions as a list."""

from typing import Final

from cv_yolo.domain.confusion import BACKGROUND
from cv_yolo.domain.evaluation import Evaluation
from cv_yolo.domain.intervals import Estimate
from cv_yolo.reports.interval_table import plain_table
from cv_yolo.reports.scores import Scores
from cv_yolo.reports.text import ABSENT, counted_text, escaped

MOST_CLASSES: Final = 12
MOST_LISTED: Final = 20
DEEPEST: Final = 42  # the colour's strength, in percent, where a cell holds its whole row: its number stays legible
MISSED: Final = "missed"
NOTHING: Final = "nothing there"
NOTE: Final = (
    "Detections in use, matched to annotated boxes at IoU 0.5 without regard to class. Under each number the interval "
    "in which it lies; the deeper the colour, the larger the part of its row."
)


def confusion(scores: Scores) -> str | None:
    """The confusions of each model; None where nothing was detected."""
    known = [(name, each) for name, each in zip(scores.names, scores.evaluations, strict=True) if each.confusion]
    if not known:
        return None
    if len(scores.subject.subject.classes) > MOST_CLASSES:
        return _largest(scores)
    tables = "\n".join(f"<div>{_matrix(name, evaluation)}</div>" for name, evaluation in known)
    return f'<div class="matrices">\n{tables}\n</div>'


def _matrix(name: str, evaluation: Evaluation) -> str:
    labels = _labels(evaluation)
    heads = "".join(f'<th scope="col">{escaped(label)}</th>' for label in (*evaluation.subject.classes, MISSED))
    rows = "\n".join(
        f'<tr><th scope="row">{escaped(label)}</th>{_cells(evaluation, truth)}</tr>' for truth, label in labels.items()
    )
    caption = f"{name}: annotated class (row) by detected class (column)"
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}">\n<table class="heat">\n'
        f"<caption>{escaped(caption)}</caption>\n"
        f'<thead><tr><th scope="col">annotated</th>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>'
    )


def _cells(evaluation: Evaluation, truth: str) -> str:
    found = {predicted: evaluation.confusion.get(f"confusion/{truth}/{predicted}") for predicted in _labels(evaluation)}
    whole = sum(estimate.value for estimate in found.values() if estimate)
    return "".join(_cell(estimate, whole, right=predicted == truth) for predicted, estimate in found.items())


def _cell(estimate: Estimate | None, whole: float, *, right: bool) -> str:
    if estimate is None:
        return f'<td class="muted">{ABSENT}</td>'
    depth = DEEPEST * estimate.value / whole
    colour = "--good" if right else "--bad"
    return (
        f'<td style="background: color-mix(in srgb, var({colour}) {depth:.0f}%, transparent)">'
        f"{estimate.value:.0f}{_ends(estimate)}</td>"
    )


def _ends(estimate: Estimate) -> str:
    interval = estimate.interval
    return "" if interval is None else f" <small>{interval.low:.0f} to {interval.high:.0f}</small>"


def _largest(scores: Scores) -> str:
    """The most frequent confusions, misses and false alarms of all models, in a table."""
    counts = {pair: _counts(scores, pair) for pair in dict.fromkeys(_wrong_pairs(scores))}
    largest = sorted(counts, key=lambda pair: -max(_value(estimate) for estimate in counts[pair]))[:MOST_LISTED]
    labels = _labels(scores.subject)
    rows = [
        (
            labels[truth],
            labels[predicted] if predicted != BACKGROUND else MISSED,
            *(counted_text(each) for each in counts[truth, predicted]),
        )
        for truth, predicted in largest
    ]
    return plain_table(
        ("Annotated", "Detected as", *scores.names), rows, f"The {len(rows)} largest confusions of {len(counts)}"
    )


def _wrong_pairs(scores: Scores) -> list[tuple[str, str]]:
    found = [tuple(name.split("/")[1:]) for evaluation in scores.evaluations for name in evaluation.confusion]
    return [(truth, predicted) for truth, predicted in found if truth != predicted]


def _counts(scores: Scores, pair: tuple[str, str]) -> tuple[Estimate | None, ...]:
    return tuple(evaluation.confusion.get(f"confusion/{pair[0]}/{pair[1]}") for evaluation in scores.evaluations)


def _value(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None else estimate.value


def _labels(evaluation: Evaluation) -> dict[str, str]:
    """What each row and column of the confusion is called, by its key."""
    return {str(index): name for index, name in enumerate(evaluation.subject.classes)} | {BACKGROUND: NOTHING}
