"""`python -m src.zenml_pipelines.run_yolo_pipeline_baseline` is `cv-yolo baseline`."""

import sys

from cv_yolo.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["baseline", *sys.argv[1:]]))
