"""MLflow's model registry behind the port `ModelRegistry`: versions and aliases (stages are deprecated since 2.9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cv_yolo.domain.versions import Alias, ModelVersion
from cv_yolo.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from mlflow import MlflowClient

SHA256_TAG = "weights_sha256"


class MlflowRegistry:
    """Versions of one registered model at `uri`."""

    def __init__(self, *, uri: str, model: str) -> None:
        self._uri, self._model = uri, model

    def register(
        self,
        *,
        run_id: str,
        weights: Path,
        weights_sha256: str,
        version: str | None = None,  # noqa: ARG002 - MLflow numbers its versions itself
    ) -> ModelVersion:
        """The version of this run; its source is the weights file among the run's artifacts."""
        known = next((version for version in self.versions() if version.run_id == run_id), None)
        if known is not None:
            return known
        with _translated(self._uri):
            self._ensure_model()
            source = f"{self._client.get_run(run_id).info.artifact_uri}/weights/{weights.name}"
            made = self._client.create_model_version(
                self._model, source=source, run_id=run_id, tags={SHA256_TAG: weights_sha256}
            )
        return ModelVersion(model=self._model, version=str(made.version), run_id=run_id, weights_sha256=weights_sha256)

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions, oldest first."""
        with _translated(self._uri):
            found = self._client.search_model_versions(f"name = '{self._model}'")
            aliases = self._aliases()
        ordered = sorted(found, key=lambda version: int(version.version))
        return tuple(_version(each, aliases.get(str(each.version), ())) for each in ordered)

    def set_alias(self, alias: Alias, version: str | None) -> None:
        """Give the alias to a version, or to none."""
        with _translated(self._uri):
            if version is None:
                self._client.delete_registered_model_alias(self._model, alias.value)
            else:
                self._client.set_registered_model_alias(self._model, alias.value, version)

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self._model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _aliases(self) -> dict[str, tuple[Alias, ...]]:
        """The aliases of each version; the search for versions does not return them."""
        found = self._client.search_registered_models(f"name = '{self._model}'")
        by_version: dict[str, tuple[Alias, ...]] = {}
        known = {alias.value for alias in Alias}
        for name, version in (found[0].aliases if found else {}).items():
            if name in known:
                by_version[str(version)] = (*by_version.get(str(version), ()), Alias(name))
        return by_version

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except MlflowException as error:
        raise ServiceUnavailableError(f"MLflow's registry at {uri}: {error.message}") from error
    except (SQLAlchemyError, OSError) as error:  # a database that is damaged, a disk that is full
        raise ServiceUnavailableError(f"MLflow's registry at {uri}: {' '.join(str(error).split())}") from error


def _version(version: Any, aliases: tuple[Alias, ...]) -> ModelVersion:
    return ModelVersion(
        model=version.name,
        version=str(version.version),
        run_id=version.run_id,
        weights_sha256=version.tags[SHA256_TAG],
        aliases=aliases,
    )
