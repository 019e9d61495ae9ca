"""Refused keys, wrong clocks, a slow store, a full disk: reported, and fixed by the reported commands."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock

import pytest

from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack
from cv_yolo.domain.stack import OBJECTS_SECRET, SERVICE_ACCOUNT, Secret
from cv_yolo_stack.adapters.mlflow import MlflowServer
from tests.disks import small_disk
from tests.e2e.project import make_project
from tests.faults import Clone, Ended, connected, connected_clone, full, grid_of, other_stack
from tests.loopback import Asked, Reply, in_front_of
from tests.servers import RunningStack, cv_yolo

pytestmark = pytest.mark.slow
KEY = "faults-keys"
SEED = 21
GRID = grid_of(2, seed=SEED)
SLOWNESS_S = 0.4


@pytest.fixture(scope="module")
def clone(faulty_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return connected_clone(faulty_stack, tmp_path_factory.mktemp("keys") / "clone", name=KEY)


def renew(clone: Clone) -> None:
    """Do what the hint says: a new key, on the servers' machine, and connect with it."""
    servers = clone.stack.settings.root
    key = cv_yolo(servers, "stack", "key", KEY).stdout.strip()
    cv_yolo(clone.project.root, "connect", clone.stack.addresses.pipelines.url, CV_YOLO_SERVER_API_KEY=key)


def register(clone: Clone) -> None:
    """Do what the hint says: register the stack again, on the servers' machine."""
    cv_yolo(clone.stack.settings.root, "stack", "register")


def revoke_key(clone: Clone) -> None:
    cv_yolo(clone.stack.settings.root, "stack", "key", KEY)


def let_key_expire(clone: Clone) -> None:
    """Switch the key off, which is all that a server does with one whose time is over."""
    zenml = ZenmlServer(clone.stack.addresses.pipelines)
    account = zenml.done("GET", f"/service_accounts?name={SERVICE_ACCOUNT}")["items"][0]["id"]
    key = zenml.done("GET", f"/service_accounts/{account}/api_keys?name={KEY}")["items"][0]["id"]
    zenml.done("PUT", f"/service_accounts/{account}/api_keys/{key}", {"active": False})


def change_tracking_password(clone: Clone) -> None:
    MlflowServer(clone.stack.addresses.tracking).set_user(SERVICE_ACCOUNT, "another-password-123")


def change_store_secret(clone: Clone) -> None:
    registry = ZenmlStack(ZenmlServer(clone.stack.addresses.pipelines))
    known = registry.secret(OBJECTS_SECRET)
    assert known is not None
    registry.set_secret(Secret(name=OBJECTS_SECRET, values=known.values | {"aws_secret_access_key": "wrong"}))


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """How a key is broken, what is reported, and what fixes it."""

    spoil: Callable[[Clone], None]
    message: tuple[str, ...]
    fix: Callable[[Clone], None]


REFUSALS = {
    "revoked key": Refusal(spoil=revoke_key, message=("ZenML at", "401", "`cv-yolo stack key NAME`"), fix=renew),
    "expired key": Refusal(spoil=let_key_expire, message=("ZenML at", "401", "`cv-yolo connect URL`"), fix=renew),
    "MLflow password": Refusal(
        spoil=change_tracking_password,
        message=("MLflow at", "user or password is wrong", "`cv-yolo stack register`"),
        fix=register,
    ),
    "S3 secret": Refusal(
        spoil=change_store_secret,
        message=("object store at", "SignatureDoesNotMatch", "`cv-yolo stack register`"),
        fix=register,
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_wrong_credentials_are_reported_before_training_and_fixed_by_the_reported_command(
    refusal: Refusal, clone: Clone
) -> None:
    refusal.spoil(clone)
    began = time.monotonic()
    refused = clone.run(*GRID)
    took_s = time.monotonic() - began
    refusal.fix(clone)
    assert refused.exit_code == 3, refused.err
    assert all(part in refused.err for part in refusal.message), refused.err
    assert "Traceback" not in refused.out + refused.err
    assert refused.trained == []
    assert took_s < clone.stack.settings.retry_s, "it is no use to wait"
    assert clone.tracked("e2_s64", seed=SEED) == []
    assert clone.pipeline_runs() == []


@contextmanager
def skewed(url: str) -> Iterator[str]:
    """The store at that address, for a client whose clock is twenty minutes behind."""

    def behind(asked: Asked) -> Asked:
        then = datetime.now(UTC) - timedelta(minutes=20)
        return replace(asked, headers=asked.headers | {"x-amz-date": f"{then:%Y%m%dT%H%M%SZ}"})

    with in_front_of(url, lambda _, reply: replace(reply, ahead=timedelta(minutes=20)), alter=behind) as front:
        yield front


def test_a_clock_twenty_minutes_off_is_reported_by_runs_and_by_doctor(clone: Clone) -> None:
    with (
        skewed(str(clone.stack.addresses.objects.endpoint_url)) as front,
        other_stack(clone.stack, "skewed", store_url=front) as chosen,
    ):
        refused = clone.run(*GRID, **chosen)
        examined = clone.run("doctor", **chosen)
    assert refused.exit_code == 3, refused.err
    assert "20 minutes apart" in refused.err
    assert "timedatectl set-ntp true" in refused.err
    assert refused.trained == []
    assert examined.exit_code == 3
    assert "clock" in examined.out
    assert "timedatectl" in examined.out


@pytest.fixture(scope="module")
def slow(clone: Clone) -> tuple[Ended, int, float]:
    """A grid on a slow store; how many requests there were, and how long it took in all."""
    asked, lock, never = [0], Lock(), Event()

    def late(_: Asked, reply: Reply) -> Reply:
        with lock:
            asked[0] += 1
        never.wait(SLOWNESS_S)
        return reply

    with (
        in_front_of(str(clone.stack.addresses.objects.endpoint_url), late) as front,
        other_stack(clone.stack, "slow", store_url=front) as chosen,
    ):
        began = time.monotonic()
        done = clone.run(*GRID, **chosen)
        return done, asked[0], time.monotonic() - began


def test_a_slow_store_makes_a_run_slow_and_no_more(slow: tuple[Ended, int, float], clone: Clone) -> None:
    done, requests, took_s = slow
    assert done.exit_code == 0, done.err
    assert done.trained == ["e2_s64"]
    assert clone.pipeline_runs()[0] == "completed"
    print(f"{requests} requests of {SLOWNESS_S:g} s in {took_s:.0f} s")
    assert requests < 100, f"{requests} requests for one cell"


def test_a_key_revoked_during_a_run_stops_it_and_a_new_key_resumes_it(clone: Clone) -> None:
    command = grid_of(2, seed=SEED + 1)
    with clone.at_work(*command) as work:
        work.wait_until("the first epoch", kind="epoch", run="e2_s64")
        revoke_key(clone)
        stopped = work.ended()
    renew(clone)
    assert stopped.exit_code == 3, stopped.err
    assert "`cv-yolo stack key NAME`" in stopped.err
    assert "Traceback" not in stopped.out + stopped.err
    again = clone.run(*command)
    assert again.exit_code in {0, 4}, again.err
    assert again.trained == []
    assert clone.pipeline_runs()[:2] == ["completed", "failed"]


def test_a_full_disk_is_named_and_the_same_command_resumes_once_there_is_space(
    faulty_stack: RunningStack, tmp_path: Path
) -> None:
    project, command = make_project(tmp_path / "clone"), grid_of(12, seed=SEED)
    home = project.root / ".cv-yolo"
    with small_disk(home, 256_000_000):
        clone = connected(faulty_stack, project, name="faults-disk")
        with clone.at_work(*command) as work:
            work.wait_until("the first epoch", kind="epoch", run="e12_s64")
            with full(home):
                stopped = work.ended()
        assert stopped.exit_code in {1, 3}, stopped.err
        assert "the disk is full" in stopped.err
        assert str(home) in stopped.err
        assert "run the same command again" in stopped.err
        assert "Traceback" not in stopped.out + stopped.err
        again = clone.run(*command)
        assert again.exit_code in {0, 4}, again.err
        assert clone.pipeline_runs()[:2] == ["completed", "failed"]
        assert [run.status for run in clone.tracked("e12_s64", seed=SEED)] == ["FINISHED", "FAILED"]
