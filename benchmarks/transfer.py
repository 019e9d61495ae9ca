"""`cv-yolo data push` and `pull` with an S3 server on this machine: single files beside shards, in one run.

    python -m benchmarks.transfer                        # 10 000 images of 5 KB
    python -m benchmarks.transfer --images 4000 --json

Each image has a label file. Both forms push all, push again after one in a hundred images was added, and pull into a
project without data and cache. The server is rclone's, from the extra `dev`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.domain.stack import DATASETS_BUCKET
from cv_yolo.errors import DatasetError
from cv_yolo.settings import Settings
from tests.stores import store_in

IMAGE_BYTES = 5_000
LABEL = "0 0.5 0.5 0.25 0.25\n"
Result = TypeVar("Result")


def main() -> int:
    """Measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="how many images (default: 10000)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    figures = {}
    for form, shards in (("single files", False), ("shards", True)):
        with tempfile.TemporaryDirectory() as folder:
            figures[form] = _measured(Path(folder), options.images, shards=shards)
    if options.json:
        print(json.dumps(figures))
        return 0
    print(f"{'':24}" + "".join(f"{form:>28}" for form in figures) + f"{'ratio':>8}")
    for what in figures["shards"]:
        one, other = (each[what] for each in figures.values())
        cells = "".join(f"{each['s']:17.1f} s {each['mb']:6.1f} MB" for each in (one, other))
        print(f"{what:24}{cells}{one['s'] / other['s']:8.1f}")
    return 0


def _measured(folder: Path, images: int, *, shards: bool) -> dict[str, dict[str, float]]:
    """Seconds, and megabytes that were transferred, of each step."""
    project = folder / "project"
    project.mkdir()
    environment = os.environ | Settings(root=project).isolation()
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=project, env=environment, check=True)
    data = project / "data" / "mine"
    _draw(data, 0, images)
    with store_in(folder / "store", "rclone") as address:
        store = DvcStore(root=project, environment=environment)
        store.set_remote(address, DATASETS_BUCKET)
        first_s, first = _timed(lambda: store.push(data, shards=shards))
        _draw(data, images, images // 100)
        more_s, more = _timed(lambda: store.push(data))
        for lost in (data, project / ".dvc" / "cache"):
            shutil.rmtree(lost)
        pulled_s, pulled = _timed(lambda: store.pull(data))
        if pulled is None or store.content_hash(data) != more.dvc_hash:
            raise DatasetError("what was pulled is not what was pushed")
    return {
        "push": {"s": first_s, "mb": first.uploaded_bytes / 1e6},
        "push after 1 % more": {"s": more_s, "mb": more.uploaded_bytes / 1e6},
        "pull": {"s": pulled_s, "mb": pulled.downloaded_bytes / 1e6},
    }


def _draw(data: Path, start: int, count: int) -> None:
    """Images of random bytes: nothing reads them."""
    (data / "data.yaml").parent.mkdir(parents=True, exist_ok=True)
    (data / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [thing]\n", encoding="utf-8")
    for number in range(start, start + count):
        image, label = data / f"images/train/{number}.jpg", data / f"labels/train/{number}.txt"
        for path in (image, label):
            path.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(np.random.default_rng(number).bytes(IMAGE_BYTES))
        label.write_text(LABEL, encoding="utf-8")


def _timed(work: Callable[[], Result]) -> tuple[float, Result]:
    began_s = time.monotonic()
    result = work()
    return time.monotonic() - began_s, result


if __name__ == "__main__":
    sys.exit(main())
