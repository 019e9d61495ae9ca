"""Print the figures by which CONTRIBUTING.md judges the structure of the code: `python tools/structure.py [--json]`.

A splinter is a module that one other module imports and the containers do not: it could be part of that one. A use case
that one command calls is none: each has a module of its own.
"""

import argparse
import ast
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
CONTAINERS: Final = ("cv_yolo.container", "cv_yolo_stack.container")
BROAD: Final = {"Exception", "BaseException"}
PERCENTILE: Final = 0.9
FEW: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file: its name, its tree, and its lines."""

    name: str
    tree: ast.Module
    lines: int


def read_modules(source: Path) -> dict[str, Module]:
    """Every module below `source`, by its dotted name."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        container = path.relative_to(source).with_suffix("").parts
        name = ".".join(container[:-1] if container[-1] == "__init__" else container)
        text = path.read_text(encoding="utf-8")
        found[name] = Module(name=name, tree=ast.parse(text), lines=len(text.splitlines()))
    return found


def imports(modules: dict[str, Module]) -> dict[str, set[str]]:
    """The project's modules that each module imports, also inside functions and for types."""
    return {name: set(_imported(module, modules)) - {name} for name, module in modules.items()}


def _imported(module: Module, modules: dict[str, Module]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from (name for name in [whole if whole in modules else node.module] if name in modules)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or by way of others (Kosaraju's algorithm)."""
    order: list[str] = []
    backward: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        for target in targets:
            backward[target].add(name)
    seen: set[str] = set()
    for name in graph:
        _visit(name, graph, seen, order)
    seen, groups = set(), []
    for name in reversed(order):
        group: list[str] = []
        _visit(name, backward, seen, group)
        groups += [sorted(group)] if len(group) > 1 else []
    return groups


def _visit(start: str, graph: dict[str, set[str]], seen: set[str], order: list[str]) -> None:
    waiting = [(start, False)]
    while waiting:
        name, is_left = waiting.pop()
        if is_left:
            order.append(name)
        elif name not in seen:
            seen.add(name)
            waiting.append((name, True))
            waiting += [(target, False) for target in sorted(graph.get(name, ()))]


def figures(source: Path) -> dict[str, Any]:
    """All figures by name."""
    modules = read_modules(source)
    graph = imports(modules)
    importers: dict[str, set[str]] = defaultdict(set)
    for name, targets in graph.items():
        for target in targets:
            importers[target].add(name)
    single = sorted(name for name in modules if len(importers[name]) == 1)
    nodes = [node for module in modules.values() for node in ast.walk(module.tree)]
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    )
    classes = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    return {
        "modules": len(modules),
        "lines": sum(module.lines for module in modules.values()),
        "longest modules": {
            module.name: module.lines for module in sorted(modules.values(), key=lambda each: -each.lines)[:5]
        },
        "function length, median": statistics.median(lengths),
        "function length, 90th percentile": lengths[int(len(lengths) * PERCENTILE)],
        "modules with one importer": len(single),
        "splinters": [name for name in single if not any(_explains(each, name) for each in importers[name])],
        "duplicate class names": sorted(name for name, count in classes.items() if count > 1),
        "broad excepts": sum(isinstance(node, ast.ExceptHandler) and _is_broad(node) for node in nodes),
        "import cycles": cycles(graph),
    }


def _explains(importer: str, module: str) -> bool:
    """Whether it is no wonder that nothing else imports the module."""
    return importer.startswith(CONTAINERS) or (".workflows." in module and ".cli." in importer)


def _is_broad(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or (isinstance(handler.type, ast.Name) and handler.type.id in BROAD)


def main() -> int:
    """Print the figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON, with the names behind each number")
    parser.add_argument("--source", type=Path, default=SOURCE, help="another tree, as of an earlier commit")
    options = parser.parse_args()
    found = figures(options.source)
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for name, value in found.items():
        number = len(value) if isinstance(value, list) else value
        names = f": {', '.join(map(str, value))}" if isinstance(value, list) and 0 < len(value) <= FEW else ""
        print(f"{name:34} {number}{names}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
