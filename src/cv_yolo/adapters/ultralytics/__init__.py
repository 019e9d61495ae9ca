"""Ultralytics (AGPL-3.0) behind the ports of models; meant to run in a child process of its own."""

from cv_yolo.adapters.ultralytics.inspector import UltralyticsInspector

__all__ = ["UltralyticsInspector"]
