"""What a person writes in YAML: the limits of every key, and refusals that name file and key."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from cv_yolo.config import load_data_policy, load_experiment, load_policy, parse_override
from cv_yolo.domain.data.data_policy import DataPolicy, PolicyException
from cv_yolo.domain.data.findings import FindingKind, Severity
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.promotion.policy import Gate, Rule
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import ConfigError
from cv_yolo.files import sha256_of

REPOSITORY = Path(__file__).resolve().parents[2]
EXPERIMENT: dict[str, Any] = {
    "dataset": "data/tiny_coco",
    "model": "yolo11n.pt",
    "grid": {"epochs": [3, 5], "image_size_px": [320, 416]},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "experiment.yaml"


def put(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def with_key(key: str, value: object) -> dict[str, Any]:
    """The experiment with one key replaced."""
    content: dict[str, Any] = {**EXPERIMENT, "grid": dict(EXPERIMENT["grid"])}
    place = content
    *parents, last = key.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return content


def refusal(path: Path, **overrides: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load_experiment(path, {key.replace("__", "."): value for key, value in overrides.items()})
    return caught.value.message


@pytest.mark.parametrize("name", ["baseline", "grid", "demo"])
def test_our_own_experiments_are_valid(name: str) -> None:
    config = load_experiment(REPOSITORY / "configs" / f"{name}.yaml")
    assert config.experiment == "cv_yolo_tiny"
    assert config.policy == "configs/policy.tiny.yaml"
    assert load_policy(REPOSITORY / config.policy).model == "cv_yolo_tiny"


def test_our_own_policy_asks_for_enough_images_and_for_more_in_production() -> None:
    policy = load_policy(REPOSITORY / "configs" / "policy.yaml")
    assert (policy.model, policy.selection_metric, policy.min_images, policy.test_budget) == (
        "cv_yolo_tiny",
        "map_50",
        30,
        20,
    )
    assert policy.resampling == Resampling(confidence=0.95, resamples=2000, seed=0)
    staging, production = policy.gates[Stage.STAGING], policy.gates[Stage.PRODUCTION]
    assert (staging.metric, staging.margin, staging.provisional) == ("map_50", 0.02, False)
    assert (production.metric, production.margin, production.floors) == ("map_50_95", 0.01, {"map_50": 0.3})
    assert production.class_margin < staging.class_margin


def test_the_policy_for_few_images_is_provisional_for_staging_and_not_laxer_for_production() -> None:
    tiny, whole = (load_policy(REPOSITORY / "configs" / f"{name}.yaml") for name in ("policy.tiny", "policy"))
    assert tiny.gates[Stage.STAGING].provisional
    assert tiny.gates[Stage.PRODUCTION] == whole.gates[Stage.PRODUCTION]
    assert tiny.min_images == whole.min_images


def test_one_number_is_a_grid_of_one(path: Path) -> None:
    config = load_experiment(put(path, EXPERIMENT | {"grid": {"epochs": 3, "image_size_px": 320}}))
    assert (config.grid.epochs, config.grid.image_size_px) == ((3,), (320,))


GOOD = [
    ("grid.epochs", 1),
    ("grid.epochs", [10_000]),
    ("grid.image_size_px", 32),
    ("grid.image_size_px", [4096, 64]),
    ("training.batch_size", 1),
    ("training.batch_size", 4096),
    ("training.optimizer", "SGD"),
    ("training.learning_rate", 1),
    ("training.momentum", 0),
    ("training.weight_decay", 0),
    ("training.warmup_epochs", 2.5),
    ("training.mosaic", 1.0),
    ("training.seed", 2**31 - 1),
    ("training.device", "auto"),
    ("training.device", "mps"),
    ("training.device", "0"),
    ("resources.parallel_runs", 64),
    ("resources.threads_per_run", 256),
    ("resources.parallel_runs", None),
]


@pytest.mark.parametrize(("key", "value"), GOOD)
def test_the_limits_themselves_are_allowed(path: Path, key: str, value: object) -> None:
    load_experiment(put(path, with_key(key, value)))


BAD = [
    ("dataset", ""),
    ("dataset", 3),
    ("experiment", ""),
    ("model", ""),
    ("policy", 1),
    ("grid.epochs", 0),
    ("grid.epochs", -1),
    ("grid.epochs", []),
    ("grid.epochs", [3, 0]),
    ("grid.epochs", 10_001),
    ("grid.epochs", 2.5),
    ("grid.epochs", "3"),
    ("grid.epochs", True),
    ("grid.image_size_px", 321),
    ("grid.image_size_px", 0),
    ("grid.image_size_px", 4128),
    ("grid.image_size_px", [320, 333]),
    ("grid.image_size_px", "large"),
    ("training.batch_size", 0),
    ("training.batch_size", 4097),
    ("training.batch_size", "many"),
    ("training.optimizer", "Adagrad"),
    ("training.optimizer", "sgd"),
    ("training.learning_rate", 0),
    ("training.learning_rate", 1.1),
    ("training.learning_rate", float("nan")),
    ("training.momentum", 1),
    ("training.momentum", -0.1),
    ("training.weight_decay", -0.1),
    ("training.weight_decay", 2),
    ("training.warmup_epochs", -1),
    ("training.warmup_epochs", float("inf")),
    ("training.warmup_epochs", float("nan")),
    ("training.mosaic", 1.1),
    ("training.seed", -1),
    ("training.seed", 2**31),
    ("training.device", "gpu"),
    ("training.device", "0,1"),
    ("resources.parallel_runs", 0),
    ("resources.parallel_runs", 65),
    ("resources.threads_per_run", 0),
    ("resources.threads_per_run", 257),
]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_value_beyond_its_limits_is_refused_by_file_and_key(path: Path, key: str, value: object) -> None:
    assert refusal(put(path, with_key(key, value))).startswith(f"{path}: {key}: ")


@pytest.mark.parametrize("key", ["epoch", "training.lr0", "grid.imgsz", "resources.gpus"])
def test_an_unknown_key_is_refused_by_its_name(path: Path, key: str) -> None:
    assert refusal(put(path, with_key(key, 3))) == f"{path}: {key}: unknown key"


@pytest.mark.parametrize("key", ["dataset", "model", "grid"])
def test_a_missing_key_is_named(path: Path, key: str) -> None:
    content = {name: value for name, value in EXPERIMENT.items() if name != key}
    assert refusal(put(path, content)) == f"{path}: {key}: missing"


def test_a_key_that_is_not_text_is_named(path: Path) -> None:
    assert refusal(put(path, EXPERIMENT | {1: "one"})).startswith(f"{path}: 1: ")


def test_all_that_is_wrong_is_said_at_once(path: Path) -> None:
    message = refusal(put(path, with_key("grid.epochs", 0) | {"epochs": 3}))
    assert "grid.epochs: " in message
    assert "epochs: unknown key" in message


def test_the_value_that_was_given_is_repeated(path: Path) -> None:
    assert "(given: 321)" in refusal(put(path, with_key("grid.image_size_px", 321)))


def test_a_refusal_says_where_the_keys_are_listed(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_experiment(put(path, with_key("grid.epochs", 0)))
    assert caught.value.exit_code == 2
    assert caught.value.hint == "docs/reference/configuration.md in zenml-cv-yolo's repository lists all keys"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == f"{tmp_path / 'none.yaml'}: no such file"


@pytest.mark.parametrize("content", [b"a: [", b"a: b: c", b"\xff\xfe\x00", b"- one\n- two\n", b"", b"text", b"\t- a"])
def test_a_file_that_is_not_a_mapping_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path}: cannot be read")


def test_the_command_line_replaces_what_the_file_says(path: Path) -> None:
    overrides = {"grid.epochs": [1], "training.seed": 7, "resources.parallel_runs": 2}
    config = load_experiment(put(path, EXPERIMENT), overrides)
    assert config.grid.epochs == (1,)
    assert config.grid.image_size_px == (320, 416)
    assert (config.training.seed, config.resources.parallel_runs) == (7, 2)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"grid__epochs": [0]}, "grid.epochs"),
        ({"grid__epochs": [3, "x"]}, "grid.epochs"),
        ({"training__seed": -1}, "training.seed"),
        ({"training__lr0": 0.1}, "training.lr0"),
        ({"nonsense": 1}, "nonsense"),
        ({"nonsense__deep__er": 1}, "nonsense"),
        ({"training": {"seed": -1}}, "training.seed"),
        ({"grid": 3}, "grid"),
    ],
)
def test_an_error_on_the_command_line_names_the_option(path: Path, overrides: dict[str, Any], key: str) -> None:
    assert refusal(put(path, EXPERIMENT), **overrides).startswith(f"the command line: {key}: ")


def test_an_error_in_the_file_names_the_file(path: Path) -> None:
    message = refusal(put(path, with_key("grid.image_size_px", 321)), grid__epochs=[1])
    assert message.startswith(f"{path}: grid.image_size_px: ")


def test_a_value_has_no_keys_to_replace(path: Path) -> None:
    assert refusal(put(path, EXPERIMENT), dataset__name="x") == "--set dataset.name: `dataset` holds a value, not keys"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("training.seed=1", ("training.seed", 1)),
        ("training.learning_rate=0.002", ("training.learning_rate", 0.002)),
        ("model=a=b.pt", ("model", "a=b.pt")),
        (" grid.epochs = [3, 5]", ("grid.epochs", [3, 5])),
        ("policy=", ("policy", None)),
    ],
)
def test_an_override_is_a_key_and_a_yaml_value(text: str, expected: tuple[str, object]) -> None:
    assert parse_override(text) == expected


@pytest.mark.parametrize("text", ["nonsense", "=3", " =3", "", "grid.epochs=[3"])
def test_a_malformed_override_is_refused_as_given(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_override(text)
    assert caught.value.message.startswith(f"--set {text}: ")


GATE: dict[str, Any] = {"metric": "map_50", "margin": 0.02}


def policy_with(key: str, value: object) -> dict[str, Any]:
    """A policy with a gate into staging, and one key replaced."""
    content: dict[str, Any] = {"gates": {"staging": dict(GATE)}}
    place = content
    *parents, last = key.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value
    return content


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", "mine"),
        ("selection.metric", "f1"),
        ("intervals.confidence", 0.5),
        ("intervals.resamples", 100),
        ("intervals.resamples", 10_000),
        ("intervals.seed", 2**31 - 1),
        ("test.min_images", 2),
        ("test.budget", 1),
        ("gates.staging.metric", "recall"),
        ("gates.staging.rule", "superiority"),
        ("gates.staging.margin", 0),
        ("gates.staging.margin", 1),
        ("gates.staging.class_margin", 0),
        ("gates.staging.slice_margin", 1),
        ("gates.staging.floors", {}),
        ("gates.staging.floors", {"map_50": 0, "ar_100": 0.999, "map_small": 0.1, "f1": 0.2, "ar_1": 0.1}),
        ("gates.staging.floors", {"class/person/ap_50": 0.5, "slice/scene=a b/c/map_50": 0.1, "size/small/recall": 0}),
        ("gates.staging.required_classes", "all"),
        ("gates.staging.required_classes", ["person", "dog"]),
        ("gates.staging.required_boxes", 1),
        ("gates.staging.class_floor", 0),
        ("gates.staging.max_latency_ms", 0.1),
        ("gates.staging.max_size_mb", 6),
        ("gates.staging.provisional", True),
        ("gates.production", dict(GATE)),
    ],
)
def test_the_limits_of_a_policy_are_allowed(tmp_path: Path, key: str, value: object) -> None:
    assert load_policy(put(tmp_path / "policy.yaml", policy_with(key, value))).gates


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", ""),
        ("stage", "production"),
        ("floor", 0.2),
        ("keep_better_champion", True),
        ("threshold", 0.5),
        ("selection.metric", "loss"),
        ("selection.split", "test"),
        ("intervals.confidence", 0.4),
        ("intervals.confidence", 1),
        ("intervals.confidence", float("nan")),
        ("intervals.resamples", 99),
        ("intervals.resamples", 10_001),
        ("intervals.seed", -1),
        ("intervals.method", "bca"),
        ("test.min_images", 1),
        ("test.budget", 0),
        ("test.split", "val"),
        ("gates.archived", dict(GATE)),
        ("gates.staging.metric", "loss"),
        ("gates.staging.rule", "not_worse"),
        ("gates.staging.margin", -0.1),
        ("gates.staging.margin", 1.1),
        ("gates.staging.margin", float("nan")),
        ("gates.staging.class_margin", -0.1),
        ("gates.staging.slice_margin", 2),
        ("gates.staging.floors.map_50", 1),
        ("gates.staging.floors.map_50", -0.1),
        ("gates.staging.floors.map_50", "high"),
        ("gates.staging.required_classes", [1]),
        ("gates.staging.required_classes", [""]),
        ("gates.staging.required_boxes", 0),
        ("gates.staging.class_floor", 1),
        ("gates.staging.max_latency_ms", 0),
        ("gates.staging.max_size_mb", -1),
        ("gates.staging.max_size_bytes", 1),
        ("gates.staging.provisional", "perhaps"),
        ("gates.staging.level", 1),
    ],
)
def test_a_wrong_policy_is_refused_by_file_and_key(tmp_path: Path, key: str, value: object) -> None:
    path = put(tmp_path / "policy.yaml", policy_with(key, value))
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert caught.value.message.startswith(f"{path}: {key}: ")


@pytest.mark.parametrize(
    "figure",
    [
        *("loss", "map_500", "map_50_", "ap_50", "class/person", "class//ap_50", "error/missed/cost", "ar_1000", ""),
        *("class/person/ap50", "class/person/map_50", "slice/light=day/ap_50", "slice/light/map_50"),
        *("size/tiny/recall", "size/small/map_50"),
    ],
)
def test_a_floor_for_a_figure_that_there_is_not_is_refused_by_its_name(tmp_path: Path, figure: str) -> None:
    path = put(tmp_path / "policy.yaml", policy_with("gates.staging.floors", {figure: 0.1}))
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert caught.value.message.startswith(f"{path}: gates.staging.floors.{figure}")


def test_required_classes_are_one_name_several_or_all(tmp_path: Path) -> None:
    for given, known in (("person", ("person",)), (["a", "all"], ("a", "all")), ("all", "all"), (["all"], "all")):
        policy = load_policy(put(tmp_path / "policy.yaml", policy_with("gates.staging.required_classes", given)))
        assert policy.gates[Stage.STAGING].required_classes == known


def test_too_few_resamples_for_an_interval_are_refused_with_the_number_that_it_takes(tmp_path: Path) -> None:
    content = policy_with("intervals.confidence", 0.999)
    content["intervals"]["resamples"] = 100
    path = put(tmp_path / "policy.yaml", content)
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert caught.value.message == f"{path}: intervals.resamples: at least 1999 for intervals at 99.9 %, not 100"


def test_a_policy_of_a_persons_own_becomes_the_domains_value(tmp_path: Path) -> None:
    content = {
        "model": "mine",
        "selection": {"metric": "f1"},
        "intervals": {"confidence": 0.9, "resamples": 500, "seed": 7},
        "test": {"min_images": 50, "budget": 5},
        "gates": {
            "production": {
                "metric": "map_75",
                "rule": "superiority",
                "margin": 0.01,
                "class_margin": 0.1,
                "slice_margin": 0.2,
                "floors": {"recall": 0.5},
                "max_latency_ms": 30,
                "max_size_mb": 6.5,
            }
        },
    }
    path = put(tmp_path / "policy.yaml", content)
    policy = load_policy(path)
    assert (policy.model, policy.selection_metric, policy.min_images, policy.test_budget) == ("mine", "f1", 50, 5)
    assert policy.resampling == Resampling(confidence=0.9, resamples=500, seed=7)
    assert policy.gates == {
        Stage.PRODUCTION: Gate(
            metric="map_75",
            rule=Rule.SUPERIORITY,
            margin=0.01,
            class_margin=0.1,
            slice_margin=0.2,
            floors={"recall": 0.5},
            max_latency_ms=30.0,
            max_size_bytes=6_500_000,
        )
    }


def test_a_policy_is_known_by_its_name_and_its_content(tmp_path: Path) -> None:
    path = put(tmp_path / "strict.yaml", {"gates": {"staging": GATE}})
    policy = load_policy(path)
    assert (policy.source, policy.sha256) == ("strict.yaml", sha256_of(path))
    put(path, {"gates": {"staging": GATE | {"margin": 0.5}}})
    assert load_policy(path).sha256 != policy.sha256


@pytest.mark.parametrize("gates", [{}, {"staging": None}])
def test_a_policy_without_any_gate_is_refused(tmp_path: Path, gates: object) -> None:
    path = put(tmp_path / "policy.yaml", {"gates": gates})
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert caught.value.message == f"{path}: gates: a policy has gates into staging, into production, or both"


def test_production_cannot_be_entered_provisionally(tmp_path: Path) -> None:
    path = put(tmp_path / "policy.yaml", {"gates": {"production": GATE | {"provisional": True}}})
    with pytest.raises(ConfigError, match=r"gates\.production\.provisional: unknown key"):
        load_policy(path)


def test_a_policy_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load_policy(tmp_path / "none.yaml")


def test_an_experiment_may_name_the_registered_model(path: Path) -> None:
    put(path, EXPERIMENT)
    assert load_experiment(path).registered_model is None
    assert load_experiment(path, {"registered_model": "kangaroos"}).registered_model == "kangaroos"


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a'b", 'a"b', " ", "ends ", "two\nlines", "x" * 251, 3])
def test_a_name_that_no_registry_takes_is_refused_before_anything_is_trained_for_it(path: Path, name: object) -> None:
    put(path, EXPERIMENT)
    assert "registered_model" in refusal(path, registered_model=name)


def test_the_data_policy_of_the_project_is_the_default() -> None:
    found = load_data_policy(REPOSITORY / "configs" / "data_policy.yaml")
    default = DataPolicy()
    assert {kind: found.severity(kind) for kind in FindingKind} == {
        kind: default.severity(kind) for kind in FindingKind
    }
    assert replace(found, severities={}) == default


def test_a_data_policy_is_read_with_its_exceptions(path: Path) -> None:
    path.write_text(
        "rules: {similar_images: off, tiny_boxes: error}\ngroups: clip\nrequired_classes: {val: all, test: [dog]}\n"
        "smallest_box_px: 4\nexceptions:\n- {rule: similar_images, places: [a.jpg, b.jpg], reason: ' looked at '}\n",
        encoding="utf-8",
    )
    assert load_data_policy(path) == DataPolicy(
        severities={FindingKind.SIMILAR_IMAGES: Severity.OFF, FindingKind.TINY_BOXES: Severity.ERROR},
        groups=("clip",),
        required_classes={Split.VAL: ("all",), Split.TEST: ("dog",)},
        smallest_box_px=4,
        exceptions=(PolicyException(rule=FindingKind.SIMILAR_IMAGES, places=("a.jpg", "b.jpg"), reason="looked at"),),
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"rule": {}}, "rule: unknown key"),
        ({"rules": {"similar_image": "off"}}, "rules.similar_image"),
        ({"rules": {"similar_images": "loud"}}, "rules.similar_images: .*'error', 'warning' or 'off'"),
        ({"rules": {"identical_across_splits": "off"}}, "rules.identical_across_splits.*: .*always an error"),
        ({"exceptions": [{"rule": "unusable", "places": "a", "reason": "x"}]}, "exceptions.0.rule: .*always an error"),
        ({"exceptions": [{"rule": "similar_images", "places": "a"}]}, "exceptions.0.reason: missing"),
        ({"exceptions": [{"rule": "similar_images", "places": "a", "reason": " "}]}, "exceptions.0.reason"),
        ({"exceptions": [{"rule": "similar_images", "places": ["a", "b", "c"], "reason": "x"}]}, "exceptions.0.places"),
        ({"smallest_box_px": 0}, "smallest_box_px"),
    ],
)
def test_a_wrong_data_policy_is_refused_by_file_and_key(path: Path, content: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refusal:
        load_data_policy(put(path, content))
    assert str(path) in refusal.value.message
