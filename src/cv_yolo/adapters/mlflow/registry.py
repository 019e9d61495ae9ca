"""MLflow's model registry behind the port `ModelRegistry`.

MLflow's aliases say which version is in staging or production (its own stages are deprecated since 2.9); the tag
`stage` repeats it for readers of MLflow's pages, and alone says what is archived.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from cv_yolo.adapters.mlflow import conventions
from cv_yolo.domain.data.class_names import as_tags, from_tags
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, ModelVersion, Stage
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.registry import NewVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

SHA256_TAG: Final = "weights_sha256"
THRESHOLD_TAG: Final = "confidence_threshold"
STAGE_TAG: Final = "stage"
ANCHOR_TAG: Final = "audit_head"


class MlflowRegistry:
    """Versions of one registered model at `uri`."""

    def __init__(self, *, uri: str, model: str) -> None:
        self._uri, self._model = uri, model

    def register(self, new: NewVersion, *, version: str | None = None) -> ModelVersion:  # noqa: ARG002 - MLflow numbers
        """The version of this run; its source is the weights file among the run's artifacts."""
        known = next((each for each in self.versions() if each.run_id == new.run_id), None)
        if known is not None:
            return known
        tags = {SHA256_TAG: new.weights_sha256}
        if new.confidence_threshold is not None:
            tags[THRESHOLD_TAG] = repr(new.confidence_threshold)
        if new.classes is not None:
            tags |= as_tags(new.classes)
        with _translated(self._uri):
            self._ensure_model()
            run = self._client.get_run(new.run_id)
            source = f"{run.info.artifact_uri}/{self._kept(new)}"
            made = self._client.create_model_version(self._model, source=source, run_id=new.run_id, tags=tags)
            conventions.link_version(self._client, run, self._model, str(made.version))
        return version_of(model=made.name, version=str(made.version), run_id=made.run_id, tags=tags, holders={})

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions that this adapter made, oldest first."""
        with _translated(self._uri):
            found = self._client.search_model_versions(f"name = '{self._model}'")
            holders = self._holders()
        ours = sorted((each for each in found if SHA256_TAG in each.tags), key=lambda each: int(each.version))
        return tuple(
            version_of(model=each.name, version=str(each.version), run_id=each.run_id, tags=each.tags, holders=holders)
            for each in ours
        )

    def set_stage(self, version: str, stage: Stage | None) -> None:
        """Move a version to a stage, or out of any; the alias comes last: an incomplete move shows as not done."""
        with _translated(self._uri):
            self._client.set_model_version_tag(self._model, version, STAGE_TAG, stage.value if stage else "none")
            former = self._holders()
            for left in [each for each in HELD_BY_ONE if former.get(each) == version and each is not stage]:
                self._client.delete_registered_model_alias(self._model, left.value)
            if stage not in HELD_BY_ONE:
                return
            if former.get(stage, version) != version:
                self._client.set_model_version_tag(self._model, former[stage], STAGE_TAG, Stage.ARCHIVED.value)
            self._client.set_registered_model_alias(self._model, stage.value, version)

    def anchor(self) -> str | None:
        """The text that was kept last, if any."""
        with _translated(self._uri):
            model = self._find_model()
        return None if model is None else model.tags.get(ANCHOR_TAG)

    def set_anchor(self, text: str) -> None:
        """Keep the text as a tag of the registered model."""
        with _translated(self._uri):
            self._ensure_model()
            self._client.set_registered_model_tag(self._model, ANCHOR_TAG, text)

    def _kept(self, new: NewVersion) -> str:
        """The path of the weights among the run's files: on this machine they may have another name."""
        kept = [each.path for each in self._client.list_artifacts(new.run_id, "weights") if not each.is_dir]
        return str(kept[0]) if kept else f"weights/{new.weights.name}"

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self._model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _find_model(self) -> Any | None:
        found = self._client.search_registered_models(f"name = '{self._model}'")
        return found[0] if found else None

    def _holders(self) -> dict[Stage, str]:
        """The version of each alias; the search for versions does not return them."""
        model = self._find_model()
        return {} if model is None else holders_of(model.aliases)

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


def holders_of(aliases: Mapping[str, Any]) -> dict[Stage, str]:
    """Which version holds each stage, by MLflow's aliases."""
    return {stage: str(aliases[stage.value]) for stage in HELD_BY_ONE if stage.value in aliases}


def version_of(
    *, model: str, version: str, run_id: str, tags: Mapping[str, str], holders: Mapping[Stage, str]
) -> ModelVersion:
    """The domain's value of an MLflow version."""
    threshold = tags.get(THRESHOLD_TAG)
    held = next((stage for stage, holder in holders.items() if holder == version), None)
    archived = Stage.ARCHIVED if tags.get(STAGE_TAG) == Stage.ARCHIVED else None
    return ModelVersion(
        model=model,
        version=version,
        run_id=run_id,
        weights_sha256=tags[SHA256_TAG],
        stage=held or archived,
        confidence_threshold=None if threshold is None else float(threshold),
        classes=from_tags(tags),
    )
