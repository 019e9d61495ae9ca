"""Every metric in one place: its name, label, direction, unit, definition and source, and where it is measured.

What computes metrics, checks configuration, shows tables and documents names reads it here. A metric that is an
average precision at other IoU thresholds is one more entry, and another `EVALUATION_VERSION`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

COCO: Final = "Lin et al., Microsoft COCO, ECCV 2014"
ALL_THRESHOLDS: Final = tuple(percent / 100 for percent in range(50, 100, 5))
SIZES: Final = {"small": "below 32² px", "medium": "32² to 96² px", "large": "above 96² px"}


class Scope(StrEnum):
    """What a metric is about: the whole split, or one part of it, by which its name begins."""

    SPLIT = ""
    CLASS = "class"
    SIZE = "size"
    SLICE = "slice"
    ERROR = "error"
    CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. `iou_thresholds` are those over which an average precision is the mean; else empty.

    A policy may choose runs by one that `selects`, and compare by one that `gates`; `floor` says that it may ask for a
    least value.
    """

    name: str
    label: str
    definition: str
    scopes: tuple[Scope, ...]
    source: str = COCO
    unit: str = ""
    higher_is_better: bool = True
    iou_thresholds: tuple[float, ...] = ()
    selects: bool = False
    gates: bool = False
    floor: bool = True


def _average_recall(limit: int) -> Metric:
    of = "detection" if limit == 1 else "detections"
    return Metric(
        name=f"ar_{limit}",
        label=f"AR{limit}",
        definition=f"mean over IoU 0.50:0.95 of the recall with at most {limit} {of} per class and image",
        scopes=(Scope.SPLIT,),
    )


_USED: Final = (Scope.SPLIT, Scope.CLASS, Scope.SIZE, Scope.SLICE)
_AT: Final = "at the confidence threshold and IoU 0.5"
METRICS: Final = (
    Metric(
        name="map_50_95",
        label="mAP50-95",
        definition="mean over the classes of the average precision, over IoU 0.50:0.95",
        scopes=(Scope.SPLIT, Scope.SLICE),
        iou_thresholds=ALL_THRESHOLDS,
        selects=True,
        gates=True,
    ),
    Metric(
        name="map_50",
        label="mAP50",
        definition="mean over the classes of the average precision at IoU 0.5",
        scopes=(Scope.SPLIT, Scope.SLICE),
        iou_thresholds=(0.5,),
        selects=True,
        gates=True,
    ),
    Metric(
        name="map_75",
        label="mAP75",
        definition="mean over the classes of the average precision at IoU 0.75",
        scopes=(Scope.SPLIT,),
        iou_thresholds=(0.75,),
        gates=True,
    ),
    *(
        Metric(
            name=f"map_{size}",
            label=f"mAP50-95 of {size} boxes",
            definition=f"`map_50_95` of boxes with an area {area}",
            scopes=(Scope.SPLIT,),
        )
        for size, area in SIZES.items()
    ),
    *(_average_recall(limit) for limit in (1, 10, 100)),
    *(
        Metric(
            name=f"ar_{size}",
            label=f"AR100 of {size} boxes",
            definition=f"`ar_100` of boxes with an area {area}",
            scopes=(Scope.SPLIT,),
        )
        for size, area in SIZES.items()
    ),
    Metric(
        name="ap_50_95",
        label="AP50-95",
        definition="average precision over IoU 0.50:0.95",
        scopes=(Scope.CLASS,),
        iou_thresholds=ALL_THRESHOLDS,
    ),
    Metric(
        name="ap_50",
        label="AP50",
        definition="average precision at IoU 0.5",
        scopes=(Scope.CLASS,),
        iou_thresholds=(0.5,),
    ),
    Metric(
        name="precision",
        label="precision",
        definition=f"fraction of the detections that are correct, {_AT}",
        scopes=(*_USED, Scope.CALIBRATION),
        gates=True,
    ),
    Metric(
        name="recall",
        label="recall",
        definition=f"fraction of the annotated boxes that are detected, {_AT}",
        scopes=_USED,
        gates=True,
    ),
    Metric(
        name="f1",
        label="F1",
        definition=f"harmonic mean of precision and recall, {_AT}",
        scopes=_USED,
        selects=True,
        gates=True,
    ),
    Metric(
        name="cost",
        label="cost",
        definition="gain in mAP50 if the errors of this type were fixed",
        scopes=(Scope.ERROR,),
        source="Bolya et al., TIDE, ECCV 2020",
        higher_is_better=False,
        floor=False,
    ),
    Metric(
        name="count",
        label="count",
        definition="number of errors of this type; of a bin, number of detections",
        scopes=(Scope.ERROR, Scope.CALIBRATION),
        source="Bolya et al., TIDE, ECCV 2020",
        unit="boxes",
        higher_is_better=False,
        floor=False,
    ),
    Metric(
        name="d_ece",
        label="D-ECE",
        definition="detection expected calibration error: mean gap between confidence and precision, over ten bins",
        scopes=(Scope.CALIBRATION,),
        source="Küppers et al., Multivariate Confidence Calibration, CVPR Workshops 2020",
        higher_is_better=False,
        floor=False,
    ),
    Metric(
        name="confidence",
        label="confidence",
        definition="mean confidence of the detections of a bin",
        scopes=(Scope.CALIBRATION,),
        source="Küppers et al., Multivariate Confidence Calibration, CVPR Workshops 2020",
        floor=False,
    ),
)
MAIN: Final = ("map_50", "map_50_95", "map_75", "precision", "recall", "f1")  # shown first, in this order
COCO_TWELVE: Final = ("map_50_95", "map_50", "map_75", *(f"map_{size}" for size in SIZES), "ar_1", "ar_10", "ar_100",
                      *(f"ar_{size}" for size in SIZES))  # fmt: skip
IN_USE: Final = ("precision", "recall", "f1")
LABELS: Final = {metric.name: metric.label for metric in METRICS}
_PARTED: Final = {Scope.CLASS, Scope.SIZE, Scope.SLICE, Scope.ERROR}
_BY_NAME: Final = {metric.name: metric for metric in METRICS}


def averages(scope: Scope) -> tuple[Metric, ...]:
    """The average precisions that are measured there, in order."""
    return tuple(metric for metric in METRICS if metric.iou_thresholds and scope in metric.scopes)


def find(name: str) -> Metric | None:
    """The metric of that whole name, as `map_50`, `class/person/ap_50` or `ar_500`; None where there is none."""
    scope, part, base = split(name)
    if scope is Scope.SPLIT and base.startswith("ar_") and base[3:].isdigit():
        return _average_recall(int(base[3:]))
    metric = _BY_NAME.get(base)
    named = bool(part) is (scope in _PARTED) or scope is Scope.CALIBRATION
    return metric if metric is not None and scope in metric.scopes and named else None


def split(name: str) -> tuple[Scope, str, str]:
    """A whole name in its scope, the part of it, and the metric: `class/person/ap_50` → class, person, `ap_50`."""
    kind, _, rest = name.partition("/")
    if not rest or kind not in set(Scope):
        return Scope.SPLIT, "", name
    part, _, base = rest.rpartition("/")
    return Scope(kind), part, base


def higher_is_better(name: str) -> bool:
    """Whether more of it is better; of a name that is not in the catalogue, too."""
    metric = find(name)
    return metric is None or metric.higher_is_better


def floor_names() -> Iterator[str]:
    """Patterns (regular expressions) of the whole names for which a gate may ask for a least value."""
    sizes = "|".join(SIZES)
    prefixes = {"": Scope.SPLIT, "class/.+/": Scope.CLASS, f"size/({sizes})/": Scope.SIZE, "slice/.+=.*/": Scope.SLICE}
    for prefix, scope in prefixes.items():
        names = "|".join(metric.name for metric in METRICS if metric.floor and scope in metric.scopes)
        yield f"{prefix}({names})"
