"""Rules and values of operating servers: health, snapshots, backup manifests; of detectors, see `cv_yolo.domain`."""
