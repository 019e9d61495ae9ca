"""What `model.json` says of a detector follows from its run, its version and the audit log."""

from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.promotion.audit import Action
from cv_yolo.domain.promotion.model_card import ModelCard, WeightsFile
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from tests.builders import a_log, a_run

STAGING, PRODUCTION, ARCHIVED = Stage
VERSION = ModelVersion(model="cv_yolo_tiny", version="3", run_id="run-3", weights_sha256="a" * 64)


def a_card(**changes):
    """A version in no stage, without a log."""
    values = {
        "model": "cv_yolo_tiny",
        "run": a_run(),
        "experiment": "cv_yolo_tiny",
        "version": VERSION,
        "stage": None,
        "classes": ("person",),
        "settings": PredictionSettings(image_size_px=320),
        "confidence_threshold": 0.4,
        "interval_confidence": 0.95,
        "entries": (),
        "weights": WeightsFile(name="model.pt", sha256="a" * 64, bytes=7),
    }
    return ModelCard(**(values | changes)).as_json()


def test_it_says_what_prediction_needs():
    card = a_card()
    assert (card["classes"], card["image_size_px"], card["letterbox"]) == (["person"], 320, "square")
    assert (card["confidence_threshold"], card["iou_threshold"], card["max_detections"]) == (0.4, 0.7, 300)
    assert card["files"] == [{"name": "model.pt", "sha256": "a" * 64, "bytes": 7}]


def test_metrics_have_their_intervals_and_the_threshold_is_none_of_them():
    metrics = {"final/map_50": 0.6, "final/confidence_threshold": 0.3, "interval/map_50/low": 0.5, "loss": 1.0}
    run = a_run(metrics=metrics, params={"images_val": "12"})
    assert a_card(run=run)["metrics"] == {
        "split": "val",
        "images": 12,
        "interval_confidence": 0.95,
        "values": {"map_50": {"value": 0.6, "low": 0.5, "high": None}},
    }


def test_a_run_of_an_earlier_version_does_not_say_how_many_images_there_were():
    assert a_card(run=a_run())["metrics"]["images"] is None


def test_the_data_are_named_by_their_revision():
    tags = {"dataset": "mine", "dataset_revision": "r" * 64, "dvc_hash": "none"}
    assert a_card(run=a_run(tags=tags))["data"] == {"name": "mine", "revision": "r" * 64, "dvc_hash": None}
    assert a_card(run=a_run(tags=tags | {"dvc_hash": "d.dir"}))["data"]["dvc_hash"] == "d.dir"
    assert a_card(run=a_run(tags={}))["data"] == {"name": None, "revision": None, "dvc_hash": None}


def test_a_run_without_a_version_has_neither_stage_nor_decision():
    card = a_card(version=None, entries=a_log((Action.PROMOTED, STAGING, "3")))
    assert (card["version"], card["stage"], card["decision"]) == (None, None, None)


def test_the_stage_is_given_with_who_put_it_there_and_when():
    entries = a_log((Action.PROMOTED, STAGING, "3"))
    card = a_card(stage=STAGING, entries=entries)
    assert card["stage"] == {
        "name": "staging",
        "action": "promoted",
        "by": "anna@desk",
        "at": "2025-03-04T12:00:00+00:00",
    }
    assert (card["decision"]["id"], card["decision"]["verdict"], card["decision"]["by"]) == (
        "decision-7",
        "promote",
        "anna@desk",
    )
    assert card["decision"]["entry_sha256"] == entries[0].sha256


def test_an_archived_version_is_where_another_one_left_it():
    entries = a_log((Action.PROMOTED, STAGING, "3"), (Action.PROMOTED, STAGING, "4"))
    card = a_card(stage=ARCHIVED, entries=entries)
    assert card["stage"] == {"name": "archived", "action": None, "by": None, "at": None}
    assert card["decision"]["entry"] == 1, "about this version, not about the other"


def test_the_decision_is_that_about_its_stage_and_the_last_one_where_there_is_none():
    entries = a_log((Action.PROMOTED, STAGING, "3"), (Action.JUDGED, PRODUCTION, "3"))
    assert a_card(stage=STAGING, entries=entries)["decision"]["stage"] == "staging"
    assert a_card(entries=entries)["decision"]["stage"] == "production"


def test_weights_have_ultralytics_licence_and_data_what_they_say_of_themselves():
    assert a_card()["licences"] == {"weights": "AGPL-3.0", "data": None}
    assert a_card(data_licence="CC BY 4.0")["licences"]["data"] == "CC BY 4.0"
