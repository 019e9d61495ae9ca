"""Where things are kept, read once from the environment: `CV_YOLO_ROOT`, `CV_YOLO_HOME`."""

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Folders of one project. Everything that the commands keep is under `home`; nothing is written elsewhere.

    `root` is the project's folder (default: the current one), against which relative paths are read.
    """

    model_config = SettingsConfigDict(env_prefix="CV_YOLO_", frozen=True)

    root: Path = Field(default_factory=Path.cwd)
    home_override: Path | None = Field(default=None, validation_alias="CV_YOLO_HOME")

    @cached_property
    def home(self) -> Path:
        """The folder of all state: `<root>/.cv-yolo` unless `CV_YOLO_HOME` names another."""
        return (self.root / (self.home_override or ".cv-yolo")).resolve()

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
        return {
            "ZENML_CONFIG_PATH": str(self.home / "zenml"),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_AUTO_OPEN_DASHBOARD": "false",
            "ZENML_LOGGING_VERBOSITY": "ERROR",
            "ZENML_ENABLE_RICH_TRACEBACK": "false",
            "ZENML_LOGGING_COLORS_DISABLED": "true",
            "ZENML_DYNAMIC_PIPELINE_MONITORING_INTERVAL": "2",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_LOGGING_LEVEL": "WARNING",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
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
