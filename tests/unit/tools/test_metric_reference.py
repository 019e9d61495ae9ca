"""The page about metrics says what the catalogue says."""

from tests.unit.tools.loading import ROOT, load_tool


def test_the_page_is_as_the_catalogue_would_write_it() -> None:
    tool = load_tool(ROOT / "tools" / "metric_reference.py")
    assert tool.PAGE.read_text(encoding="utf-8") == tool.text(), "write it again: python tools/metric_reference.py"
