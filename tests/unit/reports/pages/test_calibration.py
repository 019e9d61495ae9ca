"""Whether confidences mean what they say."""

from xml.etree import ElementTree as ET

from cv_yolo.reports.charts.curves import diagram
from cv_yolo.reports.pages.evaluation import reliability
from cv_yolo.reports.tables.metric_rows import Scores, of_comparison
from tests.builders import a_comparison_report, an_estimate, an_evaluation
from tests.unit.reports.parsed_pages import Page

FIGURES = {
    "calibration/d_ece": an_estimate(0.08),
    "calibration/7/count": an_estimate(12.0),
    "calibration/7/confidence": an_estimate(0.75),
    "calibration/7/precision": an_estimate(0.5),
    "calibration/9/count": an_estimate(1.0),
    "calibration/9/confidence": an_estimate(0.95),
    "calibration/9/precision": an_estimate(1.0, reach=None),
}
SCORES = Scores(names=("A",), evaluations=(an_evaluation(figures=FIGURES),))


def test_each_bin_with_detections_is_a_point_with_its_interval():
    svg = ET.fromstring(diagram(SCORES))
    annotated = [title.text for path in svg.iter("path") for title in path.iter("title")]
    assert annotated == ["A: 0.500 at 0.75", "A: 1.000 at 0.95"]
    (whiskers,) = [path.get("d") for path in svg.iter("path") if "V" in path.get("d")]
    assert whiskers.count("V") == 1


def test_both_models_are_in_one_diagram_with_the_line_on_which_confidence_means_what_it_says():
    svg = ET.fromstring(diagram(of_comparison(a_comparison_report())))
    assert {"A", "B"} <= {text.text for text in svg.iter("text")}
    assert any(path.get("stroke-dasharray") == "5 4" for path in svg.iter("path"))


def test_the_error_is_shown_with_its_interval_and_the_numbers_of_the_diagram_are_at_hand():
    page = Page("".join(reliability(SCORES)))
    assert "0.080" in page.text
    assert "[0.030, 0.130]" in page.text
    assert page.all("details") == [{}]
    for text in ("0.7 to 0.8", "12", "0.750", "0.500 [0.450, 0.550]"):
        assert text in page.text


def test_an_empty_bin_has_no_numbers():
    page = Page("".join(reliability(SCORES)))
    assert page.text.count("0.8 to 0.9") == 1
    assert page.text.count("–") == 16


def test_where_nothing_was_detected_there_is_nothing_to_calibrate():
    assert reliability(Scores(names=("A",), evaluations=(an_evaluation(figures={}),))) is None
