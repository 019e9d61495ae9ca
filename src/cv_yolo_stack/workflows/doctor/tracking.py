"""MLflow's server, and its three traps: host names it refuses, redirects to a store, a slow login."""

import time
from collections.abc import Callable
from typing import Final

from cv_yolo_stack.domain.health import CheckOutcome, duration_in_words, judge_version
from cv_yolo_stack.ports.probes import TrackingProbe
from cv_yolo_stack.workflows.doctor.every_server import (
    anonymous_refused,
    let_in,
    quick,
    reachable,
    same_time,
    took_ms,
    wrong_credentials_refused,
)
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck

TRACKING: Final = "mlflow"
EXPERIMENT: Final = "cv_yolo_tiny"
LOGIN_LIMIT_MS: Final = 300
PROTECT: Final = "start it with `mlflow server --app-name basic-auth`, as `cv-yolo up` does"
LOGS: Final = f"`cv-yolo logs {TRACKING}`, or the server's own log, shows what went wrong"


def tracking_checkup(probe: TrackingProbe, *, clock: Callable[[], float] = time.perf_counter) -> Checkup:
    """All that is tried on MLflow."""
    return Checkup(service=TRACKING, checks=(*_clients(probe), *_measures(probe, clock), *_use(probe)))


def _clients(probe: TrackingProbe) -> tuple[ServiceCheck, ...]:
    return (
        reachable(probe, service=TRACKING),
        same_time(probe),
        ServiceCheck(
            name="host name",
            expected="allowed: clients call the server by the name in its address",
            remedy="add the name to `mlflow server --allowed-hosts` (MLFLOW_SERVER_ALLOWED_HOSTS)",
            attempt=lambda: _host(probe),
            vital=True,
        ),
        anonymous_refused(probe, remedy=PROTECT),
        wrong_credentials_refused(probe, remedy=PROTECT),
        let_in(
            probe, remedy="`cv-yolo stack register` writes user and password again, where the server's own are kept"
        ),
    )


def _measures(probe: TrackingProbe, clock: Callable[[], float]) -> tuple[ServiceCheck, ...]:
    return (
        ServiceCheck(
            name="version",
            expected=f"the client's, {probe.client_version()}",
            remedy=f"install the client's version on the server: `pip install mlflow=={probe.client_version()}`",
            attempt=lambda: judge_version(probe.version(), probe.client_version(), exactly=False),
        ),
        quick(probe, remedy="use a faster database, or fewer clients: every epoch waits for this"),
        ServiceCheck(
            name="login kept",
            expected=f"a login costs at most {LOGIN_LIMIT_MS} ms a request",
            remedy="set `auth_cache_ttl_seconds = 60` in the file that MLFLOW_AUTH_CONFIG_PATH names",
            attempt=lambda: _login(probe, clock),
        ),
    )


def _use(probe: TrackingProbe) -> tuple[ServiceCheck, ...]:
    def exchange(call: Callable[[], None]) -> Callable[[], CheckOutcome]:
        def attempt() -> CheckOutcome:
            call()
            return CheckOutcome(passed=True, found="works")

        return attempt

    return (
        ServiceCheck(name="metric", expected="returned as logged", remedy=LOGS, attempt=exchange(probe.log_metric)),
        ServiceCheck(
            name="artifact",
            expected="returned as stored, through the server",
            remedy=f"{LOGS}; its store is named by `--artifacts-destination` and MLFLOW_S3_ENDPOINT_URL",
            attempt=exchange(probe.exchange_artifact),
        ),
        ServiceCheck(
            name="presigned download",
            expected="the server serves artifacts itself, or redirects clients to a store that they reach",
            remedy="set MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false on clients, or give the server an "
            "MLFLOW_S3_ENDPOINT_URL that clients resolve too",
            attempt=lambda: _detour(probe),
        ),
        ServiceCheck(
            name="experiment",
            expected=f"{EXPERIMENT} can take runs",
            remedy="`mlflow experiments restore`, or another `experiment:` in the configuration",
            attempt=lambda: _experiment(probe),
        ),
        ServiceCheck(
            name="cleaned up",
            expected="nothing left except what is reused",
            remedy=LOGS,
            attempt=lambda: CheckOutcome(passed=True, found=f"reused: {probe.kept_for_trials()}"),
        ),
    )


def _experiment(probe: TrackingProbe) -> CheckOutcome:
    deleted = probe.deleted_experiment(EXPERIMENT)
    if deleted is None:
        return CheckOutcome(passed=True, found="not deleted")
    restore = f"`mlflow experiments restore --experiment-id {deleted}` with MLFLOW_TRACKING_URI={probe.address}"
    return CheckOutcome(
        passed=False,
        found=f"{EXPERIMENT} was deleted: MLflow keeps its name, and accepts no runs for it",
        remedy=f"{restore} restores it with its runs; or use another `experiment:` in the configuration",
    )


def _host(probe: TrackingProbe) -> CheckOutcome:
    refused = probe.refused_host()
    if refused is None:
        return CheckOutcome(passed=True, found="allowed")
    return CheckOutcome(passed=False, found=f"the server refuses the host name {refused}")


def _login(probe: TrackingProbe, clock: Callable[[], float]) -> CheckOutcome:
    known = min(took_ms(probe.log_in, clock) for _ in range(3))
    anonymous = min(took_ms(probe.greet, clock) for _ in range(3))
    cost_ms = max(0.0, known - anonymous)
    return CheckOutcome(passed=cost_ms <= LOGIN_LIMIT_MS, found=duration_in_words(cost_ms))


def _detour(probe: TrackingProbe) -> CheckOutcome:
    detour = probe.detour()
    if detour is None:
        return CheckOutcome(passed=True, found="through the server")
    if detour.trouble is None:
        return CheckOutcome(passed=True, found=f"redirected to {detour.server}, which works")
    found = f"redirected to {detour.server}: {detour.trouble}"
    if probe.takes_detours():
        return CheckOutcome(passed=False, found=found)
    advice = "our commands use the server instead; for other clients set MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false"
    return CheckOutcome(passed=None, found=f"{found}; {advice}")
