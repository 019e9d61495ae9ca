"""The frame of every page."""

from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.page import Part, folded, page, paragraph, parts_html, section
from tests.unit.reports.parsed_pages import Page, asks_for_nothing


def test_a_page_has_a_language_a_title_and_a_width_for_phones():
    html = page("a < b", Html("<p>body</p>"))
    read = Page(html)
    assert read.all("html") == [{"lang": "en"}]
    assert "<title>a &lt; b</title>" in html
    assert "width=device-width" in read.all("meta")[1]["content"]
    assert asks_for_nothing(html)


def test_a_page_forbids_the_browser_to_fetch_anything():
    policy = Page(page("title", "")).all("meta")[2]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'")


def test_a_page_follows_the_readers_choice_of_light_and_dark_and_can_be_printed():
    html = page("title", "")
    assert "@media screen and (prefers-color-scheme: dark)" in html
    assert "@media print" in html


def test_headings_and_paragraphs_hold_text_and_no_markup():
    assert section("a < b", Html("<i>html</i>")) == "<section>\n<h2>a &lt; b</h2>\n<i>html</i>\n</section>"
    assert paragraph("a < b") == "<p>a &lt; b</p>"
    assert paragraph("a", kind="note") == '<p class="note">a</p>'


def test_what_a_person_types_is_set_apart():
    assert paragraph("run `cv-yolo <x>` now") == "<p>run <code>cv-yolo &lt;x&gt;</code> now</p>"


def test_parts_are_linked_from_their_list():
    html = parts_html((Part(id="a", heading="A & B", contents=(Html("<p>1</p>"), Html("<p>2</p>"))),))
    assert '<nav aria-label="On this page"><ul><li><a href="#a">A &amp; B</a></li></ul></nav>' in html
    assert '<section id="a">\n<h2>A &amp; B</h2>\n<p>1</p>\n<p>2</p>\n</section>' in html


def test_what_is_folded_away_has_a_line_that_opens_it():
    html = folded("more & more", Html("<p>1</p>"))
    assert html == "<details><summary>more &amp; more</summary>\n<p>1</p>\n</details>"


def test_a_page_can_have_rules_of_its_own():
    assert ".mine { color: red }</style>" in page("title", "", style=Html(".mine { color: red }"))


def test_the_pages_style_asks_for_nothing():
    assert asks_for_nothing(page("title", ""))
