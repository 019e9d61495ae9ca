"""The templates."""

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from cv_yolo.reports import templates
from cv_yolo.reports.templates import render

FOLDER = Path(templates.__file__).parent
PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))


def test_a_value_that_is_missing_is_an_error_and_no_gap_in_the_page():
    with pytest.raises(UndefinedError, match="body"):
        render("page.html.j2", title="a", style="")


def test_every_template_is_installed_with_the_package():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["cv_yolo"]
    files = [f"reports/templates/{path.name}" for path in FOLDER.iterdir() if path.suffix in {".j2", ".css"}]
    assert files
    assert [file for file in files if not any(fnmatch(file, pattern) for pattern in patterns)] == []
    assert {path.suffix for path in FOLDER.iterdir() if path.is_file()} == {".py", ".j2", ".css"}


def test_no_template_declares_text_to_be_markup():
    """What is printed unescaped is `Html`, which only templates and charts make."""
    trusting = re.compile(r"\|\s*safe\b|\bautoescape\b")
    assert [path.name for path in FOLDER.glob("*.j2") if trusting.search(path.read_text(encoding="utf-8"))] == []
