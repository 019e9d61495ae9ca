"""Lets `python -m src.zenml_pipelines.…` work from a bare clone: puts this folder on the import path."""

import sys
from pathlib import Path

_FOLDER = str(Path(__file__).resolve().parent)
if _FOLDER not in sys.path:
    sys.path.insert(0, _FOLDER)
