"""`cv-yolo data check` measured: its speed beside the bare decode and cleanvision, and which near-duplicates it finds.

    python -m benchmarks.data check                              # drawn sets of 1 000 and 10 000 images
    python -m benchmarks.data check --images 100000 --size 320 240 --scenes 500 --folder /large/disk
    python -m benchmarks.data check --cleanvision /path/to/venv/bin/python
    python -m benchmarks.data duplicates --photographs /path/to/coco128/images

`check` plants copies of one in a hundred images in another split: saved again, scaled, mirrored, cropped and framed.
All ratios are of one run. Where other programs use the machine, the CPU time, of all processes of a command, says more
than the wall time. cleanvision looks for exact and near duplicates only, with as many processes as there are
processors; install it into an environment of its own. `duplicates` changes real photographs in known ways, and compares
each with each: hashes, thresholds, misses and false alarms.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks.drawn_data import Drawing, draw
from benchmarks.photographs import measure_duplicates

POLL_S = 0.02
SETTLED_S = 2.5  # files that changed in the last two seconds are not cached
START = 20  # images of the set by which the start of the program is measured
CLEANVISION = """
import json, sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=int(sys.argv[2]), verbose=False)
kinds = ("exact_duplicates", "near_duplicates")
print("\\n" + json.dumps([sorted(each) for kind in kinds for each in lab.info[kind]["sets"]]))
"""


@dataclass(frozen=True, kw_only=True)
class Took:
    """One program with its children: wall and CPU time, its peak memory, and what it printed."""

    wall_s: float
    cpu_s: float
    peak_mb: float = 0.0
    out: str = ""

    def times(self) -> dict[str, float]:
        """Both times, for the report."""
        return {"wall_s": round(self.wall_s, 2), "cpu_s": round(self.cpu_s, 2)}

    def of(self, other: "Took") -> dict[str, float]:
        """As parts of those of another program."""
        return {"wall": round(self.wall_s / other.wall_s, 3), "cpu": round(self.cpu_s / other.cpu_s, 3)}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    check = kinds.add_parser("check", help="speed")
    check.add_argument("--images", type=int, nargs="+", default=[1000, 10_000])
    check.add_argument("--size", type=int, nargs=2, default=(640, 480), help="width and height")
    check.add_argument("--scenes", type=int, default=0, help="draw faster: each image is the mean of two of as many")
    check.add_argument("--folder", type=Path, help="where the images are drawn (default: a temporary folder)")
    check.add_argument("--cleanvision", help="the Python of an environment with cleanvision")
    duplicates = kinds.add_parser("duplicates", help="misses and false alarms on photographs")
    duplicates.add_argument("--photographs", type=Path, required=True)
    given = parser.parse_args()
    if given.kind == "duplicates":
        measure_duplicates(given.photographs)
        return 0
    drawing = Drawing(size=tuple(given.size), scenes=given.scenes)
    for count in given.images:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            print(json.dumps(measure_check(Path(folder), count, drawing, given.cleanvision), indent=1), flush=True)
    return 0


def measure_check(folder: Path, count: int, drawing: Drawing, cleanvision: str | None) -> dict[str, Any]:
    """Everything about a set of that many images."""
    root = folder / "all" / "data" / "drawn"
    draw(folder / "few" / "data" / "drawn", 0, START, drawing)
    planted = draw(root, 0, count, drawing)
    time.sleep(SETTLED_S)
    start = min((checked(folder / "few") for _ in range(3)), key=lambda each: each.cpu_s)
    bare_first = decoded(root)
    first = checked(folder / "all")
    bare = min(bare_first, decoded(root), key=lambda each: each.cpu_s)
    second = checked(folder / "all")
    result: dict[str, Any] = {
        "images": count,
        "cores": os.cpu_count(),
        "start": start.times(),
        "bare_decode": bare.times(),
        "first_check": first.times(),
        "throughput_of_bare_decode": bare.of(first),
        "second_check": second.times() | {"of_first": second.of(first)},
        "peak_mb": round(first.peak_mb),
        "planted": len(planted),
        "ours": found_of(planted, ours(first.out)),
    }
    if cleanvision:
        command = [cleanvision, "-c", CLEANVISION, str(root / "images"), str(os.cpu_count() or 1)]
        theirs = timed(command, folder / "all")
        result["cleanvision"] = theirs.times() | {
            "of_first_check": theirs.of(first),
            "peak_mb": round(theirs.peak_mb),
            **found_of(planted, of_cleanvision(theirs.out)),
        }
    draw(root, count, max(1, count // 100), drawing)
    time.sleep(SETTLED_S)
    added = checked(folder / "all")
    result["one_percent_added"] = added.times() | {"of_first": added.of(first), "peak_mb": round(added.peak_mb)}
    return result


def decoded(root: Path) -> Took:
    """Read and decode all images whole, on all cores, and nothing else."""
    files = sorted((root / "images").rglob("*.jpg"))
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(_decode, files, chunksize=64):
            pass
    return Took(wall_s=time.perf_counter() - started, cpu_s=time.process_time() - cpu)


def _decode(path: Path) -> None:
    with Image.open(io.BytesIO(path.read_bytes())) as opened:
        opened.load()


def checked(folder: Path) -> Took:
    """`cv-yolo data check` as a person runs it, start included."""
    policy = folder / "policy.yaml"  # so that nothing that a good data set needs is left out
    policy.write_text("rules: {similar_images: warning}\n", encoding="utf-8")
    command = ("data", "check", "data/drawn", "--json", "--policy", str(policy))
    return timed([sys.executable, "-m", "cv_yolo", *command], folder)


def timed(command: Sequence[str], folder: Path) -> Took:
    """Run a program in a project of its own."""
    environment = os.environ | {"CV_YOLO_ROOT": str(folder), "CV_YOLO_HOME": str(folder / ".cv-yolo")}
    started, cpu = time.perf_counter(), _cpu_of_children()
    with tempfile.TemporaryFile("w+") as out:
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.DEVNULL)
        peak_bytes = 0
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                family = (process, *process.children(recursive=True))
                peak_bytes = max(peak_bytes, sum(each.memory_info().rss for each in family))
            time.sleep(POLL_S)
        wall_s, cpu_s = time.perf_counter() - started, _cpu_of_children() - cpu
        out.seek(0)
        return Took(wall_s=wall_s, cpu_s=cpu_s, peak_mb=peak_bytes / 1e6, out=out.read())


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ours(out: str) -> set[frozenset[str]]:
    """The pairs in the findings of `data check`."""
    kinds = {"similar_images", "identical_across_splits", "similar_within_split"}
    places = [place for each in json.loads(out)["findings"] if each["kind"] in kinds for place in each["places"]]
    return {frozenset(name.removeprefix("images/") for name in place.split(" and ")) for place in places}


def of_cleanvision(out: str) -> set[frozenset[str]]:
    """The pairs in its sets of duplicates."""
    sets = json.loads(out.strip().splitlines()[-1])
    names = [["/".join(Path(path).parts[-2:]) for path in each] for each in sets]
    return {frozenset({a, b}) for each in names for a in each for b in each if a < b}


def found_of(planted: dict[frozenset[str], str], found: set[frozenset[str]]) -> dict[str, Any]:
    """Misses by what was done to the copies, and false alarms."""
    missed = [change for pair, change in planted.items() if pair not in found]
    return {
        "missed": len(missed),
        "false_alarms": len(found - planted.keys()),
        "missed_by_change": {change: missed.count(change) for change in sorted(set(missed))},
    }


if __name__ == "__main__":
    sys.exit(main())
