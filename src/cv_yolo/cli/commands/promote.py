"""`cv-yolo promote`: judge a version by the policy on the test images, and put it into a stage if it passes."""

import json
import secrets
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cv_yolo.cli.commands.runs import registered_model_name
from cv_yolo.cli.output.decision import accept_option, print_decision, require_promotion
from cv_yolo.cli.scoring_session import Choices, ScoringSession, echo, session
from cv_yolo.config import load_policy
from cv_yolo.container import EXPERIMENT
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.policy import PromotionPolicy
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage
from cv_yolo.reports.text.checks import checks_json
from cv_yolo.reports.text.sentences import warnings_json
from cv_yolo.workflows.check_policy import require_fit
from cv_yolo.workflows.decide import DecisionContext
from cv_yolo.workflows.detectors import NEWEST, find_detector
from cv_yolo.workflows.judged_data import in_folder
from cv_yolo.workflows.promote import promote as promote_detector
from cv_yolo.workflows.report import Origin

EPILOGUE: Final = """
\b
Examples:
  cv-yolo promote                                the newest version to staging
  cv-yolo promote 4 --to production
  cv-yolo promote e5_s320 --policy configs/policy.tiny.yaml
  cv-yolo promote --to production --accept-inconclusive "release 2.1 needs the night scenes; agreed with QA"

Exit codes: 0 promoted, or there already · 4 rejected or inconclusive · 2 your input · 3 a service is down
"""


@click.command(epilog=EPILOGUE)
@click.argument("version", required=False)
@click.option(
    "--to", "stage", type=click.Choice(list(map(str, HELD_BY_ONE))), default=str(Stage.STAGING), show_default=True
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    default=Path("configs/policy.yaml"),
    show_default=True,
    help="The policy.",
)
@click.option(
    "--registered-model",
    metavar="NAME",
    callback=registered_model_name,
    help="The registered model (default: the policy's `model`).",
)
@click.option("--data", help="Folder of the data set (default: the one the version was trained on).")
@accept_option
@click.option("--experiment", default=EXPERIMENT, show_default=True, help="MLflow's experiment.")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
def promote(version: str | None, **given: Any) -> int:
    """Evaluate VERSION on the test images, and promote it to a stage if the policy allows it.

    VERSION is a registered version, or a run, which is registered. Default: the newest version; for production, the one
    in staging.
    """
    rule, stage = load_policy(given["policy"]), Stage(given["stage"])
    rule = replace(rule, model=given["registered_model"] or rule.model)
    choices = Choices(data=given["data"], resampling=rule.resampling, experiment=given["experiment"], model=rule.model)
    echo("Reading the records …")
    name = version or (NEWEST if stage is Stage.STAGING else str(Stage.STAGING))
    with session(choices, [name]) as here:
        root, folder = here.examination.dataset_root, here.examination.folder
        require_fit(rule, here.manifest, root=root, folder=folder, report=echo)
        decision, page = _decide(here, name, stage, rule, accepted=given["accept_inconclusive"])
    if given["as_json"]:
        summary = {"verdict": decision.verdict, "promoted": decision.promotes, "provisional": decision.provisional}
        summary |= warnings_json(decision)
        summary |= {"decision": asdict(decision) | {"checks": checks_json(decision.checks)}, "written": str(page)}
        click.echo(json.dumps(summary, indent=1, default=str))
    else:
        print_decision(decision, page, here.container.settings.root)
    require_promotion(decision, page)
    return 0


def _decide(
    here: ScoringSession, name: str, stage: Stage, policy: PromotionPolicy, *, accepted: str | None
) -> tuple[Decision, Path]:
    """Judge the detector, and apply the policy; returns the decision and its page."""
    container, detector = here.container, find_detector(name, here.sources)
    context = DecisionContext(
        policy=policy,
        stage=stage,
        manifest=here.manifest,
        examination=here.examination,
        sources=here.sources,
        id=secrets.token_hex(4),
        now=datetime.now(UTC),
        accepted=accepted,
        data_policy=container.datasets.policy(),
        is_this_dataset=in_folder(here.examination.dataset_root, project=container.settings.root),
    )
    echo(f"{detector.name}: judging it on {len(here.manifest.split(Split.TEST))} test images …")
    done = promote_detector(
        detector,
        context,
        actor=container.actor(),
        origin=Origin(tags=container.origin_tags()),
        renderer=container.renderer,
        folder=container.settings.decisions,
    )
    return done.decision, done.page
