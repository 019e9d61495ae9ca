"""The object store: all that our commands, ZenML, MLflow and DVC rely on, and nothing specific to one server."""

from collections.abc import Callable
from typing import Final

from cv_yolo_stack.domain.health import REFUSALS, CheckOutcome, judge_refusal
from cv_yolo_stack.ports.probes import ObjectStoreProbe
from cv_yolo_stack.workflows.doctor.every_server import (
    anonymous_refused,
    let_in,
    quick,
    reachable,
    same_time,
    wrong_credentials_refused,
)
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck

OBJECTS: Final = "store"
REFUSALS_TOO: Final = REFUSALS | {400}  # rclone's, for no signature and for one that has expired
OTHER_STORE: Final = (
    "use a store that does: `cv-yolo up --store rclone` or `--store minio`, or ask this one's administrator"
)
REGISTER: Final = "`cv-yolo stack register`"


def object_store_checkup(probe: ObjectStoreProbe) -> Checkup:
    """All that is tried on an S3 server."""
    return Checkup(service=OBJECTS, checks=(*_clients(probe), *_actions(probe), *_rules(probe)))


def _clients(probe: ObjectStoreProbe) -> tuple[ServiceCheck, ...]:
    return (
        reachable(probe, service=OBJECTS),
        same_time(probe),
        ServiceCheck(
            name="version",
            expected="any S3 server",
            remedy=OTHER_STORE,
            attempt=lambda: CheckOutcome(passed=True, found=probe.version()),
        ),
        anonymous_refused(
            probe, refusals=REFUSALS_TOO, remedy="remove the public policy of the bucket: anyone can read it"
        ),
        wrong_credentials_refused(probe, remedy="start the store with credentials: it accepts any signature"),
        let_in(
            probe,
            remedy=f"{REGISTER} writes access key and secret again, where the server's own are kept; if the clock is "
            "off, set that first",
        ),
        ServiceCheck(
            name="buckets",
            expected="all that are needed",
            remedy=f"{REGISTER} creates them",
            attempt=lambda: _buckets(probe),
            vital=True,
        ),
        quick(probe, remedy="use a closer store, or a faster disk: every artifact of a run waits for this"),
    )


def _actions(probe: ObjectStoreProbe) -> tuple[ServiceCheck, ...]:
    return (
        _does("put, get, list, delete", probe.exchange),
        _does("multipart upload", probe.multipart),
        _does("presigned put", probe.presigned_put),
        _does("presigned get", probe.presigned_get),
    )


def _rules(probe: ObjectStoreProbe) -> tuple[ServiceCheck, ...]:
    return (
        ServiceCheck(
            name="expired address",
            expected="refused",
            remedy=f"{OTHER_STORE}; on this one a leaked address never expires",
            attempt=lambda: _expired(probe.ask_with_expired_address()),
        ),
        ServiceCheck(
            name="checksums",
            expected="the SDK's default checksums are accepted",
            remedy="set AWS_REQUEST_CHECKSUM_CALCULATION=when_required on every client, or " + OTHER_STORE,
            attempt=lambda: CheckOutcome(passed=True, found=probe.checksums()),
        ),
        ServiceCheck(
            name="conditional put",
            expected="informational",
            remedy=OTHER_STORE,
            attempt=lambda: CheckOutcome(passed=None, found="kept" if probe.keeps_conditions() else "ignored"),
        ),
        ServiceCheck(
            name="cleaned up",
            expected="nothing left in the scratch folder",
            remedy="delete everything below `.cv-yolo-probe/` in the bucket",
            attempt=lambda: _left(probe.clean_up()),
        ),
    )


def _does(name: str, call: Callable[[], None]) -> ServiceCheck:
    def attempt() -> CheckOutcome:
        call()
        return CheckOutcome(passed=True, found="works")

    return ServiceCheck(name=name, expected="works", remedy=OTHER_STORE, attempt=attempt)


def _buckets(probe: ObjectStoreProbe) -> CheckOutcome:
    missing = probe.missing_buckets()
    if missing:
        return CheckOutcome(passed=False, found=f"no {', '.join(missing)}")
    return CheckOutcome(passed=True, found="there")


def _expired(status: int) -> CheckOutcome:
    return judge_refusal({"presigned get": status}, refusals=REFUSALS_TOO)


def _left(count: int) -> CheckOutcome:
    return CheckOutcome(passed=True, found="nothing left" if count == 0 else f"{count} left over, removed")
