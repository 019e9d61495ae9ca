"""The two documented entry points; everything else is in `cv_yolo`."""
