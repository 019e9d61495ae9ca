"""`python -m src.zenml_pipelines.run_yolo_pipeline_grid` is `cv-yolo grid`."""

import sys

from cv_yolo.cli.main import run

if __name__ == "__main__":
    sys.exit(run(["grid", *sys.argv[1:]]))
