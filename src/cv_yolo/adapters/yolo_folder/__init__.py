"""A folder in YOLO's layout behind the port `DatasetFolder`: `data.yaml`, images, labels, `manifest.json`."""

from cv_yolo.adapters.yolo_folder.folder import YoloFolder
from cv_yolo.adapters.yolo_folder.labels import NO_LABEL

__all__ = ["NO_LABEL", "YoloFolder"]
