"""What was decided about a version: the verdict, the checks that it follows from, and what the test images showed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cv_yolo.domain.data.findings import DatasetFinding, Severity
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.checks import Check, Outcome, images_to_settle_all
from cv_yolo.domain.promotion.policy import Gate, PromotionPolicy
from cv_yolo.domain.promotion.selection import Selection
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunRow, RunStatus


class Verdict(StrEnum):
    """What becomes of the candidate."""

    PROMOTE = "promote"
    REJECT = "reject"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that holds the stage now, the run that made it, and whether it got there provisionally."""

    version: str
    run_id: str
    name: str
    provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the test images said about the candidate, and about the champion on the same images.

    `differences` are candidate minus champion, paired by image. `use` counts the decisions on these test images, this
    one included.
    """

    candidate: Evaluation
    champion: Evaluation | None
    differences: dict[str, Estimate]
    use: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was compared, what was chosen, what the test images said, and what follows.

    `chosen` is None where no run could be chosen at all; `judgement` where the test images were not asked. `accepted`
    is the reason for which a person let an inconclusive decision pass. `data_findings` are what the data policy reports
    about the test images: they change no verdict.
    """

    id: str
    made_at: datetime
    stage: Stage
    policy: PromotionPolicy
    rows: tuple[RunRow, ...]
    selection: Selection | None
    chosen: str | None
    champion: Champion | None
    checks: tuple[Check, ...]
    judgement: Judgement | None = None
    accepted: str | None = None
    data_findings: tuple[DatasetFinding, ...] = ()

    def __post_init__(self) -> None:
        if not self.checks:
            raise ValueError("a decision without checks would promote anything")
        if self.chosen is not None and self.chosen not in {row.run_id for row in self.rows}:
            raise ValueError(f"the chosen run {self.chosen} was not compared")

    @property
    def verdict(self) -> Verdict:
        """Reject where a check failed, inconclusive where one is undecided, promote where all hold or are waived."""
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAILED in outcomes:
            return Verdict.REJECT
        return Verdict.INCONCLUSIVE if Outcome.UNDECIDED in outcomes else Verdict.PROMOTE

    @property
    def promotes(self) -> bool:
        """Whether the candidate gets the stage: by the verdict, or since a person accepted an inconclusive one."""
        return self.verdict is Verdict.PROMOTE or (self.verdict is Verdict.INCONCLUSIVE and self.accepted is not None)

    @property
    def provisional(self) -> bool:
        """Whether the stage is given on weaker evidence than the whole gate asks for."""
        return self.promotes and any(check.outcome in {Outcome.WAIVED, Outcome.UNDECIDED} for check in self.checks)

    @property
    def changes_nothing(self) -> bool:
        """Whether the candidate holds the stage already."""
        return self.champion is not None and self.champion.run_id == self.chosen

    @property
    def more_images(self) -> int | None:
        """How many further test images would settle what is undecided; None where that is not known."""
        return images_to_settle_all(self.checks)

    @property
    def has_data_errors(self) -> bool:
        """Whether the data policy calls a finding about the test images an error."""
        return any(finding.severity is Severity.ERROR for finding in self.data_findings)

    @property
    def evaluation(self) -> Evaluation | None:
        """What the candidate scored on the test images; None where they were not asked."""
        return None if self.judgement is None else self.judgement.candidate

    @property
    def gate(self) -> Gate:
        """The gate that was applied."""
        return self.policy.gates[self.stage]

    @property
    def chosen_row(self) -> RunRow | None:
        """The chosen run's line of the table."""
        return next((row for row in self.rows if row.run_id == self.chosen), None)

    @property
    def failed_rows(self) -> tuple[RunRow, ...]:
        """The runs that ended without proof."""
        return tuple(row for row in self.rows if row.status is not RunStatus.FINISHED)
