"""Show that commits moved and renamed, and changed nothing else: `python tools/only_identifiers.py BASE [HEAD]`.

Compares each test file of the two commits without its imports, comments and layout. Names may differ, and dotted paths
and names inside strings; numbers, operators and all other text may not. Prints each difference; fails if there is one.
"""

import argparse
import ast
import difflib
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
LAYOUT: Final = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT, tokenize.ENDMARKER}
IDENTIFIERS: Final = re.compile(
    r"\b(?:src/)?cv_yolo[\w./]*|\btests[./][\w./]+|\b_*[a-z]+(?:_[a-z]+)+\b|\b_[A-Z_]+\b|\b(?:[A-Z][a-z0-9]+){2,}\b"
    r"|`[\w.]+`|\{[\w.()\[\]]+\}"
)
CLOSING: Final = {")", "]", "}"}


def main() -> int:
    """Compare all test files; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("head", nargs="?", default="HEAD")
    options = parser.parse_args()
    compared, different = 0, 0
    for before, after in _pairs(options.base, options.head):
        compared += 1
        found = list(_differences(_show(options.base, before), _show(options.head, after)))
        different += bool(found)
        print(*(f"{after}: {line}" for line in found), sep="\n", end="\n" if found else "")
    print(f"{compared} test files differ in text; {compared - different} of them in imports and identifiers alone")
    return 1 if different else 0


def _pairs(base: str, head: str) -> Iterator[tuple[str, str]]:
    """The test files that are in both commits and not the same, by their paths then and now."""
    command = ["git", "diff", "--name-status", "-M30", "-l9999", base, head, "--", "tests"]
    for line in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        status, *paths = line.split("\t")
        if status[0] in "MR" and paths[-1].endswith(".py"):
            yield paths[0], paths[-1]


def _show(commit: str, path: str) -> str:
    command = ["git", "show", f"{commit}:{path}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _differences(before: str, after: str) -> Iterator[str]:
    then, now = list(_words(before)), list(_words(after))
    for line in difflib.unified_diff(then, now, lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            yield line


def _words(text: str) -> Iterator[str]:
    """The tokens that have to stay the same; each name matches any name."""
    skipped = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    words: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in LAYOUT or token.start[0] in skipped:
            continue
        if token.string in CLOSING and words and words[-1] == ",":
            words.pop()  # a trailing comma is layout
        words.append("NAME" if token.type == tokenize.NAME else IDENTIFIERS.sub("NAME", token.string))
    yield from (word for word in words if word not in {"(", ")"})  # parentheses come and go with the length of lines


if __name__ == "__main__":
    sys.exit(main())
