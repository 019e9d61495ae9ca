"""An experiment as a page: its runs, their curves and samples, the data; no verdict."""

from collections.abc import Iterator, Mapping, Sequence

from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.evaluation.gaps import gaps
from cv_yolo.domain.training.runs import row_of
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.page import folded, page, paragraph, section
from cv_yolo.reports.pages.sections import curves, facts_list, runs_table, samples
from cv_yolo.reports.tables.runs import run_table
from cv_yolo.reports.templates import render
from cv_yolo.reports.text.formatting import count_text, list_text
from cv_yolo.reports.text.gaps import gap_sentences
from cv_yolo.reports.text.provenance import data_facts, other_data, run_facts
from cv_yolo.reports.view_models import RunReport


def summary_html(runs: Sequence[RunReport], manifest: DatasetManifest, failures: Mapping[str, str]) -> str:
    """A self-contained page that shows what an experiment's runs scored, in the order given."""
    rows = tuple(row_of(each.run) for each in runs)
    table = run_table(runs, rows, failures)
    title = f"{count_text(len(table.lines), 'run')} on {manifest.name}{_missing_in_all(runs)}"
    warning = other_data(rows, manifest)
    sections = [
        section("Runs", runs_table(table, "Scores of each run on the validation images")),
        section("Curves", curves(runs)),
        *_sheets(runs),
        section(
            "Data and provenance",
            *([] if warning is None else [paragraph(warning, kind="warning")]),
            facts_list((*data_facts(manifest), *run_facts(rows))),
        ),
    ]
    return page(title, render("summary.html.j2", title=title, missing=_missing(runs), sections=sections))


def _missing_in_all(runs: Sequence[RunReport]) -> str:
    """The classes that no run finds on the validation images, for the title."""
    scored = [run.evaluation for run in runs if run.evaluation is not None]
    lost = [{gap.name for gap in gaps(each) if gap.group == "class" and gap.count} for each in scored]
    names = sorted(set.intersection(*lost)) if lost else []
    return f": no run detects {list_text(names)}" if names else ""


def _missing(runs: Sequence[RunReport]) -> tuple[str, ...]:
    """What each run never finds."""
    return tuple(
        f"{run.run.name}: {sentence}"
        for run in runs
        if run.evaluation is not None
        for sentence in gap_sentences(run.evaluation)
    )


def _sheets(runs: Sequence[RunReport]) -> Iterator[Html]:
    """The sample predictions, folded away where there are several sheets."""
    sheets = [(run.run.name, sheet) for run in runs if (sheet := samples(run)) is not None]
    if sheets:
        yield section("Sample predictions", *(folded(name, sheet, open=len(sheets) == 1) for name, sheet in sheets))
