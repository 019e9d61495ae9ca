"""ZenML's Model Control Plane behind the port `ModelRegistry`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cv_yolo.domain.data.class_names import as_tags, from_tags
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.registry import NewVersion

if TYPE_CHECKING:
    from zenml.client import Client

PAGE = 500


class ZenmlRegistry:
    """Versions of one model; `description` of a version says which run, weights, threshold and classes it has."""

    def __init__(self, *, model: str) -> None:
        self._model = model

    def register(self, new: NewVersion, *, version: str | None = None) -> ModelVersion:
        """The version of this run; made now, it is named `v<version>`, since ZenML refuses numbers as names."""
        known = next((each for each in self.versions() if each.run_id == new.run_id), None)
        if known is not None:
            return known
        details = {
            "run_id": new.run_id,
            "weights_sha256": new.weights_sha256,
            "confidence_threshold": new.confidence_threshold,
            **({} if new.classes is None else as_tags(new.classes)),
        }
        with _translated():
            self._ensure_model()
            made = self._client.create_model_version(
                self._model, name=f"v{version}" if version else None, description=json.dumps(details)
            )
        return _version(made)

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions that this adapter made, oldest first."""
        with _translated():
            if not self._model_exists():
                return ()
            page = self._client.list_model_versions(model_name_or_id=self._model, size=PAGE, hydrate=True)
            found = list(page.items)
            for index in range(2, page.total_pages + 1):
                found += self._client.list_model_versions(
                    model_name_or_id=self._model, size=PAGE, page=index, hydrate=True
                ).items
        ours = [each for each in found if _details(each)]
        return tuple(_version(each) for each in sorted(ours, key=lambda each: each.number))

    def set_stage(self, version: str, stage: Stage | None) -> None:
        """Put a version into a stage, or out of any; ZenML archives who held staging or production before."""
        with _translated():
            found = self._client.get_model_version(self._model, version)
            found.set_stage(stage.value if stage else "none", force=True)

    def _ensure_model(self) -> None:
        if not self._model_exists():
            self._client.create_model(self._model, description="Promoted by written decisions; see reports/decisions")

    def _model_exists(self) -> bool:
        try:
            self._client.get_model(self._model)
        except KeyError:
            return False
        return True

    @property
    def _client(self) -> "Client":
        from zenml.client import Client

        return Client()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # ZenML raises RuntimeError, KeyError and its own kinds
        raise ServiceUnavailableError(f"ZenML's model registry: {' '.join(str(error).split())}") from error


def _details(version: Any) -> dict[str, Any]:
    try:
        details = json.loads(version.description or "{}")
    except json.JSONDecodeError:
        return {}
    return details if isinstance(details, dict) and "run_id" in details else {}


def _version(version: Any) -> ModelVersion:
    details = _details(version)
    return ModelVersion(
        model=version.model.name,
        version=version.name,
        run_id=details["run_id"],
        weights_sha256=details["weights_sha256"],
        stage=Stage(version.stage) if version.stage in set(Stage) else None,
        confidence_threshold=details.get("confidence_threshold"),
        classes=from_tags(details),
    )


Call = Callable[[], Any]


def limit_session(run: Callable[[Call], Any]) -> None:
    """Have every request of this process's client made by `run`, which stops waiting for it when the time is over."""
    from zenml.client import Client
    from zenml.zen_stores.rest_zen_store import RestZenStore

    store = run(lambda: Client().zen_store)  # asks the server who it is
    if not isinstance(store, RestZenStore):
        return
    session = run(lambda: store.session)
    genuine = session.request

    def request(*args: Any, **kwargs: Any) -> Any:
        return run(lambda: genuine(*args, **kwargs))

    session.request = request
