"""ZenML's Model Control Plane behind the port `ModelRegistry`: versions, and stages as their aliases."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cv_yolo.domain.versions import Alias, ModelVersion
from cv_yolo.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from zenml.client import Client

PAGE = 500


class ZenmlRegistry:
    """Versions of one model; `description` of a version holds its run id and the hash of its weights."""

    def __init__(self, *, model: str) -> None:
        self._model = model

    def register(
        self,
        *,
        run_id: str,
        weights: Path,  # noqa: ARG002 - ZenML keeps them as the artifact of the training step
        weights_sha256: str,
        version: str | None = None,
    ) -> ModelVersion:
        """The version of this run; made now, it is named `v<version>`, since ZenML refuses numbers as names."""
        known = next((each for each in self.versions() if each.run_id == run_id), None)
        if known is not None:
            return known
        self._ensure_model()
        try:
            made = self._client.create_model_version(
                self._model,
                name=f"v{version}" if version else None,
                description=json.dumps({"run_id": run_id, "weights_sha256": weights_sha256}),
            )
        except Exception as error:  # ZenML raises RuntimeError, KeyError and its own kinds
            raise ServiceUnavailableError(f"ZenML's model registry: {error}") from error
        return _version(made)

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions that this adapter made, oldest first."""
        try:
            self._client.get_model(self._model)
        except KeyError:
            return ()
        page = self._client.list_model_versions(model_name_or_id=self._model, size=PAGE, hydrate=True)
        found = list(page.items)
        for index in range(2, page.total_pages + 1):
            found += self._client.list_model_versions(
                model_name_or_id=self._model, size=PAGE, page=index, hydrate=True
            ).items
        ours = [each for each in found if _details(each)]
        return tuple(_version(each) for each in sorted(ours, key=lambda each: each.number))

    def set_alias(self, alias: Alias, version: str | None) -> None:
        """Give the stage to a version (its former holder becomes archived), or to none."""
        holder = version
        if version is None:
            holder = next((each.version for each in self.versions() if alias in each.aliases), None)
            if holder is None:
                return
        try:
            found = self._client.get_model_version(self._model, holder)
            found.set_stage("none" if version is None else alias.value, force=True)
        except Exception as error:  # as above
            raise ServiceUnavailableError(f"ZenML's model registry: {error}") from error

    def _ensure_model(self) -> None:
        try:
            self._client.get_model(self._model)
        except KeyError:
            self._client.create_model(self._model, description="Promoted by written decisions; see reports/decisions")

    @property
    def _client(self) -> "Client":
        from zenml.client import Client

        return Client()


def _details(version: Any) -> dict[str, str]:
    try:
        details = json.loads(version.description or "{}")
    except json.JSONDecodeError:
        return {}
    return details if isinstance(details, dict) and "run_id" in details else {}


def _version(version: Any) -> ModelVersion:
    details = _details(version)
    stages = {alias.value: alias for alias in Alias}
    return ModelVersion(
        model=version.model.name,
        version=version.name,
        run_id=details["run_id"],
        weights_sha256=details["weights_sha256"],
        aliases=(stages[version.stage],) if version.stage in stages else (),
    )
