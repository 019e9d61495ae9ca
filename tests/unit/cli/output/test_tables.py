"""Tables of runs: what fits, what is marked, and everything about one of them."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from cv_yolo.cli.output.tables import console, print_runs, rows_table, run_details, runs_table, versions_table
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from tests.builders import a_failed_row, a_row, a_run, a_version

Capture = pytest.CaptureFixture[str]
ID = "36f814a1d7f041339d46b66b2c5cbffe"


def printed(capsys: Capture, table: object, *, width: int = 120) -> list[str]:
    Console(width=width, highlight=False).print(table)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(("width", "started"), [(80, False), (99, False), (100, True), (120, True)])
def test_names_scores_and_ids_are_never_cut_off_and_the_start_is_shown_where_there_is_room(
    capsys: Capture, width: int, started: bool
) -> None:
    header, row = printed(capsys, runs_table([a_run(run_id=ID)], width=width), width=width)
    assert row.split()[:8] == ["e3_s320", "3", "320", "0.610", "0.340", "0.720", "0.580", "41"]
    assert row.split()[8:11] == ["s", "finished", "36f814a1"]
    assert ("started" in header) == started
    assert (row.split()[11:12] == [f"{a_run().started_at.astimezone():%Y-%m-%d}"]) == started


def test_the_chosen_run_and_those_within_noise_are_marked(capsys: Capture) -> None:
    rows = [a_row(run_id="1", name="e1_s64"), a_row(run_id="2", name="e2_s64"), a_row(run_id="3", name="e3_s64")]
    lines = printed(capsys, rows_table(rows, chosen="1", within_noise={"1", "2"}))
    assert [line.split("  ")[0] for line in lines[1:]] == ["e1_s64 ≈←", "e2_s64 ≈", "e3_s64"]


def test_the_marked_row_of_a_decision_fits_into_eighty_columns(capsys: Capture) -> None:
    table = rows_table([a_row(run_id="36f814a1")], chosen="36f814a1", within_noise={"36f814a1"})
    lines = printed(capsys, table, width=80)
    assert len(lines) == 2
    assert "…" not in "".join(lines)


def test_a_failed_run_has_dashes_for_what_it_has_not(capsys: Capture) -> None:
    (_, row) = printed(capsys, rows_table([a_failed_row()]))
    assert row.split()[3:9] == ["–", "–", "–", "–", "–", "failed"]


def test_a_name_is_text_and_no_markup(capsys: Capture) -> None:
    lines = printed(capsys, rows_table([a_row(name="[bold]e3[/]")]))
    assert lines[1].startswith("[bold]e3[/]")


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_has_its_colour(capsys: Capture, status: RunStatus) -> None:
    assert f" {status} " in printed(capsys, rows_table([a_row(status=status)]))[1]


def test_everything_about_a_run_is_shown(capsys: Capture) -> None:
    run = a_run(
        run_id=ID,
        status=RunStatus.FAILED,
        reason="out of [memory]",
        tags={"note": "[bold]"},
        metrics={"final/map_50": 0.61, "duration_s": 41.0},
    )
    run_details(Console(width=120, highlight=False), run)
    text = capsys.readouterr().out
    assert f"MLflow run {ID}" in text
    assert "out of [memory]" in text
    for title, line in (("scores", "map_50 0.610"), ("parameters", "image_size_px 320"), ("origin", "note [bold]")):
        block = text.split(f"\n{title}\n")[1]
        assert line in [" ".join(each.split()) for each in block.split("\n\n")[0].splitlines()]


def test_the_classes_of_a_run_are_shown_in_a_few_words(capsys: Capture) -> None:
    run_details(Console(width=120, highlight=False), a_run(tags={"classes": '["a", "b", "c", "d"]'}))
    assert "a, b, c, … (4 classes)" in capsys.readouterr().out


def test_a_run_that_is_no_training_is_shown_without_a_table(capsys: Capture) -> None:
    run_details(Console(width=120, highlight=False), a_run(params={}))
    text = capsys.readouterr().out
    assert "epochs" not in text
    assert "MLflow run run-1" in text


def test_versions_are_shown_with_their_stage_run_and_weights(capsys: Capture) -> None:
    many = tuple(f"class {number}" for number in range(80))
    versions = [a_version(stage=Stage.STAGING, run_id=ID, classes=many), a_version(version="2", run_id=ID)]
    _, first, second = printed(capsys, versions_table(versions), width=150)
    reported = ["cv_yolo_tiny", "3", "staging", ID, "a" * 12, "class 0, class 1, class 2, … (80 classes)"]
    assert [cell.strip() for cell in re.split(r"  +", first.strip())] == reported
    assert second.split() == ["cv_yolo_tiny", "2", ID, "a" * 12, "not", "recorded"]


def test_a_file_or_a_pipe_is_wide_enough_for_every_table() -> None:
    assert console().width == 120


NAMES = (
    "e3_s320",
    "[bold]e3[/]",
    "100 %s %d",
    "größer",
    "画像",
    "a\\b",
    ":dog: :cat:",
    "two\nlines",
    "\ue000",
    "trailing ",
    "",
)
CONSOLES: tuple[dict[str, Any], ...] = (
    {"width": 120},
    {"width": 99},
    {"width": 40},
    {"width": 200, "force_terminal": True, "color_system": "truecolor"},
    {"width": 30, "force_terminal": True, "color_system": "standard"},
)


@pytest.mark.parametrize("options", CONSOLES)
@pytest.mark.parametrize("names", [*((name, "e10_s1280") for name in NAMES), NAMES[:5], ()])
def test_many_runs_are_printed_as_rich_would_lay_them_out(names: tuple[str, ...], options: dict[str, Any]) -> None:
    statuses = list(RunStatus)
    runs = [
        a_run(name=name, run_id=f"{number}{ID}", status=statuses[number % len(statuses)])
        for number, name in enumerate(names)
    ]
    ours, richs = (Console(file=io.StringIO(), highlight=False, **options) for _ in range(2))
    print_runs(ours, runs)
    richs.print(runs_table(runs, width=richs.width))
    assert ours.file.getvalue() == richs.file.getvalue()  # type: ignore[attr-defined]
