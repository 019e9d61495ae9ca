"""MLflow behind the port `ExperimentTracker`: explicit run ids, no process-wide state."""

import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cv_yolo.domain.runs import Run, RunStatus
from cv_yolo.domain.training import EpochMetrics
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports import NewRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

STATUS_TO_MLFLOW = {
    RunStatus.RUNNING: "RUNNING",
    RunStatus.FINISHED: "FINISHED",
    RunStatus.FAILED: "FAILED",
    RunStatus.STOPPED: "KILLED",
}
STATUS_FROM_MLFLOW = {name: status for status, name in STATUS_TO_MLFLOW.items()} | {"SCHEDULED": RunStatus.RUNNING}
REASON_TAG = "reason"
PAGE = 1000


class MlflowTracker:
    """Keeps runs in one MLflow experiment at `uri`; a new experiment keeps its files under `artifacts`."""

    def __init__(self, *, uri: str, experiment: str, artifacts: Path | None = None) -> None:
        self._uri, self._experiment, self._artifacts = uri, experiment, artifacts

    def connect(self) -> None:
        """Make the store and the experiment where there are none yet, before several threads need them."""
        with _translated(self._uri):
            _ = self._experiment_id

    def start(self, run: NewRun) -> str:
        """Start a run and return its id."""
        from mlflow.entities import Param, RunTag

        with _translated(self._uri):
            made = self._client.create_run(self._experiment_id, run_name=run.name)
            run_id = str(made.info.run_id)
            self._client.log_batch(
                run_id,
                params=[Param(key, value) for key, value in run.params.items()],
                tags=[RunTag(key, value) for key, value in run.tags.items()],
            )
        return run_id

    def log_epoch(self, run_id: str, epoch: EpochMetrics) -> None:
        """Record what an epoch measured, at its step."""
        self._log(run_id, epoch.values, step=epoch.epoch)

    def log_metrics(self, run_id: str, metrics: dict[str, float]) -> None:
        """Record figures of the run as a whole."""
        self._log(run_id, metrics, step=0)

    def tag(self, run_id: str, tags: dict[str, str]) -> None:
        """Record facts about a run that are known only after it started."""
        from mlflow.entities import RunTag

        with _translated(self._uri):
            self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_artifacts(self, run_id: str, files: Iterable[Path], folder: str = "") -> None:
        """Keep files with the run."""
        with _translated(self._uri):
            for file in files:
                self._client.log_artifact(run_id, str(file), folder or None)

    def finish(self, run_id: str, status: RunStatus, reason: str | None = None) -> None:
        """End a run; a run that goes on again (a second evaluation) loses its former reason."""
        with _translated(self._uri):
            if reason is not None:
                self._client.set_tag(run_id, REASON_TAG, reason)
            elif REASON_TAG in self._client.get_run(run_id).data.tags:
                self._client.delete_tag(run_id, REASON_TAG)
            self._client.set_terminated(run_id, STATUS_TO_MLFLOW[status])

    def get(self, run_id: str) -> Run:
        """One run by its id."""
        with _translated(self._uri):
            return _run(self._client.get_run(run_id))

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first."""
        with _translated(self._uri):
            found = self._client.search_runs([self._experiment_id], max_results=PAGE)
            pages = list(found)
            while found.token:
                found = self._client.search_runs([self._experiment_id], max_results=PAGE, page_token=found.token)
                pages += found
        return tuple(_run(run) for run in pages)

    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]:
        """All values of one metric as (step, value), in the order of the steps."""
        with _translated(self._uri):
            values = self._client.get_metric_history(run_id, metric)
        return tuple(sorted((value.step, value.value) for value in values))

    def artifact(self, run_id: str, path: str) -> bytes:
        """The content of one file that is kept with the run."""
        with _translated(self._uri), tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, path, folder)).read_bytes()

    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        """The paths of the files that are kept directly in a folder of the run."""
        with _translated(self._uri):
            return tuple(sorted(each.path for each in self._client.list_artifacts(run_id, folder) if not each.is_dir))

    def _log(self, run_id: str, metrics: dict[str, float], *, step: int) -> None:
        from mlflow.entities import Metric

        now_ms = int(time.time() * 1000)
        with _translated(self._uri):
            self._client.log_batch(run_id, metrics=[Metric(key, value, now_ms, step) for key, value in metrics.items()])

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        if self._uri.startswith("sqlite:///"):
            Path(self._uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    @cached_property
    def _experiment_id(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        location = None if self._artifacts is None else self._artifacts.resolve().as_uri()
        try:
            return str(self._client.create_experiment(self._experiment, artifact_location=location))
        except MlflowException:
            found = self._client.get_experiment_by_name(self._experiment)  # another process was faster
            if found is None:
                raise
            return str(found.experiment_id)


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NotFoundError(f"not in MLflow: {error.message}", hint="`cv-yolo runs` lists what there is") from error
        raise ServiceUnavailableError(f"MLflow at {uri}: {error.message}") from error
    except (SQLAlchemyError, OSError) as error:  # a database that is damaged, a disk that is full
        raise ServiceUnavailableError(f"MLflow at {uri}: {' '.join(str(error).split())}") from error


def _run(run: Any) -> Run:
    tags = dict(run.data.tags)
    return Run(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=STATUS_FROM_MLFLOW[run.info.status],
        reason=tags.get(REASON_TAG),
        started_at=_time(run.info.start_time),
        ended_at=_time(run.info.end_time) if run.info.end_time else None,
        params=dict(run.data.params),
        tags={key: value for key, value in tags.items() if not key.startswith("mlflow.")},
        metrics=dict(run.data.metrics),
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
