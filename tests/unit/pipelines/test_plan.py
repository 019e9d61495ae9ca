"""From a configuration to the plan of a pipeline run."""

from pathlib import Path
from typing import Any

import pytest

from cv_yolo.config import ExperimentConfig
from cv_yolo.container import Container
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import ConfigError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.pipelines.plan import ExperimentPlan, make_plan
from cv_yolo.settings import Settings
from tests.fakes import FakeInspector


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CV_YOLO_HOME", raising=False)
    (tmp_path / "start.pt").write_bytes(b"weights")
    (tmp_path / "policy.yaml").write_text("gates: {staging: {floors: {map_50: 0.2}}}\n", encoding="utf-8")
    return tmp_path


def plan_of(
    root: Path,
    *,
    accept_inconclusive: str | None = None,
    trusted: bool = False,
    inspector: FakeInspector | None = None,
    **changes: Any,
) -> ExperimentPlan:
    values = {
        "dataset": "data/demo",
        "model": "start.pt",
        "policy": "policy.yaml",
        "grid": {"epochs": [5, 3], "image_size_px": [416, 320]},
    }
    config, container = ExperimentConfig.model_validate(values | changes), Container(Settings(root=root))
    vars(container)["children"] = inspector or FakeInspector()
    return make_plan(config, container, accept_inconclusive=accept_inconclusive, trusted=trusted)


def test_weights_that_cannot_be_read_as_data_are_refused_before_any_training(root: Path) -> None:
    with pytest.raises(WeightsError, match=r"start\.pt: refused"):
        plan_of(root, inspector=FakeInspector(fails=WeightsError("start.pt: refused")))


def test_trusted_weights_are_not_loaded_by_the_plan_and_the_specs_say_so(root: Path) -> None:
    inspector = FakeInspector(fails=WeightsError("start.pt: refused"))
    assert all(spec.trusted for spec in plan_of(root, inspector=inspector, trusted=True).specs)
    assert not any(spec.trusted for spec in plan_of(root).specs)
    assert inspector.requests == []


def test_the_grid_is_every_number_of_epochs_with_every_image_size(root: Path) -> None:
    assert [spec.name for spec in plan_of(root).specs] == ["e3_s320", "e3_s416", "e5_s320", "e5_s416"]


def test_a_value_that_is_given_twice_is_one_run(root: Path) -> None:
    plan = plan_of(root, grid={"epochs": [3, 3], "image_size_px": 320})
    assert [spec.name for spec in plan.specs] == ["e3_s320"]


def test_the_specs_name_the_weights_relative_to_the_project_and_by_content(root: Path) -> None:
    spec = plan_of(root).specs[0]
    assert spec.weights == "start.pt"
    assert spec.weights_sha256 == sha256_of(root / "start.pt")


def test_weights_outside_the_project_are_named_by_absolute_path(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "other.pt"
    elsewhere.write_bytes(b"other")
    assert plan_of(root, model=str(elsewhere)).specs[0].weights == str(elsewhere)


def test_resources_that_are_given_are_used(root: Path) -> None:
    plan = plan_of(root, resources={"parallel_runs": 3, "threads_per_run": 2})
    assert plan.parallel_runs == 3
    assert {spec.threads for spec in plan.specs} == {2}


def test_resources_that_are_not_given_share_the_cores(root: Path) -> None:
    one = plan_of(root, grid={"epochs": 1, "image_size_px": 32})
    assert one.parallel_runs == 1
    assert one.specs[0].threads >= 1
    assert plan_of(root).parallel_runs * plan_of(root).specs[0].threads <= max(one.specs[0].threads, 1)


def test_the_policy_is_read_from_its_file(root: Path) -> None:
    policy = plan_of(root).policy
    assert policy.gates[Stage.STAGING].floors == {"map_50": 0.2}
    assert (policy.source, policy.sha256) == ("policy.yaml", sha256_of(root / "policy.yaml"))
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        plan_of(root, policy="none.yaml")


def test_missing_weights_are_refused_before_anything_starts(root: Path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.pt"):
        plan_of(root, model="nowhere.pt")


def test_a_wrong_policy_is_refused_before_anything_starts(root: Path) -> None:
    (root / "policy.yaml").write_text("floor: 0.2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"policy\.yaml: .*floor: unknown key"):
        plan_of(root)


def test_the_plan_is_of_the_code_that_trains_and_of_the_code_that_evaluates(root: Path) -> None:
    plan, container = plan_of(root), Container(Settings(root=root))
    assert plan.evaluator_version == container.evaluator_version()
    assert {spec.code_version for spec in plan.specs} == {container.code_version()}


def test_the_reason_for_which_an_inconclusive_decision_may_pass_goes_with_the_plan(root: Path) -> None:
    assert plan_of(root).accept_inconclusive is None
    assert plan_of(root, accept_inconclusive="agreed with QA").accept_inconclusive == "agreed with QA"


def test_an_experiment_may_be_for_another_registered_model_than_the_policys(root: Path) -> None:
    assert plan_of(root).policy.model == "cv_yolo_tiny"
    other = plan_of(root, registered_model="kangaroos").policy
    assert (other.model, other.sha256) == ("kangaroos", sha256_of(root / "policy.yaml"))
