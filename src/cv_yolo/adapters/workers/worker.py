"""The worker's end: do what the request says, in this process, for as long as the supervisor is there."""

import os
import sys
import threading
from pathlib import Path
from typing import Final

from cv_yolo.adapters.workers.messages import (
    ChildError,
    PredictionMessage,
    Request,
    append,
    describe,
    read,
    to_message,
    write,
)
from cv_yolo.domain.training.specs import TrainingRequest, TrainingResult
from cv_yolo.ports.models import PredictionRequest, Predictor, Trainer, WeightsInfo, WeightsInspector

ORPHAN_EXIT_CODE: Final = 113


def serve(folder: Path, *, trainer: Trainer, predictor: Predictor, inspector: WeightsInspector) -> int:
    """Do what `request.json` says; returns the exit code of the process, which exits when its standard input closes."""
    _end_with_supervisor()
    try:
        request = read(folder / "request.json", Request)
        if isinstance(request, TrainingRequest):
            result = trainer.train(request, on_epoch=lambda epoch: append(folder / "events.jsonl", epoch))
            write(folder / "result.json", result, TrainingResult)
        elif isinstance(request, PredictionRequest):
            write(folder / "result.json", to_message(predictor.predict(request)), PredictionMessage)
        else:
            write(folder / "result.json", inspector.inspect(request), WeightsInfo)
    except Exception as error:  # whatever it is, the supervisor reports it
        write(folder / "error.json", describe(error), ChildError)
        raise
    return 0


def _end_with_supervisor() -> None:
    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):  # empty at the end: the supervisor has exited
            continue
        os._exit(ORPHAN_EXIT_CODE)

    threading.Thread(target=watch, daemon=True).start()
