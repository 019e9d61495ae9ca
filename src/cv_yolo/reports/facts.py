"""What a reader needs to check a report: the data, the policy and the provenance, as labelled facts."""

from collections.abc import Sequence
from dataclasses import dataclass

from cv_yolo.domain.dataset import DatasetManifest, Split
from cv_yolo.domain.promotion import Champion, Decision
from cv_yolo.domain.runs import RunRow
from cv_yolo.reports.content import DecisionReport
from cv_yolo.reports.text import ABSENT, images_and_boxes_text, metric_text, score_text, time_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A label and its value; an `exact` value is an identifier that a reader may copy."""

    label: str
    value: str
    exact: bool = False


def data_facts(manifest: DatasetManifest) -> tuple[Fact, ...]:
    """What the scores were measured on, and whether it can be had again."""
    facts = [
        Fact(label="Data set", value=manifest.name),
        Fact(label="Classes", value=", ".join(manifest.classes)),
        Fact(label="Scored on", value=_split_text(manifest, Split.VAL)),
        Fact(label="Trained on", value=_split_text(manifest, Split.TRAIN)),
    ]
    if manifest.split(Split.TEST):
        facts.append(Fact(label="Kept apart", value=_split_text(manifest, Split.TEST)))
    facts.append(Fact(label="Revision", value=manifest.revision, exact=True))
    return (*facts, *_dvc_facts(manifest))


def other_data(rows: Sequence[RunRow], manifest: DatasetManifest) -> str | None:
    """A warning that names the runs that were not scored on this revision; None where all were."""
    others = [row.name for row in rows if row.revision not in (None, manifest.revision)]
    return f"Not scored on this revision of the data: {', '.join(others)}." if others else None


def policy_facts(decision: Decision) -> tuple[Fact, ...]:
    """The rule that was applied, and the version that it was applied against."""
    policy = decision.policy
    return (
        Fact(label="Model", value=policy.model),
        Fact(label="Alias", value=policy.alias),
        Fact(label="Selects by", value=f"the highest {metric_text(policy.metric)} ({policy.metric}) on the split val"),
        Fact(label="Floor", value=f"{policy.metric} > {policy.floor:g}"),
        Fact(label="A better champion", value="stays" if policy.keep_better_champion else "is replaced all the same"),
        Fact(label="Champion", value=_champion_text(decision.champion, policy.metric)),
    )


def provenance_facts(report: DecisionReport) -> tuple[Fact, ...]:
    """Where everything in the report comes from."""
    decision, version = report.decision, report.version
    facts = [
        Fact(label="Decision", value=decision.id, exact=True),
        Fact(label="Made at", value=time_text(decision.made_at)),
        Fact(label="ZenML pipeline run", value=report.pipeline_run or ABSENT, exact=True),
        Fact(label="Git commit", value=report.git_commit or ABSENT, exact=True),
        Fact(label="Working tree", value="with uncommitted changes" if report.git_dirty else "clean"),
    ]
    if version is not None:
        facts.append(Fact(label="Version", value=f"{version.version} of {version.model}"))
        facts.append(Fact(label="Weights (SHA-256)", value=version.weights_sha256, exact=True))
    return (*facts, *run_facts(decision.rows))


def run_facts(rows: Sequence[RunRow]) -> tuple[Fact, ...]:
    """The tracked runs behind the table."""
    return tuple(Fact(label=f"MLflow run of {row.name}", value=row.run_id, exact=True) for row in rows)


def _split_text(manifest: DatasetManifest, split: Split) -> str:
    return f"split {split}: {images_and_boxes_text(manifest.counts()[split], manifest.box_counts()[split])}"


def _dvc_facts(manifest: DatasetManifest) -> tuple[Fact, ...]:
    if manifest.dvc_hash is None:
        return (Fact(label="DVC", value="does not know this folder"),)
    recorded = "yes, exactly this content" if manifest.versioned else "no, not this content"
    return (
        Fact(label="DVC hash", value=manifest.dvc_hash, exact=True),
        Fact(label="Recorded by DVC", value=recorded),
    )


def _champion_text(champion: Champion | None, metric: str) -> str:
    if champion is None:
        return "none when this was decided"
    score = score_text(champion.row.scores.get(metric))
    return f"version {champion.version} (run {champion.row.name}), {metric_text(metric)} {score}"
