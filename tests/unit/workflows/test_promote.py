"""A grid's best run and a version that a person names are promoted by the same use case."""

import json

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.promotion.decision import Verdict
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.workflows.evaluate import detector_of, needs_threshold, with_threshold
from cv_yolo.workflows.promote import GridCandidates, promote
from cv_yolo.workflows.report import Origin, RunEvidence
from tests.fakes import FakeImageRenderer
from tests.unit.workflows.test_decide import World


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def promoted(world, candidates):
    return promote(
        candidates,
        world.context(),
        actor="anna@desk",
        origin=Origin(tags={"git_commit": "c0ffee", "git_dirty": "false"}),
        renderer=FakeImageRenderer(),
        folder=world.folder / "decisions",
    )


def grid_of(world, *detectors, failures=None):
    run_ids = [each.run_id for each in detectors]
    models = [world.models[run_id][0] for run_id in run_ids]
    return GridCandidates(models=models, evidence=RunEvidence(run_ids=run_ids, evaluations={}, failures=failures or {}))


def test_the_best_run_of_a_grid_gets_the_stage_and_a_page(world):
    better, worse = world.evaluated("better"), world.evaluated("worse", misses=range(40))
    done = promoted(world, grid_of(world, worse, better))
    assert (done.decision.verdict, done.decision.chosen) == (Verdict.PROMOTE, better.run_id)
    (version,) = world.register.tracking.versions()
    assert (version.run_id, version.stage) == (better.run_id, Stage.STAGING)
    assert done.page.read_text(encoding="utf-8") == done.html
    assert done.page.with_suffix(".md").is_file()
    kept = json.loads(world.tracker.artifact(better.run_id, f"decision/{done.page.stem}.json"))
    assert (kept["images"], kept["subject"]["split"]) == (40, "test")


def test_a_version_that_a_person_names_goes_the_same_way(world):
    detector = world.evaluated("mine")
    named, best = promoted(world, detector), promoted(world, grid_of(world, detector))
    assert named.decision.promotes
    assert named.decision.selection is None
    assert best.decision.changes_nothing
    assert [entry.actor for entry in world.register.log.entries()] == ["anna@desk"]


def test_where_no_run_ended_with_proof_the_page_says_so_and_nothing_is_registered(world):
    model = world.trained("unproven")
    world.tracker.finish(model.run_id, RunStatus.FAILED, "out of memory")
    evidence = RunEvidence(run_ids=[model.run_id], evaluations={}, failures={"unproven": "out of memory"})
    done = promoted(world, GridCandidates(models=[], evidence=evidence))
    assert (done.decision.verdict, done.decision.chosen) == (Verdict.REJECT, None)
    assert "out of memory" in done.html
    assert world.register.tracking.versions() == ()


def test_val_chooses_the_threshold_that_a_detector_lacks(world):
    evaluated = world.evaluated("mine")
    bare = world.models[evaluated.run_id][0]
    detector = detector_of(bare)
    assert needs_threshold(detector, Split.TEST)
    assert not needs_threshold(detector, Split.VAL)
    assert not needs_threshold(evaluated, Split.TEST)
    chosen = with_threshold(detector, world.manifest, world.examination)
    assert chosen.confidence_threshold == evaluated.confidence_threshold
