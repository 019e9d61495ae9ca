"""What the pages show: a run, a decision, an evaluation, a comparison."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.difference import DatasetContent, DatasetDifference, ImageChangeKind, ImageDifference
from cv_yolo.domain.data.findings import DatasetFinding
from cv_yolo.domain.data.gate import GatedImages
from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.evaluation.annotated_images import AnnotatedImage
from cv_yolo.domain.evaluation.comparison import Comparison
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.domain.training.runs import Run
from cv_yolo.ports.datasets import Thumbnail

MOST_IMAGES: Final = 24  # of each list of images that a page shows

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

    `pipeline_run` is ZenML's run (empty where a person decided by hand); `failures` maps the name of each failed cell
    to its reason. `comparison` is the champion against the candidate on the test images; without a champion `marks`
    are what the candidate makes of them, worst first. `thumbnails` are small copies of the images shown, by path.
    """

    decision: Decision
    version: ModelVersion | None
    manifest: DatasetManifest
    runs: tuple[RunReport, ...]
    failures: dict[str, str]
    pipeline_run: str
    git_commit: str
    git_dirty: bool
    comparison: Comparison | None = None
    annotated: tuple[AnnotatedImage, ...] = ()
    thumbnails: dict[str, Thumbnail] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """One model on one split; `marks` are what it makes of the images, worst first.

    `metric` is the figure in the heading; `notes` are what a reader must know of the images.
    """

    name: str
    evaluation: Evaluation
    annotated: tuple[AnnotatedImage, ...]
    thumbnails: dict[str, Thumbnail]
    made_at: datetime
    metric: str = "map_50"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """Two models on the same images; `metric` is the figure that the verdict is about, `notes` are of the images."""

    first_name: str
    second_name: str
    comparison: Comparison
    thumbnails: dict[str, Thumbnail]
    made_at: datetime
    metric: str = "map_50"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPair:
    """Two images that a finding is about."""

    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownBoxes:
    """An image with lines of its label file that a finding is about."""

    image: str
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DatasetReport:
    """What the data gate found in a data set; the manifest is absent where there are errors.

    `pairs` and `boxes` are what is shown of the findings, which are counted with all their places.
    """

    name: str
    gated: GatedImages
    findings: tuple[DatasetFinding, ...]
    policy: DataPolicy
    manifest: DatasetManifest | None
    pairs: dict[DatasetFinding, tuple[ShownPair, ...]]
    boxes: dict[DatasetFinding, tuple[ShownBoxes, ...]]
    thumbnails: dict[str, Thumbnail]
    excepted: int
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RevisionView:
    """A revision as it is shown: how it is called, what it holds, and small copies of some of its images by path."""

    title: str
    content: DatasetContent
    thumbnails: dict[str, Thumbnail]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DifferenceReport:
    """Two revisions of a data set and all that differs; `shown` are the changes with pictures, by their first kind."""

    name: str
    before: RevisionView
    after: RevisionView
    difference: DatasetDifference
    shown: dict[ImageChangeKind, tuple[ImageDifference, ...]]
    made_at: datetime
