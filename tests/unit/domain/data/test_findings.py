"""Oddities are counted with examples; refusals are gathered into one error."""

import pytest

from cv_yolo.domain.data.findings import DatasetFinding, FindingKind, Findings
from cv_yolo.domain.data.refusals import gathered
from cv_yolo.errors import DatasetError


def test_findings_are_counted_by_kind_and_subject_with_the_first_examples_by_name():
    findings = Findings()
    for place in ("d", "b", "c", "a"):
        findings.add(FindingKind.CLIPPED_BOXES, place)
    findings.add(FindingKind.IGNORED_FILES, "x.gif", subject=".gif")
    findings.add(FindingKind.IGNORED_FILES, "y.heic", subject=".heic")
    findings.add(FindingKind.IGNORED_FILES, "z.heic", subject=".heic")
    findings.add(FindingKind.UNLABELED_IMAGES, "e")
    assert [(each.kind, each.subject, each.count, each.examples) for each in findings.all()] == [
        (FindingKind.UNLABELED_IMAGES, "", 1, ("e",)),
        (FindingKind.CLIPPED_BOXES, "", 4, ("a", "b", "c")),
        (FindingKind.IGNORED_FILES, ".heic", 2, ("y.heic", "z.heic")),
        (FindingKind.IGNORED_FILES, ".gif", 1, ("x.gif",)),
    ]


def test_no_outcome_is_not_a_finding():
    assert Findings().all() == ()


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (
            DatasetFinding(kind=FindingKind.CLIPPED_BOXES, count=4, examples=("a.txt:1", "b.txt:2")),
            "4 boxes over the edge of the image: clipped to it (a.txt:1, b.txt:2, …)",
        ),
        (
            DatasetFinding(kind=FindingKind.UNLABELED_IMAGES, count=1, examples=("a.jpg",)),
            "1 image without a label file: taken as images without objects (a.jpg)",
        ),
        (
            DatasetFinding(kind=FindingKind.IGNORED_FILES, count=2, subject=".heic"),
            "2 files ignored among the images: .heic",
        ),
    ],
)
def test_a_finding_is_one_sentence(finding, sentence):
    assert finding.sentence == sentence


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_a_sentence_and_what_fixes_it(kind):
    assert DatasetFinding(kind=kind, count=2).sentence.startswith("2 ")
    assert DatasetFinding(kind=kind, count=2).remedy


def test_a_single_refusal_is_raised_unchanged():
    refusal = DatasetError("a.jpg: wrong", hint="fix it")
    assert gathered([refusal]) is refusal


def test_refusals_are_gathered_by_name_with_each_hint_once():
    refusals = [
        DatasetError("b: wrong", hint="fix it"),
        DatasetError("a: wrong", hint="fix it"),
        DatasetError("c: odd"),
    ]
    refusals.append(DatasetError("d: lost", hint="restore it"))
    error = gathered(refusals)
    assert error.message.splitlines() == [
        "the data set has 4 problems:",
        *("  a: wrong", "  b: wrong", "  c: odd", "  d: lost"),
    ]
    assert error.hint == "fix it; restore it"


def test_many_refusals_are_counted():
    error = gathered([DatasetError(f"{number:02}: wrong") for number in range(13)])
    lines = error.message.splitlines()
    assert (len(lines), lines[1], lines[-1]) == (12, "  00: wrong", "  … and 3 more")
    assert error.hint is None
