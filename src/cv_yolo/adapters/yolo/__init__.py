"""A folder in YOLO's layout behind the port `DatasetFolder`: `data.yaml`, images, labels, `manifest.json`."""
