"""Which classes a run was trained for: as it records them, or not known."""

import pytest

from cv_yolo.domain.data.class_names import CLASSES_NAME, as_json, as_tags
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.class_names import recorded
from tests.fakes import FakeExperimentTracker

MANY = tuple(f"class number {number}" for number in range(400))


@pytest.fixture
def tracker():
    return FakeExperimentTracker()


def a_run_of(tracker, tags, tmp_path, content=None):
    run_id = tracker.start(NewRun(name="e3_s320", params={}, tags=tags))
    if content is not None:
        (tmp_path / CLASSES_NAME).write_text(content, encoding="utf-8")
        tracker.log_artifacts(run_id, [tmp_path / CLASSES_NAME])
    return tracker.get(run_id)


def test_a_run_names_its_classes_in_a_tag(tracker, tmp_path):
    assert recorded(a_run_of(tracker, as_tags(("person", "dog")), tmp_path), tracker) == ("person", "dog")


def test_a_run_of_an_earlier_version_names_none(tracker, tmp_path):
    assert recorded(a_run_of(tracker, {}, tmp_path, as_json(MANY)), tracker) is None


def test_names_too_long_for_a_tag_are_in_a_file(tracker, tmp_path):
    assert recorded(a_run_of(tracker, as_tags(MANY), tmp_path, as_json(MANY)), tracker) == MANY


@pytest.mark.parametrize("content", [None, "", as_json(MANY[::-1])])
def test_a_file_that_is_gone_or_another_one_names_none(tracker, tmp_path, content):
    assert recorded(a_run_of(tracker, as_tags(MANY), tmp_path, content), tracker) is None
