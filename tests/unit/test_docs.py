"""What the documentation shows can be copied: its YAML, JSON and Python parse, and its links and paths exist."""

import ast
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import yaml

from cv_yolo.adapters.yolo.data_yaml import read_data_yaml

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "tests" / "homes" / "README.md"])
NAMES: Final = [str(page.relative_to(ROOT)) for page in PAGES]
BLOCK: Final = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
OURS: Final = re.compile(
    r"`((?:src|cv_yolo|cv_yolo_stack|tests|tools|benchmarks|docs|configs|docker|adapters|domain|workflows|supervision)"
    r"/[\w/.-]+)`"
)
PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "json": json.loads,
    "python": ast.parse,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of that language, without the indentation of a list that they stand in."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [
        re.sub(rf"^{each['indent']}", "", each["text"], flags=re.MULTILINE)
        for each in found
        if each["language"] == language
    ]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub and GitLab give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
@pytest.mark.parametrize("language", PARSERS)
def test_every_block_of_data_or_code_parses(page: Path, language: str) -> None:
    for text in blocks(page, language):
        PARSERS[language](text)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_local_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        target = urlsplit(link)
        if target.scheme:
            continue
        path = (page.parent / target.path) if target.path else page
        assert path.exists(), link
        assert not target.fragment or target.fragment in anchors(path), link


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_of_the_project_that_is_named_exists(page: Path) -> None:
    roots = (ROOT, ROOT / "src", ROOT / "src" / "cv_yolo", ROOT / "src" / "cv_yolo_stack")
    for name in OURS.findall(page.read_text(encoding="utf-8")):
        assert any((root / name).exists() for root in roots), name


def test_the_data_yaml_of_own_images_is_read_as_it_is_printed(tmp_path: Path) -> None:
    (text,) = (each for each in blocks(ROOT / "docs" / "how-to" / "own-images.md", "yaml") if "names:" in each)
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8")
    assert read_data_yaml(tmp_path).classes == ("cat", "dog")
