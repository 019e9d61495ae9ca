"""A process that records a run while the server is gone, and is killed before it is back."""

import os
import sys
import time
from pathlib import Path

from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.ports.records import NewRun
from tests.integration.tracking_server import a_tracker


def main(uri: str, folder: Path) -> None:
    """Start a run, wait until the server is gone, record epochs, and wait to be killed."""
    tracker = a_tracker(uri, folder / "outbox")
    run_id = tracker.start(NewRun(name="killed", params={"epochs": "5"}, tags={}))
    (folder / "started").write_text(run_id, encoding="utf-8")
    while not (folder / "server is gone").exists():
        time.sleep(0.05)
    for number in range(1, 6):
        tracker.log_epoch(run_id, EpochMetrics(epoch=number, values={"val/map_50": number / 10}))
    (folder / "recorded").touch()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    main(sys.argv[1], Path(sys.argv[2]))
