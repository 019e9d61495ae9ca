"""An experiment as a page."""

from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.reports.pages.summary import summary_html
from tests.builders import a_manifest, a_run, a_run_report
from tests.unit.reports.parsed_pages import Page, asks_for_nothing


def summary(*runs, failures=None):
    return summary_html(runs, a_manifest(), failures or {})


def test_a_summary_shows_runs_curves_and_data_and_gives_no_verdict():
    html = summary(a_run_report(), a_run_report(run=a_run(run_id="run-2", name="e5_s320")))
    page = Page(html)
    assert asks_for_nothing(html)
    assert "2 runs on tiny_coco" in page.text
    assert all(each in page.text for each in ("run-1", "run-2", "e3_s320", "e5_s320", a_manifest().revision))
    assert len(page.all("svg")) == 5
    assert "romoted" not in page.text
    assert page.count("best") == 0


def test_failed_runs_are_counted_and_shown_with_their_reasons():
    failed = a_run_report(run=a_run(status=RunStatus.FAILED, reason="not finite"), evaluation=None, samples_jpeg=None)
    page = Page(summary(failed, failures={"e8_s640": "no weights"}))
    assert "2 runs on tiny_coco" in page.text
    assert "e3_s320 (failed): not finite" in page.text
    assert "e8_s640 (failed): no weights" in page.text


def test_a_single_sheet_of_samples_is_open_and_several_are_folded_away():
    assert Page(summary(a_run_report(), a_run_report(samples_jpeg=None))).all("details") == [{"open": None}]
    assert Page(summary(a_run_report(), a_run_report())).all("details") == [{}, {}]


def test_without_samples_there_is_no_part_for_them():
    assert "Sample predictions" not in summary(a_run_report(samples_jpeg=None))


def test_runs_on_other_data_are_warned_of():
    old = a_run_report(run=a_run(name="old", tags={"dataset_revision": "f" * 64}))
    assert "Not scored on this revision of the data: old." in summary(a_run_report(), old)


def test_names_with_markup_are_text():
    html = summary(a_run_report(run=a_run(name="<b>&")), failures={"<i>": "<u>"})
    assert not {"b", "i", "u"} & {tag for tag, _ in Page(html).tags}
