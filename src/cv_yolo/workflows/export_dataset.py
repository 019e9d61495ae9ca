"""Hand on a data set in another format, with copies of its images."""

from collections.abc import Callable
from pathlib import Path

from cv_yolo.domain.data.annotated import AnnotatedDataset
from cv_yolo.ports.datasets import DatasetExport, ImportFolder


def export_dataset(
    root: Path,
    out: Path,
    *,
    format: str,
    folder: ImportFolder,
    export: DatasetExport,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> AnnotatedDataset:
    """Write all of a data set to a new folder in that format; returns what was written. Raises `DatasetError`."""
    dataset = folder.annotated(root)
    total = len(dataset.images)
    export(dataset, root, out, format, lambda done: on_image(done, total))
    return dataset
