"""`ModelRegistry`: versions and stages, held by the fake, MLflow (listed from its file or by REST, too) and ZenML."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cv_yolo.adapters.mlflow.database import VersionsInDatabase
from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.rest import VersionsOnServer
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from cv_yolo.ports.registry import ModelRegistry, NewVersion
from tests.fakes import FakeModelRegistry

STAGING, PRODUCTION, ARCHIVED = Stage


@dataclass(frozen=True, kw_only=True)
class Case:
    """A registry of one model, and how a run comes about that it knows."""

    registry: ModelRegistry
    model: str
    new_run_id: Callable[[], str]

    def register(self, run_id: str | None = None, *, version: str | None = None) -> ModelVersion:
        run_id = run_id or self.new_run_id()
        sha256 = f"sha256 of {run_id}"
        new = NewVersion(run_id=run_id, weights=Path("best.pt"), weights_sha256=sha256, confidence_threshold=1 / 3)
        return self.registry.register(new, version=version)

    def two(self) -> tuple[str, str]:
        return self.register(version="1").version, self.register(version="2").version

    def stages(self) -> dict[str, Stage | None]:
        return {each.version: each.stage for each in self.registry.versions()}


class ListedFromFile(MlflowRegistry):
    """MLflow's registry, whose versions are listed from its file."""

    def versions(self) -> tuple[ModelVersion, ...]:
        otherwise = MlflowRegistry(uri="none://", model="not to be asked")
        path = Path(self._uri.removeprefix("sqlite:///"))
        return VersionsInDatabase(path, model=self._model, otherwise=otherwise).versions()


def listed_by_rest(address: TrackingAddress) -> type[MlflowRegistry]:
    """MLflow's registry, whose versions are listed by the REST interface at that address."""

    class ListedByRest(MlflowRegistry):
        def versions(self) -> tuple[ModelVersion, ...]:
            otherwise = MlflowRegistry(uri="none://", model="not to be asked")
            return VersionsOnServer(address, model=self._model, timeout_s=10, otherwise=otherwise).versions()

    return ListedByRest


@pytest.fixture(params=["fake", "mlflow", "mlflow's file", "mlflow's rest", "zenml"])
def case(request: pytest.FixtureRequest, store: Path) -> Case:
    # Each test has a model of its own; the databases are made once. The name is short: ZenML limits its length.
    model = f"model_{abs(hash(request.node.name)) % 10**9}"
    numbers = iter(range(1, 100))
    if request.param == "fake":
        return Case(registry=FakeModelRegistry(model=model), model=model, new_run_id=lambda: f"run-{next(numbers)}")
    if request.param == "zenml":
        registry = request.getfixturevalue("zenml_container").records.pipeline_registry(model)
        return Case(registry=registry, model=model, new_run_id=lambda: f"run-{next(numbers)}")
    uri = f"sqlite:///{store}/mlflow.db"
    tracker = MlflowTracker(uri=uri, experiment="runs", artifacts=store / "artifacts")
    kinds = {"mlflow": lambda: MlflowRegistry, "mlflow's file": lambda: ListedFromFile} | {
        "mlflow's rest": lambda: listed_by_rest(request.getfixturevalue("mlflow_server"))
    }
    return Case(
        registry=kinds[request.param]()(uri=uri, model=model),
        model=model,
        new_run_id=lambda: tracker.start(NewRun(name="e3_s320", params={}, tags={})),
    )


def test_a_version_knows_its_classes_if_it_was_registered_with_them(case: Case) -> None:
    names = ("person", "caf\u00e9 table", "traffic light")
    for classes in (names, None, tuple(f"class number {number}" for number in range(400))):
        run_id = case.new_run_id()
        new = NewVersion(run_id=run_id, weights=Path("best.pt"), weights_sha256="a" * 64, classes=classes)
        case.registry.register(new)
    assert [each.classes for each in case.registry.versions()][:2] == [names, None]


def test_a_new_model_has_no_versions(case: Case) -> None:
    assert case.registry.versions() == ()


def test_a_registered_version_says_its_run_its_weights_and_its_threshold(case: Case) -> None:
    run_id = case.new_run_id()
    made = case.register(run_id)
    assert (made.model, made.run_id, made.weights_sha256) == (case.model, run_id, f"sha256 of {run_id}")
    assert (made.stage, made.confidence_threshold) == (None, 1 / 3)
    assert case.registry.versions() == (made,)


def test_a_version_may_have_no_threshold(case: Case) -> None:
    new = NewVersion(run_id=case.new_run_id(), weights=Path("best.pt"), weights_sha256="a" * 64)
    made = case.registry.register(new, version="1")
    assert made.confidence_threshold is None
    assert case.registry.versions() == (made,)


def test_a_run_has_one_version_however_often_it_is_registered(case: Case) -> None:
    run_id = case.new_run_id()
    first = case.register(run_id, version="1")
    assert case.register(run_id, version="2") == first
    assert case.registry.versions() == (first,)


def test_versions_are_listed_oldest_first(case: Case) -> None:
    made = tuple(case.register(version=str(number)) for number in range(1, 12))  # ten sorts before nine, as text
    assert case.registry.versions() == made


@pytest.mark.parametrize("stage", Stage)
def test_a_version_is_put_into_a_stage_and_out_of_it(case: Case, stage: Stage) -> None:
    made = case.register(version="1")
    case.registry.set_stage(made.version, stage)
    assert case.stages() == {made.version: stage}
    case.registry.set_stage(made.version, None)
    assert case.registry.versions() == (made,)


@pytest.mark.parametrize("stage", [STAGING, PRODUCTION])
def test_the_former_version_of_a_stage_is_archived(case: Case, stage: Stage) -> None:
    first, second = case.two()
    case.registry.set_stage(first, stage)
    case.registry.set_stage(second, stage)
    assert case.stages() == {first: ARCHIVED, second: stage}


def test_any_number_of_versions_are_archived(case: Case) -> None:
    first, second = case.two()
    case.registry.set_stage(first, ARCHIVED)
    case.registry.set_stage(second, ARCHIVED)
    assert case.stages() == {first: ARCHIVED, second: ARCHIVED}


def test_staging_and_production_are_held_by_two_versions(case: Case) -> None:
    first, second = case.two()
    case.registry.set_stage(first, PRODUCTION)
    case.registry.set_stage(second, STAGING)
    assert case.stages() == {first: PRODUCTION, second: STAGING}


def test_a_version_that_moves_to_production_leaves_staging_empty(case: Case) -> None:
    first, second = case.two()
    case.registry.set_stage(first, PRODUCTION)
    case.registry.set_stage(second, STAGING)
    case.registry.set_stage(second, PRODUCTION)
    assert case.stages() == {first: ARCHIVED, second: PRODUCTION}


def test_an_archived_version_can_be_restored(case: Case) -> None:
    first, second = case.two()
    for version in (first, second, first):
        case.registry.set_stage(version, STAGING)
    assert case.stages() == {first: STAGING, second: ARCHIVED}


def test_the_holder_of_a_stage_may_be_given_it_again(case: Case) -> None:
    made = case.register(version="1").version
    case.registry.set_stage(made, STAGING)
    case.registry.set_stage(made, STAGING)
    assert case.stages() == {made: STAGING}


def test_a_run_that_is_registered_again_keeps_its_stage(case: Case) -> None:
    run_id = case.new_run_id()
    case.registry.set_stage(case.register(run_id, version="1").version, STAGING)
    assert case.register(run_id).stage is STAGING


@pytest.mark.parametrize("stage", [STAGING, ARCHIVED, None])
def test_an_unknown_version_gets_no_stage_and_leaves_the_holder(case: Case, stage: Stage | None) -> None:
    made = case.register(version="1").version
    case.registry.set_stage(made, STAGING)
    with pytest.raises(ServiceUnavailableError, match="99"):
        case.registry.set_stage("99", stage)
    assert case.stages() == {made: STAGING}


def test_models_do_not_know_each_others_versions(case: Case, request: pytest.FixtureRequest) -> None:
    case.register(version="1")
    if isinstance(case.registry, MlflowRegistry):
        other: ModelRegistry = type(case.registry)(uri=case.registry._uri, model="another")
    elif isinstance(case.registry, FakeModelRegistry):
        other = FakeModelRegistry(model="another")
    else:
        other = request.getfixturevalue("zenml_container").records.pipeline_registry("another")
    assert other.versions() == ()
