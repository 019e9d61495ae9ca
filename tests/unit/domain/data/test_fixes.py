"""Only what changes nothing that is read is fixed."""

from dataclasses import replace

from cv_yolo.domain.data.findings import FindingKind, finding_at
from cv_yolo.domain.data.fixes import FixPlan, plan_fixes
from cv_yolo.domain.data.manifest import Split
from tests.builders import an_image

ONE = an_image(split=Split.TRAIN, image="images/train/a.jpg", label_sha256="same", attributes={"scene": "street"})


def a_copy(name, **changes):
    return replace(ONE, image=f"images/train/{name}.jpg", label=f"labels/train/{name}.txt", **changes)


def test_nothing_found_is_nothing_to_fix():
    assert not plan_fixes([ONE], [finding_at(FindingKind.SMALL_BOXES, ["labels/train/a.txt:1"])])


def test_label_files_with_repeated_or_clipped_boxes_are_rewritten_once_each():
    findings = [
        finding_at(FindingKind.REPEATED_BOXES, ["labels/b.txt:2", "labels/a.txt:9"]),
        finding_at(FindingKind.CLIPPED_BOXES, ["labels/a.txt:1"]),
        finding_at(FindingKind.ORPHANED_LABELS, ["labels/lost.txt"]),
    ]
    assert plan_fixes([ONE], findings) == FixPlan(
        rewritten=("labels/a.txt", "labels/b.txt"), orphans=("labels/lost.txt",)
    )


def test_copies_with_the_same_labels_are_removed_but_for_the_first():
    second, third = a_copy("b"), a_copy("c")
    assert plan_fixes([third, second, ONE], []).repeated == (second, third)


def test_copies_with_other_labels_attributes_or_in_another_split_stay():
    others = [a_copy("b", label_sha256="other"), a_copy("c", attributes={}), a_copy("d", split=Split.VAL)]
    assert not plan_fixes([ONE, *others], [])
