"""`ModelRegistry`: versions and aliases, held by the fake, by MLflow and by ZenML."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cv_yolo.adapters.mlflow_registry import MlflowRegistry
from cv_yolo.adapters.mlflow_tracker import MlflowTracker
from cv_yolo.domain.versions import Alias, ModelVersion
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports import ModelRegistry, NewRun
from tests.fakes import FakeModelRegistry

STAGING, PRODUCTION = Alias.STAGING, Alias.PRODUCTION


@dataclass(frozen=True, kw_only=True)
class Case:
    """A registry of one model, and how a run comes about that it knows."""

    registry: ModelRegistry
    model: str
    new_run_id: Callable[[], str]

    def register(self, run_id: str | None = None, *, version: str | None = None) -> ModelVersion:
        run_id = run_id or self.new_run_id()
        sha256 = f"sha256 of {run_id}"
        return self.registry.register(run_id=run_id, weights=Path("best.pt"), weights_sha256=sha256, version=version)

    def holder_of(self, alias: Alias) -> str | None:
        holders = [each.version for each in self.registry.versions() if alias in each.aliases]
        assert len(holders) <= 1
        return holders[0] if holders else None


@pytest.fixture(params=["fake", "mlflow", "zenml"])
def case(request: pytest.FixtureRequest, store: Path) -> Case:
    # Each test has a model of its own; the databases are made once. The name is short: ZenML limits its length.
    model = f"model_{abs(hash(request.node.name)) % 10**9}"
    numbers = iter(range(1, 100))
    if request.param == "fake":
        return Case(registry=FakeModelRegistry(model=model), model=model, new_run_id=lambda: f"run-{next(numbers)}")
    if request.param == "zenml":
        registry = request.getfixturevalue("zenml_parts").pipeline_registry(model)
        return Case(registry=registry, model=model, new_run_id=lambda: f"run-{next(numbers)}")
    uri = f"sqlite:///{store}/mlflow.db"
    tracker = MlflowTracker(uri=uri, experiment="runs", artifacts=store / "artifacts")
    return Case(
        registry=MlflowRegistry(uri=uri, model=model),
        model=model,
        new_run_id=lambda: tracker.start(NewRun(name="e3_s320", params={}, tags={})),
    )


def test_a_new_model_has_no_versions(case: Case) -> None:
    assert case.registry.versions() == ()


def test_a_registered_version_says_its_run_and_the_hash_of_its_weights(case: Case) -> None:
    run_id = case.new_run_id()
    made = case.register(run_id)
    assert (made.model, made.run_id, made.weights_sha256, made.aliases) == (
        case.model,
        run_id,
        f"sha256 of {run_id}",
        (),
    )
    assert case.registry.versions() == (made,)


def test_a_run_has_one_version_however_often_it_is_registered(case: Case) -> None:
    run_id = case.new_run_id()
    first = case.register(run_id, version="1")
    assert case.register(run_id, version="2") == first
    assert case.registry.versions() == (first,)


def test_versions_are_listed_oldest_first(case: Case) -> None:
    made = tuple(case.register(version=str(number)) for number in range(1, 12))  # ten sorts before nine, as text
    assert case.registry.versions() == made


def test_an_alias_is_given_to_a_version(case: Case) -> None:
    made = case.register(version="1")
    case.registry.set_alias(STAGING, made.version)
    assert case.holder_of(STAGING) == made.version


def test_at_most_one_version_holds_an_alias(case: Case) -> None:
    first, second = case.register(version="1"), case.register(version="2")
    case.registry.set_alias(STAGING, first.version)
    case.registry.set_alias(STAGING, second.version)
    assert case.holder_of(STAGING) == second.version


def test_two_aliases_are_held_by_two_versions(case: Case) -> None:
    first, second = case.register(version="1"), case.register(version="2")
    case.registry.set_alias(PRODUCTION, first.version)
    case.registry.set_alias(STAGING, second.version)
    assert (case.holder_of(PRODUCTION), case.holder_of(STAGING)) == (first.version, second.version)


def test_an_alias_can_be_given_back(case: Case) -> None:
    made = case.register(version="1")
    case.registry.set_alias(STAGING, made.version)
    case.registry.set_alias(STAGING, None)
    assert case.holder_of(STAGING) is None


def test_an_alias_that_nobody_holds_can_be_given_back_too(case: Case) -> None:
    made = case.register(version="1")
    case.registry.set_alias(STAGING, None)
    assert case.registry.versions() == (made,)


def test_a_run_that_is_registered_again_keeps_its_alias(case: Case) -> None:
    run_id = case.new_run_id()
    case.registry.set_alias(STAGING, case.register(run_id, version="1").version)
    assert case.register(run_id).aliases == (STAGING,)


def test_an_unknown_version_gets_no_alias(case: Case) -> None:
    case.register(version="1")
    with pytest.raises(ServiceUnavailableError, match="99"):
        case.registry.set_alias(STAGING, "99")


def test_models_do_not_know_each_others_versions(case: Case, request: pytest.FixtureRequest) -> None:
    case.register(version="1")
    kind = type(case.registry)
    if kind is MlflowRegistry:
        other: ModelRegistry = MlflowRegistry(uri=case.registry._uri, model="another")
    elif kind is FakeModelRegistry:
        other = FakeModelRegistry(model="another")
    else:
        other = request.getfixturevalue("zenml_parts").pipeline_registry("another")
    assert other.versions() == ()
