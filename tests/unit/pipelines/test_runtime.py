"""What the steps of a process share, and what they keep apart."""

import subprocess
import sys

from cv_yolo.bootstrap import Bootstrap

SCRIPT = """
import logging
from cv_yolo.pipelines import runtime
logging.getLogger("zenml.steps").error("Failed to run step")
print("asked")
"""


def test_what_zenml_has_to_say_is_not_mixed_with_what_was_asked(zenml_parts: Bootstrap) -> None:
    environment = zenml_parts.children._environment
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "asked\n"
    assert "Failed to run step" in done.stderr
