"""A detector is found by what a person calls it, and its weights are those that were recorded or none at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.errors import NotFoundError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.detectors import NEWEST, Sources, classes_of, find_detector, run_of
from cv_yolo.workflows.register import commit, registered
from tests.builders import NOON, a_new_version, a_proposal
from tests.fakes import FakeExperimentTracker, FakeInspector, a_fake_register

PARAMS = {"epochs": "3", "image_size_px": "416", "device": "cpu", "threads": "2"}


@pytest.fixture
def sources(tmp_path):
    register = a_fake_register()
    return Sources(
        tracker=FakeExperimentTracker(),
        register=register,
        weights=tmp_path / "fetched",
        inspector=FakeInspector(),
        workdir=tmp_path / "inspection",
    )


def a_training(sources, tmp_path, *, name="e3_s416", content=b"weights", threshold=0.4):
    """A finished run in the tracker that keeps its weights; returns its id and their hash."""
    tracker = sources.tracker
    weights = tmp_path / "best.pt"
    weights.write_bytes(content)
    run_id = tracker.start(NewRun(name=name, params=PARAMS, tags={}))
    tracker.log_artifacts(run_id, [weights], "weights")
    tracker.tag(run_id, {"weights_sha256": sha256_of(weights)})
    tracker.log_metrics(run_id, {} if threshold is None else {"final/confidence_threshold": threshold})
    tracker.finish(run_id, RunStatus.FINISHED)
    return run_id, sha256_of(weights)


def a_version_of(run, sources, *stages):
    """A version of that run (its id and its weights' hash), put into the stages one after the other."""
    run_id, sha256 = run
    version = registered(a_new_version(run_id=run_id, weights_sha256=sha256), sources.register)
    for stage in stages:
        proposal = a_proposal(stage=stage, version=version.version, run_id=run_id)
        commit(proposal, sources.register, actor="anna@desk", now=NOON)
    return version


def test_a_run_is_found_with_all_that_determines_its_detections(sources, tmp_path):
    run_id, sha256 = a_training(sources, tmp_path)
    detector = find_detector("e3_s416", sources)
    assert (detector.name, detector.run_id, detector.weights_sha256) == ("e3_s416", run_id, sha256)
    assert detector.settings == PredictionSettings(image_size_px=416)
    assert (detector.confidence_threshold, detector.device, detector.threads) == (0.4, "cpu", 2)
    assert detector.weights.read_bytes() == b"weights"


def test_a_run_that_chose_no_threshold_has_none(sources, tmp_path):
    a_training(sources, tmp_path, threshold=None)
    assert find_detector("e3_s416", sources).confidence_threshold is None


def test_a_run_is_found_by_its_id_or_the_beginning_of_it(sources, tmp_path):
    first, _ = a_training(sources, tmp_path)
    a_training(sources, tmp_path)
    assert find_detector(first, sources).run_id == first
    assert run_of(first[:32], sources).run_id == first


def test_an_unknown_name_is_refused(sources):
    with pytest.raises(NotFoundError, match="nobody: no such run") as refused:
        find_detector("nobody", sources)
    assert "cv-yolo runs" in refused.value.hint


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_a_stage_is_whoever_holds_it(sources, tmp_path, stage):
    a_version_of(a_training(sources, tmp_path, content=b"first"), sources, Stage.STAGING, stage)
    first = find_detector(str(stage), sources)
    assert (first.name, first.weights.read_bytes()) == ("version 1", b"first")
    assert run_of(str(stage), sources).run_id == first.run_id


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_an_empty_stage_has_no_detector(sources, tmp_path, stage):
    a_version_of(a_training(sources, tmp_path), sources)
    with pytest.raises(NotFoundError, match=f"no version is in {stage}"):
        find_detector(str(stage), sources)


def test_a_version_is_found_by_its_number_and_the_newest_by_that_word(sources, tmp_path):
    runs = [a_training(sources, tmp_path, content=content) for content in (b"first", b"second")]
    for run in runs:
        a_version_of(run, sources)
    assert find_detector("1", sources).weights.read_bytes() == b"first"
    assert find_detector(NEWEST, sources).weights.read_bytes() == b"second"
    assert find_detector(NEWEST, sources).name == "version 2"


def test_before_anything_is_registered_there_is_no_newest(sources):
    with pytest.raises(NotFoundError, match="no version is registered"):
        find_detector(NEWEST, sources)


def test_a_version_whose_run_is_gone_is_not_found(sources):
    a_version_of(("0" * 32, "a" * 64), sources)
    with pytest.raises(NotFoundError):
        find_detector("1", sources)


@pytest.mark.parametrize("name", ["mine.pt", "mine.onnx"])
def test_a_weights_file_is_itself_and_belongs_to_no_run(sources, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"somebody's")
    detector = find_detector(name, sources)
    assert (detector.name, detector.weights) == (name, tmp_path / name)
    assert detector.weights_sha256 == sha256_of(tmp_path / name)
    assert (detector.run_id, detector.confidence_threshold) == (None, None)
    assert run_of(name, sources) is None


@pytest.mark.parametrize("trusted", [False, True])
def test_a_weights_file_alone_can_be_trusted(sources, tmp_path, trusted):
    (tmp_path / "mine.pt").write_bytes(b"somebody's")
    a_training(sources, tmp_path)
    assert find_detector(str(tmp_path / "mine.pt"), sources, trusted=trusted).trusted is trusted
    assert not find_detector("e3_s416", sources, trusted=trusted).trusted


@pytest.mark.parametrize("name", ["a.torchscript", "a.engine", "a.yaml", "a.pth", "a.PT", "a.bin"])
def test_a_file_of_another_kind_is_refused_as_one(sources, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(b"somebody's")
    for find in (find_detector, run_of):
        with pytest.raises(WeightsError, match=f"{name}: not a weights file that can be scored"):
            find(name, sources)


@pytest.mark.parametrize(("reported", "used"), [(None, 640), (320, 320)])
def test_the_image_size_of_a_weights_file_can_be_given(sources, tmp_path, reported, used):
    (tmp_path / "mine.pt").write_bytes(b"somebody's")
    detector = find_detector(str(tmp_path / "mine.pt"), sources, image_size_px=reported)
    assert detector.settings.image_size_px == used


def test_the_image_size_of_a_run_is_the_one_it_was_trained_for(sources, tmp_path):
    a_training(sources, tmp_path)
    assert find_detector("e3_s416", sources, image_size_px=64).settings.image_size_px == 416


def test_a_weights_file_that_is_missing_is_named(sources):
    with pytest.raises(WeightsError, match=r"none\.onnx: no such weights file"):
        find_detector("none.onnx", sources)


def fetched(sources):
    return sorted(sources.weights.glob("*")) if sources.weights.exists() else []


def test_weights_are_fetched_once_and_kept_by_their_hash(sources, tmp_path):
    run_id, sha256 = a_training(sources, tmp_path)
    find_detector(run_id, sources)
    (tmp_path / "best.pt").write_bytes(b"changed in the store")
    sources.tracker.log_artifacts(run_id, [tmp_path / "best.pt"], "weights")
    assert find_detector(run_id, sources).weights.read_bytes() == b"weights"
    assert fetched(sources) == [sources.weights / f"{sha256}.pt"]


def test_a_fetched_copy_that_was_damaged_is_fetched_again(sources, tmp_path):
    run_id, sha256 = a_training(sources, tmp_path)
    find_detector(run_id, sources).weights.write_bytes(b"half a fi")
    assert find_detector(run_id, sources).weights.read_bytes() == b"weights"
    assert sha256_of(sources.weights / f"{sha256}.pt") == sha256


def test_weights_that_were_changed_in_the_store_are_refused_and_not_written(sources, tmp_path):
    run_id, _ = a_training(sources, tmp_path)
    (tmp_path / "best.pt").write_bytes(b"a trojan")
    sources.tracker.log_artifacts(run_id, [tmp_path / "best.pt"], "weights")
    with pytest.raises(WeightsError, match="is not what was recorded") as refused:
        find_detector(run_id, sources)
    assert "do not use it" in refused.value.hint
    assert fetched(sources) == []


def test_weights_that_are_not_those_of_the_version_are_refused_whatever_the_run_says(sources, tmp_path):
    run_id, _ = a_training(sources, tmp_path)
    a_version_of((run_id, "f" * 64), sources)
    with pytest.raises(WeightsError, match="its sha256 differs"):
        find_detector("1", sources)
    assert fetched(sources) == []


def test_a_run_that_left_no_weights_is_no_detector(sources):
    run_id = sources.tracker.start(NewRun(name="e3_s416", params=PARAMS, tags={}))
    sources.tracker.finish(run_id, RunStatus.FAILED, "out of memory")
    with pytest.raises(WeightsError, match="left no weights") as refused:
        find_detector("e3_s416", sources)
    assert "it ended as failed" in refused.value.hint


def test_weights_that_were_recorded_and_are_kept_no_more_are_lost(sources):
    run_id = sources.tracker.start(NewRun(name="e3_s416", params=PARAMS, tags={"weights_sha256": "a" * 64}))
    with pytest.raises(WeightsError, match=f"{run_id[:8]}\\) keeps no weights"):
        find_detector("e3_s416", sources)


def test_a_path_with_folders_is_called_by_its_name(sources, tmp_path):
    folder = tmp_path / "staging"
    folder.mkdir()
    (folder / "best.pt").write_bytes(b"somebody's")
    assert find_detector(str(folder / "best.pt"), sources).name == "best.pt"
    assert isinstance(find_detector(str(folder / "best.pt"), sources).weights, Path)


def test_a_run_knows_the_classes_that_its_record_names(sources, tmp_path):
    run_id, _ = a_training(sources, tmp_path)
    assert find_detector(run_id, sources).classes is None
    sources.tracker.tag(run_id, {"classes": '["person", "dog"]'})
    assert find_detector(run_id, sources).classes == ("person", "dog")


def test_the_classes_of_a_version_are_those_of_its_record_else_of_its_run_else_of_its_weights(sources, tmp_path):
    version = a_version_of(a_training(sources, tmp_path), sources)
    sources.inspector.by_sha256[version.weights_sha256] = ("by the weights",)
    assert classes_of(version, sources) == ("by the weights",)
    sources.tracker.tag(version.run_id, {"classes": '["by the run"]'})
    assert classes_of(version, sources) == ("by the run",)
    assert classes_of(replace(version, classes=("by its record",)), sources) == ("by its record",)
    assert len(sources.inspector.requests) == 1


def test_the_classes_of_a_version_whose_run_is_gone_are_not_guessed(sources):
    version = a_version_of(("0" * 32, "a" * 64), sources)
    with pytest.raises(NotFoundError):
        classes_of(version, sources)
