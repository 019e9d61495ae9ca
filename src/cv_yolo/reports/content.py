"""What a written decision and a run's summary show."""

from dataclasses import dataclass

from cv_yolo.domain.dataset import DatasetManifest
from cv_yolo.domain.evaluation import Evaluation
from cv_yolo.domain.promotion import Decision
from cv_yolo.domain.runs import Run
from cv_yolo.domain.versions import ModelVersion

History = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run as it is shown: its tracked record, its curves by epoch, and its evaluation (absent where it failed).

    `history` maps a metric's name (`val/map_50`, `train/box_loss`, …) to its values as (epoch, value).
    `samples_jpeg` is a sheet of sample predictions beside the truth.
    """

    run: Run
    history: dict[str, History]
    evaluation: Evaluation | None
    samples_jpeg: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionReport:
    """A decision with everything that a reader needs to follow it.

    `pipeline_run` is ZenML's run; `failures` maps the name of each failed cell to its reason.
    """

    decision: Decision
    version: ModelVersion | None
    manifest: DatasetManifest
    runs: tuple[RunReport, ...]
    failures: dict[str, str]
    pipeline_run: str
    git_commit: str
    git_dirty: bool
