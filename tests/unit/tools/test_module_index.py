"""The list of modules is the one that the code gives."""

from tests.unit.tools.loading import ROOT, load_tool


def test_the_page_is_generated_from_the_docstrings_as_they_are() -> None:
    tool = load_tool(ROOT / "tools" / "module_index.py")
    assert tool.PAGE.read_text(encoding="utf-8") == tool.text(), "write it again: python tools/module_index.py"


def test_every_module_states_its_subject() -> None:
    tool = load_tool(ROOT / "tools" / "module_index.py")
    assert [line for line in tool.text().splitlines() if line.startswith("| ") and line.endswith("|  |")] == []
