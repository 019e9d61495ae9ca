"""`models`, `history` and `rollback`: which version is where, who put it there, and the way back."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.zenml.registry import ZenmlRegistry
from cv_yolo.cli.commands.models import history_table
from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.domain.promotion.audit import holders
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.register import Register, commit, judge, registered
from cv_yolo_stack.servers.pages import free_port
from tests.builders import NOON, a_new_version, a_proposal, an_entry
from tests.kept_records import KeptRecords

STAGING, PRODUCTION, ARCHIVED = Stage
MODEL = "of_the_commands"


@dataclass(frozen=True, kw_only=True)
class Records:
    """A model with three versions, of which 1 and 2 came to staging, and the commands about it."""

    register: Register
    log: Path
    capsys: pytest.CaptureFixture[str]

    def call(self, *arguments: str, exit_code: int = 0) -> str:
        assert run([*arguments, "--model", self.register.model]) == exit_code
        return self.capsys.readouterr().out

    def json(self, *arguments: str, exit_code: int = 0) -> Any:
        return json.loads(self.call(*arguments, "--json", exit_code=exit_code))

    def promote(self, version: str, stage: Stage = STAGING, **changes: Any) -> None:
        commit(self.proposal(version, stage, **changes), self.register, actor="anna@desk", now=NOON)

    def proposal(self, version: str, stage: Stage = STAGING, **changes: Any) -> Any:
        expected = holders(self.register.log.entries()).get(stage)
        run_id = self.register.tracking.versions()[int(version) - 1].run_id
        return a_proposal(version=version, run_id=run_id, stage=stage, expected=expected, **changes)

    def stages(self) -> list[Stage | None]:
        return [each.stage for each in self.register.tracking.versions()]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> KeptRecords:
    return KeptRecords(folder=tmp_path_factory.mktemp("records"))


@pytest.fixture
def records(
    zenml_container: Container,
    monkeypatch: pytest.MonkeyPatch,
    kept: KeptRecords,
    capsys: pytest.CaptureFixture[str],
) -> Records:
    monkeypatch.setenv("CV_YOLO_ROOT", str(zenml_container.settings.root))
    register, tracker = zenml_container.records.register(MODEL), zenml_container.records.tracker()
    made = Records(register=register, log=zenml_container.settings.audit / f"{MODEL}.jsonl", capsys=capsys)

    def make() -> None:
        for _ in range(3):
            registered(a_new_version(run_id=tracker.start(NewRun(name="e3_s320", params={}, tags={}))), register)
        made.promote("1")
        made.promote("2", reason="better on small persons", provisional=True)

    kept.start(zenml_container.settings, make)
    return made


def test_versions_are_a_table_that_says_which_one_is_in_staging(records: Records) -> None:
    _, newest, middle, oldest = records.call("models").splitlines()
    runs = [each.run_id for each in records.register.tracking.versions()]
    model = records.register.model
    assert newest.split()[:3] == [model, "3", runs[2]]
    assert middle.split()[:4] == [model, "2", "staging", runs[1]]
    assert oldest.split()[:4] == [model, "1", "archived", runs[0]]


def test_versions_are_json_for_machines(records: Records) -> None:
    found = records.json("models")
    assert [(each["version"], each["stage"]) for each in found] == [("3", None), ("2", "staging"), ("1", "archived")]
    assert found[0]["confidence_threshold"] == 0.31


def test_a_model_without_versions_says_how_to_make_some(records: Records) -> None:
    assert run(["models", "--model", "another"]) == 0
    assert "No versions yet." in records.capsys.readouterr().out


def test_the_history_is_a_table_newest_last(records: Records) -> None:
    judge(records.proposal("3", verdict="reject"), records.register, actor="bo@desk", now=NOON)
    header, *rows = records.call("history").splitlines()
    assert header.split() == ["#", "when", "what", "version", "stage", "before", "decision", "by", "reason"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert "promoted (provisional)" in rows[1]
    assert rows[1].endswith("anna@desk  better on small persons")
    assert "judged: reject" in rows[2]
    assert rows[2].split()[-5:] == ["3", "staging", "2", "decision-7", "bo@desk"]


def test_in_a_narrow_window_the_history_leaves_something_out() -> None:
    narrow, wide = (history_table([an_entry()], width=width) for width in (80, 120))
    assert [column.header for column in narrow.columns] == ["#", "when", "what", "version", "stage", "by", "reason"]
    assert len(wide.columns) == 9


def test_the_history_is_json_for_machines(records: Records) -> None:
    first, second = records.json("history")
    assert (first["number"], first["action"], first["version"], first["stage"]) == (1, "promoted", "1", "staging")
    assert first["at"] == "2025-03-04T12:00:00+00:00"
    assert (second["previous"], second["former"], second["provisional"]) == (first["sha256"], "1", True)


def test_a_model_without_a_history_says_how_to_begin_it(records: Records) -> None:
    assert run(["history", "--model", "another"]) == 0
    assert "The audit log is empty." in records.capsys.readouterr().out
    assert run(["history", "--model", "another", "--verify"]) == 0
    assert records.capsys.readouterr().out == "0 entries, chain intact\n"


def test_an_intact_chain_is_reported_as_intact(records: Records) -> None:
    head = records.register.log.entries()[-1].sha256
    assert records.call("history", "--verify") == f"2 entries, chain intact, head {head[:12]}\n"
    assert records.json("history", "--verify") == {"entries": 2, "head": head, "findings": []}


def edited(records: Records, change: Callable[[bytes], bytes]) -> None:
    records.log.write_bytes(change(records.log.read_bytes()))


def test_a_changed_entry_breaks_the_chain(records: Records) -> None:
    edited(records, lambda content: content.replace(b'"version":"1"', b'"version":"3"'))
    reported = records.call("history", "--verify", exit_code=1)
    assert reported == "Entry 1 is not the one that entry 2 followed: one of the two was changed.\n"
    assert records.json("history", "--verify", exit_code=1)["findings"][0]["number"] == 1
    assert "anna@desk" in records.call("history"), "what can be read is shown"


def test_a_line_that_is_not_an_entry_is_a_finding(records: Records) -> None:
    edited(records, lambda content: content.replace(b'"action"', b'"deed"', 1))
    assert f"{records.log}, line 1: not an entry" in records.call("history", "--verify", exit_code=1)
    records.call("history", exit_code=1)


def test_a_chain_that_was_cut_is_not_built_upon(records: Records) -> None:
    edited(records, lambda content: content.splitlines(keepends=True)[0])
    assert "Entry 2 is missing at the end" in records.call("history", "--verify", exit_code=1)
    records.call("rollback", exit_code=1)
    records.call("models", "check", exit_code=1)
    assert records.stages() == [ARCHIVED, STAGING, None]


def test_a_rollback_says_what_moved(records: Records) -> None:
    reported = records.call("rollback", "--reason", "misses small persons")
    assert reported == (f"Version 1 is in staging of {records.register.model} again; version 2 is archived (entry 3)\n")
    assert records.stages() == [STAGING, ARCHIVED, None]
    last = records.json("history")[-1]
    assert (last["action"], last["reason"]) == ("rolled_back", "misses small persons")
    assert "@" in last["actor"]


def test_a_rollback_of_a_named_stage_to_a_named_version_is_json_for_machines(records: Records) -> None:
    records.promote("3", PRODUCTION)
    reported = records.json("rollback", "--stage", "staging", "--to", "1")
    assert (reported["stage"], reported["version"], reported["former"], reported["number"]) == ("staging", "1", "2", 4)
    assert records.stages() == [STAGING, ARCHIVED, PRODUCTION]


def test_an_empty_stage_can_be_rolled_back(records: Records) -> None:
    records.promote("2", PRODUCTION)
    assert "again; the stage was empty (entry 4)" in records.call("rollback", "--stage", "staging")


def test_a_rollback_to_a_version_that_never_was_there_is_your_input(records: Records) -> None:
    assert run(["rollback", "--to", "3", "--model", records.register.model]) == 2
    assert records.capsys.readouterr().err.endswith("error: version 3 was never in staging\nhint: there before: 1\n")


def test_registers_that_agree_are_in_order(records: Records) -> None:
    assert records.call("models", "check") == "OK: MLflow and ZenML agree with the audit log.\n"
    assert records.json("models", "check", "--dry-run") == {"differences": [], "left": 0}


def test_options_before_check_count_as_those_behind_it(records: Records) -> None:
    assert run(["models", "--json", "--registered-model", records.register.model, "check", "--dry-run"]) == 0
    assert json.loads(records.capsys.readouterr().out) == {"differences": [], "left": 0}
    twin = next(each for each in records.register.pipeline.versions() if each.version == "v3")
    records.register.pipeline.set_stage(twin.version, STAGING)
    assert run(["models", "--json", "--registered-model", records.register.model, "check", "--dry-run"]) == 1
    assert json.loads(records.capsys.readouterr().out)["left"] == 2


def test_a_registry_that_lags_behind_is_reported_and_then_repaired(records: Records) -> None:
    twin = next(each for each in records.register.pipeline.versions() if each.version == "v3")
    records.register.pipeline.set_stage(twin.version, STAGING)
    reported = records.call("models", "check", "--dry-run", exit_code=1)
    assert [line.split() for line in reported.splitlines()[1:3]] == [
        ["ZenML", "version", "2", "archived", "staging"],
        ["ZenML", "version", "3", "staging", "archived"],
    ]
    assert reported.splitlines()[-1] == "2 left; run without --dry-run to repair"
    assert records.call("models", "check").splitlines()[-1] == "2 repaired, 0 left"
    assert records.call("models", "check").startswith("OK: MLflow and ZenML agree")


def test_what_cannot_be_repaired_is_left_and_reported(records: Records, zenml_container: Container) -> None:
    client = zenml_container.records.tracking_registry(records.register.model)._client
    client.delete_model_version(records.register.model, "2")
    found = records.json("models", "check", exit_code=1)
    assert (found["left"], found["differences"][0]["found"], found["differences"][0]["lost"]) == (
        1,
        "not registered",
        True,
    )


def test_a_registry_that_is_down_is_exit_code_3(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_registry: ZenmlRegistry) -> None:
        raise ServiceUnavailableError("ZenML does not answer")

    monkeypatch.setattr(ZenmlRegistry, "versions", refuse)
    records.call("rollback", exit_code=3)
    assert len(records.register.log.entries()) == 2


def test_a_withdrawal_says_what_moved_and_is_on_record(records: Records) -> None:
    reported = records.call("withdraw", "staging", "--reason", "finds no helmets", "--yes")
    model = records.register.model
    assert reported == f"Version 2 is withdrawn from staging of {model} and archived; staging is empty (entry 3)\n"
    assert records.stages() == [ARCHIVED, ARCHIVED, None]
    assert [each.stage for each in records.register.pipeline.versions()] == [ARCHIVED, ARCHIVED, None]
    last = records.json("history")[-1]
    assert (last["action"], last["reason"], last["former"]) == ("withdrawn", "finds no helmets", "2")
    assert "withdrawn" in records.call("history")
    assert records.call("history", "--verify").startswith("3 entries, chain intact")
    assert "OK: MLflow and ZenML agree" in records.call("models", "check", "--dry-run")


def test_a_withdrawal_is_json_for_machines(records: Records) -> None:
    reported = records.json("withdraw", "staging", "--reason", "recalled", "--yes")
    assert (reported["action"], reported["stage"], reported["version"], reported["number"]) == (
        "withdrawn",
        "staging",
        "2",
        3,
    )


def test_a_withdrawal_that_no_person_can_confirm_needs_yes(records: Records) -> None:
    assert run(["withdraw", "staging", "--reason", "recalled", "--model", records.register.model]) == 2
    captured = records.capsys.readouterr()
    assert "error: a withdrawal must be confirmed" in captured.err
    assert "confirm it with --yes" in captured.err
    assert records.stages() == [ARCHIVED, STAGING, None]


@pytest.mark.parametrize(
    ("answer", "exit_code", "left"), [("y\n", 0, ARCHIVED), ("n\n", 130, STAGING), ("", 130, STAGING)]
)
def test_a_person_is_asked(
    records: Records, monkeypatch: pytest.MonkeyPatch, answer: str, exit_code: int, left: Stage
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(["withdraw", "staging", "--reason", "recalled", "--model", records.register.model]) == exit_code
    asked = f"Withdraw version 2 from staging of {records.register.model}, and leave staging empty?"
    assert asked in records.capsys.readouterr().err
    assert records.stages()[1] is left


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("staging", "--yes"), "Missing option '--reason'"),
        (("staging", "--yes", "--reason", " "), "give a reason: it is recorded in the audit log"),
        (("archived", "--yes", "--reason", "x"), "'archived' is not one of"),
        (("--yes", "--reason", "x"), "Missing argument"),
        (("production", "--yes", "--reason", "x"), "no version is in production"),
    ],
)
def test_a_withdrawal_that_cannot_be_is_your_input(records: Records, arguments: tuple[str, ...], message: str) -> None:
    assert run(["withdraw", *arguments, "--model", records.register.model]) == 2
    assert message in records.capsys.readouterr().err
    assert len(records.register.log.entries()) == 2


def test_the_history_needs_neither_zenml_nor_mlflow(project: Path) -> None:
    script = (
        "import sys; from cv_yolo.cli.main import run; run(['history']); print({'zenml', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["schema.json"]


def test_the_check_of_the_history_does_not_need_zenml(project: Path) -> None:
    script = "import sys; from cv_yolo.cli.main import run; run(['history', '--verify']); print('zenml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["0 entries, chain intact", "False"]


@pytest.mark.parametrize("arguments", [("history",), ("history", "--verify")], ids=" ".join)
def test_a_server_that_is_down_is_reported_at_once_without_its_librarys_retries(
    arguments: tuple[str, ...], project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{free_port(0)}"
    monkeypatch.setenv("CV_YOLO_SERVER_URL", url)
    monkeypatch.setenv("CV_YOLO_SERVER_API_KEY", "ZENKEY_any")
    assert run(arguments) == 3
    assert f"error: ZenML at {url}/api/v1/info: does not answer" in capsys.readouterr().err
