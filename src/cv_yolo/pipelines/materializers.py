"""How ZenML keeps a trained model: the weights file beside a description of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter
from zenml.enums import ArtifactType
from zenml.io import fileio
from zenml.materializers.base_materializer import BaseMaterializer

from cv_yolo.domain.training.specs import TrainedModel
from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.pipelines import runtime
from cv_yolo.pipelines.outages import keep, storing

_MODEL = TypeAdapter(TrainedModel)


class TrainedModelMaterializer(BaseMaterializer):
    """Writes `model.json` and `weights.pt`; loads the weights into the project's home only where their hash agrees.

    An artifact store that does not answer is waited for.
    """

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (TrainedModel,)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def save(self, data: TrainedModel) -> None:
        """Copy the weights to the artifact store, then describe them."""
        keep(lambda: _save(self.uri, data), self.uri)

    def load(self, data_type: type[Any]) -> TrainedModel:  # noqa: ARG002 - ZenML's signature
        """Fetch the weights where they are not at hand, and check them; raises `WeightsError`."""
        weights = runtime.container().settings.weights
        return keep(lambda: _load(self.uri, weights), self.uri)

    def extract_metadata(self, data: TrainedModel) -> dict[str, Any]:
        """What the dashboard shows beside the artifact."""
        return {
            "mlflow_run": data.run_id,
            "weights_sha256": data.weights_sha256,
            "size_bytes": data.size_bytes,
            "dataset_revision": data.dataset_revision,
        }

    def compute_content_hash(self, data: TrainedModel) -> str | None:
        """Two models are the same where their weights and the run that made them are."""
        return f"{data.weights_sha256}-{data.run_id}"


def _save(uri: str, model: TrainedModel) -> None:
    if not model.weights.is_file():
        raise WeightsError(f"{model.weights}: the weights to be kept are not there")
    with storing(uri):
        fileio.copy(str(model.weights), f"{uri}/weights.pt", overwrite=True)
        with fileio.open(f"{uri}/model.json", "w") as file:
            file.write(_MODEL.dump_json(model, indent=1).decode())


def _load(uri: str, folder: Path) -> TrainedModel:
    with storing(uri):
        with fileio.open(f"{uri}/model.json", "r") as file:
            model = _MODEL.validate_json(file.read())
        here = folder / f"{model.weights_sha256}.pt"
        if not here.is_file() or sha256_of(here) != model.weights_sha256:
            _fetch(f"{uri}/weights.pt", here, model.weights_sha256)
    return replace(model, weights=here)


def _fetch(source: str, here: Path, sha256: str) -> None:
    here.parent.mkdir(parents=True, exist_ok=True)
    part = here.with_suffix(f".{id(here):x}.part")
    try:
        fileio.copy(source, str(part), overwrite=True)
        if sha256_of(part) != sha256:
            raise WeightsError(f"{source}: the weights are not those that were trained (their sha256 differs)")
        part.replace(here)
    finally:
        part.unlink(missing_ok=True)
