"""Two people train on one machine: threads that spin while they wait for each other, and ours, which sleep.

    python -m benchmarks.busy_machine            # each way alone and two at once, twice; about ten minutes on 2 cores
    python -m benchmarks.busy_machine --json

Each training is a `cv-yolo baseline` of three epochs with a thread for each core. The spinning ones spin as long as
GNU's OpenMP (PyTorch's on Linux) makes them by itself. The ways take turns, and the quickest round of each counts.
"""

import argparse
import json
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from benchmarks.pipeline_overhead import project_in, seconds

WAYS = {"spinning": {"GOMP_SPINCOUNT": "300000"}, "sleeping": {}}
ROUNDS = 2
SEEDS = count()


def main() -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of sentences")
    as_json = parser.parse_args().json
    with tempfile.TemporaryDirectory() as folder:
        projects = [project_in(Path(folder) / name) for name in ("first", "second")]
        for project in projects:
            _train([project], {})  # makes its data and databases
        figures = {"alone": _quickest(projects[:1]), "two at once": _quickest(projects)}
    if as_json:
        print(json.dumps(figures | {"cores": os.cpu_count() or 1}))
        return
    for name, took in figures.items():
        ratio = took["spinning"] / took["sleeping"]
        print(f"{name:12} spinning {took['spinning']:6.1f} s   sleeping {took['sleeping']:6.1f} s   ratio {ratio:.2f}")


def _quickest(projects: list[Path]) -> dict[str, float]:
    rounds = [{way: _train(projects, variables) for way, variables in WAYS.items()} for _ in range(ROUNDS)]
    return {way: round(min(took[way] for took in rounds), 1) for way in WAYS}


def _train(projects: list[Path], variables: dict[str, str]) -> float:
    """One training in each, all at once, that was not made before; how long until the last has ended."""
    command = ["-m", "cv_yolo", "baseline", "--config", "configs/demo.yaml", "--epochs", "3", "--image-size", "320"]
    command += ["--seed", str(next(SEEDS))]
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda project: seconds(project, command, **variables), projects))
    return time.monotonic() - started


if __name__ == "__main__":
    main()
