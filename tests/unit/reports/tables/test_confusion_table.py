"""Which class was taken for which."""

import pytest

from cv_yolo.reports.tables.metric_rows import Scores
from cv_yolo.reports.tables.metrics import confusion
from tests.builders import a_subject, an_estimate, an_evaluation
from tests.unit.reports.parsed_pages import Page

CONFUSION = {
    "confusion/0/0": an_estimate(6.0, reach=2.0),
    "confusion/0/1": an_estimate(2.0, reach=None),
    "confusion/0/background": an_estimate(4.0, reach=1.0),
    "confusion/background/1": an_estimate(3.0, reach=1.0),
}


def scores(*confusions, classes=("person", "dog")):
    evaluations = tuple(an_evaluation(subject=a_subject(classes=classes), confusion=each) for each in confusions)
    return Scores(names=("A", "B")[: len(confusions)], evaluations=evaluations)


def many(count=13):
    return tuple(f"class {number}" for number in range(count))


def test_counts_stand_with_their_intervals_by_annotated_and_detected_class():
    page = Page(confusion(scores(CONFUSION)))
    assert [head["scope"] for head in page.all("th")] == ["col"] * 4 + ["row"] * 3
    for text in ("6 4 to 8", "4 3 to 5", "missed", "background"):
        assert text in page.text
    assert page.text.count("–") == 5


def test_the_colour_is_as_deep_as_the_part_of_the_row():
    styles = [cell["style"] for cell in Page(confusion(scores(CONFUSION))).all("td") if "style" in cell]
    assert ["var(--good) 21%" in styles[0], "var(--bad) 7%" in styles[1], "var(--bad) 14%" in styles[2]] == [True] * 3


def test_each_model_has_a_table_of_its_own():
    page = Page(confusion(scores(CONFUSION, CONFUSION)))
    assert len(page.all("table")) == 2
    assert "A: annotated class (rows) by detected class (columns)" in page.text


def test_a_model_that_detected_nothing_has_no_table():
    assert len(Page(confusion(scores(CONFUSION, {}))).all("table")) == 1
    assert confusion(scores({}, {})) is None


def test_of_many_classes_only_the_largest_confusions_are_listed():
    page = Page(confusion(scores(CONFUSION, {"confusion/0/1": an_estimate(9.0, reach=2.0)}, classes=many())))
    assert "The 3 largest confusions of 3" in page.text
    rows = [text for text in page.text.splitlines() if text.startswith(("class", "background"))]
    assert rows == ["class 0class 129 [7, 11]", "class 0missed4 [3, 5]0", "backgroundclass 13 [2, 4]0"]


@pytest.mark.parametrize(("classes", "tables"), [(12, "heat"), (13, "plain")])
def test_a_dozen_classes_still_fit_into_a_heat_table(classes, tables):
    page = Page(confusion(scores(CONFUSION, classes=many(classes))))
    assert [table["class"] for table in page.all("table")] == [tables]


def test_a_long_list_is_cut_where_confusions_become_small():
    confused = {f"confusion/{row}/{row + 1}": an_estimate(float(row)) for row in range(1, 31)}
    page = Page(confusion(scores(confused, classes=many(40))))
    assert "The 20 largest confusions of 30" in page.text
