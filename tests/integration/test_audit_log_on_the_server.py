"""Two machines, each with a home and a key of its own, promote at one server: the log there decides, and is watched."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.adapters.zenml.server import ZenmlServer
from cv_yolo.domain.stack import ARTIFACTS_BUCKET
from tests.servers import RunningStack, cv_yolo, environment_of

REPOSITORY = Path(__file__).resolve().parents[2]
MODEL = "raced_by_two"
ROUNDS = 2


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A project of its own, connected to the server, and a process in it that obeys."""

    root: Path
    process: "subprocess.Popen[str]"

    def order(self, **what: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any] | None:
        """What it says next, None where it died; the libraries' own lines are passed over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                return said
        return None

    def asked(self, **what: Any) -> dict[str, Any]:
        self.order(**what)
        said = self.answer()
        assert said is not None, f"{self.root.name} died of {what}"
        return said

    def promotion(self, version: str, stage: str = "staging") -> dict[str, Any]:
        """An order to promote, by one who sees the register as it is now."""
        now = self.asked(do="inspect")
        run_id, expected = now["versions"][version], now["holders"].get(stage)
        return {"do": "promote", "version": version, "run_id": run_id, "stage": stage, "expected": expected}


def free_versions(machine: Machine) -> list[str]:
    """Those that hold no stage."""
    return [version for version in "1234" if version not in machine.asked(do="inspect")["holders"].values()]


def started(root: Path) -> Machine:
    command = [sys.executable, "-m", "tests.integration.machine_child", str(root), MODEL]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return Machine(root=root, process=subprocess.Popen(command, cwd=REPOSITORY, env=environment_of(root), **pipes))


@pytest.fixture(scope="module")
def machines(local_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """Anna's and Bo's."""
    home, made = local_stack.settings.root, []
    cv_yolo(home, "stack", "register")
    try:
        for name in ("anna", "bo"):
            root = tmp_path_factory.mktemp(name)
            key = cv_yolo(home, "stack", "key", name).stdout.strip()
            cv_yolo(root, "connect", local_stack.addresses.pipelines.url, CV_YOLO_SERVER_API_KEY=key)
            made.append(started(root))
        assert all(machine.answer() == {"ready": True} for machine in made)
        assert made[0].asked(do="make", versions=4) == {"made": 4}
        yield made
    finally:
        for machine in made:
            machine.process.kill()
            machine.process.communicate()
        _remove_log(local_stack)


def _remove_log(stack: RunningStack) -> None:
    """The last test leaves the log broken, and other files verify every log of these servers."""
    server, store = ZenmlServer(stack.addresses.pipelines), S3Store(stack.addresses.objects)
    for model in server.done("GET", f"/models?name=audit_log_{MODEL}")["items"]:
        server.done("DELETE", f"/models/{model['id']}")
    for each in list(store.objects(ARTIFACTS_BUCKET)):
        if each.key.startswith(f"audit_log/{MODEL}/"):
            store.delete(ARTIFACTS_BUCKET, each.key)


def test_of_two_machines_one_wins_each_time_and_the_other_gets_an_error(machines: list[Machine]) -> None:
    anna = machines[0]
    before = anna.asked(do="inspect")["hashes"]
    for _ in range(ROUNDS):
        versions = free_versions(anna)[:2]
        orders = [machine.promotion(version) for machine, version in zip(machines, versions, strict=True)]
        for machine, order in zip(machines, orders, strict=True):
            machine.order(**order)
        answers = [machine.answer() or {} for machine in machines]
        assert sorted(answer["outcome"] for answer in answers) == ["conflict", "won"]
        (won,) = [answer["sha256"] for answer in answers if answer["outcome"] == "won"]
        (reported,) = [answer["said"] for answer in answers if answer["outcome"] == "conflict"]
        assert "is there since" in reported
        for machine in machines:
            seen = machine.asked(do="inspect")
            assert (seen["findings"], seen["found"], seen["left"], seen["doubled"]) == ([], 0, [], 0)
            assert seen["hashes"] == [*before, won]
        before = seen["hashes"]


def test_two_machines_that_want_different_stages_both_win(machines: list[Machine]) -> None:
    anna, bo = machines
    before = anna.asked(do="inspect")
    first, second = free_versions(anna)[:2]
    orders = [anna.promotion(first), bo.promotion(second, "production")]
    for machine, order in zip(machines, orders, strict=True):
        machine.order(**order)
    won = {(machine.answer() or {})["sha256"] for machine in machines}
    after = bo.asked(do="inspect")
    assert set(after["hashes"][len(before["hashes"]) :]) == won
    assert after["holders"] == {"staging": first, "production": second}
    assert (after["findings"], after["found"], after["left"]) == ([], 0, [])


def test_what_a_crashed_machine_left_undone_is_repaired_by_another(machines: list[Machine]) -> None:
    anna, bo = machines
    before = bo.asked(do="inspect")
    order = anna.promotion(free_versions(anna)[0])
    anna.order(**order, die_at=2)  # the entry is written, and nothing else is
    assert anna.answer() is None
    anna.process.wait()
    after = bo.asked(do="inspect")
    assert len(after["hashes"]) == len(before["hashes"]) + 1
    assert after["holders"]["staging"] == order["version"]
    assert after["found"]
    assert (after["findings"], after["left"], after["doubled"]) == ([], [], 0)
    machines[0] = started(anna.root)
    assert machines[0].answer() == {"ready": True}


def findings(machine: Machine) -> list[str]:
    """What the machine finds wrong with the log."""
    reported: list[str] = machine.asked(do="inspect")["findings"]
    return reported


def verified(machine: Machine, code: int) -> list[str]:
    """The same as the user sees it."""
    output = json.loads(cv_yolo(machine.root, "history", "--verify", "--json", "--model", MODEL, code=code).stdout)
    return [finding["sentence"] for finding in output["findings"]]


def test_changes_on_the_server_are_found_by_history(machines: list[Machine], local_stack: RunningStack) -> None:
    for version in free_versions(machines[1])[:2]:
        assert machines[1].asked(**machines[1].promotion(version))["outcome"] == "won"
    assert verified(machines[1], 0) == []
    store, bucket = S3Store(local_stack.addresses.objects), ARTIFACTS_BUCKET
    sha256 = machines[1].asked(do="inspect")["hashes"][1]
    key = f"audit_log/{MODEL}/000002-{sha256}.json"
    content = store.get(bucket, key)
    store.put(bucket, key, content.replace(b'"staging"', b'"archived"'))
    assert [sentence.split(" at ")[0] for sentence in findings(machines[1])] == ["The copy of entry 2"]
    store.delete(bucket, key)
    assert [sentence.split(" at ")[0] for sentence in findings(machines[1])] == ["Entry 2 has no copy"]
    store.put(bucket, key, content)
    server = ZenmlServer(local_stack.addresses.pipelines)
    rows = server.done("GET", "/model_versions?name=entry_2")["items"]
    (row,) = [each for each in rows if each["body"]["model"]["name"] == f"audit_log_{MODEL}"]
    for text in ("nothing", content.decode().replace('"staging"', '"production"')):
        server.done("PUT", f"/model_versions/{row['id']}", {"description": text})
        assert findings(machines[1])
    server.done("PUT", f"/model_versions/{row['id']}", {"description": content.decode()})
    assert findings(machines[1]) == []
    server.done("DELETE", f"/model_versions/{row['id']}")
    assert verified(machines[1], 1) == ["Entry 2 is missing."]
