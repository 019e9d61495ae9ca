"""What the user of a detector has to know about it: the content of `model.json` (docs/reference/model-json.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.promotion.audit import Entry, settled_by
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, ModelVersion, Stage
from cv_yolo.domain.training.runs import Run

FORMAT: Final = 2
LICENCE_OF_TRAINED_WEIGHTS: Final = "AGPL-3.0"  # Ultralytics', which its authors apply to what it trains
NO_METRIC: Final = "confidence_threshold"  # a choice of val, not a measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """The weights as they are handed over."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionMetrics:
    """What the last decision measured on the test images; `values` are a value with its limits by metric."""

    images: int
    interval_confidence: float
    values: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A detector as it is handed over; `version` and `stage` are None for a run that was never registered.

    `entries` is the audit log, `interval_confidence` the level of the run's intervals (None: not recorded), `test` what
    the decision measured (None: no decision, or not recorded), and `data_licence` what the data set says of itself.
    """

    model: str
    run: Run
    experiment: str
    version: ModelVersion | None
    stage: Stage | None
    classes: tuple[str, ...]
    settings: PredictionSettings
    confidence_threshold: float | None
    interval_confidence: float | None
    entries: tuple[Entry, ...]
    weights: WeightsFile
    test: DecisionMetrics | None = None
    data_licence: str | None = None

    def as_json(self) -> dict[str, Any]:
        """All of it, as `model.json` has it."""
        tags, counted = self.run.tags, self.run.params.get("images_val")
        return {
            "format": FORMAT,
            "model": self.model,
            "version": None if self.version is None else self.version.version,
            "stage": None if self.stage is None else _placement(self.entries, self.stage),
            "run": {"id": self.run.run_id, "name": self.run.name, "experiment": self.experiment},
            "classes": list(self.classes),
            "image_size_px": self.settings.image_size_px,
            "letterbox": self.settings.letterbox,
            "confidence_threshold": self.confidence_threshold,
            "iou_threshold": self.settings.nms_iou_threshold,
            "max_detections": self.settings.max_detections,
            "data": {
                "name": tags.get("dataset"),
                "revision": self.run.revision,
                "dvc_hash": _known(tags.get("dvc_hash")),
            },
            "metrics": {
                "split": "val",
                "images": None if counted is None else int(counted),
                "interval_confidence": self.interval_confidence,
                "values": _metrics(self.run),
            },
            "test_metrics": None if self.test is None else {"split": "test", **asdict(self.test)},
            "decision": _decision(self.entries, self.version, self.stage),
            "licences": {"weights": LICENCE_OF_TRAINED_WEIGHTS, "data": self.data_licence},
            "files": [asdict(self.weights)],
        }


def _placement(entries: Sequence[Entry], stage: Stage) -> dict[str, Any]:
    """The stage, and by which entry of the log the version has it; an archived one was moved out by another's entry."""
    entry = settled_by(entries, stage) if stage in HELD_BY_ONE else None
    if entry is None:
        return {"name": str(stage), "action": None, "by": None, "at": None}
    return {"name": str(stage), "action": str(entry.action), "by": entry.actor, "at": _time(entry.at)}


def decision_about(entries: Sequence[Entry], version: ModelVersion | None, stage: Stage | None) -> Entry | None:
    """The entry of the last decision about the version: about its stage, if there is one."""
    judged = [each for each in entries if version and each.version == version.version and each.decision]
    found = [each for each in judged if each.stage is stage] or judged
    return found[-1] if found else None


def _decision(entries: Sequence[Entry], version: ModelVersion | None, stage: Stage | None) -> dict[str, Any] | None:
    entry = decision_about(entries, version, stage)
    if entry is None:
        return None
    return {
        "id": entry.decision,
        "verdict": entry.verdict,
        "stage": str(entry.stage),
        "action": str(entry.action),
        "provisional": entry.provisional,
        "by": entry.actor,
        "at": _time(entry.at),
        "reason": entry.reason,
        "policy": entry.policy,
        "policy_sha256": entry.policy_sha256,
        "test_revision": entry.test_revision,
        "entry": entry.number,
        "entry_sha256": entry.sha256,
    }


def _metrics(run: Run) -> dict[str, dict[str, float | None]]:
    measured = {name: value for name, value in sorted(run.scores.items()) if name != NO_METRIC}
    ends = {name: {end: run.metrics.get(f"interval/{name}/{end}") for end in ("low", "high")} for name in measured}
    return {name: {"value": value, **ends[name]} for name, value in measured.items()}


def _known(tag: str | None) -> str | None:
    return None if tag in {None, "none"} else tag


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
