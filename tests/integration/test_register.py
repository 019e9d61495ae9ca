"""A promotion on the real registries, killed before everything that it writes, and two that come at once."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.container import Container
from cv_yolo.domain.promotion.audit import Action, Entry, Proposal
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.demote import rollback, withdraw
from cv_yolo.workflows.register import Register, check, commit, examine, holder, registered
from tests.builders import a_new_version

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks, and kills with SIGKILL")
STAGING, PRODUCTION, ARCHIVED = Stage
REPOSITORY = Path(__file__).resolve().parents[2]
MOMENTS = 18  # more than there are: the last promotions live
ADOPTED, PROMOTED, WITHDRAWN = Action.ADOPTED, Action.PROMOTED, Action.WITHDRAWN
KILLED = -9


def a_register(container: Container, model: str, *, versions: int) -> Register:
    """A model that is older than its log: so many versions, the first in staging, the last in production."""
    register, tracker = container.records.register(model), container.records.tracker("register")
    for _ in range(versions):
        registered(a_new_version(run_id=tracker.start(NewRun(name="e3_s320", params={}, tags={}))), register)
    for version, stage in (("1", STAGING), (str(versions), PRODUCTION)):
        register.tracking.set_stage(version, stage)
        register.pipeline.set_stage(f"v{version}", stage)
    return register


def in_other_processes(root: Path, mode: str, *models: str) -> tuple[dict[str, Any], str]:
    command = [sys.executable, "-m", "tests.integration.register_child", str(root), mode, *models]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,  # checked by the next line
    )
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome, done.stderr


def promote_the_second(register: Register) -> Entry:
    """The promotion that the killed process tried."""
    run_id = register.tracking.versions()[1].run_id
    proposal = Proposal(stage=STAGING, version="2", run_id=run_id, expected="1")
    return commit(proposal, register, actor="anna@desk", now=datetime.now(UTC))


def stages(register: Register) -> list[list[Stage | None]]:
    return [[each.stage for each in side.versions()] for side in (register.tracking, register.pipeline)]


def actions(register: Register) -> list[Action]:
    return [entry.action for entry in register.log.entries()]


def require_repaired(register: Register, steps: list[str]) -> None:
    """Nothing is lost or held twice, the records agree after a check, and the promotion can be made once more."""
    written = steps[:-1].count("log.fsync")  # what it was about to write is not counted
    assert len(actions(register)) in {written, written + 1}, "what was flushed is kept; what was not, may be"
    before = actions(register)
    assert examine(register.log, register.anchor) == ()
    there, in_use = holder(STAGING, register), holder(PRODUCTION, register)
    assert there is not None
    assert in_use is not None
    assert (there.version, in_use.version) == ("2" if PROMOTED in before else "1", "3")
    wanted = [ARCHIVED, STAGING, PRODUCTION] if PROMOTED in before else [STAGING, None, PRODUCTION]
    assert bool(check(register, repair=True)) == bool(before), "behind the log is at least the anchor, which comes last"
    assert stages(register) == [wanted, wanted]
    assert check(register, repair=False) == ()
    promote_the_second(register)
    assert stages(register) == [[ARCHIVED, STAGING, PRODUCTION]] * 2
    assert actions(register) in ([ADOPTED] * 2 + [PROMOTED], [ADOPTED] * 2 + [PROMOTED] * 2)
    assert examine(register.log, register.anchor) == ()


def test_a_promotion_that_is_killed_at_any_moment_loses_nothing_and_is_repaired(zenml_container: Container) -> None:
    root = zenml_container.settings.root
    registers = {f"killed_{at:02}": a_register(zenml_container, f"killed_{at:02}", versions=3) for at in range(MOMENTS)}
    outcome, _ = in_other_processes(root, "kill", *registers)
    reported = {model: (root / f"{model}.steps").read_text(encoding="utf-8").splitlines() for model in registers}
    whole = max(reported.values(), key=len)
    deaths = {model: steps for model, steps in reported.items() if outcome[model] == KILLED}
    assert {outcome[model] for model in registers if model not in deaths} == {0}, "the last ones live"
    assert [steps[-1] for steps in deaths.values()] == whole, "one died before each thing that is written"
    assert whole.count("log.fsync") == 3
    assert "zenml.set_stage" in whole
    assert whole[-1] == "mlflow.set_registered_model_tag", "the anchor comes last"
    for model, steps in deaths.items():
        require_repaired(registers[model], steps)


def require_withdrawn_or_not(register: Register) -> None:
    """Both registries say what the log says after a check, and the stage can be emptied, filled and given back."""
    before = actions(register)
    assert examine(register.log, register.anchor) == ()
    there, in_use = holder(STAGING, register), holder(PRODUCTION, register)
    assert in_use is not None
    assert (None if there is None else there.version, in_use.version) == (None if WITHDRAWN in before else "1", "3")
    check(register, repair=True)
    wanted = [ARCHIVED if WITHDRAWN in before else STAGING, None, PRODUCTION]
    assert stages(register) == [wanted, wanted]
    assert check(register, repair=False) == ()
    if WITHDRAWN not in before:
        take_out(register)
    assert stages(register) == [[ARCHIVED, None, PRODUCTION]] * 2
    run_id = register.tracking.versions()[1].run_id
    first = Proposal(stage=STAGING, version="2", run_id=run_id, expected=None)
    assert commit(first, register, actor="anna@desk", now=datetime.now(UTC)).former is None
    assert stages(register) == [[ARCHIVED, STAGING, PRODUCTION]] * 2
    assert actions(register) == [ADOPTED, ADOPTED, WITHDRAWN, PROMOTED]
    assert examine(register.log, register.anchor) == ()


def take_out(register: Register) -> Entry:
    now = datetime.now(UTC)
    return withdraw(register, stage=STAGING, version="1", reason="recalled", actor="anna@desk", now=now)


def test_a_withdrawal_that_is_killed_at_any_moment_loses_nothing_and_is_repaired(zenml_container: Container) -> None:
    root = zenml_container.settings.root
    names = [f"withdrawn_{at:02}" for at in range(MOMENTS)]
    registers = {name: a_register(zenml_container, name, versions=3) for name in names}
    outcome, _ = in_other_processes(root, "withdraw", *registers)
    steps = {model: (root / f"{model}.steps").read_text(encoding="utf-8").splitlines() for model in registers}
    whole = max(steps.values(), key=len)
    deaths = [model for model in registers if outcome[model] == KILLED]
    assert {outcome[model] for model in registers if model not in deaths} == {0}, "the last ones live"
    assert [steps[model][-1] for model in deaths] == whole, "one died before each thing that is written"
    assert whole.count("log.fsync") == 3
    assert "zenml.set_stage" in whole
    assert "mlflow.delete_registered_model_alias" in whole
    for register in registers.values():
        require_withdrawn_or_not(register)


def test_a_rollback_on_the_real_registries_takes_a_withdrawal_back(zenml_container: Container) -> None:
    register = a_register(zenml_container, "brought_back", versions=3)
    take_out(register)
    entry = rollback(register, stage=None, to=None, reason=None, actor="anna@desk", now=datetime.now(UTC))
    assert (entry.version, entry.former) == ("1", None)
    assert stages(register) == [[STAGING, None, PRODUCTION]] * 2


def test_of_two_concurrent_promotions_one_wins_and_the_other_gets_an_error(zenml_container: Container) -> None:
    registers = {f"raced_{at}": a_register(zenml_container, f"raced_{at}", versions=4) for at in range(3)}
    outcome, reported = in_other_processes(zenml_container.settings.root, "race", *registers)
    for model, register in registers.items():
        assert sorted(outcome[model]) == [0, 4]
        winner = outcome[model].index(0)
        assert actions(register) == [ADOPTED, ADOPTED, PROMOTED]
        expected = [[ARCHIVED, STAGING, None, PRODUCTION], [ARCHIVED, None, STAGING, PRODUCTION]][winner]
        assert stages(register) == [expected, expected]
        assert check(register, repair=False) == ()
        loser = {0: 3, 1: 2}[winner]
        assert f"version {loser} was judged against version 1 in staging, but version {winner + 2} is there" in reported


def test_a_rollback_on_the_real_registries_takes_a_promotion_back(zenml_container: Container) -> None:
    register = a_register(zenml_container, "rolled_back", versions=3)
    promote_the_second(register)
    entry = rollback(register, stage=None, to=None, reason=None, actor="anna@desk", now=datetime.now(UTC))
    assert (entry.version, entry.former) == ("1", "2")
    assert stages(register) == [[STAGING, ARCHIVED, PRODUCTION]] * 2
    assert check(register, repair=False) == ()
