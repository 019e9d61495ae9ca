"""What the steps of a process share, and what they keep apart."""

import subprocess
import sys

from cv_yolo.container import Container

SCRIPT = """
import logging
from cv_yolo.pipelines import runtime
logging.getLogger("zenml.steps").error("Failed to run step")
print("asked")
"""


def test_what_zenml_has_to_say_is_not_mixed_with_what_was_asked(zenml_container: Container) -> None:
    environment = zenml_container.children._environment
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


def test_what_zenml_logs_of_its_steps_is_kept_before_the_interpreter_ends(zenml_container: Container) -> None:
    environment = zenml_container.children._environment
    done = subprocess.run([sys.executable, "-c", BUFFERED], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{['step 0', 'closed', 'stopped', 'step 1', 'closed', 'stopped']} []\n"
    assert done.stderr == "", "on Python 3.12, a flush at interpreter shutdown would end with a traceback"
