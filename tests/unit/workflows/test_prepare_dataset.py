"""The data set is found, fetched or made, and known exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cv_yolo.domain.data.data_policy import DataPolicy, PolicyException
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind, Severity
from cv_yolo.domain.data.gate import ImageDetails
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError, ServiceUnavailableError
from cv_yolo.ports.datasets import FoundDataset
from cv_yolo.workflows.prepare_dataset import (
    DatasetSource,
    check_dataset,
    inspect_dataset,
    prepare_dataset,
)
from tests.builders import a_manifest, an_image
from tests.fakes import FakeDatasetFolder, FakeDatasetStore

ROOT = Path("data/tiny_coco")
IMAGES = a_manifest().images
WHOLE = FoundDataset(classes=("person",), images=IMAGES)


def a_source(folder=None, store=None):
    reported = []
    folder = folder or FakeDatasetFolder()
    return DatasetSource(
        root=ROOT, folder=folder, store=store or FakeDatasetStore(folder), report=reported.append
    ), reported


def a_folder(found=WHOLE, *, recorded=IMAGES):
    folder = FakeDatasetFolder()
    folder.put(ROOT, found, recorded=recorded)
    return folder


def test_a_data_set_that_is_here_and_as_recorded_is_taken_without_a_word():
    source, reported = a_source(a_folder())
    manifest = prepare_dataset(source)
    assert (manifest.name, manifest.classes, manifest.images) == ("tiny_coco", ("person",), IMAGES)
    assert manifest.revision == a_manifest().revision
    assert reported == []


def test_a_folder_without_a_manifest_is_a_data_set_too():
    source, reported = a_source(a_folder(recorded=None))
    assert prepare_dataset(source).images == IMAGES
    assert reported == []


def test_a_data_set_that_is_not_here_is_pulled():
    folder = FakeDatasetFolder()
    source, reported = a_source(folder, FakeDatasetStore(folder, recorded={ROOT: WHOLE}))
    assert prepare_dataset(source).images == IMAGES
    assert reported == ["tiny_coco is not here: asking DVC for it"]


def test_a_data_set_that_cannot_be_pulled_is_made():
    folder = FakeDatasetFolder()
    source, reported = a_source(folder, FakeDatasetStore(folder, recipes={ROOT: WHOLE}))
    manifest = prepare_dataset(source)
    assert (manifest.images, manifest.versioned) == (IMAGES, True)
    assert reported == ["tiny_coco is not here yet: making it (stage make_it of dvc.yaml)"]


def test_a_recorded_data_set_that_the_remote_lost_is_made_again():
    folder = FakeDatasetFolder()
    store = FakeDatasetStore(folder, recorded={ROOT: WHOLE}, recipes={ROOT: WHOLE}, lost=True)
    source, reported = a_source(folder, store)
    assert prepare_dataset(source).images == IMAGES
    assert reported == [
        "tiny_coco is not here: asking DVC for it",
        "tiny_coco is not here yet: making it (stage make_it of dvc.yaml)",
    ], "what was never pushed is no failure"


def test_a_remote_that_fails_is_no_reason_to_make_the_data_again():
    class Down(FakeDatasetStore):
        def pull(self, root):
            raise ServiceUnavailableError("the remote does not answer")

    folder = FakeDatasetFolder()
    source, _ = a_source(folder, Down(folder, recorded={ROOT: WHOLE}, recipes={ROOT: WHOLE}))
    with pytest.raises(ServiceUnavailableError):
        prepare_dataset(source)
    assert not folder.exists(ROOT)


def test_a_data_set_that_is_nowhere_and_has_no_recipe_is_an_error_that_says_what_to_do():
    source, _ = a_source()
    with pytest.raises(DatasetError, match=r"tiny_coco: no data set here, DVC could pull none") as refusal:
        prepare_dataset(source)
    assert "data.yaml" in refusal.value.hint
    assert "cv-yolo data synth" in refusal.value.hint


class _EmptyHanded(FakeDatasetStore):
    """A store that says it brought the data, though no data set is there."""

    def _lay(self, root, found):
        pass


@pytest.mark.parametrize("means", ["recorded", "recipes"])
def test_a_store_that_claims_success_without_data_is_not_believed(means):
    folder = FakeDatasetFolder()
    source, _ = a_source(folder, _EmptyHanded(folder, **{means: {ROOT: WHOLE}}))
    with pytest.raises(DatasetError, match="no data set here"):
        prepare_dataset(source)


PARTIAL = replace(WHOLE, images=IMAGES[1:])


def test_missing_files_are_fetched_once_and_the_whole_is_taken():
    folder = a_folder(PARTIAL)
    source, reported = a_source(folder, FakeDatasetStore(folder, recorded={ROOT: WHOLE}))
    assert prepare_dataset(source).images == IMAGES
    assert reported == ["tiny_coco is incomplete: asking DVC for the missing files"]


def test_missing_files_that_are_nowhere_are_an_error_that_names_them():
    source, _ = a_source(a_folder(PARTIAL))
    with pytest.raises(DatasetError, match=r"incomplete: 1 missing \(images/train/0\.jpg\)") as refusal:
        prepare_dataset(source)
    assert "dvc checkout" in refusal.value.hint


def test_content_that_changed_is_a_new_revision_and_reported():
    changed = (*IMAGES[:-1], replace(IMAGES[-1], label_sha256="new"), an_image(image="images/val/new.jpg"))
    source, reported = a_source(a_folder(replace(WHOLE, images=changed)))
    manifest = prepare_dataset(source)
    assert manifest.revision != a_manifest().revision
    assert reported == [
        "tiny_coco differs from its manifest: 1 changed (labels/val/2.txt), 1 added (images/val/new.jpg): "
        "a new revision"
    ]


def test_the_columns_of_the_manifest_stay_with_their_images():
    recorded = (replace(IMAGES[0], attributes={"scene": "street"}), *IMAGES[1:])
    found = (*IMAGES, an_image(image="images/val/new.jpg", attributes={"scene": "new"}))
    manifest = prepare_dataset(a_source(a_folder(replace(WHOLE, images=found), recorded=recorded))[0])
    assert {image.image: image.attributes["scene"] for image in manifest.images if image.attributes} == {
        IMAGES[0].image: "street",
        "images/val/new.jpg": "new",
    }


def test_data_that_dvc_recorded_exactly_so_are_versioned():
    folder = a_folder()
    manifest = prepare_dataset(a_source(folder, FakeDatasetStore(folder, recorded={ROOT: WHOLE}))[0])
    assert manifest.versioned
    assert manifest.dvc_hash.endswith(".dir")


def test_data_that_differ_from_what_dvc_recorded_are_not_versioned():
    changed = replace(WHOLE, images=(*IMAGES[:-1], replace(IMAGES[-1], image_sha256="new")))
    folder = a_folder(changed)
    manifest = prepare_dataset(a_source(folder, FakeDatasetStore(folder, recorded={ROOT: WHOLE}))[0])
    assert not manifest.versioned
    assert manifest.dvc_hash is not None


def test_data_that_dvc_never_recorded_are_not_versioned():
    assert not prepare_dataset(a_source(a_folder())[0]).versioned


class _Hashless(FakeDatasetStore):
    def content_hash(self, root, known=None):
        return None


def test_two_absent_hashes_do_not_make_a_version():
    folder = a_folder()
    manifest = prepare_dataset(a_source(folder, _Hashless(folder))[0])
    assert (manifest.dvc_hash, manifest.versioned) == (None, False)


def test_data_that_leak_between_the_splits_are_refused():
    leak = an_image(split=Split.VAL, image="images/val/leak.jpg", image_sha256=IMAGES[0].image_sha256)
    with pytest.raises(DatasetError, match="in two splits"):
        prepare_dataset(a_source(a_folder(replace(WHOLE, images=(*IMAGES, leak)), recorded=None))[0])


CLIPPED = DatasetFinding(kind=FindingKind.CLIPPED_BOXES, count=2, examples=("labels/val/1.txt:1",))


def test_what_is_odd_about_the_data_is_reported_once_each():
    source, reported = a_source(a_folder(replace(WHOLE, findings=(CLIPPED,))))
    prepare_dataset(source)
    assert reported == [f"tiny_coco: {CLIPPED.sentence}"]


def test_a_check_returns_what_is_odd_instead_of_reporting_it():
    source, reported = a_source(a_folder(replace(WHOLE, findings=(CLIPPED,))))
    checked = check_dataset(source)
    assert (checked.findings, reported) == ((CLIPPED,), [])
    assert checked.manifest.revision == a_manifest().revision


@pytest.mark.parametrize("split", list(Split))
def test_a_split_of_images_without_any_box_is_refused(split):
    others = [image for image in IMAGES if image.split != split]
    empty = [an_image(split=split, image=f"images/{split}/{number}.jpg", boxes=0) for number in range(2)]
    source, _ = a_source(a_folder(replace(WHOLE, images=(*others, *empty)), recorded=None))
    with pytest.raises(DatasetError, match=rf"^tiny_coco: no boxes in {split} \(2 images\)") as refusal:
        prepare_dataset(source)
    assert "label objects" in refusal.value.hint


def test_splits_without_boxes_are_named_together():
    images = tuple(replace(image, boxes=0) for image in IMAGES)
    source, _ = a_source(a_folder(replace(WHOLE, images=images), recorded=None))
    with pytest.raises(DatasetError, match=r"no boxes in train \(4 images\) and val \(3 images\)"):
        prepare_dataset(source)


def test_data_without_a_test_split_can_be_trained_on():
    assert prepare_dataset(a_source(a_folder())[0]).counts()["test"] == 0


def test_the_numbers_that_coco_files_give_the_classes_are_kept_and_are_no_part_of_the_revision():
    source, _ = a_source(a_folder(replace(WHOLE, category_ids={"person": 1})))
    manifest = prepare_dataset(source)
    assert manifest.category_ids == {"person": 1}
    assert manifest.revision == a_manifest().revision


def test_data_behind_linked_folders_are_not_versioned_since_dvc_does_not_look_there():
    linked = DatasetFinding(kind=FindingKind.LINKED_FOLDERS, count=1, examples=("images",))
    found = replace(WHOLE, findings=(linked,))
    folder = a_folder(found)
    manifest = prepare_dataset(a_source(folder, FakeDatasetStore(folder, recorded={ROOT: found}))[0])
    assert not manifest.versioned
    assert manifest.dvc_hash is not None


# -- the data gate ----------------------------------------------------------------------------------------------------

SIMILAR = replace(WHOLE, details=ImageDetails(similar=(("images/train/0.jpg", "images/val/1.jpg"),)))
REFUSAL = DatasetError(f"{ROOT}/labels/train/9.txt:2: 2 fields, expected 5", hint="correct the line")


def test_near_duplicates_across_splits_are_refused_with_the_pair_and_what_fixes_it():
    source, _ = a_source(a_folder(SIMILAR))
    with pytest.raises(DatasetError, match=r"^tiny_coco: 1 pair of almost the same picture in two splits") as refusal:
        prepare_dataset(source)
    assert "images/train/0.jpg and images/val/1.jpg" in refusal.value.message
    assert "except the pair with a reason" in refusal.value.hint


def test_an_exception_of_the_policy_lets_a_pair_pass():
    accepted = PolicyException(rule=FindingKind.SIMILAR_IMAGES, places=("images/train/0.jpg",), reason="twins")
    source, _ = a_source(a_folder(SIMILAR))
    inspected = inspect_dataset(replace(source, policy=DataPolicy(exceptions=(accepted,))))
    assert inspected.manifest is not None
    assert (inspected.findings, inspected.errors, inspected.excepted) == ((), (), 1)


def test_a_rule_that_is_a_warning_is_reported():
    source, reported = a_source(a_folder(SIMILAR))
    prepare_dataset(replace(source, policy=DataPolicy(severities={FindingKind.SIMILAR_IMAGES: Severity.WARNING})))
    assert reported == [
        "tiny_coco: 1 pair of almost the same picture in two splits: what was seen in training makes the scores of val "
        "and test too good (images/train/0.jpg and images/val/1.jpg)"
    ]


def test_all_errors_are_found_in_one_inspection():
    source, _ = a_source(a_folder(replace(SIMILAR, refusals=(REFUSAL,), findings=(CLIPPED,))))
    inspected = inspect_dataset(source)
    assert inspected.manifest is None
    assert [(each.kind, each.severity) for each in inspected.findings] == [
        (FindingKind.UNUSABLE, Severity.ERROR),
        (FindingKind.SIMILAR_IMAGES, Severity.ERROR),
        (FindingKind.CLIPPED_BOXES, Severity.WARNING),
    ]
    assert inspected.findings[0].places == ("labels/train/9.txt:2: 2 fields, expected 5",)
    assert [error.message.split(":")[0] for error in inspected.errors] == [f"{ROOT}/labels/train/9.txt", "tiny_coco"]
    with pytest.raises(DatasetError, match="the data set has 2 problems"):
        check_dataset(source)


def test_a_class_is_not_missed_while_some_labels_cannot_be_read():
    policy = DataPolicy(required_classes={Split.VAL: ("person",)})
    details = ImageDetails(boxes={"images/train/0.jpg": np.zeros((1, 6), dtype=np.float32)})
    whole = replace(a_source(a_folder(replace(WHOLE, details=details)))[0], policy=policy)
    assert FindingKind.MISSING_CLASSES in {each.kind for each in inspect_dataset(whole).findings}
    partial = replace(a_source(a_folder(replace(WHOLE, details=details, refusals=(REFUSAL,))))[0], policy=policy)
    assert FindingKind.MISSING_CLASSES not in {each.kind for each in inspect_dataset(partial).findings}


def test_a_test_set_that_changed_since_the_last_decision_is_an_error_and_can_be_accepted():
    images = (*IMAGES, an_image(split=Split.TEST, image="images/test/1.jpg"))
    source, _ = a_source(a_folder(replace(WHOLE, images=images), recorded=None))
    now = a_manifest(images=images).split_revision(Split.TEST)
    assert inspect_dataset(replace(source, last_test_revision=lambda: now)).errors == ()
    changed = replace(source, last_test_revision=lambda: "another")
    (finding,) = inspect_dataset(changed).findings
    assert (finding.kind, finding.severity, finding.places) == (FindingKind.TEST_CHANGED, Severity.ERROR, (now,))
    accepted = PolicyException(rule=FindingKind.TEST_CHANGED, places=(now,), reason="100 more images")
    assert inspect_dataset(replace(changed, policy=DataPolicy(exceptions=(accepted,)))).errors == ()


def test_what_the_last_decision_judged_by_stays_unknown_where_the_records_do_not_answer():
    def down():
        raise ServiceUnavailableError("ZenML does not answer")

    source, reported = a_source(a_folder())
    assert inspect_dataset(replace(source, last_test_revision=down)).errors == ()
    (said,) = reported
    assert said.startswith("whether the test images changed since the last decision is not known: ")
    assert "ZenML does not answer" in said


def test_reading_reports_its_progress():
    seen = []
    prepare_dataset(replace(a_source(a_folder())[0], on_image=lambda done, total: seen.append((done, total))))
    assert seen == [(7, 7)]
