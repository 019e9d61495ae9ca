"""The cost of the evaluator and its peers, on data like COCO's val: 80 classes, 7 boxes and 100 detections an image.

    python benchmarks/evaluation.py            # 100 to 5 000 images; some minutes, nearly all of them pycocotools'
    python benchmarks/evaluation.py --quick    # 100 images only
    python benchmarks/evaluation.py --json

Every measurement is a separate process, and those of one size come one after the other, so that the ratios are taken
side by side; of several rounds the quickest counts. Timed are, on data that are in memory as each wants them: of
pycocotools and of faster-coco-eval `evaluate()` and `accumulate()`; of ours everything from the boxes to COCO's twelve
figures, and after it the bootstrap of mAP50-95 and mAP50 with 1 000 resamples (and the 200 further draws for which its
intervals ask). The twelve figures must agree to 1e-9.

Demanded at the largest size: point figures in less time than pycocotools, 1 000 resamples in at most five times that of
its one estimate, less than 4 GB of memory. Where one is missed the exit code is 1.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from cv_yolo.domain.data.annotations import Boxes, Detections, GroundTruth
from cv_yolo.domain.evaluation.all_metrics import coco_measure, main_measure, match_all_sizes
from cv_yolo.domain.evaluation.intervals import Resampling, bootstrap
from cv_yolo.domain.evaluation.split_boxes import gather

SIZES: Final = (100, 300, 1000, 3000, 5000)
CLASSES, BOXES_PER_IMAGE, DETECTIONS_PER_IMAGE = 80, 7.2, 100
RESAMPLES: Final = 1000
MOST_RATIO, MOST_RESAMPLING_RATIO, MOST_GB = 1.0, 5.0, 4.0
SAME: Final = 1e-9
ROUNDS: Final = {100: 5, 300: 3, 1000: 3}  # the larger sizes take long enough to be measured once
TWELVE: Final = (
    *("map_50_95", "map_50", "map_75", "map_small", "map_medium", "map_large"),
    *("ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"),
)

Split = tuple[list[GroundTruth], list[Detections]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one part took on one split; the figures are COCO's twelve, -1 where there is none."""

    seconds: float
    twelve: tuple[float, ...]
    boxes: int
    detections: int
    resampling_s: float = 0.0
    peak_gb: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """All parts on one split."""

    images: int
    boxes: int
    detections: int
    pycocotools_s: float
    faster_coco_eval_s: float
    ours_s: float
    ratio: float
    resampling_s: float
    resampling_ratio: float
    peak_gb: float
    largest_difference: float


def main() -> None:
    """Measure, then print; 1 where a demand is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{SIZES[0]} images only")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--part", nargs=2, metavar=("NAME", "IMAGES"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        name, images = given.part
        print(json.dumps(asdict(PARTS[name](a_split(int(images))))))
        return
    rows = []
    for images in SIZES[:1] if given.quick else SIZES:
        rows.append(_row(images))
        if not given.json:
            _print_row(rows[-1], first=len(rows) == 1)
    missed = _missed(rows)
    if given.json:
        print(json.dumps({"machine": _machine(), "rows": [asdict(row) for row in rows], "missed": missed}))
    else:
        print(f"\n{_machine()}")
        print("\n".join(missed) if missed else "All demands are met.")
    sys.exit(1 if missed else 0)


def a_split(images: int) -> Split:
    """Annotated boxes of all sizes in few frequent and many rare classes; detections near them and anywhere."""
    rng = np.random.default_rng(images)
    truths, found = [], []
    for number in range(images):
        boxes = _boxes(rng, int(rng.poisson(BOXES_PER_IMAGE)))
        classes = np.minimum(rng.zipf(1.5, size=len(boxes)) - 1, CLASSES - 1)
        near = np.repeat(np.arange(len(boxes)), rng.integers(0, 4, size=len(boxes)))[:DETECTIONS_PER_IMAGE]
        sizes = np.tile(boxes[near, 2:] - boxes[near, :2], 2)
        moved = boxes[near] + rng.normal(0, 0.12, size=(len(near), 4)) * sizes
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        anywhere = _boxes(rng, DETECTIONS_PER_IMAGE - len(near))
        truths.append(GroundTruth(image=str(number), boxes_xyxy=boxes, class_ids=classes))
        found.append(
            Detections(
                image=str(number),
                boxes_xyxy=np.concatenate([moved, anywhere]),
                class_ids=np.concatenate([classes[near], rng.integers(0, CLASSES, size=len(anywhere))]),
                confidences=np.concatenate([rng.beta(4, 2, size=len(near)), rng.beta(1, 6, size=len(anywhere))]),
            )
        )
    return truths, found


def _boxes(rng: np.random.Generator, count: int) -> Boxes:
    corners = rng.uniform(0, 500, size=(count, 2))
    return np.concatenate([corners, corners + np.exp(rng.normal(4, 1, size=(count, 2)))], axis=1)


def _ours(split: Split) -> Measured:
    started = time.perf_counter()
    table = gather(*split, classes=CLASSES)
    measure = coco_measure(match_all_sizes(table))
    figures = dict(zip(measure.names, measure.compute(np.ones((1, len(table.images))))[0].tolist(), strict=True))
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    main_figures = main_measure(table, confidence_threshold=None)
    bootstrap(main_figures, images=len(table.images), resampling=Resampling(resamples=RESAMPLES))
    resampling_s = time.perf_counter() - started
    twelve = np.nan_to_num([figures[name] for name in TWELVE], nan=-1.0)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # Linux counts kilobytes
    return _measured(split, seconds, twelve.tolist(), resampling_s=resampling_s, peak_gb=peak_gb)


def _pycocotools(split: Split) -> Measured:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return _peer(split, COCO, COCOeval)


def _faster_coco_eval(split: Split) -> Measured:
    from faster_coco_eval import COCO, COCOeval_faster

    return _peer(split, COCO, COCOeval_faster)


def _peer(split: Split, coco: Callable[[], Any], evaluator: Callable[..., Any]) -> Measured:
    with contextlib.redirect_stdout(io.StringIO()):
        truths = coco()
        truths.dataset = _dataset(split[0])
        truths.createIndex()
        judged = evaluator(truths, truths.loadRes(_results(split[1])), "bbox")
        started = time.perf_counter()
        judged.evaluate()
        judged.accumulate()
        seconds = time.perf_counter() - started
        judged.summarize()
    return _measured(split, seconds, judged.stats[: len(TWELVE)])


PARTS: Final[dict[str, Callable[[Split], Measured]]] = {
    "pycocotools": _pycocotools,
    "faster_coco_eval": _faster_coco_eval,
    "ours": _ours,
}


def _dataset(truths: Sequence[GroundTruth]) -> dict[str, Any]:
    boxes = [
        {"image_id": image, "category_id": int(class_id), "bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": 0}
        for image, truth in enumerate(truths, start=1)
        for bbox, class_id in zip(_xywh(truth.boxes_xyxy), truth.class_ids, strict=True)
    ]
    return {
        "info": {},
        "images": [{"id": image} for image in range(1, len(truths) + 1)],
        "categories": [{"id": class_id, "name": str(class_id)} for class_id in range(CLASSES)],
        "annotations": [box | {"id": number} for number, box in enumerate(boxes, start=1)],
    }


def _results(found: Sequence[Detections]) -> list[dict[str, Any]]:
    return [
        {"image_id": image, "category_id": int(class_id), "bbox": bbox, "score": float(confidence)}
        for image, each in enumerate(found, start=1)
        for bbox, class_id, confidence in zip(_xywh(each.boxes_xyxy), each.class_ids, each.confidences, strict=True)
    ]


def _xywh(boxes: Boxes) -> list[list[float]]:
    xywh: list[list[float]] = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
    return xywh


def _measured(split: Split, seconds: float, twelve: Sequence[float], **ours: float) -> Measured:
    truths, found = split
    return Measured(
        seconds=seconds,
        twelve=tuple(float(figure) for figure in twelve),
        boxes=sum(len(each.class_ids) for each in truths),
        detections=sum(len(each.class_ids) for each in found),
        **ours,
    )


def _row(images: int) -> Row:
    rounds = [{name: _in_its_own_process(name, images) for name in PARTS} for _ in range(ROUNDS.get(images, 1))]
    seconds = {name: min(each[name].seconds for each in rounds) for name in PARTS}
    resampling_s = min(each["ours"].resampling_s for each in rounds)
    container = rounds[0]
    figures = np.array([container[name].twelve for name in PARTS])
    return Row(
        images=images,
        boxes=container["ours"].boxes,
        detections=container["ours"].detections,
        pycocotools_s=seconds["pycocotools"],
        faster_coco_eval_s=seconds["faster_coco_eval"],
        ours_s=seconds["ours"],
        ratio=seconds["ours"] / seconds["pycocotools"],
        resampling_s=resampling_s,
        resampling_ratio=resampling_s / seconds["pycocotools"],
        peak_gb=max(each["ours"].peak_gb for each in rounds),
        largest_difference=float(np.abs(figures - figures[-1]).max()),
    )


def _in_its_own_process(name: str, images: int) -> Measured:
    command = [sys.executable, __file__, "--part", name, str(images)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{name} on {images} images failed:\n{done.stderr[-2000:]}")
    return Measured(**json.loads(done.stdout))


def _missed(rows: Sequence[Row]) -> list[str]:
    last = rows[-1]
    demands = {
        f"point figures take {last.ratio:.2f} of pycocotools' time, not less than {MOST_RATIO:g}": (
            last.ratio < MOST_RATIO
        ),
        f"{RESAMPLES} resamples take {last.resampling_ratio:.1f} times pycocotools' estimate, above "
        f"{MOST_RESAMPLING_RATIO:g}": last.resampling_ratio <= MOST_RESAMPLING_RATIO,
        f"{last.peak_gb:.2f} GB of memory, not less than {MOST_GB:g}": last.peak_gb < MOST_GB,
        "the figures differ from those of the peers": max(row.largest_difference for row in rows) <= SAME,
    }
    return [f"MISSED: {demand}" for demand, met in demands.items() if not met]


def _machine() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("pycocotools", "faster-coco-eval"))
    return f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}, {versions}"


def _print_row(row: Row, *, first: bool) -> None:
    if first:
        print(
            "images   boxes  detections  pycocotools  faster-coco-eval    ours  ratio  1 000 resamples  ratio  memory"
        )
    print(
        f"{row.images:6d}  {row.boxes:6d}  {row.detections:10d}  {row.pycocotools_s:9.2f} s  "
        f"{row.faster_coco_eval_s:14.2f} s  {row.ours_s:4.2f} s  {row.ratio:5.3f}  {row.resampling_s:13.2f} s  "
        f"{row.resampling_ratio:5.2f}  {row.peak_gb:.2f} GB",
        flush=True,
    )


if __name__ == "__main__":
    main()
