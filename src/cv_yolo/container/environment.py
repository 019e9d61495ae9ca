"""The environment of processes: that of this one, for its libraries, and those of child processes."""

import os
import re
from pathlib import Path
from typing import Final

from cv_yolo.settings import Settings

SERVERS: Final = (  # servers and users come only from our own settings and the stack
    *("ZENML_STORE_URL", "ZENML_STORE_API_KEY"),
    *("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_RUN_ID"),
)
SERVER_SECRETS: Final = (  # not for a stage that makes data
    *("CV_YOLO_SERVER_URL", "CV_YOLO_SERVER_API_KEY", "ZENML_STORE_URL", "ZENML_STORE_API_KEY"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
)
SECRETS: Final = (  # not for a training or a prediction
    *SERVER_SECRETS,
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
SECRET_WORDS: Final = re.compile(
    r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL|AUTH_SOCK|ASKPASS", re.IGNORECASE
)
# Threads that wait for each other sleep: spinning, they keep others from the cores (docs/performance.md).
WAIT_POLICY: Final = {"OMP_WAIT_POLICY": "PASSIVE"}


def isolate(settings: Settings) -> None:
    """Make the libraries of this process keep everything in the project's home, and use only its server."""
    os.environ.update(settings.isolation())
    for foreign in SERVERS:
        os.environ.pop(foreign, None)
    server = settings.connection
    if server is not None:
        os.environ |= {"ZENML_STORE_URL": server.url, "ZENML_STORE_API_KEY": server.api_key or ""}


def of_children(settings: Settings) -> dict[str, str]:
    """The environment of a training or a prediction: the same project and code, and no secret."""
    environment = WAIT_POLICY | os.environ | {"CV_YOLO_ROOT": str(settings.root), "CV_YOLO_HOME": str(settings.home)}
    for unwanted in ("PYTHONDONTWRITEBYTECODE", *filter(_is_secret, environment)):
        environment.pop(unwanted, None)
    package_parent = str(Path(__file__).resolve().parents[2])
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, environment.get("PYTHONPATH")]))
    return environment


def of_data_stages() -> dict[str, str]:
    """What DVC and the stages that make data are given: no key of a server."""
    return {name: value for name, value in os.environ.items() if name not in SERVER_SECRETS}


def forget_secrets() -> None:
    """Take every secret out of this process's environment."""
    for secret in filter(_is_secret, tuple(os.environ)):
        del os.environ[secret]


def _is_secret(name: str) -> bool:
    """Whether a variable of the environment is, or by its name may be, a key."""
    return name in SECRETS or SECRET_WORDS.search(name) is not None
