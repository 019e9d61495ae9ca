"""A written decision shows what it was made from, and is kept in the project and with the run that was chosen."""

from dataclasses import dataclass

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.annotated_images import annotate_images
from cv_yolo.domain.evaluation.evaluation import score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.errors import CvYoloError, NotFoundError
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.decide import DecisionContext, DecisionResult
from cv_yolo.workflows.detectors import Sources
from cv_yolo.workflows.evaluate import SAMPLES_NAME, Examination
from cv_yolo.workflows.report import (
    MOST_IMAGES,
    Origin,
    RunEvidence,
    decision_path,
    report_decision,
    run_reports,
    worst_first,
    write_decision,
)
from tests.builders import (
    NOON,
    a_comparison,
    a_decision,
    a_manifest,
    a_policy,
    a_row,
    a_scored,
    a_selection,
    a_subject,
    a_truth,
    a_version,
    an_evaluation,
    some_detections,
    some_images,
)
from tests.fakes import (
    FakeDatasetFolder,
    FakeExperimentTracker,
    FakeImageRenderer,
    FakeInspector,
    FakePredictionFile,
    FakePredictor,
    a_fake_register,
)

CLEAN = Origin(tags={"git_commit": "c0ffee", "git_dirty": "false"}, pipeline_run="grid-1")


@dataclass
class Desk:
    """Where a decision about two tracked runs, of which the first was chosen, is written."""

    tracker: FakeExperimentTracker
    context: DecisionContext
    chosen: str
    other: str

    def decision(self, **changes):
        rows = (a_row(run_id=self.chosen), a_row(run_id=self.other, name="e5_s320"))
        selection = a_selection(best=self.chosen, chosen=self.chosen, differences={}, within_noise=(self.chosen,))
        return a_decision(**({"rows": rows, "chosen": self.chosen, "selection": selection} | changes))

    def report(self, result=None, *, origin=CLEAN, renderer=None, evidence=None):
        return report_decision(
            result or DecisionResult(decision=self.decision()),
            a_version(),
            self.context,
            renderer=renderer or FakeImageRenderer(),
            origin=origin,
            evidence=evidence
            or RunEvidence(
                run_ids=[self.chosen, self.other],
                evaluations={self.chosen: an_evaluation()},
                failures={"e9_s320": "out of memory"},
            ),
        )


@pytest.fixture
def desk(tmp_path):
    tracker = FakeExperimentTracker()
    sheet = tmp_path / SAMPLES_NAME
    sheet.write_bytes(b"a sheet of samples")
    runs = []
    for name in ("e3_s320", "e5_s320"):
        run_id = tracker.start(NewRun(name=name, params={"epochs": "3", "image_size_px": "320"}, tags={}))
        for epoch in (1, 2):
            values = {"val/map_50": epoch / 10, "train/box_loss": 2.0 / epoch, "lr/pg0": 0.1}
            tracker.log_epoch(run_id, EpochMetrics(epoch=epoch, values=values))
        tracker.log_metrics(run_id, {"final/map_50": 0.6, "duration_s": 3.0, "interval/map_50/low": 0.5})
        tracker.log_artifacts(run_id, [sheet], "evaluation")
        tracker.finish(run_id, RunStatus.FINISHED)
        runs.append(run_id)
    return Desk(tracker, a_court(tracker, tmp_path), *runs)


def a_court(tracker, tmp_path):
    register = a_fake_register()
    return DecisionContext(
        policy=a_policy(),
        stage=Stage.STAGING,
        manifest=a_manifest(),
        examination=Examination(
            predictor=FakePredictor(),
            inspector=FakeInspector(),
            predictions=FakePredictionFile(),
            folder=FakeDatasetFolder(),
            tracker=tracker,
            dataset_root=tmp_path / "data",
            workdir=tmp_path / "work",
            resampling=Resampling(),
        ),
        sources=Sources(
            tracker=tracker,
            register=register,
            weights=tmp_path / "weights",
            inspector=FakeInspector(),
            workdir=tmp_path / "inspection",
        ),
        id="decision-7",
        now=NOON,
    )


def test_a_report_holds_the_decision_its_version_the_data_and_where_it_comes_from(desk):
    report = desk.report()
    assert (report.decision, report.version, report.manifest) == (desk.decision(), a_version(), desk.context.manifest)
    assert (report.pipeline_run, report.git_commit, report.git_dirty) == ("grid-1", "c0ffee", False)
    assert report.failures == {"e9_s320": "out of memory"}


@pytest.mark.parametrize(("reported", "dirty"), [("false", False), ("true", True), ("unknown", True)])
def test_what_is_not_known_to_be_clean_is_called_dirty(desk, reported, dirty):
    origin = Origin(tags={"git_commit": "unknown", "git_dirty": reported})
    assert desk.report(origin=origin).git_dirty is dirty


def test_a_decision_by_hand_has_no_pipeline_run(desk):
    origin = Origin(tags={"git_commit": "c0ffee", "git_dirty": "false"})
    assert desk.report(origin=origin).pipeline_run == ""


def test_each_run_comes_with_its_curves_and_the_chosen_one_with_its_samples(desk):
    first, second = desk.report().runs
    assert (first.run.run_id, second.run.run_id) == (desk.chosen, desk.other)
    assert first.history == {
        "lr/pg0": ((1, 0.1), (2, 0.1)),
        "train/box_loss": ((1, 2.0), (2, 1.0)),
        "val/map_50": ((1, 0.1), (2, 0.2)),
    }
    assert (first.evaluation, second.evaluation) == (an_evaluation(), None)
    assert (first.samples_jpeg, second.samples_jpeg) == (b"a sheet of samples", None)


def test_a_summary_asks_for_no_samples(desk):
    (run,) = run_reports([desk.chosen], {}, desk.tracker, samples_of=None)
    assert run.samples_jpeg is None


def test_samples_that_are_lost_are_not_passed_over(desk):
    run_id = desk.tracker.start(NewRun(name="bare", params={}, tags={}))
    with pytest.raises(NotFoundError, match=SAMPLES_NAME):
        run_reports([run_id], {}, desk.tracker, samples_of=run_id)


def test_without_test_images_no_image_is_shown(desk):
    report = desk.report(DecisionResult(decision=desk.decision(judgement=None)))
    assert (report.annotated, report.thumbnails, report.comparison) == ((), {}, None)


def test_without_a_champion_the_candidates_test_images_are_shown_the_worst_first(desk):
    report = desk.report(DecisionResult(decision=desk.decision(), candidate=a_scored(2)))
    assert [each.image for each in report.annotated] == [f"images/test/{number}.jpg" for number in (2, 0, 1, 3)]
    assert [each.errors for each in report.annotated] == [1, 0, 0, 0]
    assert list(report.thumbnails) == [each.image for each in report.annotated]


def test_with_a_champion_the_images_that_shows_them_apart_are_shown(desk):
    comparison = a_comparison(a_scored(0, 1), a_scored(2))
    report = desk.report(DecisionResult(decision=desk.decision(), candidate=a_scored(2), comparison=comparison))
    assert (report.comparison, report.annotated) == (comparison, ())
    assert list(report.thumbnails) == [f"images/test/{number}.jpg" for number in (2, 1, 0)]


def many_images(count, misses):
    """A model on so many test images with a box each, of which it finds only those not in `misses`."""
    box = (10.0, 10.0, 60.0, 90.0)
    manifest = a_manifest(images=a_manifest().images + some_images(Split.TEST, count))
    images = [each.image for each in manifest.split(Split.TEST)]
    return score(
        a_subject(split=Split.TEST, revision=manifest.revision),
        [a_truth(box, image=image) for image in images],
        [some_detections(*([] if number in misses else [box]), image=image) for number, image in enumerate(images)],
        resampling=Resampling(resamples=20),
        confidence_threshold=0.5,
    )


def test_of_many_images_so_many_are_shown_as_a_page_takes(desk):
    report = desk.report(DecisionResult(decision=desk.decision(), candidate=many_images(30, {29})))
    assert len(report.annotated) == 30
    assert len(report.thumbnails) == MOST_IMAGES
    assert report.annotated[0].image == "images/test/29.jpg"


def test_of_many_changes_so_many_are_shown_as_a_page_takes_of_each_kind(desk):
    comparison = a_comparison(many_images(60, range(30)), many_images(60, range(30, 60)))
    report = desk.report(DecisionResult(decision=desk.decision(), candidate=a_scored(), comparison=comparison))
    assert len(report.thumbnails) == 2 * MOST_IMAGES


def test_of_equal_images_the_smaller_path_comes_first():
    annotated = annotate_images(a_scored(1).matched.table, confidence_threshold=0.5)
    assert [each.image[-5] for each in worst_first(annotated[::-1])] == ["1", "0", "2", "3"]


def test_a_decision_is_kept_twice_in_the_project_and_with_the_chosen_run(desk, tmp_path):
    html = write_decision(desk.report(), tmp_path / "decisions", desk.tracker)
    page = decision_path(desk.decision(), tmp_path / "decisions")
    assert page.name == "2025-03-04-decision-7.html"
    assert page.read_text(encoding="utf-8") == html
    assert html.startswith("<!doctype html>")
    assert page.with_suffix(".md").read_text(encoding="utf-8").startswith("# ")
    for path in (page, page.with_suffix(".md")):
        assert desk.tracker.artifact(desk.chosen, f"decision/{path.name}") == path.read_bytes()
    assert not any(name.startswith("decision/") for name in desk.tracker.kept(desk.other))


def test_a_page_that_cannot_be_written_leaves_the_decision_on_record_and_says_so(desk, tmp_path):
    (tmp_path / "decisions").write_text("in the way", encoding="utf-8")
    with pytest.raises(CvYoloError, match="decision decision-7 is on record, but its page cannot be written"):
        write_decision(desk.report(), tmp_path / "decisions", desk.tracker)


def test_a_decision_without_a_choice_is_kept_in_the_project_only(desk, tmp_path):
    nothing = DecisionResult(decision=desk.decision(chosen=None, selection=None, judgement=None))
    write_decision(desk.report(nothing), tmp_path / "decisions", desk.tracker)
    assert len(list((tmp_path / "decisions").iterdir())) == 2
    kept = desk.tracker.kept(desk.chosen) + desk.tracker.kept(desk.other)
    assert not any(name.startswith("decision/") for name in kept)
