"""Which run is promoted, and why: a pure function from a table of runs and a policy to a decision.

How sure the decision is has its place here: a `Check` compares what was measured with what the policy requires, and
further checks (intervals, non-inferiority against the champion) join the list that `decide` makes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cv_yolo.domain.runs import RunRow, RunStatus
from cv_yolo.domain.versions import Alias


class Verdict(StrEnum):
    """What becomes of the best run."""

    PROMOTE = "promote"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPolicy:
    """The rule: which score on which split selects, what it must exceed, and whether a better champion stays."""

    model: str
    alias: Alias
    metric: str
    floor: float
    keep_better_champion: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition of a decision: what was required, what was measured, and one plain sentence."""

    name: str
    required: str
    measured: str
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version that holds the alias now, and the run that made it."""

    version: str
    row: RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was compared, what was chosen, and why. `chosen` is None where no run could be chosen at all."""

    id: str
    made_at: datetime
    policy: PromotionPolicy
    rows: tuple[RunRow, ...]
    chosen: str | None
    champion: Champion | None
    checks: tuple[Check, ...]

    def __post_init__(self) -> None:
        if not self.checks:
            raise ValueError("a decision without checks would promote anything")
        if self.chosen is not None and self.chosen not in {row.run_id for row in self.rows}:
            raise ValueError(f"the chosen run {self.chosen} was not compared")

    @property
    def verdict(self) -> Verdict:
        """Promote where every check passed."""
        return Verdict.PROMOTE if all(check.passed for check in self.checks) else Verdict.REJECT

    @property
    def chosen_row(self) -> RunRow | None:
        """The chosen run's line of the table."""
        return next((row for row in self.rows if row.run_id == self.chosen), None)

    @property
    def failed_rows(self) -> tuple[RunRow, ...]:
        """The runs that ended without proof."""
        return tuple(row for row in self.rows if row.status is not RunStatus.FINISHED)


def rank(rows: Sequence[RunRow], metric: str) -> tuple[RunRow, ...]:
    """The runs that have the score, best first; of equal ones the cheaper, then the one with the smaller name."""
    scored = [row for row in rows if row.status is RunStatus.FINISHED and metric in row.scores]
    return tuple(sorted(scored, key=lambda row: (-row.scores[metric], row.cost, row.name)))


def decide(
    rows: Sequence[RunRow], *, policy: PromotionPolicy, champion: Champion | None, id: str, now: datetime
) -> Decision:
    """Choose the best run and judge it by the policy."""
    ranked = rank(rows, policy.metric)
    best = ranked[0] if ranked else None
    checks = (
        [_proof(rows, ranked)]
        if best is None
        else [_proof(rows, ranked), _floor(best, policy), _against_champion(best, policy, champion)]
    )
    return Decision(
        id=id,
        made_at=now,
        policy=policy,
        rows=tuple(rows),
        chosen=best.run_id if best else None,
        champion=champion,
        checks=tuple(checks),
    )


def _proof(rows: Sequence[RunRow], ranked: Sequence[RunRow]) -> Check:
    return Check(
        name="proof",
        required="at least one run with weights that load and an evaluation",
        measured=f"{len(ranked)} of {len(rows)} runs",
        passed=bool(ranked),
        sentence=f"{len(ranked)} of {len(rows)} runs ended with weights that load and an evaluation of their own.",
    )


def _floor(best: RunRow, policy: PromotionPolicy) -> Check:
    score = best.scores[policy.metric]
    passed = score > policy.floor
    return Check(
        name="floor",
        required=f"{policy.metric} > {policy.floor:g}",
        measured=f"{score:.4f}",
        passed=passed,
        sentence=f"The best run, {best.name}, scores {policy.metric} {score:.4f}, "
        f"{'above' if passed else 'not above'} the floor of {policy.floor:g}.",
    )


def _against_champion(best: RunRow, policy: PromotionPolicy, champion: Champion | None) -> Check:
    required = f"{policy.metric} not below the {policy.alias} version's on the same data"
    held = None if champion is None else champion.row.scores.get(policy.metric)
    score = best.scores[policy.metric]
    if champion is None:
        measured, passed, sentence = "no champion", True, f"No version is in {policy.alias}: a first promotion."
    elif champion.row.run_id == best.run_id:
        measured, passed, sentence = "the same run", True, f"Version {champion.version} in {policy.alias} is this run."
    elif held is None or champion.row.revision != best.revision:
        measured, passed = "not comparable", True
        sentence = f"Version {champion.version} was measured on other data: it is replaced without a comparison."
    else:
        passed = score >= held or not policy.keep_better_champion
        measured = f"{score:.4f} against {held:.4f}"
        sentence = f"Version {champion.version} in {policy.alias} scores {held:.4f} on the same data: " + (
            "it is replaced." if passed else "it stays."
        )
    return Check(name="champion", required=required, measured=measured, passed=passed, sentence=sentence)
