"""Write `docs/modules.md`, one line for each module, from the modules' docstrings: `python tools/module_index.py`."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "src"
PAGE: Final = ROOT / "docs" / "modules.md"
INTRODUCTION: Final = """# Modules

This page lists every module with the first sentence of its docstring: search it to find where a behaviour lives.
`tools/module_index.py` generates it. [Architecture](architecture.md) explains the layers, and
[CONTRIBUTING](../CONTRIBUTING.md#to-change-x-edit-y) names the file for common changes.
"""


def text() -> str:
    """The whole page."""
    folders = sorted({path.parent for path in SOURCE.rglob("*.py")} - {SOURCE})
    return INTRODUCTION + "".join(_section(folder) for folder in folders)


def _section(folder: Path) -> str:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    about = _summary(folder / "__init__.py") if (folder / "__init__.py").is_file() else ""
    heading = f"\n## `{folder.relative_to(SOURCE).as_posix()}/`\n\n{about}\n"
    return heading + ("\n" + "".join(_rows(modules)) if modules else "")


def _rows(modules: list[Path]) -> Iterator[str]:
    yield "| module | subject |\n| --- | --- |\n"
    for path in modules:
        yield f"| `{path.name}` | {_summary(path)} |\n"


def _summary(path: Path) -> str:
    """The first paragraph of a module's docstring on one line."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).replace("|", "\\|")


def main() -> int:
    """Write the page; returns the exit code."""
    PAGE.write_text(text(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
