"""What the steps of a process share, and what they keep apart."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from cv_yolo.container import Container
from cv_yolo.container.environment import of_children
from cv_yolo.pipelines import runtime

SCRIPT = """
import logging
from cv_yolo.pipelines import runtime
logging.getLogger("zenml.steps").error("Failed to run step")
print("asked")
"""


def test_zenmls_output_is_not_mixed_with_json(zenml_container: Container) -> None:
    environment = of_children(zenml_container.settings)
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "asked\n"
    assert "Failed to run step" in done.stderr


BUFFERED = """
import logging, threading
from types import SimpleNamespace
from cv_yolo.pipelines import runtime
from zenml.client import Client
store = Client().active_stack.log_store
exported = []
class Exporter:
    def export(self, batch):
        exported.extend(str(each.log_record.body) for each in batch)
    def shutdown(self):
        exported.append("closed")
store.get_exporter = Exporter
def log(text):
    origin = store.register_origin("a step", SimpleNamespace(id=1, source="step", uri="logs.log"), {})
    store.emit(origin, logging.LogRecord("step", logging.INFO, "", 0, text, (), None))
for number in range(2):
    try:
        with runtime.step_logs():
            log(f"step {number}")
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        exported.append("stopped")
with runtime.step_logs():
    pass
print(exported, [thread.name for thread in threading.enumerate() if "Otel" in thread.name])
"""


def test_zenmls_step_logs_are_stored_before_the_interpreter_exits(zenml_container: Container) -> None:
    environment = of_children(zenml_container.settings)
    done = subprocess.run([sys.executable, "-c", BUFFERED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{['step 0', 'closed', 'stopped', 'step 1', 'closed', 'stopped']} []\n"
    assert done.stderr == "", "on Python 3.12, a flush at interpreter shutdown would end with a traceback"


def test_a_container_is_in_use_only_inside_its_block_even_after_an_error(zenml_container: Container) -> None:
    inner = Container(zenml_container.settings)
    with runtime.using(zenml_container):
        with suppress(KeyboardInterrupt), runtime.using(inner):
            assert runtime.container() is inner
            raise KeyboardInterrupt
        assert runtime.container() is zenml_container
    assert runtime._IN_USE == []


def test_the_steps_threads_and_those_of_time_limits_find_the_same_container(zenml_container: Container) -> None:
    with runtime.using(zenml_container), ThreadPoolExecutor(1) as steps:
        assert steps.submit(runtime.container).result() is zenml_container
        assert zenml_container.time_limit.run(runtime.container, name="a call") is zenml_container


def test_without_a_launch_the_container_is_that_of_the_environment_and_made_once(
    zenml_container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CV_YOLO_ROOT", str(zenml_container.settings.root))
    runtime._container_of_environment.cache_clear()
    found = runtime.container()
    assert found is runtime.container()
    assert found.settings.root == zenml_container.settings.root
    assert found.retry.total_s == 0
    runtime._container_of_environment.cache_clear()
