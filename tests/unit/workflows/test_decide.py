"""Val chooses, test judges the chosen run only, and what was decided is on record or has not happened."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from cv_yolo.domain.data.data_policy import DataPolicy, PolicyException
from cv_yolo.domain.data.findings import FindingKind, Severity
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.audit import Action
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.decision import Verdict
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.errors import ConfigError, InputError, NotFoundError, PromotionConflictError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import FoundDataset
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.decide import DecisionContext, carry_out, compare, decide_among, decide_on
from cv_yolo.workflows.detectors import Sources, find_detector
from cv_yolo.workflows.evaluate import Examination, detector_of, evaluate
from cv_yolo.workflows.register import commit, holder, judge
from cv_yolo.workflows.train import DATASET_PATH_TAG
from tests.builders import (
    NOON,
    a_gate,
    a_manifest,
    a_policy,
    a_proposal,
    a_spec,
    a_trained_model,
    a_truth,
    an_image,
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

FEW = Resampling(resamples=100)
BOX, OTHER = (10.0, 10.0, 60.0, 90.0), (100.0, 20.0, 180.0, 140.0)


def some_data(*, val=20, test=40):
    return a_manifest(images=some_images(Split.TRAIN, 4) + some_images(Split.VAL, val) + some_images(Split.TEST, test))


@dataclass
class World:
    """A project in memory: data, runs, versions, and a predictor that knows what each detector finds."""

    folder: object
    manifest: object = field(default_factory=some_data)
    policy: object = field(default_factory=lambda: a_policy(resampling=FEW))
    predictor: FakePredictor = field(default_factory=FakePredictor)
    inspector: FakeInspector = field(default_factory=FakeInspector)
    tracker: FakeExperimentTracker = field(default_factory=FakeExperimentTracker)
    dataset: FakeDatasetFolder = field(default_factory=FakeDatasetFolder)
    predictions: FakePredictionFile = field(default_factory=FakePredictionFile)
    models: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)

    def __post_init__(self):
        self.register = a_fake_register()

    @property
    def examination(self):
        root = self.folder / "data"
        truths = [a_truth(BOX, OTHER, image=each.image) for each in self.manifest.images]
        self.dataset.put(root, FoundDataset(classes=("person",), images=self.manifest.images), truths=truths)
        return Examination(
            predictor=self.predictor,
            inspector=self.inspector,
            predictions=self.predictions,
            folder=self.dataset,
            tracker=self.tracker,
            dataset_root=root,
            workdir=self.folder / "work",
            resampling=FEW,
        )

    @property
    def sources(self):
        return Sources(
            tracker=self.tracker,
            register=self.register,
            weights=self.folder / "fetched",
            inspector=self.inspector,
            workdir=self.folder / "inspection",
        )

    def context(self, **changes):
        values = {
            "policy": self.policy,
            "stage": Stage.STAGING,
            "manifest": self.manifest,
            "examination": self.examination,
            "sources": self.sources,
            "id": "d1",
            "now": NOON,
        }
        return DecisionContext(**(values | changes))

    def trained(self, name, *, misses=(), epochs=3):
        """A model of which the run is tracked, and which misses a box in the images of those numbers; its detector."""
        params = {"epochs": str(epochs), "image_size_px": "320", "device": "cpu", "threads": "1"}
        tags = {"dataset_revision": self.manifest.revision, **self.tags}
        run_id = self.tracker.start(NewRun(name=name, params=params, tags=tags))
        model = a_trained_model(self.folder, run_id=run_id, spec=a_spec(epochs=epochs))
        weights = self.folder / f"{run_id}.pt"
        weights.write_text(f"weights of {name}, {run_id}", encoding="utf-8")
        model = replace(model, weights=weights, weights_sha256=sha256_of(weights))
        self.tracker.tag(run_id, {"weights_sha256": model.weights_sha256})
        self.tracker.log_artifacts(run_id, [weights], "weights")
        self.models[run_id] = (model, misses)
        self.look()
        return model

    def look(self):
        """Let every detector see the images that there are now."""
        for model, misses in self.models.values():
            self.predictor.by_sha256[model.weights_sha256] = {
                each.image: some_detections(
                    *((BOX,) if int(each.image.rpartition("/")[2].removesuffix(".jpg")) in misses else (BOX, OTHER)),
                    image=each.image,
                )
                for each in self.manifest.images
            }

    def evaluated(self, name, **how):
        """A trained and evaluated model; its detector, as the pipeline makes it."""
        model = self.trained(name, **how)
        evaluation = evaluate(model, self.manifest, FakeImageRenderer(), self.examination)
        return detector_of(model, confidence_threshold=evaluation.confidence_threshold)

    def among(self, *detectors, **context):
        """The ruling among the runs of these detectors."""
        rows = compare([each.run_id for each in detectors], self.tracker)
        return decide_among(rows, {each.run_id: each for each in detectors}, self.context(**context))

    def promoted(self, name, **how):
        """A model that was promoted into staging; its detector and its version."""
        detector = self.evaluated(name, **how)
        result = self.among(detector, now=NOON)
        version = carry_out(result, detector, self.context(), actor="anna@desk")
        assert result.decision.promotes
        return detector, version

    def requests(self):
        """Which weights were asked for which split since this was asked last."""
        asked = [(each.weights_sha256, each.images[0].split("/")[1]) for each in self.predictor.requests]
        self.predictor.requests.clear()
        return asked

    @property
    def log(self):
        return self.register.log.written


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def check(result, kind):
    (found,) = [each for each in result.decision.checks if each.kind == kind]
    return found


def outcomes(result):
    return {each.kind: str(each.outcome) for each in result.decision.checks}


def test_the_table_is_made_from_the_tracked_runs_in_the_order_asked(world):
    first, second = world.evaluated("e3_s320", misses=range(9)), world.evaluated("e5_s320", epochs=5)
    rows = compare([second.run_id, first.run_id], world.tracker)
    assert [(row.run_id, row.name, row.epochs) for row in rows] == [
        (second.run_id, "e5_s320", 5),
        (first.run_id, "e3_s320", 3),
    ]
    assert rows[0].scores == world.tracker.get(second.run_id).scores
    assert rows[0].scores["map_50"] > rows[1].scores["map_50"]
    assert {row.latency_ms for row in rows} == {12.5}


def test_a_failed_run_is_in_the_table_with_its_reason_and_without_scores(world):
    run_id = world.trained("e3_s320").run_id
    world.tracker.log_metrics(run_id, {"final/map_50": 0.9})
    world.tracker.finish(run_id, RunStatus.FAILED, "RuntimeError: out of memory")
    (row,) = compare([run_id], world.tracker)
    assert (row.status, row.reason, row.scores) == (RunStatus.FAILED, "RuntimeError: out of memory", {})


def test_a_run_without_a_tracked_run_cannot_be_compared(world):
    with pytest.raises(NotFoundError):
        compare(["nowhere"], world.tracker)


def test_a_stage_that_the_policy_says_nothing_about_admits_no_version(world):
    policy = a_policy(gates={Stage.STAGING: a_gate()})
    with pytest.raises(ConfigError, match=r"policy\.yaml: gates: none into production") as refused:
        world.context(policy=policy, stage=Stage.PRODUCTION)
    assert "gates.production" in refused.value.hint


def test_a_first_good_run_is_promoted_with_every_check_recorded(world):
    detector = world.evaluated("e3_s320")
    result = world.among(detector)
    decision = result.decision
    assert (decision.verdict, decision.chosen, decision.champion) == (Verdict.PROMOTE, detector.run_id, None)
    assert (decision.id, decision.made_at, decision.stage, decision.policy) == ("d1", NOON, Stage.STAGING, world.policy)
    assert list(outcomes(result)) == ["proof", "selection", "test_images", "floor", "champion"]
    assert set(outcomes(result).values()) == {"passed"}
    assert not decision.provisional
    assert (check(result, "proof").proven, check(result, "proof").runs) == (1, 1)
    assert (check(result, "selection").chosen, check(result, "selection").scored) == ("e3_s320", 1)
    assert (result.candidate.evaluation.images, result.comparison) == (40, None)


def test_val_chooses_and_test_is_asked_once_and_only_for_the_chosen_run(world):
    good, bad, worse = (
        world.evaluated(name, misses=range(count)) for name, count in (("good", 1), ("bad", 12), ("worse", 15))
    )
    assert [split for _, split in world.requests()] == ["val"] * 3
    result = world.among(bad, good, worse)
    assert result.decision.chosen == good.run_id
    assert world.requests() == [(good.weights_sha256, "test")]
    assert result.decision.judgement.candidate.subject.weights_sha256 == good.weights_sha256


def test_detections_that_are_kept_are_not_made_again_by_a_second_decision(world):
    detectors = [world.evaluated("good"), world.evaluated("bad", misses=range(12))]
    first = world.among(*detectors)
    world.requests()
    second = world.among(*detectors)
    assert world.requests() == []
    assert second.decision.judgement.candidate == first.decision.judgement.candidate


def test_the_chosen_run_is_judged_at_the_threshold_that_it_chose_on_val(world):
    detector = world.evaluated("e3_s320")
    assert world.among(detector).candidate.evaluation.confidence_threshold == detector.confidence_threshold == 0.9


def test_of_runs_that_are_within_noise_the_cheapest_is_chosen(world):
    dear, cheap = world.evaluated("dear", epochs=9), world.evaluated("cheap", misses=(3,), epochs=1)
    result = world.among(dear, cheap)
    assert result.decision.selection.best == dear.run_id
    assert result.decision.chosen == cheap.run_id
    assert check(result, "selection").chosen == "cheap"
    assert (check(result, "selection").within_noise, check(result, "selection").runs) == (2, 2)
    assert world.requests()[-1] == (cheap.weights_sha256, "test")


def test_a_cheaper_run_that_is_surely_worse_is_not_chosen(world):
    dear, cheap = world.evaluated("dear", epochs=9), world.evaluated("cheap", misses=range(12), epochs=1)
    result = world.among(cheap, dear)
    assert result.decision.chosen == dear.run_id
    assert (check(result, "selection").within_noise, check(result, "selection").scored) == (1, 2)


def test_a_failed_run_is_not_chosen_and_is_listed(world):
    good, failed = world.evaluated("good", misses=range(5)), world.trained("failed")
    world.tracker.finish(failed.run_id, RunStatus.FAILED, "out of memory")
    result = world.among(good, detector_of(failed))
    assert result.decision.chosen == good.run_id
    assert [row.name for row in result.decision.failed_rows] == ["failed"]
    assert (check(result, "proof").proven, check(result, "proof").runs) == (1, 2)


def test_where_all_runs_failed_nothing_is_chosen_asked_or_registered(world):
    failed = world.trained("failed")
    world.tracker.finish(failed.run_id, RunStatus.FAILED, "out of memory")
    result = world.among(detector_of(failed))
    assert (result.decision.verdict, result.decision.chosen, result.decision.selection) == (Verdict.REJECT, None, None)
    assert outcomes(result) == {"proof": "failed"}
    assert (world.requests(), result.candidate, result.decision.judgement) == ([], None, None)
    assert carry_out(result, None, world.context(), actor="anna@desk") is None
    assert (world.register.tracking.versions(), world.log) == ((), [])


def test_a_run_without_a_detector_cannot_be_chosen(world):
    good, gone = world.evaluated("good", misses=range(5)), world.evaluated("gone")
    rows = compare([good.run_id, gone.run_id], world.tracker)
    result = decide_among(rows, {good.run_id: good}, world.context())
    assert result.decision.chosen == good.run_id
    assert (check(result, "proof").proven, check(result, "proof").runs) == (1, 2)


def test_a_champion_is_compared_on_the_same_test_images(world):
    champion, version = world.promoted("old", misses=range(4))
    candidate = world.evaluated("new", misses=(30,))
    world.requests()
    result = world.among(candidate)
    assert (result.decision.champion.version, result.decision.champion.name) == (version.version, "old")
    assert world.requests() == [(candidate.weights_sha256, "test")], "the champion's detections are kept"
    judgement = result.decision.judgement
    assert judgement.champion.subject.weights_sha256 == champion.weights_sha256
    assert judgement.champion.subject.split_revision == judgement.candidate.subject.split_revision
    assert judgement.differences["map_50"].value > 0
    assert result.decision.verdict is Verdict.PROMOTE
    assert {change.image for change in result.comparison.broken} == {"images/test/30.jpg"}
    assert {change.image for change in result.comparison.fixed} == {f"images/test/{n}.jpg" for n in range(4)}


def test_a_candidate_that_is_surely_worse_is_rejected(world):
    world.promoted("old")
    result = world.among(world.evaluated("new", misses=range(15)))
    assert (result.decision.verdict, check(result, "champion").outcome) == (Verdict.REJECT, Outcome.FAILED)


def test_a_candidate_that_may_be_worse_is_inconclusive_and_can_be_let_pass(world):
    world.promoted("old", misses=(35, 36))
    candidate = world.evaluated("new", misses=(21, 22, 23))
    result = world.among(candidate)
    assert result.decision.verdict is Verdict.INCONCLUSIVE
    assert result.decision.more_images > 0
    assert not result.decision.promotes
    accepted = world.among(candidate, accepted="the night scenes are needed")
    assert accepted.decision.verdict is Verdict.INCONCLUSIVE
    assert (accepted.decision.promotes, accepted.decision.provisional) == (True, True)


def test_a_champion_measured_on_another_revision_of_the_test_images_is_scored_again(world):
    champion, _ = world.promoted("old")
    candidate = world.evaluated("new")
    world.requests()
    before = world.manifest.split_revision(Split.TEST)
    changed = tuple(
        replace(each, label_sha256="changed") if each.image == "images/test/7.jpg" else each
        for each in world.manifest.images
    )
    world.manifest = a_manifest(images=changed)
    world.look()
    result = world.among(candidate)
    assert world.requests() == [(candidate.weights_sha256, "test"), (champion.weights_sha256, "test")]
    revisions = {each.subject.split_revision for each in (result.candidate.evaluation, result.comparison.first)}
    assert revisions == {world.manifest.split_revision(Split.TEST)}
    assert before not in revisions


@pytest.fixture
def changed_since(world):
    """A candidate to be judged by other test images than the decision before; the revision of those."""
    world.tags = {DATASET_PATH_TAG: "data/mine"}
    world.promoted("old")
    candidate, before = world.evaluated("new"), world.manifest.split_revision(Split.TEST)
    changed = (
        replace(each, label_sha256="changed") if each.split is Split.TEST else each for each in world.manifest.images
    )
    world.manifest = a_manifest(images=tuple(changed))
    world.look()
    return candidate, before


def test_that_the_last_decision_judged_by_other_test_images_is_reported_and_changes_no_verdict(world, changed_since):
    candidate, before = changed_since
    decision = world.among(candidate, is_this_dataset=lambda path: path == "data/mine").decision
    (finding,) = decision.data_findings
    assert (finding.kind, finding.severity) == (FindingKind.TEST_CHANGED, Severity.ERROR)
    assert (finding.subject, finding.places) == (before, (world.manifest.split_revision(Split.TEST),))
    assert (decision.verdict, decision.has_data_errors) == (Verdict.PROMOTE, True)


def test_the_data_policy_says_how_serious_other_test_images_are(world, changed_since):
    candidate, _ = changed_since
    now = world.manifest.split_revision(Split.TEST)
    excepted = PolicyException(rule=FindingKind.TEST_CHANGED, places=(now,), reason="100 more images")
    unused = PolicyException(rule=FindingKind.TEST_CHANGED, places=("former",), reason="50 more images")

    def severities(**policy):
        context = {"is_this_dataset": lambda path: True, "data_policy": DataPolicy(**policy)}
        decision = world.among(candidate, **context).decision
        assert not decision.has_data_errors
        return [finding.severity for finding in decision.data_findings]

    rule = FindingKind.TEST_CHANGED
    assert severities(severities={rule: Severity.WARNING}, exceptions=(unused,)) == [Severity.WARNING]
    assert severities(severities={rule: Severity.OFF}) == []
    assert severities(exceptions=(excepted,)) == []


def test_the_same_test_images_and_those_of_another_data_set_are_no_finding(world, changed_since):
    candidate, _ = changed_since
    assert world.among(candidate).decision.data_findings == ()
    context = world.context(is_this_dataset=lambda path: True)
    carry_out(decide_on(candidate, context), candidate, context, actor="anna@desk")
    third = world.evaluated("third")
    assert decide_on(third, context).decision.data_findings == ()


def test_more_training_images_leave_the_champions_test_score_in_use(world):
    world.promoted("old")
    world.manifest = a_manifest(
        images=(*world.manifest.images, an_image(split=Split.TRAIN, image="images/train/99.jpg"))
    )
    world.look()
    candidate = world.evaluated("new")
    world.requests()
    world.among(candidate)
    assert world.requests() == [(candidate.weights_sha256, "test")]


def test_the_champion_itself_is_not_judged_again_and_nothing_changes(world):
    champion, version = world.promoted("old")
    entries = list(world.log)
    world.requests()
    result = world.among(champion)
    decision = result.decision
    assert (decision.verdict, decision.changes_nothing, decision.judgement) == (Verdict.PROMOTE, True, None)
    already = check(result, "already_in_stage")
    assert (already.outcome, already.stage, already.version) == (Outcome.PASSED, Stage.STAGING, version.version)
    assert carry_out(result, champion, world.context(), actor="anna@desk") == holder(Stage.STAGING, world.register)
    assert (world.requests(), world.log) == ([], entries)


def test_too_few_test_images_settle_nothing(world):
    world.manifest = some_data(test=29)
    result = world.among(world.evaluated("e3_s320"))
    assert result.decision.verdict is Verdict.INCONCLUSIVE
    assert (check(result, "test_images").measured, check(result, "test_images").required) == (29, 30)
    assert result.decision.more_images is not None


def provisional_policy():
    return a_policy(resampling=FEW, gate=a_gate(provisional=True, floors={"map_50": 0.1}))


def test_a_policy_may_let_a_first_version_in_provisionally_and_the_log_says_so(world):
    world.manifest, world.policy = some_data(test=10), provisional_policy()
    detector = world.evaluated("e3_s320")
    result = world.among(detector)
    assert (result.decision.verdict, result.decision.provisional) == (Verdict.PROMOTE, True)
    assert outcomes(result)["test_images"] == "waived"
    carry_out(result, detector, world.context(), actor="anna@desk")
    assert [(entry.action, entry.provisional) for entry in world.log] == [(Action.PROMOTED, True)]


def test_a_provisional_champion_may_be_replaced_provisionally_and_a_proven_one_may_not(world):
    world.policy = provisional_policy()
    world.manifest = some_data(test=10)
    world.promoted("first", misses=(4,))
    second = world.evaluated("second")
    result = world.among(second)
    assert result.decision.champion.provisional
    assert (result.decision.verdict, result.decision.provisional) == (Verdict.PROMOTE, True)
    world.manifest = some_data(test=40)
    world.look()
    proven = world.among(second)
    assert (proven.decision.verdict, proven.decision.provisional) == (Verdict.PROMOTE, False)
    carry_out(proven, second, world.context(), actor="anna@desk")
    world.manifest = some_data(test=10)
    world.look()
    third = world.among(world.evaluated("third"))
    assert not third.decision.champion.provisional
    assert third.decision.verdict is Verdict.INCONCLUSIVE


def test_without_test_images_nothing_is_judged(world):
    world.manifest = some_data(test=0)
    detector = world.evaluated("e3_s320")
    world.requests()
    result = world.among(detector)
    assert result.decision.verdict is Verdict.INCONCLUSIVE
    assert check(result, "test_images").measured == 0
    assert (result.candidate, result.decision.judgement, world.requests()) == (None, None, [])
    carry_out(result, detector, world.context(), actor="anna@desk")
    assert [(entry.action, entry.test_revision) for entry in world.log] == [(Action.JUDGED, None)]


def test_without_test_images_a_champion_is_not_predicted_either(world):
    world.promoted("old")
    world.manifest = some_data(test=0)
    candidate = world.evaluated("new")
    world.requests()
    result = world.among(candidate)
    assert (result.comparison, result.decision.champion.name, world.requests()) == (None, "old", [])


def test_every_decision_on_the_same_test_images_is_counted(world):
    _, version = world.promoted("old")
    revision = world.manifest.split_revision(Split.TEST)
    for minute, test_revision in enumerate([revision] * 5 + ["others", None]):
        proposal = a_proposal(version=version.version, run_id=version.run_id, test_revision=test_revision)
        judge(proposal, world.register, actor="anna@desk", now=NOON + timedelta(minutes=minute))
    assert world.among(world.evaluated("new")).decision.judgement.use == 7


def test_looking_at_a_decision_is_not_counted_until_it_is_carried_out(world):
    detector = world.evaluated("e3_s320")
    assert [world.among(detector).decision.judgement.use for _ in range(2)] == [1, 1]


def test_a_promotion_is_a_version_in_its_stage_in_both_registries_and_one_entry(world):
    detector = world.evaluated("e3_s320")
    result = world.among(detector, accepted=None)
    version = carry_out(result, detector, world.context(), actor="anna@desk")
    assert (version.run_id, version.weights_sha256) == (detector.run_id, detector.weights_sha256)
    assert version.confidence_threshold == detector.confidence_threshold
    stages = [[each.stage for each in registry.versions()] for registry in registries(world)]
    assert stages == [[Stage.STAGING], [Stage.STAGING]]
    (entry,) = world.log
    decision = result.decision
    assert (entry.action, entry.version, entry.stage, entry.former) == (Action.PROMOTED, "1", Stage.STAGING, None)
    assert (entry.decision, entry.verdict, entry.reason) == (decision.id, "promote", None)
    assert (entry.policy, entry.policy_sha256) == ("policy.yaml", "c" * 64)
    assert entry.evaluations == (decision.judgement.candidate.id,)
    assert entry.test_revision == world.manifest.split_revision(Split.TEST)
    assert (entry.actor, entry.at, entry.provisional) == ("anna@desk", NOON, False)


def registries(world):
    return world.register.tracking, world.register.pipeline


def test_both_evaluations_are_on_record_and_the_former_holder_is_named(world):
    world.promoted("old", misses=range(3))
    candidate = world.evaluated("new")
    result = world.among(candidate)
    carry_out(result, candidate, world.context(), actor="anna@desk")
    judgement = result.decision.judgement
    assert world.log[-1].evaluations == (judgement.candidate.id, judgement.champion.id)
    assert world.log[-1].former == "1"
    assert holder(Stage.STAGING, world.register).version == "2"


def test_a_rejected_run_becomes_a_version_that_was_judged_and_nothing_moves(world):
    world.promoted("old")
    candidate = world.evaluated("new", misses=range(15))
    version = carry_out(world.among(candidate), candidate, world.context(), actor="anna@desk")
    assert version.version == "2"
    assert (world.log[-1].action, world.log[-1].verdict, world.log[-1].version) == (Action.JUDGED, "reject", "2")
    assert holder(Stage.STAGING, world.register).version == "1"


def test_what_a_person_let_pass_is_on_record_with_the_reason(world):
    world.manifest = some_data(test=12)
    detector = world.evaluated("e3_s320")
    result = world.among(detector, accepted="agreed with QA")
    carry_out(result, detector, world.context(), actor="anna@desk")
    (entry,) = world.log
    assert (entry.action, entry.verdict, entry.reason) == (Action.PROMOTED, "inconclusive", "agreed with QA")
    assert entry.provisional


def test_a_decision_carried_out_twice_makes_one_version(world):
    detector = world.evaluated("e3_s320")
    result = world.among(detector)
    first, again = (carry_out(result, detector, world.context(), actor="anna@desk") for _ in range(2))
    assert first.version == again.version
    assert [len(registry.versions()) for registry in registries(world)] == [1, 1]


def test_where_another_promotion_came_after_the_judgement_nothing_is_moved(world):
    world.promoted("old", misses=range(3))
    mine, theirs = world.evaluated("mine", misses=(1,)), world.evaluated("theirs")
    result = world.among(mine)
    carry_out(world.among(theirs), theirs, world.context(), actor="ben@desk")
    entries = list(world.log)
    with pytest.raises(PromotionConflictError, match="judged against version 1 in staging, but version 2 is there"):
        carry_out(result, mine, world.context(), actor="anna@desk")
    assert world.log == entries
    assert holder(Stage.STAGING, world.register).run_id == theirs.run_id


def test_where_another_promotion_filled_an_empty_stage_first_nothing_is_moved(world):
    mine, theirs = world.evaluated("mine"), world.evaluated("theirs")
    result = world.among(mine)
    carry_out(world.among(theirs), theirs, world.context(), actor="ben@desk")
    with pytest.raises(PromotionConflictError, match="judged against no version in staging, but version 1 is there"):
        carry_out(result, mine, world.context(), actor="anna@desk")


def test_a_version_is_judged_for_production_against_the_version_that_is_there(world):
    detector, version = world.promoted("old")
    context = world.context(stage=Stage.PRODUCTION)
    first = decide_on(find_detector("staging", world.sources), context)
    assert (first.decision.chosen, first.decision.champion, first.decision.selection) == (detector.run_id, None, None)
    assert list(outcomes(first)) == ["proof", "test_images", "floor", "champion"]
    carry_out(first, detector, context, actor="anna@desk")
    assert holder(Stage.PRODUCTION, world.register).version == version.version
    assert holder(Stage.STAGING, world.register) is None
    candidate = world.evaluated("new")
    assert decide_on(candidate, context).decision.champion.version == version.version


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED, RunStatus.RUNNING])
def test_a_run_without_its_proof_is_not_put_forward_by_hand_either(world, status):
    model = world.trained("e3_s320")
    if status is not RunStatus.RUNNING:
        world.tracker.finish(model.run_id, status, "its evaluation broke off")
    detector = find_detector("e3_s320", world.sources)
    result = decide_on(detector, world.context())
    assert (result.decision.verdict, result.decision.chosen) == (Verdict.REJECT, None)
    assert outcomes(result) == {"proof": "failed"}
    assert carry_out(result, detector, world.context(), actor="anna@desk") is None
    assert (world.requests(), world.register.tracking.versions(), world.log) == ([], (), [])


def test_a_detector_without_a_tracked_run_cannot_be_promoted(world):
    (world.folder / "foreign.pt").write_bytes(b"somebody's")
    detector = find_detector(str(world.folder / "foreign.pt"), world.sources)
    with pytest.raises(InputError, match=r"foreign\.pt: its training was not tracked") as refused:
        decide_on(detector, world.context())
    assert "cv-yolo models" in refused.value.hint


def test_a_champion_whose_weights_were_changed_in_the_store_stops_the_decision(world):
    champion, _ = world.promoted("old")
    trojan = world.folder / f"{champion.run_id}.pt"
    trojan.write_bytes(b"a trojan")
    world.tracker.log_artifacts(champion.run_id, [trojan], "weights")
    entries = list(world.log)
    with pytest.raises(WeightsError, match="not what was recorded"):
        world.among(world.evaluated("new"))
    assert not (world.folder / "fetched").exists()
    assert world.log == entries


def test_a_version_that_was_promoted_by_hand_meanwhile_counts_as_champion(world):
    """The holder is the log's, not the one that a former decision knew."""
    _, first = world.promoted("first", misses=range(3))
    second, _ = world.promoted("second")
    proposal = a_proposal(version=first.version, run_id=first.run_id, expected="2")
    commit(proposal, world.register, actor="ben@desk", now=NOON)
    result = world.among(second)
    assert result.decision.champion.version == first.version
    assert not result.decision.changes_nothing


def test_a_version_records_the_classes_that_its_weights_detect(world):
    _, version = world.promoted("e3_s320")
    assert version.classes == ("person",)
    assert world.register.pipeline.versions()[0].classes == ("person",)


def test_a_champion_of_other_classes_is_never_compared(world):
    detector, version = world.promoted("raccoons")
    candidate = world.evaluated("kangaroos")
    world.requests()
    kangaroos = replace(world.manifest, classes=("kangaroo",))
    for decide in (
        lambda: world.among(candidate, manifest=kangaroos),
        lambda: decide_on(candidate, world.context(manifest=kangaroos)),
    ):
        with pytest.raises(InputError, match=rf"detects person \(version {version.version}\)") as refused:
            decide()
        assert "another registered model" in refused.value.hint
    assert world.requests() == []
    assert holder(Stage.STAGING, world.register).run_id == detector.run_id


def test_a_candidate_of_other_classes_than_the_data_is_not_judged(world):
    candidate = replace(world.evaluated("raccoons"), classes=("raccoon",))
    world.requests()
    with pytest.raises(InputError, match="detects raccoon, the data set names person"):
        decide_on(candidate, world.context())
    assert (world.requests(), world.register.tracking.versions()) == ([], ())
