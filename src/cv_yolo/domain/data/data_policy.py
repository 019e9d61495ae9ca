"""The rules of the data gate: how serious each kind of finding is, the limits, and written exceptions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from cv_yolo.domain.data.findings import ALWAYS_ERRORS, ERRORS, DatasetFinding, FindingKind, Severity, finding_at
from cv_yolo.domain.data.manifest import Split

ALL_CLASSES: Final = ("all",)
PAIR: Final = 2
_LINE: Final = re.compile(r":\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyException:
    """A finding that a person accepts, with the reason.

    `places` name one image, label file, class, group or revision, or the two images of a pair.
    """

    rule: FindingKind
    places: tuple[str, ...]
    reason: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.places) <= PAIR:
            raise ValueError("an exception names one image, or the two of a pair")
        if not self.reason.strip():
            raise ValueError("an exception needs a reason")
        if self.rule in ALWAYS_ERRORS:
            raise ValueError(f"{self.rule}: training cannot use this: it has no exceptions")

    def covers(self, kind: FindingKind, place: str) -> bool:
        """Whether this finding at this place is accepted."""
        named = {_LINE.sub("", part) for part in place.split(" and ")}
        return kind is self.rule and (place in self.places or set(self.places) <= named)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPolicy:
    """What a data set must be like.

    `severities` replace the defaults. `groups` are columns of `attributes.csv` whose values may not be in two splits.
    A box is tiny whose shorter side is below `smallest_box_px` once its image is scaled to `training_size_px`. A class
    is rare that has less than one of `imbalance_ratio` of the boxes of the most frequent one. Splits differ where
    Cliff's delta is at least `smallest_effect`. `registered_model` names the model whose decisions the test set is
    compared with.
    """

    severities: Mapping[FindingKind, Severity] = field(default_factory=dict)
    exceptions: tuple[PolicyException, ...] = ()
    groups: tuple[str, ...] = ()
    required_classes: Mapping[Split, tuple[str, ...]] = field(default_factory=dict)
    training_size_px: int = 640
    smallest_box_px: float = 8.0
    imbalance_ratio: float = 100.0
    smallest_effect: float = 0.33
    registered_model: str = "cv_yolo_tiny"

    def __post_init__(self) -> None:
        for kind in ALWAYS_ERRORS & self.severities.keys():
            raise ValueError(f"{kind}: always an error: it cannot be set")

    def severity(self, kind: FindingKind) -> Severity:
        """How serious a kind of finding is."""
        return self.severities.get(kind, Severity.ERROR if kind in ERRORS else Severity.WARNING)

    def required(self, split: Split, classes: Sequence[str]) -> tuple[str, ...]:
        """The classes that a split must have."""
        named = self.required_classes.get(split, ())
        return tuple(classes) if named == ALL_CLASSES else named

    def applied(self, findings: Sequence[DatasetFinding]) -> tuple[DatasetFinding, ...]:
        """The findings with their severity, without what is off or excepted, errors first; unused exceptions last."""
        judged = [self._judged(finding) for finding in findings]
        kept = [finding for finding in (*judged, *self._unused(findings)) if finding.severity is not Severity.OFF]
        severities, kinds = list(Severity), list(FindingKind)
        order = {finding: (severities.index(finding.severity), kinds.index(finding.kind)) for finding in kept}
        return tuple(sorted((finding for finding in kept if finding.count), key=order.__getitem__))

    def excepted(self, findings: Sequence[DatasetFinding]) -> int:
        """At how many places an exception accepts what was found."""
        return sum(self._is_excepted(finding.kind, place) for finding in findings for place in finding.places)

    def _judged(self, finding: DatasetFinding) -> DatasetFinding:
        severity = self.severity(finding.kind)
        left = [place for place in finding.places if not self._is_excepted(finding.kind, place)]
        if len(left) == len(finding.places):
            return finding if finding.severity is severity else replace(finding, severity=severity)
        return finding_at(finding.kind, left, subject=finding.subject, severity=severity)

    def _is_excepted(self, kind: FindingKind, place: str) -> bool:
        return any(exception.covers(kind, place) for exception in self.exceptions)

    def _unused(self, findings: Sequence[DatasetFinding]) -> list[DatasetFinding]:
        places = [
            f"{exception.rule}: {' and '.join(exception.places)}"
            for exception in self.exceptions
            if not any(exception.covers(finding.kind, place) for finding in findings for place in finding.places)
        ]
        kind = FindingKind.UNUSED_EXCEPTIONS
        return [finding_at(kind, places, severity=self.severity(kind))] if places else []
