"""A detector is handed over whole and verified, or not at all, and a folder of somebody else stays as it is."""

import json

import pytest

from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.errors import ConfigError, NotFoundError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows import get_model
from cv_yolo.workflows.get_model import find_model, write_model
from cv_yolo.workflows.register import commit, registered
from tests.builders import NOON, a_new_version, a_proposal
from tests.fakes import fake_sources

PARAMS = {"epochs": "3", "image_size_px": "416", "device": "cpu", "threads": "2"}


@pytest.fixture
def sources(tmp_path):
    return fake_sources(tmp_path)


@pytest.fixture
def trained(sources, tmp_path):
    """Makes a run with weights and an evaluation; returns its id."""

    def train(*, name="e3_s416", content=b"weights", status=RunStatus.FINISHED):
        tracker, weights = sources.tracker, tmp_path / "best.pt"
        weights.write_bytes(content)
        run_id = tracker.start(NewRun(name=name, params=PARAMS, tags={"dataset": "mine"}))
        tracker.log_artifacts(run_id, [weights], "weights")
        tracker.tag(run_id, {"weights_sha256": sha256_of(weights)})
        tracker.log_metrics(run_id, {"final/confidence_threshold": 0.4, "final/map_50": 0.6})
        if status is not RunStatus.RUNNING:
            tracker.finish(run_id, status)
        return run_id

    return train


def staged(sources, run_id, *stages):
    """The run as a version, put into these stages one after the other."""
    sha256 = sources.tracker.get(run_id).tags["weights_sha256"]
    version = registered(a_new_version(run_id=run_id, weights_sha256=sha256), sources.register)
    for stage in stages:
        proposal = a_proposal(stage=stage, version=version.version, run_id=run_id)
        commit(proposal, sources.register, actor="anna@desk", now=NOON)
    return version.version


def got(name, sources, **given):
    return find_model(name, sources, experiment="cv_yolo_tiny", **given)


def test_a_stage_is_written_with_its_card_and_the_same_again_changes_nothing(sources, trained, tmp_path):
    staged(sources, trained(), Stage.STAGING)
    found, out = got("staging", sources), tmp_path / "out" / "model"
    assert write_model(found, out) is True
    card = json.loads((out / "model.json").read_text("utf-8"))
    assert card == found.card.as_json()
    assert (card["version"], card["stage"]["name"], card["decision"]["id"]) == ("1", "staging", "decision-7")
    assert card["files"][0]["sha256"] == sha256_of(out / "model.pt")
    before = (out / "model.pt").stat()
    assert write_model(got("staging", sources), out) is False
    assert (out / "model.pt").stat() == before
    assert sorted(each.name for each in out.iterdir()) == ["model.json", "model.pt"]


def test_a_run_is_found_with_the_version_that_it_is_registered_as(sources, trained):
    staged(sources, trained())
    assert got("e3_s416", sources).card.version.version == "1"
    trained(name="e5_s416")
    assert got("e5_s416", sources).card.version is None


def test_the_data_set_says_its_licence_if_it_can(sources, trained):
    trained()
    found = got("e3_s416", sources, data_licence=lambda run: f"licence of {run.tags['dataset']}")
    assert found.card.as_json()["licences"]["data"] == "licence of mine"
    assert got("e3_s416", sources).card.data_licence is None


def test_the_level_of_the_intervals_is_that_of_the_evaluation(sources, trained, tmp_path):
    run_id = trained()
    assert got("e3_s416", sources).card.interval_confidence is None
    (tmp_path / "evaluation.json").write_text('{"resampling": {"confidence": 0.9}}', encoding="utf-8")
    sources.tracker.log_artifacts(run_id, [tmp_path / "evaluation.json"], "evaluation/val")
    assert got("e3_s416", sources).card.interval_confidence == 0.9


def test_what_the_decision_measured_on_the_test_images_is_handed_over(sources, trained, tmp_path):
    run_id = trained()
    staged(sources, run_id, Stage.STAGING)
    assert got("staging", sources).card.as_json()["test_metrics"] is None, "decided by an earlier version"
    evaluation = {
        "images": 40,
        "resampling": {"confidence": 0.9},
        "figures": {
            "map_50": {"value": 0.6, "interval": {"low": 0.5, "high": 0.7, "method": "bca"}},
            "map_small": {"value": 0.1, "interval": None},
            "class/person/ap_50": {"value": 0.6, "interval": None},
        },
    }
    for decision, content in (("decision-6", {}), ("decision-7", evaluation)):
        (tmp_path / f"2025-03-04-{decision}.json").write_text(json.dumps(content), encoding="utf-8")
        sources.tracker.log_artifacts(run_id, [tmp_path / f"2025-03-04-{decision}.json"], "decision")
    assert got("staging", sources).card.as_json()["test_metrics"] == {
        "split": "test",
        "images": 40,
        "interval_confidence": 0.9,
        "values": {
            "map_50": {"value": 0.6, "low": 0.5, "high": 0.7},
            "map_small": {"value": 0.1, "low": None, "high": None},
        },
    }


@pytest.mark.parametrize("name", ["production", "9", "absent"])
def test_what_is_missing_is_refused_with_what_there_is(sources, trained, name):
    staged(sources, trained(), Stage.STAGING)
    staged(sources, trained(name="e5_s416"))
    with pytest.raises(NotFoundError, match=f"{name}") as refused:
        got(name, sources)
    assert refused.value.hint == "there are the versions 2, 1 (staging) and the finished runs e5_s416, e3_s416"


def test_long_lists_of_what_there_is_are_cut(sources, trained):
    for number in range(7):
        trained(name=f"e{number}_s416")
    with pytest.raises(NotFoundError) as refused:
        got("absent", sources)
    assert refused.value.hint == (
        "there are the versions – and the finished runs e6_s416, e5_s416, e4_s416, e3_s416, e2_s416, …"
    )


def test_where_nothing_is_recorded_the_way_to_something_is_given(sources):
    with pytest.raises(NotFoundError, match="no version is in staging") as refused:
        got("staging", sources)
    assert refused.value.hint == "nothing is recorded yet: `cv-yolo grid` trains and registers"


def test_a_version_without_a_finished_run_says_so(sources):
    registered(a_new_version(run_id="run-1"), sources.register)
    with pytest.raises(NotFoundError) as refused:
        got("7", sources)
    assert refused.value.hint == "there are the versions 1 and the finished runs –"


def test_a_version_number_is_not_taken_for_the_beginning_of_a_run(sources, trained):
    assert trained().startswith("0000")
    with pytest.raises(NotFoundError, match="0000: no such version of cv_yolo_tiny"):
        got("0000", sources)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.RUNNING])
def test_a_run_without_proof_is_refused(sources, trained, status):
    trained(status=status)
    with pytest.raises(WeightsError, match=f"is {status}: only a finished run"):
        got("e3_s416", sources)


def test_a_folder_with_other_content_is_refused_and_with_force_only_our_files_are_replaced(sources, trained, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine", encoding="utf-8")
    (out / "model.pt").write_bytes(b"another model")
    trained()
    found = got("e3_s416", sources)
    with pytest.raises(ConfigError, match=r"has other content: notes.txt, model.pt"):
        write_model(found, out)
    assert (out / "model.pt").read_bytes() == b"another model"
    assert write_model(found, out, force=True) is True
    assert (out / "model.pt").read_bytes() == b"weights"
    assert (out / "notes.txt").read_text("utf-8") == "mine"
    assert write_model(found, out, force=True) is False


def test_what_an_interrupted_command_left_is_completed(sources, trained, tmp_path):
    trained()
    out = tmp_path / "out"
    out.mkdir()
    (out / "model.pt").write_bytes(b"weights")
    assert write_model(got("e3_s416", sources), out) is True
    assert (out / "model.json").is_file()


def test_a_file_in_the_place_of_the_folder_is_refused(sources, trained, tmp_path):
    trained()
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file: not a folder"):
        write_model(got("e3_s416", sources), tmp_path / "file" / "model")


def test_weights_that_changed_since_they_were_found_are_refused(sources, trained, tmp_path):
    trained()
    found = got("e3_s416", sources)
    found.weights.write_bytes(b"another")
    with pytest.raises(WeightsError, match="sha256 differs"):
        write_model(found, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_not_written_as_they_were_read_get_no_card(sources, trained, tmp_path, monkeypatch):
    trained()
    found = got("e3_s416", sources)

    def write(path, content):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content[:-1] if path.suffix == ".pt" else content)

    monkeypatch.setattr(get_model, "write_bytes_whole", write)
    with pytest.raises(WeightsError, match="was not written as it was read"):
        write_model(found, tmp_path / "out")
    assert not (tmp_path / "out" / "model.json").exists()


def test_classes_that_no_record_names_are_read_from_the_weights(sources, trained):
    trained()
    assert got("e3_s416", sources).card.classes == ("person",)
    assert len(sources.inspector.requests) == 1


def test_a_card_stands_only_beside_its_weights(sources, trained, tmp_path, monkeypatch):
    trained()
    trained(name="e5_s416", content=b"other weights")
    out = tmp_path / "out"
    write_model(got("e3_s416", sources), out)

    def fails(path, content):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(get_model, "write_bytes_whole", fails)
    with pytest.raises(ConfigError, match=r"model.pt: cannot be written: Input/output error"):
        write_model(got("e5_s416", sources), out, force=True)
    assert [each.name for each in out.iterdir()] == ["model.pt"]
