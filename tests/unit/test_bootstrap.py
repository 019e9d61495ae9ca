"""The wiring: each part speaks its port, is made on first use, and finds the same folders."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from cv_yolo.bootstrap import Bootstrap
from cv_yolo.domain.progress import Event, EventKind
from cv_yolo.settings import Settings


@pytest.fixture
def parts(tmp_path: Path) -> Bootstrap:
    return Bootstrap(Settings(root=tmp_path))


def test_parts_that_hold_state_are_made_once(parts: Bootstrap) -> None:
    assert parts.children is parts.children
    assert parts.dataset_folder is parts.dataset_folder
    assert parts.dataset_store is parts.dataset_store
    assert parts.pretrained_weights is parts.pretrained_weights
    assert parts.gallery is parts.gallery


def test_children_find_the_same_project_and_may_cache_their_bytecode(
    parts: Bootstrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    children = parts.children
    assert children._command == (sys.executable, "-m", "cv_yolo", "worker")
    assert children._environment["CV_YOLO_ROOT"] == str(parts.settings.root)
    assert children._environment["CV_YOLO_HOME"] == str(parts.home)
    assert children._environment["PYTHONPATH"].endswith(os.pathsep + "somewhere")
    assert "PYTHONDONTWRITEBYTECODE" not in children._environment
    assert parts.settings.isolation().items() <= children._environment.items()


def test_the_painter_paints_the_size_it_is_asked_for(parts: Bootstrap) -> None:
    pixels, boxes = parts.paint(np.random.default_rng(0), size_px=96)
    assert pixels.shape == (96, 96, 3)
    assert boxes.shape[1] == 4


def test_the_journal_of_a_pipeline_run_is_in_its_folder(parts: Bootstrap) -> None:
    parts.journal("grid-1").write(Event(kind=EventKind.NOTE, text="hello"))
    assert (parts.settings.runs / "grid-1" / "journal.jsonl").is_file()


def test_origin_and_code_version_are_those_of_the_project(parts: Bootstrap) -> None:
    assert parts.origin_tags()["git_commit"] == "unknown"
    assert len(parts.code_version()) == 64
