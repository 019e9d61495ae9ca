"""How data sets are read, written, stored and rendered."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotated import AnnotatedDataset
from cv_yolo.domain.data.annotations import Boxes, Detections, GroundTruth
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind
from cv_yolo.domain.data.fixes import Fix, FixPlan
from cv_yolo.domain.data.gate import ImageDetails
from cv_yolo.domain.data.likeness import Likeness
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.stack import ChangeKind, ObjectStoreAddress
from cv_yolo.errors import DatasetError


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDataset:
    """The content of a data set's folder: every image decoded, every label checked; `findings` are its warnings.

    `category_ids` are the numbers that COCO files about this data give its classes, where the folder records them.
    `refusals` are what training and evaluation cannot use; `details` what the images show. `md5` are those of the
    files that were read, by path.
    """

    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    findings: tuple[DatasetFinding, ...] = ()
    category_ids: dict[str, int] = field(default_factory=dict)
    refusals: tuple[DatasetError, ...] = ()
    details: ImageDetails = field(default_factory=ImageDetails, compare=False, repr=False)
    md5: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledImage:
    """A picture to be written: (H, W, 3) RGB `uint8` values, and the boxes of its objects (class 0)."""

    split: Split
    name: str
    pixels: npt.NDArray[np.uint8]
    boxes_xyxy: Boxes


class Painter(Protocol):
    """Draws pictures of persons."""

    def __call__(self, rng: np.random.Generator, *, size_px: int) -> tuple[npt.NDArray[np.uint8], Boxes]:
        """A picture, (size_px, size_px, 3) RGB, and the (N, 4) pixel corners of the persons in it."""


class DatasetFolder(Protocol):
    """Reads and writes a data set's folder; raises `DatasetError` that names the file."""

    def exists(self, root: Path) -> bool: ...
    def inspect(self, root: Path, on_image: Callable[[int, int], None] = lambda done, total: None) -> FoundDataset:
        """Read all of it; what training and evaluation cannot use is among its refusals, and raises nothing.

        `on_image` is called with the numbers of images that are read and that there are.
        """

    def scan(self, root: Path) -> FoundDataset:
        """The same; what training and evaluation cannot use is refused, all of it in one error."""

    def recorded(self, root: Path) -> tuple[ImageRecord, ...] | None:
        """The manifest in the folder, or None."""

    def ground_truth(self, root: Path, manifest: DatasetManifest, split: Split) -> tuple[GroundTruth, ...]:
        """The boxes that count in training and evaluation, in pixels and in the manifest's order.

        Raises `DatasetError` where a label file is not the one that the manifest recorded.
        """

    def write(
        self, root: Path, *, classes: tuple[str, ...], pictures: Iterable[LabelledImage], origin: dict[str, str]
    ) -> DatasetManifest:
        """Write pictures, labels and manifest, swapped in whole: a failure leaves the former data untouched."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckedPicture:
    """An image file that training can use; `likeness` is None for a uniform image, `findings` are what is odd."""

    sha256: str
    width_px: int
    height_px: int
    likeness: Likeness | None = None
    findings: tuple[FindingKind, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerImport:
    """What the data set's folder holds of an earlier import: its classes, the split of each picture by its hash."""

    classes: tuple[str, ...]
    origin: Mapping[str, str] = field(default_factory=dict)
    splits: Mapping[str, Split] = field(default_factory=dict)


class ImportFolder(Protocol):
    """Where imported data are written, and read again for export."""

    def pictures(self, root: Path) -> tuple[Path, ...]:
        """Every image file below a folder."""

    def columns(self, root: Path, images: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """Columns of the images of a source by path, as `attributes.csv` has them; raises `DatasetError`."""

    def check_pictures(self, paths: Sequence[Path]) -> Iterator[CheckedPicture | DatasetError]:
        """Decode each image as training does, in this order; a `DatasetError` in place of one that it could not use."""

    def former(self, root: Path) -> FormerImport | None:
        """The import that is there; None for a free place; raises `DatasetError` for anything else."""

    def write(
        self,
        root: Path,
        dataset: AnnotatedDataset,
        *,
        images_root: Path,
        pictures: Mapping[str, CheckedPicture],
        origin: Mapping[str, str],
        on_image: Callable[[int], None],
    ) -> DatasetManifest:
        """Write images, labels, annotations and manifest, swapped in whole: a failure leaves the former data.

        Every image of the data set has its split, and is found below `images_root`.
        """

    def annotated(self, root: Path) -> AnnotatedDataset:
        """All that is annotated in a data set's folder; the paths are those of its images."""


class AnnotationReader(Protocol):
    """Reads the annotations of a folder in one format; raises one `DatasetError` with all that it refuses."""

    def __call__(self, root: Path) -> AnnotatedDataset: ...


class DatasetExport(Protocol):
    """Writes copies of the images below `images_root`, with annotations in a format, into a new folder."""

    def __call__(
        self, dataset: AnnotatedDataset, images_root: Path, out: Path, format: str, on_image: Callable[[int], None]
    ) -> None: ...


class DatasetFixer(Protocol):
    """Changes files of a data set's folder, and keeps copies of what they were."""

    def fix(self, root: Path, images: Mapping[str, ImageRecord], plan: FixPlan, backup: Path) -> tuple[Fix, ...]:
        """Carry out a plan as far as the files belong to the folder; the copies are below `backup`/files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress:
    """How far a stage of a push or a pull is; 0 where a total is not known."""

    stage: str
    done: int
    files: int
    done_bytes: int = 0
    total_bytes: int = 0


OnTransfer = Callable[[TransferProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedDataset:
    """What a push did: `record` is the file that git is to keep, if the folder has one; `recorded` if it changed.

    `shards` is the number of shards, 0 for single objects, `why` the reason for either; `repacked` shards were left.
    """

    record: str | None
    recorded: bool
    dvc_hash: str
    files: int
    bytes: int
    uploaded_objects: int
    uploaded_bytes: int
    remote: str
    shards: int = 0
    repacked: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PulledDataset:
    """What a pull did."""

    folder: Path
    dvc_hash: str
    files: int
    bytes: int
    downloaded_objects: int
    downloaded_bytes: int
    remote: str


class DatasetStore(Protocol):
    """Keeps the revisions of data sets."""

    def pull(self, root: Path, *, out: Path | None = None, on_progress: OnTransfer = ...) -> PulledDataset | None:
        """Fetch the recorded revision, to `out` if given; None if there is none."""

    def push(
        self, root: Path, *, name: str | None = None, shards: bool | None = None, on_progress: OnTransfer = ...
    ) -> PushedDataset:
        """Record the folder as it is, and keep it where others can pull it; what a recipe makes is kept as recorded.

        `name` is that of the record of a folder outside the project, `shards` whether it goes into shards; None: both
        follow from the folder.
        """

    def recipe(self, root: Path) -> str | None:
        """The name of the recorded recipe that makes the data, or None."""

    def make(self, root: Path) -> bool:
        """Make the data by its recorded recipe and keep the result; False without a recipe."""

    def content_hash(self, root: Path, known: Mapping[str, str] | None = None) -> str | None:
        """The hash of what is in the folder now; `known` are MD5 of files by path, which are not read again."""

    def recorded_hash(self, root: Path) -> str | None: ...


class DatasetRemote(Protocol):
    """Where the revisions of data sets are pushed to and pulled from."""

    def set_remote(self, objects: ObjectStoreAddress, bucket: str) -> ChangeKind | None:
        """Use a bucket of that object store from now on; None where the project keeps no revisions of data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small JPEG of an image, and the size of the image itself, upright, which its boxes refer to."""

    jpeg: bytes
    width_px: int
    height_px: int


class ImageRenderer(Protocol):
    """Makes pictures for people."""

    def thumbnails(self, root: Path, images: Iterable[str]) -> dict[str, Thumbnail]:
        """Small copies of images, by path."""

    def truth_beside_predictions(
        self, root: Path, pairs: Sequence[tuple[GroundTruth, Detections]], *, confidence_threshold: float, out: Path
    ) -> Path:
        """One sheet: each image twice, with its annotated boxes and with what was detected."""
