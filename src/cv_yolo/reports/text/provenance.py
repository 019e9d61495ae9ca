"""What a reader needs to check a report: the data, the policy and the provenance, as labelled facts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cv_yolo.domain.data.class_names import listed
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.evaluation.evaluation import Subject
from cv_yolo.domain.promotion.decision import Champion, Decision
from cv_yolo.domain.promotion.policy import ALL_CLASSES, Gate, Rule
from cv_yolo.domain.training.runs import RunRow
from cv_yolo.reports.tables.metric_rows import Scores
from cv_yolo.reports.text.formatting import (
    ABSENT,
    images_and_boxes_text,
    latency_text,
    metric_text,
    percent_text,
    time_text,
)
from cv_yolo.reports.view_models import DecisionReport


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledValue:
    """A label and its value; an `exact` value is an identifier that a reader may copy."""

    label: str
    value: str
    exact: bool = False


def data_facts(manifest: DatasetManifest) -> tuple[LabelledValue, ...]:
    """What the scores were measured on, and whether it can be had again."""
    return (
        LabelledValue(label="Data set", value=manifest.name),
        LabelledValue(label="Classes", value=", ".join(manifest.classes)),
        LabelledValue(label="Trained on", value=_split_text(manifest, Split.TRAIN)),
        LabelledValue(label="Chosen on", value=_split_text(manifest, Split.VAL)),
        LabelledValue(label="Judged on", value=_split_text(manifest, Split.TEST)),
        LabelledValue(label="Revision", value=manifest.revision, exact=True),
        *_dvc_facts(manifest),
    )


def other_data(rows: Sequence[RunRow], manifest: DatasetManifest) -> str | None:
    """A warning that names the runs that were not scored on this revision; None where all were."""
    others = [row.name for row in rows if row.revision not in (None, manifest.revision)]
    return f"Not scored on this revision of the data: {', '.join(others)}." if others else None


def policy_facts(decision: Decision) -> tuple[LabelledValue, ...]:
    """The rule that was applied, and the version that it was applied against."""
    policy, made = decision.policy, decision.policy.resampling
    chosen_by = f"the cheapest run within noise of the best {metric_text(policy.selection_metric)} on val"
    return (
        LabelledValue(label="Model", value=policy.model),
        LabelledValue(label="Chosen among runs", value=chosen_by),
        LabelledValue(label="Gate into", value=decision.stage),
        *_gate_facts(decision.gate),
        LabelledValue(label="Champion", value=_champion_text(decision.champion)),
        LabelledValue(
            label="Test images",
            value=f"at least {policy.min_images}; at most {policy.test_budget} decisions on the same images",
        ),
        LabelledValue(
            label="Intervals", value=f"{percent_text(made.confidence)}, {made.resamples} resamples, seed {made.seed}"
        ),
        LabelledValue(label="Policy file", value=policy.source or ABSENT, exact=True),
        LabelledValue(label="Policy (SHA-256)", value=policy.sha256 or ABSENT, exact=True),
    )


def provenance_facts(report: DecisionReport) -> tuple[LabelledValue, ...]:
    """Where everything in the report comes from."""
    decision, version = report.decision, report.version
    facts = [
        LabelledValue(label="Decision", value=decision.id, exact=True),
        LabelledValue(label="Made at", value=time_text(decision.made_at)),
        LabelledValue(label="ZenML pipeline run", value=report.pipeline_run or ABSENT, exact=True),
        LabelledValue(label="Git commit", value=report.git_commit or ABSENT, exact=True),
        LabelledValue(label="Git working tree", value="with uncommitted changes" if report.git_dirty else "clean"),
    ]
    if version is not None:
        facts.append(LabelledValue(label="Version", value=f"{version.version} of {version.model}"))
        facts.append(LabelledValue(label="Weights (SHA-256)", value=version.weights_sha256, exact=True))
    return (*facts, *run_facts(decision.rows))


def run_facts(rows: Sequence[RunRow]) -> tuple[LabelledValue, ...]:
    """The tracked runs behind the table."""
    return tuple(LabelledValue(label=f"MLflow run of {row.name}", value=row.run_id, exact=True) for row in rows)


def evaluation_facts(scores: Scores) -> tuple[LabelledValue, ...]:
    """What the evaluations were made of: the images, and of each model the weights and how it predicted."""
    subject = scores.subject.subject
    named = tuple(zip(scores.names, scores.evaluations, strict=True))
    if subject.split is None:
        annotations = LabelledValue(label="Annotations (SHA-256)", value=subject.revision, exact=True)
        return (annotations, *(_file_fact(name, evaluation.subject) for name, evaluation in named))
    facts = [
        LabelledValue(label="Data (revision)", value=subject.revision, exact=True),
        LabelledValue(label=f"Split {subject.split} (revision)", value=subject.split_revision, exact=True),
    ]
    for name, evaluation in named:
        facts += [
            LabelledValue(label=f"{name}: evaluation", value=evaluation.id, exact=True),
            LabelledValue(label=f"{name}: weights (SHA-256)", value=evaluation.subject.weights_sha256, exact=True),
            LabelledValue(label=f"{name}: detections", value=_detections_text(evaluation.subject)),
        ]
    return tuple(facts)


def rule_text(gate: Gate) -> str:
    """What the candidate must be against the champion."""
    metric = metric_text(gate.metric)
    return f"{metric} better" if gate.rule is Rule.SUPERIORITY else f"{metric} not worse by more than {gate.margin:g}"


def _file_fact(name: str, subject: Subject) -> LabelledValue:
    return LabelledValue(label=f"{name}: detections (SHA-256)", value=subject.weights_sha256, exact=True)


def _detections_text(subject: Subject) -> str:
    size = "unknown settings" if subject.settings is None else f"at {subject.settings.image_size_px} px"
    latency = "unknown latency" if subject.latency_ms is None else f"{latency_text(subject.latency_ms)} per image"
    ignored = subject.ignored_classes
    left_out = f"; ignored, since the data set has no such class: {listed(ignored)}" if ignored else ""
    return f"{subject.predictor}, {size}, {latency}{left_out}"


def _gate_facts(gate: Gate) -> Iterator[LabelledValue]:
    yield LabelledValue(label="Against the champion", value=rule_text(gate))
    for label, margin in (("Each class", gate.class_margin), ("Each slice", gate.slice_margin)):
        if margin is not None:
            yield LabelledValue(label=label, value=f"not shown to be worse by more than {margin:g}")
    if gate.required_classes:
        required = "all" if gate.required_classes == ALL_CLASSES else ", ".join(gate.required_classes)
        asked = f"at least {gate.required_boxes} boxes in test, and detected"
        yield LabelledValue(label="Required classes", value=f"{required}: {asked}")
    if gate.class_floor is not None:
        yield LabelledValue(label="Floor of AP50 of every class", value=_above(gate.class_floor))
    for figure, floor in gate.floors.items():
        yield LabelledValue(label=f"Floor of {metric_text(figure)}", value=_above(floor))
    if gate.max_latency_ms is not None:
        yield LabelledValue(label="Latency", value=f"at most {gate.max_latency_ms:g} ms per image")
    if gate.max_size_bytes is not None:
        yield LabelledValue(label="Size", value=f"at most {gate.max_size_bytes} bytes")
    if gate.provisional:
        yield LabelledValue(
            label="Provisional", value="a version may enter on fewer test images, until one has passed the whole gate"
        )


def _above(limit: float) -> str:
    return f"lower bound above {limit:g}"


def _split_text(manifest: DatasetManifest, split: Split) -> str:
    images = manifest.counts()[split]
    text = images_and_boxes_text(images, manifest.box_counts()[split]) if images else "no images"
    return f"split {split}: {text}"


def _dvc_facts(manifest: DatasetManifest) -> tuple[LabelledValue, ...]:
    if manifest.dvc_hash is None:
        return (LabelledValue(label="DVC", value="this folder is not tracked"),)
    recorded = "yes, with this content" if manifest.versioned else "no, its content has changed"
    return (
        LabelledValue(label="DVC hash", value=manifest.dvc_hash, exact=True),
        LabelledValue(label="Recorded by DVC", value=recorded),
    )


def _champion_text(champion: Champion | None) -> str:
    if champion is None:
        return "none at the time of the decision"
    provisionally = ", provisional" if champion.provisional else ""
    return f"version {champion.version} (run {champion.name}){provisionally}"
