"""What a model never finds: the first lines of every summary."""

from rich.console import Console
from rich.markup import escape

from cv_yolo.domain.evaluation import Evaluation
from cv_yolo.reports.gap_text import gap_sentences


def print_gaps(out: Console, evaluation: Evaluation | None, *, name: str | None = None) -> None:
    """A line for each way in which classes, slices or sizes are missing; nothing where all is found."""
    for sentence in () if evaluation is None else gap_sentences(evaluation):
        said = sentence if name is None else f"{name}: {sentence}"
        out.print(f"[bold red]Warning:[/] {escape(said)}", soft_wrap=True)
