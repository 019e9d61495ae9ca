"""Two simulated detectors on drawn street scenes, scored and compared by our own evaluator."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.comparison import Comparison, compare
from cv_yolo.domain.evaluation.evaluation import PredictionSettings, Scored, Subject, score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.ports.datasets import Thumbnail
from tests.browser.scenes import CLASSES, HEIGHT_PX, WIDTH_PX, Scene, a_scene

IMAGES = 60
RESAMPLING = Resampling(resamples=500)
THRESHOLD = 0.35


@dataclass(frozen=True)
class Habits:
    """How a simulated detector errs: what it misses small, and at night; what it confuses, and what it makes up."""

    seed: int
    misses_small: float
    misses_at_night: float
    sloppy: float
    dogs_for_persons: float
    makes_up: float
    doubles: float = 0.05
    sure: float = 0.72


CHAMPION = Habits(
    seed=1, misses_small=0.5, misses_at_night=0.3, sloppy=0.11, dogs_for_persons=0.05, makes_up=0.5, sure=0.62
)
CANDIDATE = Habits(
    seed=2, misses_small=0.14, misses_at_night=0.08, sloppy=0.07, dogs_for_persons=0.45, makes_up=0.3, sure=0.78
)


@cache
def scenes(images: int = IMAGES) -> tuple[Scene, ...]:
    return tuple(a_scene(number) for number in range(1, images + 1))


def truths(images: int = IMAGES) -> list[GroundTruth]:
    return [
        GroundTruth(
            image=scene.name,
            boxes_xyxy=np.array([box for _, box in scene.objects], dtype=float).reshape(-1, 4),
            class_ids=np.array([class_id for class_id, _ in scene.objects], dtype=np.int64),
        )
        for scene in scenes(images)
    ]


def detections(habits: Habits, images: int = IMAGES) -> list[Detections]:
    """What a detector of these habits finds in each scene."""
    rng = np.random.default_rng(habits.seed)
    return [_found(scene, habits, rng) for scene in scenes(images)]


@cache
def scored(habits: Habits, images: int = IMAGES) -> Scored:
    """A simulated detector, scored on the scenes as on a test split."""
    subject = Subject(
        revision="5b1d" * 16,
        split_revision="9c0f" * 16,
        split=Split.TEST,
        classes=CLASSES,
        predictor="ultralytics 8.4.190",
        weights_sha256=f"{habits.seed}e7a" * 16,
        settings=PredictionSettings(image_size_px=416),
        latency_ms=11.8 + habits.seed,
        size_bytes=5_400_000,
    )
    night = np.array([scene.at_night for scene in scenes(images)])
    slices = {"light=day": ~night, "light=night": night}
    return score(
        subject,
        truths(images),
        detections(habits, images),
        resampling=RESAMPLING,
        slices=slices,
        confidence_threshold=THRESHOLD,
    )


@cache
def comparison(images: int = IMAGES) -> Comparison:
    return compare(scored(CHAMPION, images), scored(CANDIDATE, images))


def thumbnails(images: int = IMAGES) -> dict[str, Thumbnail]:
    return {scene.name: Thumbnail(jpeg=scene.jpeg, width_px=WIDTH_PX, height_px=HEIGHT_PX) for scene in scenes(images)}


def _found(scene: Scene, habits: Habits, rng: np.random.Generator) -> Detections:
    rows: list[tuple[int, list[float], float]] = []
    for class_id, (left, top, right, bottom) in scene.objects:
        width, height = right - left, bottom - top
        chance = habits.misses_small * (height < 60) + habits.misses_at_night * scene.at_night
        if rng.random() < chance:
            continue
        shift = rng.normal(0, habits.sloppy, 4) * (width, height, width, height)
        box = np.array([left, top, right, bottom]) + shift
        confused = class_id == CLASSES.index("dog") and rng.random() < habits.dogs_for_persons
        sure = float(np.clip(rng.normal(habits.sure, 0.16), 0.05, 0.99))
        rows.append((0 if confused else class_id, list(box), sure))
        if rng.random() < habits.doubles:
            rows.append((class_id, list(box + rng.normal(0, 6, 4)), sure * 0.7))
    for _ in range(int(rng.poisson(habits.makes_up))):
        left, top = rng.uniform(20, WIDTH_PX - 100), rng.uniform(150, HEIGHT_PX - 120)
        sure = float(rng.uniform(0.05, 0.62))
        rows.append((int(rng.integers(3)), [left, top, left + rng.uniform(25, 80), top + rng.uniform(30, 100)], sure))
    return Detections(
        image=scene.name,
        boxes_xyxy=np.array([box for _, box, _ in rows], dtype=float).reshape(-1, 4),
        class_ids=np.array([class_id for class_id, _, _ in rows], dtype=np.int64),
        confidences=np.array([sure for _, _, sure in rows], dtype=float),
    )
