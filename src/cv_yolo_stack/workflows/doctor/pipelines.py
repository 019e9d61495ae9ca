"""ZenML's server: active, protected, of our client's version, with our stack, and with encrypted secrets."""

from collections.abc import Callable
from typing import Final

from cv_yolo.domain.stack import ARTIFACT_STORE, TRACKER
from cv_yolo_stack.domain.health import CheckOutcome, judge_version
from cv_yolo_stack.ports.probes import PipelineProbe
from cv_yolo_stack.workflows.doctor.every_server import (
    anonymous_refused,
    let_in,
    quick,
    reachable,
    same_time,
    wrong_credentials_refused,
)
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck

PIPELINES: Final = "zenml"
REPLACE: Final = "do not use this server: it requires no login; `cv-yolo up` starts one that does"


def pipeline_checkup(probe: PipelineProbe, *, stack: str, stored: Callable[[str], bytes] | None) -> Checkup:
    """All that is tried on ZenML; `stored` reads its database, where that is accessible."""
    return Checkup(
        service=PIPELINES,
        checks=(
            reachable(probe, service=PIPELINES),
            same_time(probe),
            *_state(probe, client=probe.client_version()),
            anonymous_refused(probe, remedy=REPLACE),
            wrong_credentials_refused(probe, remedy=REPLACE),
            let_in(probe, remedy="`cv-yolo connect URL` with a new key from `cv-yolo stack register`"),
            quick(probe, remedy="use a faster database, or a closer server: every step waits for this"),
            *_contents(probe, stack=stack, stored=stored),
        ),
    )


def _state(probe: PipelineProbe, *, client: str) -> tuple[ServiceCheck, ...]:
    return (
        ServiceCheck(
            name="version",
            expected=f"the client's, {client}",
            remedy=f"`pip install zenml==VERSION` with the server's version, or install {client} on the server",
            attempt=lambda: judge_version(probe.version(), client, exactly=True),
        ),
        ServiceCheck(
            name="activated",
            expected="an administrator was made",
            remedy="set ZENML_SERVER_AUTO_ACTIVATE=1 and ZENML_DEFAULT_USER_PASSWORD for it, as `cv-yolo up` does",
            attempt=lambda: _active(probe),
            vital=True,
        ),
    )


def _contents(probe: PipelineProbe, *, stack: str, stored: Callable[[str], bytes] | None) -> tuple[ServiceCheck, ...]:
    return (
        ServiceCheck(
            name="secrets",
            expected="cannot be read in its database",
            remedy="set ZENML_SECRETS_STORE_ENCRYPTION_KEY (`openssl rand -hex 32`), and create the secrets again",
            attempt=lambda: _secrets(probe, stored),
        ),
        ServiceCheck(
            name="stack",
            expected=f"{stack} of {TRACKER} and {ARTIFACT_STORE}",
            remedy="`cv-yolo stack register` creates it",
            attempt=lambda: _stack(probe, stack),
        ),
    )


def _active(probe: PipelineProbe) -> CheckOutcome:
    active = probe.is_active()
    return CheckOutcome(passed=active, found="yes" if active else "not yet: logins are impossible")


def _secrets(probe: PipelineProbe, stored: Callable[[str], bytes] | None) -> CheckOutcome:
    kind = probe.secrets_store()
    if kind != "sql":
        return CheckOutcome(passed=True, found=f"kept by {kind}, not in its database")
    if stored is None:
        return CheckOutcome(passed=None, found="not tried: its database is not accessible")
    if probe.secret_is_readable(stored):
        return CheckOutcome(passed=False, found="plain base64: a dump of the database reveals every secret")
    return CheckOutcome(passed=True, found="encrypted")


def _stack(probe: PipelineProbe, stack: str) -> CheckOutcome:
    names = probe.components(stack)
    if names is None:
        return CheckOutcome(passed=False, found=f"no stack {stack}")
    missing = [name for name in (TRACKER, ARTIFACT_STORE) if name not in names]
    if missing:
        return CheckOutcome(passed=False, found=f"{stack} has no {' and no '.join(missing)}")
    return CheckOutcome(passed=True, found=f"{stack}: {', '.join(names)}")
