"""A second user of this machine, as whom a test tries what our folders let others do."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NUMBER = 65534  # `nobody`
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can act as a second local user"
)
BECOME = (
    f"import os; os.setgroups([]); os.setgid({NUMBER}); os.setuid({NUMBER})"  # its own files may be closed to others
)
WALK = """
import sys
def tried(path):
    for what, flags in (("read", os.O_RDONLY), ("write", os.O_WRONLY)):
        try:
            os.close(os.open(path, flags | os.O_NONBLOCK | (os.O_APPEND if flags else 0)))
        except OSError:
            continue
        print(what, path)
for root in sys.argv[1:]:
    tried(root)
    if os.path.isdir(root):
        for name in ("", ".lock"):
            try:
                place = os.path.join(root, "planted" + name)
                os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                os.unlink(place)
                print("write", place)
            except OSError:
                pass
"""


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder in which the other user can look around; pytest's own are closed, which would prove nothing."""
    folder = Path(tempfile.mkdtemp(prefix="cv-yolo-shared-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def as_other_user(code: str, *arguments: str) -> str:
    """Run Python code as the second user; what it printed. The code may import nothing but built-in modules."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{BECOME}\n{code}", *arguments],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,  # checked by the next line
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def reached_by_other_user(root: Path) -> list[str]:
    """What the second user can read, write or list in a tree, of which the names are given away."""
    everything = [str(root), *(str(path) for path in root.rglob("*"))]
    chunks = (everything[start : start + 500] for start in range(0, len(everything), 500))
    return [line for chunk in chunks for line in as_other_user(WALK, *chunk).splitlines()]
