"""The data policy: severities, exceptions with reasons, and what cannot be switched off."""

import pytest

from cv_yolo.domain.data.data_policy import DataPolicy, PolicyException
from cv_yolo.domain.data.findings import ALWAYS_ERRORS, FindingKind, Severity, finding_at
from cv_yolo.domain.data.manifest import Split

PAIRS = finding_at(FindingKind.SIMILAR_IMAGES, ["a.jpg and b.jpg", "a.jpg and c.jpg", "d.jpg and e.jpg"])
CLIPPED = finding_at(FindingKind.CLIPPED_BOXES, ["labels/a.txt:3", "labels/b.txt:1"])


def an_exception(*places, rule=FindingKind.SIMILAR_IMAGES):
    return PolicyException(rule=rule, places=places, reason="looked at")


def test_errors_come_first_then_warnings_in_the_order_of_the_kinds():
    applied = DataPolicy().applied((finding_at(FindingKind.TINY_BOXES, ["x"]), CLIPPED, PAIRS))
    assert [(each.kind, each.severity) for each in applied] == [
        (FindingKind.SIMILAR_IMAGES, Severity.ERROR),
        (FindingKind.CLIPPED_BOXES, Severity.WARNING),
        (FindingKind.TINY_BOXES, Severity.WARNING),
    ]


def test_a_rule_can_be_another_severity_or_off():
    policy = DataPolicy(
        severities={FindingKind.SIMILAR_IMAGES: Severity.WARNING, FindingKind.CLIPPED_BOXES: Severity.OFF}
    )
    assert [(each.kind, each.severity) for each in policy.applied((PAIRS, CLIPPED))] == [
        (FindingKind.SIMILAR_IMAGES, Severity.WARNING)
    ]


def test_an_exception_for_a_pair_accepts_that_pair_in_either_order():
    (finding,) = DataPolicy(exceptions=(an_exception("b.jpg", "a.jpg"),)).applied((PAIRS,))
    assert finding.places == ("a.jpg and c.jpg", "d.jpg and e.jpg")
    assert (finding.count, finding.severity) == (2, Severity.ERROR)


def test_an_exception_for_an_image_accepts_all_its_pairs():
    policy = DataPolicy(exceptions=(an_exception("a.jpg"),))
    (finding,) = policy.applied((PAIRS,))
    assert finding.places == ("d.jpg and e.jpg",)
    assert policy.excepted((PAIRS,)) == 2


def test_an_exception_for_a_label_file_accepts_all_its_lines():
    policy = DataPolicy(exceptions=(an_exception("labels/a.txt", rule=FindingKind.CLIPPED_BOXES),))
    (finding,) = policy.applied((CLIPPED,))
    assert finding.places == ("labels/b.txt:1",)


def test_a_finding_of_which_everything_is_accepted_is_gone():
    policy = DataPolicy(exceptions=(an_exception("a.jpg"), an_exception("d.jpg", "e.jpg")))
    assert policy.applied((PAIRS,)) == ()


def test_an_exception_that_nothing_matches_is_a_warning():
    policy = DataPolicy(exceptions=(an_exception("gone.jpg", "x.jpg"),))
    (finding,) = policy.applied(())
    assert (finding.kind, finding.severity) == (FindingKind.UNUSED_EXCEPTIONS, Severity.WARNING)
    assert finding.places == ("similar_images: gone.jpg and x.jpg",)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"places": ()}, "names one image"),
        ({"places": ("a", "b", "c")}, "names one image"),
        ({"reason": " "}, "needs a reason"),
        ({"rule": FindingKind.UNUSABLE}, "has no exceptions"),
    ],
)
def test_an_exception_names_what_it_accepts_and_why(values, complaint):
    with pytest.raises(ValueError, match=complaint):
        PolicyException(**({"rule": FindingKind.SIMILAR_IMAGES, "places": ("a",), "reason": "seen"} | values))


@pytest.mark.parametrize("kind", sorted(ALWAYS_ERRORS))
def test_what_training_cannot_use_is_always_an_error(kind):
    with pytest.raises(ValueError, match="always an error"):
        DataPolicy(severities={kind: Severity.WARNING})
    assert DataPolicy().severity(kind) is Severity.ERROR


def test_required_classes_are_named_or_all():
    policy = DataPolicy(required_classes={Split.VAL: ("all",), Split.TEST: ("dog",)})
    assert policy.required(Split.VAL, ("cat", "dog")) == ("cat", "dog")
    assert policy.required(Split.TEST, ("cat", "dog")) == ("dog",)
    assert policy.required(Split.TRAIN, ("cat", "dog")) == ()
