"""The cost of the pipeline: four bare `yolo train` calls in sequence, and our grid of the same.

    python benchmarks/pipeline_overhead.py            # both, side by side in one run
    python benchmarks/pipeline_overhead.py --json

Both train from the same weights on the same data with the same settings. The grid also evaluates every model with the
project's evaluator, tracks it, compares the four, registers the best and writes the decision. Bare calls use as many
threads as Ultralytics takes by itself; the grid uses the machine as `configs/demo.yaml` says. The fixed cost is what a
grid takes whose four runs are known already (start, checks, comparison, decision).
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFUSED = 4  # trained and judged, and scored lower than a former one
EPOCHS, SIZES = (3, 5), (320, 416)
BARE = """
import sys, yaml
from pathlib import Path
data, weights, epochs, size, out = sys.argv[1:]
from ultralytics import YOLO
YOLO(weights).train(data=data, epochs=int(epochs), imgsz=int(size), batch=8, nbs=8, optimizer="AdamW", lr0=0.0003,
    momentum=0.9, weight_decay=0.0005, warmup_epochs=0.0, mosaic=0.0, close_mosaic=0, seed=0, workers=0, amp=False,
    project=out, name=f"e{epochs}_s{size}")
"""


def main() -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(Path(folder) / "project")
        grid = ["-m", "cv_yolo", "grid", "--config", "configs/demo.yaml"]
        seconds(project, ["-m", "cv_yolo", "data", "check", "data/demo"])  # makes the data, for both
        seconds(project, ["-c", "import mlflow, zenml, ultralytics"])  # both start with warm files
        bare = sum(_bare(project, epochs, size) for epochs, size in product(EPOCHS, SIZES))
        ours, again = seconds(project, grid), seconds(project, grid)
    _print(as_json=as_json, bare=bare, ours=ours, again=again)


def _print(*, as_json: bool, bare: float, ours: float, again: float) -> None:
    figures = {"bare_s": round(bare, 1), "grid_s": round(ours, 1), "ratio": round(ours / bare, 2)}
    figures |= {"fixed_cost_s": round(again, 1), "cores": os.cpu_count() or 1}
    if as_json:
        print(json.dumps(figures))
        return
    print(f"four bare `yolo train` calls, in sequence: {bare:6.1f} s")
    print(f"our grid of the same four:                 {ours:6.1f} s   ratio {ours / bare:.2f}")
    print(f"the same grid again, all runs known:       {again:6.1f} s   (fixed cost)")


def project_in(root: Path) -> Path:
    """A new project of ours, without data."""
    root.mkdir()
    for name in ("configs", "dvc.yaml", "params.yaml", ".dvc/config", ".dvcignore", "weights", "src", "tools"):
        source, target = ROOT / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def _bare(project: Path, epochs: int, size: int) -> float:
    out = project / "bare"
    arguments = [str(project / "data/demo/data.yaml"), str(project / "weights/bootstrap-yolo11n.pt")]
    return seconds(project, ["-c", BARE, *arguments, str(epochs), str(size), str(out)])


def seconds(project: Path, arguments: list[str], **variables: str) -> float:
    """How long Python takes for it there; the end of the benchmark where it fails."""
    environment = dict(os.environ) | {"YOLO_CONFIG_DIR": str(project / "yolo"), "YOLO_OFFLINE": "true"} | variables
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,  # reported below with its output
    )
    if done.returncode not in (0, REFUSED):
        sys.exit(f"{' '.join(arguments)[:80]} failed:\n{done.stderr[-2000:]}")
    return time.monotonic() - started


if __name__ == "__main__":
    main()
