"""Text and markup kept apart."""

from cv_yolo.reports.markup import Html, escaped
from cv_yolo.reports.templates import render_macro


def test_what_html_would_read_as_its_own_is_escaped():
    assert escaped("<b a=\"1\" c='2'>&") == "&lt;b a=&quot;1&quot; c=&#x27;2&#x27;&gt;&amp;"


def test_control_characters_which_xml_forbids_become_spaces():
    assert escaped("a\x1b[31mb\x00\nc\ud800") == "a [31mb  c "


def test_a_template_escapes_text_and_prints_markup_as_it_is():
    assert render_macro("blocks.html.j2", "folded", "a\x1b < b", Html("<p>c</p>")) == (
        "<details><summary>a  &lt; b</summary>\n<p>c</p>\n</details>"
    )
    assert "&lt;p&gt;" in render_macro("blocks.html.j2", "folded", "a", "<p>c</p>")


def test_markup_joined_with_text_is_text_again():
    assert type(Html("<p>") + "</p>") is str
