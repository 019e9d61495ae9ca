"""One module for each outside service, as its operator sees it; as a user of it, see `cv_yolo.adapters`."""
