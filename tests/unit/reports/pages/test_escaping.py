"""Names that people choose are text on every page, wherever they stand."""

import re

import pytest

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.findings import FindingKind, Severity, finding_at
from cv_yolo.domain.data.gate import GatedImages, ImageDetails
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.reports.pages.comparison import comparison_html, evaluation_html
from cv_yolo.reports.pages.dataset import dataset_html
from cv_yolo.reports.pages.decision import decision_html
from cv_yolo.reports.pages.summary import summary_html
from cv_yolo.reports.view_models import DatasetReport, ShownBoxes, ShownPair
from tests.builders import (
    NOON,
    a_champion,
    a_comparison_report,
    a_curve,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_judgement,
    a_manifest,
    a_policy,
    a_recorded_check,
    a_row,
    a_run,
    a_run_report,
    a_subject,
    an_annotated_image,
    an_estimate,
    an_evaluation,
    an_evaluation_report,
    an_image,
    some_thumbnails,
)
from tests.unit.reports.parsed_pages import Page, asks_for_nothing

NASTY = '<script>&"\' onload="x\x07'
CLASS, SLICE, IMAGE, RUN = (f"{kind} {NASTY}" for kind in ("class", "slice", "image", "run"))
ATTRIBUTE = re.compile(r"[a-z][a-z0-9-]*")


def measured(**changes):
    figures = {
        "map_50": an_estimate(),
        f"class/{CLASS}/ap_50": an_estimate(),
        f"slice/{SLICE}/map_50": an_estimate(),
        "error/missed/cost": an_estimate(),
        "calibration/d_ece": an_estimate(),
        "calibration/7/confidence": an_estimate(),
        "calibration/7/precision": an_estimate(),
    }
    return an_evaluation(
        subject=a_subject(split=Split.TEST, classes=(CLASS,)),
        curves=(a_curve(name=CLASS),),
        figures=figures,
        slices={SLICE: 3},
        confusion={"confusion/0/0": an_estimate(6.0)},
        **changes,
    )


def decision_page():
    judgement = a_judgement(candidate=measured(), champion=measured(), differences=measured().figures)
    check = a_recorded_check(name=NASTY, required=NASTY, measured=NASTY, sentence=NASTY, outcome=Outcome.UNDECIDED)
    decision = a_decision(
        rows=(a_row(name=RUN), a_failed_row(name=RUN, reason=NASTY)),
        selection=None,
        policy=a_policy(model=NASTY),
        checks=(check,),
        accepted=NASTY,
        champion=a_champion(),
        judgement=judgement,
    )
    return decision_html(
        a_decision_report(
            decision=decision,
            runs=(a_run_report(run=a_run(name=RUN), evaluation=measured(), samples_jpeg=b"jpeg"),),
            failures={RUN: NASTY},
            annotated=(an_annotated_image(image=IMAGE),),
            thumbnails=some_thumbnails(IMAGE),
            pipeline_run=NASTY,
            git_commit=NASTY,
        )
    )


def comparison_page():
    found = a_comparison_report().comparison
    changes = {"first": measured(), "second": measured(), "differences": measured().figures}
    comparison = type(found)(**({name: getattr(found, name) for name in found.__slots__} | changes))
    return comparison_html(a_comparison_report(first_name=NASTY, second_name=RUN, comparison=comparison))


def evaluation_page():
    images = (an_annotated_image(image=IMAGE),)
    report = an_evaluation_report(name=RUN, evaluation=measured(), annotated=images, thumbnails=some_thumbnails(IMAGE))
    return evaluation_html(report)


def summary_page():
    runs = (a_run_report(run=a_run(name=RUN), evaluation=measured(), samples_jpeg=b"jpeg"),)
    return summary_html(runs, a_manifest(), {RUN: NASTY})


def dataset_page():
    finding = finding_at(FindingKind.SIMILAR_IMAGES, [f"{IMAGE} and {IMAGE}"], subject=NASTY, severity=Severity.ERROR)
    images = (an_image(image=IMAGE),)
    report = DatasetReport(
        name=NASTY,
        gated=GatedImages(classes=(CLASS,), images=images, details=ImageDetails()),
        findings=(finding,),
        policy=DataPolicy(),
        manifest=None,
        pairs={finding: (ShownPair(first=IMAGE, second=IMAGE),)},
        boxes={finding: (ShownBoxes(image=IMAGE, lines=(1,)),)},
        thumbnails=some_thumbnails(IMAGE),
        excepted=0,
        made_at=NOON,
    )
    return dataset_html(report)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        (dataset_page, (CLASS, IMAGE)),
        (decision_page, (CLASS, SLICE, RUN)),
        (comparison_page, (CLASS, SLICE, RUN)),
        (evaluation_page, (CLASS, SLICE, IMAGE, RUN)),
        (summary_page, (CLASS, RUN)),
    ],
)
def test_a_name_with_markup_is_text_in_elements_and_in_attributes(page, names):
    html = page()
    read = Page(html)
    assert asks_for_nothing(html)
    assert "<script" not in html
    assert all(ATTRIBUTE.fullmatch(name) for _, attributes in read.tags for name in attributes if name != "viewbox")
    assert not any("onload" in attributes for _, attributes in read.tags)
    assert all(name.replace("\x07", " ") in read.text for name in names)
    assert "\x07" not in html
