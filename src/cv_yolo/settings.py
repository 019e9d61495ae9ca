"""Where things are kept and which server is used, read once from the environment.

`CV_YOLO_ROOT`, `CV_YOLO_HOME`: folders. `CV_YOLO_SERVER_URL`, `CV_YOLO_SERVER_API_KEY`: a ZenML server, for a machine
that was not connected with `cv-yolo connect`. `CV_YOLO_STACK`: another stack of that server than `mlflow_stack`.
`CV_YOLO_PATIENCE_S`: how long a pipeline run waits for services that do not answer (default: 90).
`CV_YOLO_ANSWER_LIMIT_S`: how long any command waits for one answer of a server (default: 20).
`CV_YOLO_MAX_MEGAPIXELS`: how large an image of a data set may be (default: 179).
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from cv_yolo.domain.stack import STACK, PipelineServerAddress
from cv_yolo.errors import ConfigError
from cv_yolo.files import write_secret
from cv_yolo.http import network_environment

DEFAULT_HOME: Final = ".cv-yolo"
MOST_MEGAPIXELS: Final = 1e6
LONGEST_TEMPORARY_FOLDER: Final = 70  # bytes; a socket's address has room for 104, with a name of up to 34


def _text(name: str) -> str | None:
    return os.environ.get(f"CV_YOLO_{name}")


def _folder(name: str) -> Path | None:
    text = _text(name)
    return None if text is None else Path(text)


def _project() -> Path:
    root = _folder("ROOT")
    return Path.cwd() if root is None else root


def _seconds(name: str, default: float, allowed: Callable[[float], bool], wanted: str) -> float:
    return _number(name, default, allowed, f"seconds, {wanted}")


def _number(name: str, default: float, allowed: Callable[[float], bool], wanted: str) -> float:
    """Raises `ConfigError` where the variable is set to anything else."""
    text = _text(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not allowed(value):
        raise ConfigError(f"CV_YOLO_{name} is {text!r}", hint=f"set it to a number of {wanted}")
    return value


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Folders of one project. Everything that the commands keep is under `home`; nothing is written elsewhere.

    `root` is the project's folder (default: the current one), against which relative paths are read.
    """

    root: Path = field(default_factory=_project)
    home_override: Path | None = field(default_factory=partial(_folder, "HOME"))
    server_url: str | None = field(default_factory=partial(_text, "SERVER_URL"))
    server_api_key: str | None = field(default_factory=partial(_text, "SERVER_API_KEY"), repr=False)
    stack: str = field(default_factory=lambda: os.environ.get("CV_YOLO_STACK", STACK))
    retry_s: float = field(  # ZenML's server takes 15 to 45 s to start
        default_factory=lambda: _seconds("PATIENCE_S", 90.0, lambda value: value >= 0, "0 or more")
    )
    answer_limit_s: float = field(
        default_factory=lambda: _seconds("ANSWER_LIMIT_S", 20.0, lambda value: value > 0, "more than 0")
    )
    max_megapixels: float = field(
        default_factory=lambda: _number(
            "MAX_MEGAPIXELS", 178.95697, lambda value: 0 < value < MOST_MEGAPIXELS, "megapixels, more than 0"
        )
    )

    @cached_property
    def home(self) -> Path:
        """The folder of all state: `<root>/.cv-yolo` unless `CV_YOLO_HOME` names another."""
        return self.named_home.resolve()

    @property
    def named_home(self) -> Path:
        """The same path, unresolved: it may be a link."""
        return self.root / (self.home_override or DEFAULT_HOME)

    @property
    def private_folders(self) -> tuple[Path, ...]:
        """What only its owner may enter: the home, and DVC's cache and remote if `.dvc/config` puts them next to it."""
        default = self.root / DEFAULT_HOME
        used_by_dvc = (self.root / ".dvc").is_dir() and default.resolve() != self.home
        return (self.named_home, default) if used_by_dvc else (self.named_home,)

    @property
    def most_px(self) -> int:
        """The pixels that an image of a data set may have."""
        return round(self.max_megapixels * 1e6)

    @property
    def services(self) -> Path:
        """What belongs to the servers that `cv-yolo up` runs: data, logs, credentials."""
        return self.home / "services"

    @property
    def connection_file(self) -> Path:
        """Which server the commands use, and with which key; not there: the embedded defaults."""
        return self.home / "connection.json"

    @cached_property
    def connection(self) -> PipelineServerAddress | None:
        """The ZenML server that is used: the environment's, else the one connected to, else None: embedded."""
        if self.server_url is None:
            return _read_connection(self.connection_file)
        if self.server_api_key is None:
            raise ConfigError(
                "CV_YOLO_SERVER_URL is set without CV_YOLO_SERVER_API_KEY",
                hint="set both, or connect once with `cv-yolo connect URL`",
            )
        return PipelineServerAddress(url=self.server_url, api_key=self.server_api_key)

    @property
    def mlflow_database(self) -> Path:
        """SQLite file of the experiment tracker and the registry."""
        return self.home / "mlflow" / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """Files that belong to tracked runs."""
        return self.home / "mlflow" / "artifacts"

    @property
    def runs(self) -> Path:
        """Work folders of runs: logs, events, and what a training writes."""
        return self.home / "runs"

    @property
    def weights(self) -> Path:
        """Weights files by name (downloaded) and by hash (trained)."""
        return self.home / "weights"

    @property
    def trained(self) -> Path:
        """Records of finished trainings, one file each."""
        return self.home / "trained"

    @property
    def checks(self) -> Path:
        """What `data check` has read, its pages, and copies of the files that it has changed."""
        return self.home / "checks"

    @property
    def outbox(self) -> Path:
        """Undelivered events of runs, kept while the tracker does not answer."""
        return self.home / "outbox"

    @property
    def audit(self) -> Path:
        """The audit log of each model, one file each."""
        return self.home / "audit"

    @property
    def decisions(self) -> Path:
        """Written decisions, one file each."""
        return self.root / "reports" / "decisions"

    @property
    def tracking_uri(self) -> str:
        """Address of the experiment tracker."""
        return f"sqlite:///{self.mlflow_database.as_posix()}"

    def isolation(self) -> dict[str, str]:
        """The environment under which the libraries leave the user's own settings alone and stay quiet."""
        used = "zenml" if self.connection is None else "zenml-server"
        common = network_environment() | self._temporary_folder()
        return common | {
            "ZENML_CONFIG_PATH": str(self.home / used),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_AUTO_OPEN_DASHBOARD": "false",
            "ZENML_LOGGING_VERBOSITY": "ERROR",
            "ZENML_ENABLE_RICH_TRACEBACK": "false",
            "ZENML_LOGGING_COLORS_DISABLED": "true",
            "ZENML_DYNAMIC_PIPELINE_MONITORING_INTERVAL": "2",
            "ZENML_PARAMETER_SIZE_THRESHOLD": "65536",  # bytes; what is larger is an object in the artifact store
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a dead server is noticed in seconds; callers retry themselves
            "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
            "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",  # its addresses are the server's, not always ours
            "MLFLOW_LOGGING_LEVEL": "WARNING",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            "DO_NOT_TRACK": "true",
            "DVC_NO_ANALYTICS": "true",
            "DVC_GLOBAL_CONFIG_DIR": str(self.home / "dvc" / "global"),
            "DVC_SYSTEM_CONFIG_DIR": str(self.home / "dvc" / "system"),
            "DVC_SITE_CACHE_DIR": str(self.home / "dvc" / "site"),
            "YOLO_CONFIG_DIR": str(self.home / "ultralytics"),
            "YOLO_AUTOINSTALL": "false",
            "MPLCONFIGDIR": str(self.home / "matplotlib"),
            "MPLBACKEND": "Agg",
        }

    def _temporary_folder(self) -> dict[str, str]:
        """The home's own: MLflow waits for a lock in `/tmp` whose name anybody can guess, and hold.

        A folder that the person chose is kept; so is the system's where a socket's address would be too long.
        """
        own = self.home / "tmp"
        fits = len(os.fsencode(own)) <= LONGEST_TEMPORARY_FOLDER
        chosen = "TMPDIR" in os.environ or not hasattr(os, "geteuid")
        return {"TMPDIR": str(own)} if fits and not chosen else {}


def write_connection(settings: Settings, address: PipelineServerAddress) -> None:
    """Use this server from now on, with this key; the file is its owner's alone (mode 0600)."""
    write_secret(settings.connection_file, json.dumps({"url": address.url, "api_key": address.api_key}, indent=1))


def _read_connection(path: Path) -> PipelineServerAddress | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return PipelineServerAddress(url=kept["url"], api_key=kept["api_key"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {' '.join(str(error).split())}",
            hint="run `cv-yolo connect URL` to write it again",
        ) from error
