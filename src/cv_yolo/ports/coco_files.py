"""Where annotated images and detections come from without a data set."""

from pathlib import Path
from typing import Protocol

from cv_yolo.domain.evaluation.image_sets import AnnotatedImages, DetectedImages


class CocoFiles(Protocol):
    """Reads COCO's annotations and results: from a file, or from the same content as values of Python."""

    def truth(self, source: Path | object, *, name: str) -> AnnotatedImages:
        """The annotated images; raises `DatasetError` with everything that is wrong."""

    def results(self, source: Path | object, truth: AnnotatedImages, *, name: str) -> DetectedImages:
        """The detections in these images; raises `DatasetError` with everything that is wrong."""
