"""Injected faults on real servers, and what a run under them reports and leaves behind."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest

from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack
from cv_yolo.container import EXPERIMENT
from cv_yolo.domain.stack import ARTIFACT_STORE, ORCHESTRATOR, TRACKER, Kind
from cv_yolo_stack.adapters.mlflow import API, MlflowServer
from cv_yolo_stack.configuration.folder import folder_of
from cv_yolo_stack.supervision.state import ServiceState, StackState, read_state
from tests.e2e.project import SMALL, Project, make_project
from tests.servers import CLI, RunningStack, cv_yolo, environment_of, stack_in

TIMEOUT_S = 600
POLL_S = 0.1


@pytest.fixture(scope="session")
def faulty_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Our own servers, registered: nothing else uses what is killed and counted here."""
    with stack_in(tmp_path_factory.mktemp("faulty") / "project") as stack:
        cv_yolo(stack.settings.root, "stack", "register")
        yield stack


@contextmanager
def killed(stack: RunningStack, *names: str) -> Iterator[None]:
    """These servers are killed, and stay away until the block ends; then they are usable again.

    Their supervisor, which would start them at once, is held up meanwhile.
    """
    before = _state(stack)
    os.kill(before.pid, signal.SIGSTOP)
    try:
        for name in names:
            pid = _service(before, name).pid
            assert pid is not None, f"{name} is no process of ours"
            os.killpg(pid, signal.SIGKILL)
        yield
    finally:
        os.kill(before.pid, signal.SIGCONT)

        def back() -> bool:
            now = _state(stack)
            return now.ready and all(_service(now, name).starts > _service(before, name).starts for name in names)

        _wait_for(back, what=f"the return of {', '.join(names)}")


@contextmanager
def suspended(stack: RunningStack, *names: str) -> Iterator[None]:
    """These servers take connections, and answer nothing, until the block ends; their supervisor does not see it."""
    state = _state(stack)
    groups = [pid for name in names if (pid := _service(state, name).pid) is not None]
    os.kill(state.pid, signal.SIGSTOP)
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)
        os.kill(state.pid, signal.SIGCONT)
        _wait_for(lambda: _state(stack).ready, what=f"the return of {', '.join(names)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and the journal of its pipeline run."""

    exit_code: int
    out: str
    err: str
    events: tuple[dict[str, Any], ...]

    @property
    def trained(self) -> list[str]:
        """The cells that were trained, not taken over."""
        return [event["run"] for event in self.events if event["kind"] == "training"]

    @property
    def notes(self) -> str:
        """What happened beside the runs."""
        return "\n".join(event["text"] for event in self.events if event["kind"] == "note")


@dataclass(slots=True, kw_only=True)
class AtWork:
    """A command at work in the background."""

    clone: "Clone"
    process: "subprocess.Popen[bytes]"
    before: frozenset[str]
    files: tuple[Path, Path]

    def wait_until(self, what: str, **fields: Any) -> None:
        """Wait until its journal has an event with these fields; of texts, a part is enough."""

        def seen() -> bool:
            assert self.process.poll() is None, f"ended before {what}:\n{self._said()}"
            return any(_matches(event, fields) for event in self.events())

        _wait_for(seen, what=what)

    def kill(self) -> None:
        """End it at once, without a word."""
        self.process.kill()
        self.process.wait()

    def interrupted(self) -> tuple[float, list[int]]:
        """Ctrl-C: how long the command took to be gone, in seconds, and which of its children are left."""
        children, began = psutil.Process(self.process.pid).children(recursive=True), time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(TIMEOUT_S)
        took_s = time.monotonic() - began
        _, left = psutil.wait_procs(children, timeout=5)
        return took_s, [each.pid for each in left]

    def ended(self) -> Ended:
        """Its outcome, once it has ended."""
        code = self.process.wait(TIMEOUT_S)
        out, err = (file.read_text(encoding="utf-8") for file in self.files)
        return Ended(exit_code=code, out=out, err=err, events=self.events())

    def events(self) -> tuple[dict[str, Any], ...]:
        """All events of its journal so far."""
        journals = self.clone.project.journals()
        lines = [line for name in journals.keys() - self.before for line in journals[name].splitlines()]
        return tuple(json.loads(line) for line in lines)

    def _said(self) -> str:
        return "\n".join(file.read_text(encoding="utf-8") for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A run as MLflow has it: its id, status (in MLflow's words), and the reason of a failure."""

    run_id: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A clone of the project on another machine, connected to the servers with a key of its own."""

    project: Project
    stack: RunningStack
    more: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def at_work(self, *arguments: str, **more: str) -> Iterator[AtWork]:
        """`cv-yolo` at work in the background; ended with the block."""
        root = self.project.root
        files = (root.with_suffix(".out"), root.with_suffix(".err"))
        before = frozenset(self.project.journals())
        with files[0].open("wb") as out, files[1].open("wb") as err:
            process = subprocess.Popen(
                [*CLI, *arguments], cwd=root, env=environment_of(root) | self.more | more, stdout=out, stderr=err
            )
        try:
            yield AtWork(clone=self, process=process, before=before, files=files)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(TIMEOUT_S)

    def run(self, *arguments: str, **more: str) -> Ended:
        """`cv-yolo` to its end."""
        with self.at_work(*arguments, **more) as work:
            return work.ended()

    def tracked(self, name: str, *, seed: int = 1) -> list[Tracked]:
        """MLflow's runs of a cell, newest first."""
        server = MlflowServer(self.stack.addresses.tracking)
        found = server.ask("GET", f"{API}/experiments/get-by-name?experiment_name={EXPERIMENT}")
        if not found.ok:
            return []
        asked = {
            "experiment_ids": [found.body["experiment"]["experiment_id"]],
            "filter": f"attributes.run_name = '{name}' and params.seed = '{seed}'",
            "order_by": ["attributes.start_time DESC"],
        }
        runs = server.ask("POST", f"{API}/runs/search", asked)
        assert runs.ok, runs.body
        return [_tracked(run) for run in runs.body.get("runs", [])]

    def steps(self, run_id: str, metric: str = "val/map_50") -> list[int]:
        """The steps of all values of a metric that MLflow holds, in the order of time."""
        server = MlflowServer(self.stack.addresses.tracking)
        answer = server.ask("GET", f"{API}/metrics/get-history?run_id={run_id}&metric_key={metric}")
        assert answer.ok, answer.body
        values = sorted(answer.body.get("metrics", []), key=lambda each: int(each["timestamp"]))
        return [int(each.get("step", 0)) for each in values]

    def pipeline_runs(self) -> list[str]:
        """How ZenML's pipeline runs of this clone ended, newest first."""
        mine = {path.name for path in (self.project.root / ".cv-yolo" / "runs").glob("*")}
        zenml = ZenmlServer(self.stack.addresses.pipelines)
        runs = zenml.done("GET", "/runs?sort_by=desc:created&size=50")["items"]
        return [str(run["body"]["status"]) for run in runs if run["name"] in mine]

    def waiting(self) -> list[Path]:
        """What waits on this machine's disk for MLflow."""
        return list((self.project.root / ".cv-yolo" / "outbox").glob("*/*.jsonl"))


@contextmanager
def other_stack(stack: RunningStack, name: str, *, store_url: str) -> Iterator[dict[str, str]]:
    """A stack of that name whose object store is reached at that address; the variable that chooses it."""
    registry = ZenmlStack(ZenmlServer(stack.addresses.pipelines))
    known = registry.component(Kind.ARTIFACT_STORE, ARTIFACT_STORE)
    assert known is not None
    options = known.configuration["client_kwargs"]
    assert isinstance(options, dict)
    changed = {"client_kwargs": options | {"endpoint_url": store_url}}
    store = replace(known, name=f"{name}_artifacts", configuration=known.configuration | changed)
    registry.set_component(store)
    container = {Kind.ORCHESTRATOR: ORCHESTRATOR, Kind.ARTIFACT_STORE: store.name, Kind.EXPERIMENT_TRACKER: TRACKER}
    registry.set_stack(name, container)
    yield {"CV_YOLO_STACK": name}


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """The folder's disk is full until the block ends: what others remove or cut short is no room for them."""
    ballast, enough = folder / "ballast", Event()

    def grow() -> None:
        with ballast.open("wb", buffering=0) as file:
            while not enough.wait(0.001):
                for size_bytes in (65536, 1):
                    with suppress(OSError):
                        while not enough.is_set():
                            file.write(b"0" * size_bytes)

    thread = Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join()
        ballast.unlink()


def grid_of(*epochs: int, seed: int = 1) -> tuple[str, ...]:
    """The command for a grid of small cells, one after the other."""
    cells = ",".join(str(each) for each in epochs)
    one_by_one = ("--seed", str(seed), "--set", "resources.parallel_runs=1")
    return ("grid", "--config", "configs/demo.yaml", "--epochs", cells, *SMALL, *one_by_one)


def connected_clone(stack: RunningStack, root: Path, *, name: str) -> Clone:
    """A clone with a few drawn images, connected with a key of that name."""
    return connected(stack, make_project(root), name=name)


def connected(stack: RunningStack, project: Project, *, name: str) -> Clone:
    """The project, with a few drawn images, connected with a key of that name."""
    key = cv_yolo(stack.settings.root, "stack", "key", name).stdout.strip()
    cv_yolo(project.root, "connect", stack.addresses.pipelines.url, CV_YOLO_SERVER_API_KEY=key)
    cv_yolo(project.root, "data", "synth", "--counts", "8", "4", "2", "--size", "64")
    return Clone(project=project, stack=stack)


def _wait_for(condition: Callable[[], bool], *, what: str) -> None:
    give_up_at_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up_at_s, f"waited {TIMEOUT_S} s in vain for {what}"
        time.sleep(POLL_S)


def _tracked(run: dict[str, Any]) -> Tracked:
    tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
    return Tracked(run_id=run["info"]["run_id"], status=run["info"]["status"], reason=tags.get("reason", ""))


def _matches(event: dict[str, Any], message: Mapping[str, Any]) -> bool:
    return all(
        value in event[name] if isinstance(value, str) else event[name] == value for name, value in message.items()
    )


def _state(stack: RunningStack) -> StackState:
    state = read_state(folder_of(stack.settings).state)
    assert state is not None
    return state


def _service(state: StackState, name: str) -> ServiceState:
    found = state.of(name)
    assert found is not None, name
    return found
