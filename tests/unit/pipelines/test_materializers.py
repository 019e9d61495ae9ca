"""A trained model in an artifact store: whole, checked, and patient with a store that does not answer."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from zenml.materializers.cloudpickle_materializer import CloudpickleMaterializer
from zenml.materializers.materializer_registry import materializer_registry
from zenml.types import HTMLString

from cv_yolo.container import Container
from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.training.specs import TrainedModel
from cv_yolo.errors import ServiceUnavailableError, StoppedError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.pipelines import runtime
from cv_yolo.pipelines.materializers import TrainedModelMaterializer
from tests.builders import a_trained_model


@pytest.fixture
def container(zenml_container: Container) -> Iterator[Container]:
    with runtime.using(zenml_container):
        yield zenml_container


@contextmanager
def waiting(container: Container, seconds: float, report: Callable[[str], None]) -> Iterator[Container]:
    """In use: parts that wait so long for services that do not answer."""
    patient = Container(container.settings, retry_s=seconds, report=report)
    with runtime.using(patient):
        yield patient


@pytest.fixture
def model(tmp_path: Path) -> TrainedModel:
    return a_trained_model(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of one artifact; as long as it is not there, the store takes nothing."""
    return tmp_path / "store" / "detector"


def a_materializer(store: Path) -> TrainedModelMaterializer:
    return TrainedModelMaterializer(uri=store.as_posix())


def test_a_model_comes_back_with_its_weights_in_the_projects_home(
    container: Container, model: TrainedModel, store: Path
) -> None:
    store.mkdir(parents=True)
    a_materializer(store).save(model)
    loaded = a_materializer(store).load(TrainedModel)
    assert loaded.weights == container.settings.weights / f"{model.weights_sha256}.pt"
    assert sha256_of(loaded.weights) == model.weights_sha256
    assert (loaded.run_id, loaded.spec) == (model.run_id, model.spec)


def test_a_store_that_comes_back_in_time_gets_the_model(container: Container, model: TrainedModel, store: Path) -> None:
    reported: list[str] = []

    def back(text: str) -> None:
        reported.append(text)
        store.mkdir(parents=True)

    with waiting(container, 30, back):
        a_materializer(store).save(model)
        assert a_materializer(store).load(TrainedModel).run_id == model.run_id
    assert len(reported) == 1
    assert "the artifact store does not keep or give" in reported[0]


def test_a_store_that_stays_away_is_an_unavailable_service_and_the_same_command_goes_on(
    container: Container, model: TrainedModel, store: Path
) -> None:
    away = pytest.raises(ServiceUnavailableError, match=r"waited 0\.6 s")
    with waiting(container, 0.6, lambda text: None), away as raised:
        a_materializer(store).save(model)
    assert "nothing is trained twice" in str(raised.value.hint)


def test_waiting_for_a_store_ends_when_the_person_stops_the_work(
    container: Container, model: TrainedModel, store: Path
) -> None:
    with waiting(container, 30, lambda text: patient.stop.set()) as patient, pytest.raises(StoppedError):
        a_materializer(store).save(model)


def test_a_half_written_model_is_written_again(container: Container, model: TrainedModel, store: Path) -> None:
    store.mkdir(parents=True)
    (store / "weights.pt").write_bytes(b"half")
    a_materializer(store).save(model)
    assert (store / "weights.pt").read_bytes() == model.weights.read_bytes()


def test_weights_that_are_gone_are_not_waited_for(container: Container, model: TrainedModel, store: Path) -> None:
    model.weights.unlink()
    with waiting(container, 30, pytest.fail), pytest.raises(WeightsError, match="not there"):
        a_materializer(store).save(model)


def test_weights_that_were_exchanged_in_the_store_are_not_loaded(
    container: Container, model: TrainedModel, store: Path
) -> None:
    store.mkdir(parents=True)
    a_materializer(store).save(model)
    shutil.rmtree(container.settings.weights, ignore_errors=True)
    (store / "weights.pt").write_bytes(b"others")
    with waiting(container, 30, pytest.fail), pytest.raises(WeightsError, match="sha256 differs"):
        a_materializer(store).load(TrainedModel)


@pytest.mark.usefixtures("zenml_container")
@pytest.mark.parametrize("kind", [DatasetManifest, Evaluation, Decision, HTMLString, str, list, dict])
def test_what_steps_hand_on_is_kept_as_text_and_never_pickled(kind: type) -> None:
    assert not issubclass(materializer_registry[kind], CloudpickleMaterializer)
