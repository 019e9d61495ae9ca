"""Rows of figures as a table."""

from cv_yolo.reports.tables.metric_rows import FigureRow, of_comparison, of_evaluation
from cv_yolo.reports.tables.metrics import Heads, interval_table, plain_table
from tests.builders import a_comparison_report, an_estimate, an_evaluation_report
from tests.unit.reports.parsed_pages import Page

HEADS = Heads(caption="AP50", row="class", rows="classes", measure="AP50")
PAIR = of_comparison(a_comparison_report())
ALONE = of_evaluation(an_evaluation_report())


def a_figure_row(**changes):
    values = {"label": "dog", "values": (an_estimate(0.6), an_estimate(0.7)), "difference": an_estimate(0.1)}
    return FigureRow(**(values | changes))


def table(*rows, scores=PAIR, **changes):
    return interval_table(scores, rows, HEADS, **changes)


def test_a_row_shows_both_values_the_difference_and_what_it_means():
    page = Page(table(a_figure_row(note="30 boxes")))
    for text in ("dog", "30 boxes", "0.600", "[0.550, 0.650]", "0.700", "+0.100", "[+0.050, +0.150]", "▲ better"):
        assert text in page.text


def test_worse_and_noise_are_shown_in_words_too():
    assert "▼ worse" in Page(table(a_figure_row(difference=an_estimate(-0.1)))).text
    assert "within noise" in Page(table(a_figure_row(difference=an_estimate(0.0)))).text


def test_where_lower_is_better_a_negative_difference_is_good():
    assert "▲ better" in Page(table(a_figure_row(difference=an_estimate(-0.1), higher_is_better=False), bars=True)).text


def test_a_difference_without_an_interval_is_not_judged():
    text = Page(table(a_figure_row(difference=an_estimate(0.1, reach=None)))).text
    assert "+0.100" in text
    assert "noise" not in text
    assert "better" not in text


def test_absent_figures_are_dashes():
    page = Page(table(a_figure_row(values=(None, an_estimate(0.7)), difference=None)))
    assert page.text.count("–") == 2


def test_the_table_is_a_table_for_those_who_hear_it_on_a_phone_too():
    page = Page(table(a_figure_row()))
    assert page.all("table")[0]["role"] == "table"
    assert [head["scope"] for head in page.all("th")] == ["col"] * 6 + ["row"]
    assert {cell["role"] for cell in page.all("td")} == {"cell"}
    assert len(page.all("caption")) == 1


def test_the_models_are_named_above_and_once_more_where_the_heads_are_not_seen():
    html = table(a_figure_row())
    assert (Page(html).count("key"), html.count(">A<"), html.count(">B<")) == (1, 2, 2)


def test_one_model_has_neither_difference_nor_key():
    page = Page(table(a_figure_row(values=(an_estimate(),), difference=None), scores=ALONE))
    assert [head["scope"] for head in page.all("th")] == ["col"] * 3 + ["row"]
    assert page.count("key") == 0


def test_a_long_table_is_folded_and_says_how_much_is_behind():
    rows = [a_figure_row(label=f"class {number}") for number in range(80)]
    page = Page(table(*rows))
    assert page.all("details") == [{}]
    assert "68 more classes" in page.text
    assert page.count("label") == 82
    assert all(row.label in page.text for row in rows)


def test_a_few_rows_more_are_not_worth_a_fold():
    assert Page(table(*[a_figure_row()] * 14)).all("details") == []
    assert Page(table(*[a_figure_row()] * 15)).all("details") == [{}]


def test_labels_with_markup_are_text():
    page = Page(table(a_figure_row(label="<b>", note="<i>")))
    assert not {"b", "i"} & {tag for tag, _ in page.tags}


def test_a_plain_table_scrolls_in_a_container_that_the_keyboard_reaches():
    page = Page(plain_table(("Class", "<n>"), [("dog", "1"), ("<cat>", "2")], "What & where"))
    (container,) = page.all("div")
    assert (container["tabindex"], container["aria-label"]) == ("0", "What & where")
    assert [head["scope"] for head in page.all("th")] == ["col", "col", "row", "row"]
    assert "<cat>" in page.text


def test_a_difference_of_next_to_nothing_is_not_drawn_large():
    assert "0.01" in Page(table(a_figure_row(difference=an_estimate(0.00002, reach=0.00001)))).text
    assert "0.00002" not in Page(table(a_figure_row(difference=an_estimate(0.00002, reach=0.00001)))).text
