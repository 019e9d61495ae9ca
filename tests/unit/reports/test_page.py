"""The frame of every page."""

from cv_yolo.reports.page import page, paragraph, section
from tests.unit.reports.pages import Page, asks_for_nothing


def test_a_page_has_a_language_a_title_and_a_width_for_phones():
    html = page("a < b", "<p>body</p>")
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
    assert section("a < b", "<i>html</i>") == "<section>\n<h2>a &lt; b</h2>\n<i>html</i>\n</section>"
    assert paragraph("a < b") == "<p>a &lt; b</p>"
    assert paragraph("a", kind="note") == '<p class="note">a</p>'
