"""MLflow's own SQLite file behind the reading ports, without MLflow, which takes seconds to import.

The file is opened read-only, for one short transaction, as MLflow's client would read it: writers wait for it no longer
than for any other reader. A file of another schema than the one that is known here, and one that cannot be read now
(locked, damaged, left with a journal by a crash), is left to MLflow's client, which migrates, waits, repairs, or
reports what is wrong. Without a file, nothing was recorded yet.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from cv_yolo.adapters.mlflow.conventions import CONTEXT_TAG, input_of
from cv_yolo.adapters.mlflow.registry import ANCHOR_TAG, SHA256_TAG, MlflowRegistry, holders_of, version_of
from cv_yolo.adapters.mlflow.tracker import run_of
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.domain.training.runs import DatasetInput, Run
from cv_yolo.ports.records import RunReader

SCHEMA: Final = "dc11669786a5"  # MLflow 3.17; another release may have another one, and is read by its client
WAIT_S: Final = 0.5  # for a writer; after that MLflow's client waits on
NAN: Final = float("nan")
EXPERIMENT: Final = (
    "SELECT experiment_id, lifecycle_stage = 'active' FROM experiments WHERE workspace = 'default' AND name = ?"
)
RUNS: Final = (
    "SELECT run_uuid, name, status, start_time, end_time FROM runs "
    "WHERE experiment_id = ? AND lifecycle_stage = 'active' ORDER BY start_time DESC, run_uuid"
)
OF_RUNS: Final = "(SELECT run_uuid FROM runs WHERE experiment_id = :experiment AND lifecycle_stage = 'active')"
METRICS: Final = "SELECT run_uuid, key, value, is_nan FROM latest_metrics WHERE run_uuid IN"
PARAMS: Final = "SELECT run_uuid, key, value FROM params WHERE run_uuid IN"
TAGS: Final = "SELECT run_uuid, key, value FROM tags WHERE run_uuid IN"
USES: Final = (
    "SELECT inputs.destination_id, inputs.source_id, input_tags.value FROM inputs "
    "LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid AND input_tags.name = :context "
    "WHERE inputs.destination_type = 'RUN' AND inputs.destination_id IN"
)
DATASETS: Final = "SELECT dataset_uuid, name, digest, dataset_source, dataset_profile FROM datasets"
OF_MODEL: Final = "workspace = 'default' AND name = ?"
VERSIONS: Final = "SELECT version, run_id FROM model_versions WHERE current_stage != 'Deleted_Internal' AND"
VERSION_TAGS: Final = "SELECT version, key, value FROM model_version_tags WHERE"
ALIASES: Final = "SELECT alias, version FROM registered_model_aliases WHERE"
MODEL_TAGS: Final = "SELECT key, value FROM registered_model_tags WHERE"


class _LeftToClientError(Exception):
    """The file is nothing that is read here."""


class RunsInDatabase:
    """The runs of one experiment in the file `path`; `otherwise` is asked where the file is not read here."""

    def __init__(self, path: Path, *, experiment: str, otherwise: RunReader) -> None:
        self._path, self._experiment, self._otherwise = path, experiment, otherwise

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first; none where it was not begun yet."""
        if not self._path.exists():
            return ()
        try:
            return self._read()
        except _LeftToClientError:
            return self._otherwise.runs()

    def _read(self) -> tuple[Run, ...]:
        with _opened(self._path) as database:
            found = database.execute(EXPERIMENT, (self._experiment,)).fetchone()
            if found is None:
                return ()
            experiment_id, active = found
            if not active:
                raise _LeftToClientError
            runs = database.execute(RUNS, (experiment_id,)).fetchall()
            names = {"experiment": experiment_id, "context": CONTEXT_TAG}
            metrics, params, tags, uses = (
                database.execute(f"{query} {OF_RUNS}", names).fetchall() for query in (METRICS, PARAMS, TAGS, USES)
            )
            datasets = database.execute(DATASETS).fetchall()
        return tuple(_runs(runs, _metrics(metrics), _by_run(params), _by_run(tags), _inputs(uses, datasets)))


class VersionsInDatabase:
    """The versions of one registered model in the file `path`, and its anchor; `otherwise` as above."""

    def __init__(self, path: Path, *, model: str, otherwise: MlflowRegistry) -> None:
        self._path, self._model, self._otherwise = path, model, otherwise

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions that our adapter made, oldest first."""
        if not self._path.exists():
            return ()
        try:
            versions, rows, aliases = self._rows(VERSIONS, VERSION_TAGS, ALIASES)
        except _LeftToClientError:
            return self._otherwise.versions()
        tags, holders = _by_run(rows), holders_of(dict(aliases))
        return tuple(
            version_of(model=self._model, version=str(version), run_id=run_id, tags=tags[version], holders=holders)
            for version, run_id in sorted(versions)
            if SHA256_TAG in tags[version]
        )

    def anchor(self) -> str | None:
        """The text that was kept last, if any."""
        if not self._path.exists():
            return None
        try:
            (tags,) = self._rows(MODEL_TAGS)
        except _LeftToClientError:
            return self._otherwise.anchor()
        return dict(tags).get(ANCHOR_TAG)

    def _rows(self, *queries: str) -> tuple[list[Any], ...]:
        with _opened(self._path) as database:
            return tuple(database.execute(f"{query} {OF_MODEL}", (self._model,)).fetchall() for query in queries)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The file at one moment, if it is of the schema that is known here."""
    try:
        place = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(place, uri=True, timeout=WAIT_S, isolation_level=None)) as database:
            database.execute("BEGIN")
            if database.execute("SELECT version_num FROM alembic_version").fetchall() != [(SCHEMA,)]:
                raise _LeftToClientError
            yield database
    except sqlite3.Error as error:
        raise _LeftToClientError from error


def _runs(
    rows: Iterable[Any],
    metrics: dict[str, dict[str, float]],
    params: dict[Any, dict[str, str]],
    tags: dict[Any, dict[str, str]],
    inputs: dict[str, list[DatasetInput]],
) -> Iterator[Run]:
    for run_id, name, status, started_ms, ended_ms in rows:
        yield run_of(
            run_id=run_id,
            name=name or tags[run_id].get("mlflow.runName", name),
            status=status,
            started_ms=started_ms,
            ended_ms=ended_ms,
            params=params[run_id],
            tags=tags[run_id],
            metrics=metrics[run_id],
            inputs=inputs[run_id],
        )


def _metrics(rows: Iterable[Any]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for run_id, key, value, is_nan in rows:
        found[run_id][key] = NAN if is_nan else value
    return found


def _by_run(rows: Iterable[Any]) -> dict[Any, dict[str, str]]:
    """Names and values of each run, or of each version."""
    found: dict[Any, dict[str, str]] = defaultdict(dict)
    for owner, key, value in rows:
        found[owner][key] = value
    return found


def _inputs(uses: Iterable[Any], datasets: Iterable[Any]) -> dict[str, list[DatasetInput]]:
    """The data of each run; many runs use the same, which is made once."""
    known = {dataset_id: details for dataset_id, *details in datasets}
    made: dict[tuple[str, str | None], DatasetInput] = {}
    found: dict[str, list[DatasetInput]] = defaultdict(list)
    for run_id, dataset_id, context in uses:
        use = dataset_id, context
        if dataset_id not in known:  # an input of another kind
            continue
        if use not in made:
            name, digest, source, profile = known[dataset_id]
            made[use] = input_of(name=name, digest=digest, context=context or "", source=source, profile=profile)
        found[run_id].append(made[use])
    return found
