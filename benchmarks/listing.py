"""The cost of listing commands relative to `cv-yolo --help`: processor time, in a recorded home and with 1 000 runs.

    python -m benchmarks.listing                 # ten minutes, most of them to write the runs
    python -m benchmarks.listing --runs 300 --json
    python -m benchmarks.listing --server        also connected to servers on this machine, which hold as many runs

The home is the one that `tests/homes/` keeps, with one run; the others are copies of it, written by MLflow's client.
The commands take turns with `--help`, and the least time of each counts. Exits with 1 where a command takes more than
8 times what `--help` takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.pipeline_overhead import ROOT, project_in
from cv_yolo_stack.servers.pages import free_port

COMMANDS = (
    *(("runs",), ("runs", "--json"), ("show", "e1_s192"), ("show", "e1_s192", "--json")),
    *(("models",), ("models", "--json"), ("history",), ("history", "--json")),
)
OF_SERVERS = COMMANDS[:6]  # the audit log of servers is read with ZenML's client
HELP = ("--help",)
PORTS = ("zenml", "mlflow", "store", "console", "database")
ROUNDS = 5
DEMANDED = 8.0
FILL = """
import sys
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
uri, count = "sqlite:///" + sys.argv[1], int(sys.argv[2])
client = MlflowClient(tracking_uri=uri, registry_uri=uri)
experiment = client.get_experiment_by_name("cv_yolo_tiny").experiment_id
(run,) = client.search_runs([experiment])
tags = {key: value for key, value in run.data.tags.items() if key != "mlflow.runName"}
for number in range(1, count):
    start, end = (time - number * 60_000 for time in (run.info.start_time, run.info.end_time))
    copy = client.create_run(experiment, start_time=start, run_name=f"{run.info.run_name}_{number}", tags=tags)
    client.log_batch(
        copy.info.run_id,
        metrics=[Metric(key, value, end, 0) for key, value in run.data.metrics.items()],
        params=[Param(key, value) for key, value in run.data.params.items()],
    )
    client.log_inputs(copy.info.run_id, run.inputs.dataset_inputs)
    client.set_terminated(copy.info.run_id, "FINISHED", end)
"""
TO_SERVER = """
import sys
from cv_yolo.adapters.mlflow.database import RunsInDatabase
from cv_yolo.container import EXPERIMENT, Container
from cv_yolo.ports.records import NewRun
container = Container()
known = RunsInDatabase(container.settings.mlflow_database, experiment=EXPERIMENT, otherwise=None).runs()
tracker = container.records.tracker()
tracker.connect()
for run in known:
    new = NewRun(name=run.name, params=run.params, tags=run.tags, user=run.user, inputs=run.inputs)
    run_id = tracker.start(new)
    tracker.log_metrics(run_id, run.metrics)
    tracker.finish(run_id, run.status)
"""


def main() -> int:
    """Measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="how many runs the larger home holds (default: 1000)")
    parser.add_argument("--server", action="store_true", help="also start servers, and list the same runs from them")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(Path(folder) / "project")
        _run(["tar", "-xf", str(ROOT / "tests" / "homes" / "v1" / "home.tar.xz")], project)
        figures = {"1": _measured(project)}
        database = project / ".cv-yolo" / "mlflow" / "mlflow.db"
        _run([sys.executable, "-c", FILL, str(database), str(options.runs)], project)
        figures[str(options.runs)] = _measured(project)
        if options.server:
            figures[f"{options.runs} on a server"] = _on_server(project)
    if options.json:
        print(json.dumps({"demanded": DEMANDED, "cores": os.cpu_count() or 1, "runs": figures}))
    else:
        _print(figures)
    return int(any(took["ratio"] > DEMANDED for commands in figures.values() for took in commands.values()))


def _print(figures: dict[str, dict[str, dict[str, float]]]) -> None:
    print(f"{'':24}" + "".join(f"{f'runs: {runs}':>24}" for runs in figures))
    for command in next(iter(figures.values())):
        cells = (
            f"{took[command]['cpu_s']:.2f} s  ratio {took[command]['ratio']:4.1f}" if command in took else ""
            for took in figures.values()
        )
        print(f"{command:24}" + "".join(f"{cell:>24}" for cell in cells))


def _on_server(project: Path) -> dict[str, dict[str, float]]:
    """The same runs, read from MLflow's server; the servers are stopped afterwards."""
    cli = [sys.executable, "-m", "cv_yolo"]
    ports = [word for name in PORTS for word in (f"--{name}-port", str(free_port(0)))]
    try:
        _run([*cli, "up", *ports], project)
        _run([*cli, "stack", "register"], project)
        _run([sys.executable, "-c", TO_SERVER], project)
        return _measured(project, OF_SERVERS)
    finally:
        _run([*cli, "down"], project)


def _measured(project: Path, commands: tuple[tuple[str, ...], ...] = COMMANDS) -> dict[str, dict[str, float]]:
    """Processor seconds of each command, and its ratio to `--help`."""
    for command in (HELP, *commands):
        _cpu_s(project, command)  # with warm files
    rounds = [{command: _cpu_s(project, command) for command in (HELP, *commands)} for _ in range(ROUNDS)]
    least = {command: min(took[command] for took in rounds) for command in (HELP, *commands)}
    return {
        " ".join(command): {"cpu_s": round(took, 3), "ratio": round(took / least[HELP], 2)}
        for command, took in least.items()
    }


def _cpu_s(project: Path, command: tuple[str, ...]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run([sys.executable, "-m", "cv_yolo", *command], project)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _run(command: list[str], project: Path) -> None:
    """The end of the benchmark where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["CV_YOLO_HOME"] = str(project / ".cv-yolo")
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)[:80]} failed:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
