"""What the steps of this process share: the wired parts, and the work folders of the pipeline run."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Final

from zenml import get_step_context
from zenml.client import Client
from zenml.enums import ExecutionStatus
from zenml.log_stores.otel.otel_log_store import OtelLogStore
from zenml.logger import ZenMLConsoleHandler
from zenml.models import PipelineRunResponse, PipelineRunUpdate, UserUpdate
from zenml.utils.source_utils import set_custom_source_root

from cv_yolo.container import Container
from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.training.specs import TrainedModel
from cv_yolo.errors import CvYoloError, one_line

# ZenML would otherwise record modules as `src.cv_yolo.…`, import them twice, and break isinstance.
set_custom_source_root(str(Path(__file__).resolve().parents[2]))

for handler in logging.getLogger().handlers:
    if isinstance(handler, ZenMLConsoleHandler):
        handler.setStream(sys.stderr)  # ZenML's is the standard output, which is for what we were asked (`--json`)

# ZenML's store names the type of an artifact by the path that it had when the artifact was written (homes of schema 1).
FORMER_PATHS: Final = {
    "cv_yolo.domain.dataset": DatasetManifest,
    "cv_yolo.domain.training": TrainedModel,
    "cv_yolo.domain.evaluation": Evaluation,
    "cv_yolo.domain.promotion": Decision,
}
for path, kept in FORMER_PATHS.items():
    if find_spec(path) is None:
        sys.modules[path] = ModuleType(path)
    setattr(import_module(path), kept.__name__, kept)

PIPELINE_RUN_TAG = "pipeline_run"

# Of the pipeline run that this process drives. No context variable: ZenML hands its context on to the threads of its
# steps, but the threads in which our time limits, the store's watch and the closing run have none, and what is called
# there must not find another container, or make one.
_IN_USE: list[Container] = []


@contextmanager
def using(container: Container) -> Iterator[None]:
    """Let the steps of this process use these parts inside the block, on the stack of the server they are connected to.

    ZenML ends the threads of its steps before its pipeline returns.
    """
    _IN_USE.append(container)
    try:
        _join_stack(container)
        yield
    finally:
        _IN_USE.remove(container)


def container() -> Container:
    """The wired parts of this process, made from the environment where no pipeline run was launched in it."""
    return _IN_USE[-1] if _IN_USE else _container_of_environment()


@cache
def _container_of_environment() -> Container:
    """For a materializer that ZenML loads on its own."""
    made = Container()
    _join_stack(made)
    return made


def _join_stack(container: Container) -> None:
    if container.settings.connection is not None:
        _ = (
            container.servers.stack_addresses
        )  # says in our words what is wrong with the server or the stack, if something is
        container.records.limit_pipeline_client()
        Client().activate_stack(container.settings.stack)


def pipeline_run() -> str:
    """The name of the pipeline run to which the current step belongs."""
    return str(get_step_context().pipeline_run.name)


def pipeline_run_id() -> str:
    """ZenML's id of the pipeline run to which the current step belongs."""
    return str(get_step_context().pipeline_run.id)


def pipeline_run_page() -> str | None:
    """Where a person can look at the current pipeline run; None where no server shows it."""
    server, run = container().settings.connection, get_step_context().pipeline_run
    return None if server is None else f"{server.url}/projects/{run.project.name}/runs/{run.id}"


def find(name: str) -> PipelineRunResponse | None:
    """ZenML's record of the pipeline run of that name."""
    found = Client().list_pipeline_runs(name=name, hydrate=True)
    return found.items[0] if found.items else None


def end(name: str, status: ExecutionStatus) -> None:
    """Record how the pipeline run ended, unless ZenML knows already."""
    run = find(name)
    if run is not None and not run.status.is_finished:
        Client().zen_store.update_run(run.id, PipelineRunUpdate(status=status))


@contextmanager
def step_logs() -> Iterator[None]:
    """Export the step logs that ZenML buffers when the block ends, not when the interpreter does.

    From Python 3.12 on no thread starts at interpreter shutdown, but OpenTelemetry's logging handler, which is flushed
    there, starts one: the command would end with a traceback.
    """
    store = Client().active_stack.log_store  # taken before: afterwards the server may not answer
    try:
        yield
    finally:
        stopped = container().stop.is_set()  # the process leaves without waiting for anything
        if not stopped and isinstance(store, OtelLogStore) and store._provider is not None:  # noqa: SLF001 - `provider` raises there
            store.provider.shutdown()  # waits for its exporter 30 s at most, where `deactivate` alone waits for ever
            store.deactivate()


def end_if_possible(name: str, status: ExecutionStatus) -> bool:
    """Record how the pipeline run ended; False, with a report, where ZenML's server does not answer."""
    try:
        end(name, status)
    except (CvYoloError, RuntimeError, OSError) as error:
        container().report(f"ZenML does not take the end of {name}; the next command records it: {one_line(error)}")
        return False
    return True


def skip_survey() -> None:
    """Let ZenML's dashboard show the records at once, instead of asking the local user for name and address."""
    client = Client()
    answer = UserUpdate(email_opted_in=False, user_metadata={"finished_onboarding_survey": True})
    client.zen_store.update_user(client.active_user.id, answer)


def run_folder(name: str) -> Path:
    """Where the pipeline run of that name keeps its journal, logs and work folders."""
    return container().settings.runs / name
